//! Values that do not parse: the [`Problem`] that reports one, with the fix and without secrets.

use std::path::Path;

use serde_json::Value;

use super::origin::Origin;
use super::setting_problem::Problem;
use super::types::list::SECRET_FREE_MESSAGES;
use crate::secrets::{
    redact_credentials, redact_rejected_address, redact_repeated_value, redact_setting,
};

/// Returns the problem of a value that does not parse, without the secrets in it.
pub(crate) fn problem_of(invalid: &InvalidValue<'_>) -> Problem {
    let shown = match invalid.address && !invalid.secret {
        true => redact_rejected_address(invalid.value),
        false => redact_setting(invalid.secret, invalid.value),
    };
    let (why, example) = if invalid.secret && SECRET_FREE_MESSAGES.contains(&invalid.why) {
        (invalid.why.to_owned(), None)
    } else if invalid.secret {
        // Not the parser's own message, because it may repeat the value.
        (format!("expected {}", invalid.expects), None)
    } else {
        // The description of what is expected is not redacted, because it is ours: an example in it may
        // have a password.
        let expects = invalid.expects.strip_suffix(", or nothing").unwrap_or(invalid.expects);
        let parts = invalid.why.split(expects).map(|part| match invalid.address {
            // The value is not replaced, because messages about addresses never repeat it, and one as short
            // as a letter would be replaced everywhere.
            true => redact_credentials(part),
            false => redact_repeated_value(part, invalid.value, &shown),
        });
        let why = parts.collect::<Vec<_>>().join(expects);
        let example = match invalid.default {
            // No proposal, because a message about one item proposes that item, not the list.
            Value::Array(_) => None,
            _ if why.starts_with("item ") => None,
            default => proposal(&why).map(str::to_owned).or_else(|| plain(default)),
        };
        (why, example)
    };
    let fix = fix(invalid, example.as_deref());
    Problem::new(invalid.key, why, fix).at(invalid.origin.clone()).with_value(&shown)
}

/// A value that does not parse, and the setting it was written for.
pub(crate) struct InvalidValue<'a> {
    pub key: &'a str,
    pub value: &'a Value,
    pub origin: &'a Origin,
    pub secret: bool,
    /// True if the value is an address: see [`Setting::ADDRESS`](super::Setting::ADDRESS).
    pub address: bool,
    pub why: &'a str,
    pub expects: &'a str,
    pub default: &'a Value,
}

/// Returns the last text in backticks after "write" or "did you mean": see
/// [`Setting::parse`](super::Setting::parse).
fn proposal(why: &str) -> Option<&str> {
    ["write `", "did you mean `"].iter().find_map(|lead| {
        let (_, rest) = why.rsplit_once(lead)?;
        rest.split_once('`').map(|(proposal, _)| proposal)
    })
}

/// Returns a value as it is written in the environment, or `None` for lists, tables and nothing.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Returns the fix in the syntax of the place where the invalid value was written.
fn fix(invalid: &InvalidValue<'_>, example: Option<&str>) -> String {
    let Some(example) = example else {
        return match invalid.origin {
            Origin::Environment { variable } | Origin::DotEnv { variable, .. } => {
                format!("set {variable} to {}", invalid.expects)
            }
            Origin::ValueFile { path, .. } => {
                format!("write into {}: {}", path.display(), invalid.expects)
            }
            _ => format!("set `{}` to {}", invalid.key, invalid.expects),
        };
    };
    match invalid.origin {
        Origin::Environment { variable } | Origin::DotEnv { variable, .. } => {
            format!("{variable}={example}")
        }
        Origin::ValueFile { path, .. } => format!("write `{example}` into {}", path.display()),
        Origin::Flag(flag) if flag == "--set" => format!("--set {}={example}", invalid.key),
        Origin::Flag(flag) => format!("{flag} {example}"),
        Origin::Code(_) | Origin::ServiceDefault(_) => format!("pass {example}"),
        Origin::File { path, .. } => in_file(invalid, path, example),
        Origin::Default => in_file(invalid, Path::new(""), example),
    }
}

