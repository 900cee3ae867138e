//! Secrets in files of their own, as Docker and Kubernetes mount them: `/run/secrets/db`.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

/// Maximum size of a secret. A larger file is the wrong one.
const MAX_BYTES: u64 = 64 * 1024;

/// The reason why a file has no value, as a text that follows the name of the file.
pub(crate) enum SecretFileError {
    Unreadable(io::Error),
    TooLarge,
    NotText,
}

impl fmt::Display for SecretFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::TooLarge => f.write_str("is larger than 64KiB"),
            // Not the message of the UTF-8 error, because it quotes bytes, which may be secret.
            Self::NotText => f.write_str("is not UTF-8 text"),
        }
    }
}

/// Reads the content of a file, without the line end after it.
pub(crate) fn read_secret_file(file: File) -> Result<String, SecretFileError> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(SecretFileError::Unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SecretFileError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretFileError::NotText)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
