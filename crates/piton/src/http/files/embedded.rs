//! Files in the program itself, put there by `piton::embed!`.

use bytes::Bytes;

use super::representation::Representation;
use crate::http::extract::entity_tag::ETag;

/// The files of a folder, embedded by [`piton::embed!`](crate::embed!).
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedFiles {
    /// The files, in the order of their paths.
    pub files: &'static [EmbeddedFile],
}

/// A file in the program.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedFile {
    /// The path in the folder, with `/` between names.
    pub path: &'static str,
    /// The content.
    pub bytes: &'static [u8],
    /// A hash of the content, made when the program was compiled.
    pub hash: &'static str,
}

impl EmbeddedFiles {
    /// Returns the file at a path.
    pub(super) fn get(&self, path: &str) -> Option<&'static EmbeddedFile> {
        let at = self.files.binary_search_by(|file| file.path.cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Returns whether a path is that of a folder.
    pub(super) fn is_folder(&self, path: &str) -> bool {
        let prefix = format!("{path}/");
        let next = self.files.partition_point(|file| file.path < &*prefix);
        path.is_empty() || self.files.get(next).is_some_and(|file| file.path.starts_with(&prefix))
    }
}

impl EmbeddedFile {
    pub(super) fn representation(&self) -> Representation {
        Representation {
            etag: Some(ETag::strong(self.hash)),
            ..Representation::of_bytes(Bytes::from_static(self.bytes))
        }
    }
}
