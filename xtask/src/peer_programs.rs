//! Shared code of `cargo xtask python` and `cargo xtask node`: a folder per peer program, chosen on
//! the command line, or all of them.

use std::fs;
use std::process::ExitCode;

use crate::command::{self, Result};

/// The argument that stands for all that the gate needs.
pub const FOR_GATE: &str = "--for-gate";

/// A kind of peer programs.
pub struct PeerPrograms {
    /// Help text of the command.
    pub help: &'static str,
    /// Parent folder.
    pub sources: &'static str,
    /// File in each folder that lists its packages.
    pub list: &'static str,
    /// Folders that only `cargo xtask chaos` needs.
    pub long: &'static [&'static str],
    /// Installs the folders of these names that are not up to date.
    pub make: fn(&[String]) -> Result<()>,
}

impl PeerPrograms {
    /// Runs the command: installs the named folders, or all.
    pub fn main(&self, args: &[String]) -> Result<ExitCode> {
        if args.iter().any(|arg| arg == "-h" || arg == "--help") {
            print!("{}", self.help);
            return Ok(ExitCode::SUCCESS);
        }
        if args == [FOR_GATE] {
            self.all()?;
            return Ok(ExitCode::SUCCESS);
        }
        let known = self.names()?;
        if let Some(other) = args.iter().find(|arg| !known.contains(arg)) {
            let known = known.join(", ");
            return Err(format!("no `{}/{other}`; there are {known}", self.sources).into());
        }
        (self.make)(if args.is_empty() { &known } else { args })?;
        Ok(ExitCode::SUCCESS)
    }

    /// Installs all that the gate needs.
    pub fn all(&self) -> Result<()> {
        let mut names = self.names()?;
        names.retain(|name| !self.long.contains(&name.as_str()));
        (self.make)(&names)
    }

    /// Returns the names of the existing folders.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = fs::read_dir(command::root().join(self.sources))?
            .flatten()
            .filter(|entry| entry.path().join(self.list).is_file())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        Ok(names)
    }
}
