//! What `cargo xtask python` and `cargo xtask node` have in common: a folder for each peer, named on the
//! command line or all of them.

use std::fs;
use std::process::ExitCode;

use crate::run::{self, Result};

/// Where a kind of peers is listed.
pub struct Peers {
    /// What the command says of itself.
    pub help: &'static str,
    /// The folder of the folders.
    pub sources: &'static str,
    /// The file by which each of them says what it needs.
    pub list: &'static str,
    /// The folders that no test of the gate needs: `cargo xtask chaos` makes them.
    pub long: &'static [&'static str],
    /// Makes those of these names that are not as their lists say.
    pub make: fn(&[String]) -> Result<()>,
}

impl Peers {
    /// The command: makes those that are named, or all.
    pub fn main(&self, args: &[String]) -> Result<ExitCode> {
        if args.iter().any(|arg| arg == "-h" || arg == "--help") {
            print!("{}", self.help);
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

    /// Makes all that the gate needs.
    pub fn all(&self) -> Result<()> {
        let mut names = self.names()?;
        names.retain(|name| !self.long.contains(&name.as_str()));
        (self.make)(&names)
    }

    /// Makes all that only long suites need.
    pub fn long(&self) -> Result<()> {
        let names: Vec<String> = self.long.iter().map(|name| (*name).to_owned()).collect();
        if names.is_empty() { Ok(()) } else { (self.make)(&names) }
    }

    /// The names of the folders there are.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = fs::read_dir(run::root().join(self.sources))?
            .flatten()
            .filter(|entry| entry.path().join(self.list).is_file())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        Ok(names)
    }
}
