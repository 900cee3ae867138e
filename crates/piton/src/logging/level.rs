//! The levels of the log, with Python's names and numbers, and the levels of single loggers.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::config::{Setting, json_array};

crate::setting_enum! {
    /// The levels of the log. Python's names and numbers are read too. `CRITICAL` is `ERROR`, because
    /// `tracing` has no level above it: errors are always logged.
    pub enum LogLevel: default Info {
        /// Single steps of the service and of libraries.
        Trace = "TRACE" | "NOTSET" | "0" | "5",
        /// Details that help to find a fault, also those of libraries.
        Debug = "DEBUG" | "10",
        /// Actions of the service; only warnings of libraries.
        Info = "INFO" | "20",
        /// Unexpected events that were handled.
        Warning = "WARNING" | "WARN" | "30",
        /// Failures.
        Error = "ERROR" | "CRITICAL" | "FATAL" | "40" | "50",
    }
}

impl LogLevel {
    pub(super) const ALL: [Self; 5] =
        [Self::Trace, Self::Debug, Self::Info, Self::Warning, Self::Error];

    pub(super) const fn filter(self) -> LevelFilter {
        match self {
            Self::Trace => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warning => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
        }
    }
}

/// Serializes a level as its name.
impl Serialize for LogLevel {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// Levels of single loggers, such as `sqlx=WARNING`. A name applies to the logger and those below it; of
/// several names that match, the longest one decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLevels(Vec<(String, LogLevel)>);

impl LogLevels {
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns the level of a logger; `None` if it has none of its own.
    #[must_use]
    pub fn of(&self, logger: &str) -> Option<LogLevel> {
        if self.0.is_empty() {
            return None;
        }
        let logger = logger.replace("::", ".");
        let within = |name: &str| {
            let rest = logger.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let fitting = self.0.iter().filter(|(name, _)| within(name));
        fitting.max_by_key(|(name, _)| name.len()).map(|(_, level)| *level)
    }

    /// Returns the most verbose of the levels.
    pub(super) fn max_level(&self) -> Option<LevelFilter> {
        self.0.iter().map(|(_, level)| level.filter()).max()
    }

    fn add(&mut self, name: &str, level: &Value) -> Result<(), String> {
        let name = name.trim().replace("::", ".");
        if name.is_empty() {
            return Err("a level without the name of its logger".to_owned());
        }
        if self.0.iter().any(|(known, _)| *known == name) {
            return Err(format!("`{name}` is listed twice"));
        }
        let level = LogLevel::parse(level).map_err(|why| format!("`{name}`: {why}"))?;
        self.0.push((name, level));
        Ok(())
    }

    /// Adds an item such as `sqlx=WARNING`.
    fn add_item(&mut self, item: &str) -> Result<(), String> {
        let item = item.trim();
        let (name, level) = item
            .split_once('=')
            .ok_or_else(|| format!("`{item}` has no level: such as `{item}=WARNING`"))?;
        self.add(name, &Value::from(level.trim()))
    }

    /// Adds a table. `registry.repositories = "DEBUG"` arrives as a table in a table.
    fn add_table(&mut self, within: &str, value: &Value) -> Result<(), String> {
        let Value::Object(table) = value else { return self.add(within, value) };
        table.iter().try_for_each(|(name, value)| {
            let name = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
            self.add_table(&name, value)
        })
    }
}

impl Setting for LogLevels {
    fn expects() -> Cow<'static, str> {
        "loggers with their levels, such as `sqlx=WARNING,registry.repositories=DEBUG`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let mut levels = Self::none();
        match value {
            Value::Null => {}
            Value::String(text) => {
                if let Some(items) = json_array(text)? {
                    return Self::parse(&Value::Array(items));
                }
                let items = text.split(',').filter(|item| !item.trim().is_empty());
                items.into_iter().try_for_each(|item| levels.add_item(item))?;
            }
            Value::Array(items) => items.iter().try_for_each(|item| match item.as_str() {
                Some(item) => levels.add_item(item),
                None => Err(format!("expected {}", Self::expects())),
            })?,
            Value::Object(_) => levels.add_table("", value)?,
            _ => return Err(format!("expected {}", Self::expects())),
        }
        Ok(levels)
    }

