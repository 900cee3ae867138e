//! `cargo xtask bench http2`: HTTP/2 and TLS with the whole production stack next to bare hyper.
//!
//! The load comes from h2load, which speaks every combination of both.

use std::borrow::Cow;
use std::path::Path;

use super::contender::Contender;
use super::load::{self, Load, Run};
use super::report::{self, Limit, Row};
use super::server::{BenchServer, LOAD_CORE, SERVER_CORE, killed_with_parent, pinned, scratch};
use super::{Effort, PACKAGES};
use crate::command::{Cmd, Result, bold, say};
use crate::install;

const PROGRAMS: [(&str, &str); 2] = [("h2load", "nghttp2-client"), ("openssl", "openssl")];

const CONNECTIONS: &str = "16";

/// Streams open at once on each connection with HTTP/2.
const STREAMS: &str = "8";

/// A protocol of the comparison.
struct Protocol {
    name: &'static str,
    is_http2: bool,
    has_tls: bool,
}

const PROTOCOLS: [Protocol; 3] = [
    Protocol { name: "HTTP/1.1 over TLS", is_http2: false, has_tls: true },
    Protocol { name: "HTTP/2", is_http2: true, has_tls: false },
    Protocol { name: "HTTP/2 over TLS", is_http2: true, has_tls: true },
];

/// Paths of the comparison: a few bytes, and 64 KiB.
const PATHS: [&str; 2] = ["/", "/large"];

/// Measures, prints, and writes `bench/results/http2.md`. Returns whether all limits are met.
///
/// # Errors
/// When something cannot be built, started or measured.
pub fn run(effort: Effort) -> Result<bool> {
    install::debian(&PROGRAMS)?;
    let certificate = Certificate::make()?;
    let mut rows = Vec::new();
    for protocol in &PROTOCOLS {
        let contenders = [hyper(protocol, &certificate), piton(protocol, &certificate)];
        contenders.iter().try_for_each(Contender::build)?;
        for path in PATHS {
            let what = format!("{}, GET {path}", protocol.name);
            say(&bold(&format!("measuring requests/s, {what}")));
            let load = measure(&contenders, protocol, path, effort)?;
            let rate = Row::new(format!("{what}: requests/s"), "", load.per_second, Limit::None);
            rows.push(Row { ratio: load.ratio, ..rate });
            let time = format!("{what}: processor time a request");
            rows.push(Row::new(time, "µs", load.cpu, Limit::None));
        }
    }
    say(&format!("\n{}", report::table("hyper", &rows)));
    if effort == Effort::Full {
        let title = "HTTP/2 and TLS with Piton's production stack next to bare hyper";
        let page = report::page(title, "cargo xtask bench http2", "hyper", &rows);
        report::write("http2", &page)?;
        say("written to bench/results/http2.md");
    }
    Ok(rows.iter().all(|row| row.is_ok() != Some(false)))
}

/// The files of a certificate for `localhost`.
struct Certificate {
    file: String,
    key: String,
}

impl Certificate {
    fn make() -> Result<Self> {
        let folder = scratch("http2")?;
        let path = |name: &str| Path::display(&folder.join(name)).to_string();
        let made = Self { file: path("server.pem"), key: path("server.key") };
        Cmd::new(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2",
        )
        .arg("-subj")
        .arg("/CN=localhost")
        .arg("-addext")
        .arg("subjectAltName=DNS:localhost")
        .arg("-keyout")
        .arg(&made.key)
        .arg("-out")
        .arg(&made.file)
        .read()?;
        Ok(made)
    }
}

fn hyper(protocol: &Protocol, certificate: &Certificate) -> Contender {
    let Certificate { file, key } = certificate;
    let tls = if protocol.has_tls { format!(" {file} {key}") } else { String::new() };
    contender("hyper", PACKAGES[6], format!("{{port}}{tls}"))
}

fn piton(protocol: &Protocol, certificate: &Certificate) -> Contender {
    let Certificate { file, key } = certificate;
    let tls = format!(" --set http.tls.certificate={file} --set http.tls.key={key}");
    let tls = if protocol.has_tls { tls } else { String::new() };
    contender("piton", PACKAGES[7], format!("--host 127.0.0.1 --port {{port}}{tls}"))
}

fn contender(name: &'static str, package: &'static str, arguments: String) -> Contender {
    let arguments = Cow::Owned(arguments);
    Contender { name, package, arguments, python: None, variables: Vec::new() }
}

fn measure(
    contenders: &[Contender; 2],
    protocol: &Protocol,
    path: &str,
    effort: Effort,
) -> Result<Load> {
    let (count, seconds) = effort.pick((3, 1), (11, 2));
    let prefix = pinned(SERVER_CORE);
    let servers = [
        BenchServer::start_listening(&contenders[0], &prefix)?,
        BenchServer::start_listening(&contenders[1], &prefix)?,
    ];
    for server in &servers {
        h2load(server, protocol, path, 1)?;
    }
    load::rounds(&servers, count, |which| h2load(&servers[which], protocol, path, seconds))
}

fn h2load(server: &BenchServer, protocol: &Protocol, path: &str, seconds: u32) -> Result<Run> {
    let mut words = pinned(LOAD_CORE);
    words.push("h2load".to_owned());
    let scheme = if protocol.has_tls { "https" } else { "http" };
    let version: &[&str] = if protocol.is_http2 { &["-m", STREAMS] } else { &["--h1"] };
    let output = killed_with_parent(&words)
        .args(["--threads", "1", "--clients", CONNECTIONS])
        .args(version)
        .args(["--duration", &seconds.to_string()])
        .arg(format!("{scheme}://127.0.0.1:{}{path}", server.port))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    read(&text).map_err(|problem| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("h2load: {problem}\n{}{}", text.trim_end(), said.trim_end()).into()
    })
}

// The failed ones are checked first, because h2load reports them only by this line.
fn read(report: &str) -> Result<Run, String> {
    let line = |start: &str| report.lines().find(|line| line.starts_with(start));
    let requests = line("requests: ").ok_or("no line of requests in its report")?;
    let count = |name: &str| {
        let part = requests.split([':', ',']).find_map(|part| part.trim().strip_suffix(name))?;
        part.trim().parse::<f64>().ok()
    };
    if [" failed", " errored", " timeout"].iter().any(|name| count(name) != Some(0.0)) {
        return Err(requests.to_owned());
    }
    let rate = |line: &str| line.split(", ").nth(1)?.strip_suffix(" req/s")?.parse().ok();
    let per_second = line("finished in ").and_then(rate).ok_or("no rate in its report")?;
    let requests =
        count(" succeeded").filter(|count| *count > 0.0).ok_or("no request succeeded")?;
    Ok(Run { per_second, requests })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
finished in 2.00s, 45678.50 req/s, 1.74MB/s
requests: 91357 total, 91485 started, 91357 done, 91357 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 91357 2xx, 0 3xx, 0 4xx, 0 5xx
";

    #[test]
    fn the_rate_is_read_from_the_report() {
        let run = Run { per_second: 45_678.5, requests: 91_357.0 };
        assert_eq!(read(REPORT), Ok(run));
    }

    #[test]
    fn failed_requests_do_not_count_as_speed() {
        for (good, bad) in [("0 failed", "3 failed"), ("0 errored", "1 errored")] {
            assert!(read(&REPORT.replace(good, bad)).is_err(), "{bad}");
        }
        assert!(read(&REPORT.replace(" 91357 succeeded", " 0 succeeded")).is_err());
        assert!(read("").is_err());
    }
}
