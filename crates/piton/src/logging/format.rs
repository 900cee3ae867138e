//! The setting `log.format`.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};

use super::python_format::PythonFormat;
use crate::config::{Setting, reject_name};

/// The formats of lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum LogFormat {
    /// `Human` if the output is a terminal, otherwise `Json`.
    #[default]
    Auto,
    /// Text for people: [`PythonFormat::GNAR`].
    Human,
    /// One JSON object for each line, for log collectors.
    Json,
    /// A format of Python's `logging`, without colours.
    Python(PythonFormat),
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
            Self::Python(format) => &format.text,
        })
    }
}

impl Setting for LogFormat {
    fn expects() -> Cow<'static, str> {
        "`auto`, `human`, `json` or a format of Python's, such as `%(levelname)s %(message)s`"
            .into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| format!("expected {}", Self::expects()))?;
        if text.contains("%(") {
            return PythonFormat::new(text).map(Self::Python);
        }
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(reject_name(text, &["auto", "human", "json", "%(message)s"])),
        }
    }

    fn show(&self) -> Value {
        Value::from(self.to_string())
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": ["auto", "human", "json", PythonFormat::GNAR] })
    }
}