    fn show(&self) -> Value {
        self.0.iter().map(|(name, level)| Value::from(format!("{name}={level}"))).collect()
    }

    fn schema() -> Value {
        json!({ "anyOf": [
            { "type": "array", "items": { "type": "string" } },
            { "type": "string", "examples": ["sqlx=WARNING,registry.repositories=DEBUG"] },
            { "type": "object" },
        ] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_level_names_and_numbers_are_read_in_any_case() {
        let cases = [
            (json!("CRITICAL"), LogLevel::Error),
            (json!("warning"), LogLevel::Warning),
            (json!("Warn"), LogLevel::Warning),
            (json!("debug"), LogLevel::Debug),
            (json!("TRACE"), LogLevel::Trace),
            (json!("10"), LogLevel::Debug),
            (json!(20), LogLevel::Info),
            (json!(30), LogLevel::Warning),
            (json!(50), LogLevel::Error),
            (json!(0), LogLevel::Trace),
        ];
        for (value, level) in cases {
            assert_eq!(LogLevel::parse(&value), Ok(level), "{value}");
        }
        let why = LogLevel::parse(&json!("INOF")).expect_err("no level");
        assert!(why.ends_with("did you mean `INFO`?"), "{why}");
        assert!(LogLevel::parse(&json!(11)).is_err() && LogLevel::parse(&json!(true)).is_err());
    }

    #[test]
    fn the_longest_name_that_fits_decides() {
        let levels = LogLevels::parse(&json!("sqlx=WARNING, registry=ERROR,registry::a=DEBUG"));
        let levels = levels.expect("loggers with levels");
        let cases = [
            ("sqlx::query", Some(LogLevel::Warning)),
            ("sqlx", Some(LogLevel::Warning)),
            ("sqlxx", None),
            ("registry::b", Some(LogLevel::Error)),
            ("registry::a::b", Some(LogLevel::Debug)),
            ("registry.a", Some(LogLevel::Debug)),
            ("registry::ab", Some(LogLevel::Error)),
        ];
        for (logger, level) in cases {
            assert_eq!(levels.of(logger), level, "{logger}");
        }
        assert_eq!(levels.max_level(), Some(LevelFilter::DEBUG));
    }

    #[test]
    fn levels_are_read_from_text_lists_and_tables() {
        let text = LogLevels::parse(&json!("a.b=DEBUG,c=30")).expect("text");
        assert_eq!(LogLevels::parse(&json!(["a::b=debug", "c=WARN"])), Ok(text.clone()));
        assert_eq!(LogLevels::parse(&json!({"a": {"b": 10}, "c": "WARNING"})), Ok(text.clone()));
        assert_eq!(LogLevels::parse(&text.show()), Ok(text));
        assert_eq!(LogLevels::parse(&json!("")), Ok(LogLevels::none()));
        assert_eq!(LogLevels::parse(&json!("[]")), Ok(LogLevels::none()));
        let listed = LogLevels::parse(&json!(r#"["a.b=DEBUG","c=30"]"#));
        assert_eq!(listed, LogLevels::parse(&json!("a.b=DEBUG,c=30")));
    }

    #[test]
    fn a_wrong_item_is_refused_by_its_name() {
        let cases = [
            (json!("sqlx"), "`sqlx` has no level"),
            (json!("sqlx=WARNIGN"), "`sqlx`: expected"),
            (json!("=INFO"), "without the name"),
            (json!("a=INFO,a=DEBUG"), "`a` is listed twice"),
            (json!({"a": {"b": "x"}}), "`a.b`: expected"),
            (json!(3), "expected loggers"),
        ];
        for (value, part) in cases {
            let why = LogLevels::parse(&value).expect_err("wrong");
            assert!(why.contains(part), "{value}: {why}");
        }
    }
}
