//! The secret of development, when nobody has set one: made once and kept in the data folder, so that
//! tokens outlive a restart.

use crate::secrets::remember_secret;
use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use secrecy::SecretString;
use tempfile::NamedTempFile;
use tracing::info;

const FILE: &str = "jwt.secret";

/// The secret kept in `folder`, made if there is none. The file is the owner's alone.
pub(super) fn load_or_create(folder: &Path) -> io::Result<SecretString> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join(FILE);
    info!(
        "No jwt.secret_key is set: tokens are signed with development's own, in {}",
        path.display()
    );
    if !path.exists() {
        // Two services may begin at once: the file appears whole, and the first one stays.
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
