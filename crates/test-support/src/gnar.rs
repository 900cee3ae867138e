//! A real Gnar app on its real server, and its responses to the requests of
//! `e2e/python/gnar/requests.json`.
//!
//! A Rust service that replaces it gets the same requests by [`record`], and is compared with
//! [`recorded`].

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::python::{PythonServer, interpreter, script};

/// Key that signs the tokens of `requests.json`.
pub const JWT_SECRET_KEY: &str = "the-key-of-the-peers-32-bytes-ok!";

/// Mode of a Gnar app.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Runs on bjoern, as deployed.
    Production,
    /// Runs on Flask's own server, with CORS open to all origins.
    Development,
}

impl Mode {
    /// Returns the file of the mode's recorded responses.
    fn file(self) -> &'static str {
        match self {
            Self::Production => "recorded.json",
            Self::Development => "recorded.development.json",
        }
    }
}

/// The app `piste` and its peer `off-piste`, the same app again. Both stop when this is dropped.
#[derive(Debug)]
pub struct Gnar {
    /// The app under test.
    pub piste: PythonServer,
    /// The peer that it calls.
    pub off_piste: PythonServer,
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

fn serve(port: u16, database: &str, mode: Mode, off_piste: u16) -> PythonServer {
    let mut variables = environment(database);
    let (arguments, address): (&[&str], _) = match mode {
        Mode::Production => (&[], "OFF_PISTE_SERVICE_PORT"),
        Mode::Development => {
            // Set so that Flask believes to be the reloader's child, and starts no process of its
            // own.
            variables.push(("WERKZEUG_RUN_MAIN", "true".to_owned()));
            (&["development"], "GNAR_OFF_PISTE_SERVICE_PORT")
        }
    };
    variables.push((address, format!("127.0.0.1:{off_piste}")));
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    PythonServer::start_on(port, "gnar", "serve.py", arguments, &variables)
}

/// Returns the variables with which a Gnar app finds the database `postgres://USER@HOST:PORT/NAME`
/// and its key.
///
/// # Panics
/// If the URL has another form.
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
        ("GNAR_JWT_SECRET_KEY", JWT_SECRET_KEY),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// Returns [`environment`] for a Rust service: the server's port stands with its host, instead of
/// in a variable of libpq. AWS points to a closed port, because otherwise the service would ask the
/// machine, and so the network, for credentials.
///
/// # Panics
/// If the database is written otherwise.
#[must_use]
pub fn environment_for_piton(database: &str) -> Vec<(&'static str, String)> {
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

/// Sends all requests to the server on `port`, whose database is `database`, with an empty table of
/// users. Returns the responses in the order of the requests; `e2e/python/gnar/record.py` documents
/// their form.
///
/// # Panics
/// If the server breaks a connection.
#[must_use]
pub fn record(port: u16, database: &str) -> Vec<Value> {
    serde_json::from_str(&record_text(port, database)).expect("it prints JSON")
}

/// Returns the responses as in a recording: one per line.
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

/// Returns `requests.json`. Its `tokens` are recipes by name, from which a `Dialogue` makes tokens
/// (`{"op":"make"}`).
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn requests() -> Value {
    let text = std::fs::read_to_string(script("gnar", "requests.json"));
    serde_json::from_str(&text.expect("it is in the repository")).expect("it is JSON")
}

/// Returns the recorded responses of the real app, in the order of the requests.
///
/// # Panics
/// If the record cannot be read.
#[must_use]
pub fn recorded(mode: Mode) -> Vec<Value> {
    let text =
        std::fs::read_to_string(recording_path(mode)).expect("the record is in the repository");
    serde_json::from_str(&text).expect("the record is JSON")
}

/// Returns the path of the recording.
#[must_use]
pub fn recording_path(mode: Mode) -> PathBuf {
    script("gnar", mode.file())
}
