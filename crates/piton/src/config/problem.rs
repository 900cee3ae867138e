//! What is wrong with the settings, said so that it can be put right in one go: which setting,
//! what it was, where that was written, why it is refused, and what to write instead.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::redact;
use super::setting::PLAIN_MESSAGES;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A configuration file.
    File {
        /// The path as it was given.
        path: PathBuf,
        /// Counted from 1; `None` where the format does not tell.
        line: Option<usize>,
    },
    /// A `.env` file.
    DotEnv {
        /// The path as it was given.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The variable, such as `PITON_HTTP_PORT`.
        variable: String,
    },
    /// The environment of the process.
    Environment {
        /// The variable, such as `PITON_HTTP_PORT`.
        variable: String,
    },
    /// A file that a variable named: `PITON_DB_PASSWORD_FILE=/run/secrets/db`.
    ValueFile {
        /// The file that holds the value.
        path: PathBuf,
        /// The variable that names it: [`Origin::Environment`] or [`Origin::DotEnv`].
        named_by: Box<Origin>,
    },
    /// A default that the service's own code gives, and where, such as `src/lib.rs:12`.
    ServiceDefault(String),
    /// The service's own code, such as `App::port at src/main.rs:4`.
    Code(String),
    /// A flag of the command line, such as `--port`.
    Flag(String),
}

impl Origin {
    /// The variable, where it is one.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Environment { variable } | Self::DotEnv { variable, .. } => Some(variable),
            Self::ValueFile { named_by, .. } => named_by.variable(),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::DotEnv { path, line, .. } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::ValueFile { path, named_by } => match &**named_by {
                Self::DotEnv { variable, .. } => {
                    write!(f, "{} ({variable} at {named_by})", path.display())
                }
                named_by => write!(f, "{} ({named_by})", path.display()),
            },
            Self::ServiceDefault(place) => write!(f, "the service's default at {place}"),
            Self::Code(place) => f.write_str(place),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One thing that is wrong with the settings.
///
/// It is no `std::error::Error`, so that [`part::Error`](crate::part::Error) can tell a wrong
/// setting from a fault of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting, such as `http.port`; the path of a file where a whole file is wrong.
    pub key: String,
    /// The value as people may see it: a secret stands as `***`. `None` where the value says nothing.
    pub value: Option<String>,
    /// Where the value was written.
    pub origin: Origin,
    /// Why it is refused, a lower-case fragment.
    pub why: String,
    /// What to write instead; empty where nothing can be proposed.
    pub fix: String,
}

impl Problem {
    /// A problem found outside the settings' own checks, for example by a part that starts.
    pub fn new(key: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: None,
            origin: Origin::Default,
            why: why.into(),
            fix: fix.into(),
        }
    }

    /// Says where the value was written.
    #[must_use]
    pub fn at(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Says what the value was. Secrets must be hidden before, see [`redact::shown`].
    pub(crate) fn with_value(mut self, shown: &Value) -> Self {
        self.value = Some(shorten(&shown.to_string()));
        self
    }

    /// In a file that cannot be read at all.
    pub(crate) fn in_file(
        path: &Path,
        line: Option<usize>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::new(path.display().to_string(), why, fix)
            .at(Origin::File { path: path.to_owned(), line })
    }

    /// `http.port = "eighty"`.
    fn head(&self) -> String {
        match &self.value {
            Some(value) => format!("{} = {value}", self.key),
            None => self.key.clone(),
        }
    }

    /// Whether there is a place to point to.
    fn has_origin(&self) -> bool {
        self.origin != Origin::Default || self.value.is_some()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, width: usize) -> fmt::Result {
        let head = self.head();
        match self.has_origin() {
            true => writeln!(f, "  {head:<width$}  from {}", self.origin)?,
            false => writeln!(f, "  {head}")?,
        }
        for line in self.why.lines() {
            writeln!(f, "    {line}")?;
        }
        if !self.fix.is_empty() {
            writeln!(f, "    fix: {}", self.fix)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.head())?;
        if self.has_origin() {
            write!(f, " (from {})", self.origin)?;
        }
        write!(f, ": {}", self.why)
    }
}

