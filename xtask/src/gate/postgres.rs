//! The PostgreSQL server that the tests share: a program of `crates/test-support`, which stops when its input ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::gate_cargo;
use crate::run::{Result, root};

/// What must be there. Debian keeps it out of the path.
pub const PROGRAM: &str = "/usr/lib/postgresql/15/bin/postgres";

/// A running server. Dropped, it is stopped.
pub struct Server {
    child: Child,
    input: Option<ChildStdin>,
    url: String,
}

impl Server {
    /// Builds the program, starts it, and waits for the server's address.
    ///
    /// # Errors
    /// When it cannot be built or does not start.
    pub fn start() -> Result<Self> {
        // With the tests' own features, so that nothing is built twice.
        gate_cargo("cargo build --quiet --workspace --all-features --bins").run()?;
        let mut child = Command::new(root().join("target/debug/test-postgres"))
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

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends by itself then; there is nobody to tell if it does not.
        let _ = self.child.wait();
    }
}
