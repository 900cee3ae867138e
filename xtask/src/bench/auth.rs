//! `cargo xtask bench auth`: tokens next to the real Gnar Gear on bjoern, and the effect of 200
//! concurrent logins on other requests.
//!
//! Both use one PostgreSQL server, each its own database, with the same user in it and the same
//! secret, so that one token is valid for both. The limits are those of the project's fourth issue.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::client::Client;
use super::contender::Contender;
use super::db::{empty_database, psql};
use super::load::{self, Request};
use super::memory;
use super::report::{self, Limit, Row};
use super::server::BenchServer;
use super::{Effort, PACKAGES};
use crate::command::{Result, bold, pause, root, say};
use crate::gate::postgres::{self, PostgresServer};
use crate::{install, python};

const PROGRAMS: [(&str, &str); 2] = [("wrk", "wrk"), (postgres::PROGRAM, "postgresql-15")];

const KEY: &str = "a-key-of-64-characters-for-the-measurement-and-for-nothing-else!";
const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse";

/// Number of concurrent logins.
const LOGINS: u32 = 200;
/// Memory budget of concurrent password hashes, in MiB.
const BUDGET_MIB: u32 = 256;
/// Interval of the requests that measure the effect.
const PROBE_INTERVAL: Duration = Duration::from_millis(5);

/// Prints a token and a password hash, made by the libraries of the Python service.
const MAKE: &str = "
import sys, time, uuid, jwt, argon2
key, email, password = sys.argv[1:]
now = int(time.time())
claims = {'iat': now, 'nbf': now, 'jti': str(uuid.uuid4()), 'exp': now + 7200, 'identity': email, 'fresh': False, 'type': 'access'}
print(jwt.encode(claims, key, 'HS256').decode())
print(argon2.PasswordHasher().hash(password))
";

/// Measures, prints, and writes `bench/results/auth.md`. Returns whether all limits are met.
///
/// # Errors
/// When something cannot be built, started or measured.
pub fn run(effort: Effort) -> Result<bool> {
    install::debian(&PROGRAMS)?;
    python::all()?;
    let (token, hash) = token_and_hash()?;
    let server = PostgresServer::start()?;
    let contenders = [gnar(&server, &hash)?, piton(&server, &hash)?];
    contenders.iter().try_for_each(Contender::build)?;

    let mut rows = Vec::new();
    for (what, path, limit) in [
        ("a token alone", "/user/identity", Limit::RatioFrom(20.0)),
        ("a token and a row", "/user/me", Limit::None),
    ] {
        say(&bold(&format!("measuring requests/s, {what}")));
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let load = load::measure(&contenders, &request, effort)?;
        let rate = Row::new(format!("{what}: requests/s"), "", load.per_second, limit);
        rows.push(Row { ratio: load.ratio, ..rate });
        rows.push(Row::new(
            format!("{what}: processor time a request"),
            "µs",
            load.cpu,
            Limit::None,
        ));
    }
    say(&bold(&format!("measuring what {LOGINS} logins at once do to others")));
    logins(&contenders[1], effort, &mut rows)?;

    say(&format!("\n{}", report::table("gnar", &rows)));
    if effort == Effort::Full {
        let title = "Tokens and passwords next to Gnar Gear 1.1.5 on bjoern";
        report::write("auth", &report::page(title, "cargo xtask bench auth", "gnar", &rows))?;
        say("written to bench/results/auth.md");
    }
    Ok(rows.iter().all(|row| row.is_ok() != Some(false)))
}

fn token_and_hash() -> Result<(String, String)> {
    let program = root().join("target/python/gnar/bin/python");
    let output = Command::new(program)
        .args(["-c", MAKE, KEY, EMAIL, PASSWORD])
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut lines = text.lines().map(str::to_owned);
    match (lines.next(), lines.next()) {
        (Some(token), Some(hash)) => Ok((token, hash)),
        _ => Err("Python made no token and no hash".into()),
    }
}

