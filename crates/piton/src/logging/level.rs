//! How much is written: the levels, in Python's names and numbers, and those of single loggers.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::config::{Setting, json_array};

crate::setting_enum! {
    /// How much is written. Python's names and numbers are read too. `CRITICAL` is `ERROR`:
    /// `tracing` knows no level above it, so whoever asks for less than errors still gets those.
    pub enum LogLevel: default Info {
        /// Everything, down to single steps of libraries.
        Trace = "TRACE" | "NOTSET" | "0" | "5",
        /// What helps to find a fault; the libraries' too.
        Debug = "DEBUG" | "10",
        /// What the service does; of libraries only warnings.
        Info = "INFO" | "20",
        /// What is odd but handled.
        Warning = "WARNING" | "WARN" | "30",
        /// What failed.
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

/// Its name.
impl Serialize for LogLevel {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// Levels of single loggers, such as `sqlx=WARNING`. A name stands for the logger and all below
/// it, and the longest name that fits decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLevels(Vec<(String, LogLevel)>);

impl LogLevels {
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// The level of a logger that has one.
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

    /// The most that any logger may say.
    pub(super) fn max_level(&self) -> Option<LevelFilter> {
        self.0.iter().map(|(_, level)| level.filter()).max()
    }

    fn add(&mut self, name: &str, level: &Value) -> Result<(), String> {
        let name = name.trim().replace("::", ".");
        if name.is_empty() {
            return Err("a level without the name of a logger".to_owned());
        }
        if self.0.iter().any(|(known, _)| *known == name) {
            return Err(format!("`{name}` is given twice"));
        }
        let level = LogLevel::parse(level).map_err(|why| format!("`{name}`: {why}"))?;
        self.0.push((name, level));
        Ok(())
    }

    /// `sqlx=WARNING`.
    fn add_item(&mut self, item: &str) -> Result<(), String> {
        let item = item.trim();
        let (name, level) = item
            .split_once('=')
            .ok_or_else(|| format!("`{item}` has no level: such as `{item}=WARNING`"))?;
        self.add(name, &Value::from(level.trim()))
    }

    /// A table, in which `registry.repositories = "DEBUG"` is a table in a table.
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
    fn a_text_a_list_and_a_table_say_the_same() {
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
            (json!("a=INFO,a=DEBUG"), "`a` is given twice"),
            (json!({"a": {"b": "x"}}), "`a.b`: expected"),
            (json!(3), "expected loggers"),
        ];
        for (value, part) in cases {
            let why = LogLevels::parse(&value).expect_err("wrong");
            assert!(why.contains(part), "{value}: {why}");
        }
    }
}
