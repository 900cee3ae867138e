//! How long a developer waits: for the first build, and for the one after an edit.
//!
//! Both are done on copies, so that no file of the repository is edited, with a target
//! folder of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::contender::Contender;
use super::median;
use super::server::scratch;
use crate::run::{Cmd, Result, root, say};

const CLEAN_ROUNDS: usize = 3;
const EDIT_ROUNDS: usize = 5;
/// What the edits change; it stands in the source of every contender.
const EDITED: &str = "Hello, world!";

/// Seconds, for each contender.
pub struct Builds {
    /// The fastest of the rounds: whatever else happens on the machine only ever adds to it.
    pub clean: [f64; 2],
    /// The median of the rounds.
    pub edit: [f64; 2],
}

/// Builds both contenders for debug from nothing, and again after an edit of the handler.
///
/// # Errors
/// When one does not compile.
pub fn measure(contenders: &[Contender; 2]) -> Result<Builds> {
    let copies = [Copy::of(&contenders[0])?, Copy::of(&contenders[1])?];
    let mut clean = [Vec::new(), Vec::new()];
    let mut edit = [Vec::new(), Vec::new()];
    for round in 1..=CLEAN_ROUNDS {
        for (which, copy) in copies.iter().enumerate() {
            copy.forget()?;
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
    copies.iter().try_for_each(Copy::forget)?;
    Ok(Builds {
        clean: clean.map(|all| all.into_iter().fold(f64::INFINITY, f64::min)),
        edit: edit.map(|all| median(&all)),
    })
}

/// A copy of a contender's package that may be edited.
struct Copy {
    package: &'static str,
    dir: PathBuf,
    source: String,
}

impl Copy {
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
        // What comes from the network is not timed.
        Cmd::new("cargo fetch --quiet").dir(&dir).run()?;
        Ok(Self { package: contender.package, dir, source })
    }

    fn forget(&self) -> Result<()> {
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
        // Out of sight: the time to print belongs to nobody.
        command.read()?;
        Ok(start.elapsed().as_secs_f64())
    }
}

// The copy lies in another folder: `../../crates/piton` must still be what it was.
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