/// Returns the variables of a Gnar Gear deployment, on a database of its own with one user.
fn variables(server: &PostgresServer, name: &str, hash: &str) -> Result<Vec<(String, String)>> {
    let url = empty_database(server.url(), name)?;
    let schema = std::fs::read_to_string(root().join("e2e/python/gnar/piste/schema.sql"))?;
    psql(&url, &schema)?;
    psql(
        &url,
        &format!(
            "INSERT INTO users (email, password_hash, name, active) VALUES ('{EMAIL}', '{hash}', 'Ada', TRUE)"
        ),
    )?;
    let address = url.split_once('@').and_then(|(_, rest)| rest.split_once('/'));
    let (endpoint, _) = address.ok_or("the server's URL has no address")?;
    let (host, port) = endpoint.split_once(':').ok_or("the server's URL has no port")?;
    let variables = [
        ("GNAR_PG_ENDPOINT", host),
        ("PGPORT", port),
        ("GNAR_PG_DATABASE", name),
        ("GNAR_PG_USERNAME", "postgres"),
        ("GNAR_PG_PASSWORD", "not-asked-for"),
        ("GNAR_JWT_SECRET_KEY", KEY),
        ("GNAR_LOG_LEVEL", "ERROR"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ];
    Ok(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

fn gnar(server: &PostgresServer, hash: &str) -> Result<Contender> {
    let script = root().join("e2e/python/gnar/serve.py");
    Ok(Contender {
        name: "gnar",
        package: "gnar",
        arguments: format!("{} {{port}}", script.display()).into(),
        python: Some("gnar"),
        variables: variables(server, "bench_gnar", hash)?,
    })
}

fn piton(server: &PostgresServer, hash: &str) -> Result<Contender> {
    let mut variables = variables(server, "bench_piton", hash)?;
    // Moved, because Piton expects the port with the host.
    let port = variables.remove(1).1;
    variables[0].1 = format!("{}:{port}", variables[0].1);
    Ok(Contender {
        name: "piton",
        package: PACKAGES[4],
        arguments: format!(
            "--host 127.0.0.1 --port {{port}} --set http.timeout=2m --set password.memory_budget={BUDGET_MIB}MiB"
        )
        .into(),
        python: None,
        variables,
    })
}

/// Measures a route that needs no password, first alone and then during the logins. The server has
/// both processors, as in a deployment.
fn logins(contender: &Contender, effort: Effort, rows: &mut Vec<Row>) -> Result<()> {
    let seconds = effort.pick(10, 30);
    let server = BenchServer::start(contender, &[])?;
    let login = Request::post("/user/login")
        .json(format!(r#"{{"email":"{EMAIL}","password":"{PASSWORD}"}}"#));
    Client::connect(server.port)?
        .post("/user/login", &format!(r#"{{"email":"{EMAIL}","password":"{PASSWORD}"}}"#))?;
    let quiet = probe(&server, &AtomicBool::new(false), Duration::from_secs(5))?;
    let stop = AtomicBool::new(false);
    let (rate, among) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            probe(&server, &stop, Duration::from_secs(600)).map_err(|error| error.to_string())
        });
        let rate = load::many(&server, &login, LOGINS, seconds).map_err(|error| error.to_string());
        stop.store(true, Ordering::Relaxed);
        let among = asking.join().map_err(|_| "the asking thread panicked".to_owned());
        (rate, among)
    });
    let (rate, among) = (rate?, among??);
    let limit = (5.0 * quiet.p99).max(20.0);
    let alone =
        |what: &str, unit, value: f64, limit| Row::new(what, unit, [f64::NAN, value], limit);
    rows.push(alone(&format!("{LOGINS} logins at once: logins/s"), "", rate, Limit::None));
    rows.push(alone("another route meanwhile, quiet: p99", "ms", quiet.p99, Limit::None));
    let what = format!("another route meanwhile, {LOGINS} logins: p99");
    rows.push(alone(&what, "ms", among.p99, Limit::PitonTo((limit * 10.0).round() / 10.0)));
    rows.push(alone("memory before, MB", "", quiet.memory, Limit::None));
    let most = quiet.memory + f64::from(BUDGET_MIB) * 1.048_576;
    let what = format!("memory at most (budget {BUDGET_MIB} MiB), MB");
    rows.push(alone(&what, "", among.memory, Limit::PitonTo(most.round())));
    server.stop()
}

/// Latency and memory during a measurement.
struct ProbeResult {
    /// 99th percentile in milliseconds.
    p99: f64,
    /// Peak memory of the server in megabytes.
    memory: f64,
}

fn probe(server: &BenchServer, stop: &AtomicBool, longest: Duration) -> Result<ProbeResult> {
    let mut client = Client::connect(server.port)?;
    let (begin, mut times, mut memory) = (Instant::now(), Vec::new(), 0.0_f64);
    while begin.elapsed() < longest && !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        client.get("/")?;
        times.push(asked.elapsed().as_secs_f64() * 1000.0);
        memory = memory.max(memory::resident(server)?);
        pause(PROBE_INTERVAL);
    }
    times.sort_by(f64::total_cmp);
    let last = times.len().saturating_sub(1);
    let p99 = times.get(last * 99 / 100).copied().ok_or("nothing was asked")?;
    Ok(ProbeResult { p99, memory })
}
