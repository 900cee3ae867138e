//! A stub of the ASHIRT backend, which checks signatures as the real one does and writes down what it was asked.

use serde_json::Value;

use crate::python::Peer;

/// The access key that it knows: that of ASHIRT's development seed, which is public.
pub const ACCESS_KEY: &str = "gR6nVtaQmp2SvzIqLUWdedDk";

/// The secret key that belongs to it.
pub const SECRET_KEY: &str =
    "WvtvxFaJS0mPs82nCzqamI+bOGXpq7EIQhg4UD8nxS5448XG9N0gNAceJGBLPdCA3kAzC4MdUSHnKCJ/lZD++A==";

/// A stub that runs. It knows one operation, `op`, with evidence of each type (`ev-image`, `ev-codeblock`,
/// `ev-terminal`, `ev-har`, `ev-event`, `ev-none`). It is ended when dropped.
#[derive(Debug)]
pub struct Stub {
    peer: Peer,
}

impl Stub {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// If it does not start, or `cargo xtask python` has not been run.
    #[must_use]
    pub fn start() -> Self {
        Self::start_on(crate::free_port())
    }

    /// As [`start`](Self::start), on a port that somebody else has to know before.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_on(port: u16) -> Self {
        let arguments = ["--record", "record.jsonl"];
        Self { peer: Peer::start_on(port, "ashirt", "stub_backend.py", &arguments, &[]) }
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
            peer: Peer::start_on(crate::free_port(), "ashirt", "stub_backend.py", &arguments, &[]),
        }
    }

    /// Where it listens, on the loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.peer.port
    }

    /// Its address, as clients want it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// What it was asked so far, as soon as that is `count` requests or more, in the order of its answers. Of each:
    /// `method`, `path` as on the wire, `headers`, `body_b64` and `body_text`, `auth` (`ok`, or why not), `form` and
    /// `files` of forms, `response`. A request is written down before it is answered.
    ///
    /// # Panics
    /// If they do not come.
    pub async fn record(&self, count: usize) -> Vec<Value> {
        crate::wait_for("the stub's record", || async { self.recorded().len() >= count }).await;
        self.recorded()
    }

    fn recorded(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.peer.folder().join("record.jsonl"));
        let text = text.unwrap_or_default();
        // What comes after the last end of line is being written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect("it writes JSON")).collect()
    }
}