/// Returns the line to write in a file of that format.
fn in_file(invalid: &InvalidValue<'_>, path: &Path, example: &str) -> String {
    let bare = matches!(invalid.default, Value::Bool(_) | Value::Number(_));
    let example = if bare { example.to_owned() } else { Value::from(example).to_string() };
    let name = invalid.key.rsplit('.').next().unwrap_or(invalid.key);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => format!("{name}: {example}"),
        Some("json") => format!("\"{name}\": {example}"),
        _ => format!("{} = {example}", invalid.key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::setting_problem::Problems;

    fn invalid<'a>(
        value: &'a Value,
        origin: &'a Origin,
        why: &'a str,
        default: &'a Value,
    ) -> InvalidValue<'a> {
        InvalidValue {
            key: "http.port",
            value,
            origin,
            secret: false,
            address: false,
            why,
            expects: "a whole number from 0 to 65535",
            default,
        }
    }

    #[test]
    fn the_report_names_every_problem_with_value_origin_reason_and_fix() {
        let variable = "PITON_HTTP_PORT".to_owned();
        let origin = Origin::Environment { variable };
        let (value, default) = (Value::from("eighty"), Value::from(5000));
        let file = |line| Origin::File { path: "config.toml".into(), line: Some(line) };
        let problems = Problems(vec![
            problem_of(&invalid(&value, &origin, "expected a whole number", &default)),
            Problem::new("log.levle", "unknown setting", "did you mean `log.level`?").at(file(9)),
            Problem::new("database.url", "needs the feature `postgres`", ""),
        ]);
        assert_eq!(
            problems.report("registry"),
            "\
registry cannot start: 3 settings are wrong

  http.port = \"eighty\"  from environment variable PITON_HTTP_PORT
    expected a whole number
    fix: PITON_HTTP_PORT=5000
  log.levle             from config.toml:9
    unknown setting
    fix: did you mean `log.level`?
  database.url
    needs the feature `postgres`
"
        );
    }

    #[test]
    fn the_fix_prefers_what_the_reason_proposes() {
        let (value, default) = (Value::from("30"), Value::from("10s"));
        let origin = Origin::File { path: "config.toml".into(), line: Some(4) };
        let why = "`30` has no unit: write `30s`";
        let problem = problem_of(&invalid(&value, &origin, why, &default));
        assert_eq!(problem.fix, "http.port = \"30s\"");
        for (path, fix) in [("c.yml", "port: \"30s\""), ("c.json", "\"port\": \"30s\"")] {
            let origin = Origin::File { path: path.into(), line: Some(4) };
            assert_eq!(problem_of(&invalid(&value, &origin, why, &default)).fix, fix);
        }
        let origin = Origin::Flag("--port".into());
        let problem = problem_of(&invalid(&value, &origin, why, &default));
        assert_eq!(problem.fix, "--port 30s");
        let origin = Origin::Flag("--set".into());
        let problem = problem_of(&invalid(&value, &origin, why, &default));
        assert_eq!(problem.fix, "--set http.port=30s");
    }

    #[test]
    fn the_fix_of_a_list_says_what_the_list_holds() {
        let (value, default) = (Value::from("1s,30"), Value::Array(Vec::new()));
        let origin = Origin::Environment { variable: "PITON_HTTP_PORT".into() };
        let why = "item 2: `30` has no unit: write `30s`";
        let problem = problem_of(&invalid(&value, &origin, why, &default));
        assert_eq!(problem.fix, "set PITON_HTTP_PORT to a whole number from 0 to 65535");
    }

    #[test]
    fn a_secret_stands_in_no_part_of_a_problem() {
        let (value, default) = (Value::from("hunter2"), Value::from("hunter3"));
        let origin = Origin::Environment { variable: "PITON_JWT_SECRET".into() };
        let mut given =
            invalid(&value, &origin, "`hunter2` is too short: write `hunter22`", &default);
        given.secret = true;
        let problem = problem_of(&given);
        let all = format!("{problem} {problem:?} {}", Problems(vec![problem.clone()]).report("x"));
        assert!(!all.contains("hunter"), "{all}");
        assert_eq!(problem.value.as_deref(), Some("\"***\""));
    }

    #[test]
    fn the_password_in_an_address_stands_in_no_part_of_a_problem() {
        let (value, default) = (Value::from("postgres://me:pw@db/x"), Value::Null);
        let origin = Origin::Environment { variable: "PITON_DB_URL".into() };
        let why = "`postgres://me:pw@db/x` is not known";
        let problem = problem_of(&invalid(&value, &origin, why, &default));
        assert_eq!(problem.why, "`postgres://***@db/x` is not known");
        assert_eq!(problem.value.as_deref(), Some("\"postgres://***@db/x\""));
    }
}
