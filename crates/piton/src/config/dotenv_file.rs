//! `.env` files: reads one from the disk, and reports what cannot be read.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;

use super::dotenv_syntax::{DotenvLine, MAX_BYTES, MalformedLine, decode, parse};
use super::origin::Origin;
use super::setting_problem::{Problem, Problems};

/// A `.env` file, parsed.
pub(super) struct DotenvFile<'a> {
    pub path: &'a Path,
    pub lines: Vec<DotenvLine>,
}

impl<'a> DotenvFile<'a> {
    /// Reads a file; an absent one has no lines. `environment` has the values for `${NAME}`.
    pub fn read(
        path: &'a Path,
        environment: &HashMap<&str, &str>,
        problems: &mut Problems,
    ) -> Self {
        let text = match text_of(path) {
            Ok(text) => text,
            Err(problem) => {
                problems.push(*problem);
                String::new()
            }
        };
        let (lines, malformed) = parse(&text, environment);
        for MalformedLine { line, why } in malformed {
            let fix = "write `NAME=value`, or `# comment`";
            problems.push(Problem::in_file(path, Some(line), why, fix));
        }
        Self { path, lines }
    }

    /// Returns the origin of the value in a line.
    pub fn origin(&self, line: &DotenvLine) -> Origin {
        Origin::DotEnv {
            path: self.path.to_owned(),
            line: line.line,
            variable: line.variable.clone(),
        }
    }
}

/// Returns the text of a `.env` file, or an empty text if it does not exist or is a folder.
fn text_of(path: &Path) -> Result<String, Box<Problem>> {
    use std::io::ErrorKind;

    let problem = |line, why: String, fix| Box::new(Problem::in_file(path, line, why, fix));
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    match read {
        // No problem, because a folder of this name is often a virtual environment of Python.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
            return Ok(String::new());
        }
        Err(error) => {
            let why = format!("cannot be read: {error}");
            return Err(problem(None, why, "make it readable, or remove it"));
        }
        Ok(length) if length > MAX_BYTES => {
            return Err(problem(
                None,
                "larger than 4MiB".into(),
                "a `.env` has a line for each variable",
            ));
        }
        Ok(_) => {}
    }
    decode(bytes).map_err(|(line, why, fix)| problem(Some(line), why, fix))
}
