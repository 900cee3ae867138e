//! [`Groups`]: groups of variables as a setting.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::group::Group;
use crate::config::Setting;

/// Groups of variables as a setting: in a file a list of tables with `name`, `description` and `vars`, in the
/// environment the same as JSON.
///
/// ```
/// use piton::config::Setting;
/// use piton::panel::Groups;
///
/// let text = r#"[{"name": "Redis", "description": "Address", "vars": ["REDIS_HOST"]}]"#;
/// let groups = Groups::parse(&text.into()).unwrap();
/// assert_eq!(groups.0[0].name(), "Redis");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(pub Vec<Group>);

const EXPECTS: &str = "a list of groups, each with `name`, `description` and `vars` (in the environment \
                       as JSON)";

impl Setting for Groups {
    fn expects() -> Cow<'static, str> {
        EXPECTS.into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let parsed = match value {
            Value::String(text) if text.trim().is_empty() => Value::Array(Vec::new()),
            Value::String(text) => {
                serde_json::from_str(text).map_err(|why| format!("is not JSON: {why}"))?
            }
            value => value.clone(),
        };
        let Value::Array(items) = parsed else { return Err(format!("expected {EXPECTS}")) };
        let (mut groups, mut wrong) = (Vec::<Group>::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            match group(item) {
                Ok(group) if groups.iter().any(|before| before.name() == group.name()) => {
                    wrong.push(format!("group {}: `{}` is defined twice", index + 1, group.name()));
                }
                Ok(group) => groups.push(group),
                Err(more) => {
                    wrong.extend(more.iter().map(|why| format!("group {}: {why}", index + 1)));
                }
            }
        }
        if wrong.is_empty() { Ok(Self(groups)) } else { Err(wrong.join("\n")) }
    }

    fn show(&self) -> Value {
        let show = |group: &Group| {
            let vars: Vec<&str> = group.variables().collect();
            // In alphabetical order, so that the output does not depend on whether maps keep the order of
            // their fields.
            json!({ "description": group.description(), "name": group.name(), "vars": vars })
        };
        self.0.iter().map(show).collect()
    }

    fn schema() -> Value {
        json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": { "type": "string", "minLength": 1 },
                    "description": { "type": "string" },
                    "vars": {
                        "type": "array",
                        "items": { "type": "string", "pattern": "^[^./=][^/=]{0,254}$" },
                    },
                },
                "required": ["name", "vars"],
                "additionalProperties": false,
            },
        })
    }
}

/// Parses a group.
///
/// # Errors
/// The texts are all that is wrong with it.
fn group(item: &Value) -> Result<Group, Vec<String>> {
    let Value::Object(fields) = item else {
        return Err(vec!["expected a table with `name`, `description` and `vars`".to_owned()]);
    };
    let mut wrong = Vec::new();
    let known = ["name", "description", "vars"];
    let unknown = fields.keys().filter(|key| !known.contains(&key.as_str()));
    wrong.extend(unknown.map(|key| format!("`{}` is not known", key.escape_debug())));
    let name = text(fields, "name", &mut wrong);
    let description = text(fields, "description", &mut wrong);
    let variables = variables(fields.get("vars"), &mut wrong);
    match Group::checked(name.unwrap_or_default(), description.unwrap_or_default(), variables) {
        Ok(group) if wrong.is_empty() => Ok(group),
        Ok(_) => Err(wrong),
        Err(more) => Err([wrong, more].concat()),
    }
}

fn text<'a>(fields: &'a Map<String, Value>, key: &str, wrong: &mut Vec<String>) -> Option<&'a str> {
    let value = fields.get(key)?;
    if !value.is_string() {
        wrong.push(format!("`{key}` is not text"));
    }
    value.as_str()
}

fn variables(vars: Option<&Value>, wrong: &mut Vec<String>) -> Vec<String> {
    let Some(Value::Array(vars)) = vars else {
        wrong.push("`vars` is not a list of names".to_owned());
        return Vec::new();
    };
    let mut names = Vec::new();
    for (index, name) in vars.iter().enumerate() {
        match name.as_str() {
            Some(name) => names.push(name.to_owned()),
            None => wrong.push(format!("item {} of `vars` is not text", index + 1)),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tables_is_read_and_shown_as_it_was_written() {
        let list = json!([
            { "name": "Redis", "description": "Where it is", "vars": ["REDIS_HOST", "REDIS_PORT"] },
            { "name": "App", "description": "", "vars": [] },
        ]);
        assert_eq!(Groups::parse(&list).unwrap().show(), list);
        assert_eq!(Groups::parse(&list.to_string().into()).unwrap().show(), list);
        assert_eq!(Groups::parse(&" ".into()), Ok(Groups::default()));
        let short = json!([{ "name": "App", "vars": ["A"] }]);
        assert_eq!(Groups::parse(&short).unwrap().0, [Group::new("App", "", ["A"])]);
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let list = json!([
            { "name": 1, "vars": ["A", 2, "../x"], "variables": [] },
            { "name": "App", "vars": ["A"] },
            "PATH",
            { "name": "App", "vars": ["B"] },
            { "name": "Last" },
        ]);
        assert_eq!(
            Groups::parse(&list).unwrap_err().lines().collect::<Vec<_>>(),
            [
                "group 1: `variables` is not known",
                "group 1: `name` is not text",
                "group 1: item 2 of `vars` is not text",
                "group 1: a group has no name",
                "group 1: the variable `../x` begins with `.`",
                "group 3: expected a table with `name`, `description` and `vars`",
                "group 4: `App` is defined twice",
                "group 5: `vars` is not a list of names",
            ]
        );
        assert!(Groups::parse(&"[{".into()).unwrap_err().starts_with("is not JSON"));
        assert_eq!(Groups::parse(&json!({})).unwrap_err(), format!("expected {EXPECTS}"));
    }
}