/// Everything that is wrong with the settings, to be said at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The message a service prints before it exits with 2.
    #[must_use]
    pub fn report(&self, app_name: &str) -> String {
        let count = match self.len() {
            1 => "1 setting is wrong".to_owned(),
            count => format!("{count} settings are wrong"),
        };
        format!("{app_name} cannot start: {count}\n\n{self}")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Longer heads do not push the other origins to the right.
        const WIDEST: usize = 40;
        let heads = self.iter().filter(|problem| problem.has_origin());
        let width = heads.map(|problem| problem.head().chars().count()).max().unwrap_or(0);
        self.iter().try_for_each(|problem| problem.write(f, width.min(WIDEST)))
    }
}

impl Deref for Problems {
    type Target = Vec<Problem>;

    fn deref(&self) -> &Vec<Problem> {
        &self.0
    }
}

impl DerefMut for Problems {
    fn deref_mut(&mut self) -> &mut Vec<Problem> {
        &mut self.0
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        Self(problems.into_iter().collect())
    }
}

/// The message for a value that does not parse.
pub(crate) fn wrong_value(given: &Wrong<'_>) -> Problem {
    let shown = match given.address && !given.secret {
        true => redact::refused_address(given.value),
        false => redact::shown(given.secret, given.value),
    };
    let (why, example) = if given.secret && PLAIN_MESSAGES.contains(&given.why) {
        (given.why.to_owned(), None)
    } else if given.secret {
        // The parser's own words may repeat the value.
        (format!("expected {}", given.expects), None)
    } else {
        // The words about what is expected are ours: an example with a password in it stays.
        let expects = given.expects.strip_suffix(", or nothing").unwrap_or(given.expects);
        let parts = given.why.split(expects).map(|part| match given.address {
            // An address's own refusals never repeat it, and it may be as short as a letter.
            true => redact::address(part),
            false => redact::without(part, given.value, &shown),
        });
        let why = parts.collect::<Vec<_>>().join(expects);
        let example = match given.default {
            // What is said of one item is no proposal for the list.
            Value::Array(_) => None,
            _ if why.starts_with("item ") => None,
            default => proposal(&why).map(str::to_owned).or_else(|| plain(default)),
        };
        (why, example)
    };
    let fix = fix(given, example.as_deref());
    Problem::new(given.key, why, fix).at(given.origin.clone()).with_value(&shown)
}

/// What is known of a value that does not parse.
pub(crate) struct Wrong<'a> {
    pub key: &'a str,
    pub value: &'a Value,
    pub origin: &'a Origin,
    pub secret: bool,
    /// Set if the value is an address: see [`Setting::ADDRESS`](super::Setting::ADDRESS).
    pub address: bool,
    pub why: &'a str,
    pub expects: &'a str,
    pub default: &'a Value,
}

/// The last text in backticks after "write" or "did you mean": see [`Setting::parse`](super::Setting::parse).
fn proposal(why: &str) -> Option<&str> {
    ["write `", "did you mean `"].iter().find_map(|lead| {
        let (_, rest) = why.rsplit_once(lead)?;
        rest.split_once('`').map(|(proposal, _)| proposal)
    })
}

/// A value as it is written in the environment; `None` for what has no such form.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// The correction in the spelling of the place where the wrong value stands.
fn fix(given: &Wrong<'_>, example: Option<&str>) -> String {
    let Some(example) = example else {
        return match given.origin {
            Origin::Environment { variable } | Origin::DotEnv { variable, .. } => {
                format!("set {variable} to {}", given.expects)
            }
            Origin::ValueFile { path, .. } => {
                format!("write into {}: {}", path.display(), given.expects)
            }
            _ => format!("set `{}` to {}", given.key, given.expects),
        };
    };
    match given.origin {
        Origin::Environment { variable } | Origin::DotEnv { variable, .. } => {
            format!("{variable}={example}")
        }
        Origin::ValueFile { path, .. } => format!("write `{example}` into {}", path.display()),
        Origin::Flag(flag) if flag == "--set" => format!("--set {}={example}", given.key),
        Origin::Flag(flag) => format!("{flag} {example}"),
        Origin::Code(_) | Origin::ServiceDefault(_) => format!("pass {example}"),
        Origin::File { path, .. } => in_file(given, path, example),
        Origin::Default => in_file(given, Path::new(""), example),
    }
}

