//! `cargo xtask python`: installs the Python programs that Piton is compared with, each in a venv
//! of its own.
//!
//! Each folder of `e2e/python` lists all its packages in `requirements.txt`, with versions. A venv
//! is made once; its stamp is a copy of that list, so that a changed list makes another. A folder
//! with `sdists.txt` also gets the sources listed there, with hashes, unpacked into `sdists` of its
//! venv: test suites that run here unchanged and are not copied into this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use crate::command::{self, Cmd, Result};
use crate::install;
use crate::peer_programs::PeerPrograms;

const HELP: &str = "\
Installs the Python programs that Piton is compared with.

Usage: cargo xtask python [--for-gate | NAME...]

Makes `target/python/NAME` for each folder of `e2e/python`, or for the named ones. Folders that match
their `requirements.txt` are left alone.

  --for-gate      only those that the gate needs
";

/// Folder of the lists and scripts.
const SOURCES: &str = "e2e/python";

/// Candidates in order; the first that can make a venv and compile is used. Gnar Gear's Flask does
/// not run on 3.14.
const INTERPRETERS: [&str; 5] =
    ["python3.11", "python3.12", "python3.13", "python3", "/usr/bin/python3"];

/// Checks an interpreter: its version, and the contents of Debian's `python3-venv` and
/// `python3-dev`.
const USABLE: &str = "import ensurepip, os, sys, sysconfig, venv; \
    header = os.path.join(sysconfig.get_path('include'), 'Python.h'); \
    sys.exit(not (sys.version_info >= (3, 11) and os.path.exists(header)))";

const PEERS: PeerPrograms = PeerPrograms {
    help: HELP,
    sources: SOURCES,
    list: "requirements.txt",
    // Left to the long suites and to `bench`: one needs Java, another is large.
    long: &["celery_sql", "openapi_generator", "sslyze"],
    make,
};

/// `cargo xtask python`.
///
/// # Errors
/// On a name that has no folder, and when a venv cannot be made.
pub fn main(args: &[String]) -> Result<ExitCode> {
    PEERS.main(args)
}

/// Makes the venvs of all folders that are not as their lists say.
///
/// # Errors
/// When one cannot be made; the message is the command that failed.
pub fn all() -> Result<()> {
    PEERS.all()
}

/// Makes the venvs of these names, which a long suite needs.
///
/// # Errors
/// When one cannot be made; the message is the command that failed.
pub fn install(names: &[&str]) -> Result<()> {
    make(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
}

fn make(names: &[String]) -> Result<()> {
    let wanted: Vec<Venv> = names.iter().map(|name| Venv::of(name)).collect::<Result<_>>()?;
    let missing: Vec<&Venv> = wanted.iter().filter(|venv| !venv.is_made()).collect();
    if missing.is_empty() {
        eprintln!("python: {} up to date", names.join(", "));
        return Ok(());
    }
    let interpreter = interpreter()?;
    install::debian(&[("gcc", "gcc")])?;
    if !Path::new("/usr/include/ev.h").exists() {
        // Needed, because bjoern, Gnar Gear's server, is built from source.
        install::packages(&["libev-dev"])?;
    }
    missing.into_iter().try_for_each(|venv| venv.make(interpreter))
}

/// Returns an interpreter that can make a venv. Installs Debian's if there is none.
fn interpreter() -> Result<&'static str> {
    let usable =
        || INTERPRETERS.into_iter().find(|name| Cmd::new(name).arg("-c").arg(USABLE).works());
    if let Some(found) = usable() {
        return Ok(found);
    }
    install::packages(&["python3", "python3-venv", "python3-dev"])?;
    usable().ok_or_else(|| "no python3 of version 3.11 or newer, with its headers".into())
}

/// A folder of `e2e/python` and its venv.
struct Venv {
    name: String,
    list: PathBuf,
    requirements: String,
    /// List of sources to unpack: its path and its text.
    sdists: Option<(PathBuf, String)>,
    folder: PathBuf,
}

impl Venv {
    fn of(name: &str) -> Result<Self> {
        let list = command::root().join(SOURCES).join(name).join("requirements.txt");
        let requirements = fs::read_to_string(&list)?;
        let sdists = list.with_file_name("sdists.txt");
        let sdists = fs::read_to_string(&sdists).ok().map(|text| (sdists, text));
        // Not in CARGO_TARGET_DIR, because the tests search relative to the sources.
        let folder = command::root().join("target/python").join(name);
        Ok(Self { name: name.to_owned(), list, requirements, sdists, folder })
    }

    fn stamp(&self) -> PathBuf {
        self.folder.join("requirements.stamp")
    }

    /// Returns the text of all lists: the content of the stamp.
    fn listed(&self) -> String {
        let sdists = self.sdists.as_ref().map_or("", |(_, text)| text);
        self.requirements.clone() + sdists
    }

    fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    fn pip(&self, words: &str) -> Cmd {
        let line = format!("-m pip --disable-pip-version-check {words}");
        line.split(' ').fold(Cmd::new("").arg(self.python()), |command, word| command.arg(word))
    }

    /// Returns whether the venv is up to date. Also checks the interpreter, because one that was
    /// removed leaves a dangling link.
    fn is_made(&self) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|stamp| stamp == self.listed())
            && self.python().exists()
    }

    fn make(&self, interpreter: &str) -> Result<()> {
        eprintln!("python: making target/python/{}", self.name);
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        to_stderr(&Cmd::new(interpreter).arg("-m").arg("venv").arg(&self.folder))?;
        // Without dependencies, so that a package missing from the list fails here instead of being
        // fetched in some version.
        to_stderr(&self.pip("install --quiet --no-deps --requirement").arg(&self.list))?;
        to_stderr(&self.pip("check"))?;
        if let Some((list, _)) = &self.sdists {
            self.unpack(list)?;
        }
        fs::write(self.stamp(), self.listed())?;
        Ok(())
    }

    /// Downloads the sources of the list, compares their hashes, and unpacks them.
    fn unpack(&self, list: &Path) -> Result<()> {
        let folder = self.folder.join("sdists");
        let download =
            "download --quiet --no-deps --no-binary :all: --require-hashes --requirement";
        to_stderr(&self.pip(download).arg(list).arg("--dest").arg(&folder))?;
        for archive in fs::read_dir(&folder)?.flatten().map(|entry| entry.path()) {
            to_stderr(&Cmd::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&folder))?;
        }
        Ok(())
    }
}

/// Prints and runs the command, with its output on our stderr.
fn to_stderr(command: &Cmd) -> Result<()> {
    eprintln!("$ {command}");
    let status = command.std().stdin(Stdio::null()).stdout(std::io::stderr()).status();
    let status = status.map_err(|error| format!("start `{command}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{command}` ended with {status}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_does_not_exist_is_refused_with_those_that_do() {
        let error = main(&["ruby".to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with("no `e2e/python/ruby`; there are "), "{error}");
        assert!(error.contains(" gnar, "), "{error}");
    }

    #[test]
    fn every_version_is_pinned() {
        for name in PEERS.names().unwrap() {
            let requirements = Venv::of(&name).unwrap().requirements;
            for line in requirements.lines().filter(|line| !line.starts_with('#')) {
                assert!(line.contains("=="), "{name}: {line}");
            }
        }
    }
}
