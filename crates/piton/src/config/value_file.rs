//! Values that stand in a file of their own, as Docker and Kubernetes hand out secrets:
//! `PITON_DB_PASSWORD_FILE=/run/secrets/db` beside `PITON_DB_PASSWORD=..`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Given;
use super::problem::{Origin, Problem};

/// More is no secret but the wrong file.
const LARGEST_BYTES: u64 = 64 * 1024;

/// The content of the file that a variable names, without the line end behind it.
pub(crate) fn read(key: &str, path: &Value, named_by: &Origin) -> Result<Given, Box<Problem>> {
    let path = PathBuf::from(path.as_str().unwrap_or_default());
    let variable = named_by.variable().unwrap_or_default();
    match content(&path) {
        Ok(text) => {
            let text = text.strip_suffix('\n').unwrap_or(&text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            let origin = Origin::ValueFile { path, named_by: Box::new(named_by.clone()) };
            Ok(Given { value: Value::from(text), origin })
        }
        Err((why, fix)) => {
            let why = format!("{variable} names the file {}, which {why}", path.display());
            let problem = Problem::new(key, why, format!("{fix}, or unset {variable}"));
            Err(problem.at(named_by.clone()).into())
        }
    }
}

type Refusal = (String, &'static str);

fn content(path: &Path) -> Result<String, Refusal> {
    let unreadable = |error: io::Error| {
        let fix = match error.kind() {
            io::ErrorKind::NotFound => "make the file",
            io::ErrorKind::PermissionDenied => "let the service's user read it",
            _ => "name a file that can be read",
        };
        (format!("cannot be read: {error}"), fix)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_BYTES {
        return Err(("is larger than 64KiB".to_owned(), "name a file with the value alone"));
    }
    // Not the error's own words: they are no help, and the bytes are nobody's business.
    String::from_utf8(bytes)
        .map_err(|_| ("is not UTF-8 text".to_owned(), "write the value as UTF-8 text"))
}
