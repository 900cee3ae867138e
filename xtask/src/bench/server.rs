//! Starts a contender, and stops it with this process.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;
use super::contender::Contender;
use crate::command::{Cmd, Result, pause, root};

/// Maximum time until the first response. Long, because a server is slow under valgrind.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum time to exit after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// Interval between two connection attempts.
const POLL_INTERVAL: Duration = Duration::from_micros(500);

/// Processor reserved for the measured server.
pub const SERVER_CORE: &str = "0";
/// Processor of the load generator.
pub const LOAD_CORE: &str = "1";

/// A running server. Killed when dropped.
pub struct BenchServer {
    child: Child,
    pub port: u16,
    name: &'static str,
}

impl BenchServer {
    /// Starts the contender with a prefix such as `taskset --cpu-list 0`, and waits for its first
    /// response.
    ///
    /// # Errors
    /// When it cannot be started, exits early, or does not respond.
    pub fn start(contender: &Contender, prefix: &[String]) -> Result<Self> {
        let mut server = Self::launch(contender, prefix)?;
        server.wait_until_ready(responds)?;
        Ok(server)
    }

    /// Starts the contender as [`BenchServer::start`] does, and waits until it accepts connections.
    ///
    /// # Errors
    /// When it cannot be started, exits early, or does not listen.
    pub fn start_listening(contender: &Contender, prefix: &[String]) -> Result<Self> {
        let mut server = Self::launch(contender, prefix)?;
        server.wait_until_ready(|port| Ok(TcpStream::connect(("127.0.0.1", port)).is_ok()))?;
        Ok(server)
    }

    fn launch(contender: &Contender, prefix: &[String]) -> Result<Self> {
        let port = free_port()?;
        let mut command = killed_with_parent(prefix);
        command.arg(contender.program()).args(contender.arguments(port));
        Self::spawn(contender, command, port)
    }

    /// Starts the contender without a prefix, and returns the time until its first response.
    ///
    /// # Errors
    /// As [`BenchServer::start`].
    pub fn time(contender: &Contender) -> Result<Duration> {
        let port = free_port()?;
        let mut command = Command::new(contender.program());
        command.args(contender.arguments(port));
        let start = Instant::now();
        let mut server = Self::spawn(contender, command, port)?;
        server.wait_until_ready(responds)?;
        Ok(start.elapsed())
    }

    fn spawn(contender: &Contender, mut command: Command, port: u16) -> Result<Self> {
        // In a folder of its own, so that no `.env` and no config file of the caller reaches the
        // server.
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

    fn wait_until_ready(&mut self, is_ready: impl Fn(u16) -> Result<bool>) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < READY_TIMEOUT {
            if is_ready(self.port)? {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{}'s server ended with {status}", self.name).into());
            }
            pause(POLL_INTERVAL);
        }
        Err(format!("{}'s server did not answer within {} s", self.name, READY_TIMEOUT.as_secs())
            .into())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops the server by SIGTERM, and waits for its exit.
    ///
    /// # Errors
    /// When it does not exit; it is killed then.
    pub fn stop(mut self) -> Result<()> {
        Cmd::new("sh -c").arg(format!("kill -TERM {}", self.pid())).read()?;
        let start = Instant::now();
        while start.elapsed() < STOP_TIMEOUT {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            pause(Duration::from_millis(5));
        }
        Err(format!("{}'s server did not end after SIGTERM", self.name).into())
    }
}

impl Drop for BenchServer {
    fn drop(&mut self) {
        // Errors are ignored, because both fail only after its exit.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns whether the server accepts connections. Fails if it does not respond then.
fn responds(port: u16) -> Result<bool> {
    let Ok(mut client) = Client::connect(port) else { return Ok(false) };
    client.get("/")?;
    Ok(true)
}

/// Returns a command that the kernel kills when this process ends, because with Ctrl-C no guard is
/// dropped. It replaces itself by `words` and the added arguments, so that the process id stays.
pub fn killed_with_parent(words: &[String]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).args(words);
    command
}

/// Returns the words that pin a command to a processor. Empty on a machine with only one.
pub fn pinned(core: &str) -> Vec<String> {
    let many = std::thread::available_parallelism().is_ok_and(|count| count.get() > 1);
    if many { ["taskset", "--cpu-list", core].map(str::to_owned).to_vec() } else { Vec::new() }
}

/// Creates a folder in `target/` for files of a measurement.
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
