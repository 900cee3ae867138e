//! Reads Rust sources as text: which modules a crate has, and which of them name each other.
//!
//! A reader of lines and patterns, not a compiler. It is quick, needs no build, and sees code behind feature gates that
//! are off; in exchange it misses paths that a macro puts together. Tests are left out, because a test may name
//! whatever it tests with: folders named `tests`, files named `tests.rs`, and everything from the first
//! `#[cfg(test)] mod … {` to the end of its file.

mod cycles;
mod references;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex_lite::Regex;

use crate::command::Result;
pub use cycles::cycles;
pub use references::{Reference, references};

/// Folders below a crate's `src` that hold no code of the crate.
const SKIPPED_FOLDERS: [&str; 3] = ["tests", "target", "testdata"];

/// One file of a crate, without its tests.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path of the file, as it was found: relative to the folder in which the command runs.
    pub path: PathBuf,
    /// Path of the module in the crate: `["http", "server"]`, and nothing for `lib.rs` and `main.rs`.
    pub module: Vec<String>,
    /// Text of the file up to its tests.
    pub text: String,
}

impl SourceFile {
    /// Returns the file or the folder in `src` to which the file belongs: `http`, or `launch_steps.rs`.
    pub fn top_level(&self, source_folder: &Path) -> String {
        let relative = self.path.strip_prefix(source_folder).unwrap_or(&self.path);
        let first = relative.components().next();
        first.map_or_else(String::new, |name| name.as_os_str().to_string_lossy().into_owned())
    }
}

/// Reads all files of a crate, sorted by path.
///
/// # Errors
/// When a folder or a file cannot be read.
pub fn read_crate(source_folder: &Path) -> Result<Vec<SourceFile>> {
    let mut paths = Vec::new();
    collect_files(source_folder, &mut paths)?;
    paths.sort();
    let read = |path: PathBuf| {
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let module = module_path(source_folder, &path);
        Ok(SourceFile { path, module, text: without_tests(&text).to_owned() })
    };
    paths.into_iter().map(read).collect()
}

fn collect_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                collect_files(&path, found)?;
            }
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
    Ok(())
}

fn module_path(source_folder: &Path, path: &Path) -> Vec<String> {
    let relative = path.strip_prefix(source_folder).unwrap_or(path).with_extension("");
    let mut parts: Vec<String> =
        relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

fn without_tests(text: &str) -> &str {
    static TESTS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"#\[cfg\(test\)\]\s*mod \w+ \{").expect("the pattern is written here")
    });
    TESTS.find(text).map_or(text, |found| &text[..found.start()])
}

/// Makes a crate of files that exist only in a test: `(path below src, text)`.
#[cfg(test)]
pub fn crate_of(files: &[(&str, &str)]) -> Vec<SourceFile> {
    let file = |(path, text): &(&str, &str)| {
        let path = Path::new("src").join(path);
        let module = module_path(Path::new("src"), &path);
        SourceFile { path, module, text: without_tests(text).to_owned() }
    };
    files.iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_module_is_its_path_without_mod_lib_and_main() {
        let module = |path: &str| module_path(Path::new("src"), &Path::new("src").join(path));
        assert_eq!(module("lib.rs"), [""; 0]);
        assert_eq!(module("http/mod.rs"), ["http"]);
        assert_eq!(module("http/server/stack.rs"), ["http", "server", "stack"]);
    }

    #[test]
    fn tests_at_the_end_of_a_file_are_left_out() {
        let files = crate_of(&[("a.rs", "struct A;\n#[cfg(test)]\nmod tests {\n struct B;\n}\n")]);
        assert_eq!(files[0].text, "struct A;\n");
    }
}
