//! Installs the peer programs in Python and for Node while other stages run, because their installation waits mostly
//! for the network: next to a build they took 14 minutes on a new machine.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Mutex;

use crate::bench::killed_with_parent;
use crate::command::{Result, root, say};
use crate::peer_programs::FOR_GATE;

/// The commands of this program that install them.
const COMMANDS: [&str; 2] = ["python", "node"];

static RUNNING: Mutex<Vec<Installation>> = Mutex::new(Vec::new());

/// A running installation.
struct Installation {
    command: &'static str,
    child: Child,
    log: PathBuf,
}

/// Starts both installations, with their output in `target/peers-*.log`.
///
/// # Errors
/// When one cannot be started.
pub fn start() -> Result<()> {
    let started = COMMANDS.into_iter().map(Installation::start).collect::<Result<_>>()?;
    *RUNNING.lock().expect("no thread panics with it") = started;
    Ok(())
}

/// Waits until both are done. Starts them if that was not done yet.
///
/// # Errors
/// When one has failed; the message is its output.
pub fn wait() -> Result<()> {
    if RUNNING.lock().expect("no thread panics with it").is_empty() {
        start()?;
    }
    let running = std::mem::take(&mut *RUNNING.lock().expect("no thread panics with it"));
    running.into_iter().try_for_each(Installation::wait)
}

impl Installation {
    fn start(command: &'static str) -> Result<Self> {
        let folder = root().join("target");
        fs::create_dir_all(&folder)?;
        let log = folder.join(format!("peers-{command}.log"));
        let output = File::create(&log)?;
        say(&format!("$ cargo xtask {command} {FOR_GATE} > {} &", log.display()));
        let program = std::env::current_exe()?.display().to_string();
        let child = killed_with_parent(&[program, command.to_owned(), FOR_GATE.to_owned()])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        Ok(Self { command, child, log })
    }

    fn wait(mut self) -> Result<()> {
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        let output = fs::read_to_string(&self.log).unwrap_or_default();
        Err(format!("`cargo xtask {}` ended with {status}\n{}", self.command, output.trim_end())
            .into())
    }
}
