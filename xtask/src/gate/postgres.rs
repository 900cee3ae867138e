//! The PostgreSQL server that the tests share: a program of `crates/test-support`, which stops when its input ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::gate_cargo;
use crate::command::{Result, root};

/// Path of the server. Debian keeps it out of `PATH`.
pub const PROGRAM: &str = "/usr/lib/postgresql/15/bin/postgres";

/// A running server. Stopped when dropped.
pub struct PostgresServer {
    child: Child,
    input: Option<ChildStdin>,
    url: String,
}

impl PostgresServer {
    /// Builds the program, starts it, and waits for the server's URL.
    ///
    /// # Errors
    /// When it cannot be built or does not start.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts a server as [`PostgresServer::start`] does, whose commits wait for the disk.
    ///
    /// # Errors
    /// When it cannot be built or does not start.
    pub fn start_durable() -> Result<Self> {
        Self::start_with(&["--durable"])
    }

    fn start_with(arguments: &[&str]) -> Result<Self> {
        // With the tests' own features, so that nothing is built twice.
        gate_cargo("cargo build --quiet --workspace --all-features --bins").run()?;
        let mut child = Command::new(root().join("target/debug/test-postgres"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("start target/debug/test-postgres: {error}"))?;
        let input = child.stdin.take();
        let mut url = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut url)?;
        }
        if url.trim().is_empty() {
            return Err(format!("postgres did not start: {}", child.wait()?).into());
        }
        Ok(Self { child, input, url: url.trim().to_owned() })
    }

    /// Returns the process whose descendants are the server's processes.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.input.take());
        // Errors are ignored, because it ends by itself when its input is closed.
        let _ = self.child.wait();
    }
}
