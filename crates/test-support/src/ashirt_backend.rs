//! A stub of the ASHIRT backend, which verifies signatures as the real one does and records its
//! requests.

use serde_json::Value;

use crate::python::PythonServer;

/// Access key of the stub: that of ASHIRT's development seed, which is public.
pub const ACCESS_KEY: &str = "gR6nVtaQmp2SvzIqLUWdedDk";

/// Secret key that belongs to it.
pub const SECRET_KEY: &str =
    "WvtvxFaJS0mPs82nCzqamI+bOGXpq7EIQhg4UD8nxS5448XG9N0gNAceJGBLPdCA3kAzC4MdUSHnKCJ/lZD++A==";

/// A running stub. It has one operation, `op`, with evidence of each type (`ev-image`,
/// `ev-codeblock`, `ev-terminal`, `ev-har`, `ev-event`, `ev-none`). Stopped when dropped.
#[derive(Debug)]
pub struct StubBackend {
    peer: PythonServer,
}

impl StubBackend {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// If it does not start, or `cargo xtask python` has not been run.
    #[must_use]
    pub fn start() -> Self {
        Self::start_on(crate::free_port())
    }

    /// Starts one on a port that another program has to know before.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_on(port: u16) -> Self {
        let arguments = ["--record", "record.jsonl"];
        Self { peer: PythonServer::start_on(port, "ashirt", "stub_backend.py", &arguments, &[]) }
    }

    /// Starts one on a free port that also has evidence of `size` bytes: `ev-large-har`,
    /// `ev-large-terminal`, `ev-large-codeblock`, `ev-large-image`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_large(size: usize) -> Self {
        let arguments = ["--record", "record.jsonl", "--large", &size.to_string()];
        Self {
            peer: PythonServer::start_on(
                crate::free_port(),
                "ashirt",
                "stub_backend.py",
                &arguments,
                &[],
            ),
        }
    }

    /// Returns its port on the loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.peer.port
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// Returns the requests so far, in the order of the responses, once there are `count` or more.
    /// Each has `method`, `path` as on the wire, `headers`, `body_b64` and `body_text`, `auth`
    /// (`ok`, or the reason), for forms `form` and `files`, and `response`. A request is recorded
    /// before its response is sent.
    ///
    /// # Panics
    /// If they do not come within 30 seconds.
    pub async fn record(&self, count: usize) -> Vec<Value> {
        crate::wait_for("the stub's record", || async { self.recorded().len() >= count }).await;
        self.recorded()
    }

    fn recorded(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.peer.folder().join("record.jsonl"));
        let text = text.unwrap_or_default();
        // Cut off, because the line after the last line end is still being written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect("it writes JSON")).collect()
    }
}
