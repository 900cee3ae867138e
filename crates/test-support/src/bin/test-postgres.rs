//! Runs a PostgreSQL server for tests: prints its URL, and stops when its input ends (Ctrl-D).

use std::io::Read;

fn main() {
    let server = test_support::postgres::Postgres::start();
    println!("{}", server.url());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(server);
}