/// The line to write in a file of that kind.
fn in_file(given: &Wrong<'_>, path: &Path, example: &str) -> String {
    let bare = matches!(given.default, Value::Bool(_) | Value::Number(_));
    let example = if bare { example.to_owned() } else { Value::from(example).to_string() };
    let name = given.key.rsplit('.').next().unwrap_or(given.key);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => format!("{name}: {example}"),
        Some("json") => format!("\"{name}\": {example}"),
        _ => format!("{} = {example}", given.key),
    }
}

/// A line of the report stays a line.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong<'a>(
        value: &'a Value,
        origin: &'a Origin,
        why: &'a str,
        default: &'a Value,
    ) -> Wrong<'a> {
        Wrong {
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
            wrong_value(&wrong(&value, &origin, "expected a whole number", &default)),
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
    fn one_problem_is_counted_in_the_singular() {
        let problems = Problems(vec![Problem::new("a", "b", "c")]);
        assert!(problems.report("x").starts_with("x cannot start: 1 setting is wrong\n"));
    }

    #[test]
    fn the_fix_prefers_what_the_reason_proposes() {
        let (value, default) = (Value::from("30"), Value::from("10s"));
        let origin = Origin::File { path: "config.toml".into(), line: Some(4) };
        let why = "`30` has no unit: write `30s`";
        let problem = wrong_value(&wrong(&value, &origin, why, &default));
        assert_eq!(problem.fix, "http.port = \"30s\"");
        for (path, fix) in [("c.yml", "port: \"30s\""), ("c.json", "\"port\": \"30s\"")] {
            let origin = Origin::File { path: path.into(), line: Some(4) };
            assert_eq!(wrong_value(&wrong(&value, &origin, why, &default)).fix, fix);
        }
        let origin = Origin::Flag("--port".into());
        let problem = wrong_value(&wrong(&value, &origin, why, &default));
        assert_eq!(problem.fix, "--port 30s");
        let origin = Origin::Flag("--set".into());
        let problem = wrong_value(&wrong(&value, &origin, why, &default));
        assert_eq!(problem.fix, "--set http.port=30s");
    }

    #[test]
    fn the_fix_of_a_list_says_what_the_list_holds() {
        let (value, default) = (Value::from("1s,30"), Value::Array(Vec::new()));
        let origin = Origin::Environment { variable: "PITON_HTTP_PORT".into() };
        let why = "item 2: `30` has no unit: write `30s`";
        let problem = wrong_value(&wrong(&value, &origin, why, &default));
        assert_eq!(problem.fix, "set PITON_HTTP_PORT to a whole number from 0 to 65535");
    }

    #[test]
    fn a_secret_stands_in_no_part_of_a_problem() {
        let (value, default) = (Value::from("hunter2"), Value::from("hunter3"));
        let origin = Origin::Environment { variable: "PITON_JWT_SECRET".into() };
        let mut given =
            wrong(&value, &origin, "`hunter2` is too short: write `hunter22`", &default);
        given.secret = true;
        let problem = wrong_value(&given);
        let all = format!("{problem} {problem:?} {}", Problems(vec![problem.clone()]).report("x"));
        assert!(!all.contains("hunter"), "{all}");
        assert_eq!(problem.value.as_deref(), Some("\"***\""));
    }

    #[test]
    fn the_password_in_an_address_stands_in_no_part_of_a_problem() {
        let (value, default) = (Value::from("postgres://me:pw@db/x"), Value::Null);
        let origin = Origin::Environment { variable: "PITON_DB_URL".into() };
        let why = "`postgres://me:pw@db/x` is not known";
        let problem = wrong_value(&wrong(&value, &origin, why, &default));
        assert_eq!(problem.why, "`postgres://***@db/x` is not known");
        assert_eq!(problem.value.as_deref(), Some("\"postgres://***@db/x\""));
    }

    #[test]
    fn a_long_value_is_cut() {
        let value = Value::from("é".repeat(500));
        let problem = Problem::new("a", "b", "c").with_value(&value);
        assert_eq!(problem.value.expect("set above").chars().count(), 61);
    }
}
