//! The result of parsing a configuration file, whatever its format.

use serde_json::{Map, Value};

/// A syntax error. It never has the text of the line, because that may be a secret.
pub(crate) struct FileSyntaxError {
    pub line: Option<usize>,
    pub why: String,
}

/// The keys of a table, in the order of the file.
pub(crate) type FileFields = Vec<FileField>;

/// A key of a file, with its line (counted from 1) and its value.
pub(crate) struct FileField {
    pub key: String,
    pub line: Option<usize>,
    pub node: FileNode,
}

/// The value of a key.
pub(crate) enum FileNode {
    Value(Value),
    Table(FileFields),
}

impl FileNode {
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Table(fields) => {
                let field = |field: &FileField| (field.key.clone(), field.node.to_value());
                Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
            }
        }
    }
}

/// Returns the line of a position in a text, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}
