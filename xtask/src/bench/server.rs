//! Starts a contender and makes sure that it ends with us.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;
use super::contender::Contender;
use crate::run::{Cmd, Result, pause, root};

/// How long a server may take to answer for the first time; under valgrind it is slow.
const READY: Duration = Duration::from_secs(60);
/// How long a server may take to end after SIGTERM.
const STOPPED: Duration = Duration::from_secs(60);
/// Between two looks at whether it answers.
const LOOK: Duration = Duration::from_micros(500);

/// The processor that a measured server has for itself.
pub const SERVER_CORE: &str = "0";
/// The processor of what sends it requests.
pub const LOAD_CORE: &str = "1";

/// A running server. Dropped, it is killed.
pub struct Server {
    child: Child,
    pub port: u16,
    name: &'static str,
}

impl Server {
    /// Starts the contender behind a prefix such as `taskset --cpu-list 0`, and waits for its
    /// first answer.
    ///
    /// # Errors
    /// When it cannot be started, ends early, or does not answer.
    pub fn start(contender: &Contender, prefix: &[String]) -> Result<Self> {
        let port = free_port()?;
        let mut command = with_us(prefix);
        command.arg(contender.program()).args(contender.arguments(port));
        let mut server = Self::spawn(contender, command, port)?;
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Starts the contender with nothing between us and it, and says how long it took from
    /// there to its first answer.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn time(contender: &Contender) -> Result<Duration> {
        let port = free_port()?;
        let mut command = Command::new(contender.program());
        command.args(contender.arguments(port));
        let start = Instant::now();
        let mut server = Self::spawn(contender, command, port)?;
        server.wait_until_ready()?;
        Ok(start.elapsed())
    }

    fn spawn(contender: &Contender, mut command: Command, port: u16) -> Result<Self> {
        // A folder of its own: no `.env` and no config file of the caller's reaches the server.
        let dir = scratch("run")?;
        command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PITON_") {
                command.env_remove(name);
            }
        }
        command.envs(contender.variables.iter().map(|(name, value)| (name, value)));
        let name = contender.name;
        let child = command.spawn().map_err(|error| format!("start {name}'s server: {error}"))?;
        Ok(Self { child, port, name })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < READY {
            if let Ok(mut client) = Client::connect(self.port) {
                client.get("/")?;
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{}'s server ended with {status}", self.name).into());
            }
            pause(LOOK);
        }
        Err(format!("{}'s server did not answer within {} s", self.name, READY.as_secs()).into())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it does not end; it is killed then.
    pub fn stop(mut self) -> Result<()> {
        Cmd::new("sh -c").arg(format!("kill -TERM {}", self.pid())).read()?;
        let start = Instant::now();
        while start.elapsed() < STOPPED {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            pause(Duration::from_millis(5));
        }
        Err(format!("{}'s server did not end after SIGTERM", self.name).into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that the kernel kills when we die, however that happens: with Ctrl-C no guard
/// is dropped. It replaces itself by `words` and what is added, so the process id stays.
pub fn with_us(words: &[String]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).args(words);
    command
}

/// The words that pin what follows to a processor; none on a machine with only one.
pub fn pinned(core: &str) -> Vec<String> {
    let many = std::thread::available_parallelism().is_ok_and(|count| count.get() > 1);
    if many { ["taskset", "--cpu-list", core].map(str::to_owned).to_vec() } else { Vec::new() }
}

/// A folder in `target/` for what a measurement writes.
///
/// # Errors
/// When it cannot be made.
pub fn scratch(name: &str) -> Result<PathBuf> {
    let dir = root().join("target/xtask-bench").join(name);
    fs::create_dir_all(&dir).map_err(|error| format!("make {}: {error}", dir.display()))?;
    Ok(dir)
}

pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
