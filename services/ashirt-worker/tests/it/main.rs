//! The worker through the doors its users use.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ashirt;
mod client;
mod config;
mod load;
mod process;
mod program;
mod recorded;

use piton::prelude::*;
use piton::testing::TestServer;

/// ASHIRT's own public keys for development.
const ACCESS_KEY: &str = "gR6nVtaQmp2SvzIqLUWdedDk";
const SECRET_KEY: &str =
    "WvtvxFaJS0mPs82nCzqamI+bOGXpq7EIQhg4UD8nxS5448XG9N0gNAceJGBLPdCA3kAzC4MdUSHnKCJ/lZD++A==";

/// The worker of an ASHIRT.
fn worker_of(ashirt: &TestServer) -> App {
    ashirt_worker::app()
        .set("log.level", "critical")
        .set("ashirt.backend_url", format!("http://{}", ashirt.address()))
        .set("ashirt.access_key", ACCESS_KEY)
        .set("ashirt.secret_key", SECRET_KEY)
        .set("ashirt.retries", 0)
}
