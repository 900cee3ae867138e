//! The section `[http.uploads]`: forms with files (feature `multipart`).

use std::io::ErrorKind;
use std::path::{Path, PathBuf, absolute};

use crate::Settings;
use crate::config::ByteSize;

/// Forms with files (`multipart/form-data`). The size of the whole body is limited by `http.body_limit`, or by
/// `#[limits(body = ..)]` of the route. Needs the feature `multipart`.
#[derive(Clone, Debug, Settings)]
pub struct UploadSettings {
    /// Maximum number of parts of a form: fields and files. Above it the client gets 413.
    /// **Default: `100`.**
    #[setting(min = 1, max = 100_000)]
    pub max_parts: u32,
    /// Maximum size of a part that is read into memory, unless the handler sets another; above it the client gets 413.
    /// Parts that are saved to a file have the limit of the body. **Default: `1MiB`.**
    #[setting(max = "1TiB")]
    pub field_limit: ByteSize,
    /// Folder for uploads until `Upload::persist` moves them. Choose one on the file system of their final paths, so that
    /// they need not be copied, and on a disk where `/tmp` is in memory. The launch is refused if no file can be created there.
    /// **Default: the system's folder for temporary files.**
    pub folder: Option<PathBuf>,
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self { max_parts: 100, field_limit: ByteSize::mib(1), folder: None }
    }
}

impl UploadSettings {
    /// Returns why uploads cannot be stored in `folder`, and the fix. Creates a file there for a moment.
    // A check of `[http]` and not of this section, which is read at each form.
    pub(crate) fn folder_problem(&self) -> Option<(String, String)> {
        folder_problem(self.folder.as_deref()?)
    }
}

fn folder_problem(folder: &Path) -> Option<(String, String)> {
    let shown = absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let shown = shown.display();
    let (why, fix) = match folder.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            (format!("there is no folder {shown}"), format!("create it: `mkdir -p {shown}`"))
        }
        Ok(found) if !found.is_dir() => {
            (format!("{shown} is not a folder"), "remove it".to_owned())
        }
        Err(error) => (format!("{shown} cannot be read: {error}"), give_access()),
        Ok(_) => {
            let error = tempfile::tempfile_in(folder).err()?;
            (format!("no file can be created in {shown}: {error}"), give_access())
        }
    };
    Some((why, format!("{fix}, or name another folder")))
}

fn give_access() -> String {
    "give the user of the service access to it".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_used_is_refused_with_its_absolute_path() {
        let folder = tempfile::tempdir().unwrap();
        let problem = |name: &str| folder_problem(&folder.path().join(name));
        assert_eq!(problem(""), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let shown = folder.path().display();
        let (why, fix) = problem("missing").unwrap();
        assert_eq!(why, format!("there is no folder {shown}/missing"));
        assert!(fix.contains(&format!("mkdir -p {shown}/missing")), "{fix}");
        std::fs::write(folder.path().join("file"), "").unwrap();
        let (why, _) = problem("file").unwrap();
        assert_eq!(why, format!("{shown}/file is not a folder"));
        let (why, _) = folder_problem(Path::new("no such folder")).unwrap();
        assert!(why.starts_with("there is no folder /"), "{why}");
    }
}
