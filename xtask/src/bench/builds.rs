//! Measures build times: of the first build, and of a rebuild after an edit.
//!
//! Measured on copies with a target folder of their own, so that no file of the repository is
//! edited.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::contender::Contender;
use super::median;
use super::server::scratch;
use crate::command::{Cmd, Result, root, say};

const CLEAN_ROUNDS: usize = 3;
const EDIT_ROUNDS: usize = 5;
/// Text that the edits change. Part of every contender's source.
const EDITED: &str = "Hello, world!";

/// Build times in seconds, for each contender.
pub struct Builds {
    /// Fastest round, because other work on the machine only adds to it.
    pub clean: [f64; 2],
    /// Median of the rounds.
    pub edit: [f64; 2],
}

/// Builds both contenders from scratch (debug), and again after an edit of the handler.
///
/// # Errors
/// When one does not compile.
pub fn measure(contenders: &[Contender; 2]) -> Result<Builds> {
    let copies = [EditableCopy::of(&contenders[0])?, EditableCopy::of(&contenders[1])?];
    let mut clean = [Vec::new(), Vec::new()];
    let mut edit = [Vec::new(), Vec::new()];
    for round in 1..=CLEAN_ROUNDS {
        for (which, copy) in copies.iter().enumerate() {
            copy.remove_target()?;
            let time = copy.build()?;
            say(&format!(
                "  {} from nothing, {round} of {CLEAN_ROUNDS}: {time:.1} s",
                copy.package
            ));
            clean[which].push(time);
        }
    }
    for round in 1..=EDIT_ROUNDS {
        for (which, copy) in copies.iter().enumerate() {
            copy.edit(round)?;
            edit[which].push(copy.build()?);
        }
    }
    copies.iter().try_for_each(EditableCopy::remove_target)?;
    Ok(Builds {
        clean: clean.map(|all| all.into_iter().fold(f64::INFINITY, f64::min)),
        edit: edit.map(|all| median(&all)),
    })
}

/// An editable copy of a contender's package.
struct EditableCopy {
    package: &'static str,
    dir: PathBuf,
    source: String,
}

impl EditableCopy {
    fn of(contender: &Contender) -> Result<Self> {
        let dir = scratch("builds")?.join(contender.package);
        fs::create_dir_all(dir.join("src"))?;
        let manifest = fs::read_to_string(contender.dir().join("Cargo.toml"))?;
        fs::write(dir.join("Cargo.toml"), from_elsewhere(&manifest, root()))?;
        fs::copy(contender.dir().join("Cargo.lock"), dir.join("Cargo.lock"))?;
        let source = fs::read_to_string(contender.dir().join("src/main.rs"))?;
        if !source.contains(EDITED) {
            return Err(format!("no `{EDITED}` to edit in {}", contender.package).into());
        }
        fs::write(dir.join("src/main.rs"), &source)?;
        // Fetched before, so that the network is not measured.
        Cmd::new("cargo fetch --quiet").dir(&dir).run()?;
        Ok(Self { package: contender.package, dir, source })
    }

    fn remove_target(&self) -> Result<()> {
        match fs::remove_dir_all(self.dir.join("target")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn edit(&self, round: usize) -> Result<()> {
        let edited = self.source.replace(EDITED, &format!("Hello, world {round}!"));
        Ok(fs::write(self.dir.join("src/main.rs"), edited)?)
    }

    fn build(&self) -> Result<f64> {
        let command = Cmd::new("cargo build --offline --target-dir target").dir(&self.dir);
        let start = Instant::now();
        // Silent, so that printing is not measured.
        command.read()?;
        Ok(start.elapsed().as_secs_f64())
    }
}

// Replaced, because `../../crates/piton` would not resolve in the copy's folder.
fn from_elsewhere(manifest: &str, root: &Path) -> String {
    manifest.replace("\"../../", &format!("\"{}/", root.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_manifest_still_finds_piton() {
        let manifest = r#"piton = { path = "../../crates/piton" }"#;
        let copy = from_elsewhere(manifest, Path::new("/work/main"));
        assert_eq!(copy, r#"piton = { path = "/work/main/crates/piton" }"#);
    }
}
