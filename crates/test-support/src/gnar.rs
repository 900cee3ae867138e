//! A real Gnar app on its real server, and what it answers to the requests of `e2e/python/gnar/requests.json`.
//!
//! A service in Rust that takes its place is asked the same by [`record`], and compared with [`recorded`].

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::python::{Peer, interpreter, script};

/// The key that signs the tokens of `requests.json`.
pub const KEY: &str = "the-key-of-the-peers-32-bytes-ok!";

/// In which of its two modes a Gnar app runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// On bjoern, as it is deployed.
    Production,
    /// On Flask's own server, with CORS opened.
    Development,
}

impl Mode {
    /// Where its answers are kept.
    fn file(self) -> &'static str {
        match self {
            Self::Production => "recorded.json",
            Self::Development => "recorded.development.json",
        }
    }
}

/// The app `piste` and its peer `off-piste`, the same app again. Both end when this is dropped.
#[derive(Debug)]
pub struct Gnar {
    /// The app that is asked.
    pub piste: Peer,
    /// The app that it asks.
    pub off_piste: Peer,
}

impl Gnar {
    /// Starts both on an empty database, `postgres://USER@HOST:PORT/NAME`.
    ///
    /// # Panics
    /// If they do not start, with what they printed.
    #[must_use]
    pub fn start(database: &str, mode: Mode) -> Self {
        let address = crate::free_port();
        let off_piste = serve(address, database, mode, address);
        let piste = serve(crate::free_port(), database, mode, address);
        Self { piste, off_piste }
    }
}

fn serve(port: u16, database: &str, mode: Mode, off_piste: u16) -> Peer {
    let mut variables = environment(database);
    let (arguments, address): (&[&str], _) = match mode {
        Mode::Production => (&[], "OFF_PISTE_SERVICE_PORT"),
        Mode::Development => {
            // Flask takes itself for the process that it would start to reload it, and starts none.
            variables.push(("WERKZEUG_RUN_MAIN", "true".to_owned()));
            (&["development"], "GNAR_OFF_PISTE_SERVICE_PORT")
        }
    };
    variables.push((address, format!("127.0.0.1:{off_piste}")));
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Peer::start_on(port, "gnar", "serve.py", arguments, &variables)
}

/// The variables by which a Gnar app finds the database `postgres://USER@HOST:PORT/NAME` and its key.
///
/// # Panics
/// If the database is written otherwise.
#[must_use]
pub fn environment(database: &str) -> Vec<(&'static str, String)> {
    let parts = || {
        let (user, address) = database.strip_prefix("postgres://")?.split_once('@')?;
        let (server, name) = address.split_once('/')?;
        let (host, port) = server.split_once(':')?;
        Some([user, host, port, name])
    };
    let [user, host, port, name] = parts().expect("postgres://USER@HOST:PORT/NAME");
    [
        ("GNAR_PG_ENDPOINT", host),
        ("PGPORT", port),
        ("GNAR_PG_DATABASE", name),
        ("GNAR_PG_USERNAME", user),
        ("GNAR_PG_PASSWORD", "not-asked-for"),
        ("GNAR_JWT_SECRET_KEY", KEY),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// As [`environment`], for a service in Rust: Python has the server's port from a variable of libpq's, which
/// here stands with the host. Where Amazon's queues and mail would be is nobody: else the machine, and so
/// the network, would be asked for them.
///
/// # Panics
/// If the database is written otherwise.
#[must_use]
pub fn environment_of_piton(database: &str) -> Vec<(&'static str, String)> {
    let mut environment = environment(database);
    let port = environment.remove(1).1;
    environment[0].1 = format!("{}:{port}", environment[0].1);
    let nobody = [
        ("GNAR_SQS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("GNAR_SQS_REGION_NAME", "us-east-1"),
        ("GNAR_SQS_ACCESS_KEY_ID", "AKIA"),
        ("GNAR_SQS_SECRET_ACCESS_KEY", "of-the-queues"),
        ("GNAR_SES_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("GNAR_SES_REGION_NAME", "us-east-1"),
        ("GNAR_SES_ACCESS_KEY_ID", "AKIA"),
        ("GNAR_SES_SECRET_ACCESS_KEY", "of-the-mail"),
    ];
    environment.extend(nobody.map(|(name, value)| (name, value.to_owned())));
    environment
}

/// Sends all requests to the server on `port`, whose database, with a table of users that is empty, is
/// `database`. The answers are in the order of the requests; `e2e/python/gnar/record.py` says what is in one.
///
/// # Panics
/// If the server breaks a connection.
#[must_use]
pub fn record(port: u16, database: &str) -> Vec<Value> {
    serde_json::from_str(&record_text(port, database)).expect("it prints JSON")
}

/// As [`record`], but as it stands in a file: an answer a line.
///
/// # Panics
/// If the server breaks a connection.
#[must_use]
pub fn record_text(port: u16, database: &str) -> String {
    let output = Command::new(interpreter("gnar"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUTF8", "1")
        .arg(script("gnar", "record.py"))
        .args([&port.to_string(), database])
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

/// `requests.json`: its `tokens` are recipes by name, which a `Dialogue` makes into tokens (`{"op":"make"}`).
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn requests() -> Value {
    let text = std::fs::read_to_string(script("gnar", "requests.json"));
    serde_json::from_str(&text.expect("it is in the repository")).expect("it is JSON")
}

/// What the real app answered, in the order of the requests.
///
/// # Panics
/// If the record cannot be read.
#[must_use]
pub fn recorded(mode: Mode) -> Vec<Value> {
    let text = std::fs::read_to_string(record_of(mode)).expect("the record is in the repository");
    serde_json::from_str(&text).expect("the record is JSON")
}

/// The file of the record.
#[must_use]
pub fn record_of(mode: Mode) -> PathBuf {
    script("gnar", mode.file())
}
