//! `cargo xtask node`: installs the Node programs that check our output, each in a folder of its
//! own.
//!
//! Each folder of `e2e/node` lists its packages in `package.json` and `package-lock.json`, with
//! versions and checksums. A copy of the latter is the stamp of an installation.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::command::{self, Cmd, Result};
use crate::install;
use crate::peer_programs::PeerPrograms;

const HELP: &str = "\
Installs the Node programs that check Piton's output (Newman, a driver of Chromium, linters and clients
of OpenAPI documents), and the one that it is measured next to.

Usage: cargo xtask node [--for-gate | NAME...]

Makes `target/node/NAME` for each folder of `e2e/node`, or for the named ones. Folders that match their
`package-lock.json` are left alone.

  --for-gate      only those that the gate needs
";

/// Folder of the lists and scripts.
const SOURCES: &str = "e2e/node";

const PEERS: PeerPrograms = PeerPrograms {
    help: HELP,
    sources: SOURCES,
    list: "package-lock.json",
    // Left to `bench`: they bring a Node of their own.
    long: &["bullmq", "graphile"],
    make,
};

/// `cargo xtask node`.
///
/// # Errors
/// On a name that has no folder, and when npm fails.
pub fn main(args: &[String]) -> Result<ExitCode> {
    PEERS.main(args)
}

/// Installs the packages of all folders that are not installed yet.
///
/// # Errors
/// When one cannot be made; the message is the command that failed.
pub fn all() -> Result<()> {
    PEERS.all()
}

/// Installs the packages of these folders, which a measurement needs.
///
/// # Errors
/// When one cannot be made; the message is the command that failed.
pub fn install(names: &[&str]) -> Result<()> {
    make(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
}

fn make(names: &[String]) -> Result<()> {
    let wanted: Vec<Folder> = names.iter().map(|name| Folder::of(name)).collect::<Result<_>>()?;
    let missing: Vec<&Folder> = wanted.iter().filter(|folder| !folder.is_made()).collect();
    if missing.is_empty() {
        eprintln!("node: {} up to date", names.join(", "));
        return Ok(());
    }
    install::debian(&[("node", "nodejs"), ("npm", "npm")])?;
    missing.into_iter().try_for_each(Folder::make)
}

/// A folder of `e2e/node` and its installation.
struct Folder {
    name: String,
    source: PathBuf,
    lock: String,
    target: PathBuf,
}

impl Folder {
    fn of(name: &str) -> Result<Self> {
        let source = command::root().join(SOURCES).join(name);
        let lock = fs::read_to_string(source.join("package-lock.json"))?;
        // Not in CARGO_TARGET_DIR, because the tests search relative to the sources.
        let target = command::root().join("target/node").join(name);
        Ok(Self { name: name.to_owned(), source, lock, target })
    }

    fn stamp(&self) -> PathBuf {
        self.target.join("package-lock.stamp")
    }

    fn is_made(&self) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|stamp| stamp == self.lock)
    }

    fn make(&self) -> Result<()> {
        eprintln!("node: making target/node/{}", self.name);
        if self.target.exists() {
            fs::remove_dir_all(&self.target)?;
        }
        fs::create_dir_all(&self.target)?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(self.source.join(file), self.target.join(file))?;
        }
        // Without scripts, because no package that we use needs them, and a script is a way to
        // attack this machine.
        let npm = Cmd::new("npm ci --ignore-scripts --no-audit --no-fund --loglevel=error");
        npm.dir(&self.target).run()?;
        fs::write(self.stamp(), &self.lock)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_does_not_exist_is_refused_with_those_that_do() {
        let error = main(&["deno".to_owned()]).unwrap_err().to_string();
        // By name where it is enough: each folder that is added would end this test otherwise.
        let (refusal, folders) = error.split_once("; there are ").unwrap();
        assert_eq!(refusal, "no `e2e/node/deno`");
        assert!(folders.starts_with("browser, ") && folders.ends_with(", undici"), "{folders}");
    }

    #[test]
    fn every_version_is_pinned() {
        for name in PEERS.names().unwrap() {
            let list =
                fs::read_to_string(command::root().join(SOURCES).join(&name).join("package.json"));
            let list: serde_json::Value = serde_json::from_str(&list.unwrap()).unwrap();
            let optional = list["optionalDependencies"].as_object().into_iter().flatten();
            for (package, version) in
                list["dependencies"].as_object().unwrap().iter().chain(optional)
            {
                let version = version.as_str().unwrap();
                let plain = version.chars().all(|c| c.is_ascii_digit() || c == '.');
                assert!(plain, "{name}: {package} {version}");
            }
        }
    }
}
