//! Settings whose value is in a file of its own, as Docker and Kubernetes provide secrets:
//! `PITON_DB_PASSWORD_FILE=/run/secrets/db` instead of `PITON_DB_PASSWORD=..`.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use super::origin::Origin;
use super::raw_value::RawValue;
use super::setting_problem::Problem;
use crate::secrets::secret_file::{SecretFileError, read_secret_file};

/// Reads the file that a variable names.
///
/// # Errors
/// The file cannot be read, is larger than 64 KiB, or is not UTF-8 text.
pub(super) fn read(key: &str, path: &Value, named_by: &Origin) -> Result<RawValue, Box<Problem>> {
    let path = PathBuf::from(path.as_str().unwrap_or_default());
    let variable = named_by.variable().unwrap_or_default();
    match File::open(&path).map_err(SecretFileError::Unreadable).and_then(read_secret_file) {
        Ok(text) => {
            let origin = Origin::ValueFile { path, named_by: Box::new(named_by.clone()) };
            Ok(RawValue { value: Value::from(text), origin })
        }
        Err(error) => {
            let why = format!("{variable} names the file {}, which {error}", path.display());
            let fix = format!("{}, or unset {variable}", fix(&error));
            Err(Problem::new(key, why, fix).at(named_by.clone()).into())
        }
    }
}

fn fix(error: &SecretFileError) -> &'static str {
    match error {
        SecretFileError::Unreadable(error) => match error.kind() {
            io::ErrorKind::NotFound => "create the file",
            io::ErrorKind::PermissionDenied => "let the service's user read it",
            _ => "name a file that can be read",
        },
        SecretFileError::TooLarge => "name a file with the value alone",
        SecretFileError::NotText => "write the value as UTF-8 text",
    }
}
