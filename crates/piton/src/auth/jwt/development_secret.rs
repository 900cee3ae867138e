//! The secret of development, if none is set: created once and stored in the data folder, so that tokens
//! survive a restart.

use crate::secrets::remember_secret;
use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use secrecy::SecretString;
use tempfile::NamedTempFile;
use tracing::info;

const FILE: &str = "jwt.secret";

/// Loads the secret from `folder`, or creates it. Only the owner can read the file.
pub(super) fn load_or_create(folder: &Path) -> io::Result<SecretString> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join(FILE);
    info!(
        "No jwt.secret_key is set: tokens are signed with the secret for development in {}",
        path.display()
    );
    if !path.exists() {
        // Written to a temporary file first, because two services may start at the same time: the file
        // appears complete, and the first one remains.
        let mut file = NamedTempFile::new_in(folder)?;
        let (a, b) = (uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        write!(file, "{a}{b}")?;
        match file.persist_noclobber(&path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error.error);
            }
            _ => {}
        }
    }
    let secret = SecretString::from(std::fs::read_to_string(&path)?);
    remember_secret(&secret);
    Ok(secret)
}
