//! Runs a PostgreSQL server for tests: prints its URL, and stops when its input ends (Ctrl-D). With `--durable` its
//! commits wait for the disk, as a measurement needs it.

use std::io::Read;

use test_support::postgres::Postgres;

fn main() {
    let server = if std::env::args().any(|arg| arg == "--durable") {
        Postgres::start_durable()
    } else {
        Postgres::start()
    };
    println!("{}", server.url());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(server);
}
