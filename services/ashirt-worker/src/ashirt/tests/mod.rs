//! The client before a backend that does not always behave.

mod bad_responses;
mod retries;
mod server;
mod signing;

use std::time::Duration;

use server::Server;

use super::{Client, Error, Metadata, Settings, Status};

const ACCESS: &str = "gR6nVtaQmp2SvzIqLUWdedDk";
const SECRET: &str =
    "WvtvxFaJS0mPs82nCzqamI+bOGXpq7EIQhg4UD8nxS5448XG9N0gNAceJGBLPdCA3kAzC4MdUSHnKCJ/lZD++A==";

/// Settings for this address, impatient and with retries that do not wait.
fn settings(url: &str) -> Settings {
    let url = url.parse().unwrap();
    let mut settings = Settings::new(url, ACCESS.parse().unwrap(), SECRET.parse().unwrap());
    settings.backoff = Duration::from_millis(1);
    settings
}

fn client(server: &Server) -> Client {
    Client::new(settings(&server.url())).unwrap()
}

fn metadata() -> Metadata {
    Metadata {
        source: "ocr".to_owned(),
        body: "text".to_owned(),
        status: Status::Completed,
        message: None,
        can_process: Some(true),
    }
}

#[test]
fn the_client_knows_nothing_of_the_service_around_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ashirt");
    let files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let files: Vec<_> = files.into_iter().filter(|path| path.is_file()).collect();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
        let stranger =
            code.into_iter().find(|line| line.contains("crate::") || line.contains("piton"));
        assert_eq!(stranger, None, "{}", file.display());
    }
}

/// The error with all its causes, and how its debug form looks.
fn everything_of(error: &Error) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
