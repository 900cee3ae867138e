//! Finds files below a folder by paths that clients have sent, and no others.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::accept_encoding::StoredCoding;
use super::representation::Representation;

/// A path below a folder, of which no segment leads elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SafePath(String);

impl SafePath {
    /// Decodes a path of a URL, without its first `/`. Returns `None` for one that no file of the folder has: with
    /// `.`, `..`, empty or hidden segments, or characters that mean something else to some system. Hidden are names
    /// that begin with `.`, such as `.git` and `.env`, except `.well-known` (RFC 8615).
    pub fn decode(path: &str) -> Option<Self> {
        let mut segments = Vec::new();
        for segment in path.split('/') {
            let decoded = percent_decode_str(segment).decode_utf8().ok()?;
            let is_hidden = decoded.starts_with('.') && decoded != ".well-known";
            // Refused once decoded, because `%2e%2e`, `%2f` and `%00` are the same to a file system.
            let is_foreign = decoded
                .contains(|letter: char| matches!(letter, '/' | '\\' | ':') || letter.is_control());
            if decoded.is_empty() || is_hidden || is_foreign {
                return None;
            }
            segments.push(decoded.into_owned());
        }
        Some(Self(segments.join("/")))
    }

    /// Returns the path of the folder itself.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// Returns the path with another segment.
    pub fn join(&self, name: &str) -> Self {
        if self.0.is_empty() { Self(name.to_owned()) } else { Self(format!("{}/{name}", self.0)) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A file of the folder, or its precompressed sibling.
#[derive(Debug)]
pub(super) struct FoundFile {
    pub representation: Representation,
    pub coding: Option<StoredCoding>,
    /// Set if the file has precompressed siblings, so that the response depends on `Accept-Encoding`.
    pub varies: bool,
}

/// The result of a search in a folder.
#[derive(Debug)]
pub(super) enum FileLookup {
    File(FoundFile),
    Folder,
    Nothing,
}

/// Finds the file at `path` below `root`, which is canonical. Blocks.
///
/// # Errors
/// The file cannot be read, other than because it is not there.
pub(super) fn find(
    root: &Path,
    path: &SafePath,
    accepted: &[StoredCoding],
) -> io::Result<FileLookup> {
    let Some(whole) = resolve(root, path.as_str())? else { return Ok(FileLookup::Nothing) };
    if whole.is_dir() {
        return Ok(FileLookup::Folder);
    }
    let Some(plain) = open(&whole, "")? else { return Ok(FileLookup::Nothing) };
    let mut siblings = Vec::new();
    for coding in StoredCoding::ALL {
        let name = format!("{}{}", path.as_str(), coding.suffix());
        if let Some(sibling) = resolve(root, &name)? {
            siblings.push((coding, sibling));
        }
    }
    for coding in accepted {
        let sibling = siblings.iter().find(|(known, _)| known == coding);
        if let Some((coding, path)) = sibling
            && let Some(representation) = open(path, &format!("-{}", coding.name()))?
        {
            return Ok(FileLookup::File(FoundFile {
                representation,
                coding: Some(*coding),
                varies: true,
            }));
        }
    }
    Ok(FileLookup::File(FoundFile {
        representation: plain,
        coding: None,
        varies: !siblings.is_empty(),
    }))
}

/// Returns the canonical path, if there is something and it lies in the folder. A symbolic link may lead elsewhere in
/// the folder, as in those that Kubernetes mounts, and not out of it.
fn resolve(root: &Path, path: &str) -> io::Result<Option<PathBuf>> {
    match root.join(path).canonicalize() {
        Ok(whole) => Ok(whole.starts_with(root).then_some(whole)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether the error means that there is no such file: also where a folder of its path is a file, a name is too
/// long, or links lead in a circle.
fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    let is_loop = error.raw_os_error() == Some(libc::ELOOP);
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename | PermissionDenied) || is_loop
}

/// Opens a regular file. Returns `None` for anything else, and for one that is gone or that the service may not read.
fn open(path: &Path, variant: &str) -> io::Result<Option<Representation>> {
    let opened = || {
        if !std::fs::metadata(path)?.is_file() {
            return Ok(None);
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Some(Representation::of_file(file, &metadata, variant)))
    };
    match opened() {
        Err(error) if is_absence(&error) => Ok(None),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_out_or_to_something_hidden_is_none() {
        for path in [
            "..",
            "../x",
            "a/../b",
            "%2e%2e/x",
            "%2E%2e",
            ".%2e",
            "a/.",
            ".env",
            "a/.git/config",
            "%2eenv",
            "a%2f..%2fb",
            "a%2fb",
            "a\\b",
            "a%5cb",
            "c:x",
            "a%00.txt",
            "a%0a",
            "",
            "a//b",
            "a/",
            "/a",
            "%ff",
        ] {
            assert_eq!(SafePath::decode(path), None, "{path}");
        }
        for (path, expected) in [
            ("a.txt", "a.txt"),
            ("a/b%20c.txt", "a/b c.txt"),
            ("%C3%A4", "ä"),
            (".well-known/security.txt", ".well-known/security.txt"),
            ("a..b/..c".trim_end_matches("/..c"), "a..b"),
            ("%252e%252e", "%2e%2e"),
        ] {
            assert_eq!(SafePath::decode(path).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn links_within_the_folder_are_followed_and_links_out_of_it_are_not() {
        let base = tempfile::tempdir().unwrap();
        let root = base.path().canonicalize().unwrap().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(base.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("a.txt"), "a").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, root.join(name)).unwrap();
        link("a.txt", "inside");
        link("../secret", "outside");
        link("/etc/passwd", "passwd");
        link("circle", "circle");
        link("..", "up");
        let found = |path: &str| {
            let path = SafePath::decode(path).unwrap();
            matches!(find(&root, &path, &[]).unwrap(), FileLookup::File(_))
        };
        assert!(found("a.txt") && found("inside"));
        for path in ["outside", "passwd", "circle", "up/secret", "a.txt/b", "none"] {
            assert!(!found(path), "{path}");
        }
        assert!(!found(&"x".repeat(5000)));
    }
}
