//! Values that stand in a file of their own, as Docker and Kubernetes hand out secrets:
//! `PITON_DB_PASSWORD_FILE=/run/secrets/db` beside `PITON_DB_PASSWORD=..`.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use serde_json::Value;

use super::Given;
use super::problem::{Origin, Problem};

/// More is no secret but the wrong file.
const LARGEST_BYTES: u64 = 64 * 1024;

/// The content of the file that a variable names, without the line end behind it.
pub(super) fn read(key: &str, path: &Value, named_by: &Origin) -> Result<Given, Box<Problem>> {
    let path = PathBuf::from(path.as_str().unwrap_or_default());
    let variable = named_by.variable().unwrap_or_default();
    match File::open(&path).map_err(Trouble::Unreadable).and_then(text) {
        Ok(text) => {
            let origin = Origin::ValueFile { path, named_by: Box::new(named_by.clone()) };
            Ok(Given { value: Value::from(text), origin })
        }
        Err(trouble) => {
            let why = format!("{variable} names the file {}, which {trouble}", path.display());
            let problem = Problem::new(key, why, format!("{}, or unset {variable}", trouble.fix()));
            Err(problem.at(named_by.clone()).into())
        }
    }
}

/// Why a file holds no value. It is said after the file's name.
pub(crate) enum Trouble {
    Unreadable(io::Error),
    TooLarge,
    NotText,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::TooLarge => f.write_str("is larger than 64KiB"),
            // Not the error's own words: they are no help, and the bytes are nobody's business.
            Self::NotText => f.write_str("is not UTF-8 text"),
        }
    }
}

impl Trouble {
    fn fix(&self) -> &'static str {
        match self {
            Self::Unreadable(error) => match error.kind() {
                io::ErrorKind::NotFound => "make the file",
                io::ErrorKind::PermissionDenied => "let the service's user read it",
                _ => "name a file that can be read",
            },
            Self::TooLarge => "name a file with the value alone",
            Self::NotText => "write the value as UTF-8 text",
        }
    }
}

/// The content of a file, without the line end behind it.
pub(crate) fn text(file: File) -> Result<String, Trouble> {
    let mut bytes = Vec::new();
    file.take(LARGEST_BYTES + 1).read_to_end(&mut bytes).map_err(Trouble::Unreadable)?;
    if bytes.len() as u64 > LARGEST_BYTES {
        return Err(Trouble::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| Trouble::NotText)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
