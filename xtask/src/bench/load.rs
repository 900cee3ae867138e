//! Measures requests per second by wrk: one processor for the server, the other for wrk.
//!
//! Rounds are short, many and interleaved, so that other load on the machine affects all contenders
//! alike. The ratio is the median of the rounds' ratios, which ignores rounds where it affected
//! only one. The processor time per request is reported too: it hardly depends on other load.

use std::fs;
use std::path::PathBuf;

use super::contender::Contender;
use super::server::{BenchServer, LOAD_CORE, SERVER_CORE, killed_with_parent, pinned, scratch};
use super::{Effort, median, processes};
use crate::command::{Result, say};

const CONNECTIONS: u32 = 32;

/// Medians of the rounds, for each contender.
pub struct Load {
    pub per_second: [f64; 2],
    /// Processor time of the server per request, in microseconds.
    pub cpu: [f64; 2],
    /// Rate of the second contender divided by that of the first.
    pub ratio: f64,
}

/// A request that is repeated.
#[derive(Clone, Debug)]
pub struct Request {
    method: &'static str,
    /// Path of the request; `{n}` is replaced by a random number from 1 to 1,000.
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Request {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), headers: Vec::new(), body: String::new() }
    }

    pub fn post(path: impl Into<String>) -> Self {
        Self { method: "POST", ..Self::get(path) }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends `body` as JSON.
    pub fn json(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    /// Writes the Lua script that makes wrk send the request. Returns `None` if wrk needs no
    /// script.
    fn script(&self) -> Result<Option<PathBuf>> {
        if self.method == "GET" && !self.path.contains("{n}") {
            return Ok(None);
        }
        let file = scratch("wrk")?.join("request.lua");
        let path = self.path.replace("{n}", "\" .. math.random(1, 1000) .. \"");
        let method = self.method;
        let body = &self.body;
        fs::write(
            &file,
            format!(
                "request = function() return wrk.format(\"{method}\", \"{path}\", nil, [==[{body}]==]) end\n"
            ),
        )?;
        Ok(Some(file))
    }
}

/// Result of one run of a load generator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    pub per_second: f64,
    pub requests: f64,
}

/// Sends the request over `connections` connections for `seconds`. Returns the number of responses
/// per second.
///
/// # Errors
/// When a request was not answered with 2xx.
pub fn many(
    server: &BenchServer,
    request: &Request,
    connections: u32,
    seconds: u32,
) -> Result<f64> {
    Ok(wrk(server, request, connections, seconds)?.per_second)
}

/// Sends the request to both contenders in turn.
///
/// # Errors
/// When a server cannot be started, or a request was not answered with 2xx.
pub fn measure(contenders: &[Contender; 2], request: &Request, effort: Effort) -> Result<Load> {
    measure_each(contenders, [request, request], effort)
}

/// Sends each contender its own request, in turn.
///
/// # Errors
/// Those of [`measure`].
pub fn measure_each(
    contenders: &[Contender; 2],
    requests: [&Request; 2],
    effort: Effort,
) -> Result<Load> {
    let (count, seconds) = effort.pick((3, 1), (15, 2));
    let prefix = pinned(SERVER_CORE);
    let servers = [
        BenchServer::start(&contenders[0], &prefix)?,
        BenchServer::start(&contenders[1], &prefix)?,
    ];
    for (server, request) in servers.iter().zip(requests) {
        wrk(server, request, CONNECTIONS, 1)?;
    }
    rounds(&servers, count, |which| wrk(&servers[which], requests[which], CONNECTIONS, seconds))
}

/// Runs `load` on both servers in turn, `count` times.
///
/// # Errors
/// Those of `load`.
pub fn rounds(
    servers: &[BenchServer; 2],
    count: usize,
    load: impl Fn(usize) -> Result<Run>,
) -> Result<Load> {
    let mut rates = [Vec::new(), Vec::new()];
    let mut cpu = [Vec::new(), Vec::new()];
    for round in 0..count {
        // The order alternates, because the second of a round may have an advantage.
        for which in [round % 2, (round + 1) % 2] {
            let before = cpu_time(&servers[which])?;
            let run = load(which)?;
            rates[which].push(run.per_second);
            cpu[which].push((cpu_time(&servers[which])? - before) / run.requests);
        }
        let [one, other] = [rates[0][round], rates[1][round]];
        say(&format!("  round {} of {count}: {one:.0} and {other:.0} requests/s", round + 1));
    }
    let ratios: Vec<f64> = rates[1].iter().zip(&rates[0]).map(|(b, a)| b / a).collect();
    Ok(Load {
        per_second: rates.map(|all| median(&all)),
        cpu: cpu.map(|all| median(&all)),
        ratio: median(&ratios),
    })
}

fn wrk(server: &BenchServer, request: &Request, connections: u32, seconds: u32) -> Result<Run> {
    let mut words = pinned(LOAD_CORE);
    words.push("wrk".to_owned());
    let headers = request.headers.iter();
    let headers = headers.flat_map(|(name, value)| ["--header".into(), format!("{name}: {value}")]);
    let output = killed_with_parent(&words)
        .args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s"), "--timeout", "60s"])
        .args(headers)
        .args(request.script()?.into_iter().flat_map(|file| ["--script".into(), file]))
        .arg(format!("http://127.0.0.1:{}{}", server.port, request.path.replace("{n}", "1")))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    read(&text).map_err(|problem| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("wrk: {problem}\n{}{}", text.trim_end(), said.trim_end()).into()
    })
}

// Checked first, because wrk reports failures only by additional lines.
fn read(report: &str) -> Result<Run, String> {
    let bad =
        |line: &&str| line.contains("Non-2xx or 3xx responses") || line.contains("Socket errors");
    if let Some(line) = report.lines().find(bad) {
        return Err(line.trim().to_owned());
    }
    let rate = |line: &str| line.strip_prefix("Requests/sec:")?.trim().parse().ok();
    let count = |line: &str| line.split_once(" requests in ")?.0.trim().parse().ok();
    let per_second = report.lines().find_map(rate).ok_or("no requests per second in its report")?;
    let requests = report.lines().find_map(count).ok_or("no count of requests in its report")?;
    Ok(Run { per_second, requests })
}

/// Returns the processor time of the server so far, in microseconds.
fn cpu_time(server: &BenchServer) -> Result<f64> {
    Ok(processes::cpu_time(server.pid())?.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Running 3s test @ http://127.0.0.1:5001/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   410.05us  112.20us   4.02ms   92.11%
    Req/Sec    77.41k     2.99k   81.22k    80.65%
  238640 requests in 3.10s, 29.36MB read
Requests/sec:  76982.20
Transfer/sec:      9.47MB
";

    #[test]
    fn the_rate_is_read_from_the_report() {
        assert_eq!(read(REPORT), Ok(Run { per_second: 76_982.20, requests: 238_640.0 }));
    }

    #[test]
    fn refused_requests_do_not_count_as_speed() {
        let report = format!("{REPORT}  Non-2xx or 3xx responses: 12\n");
        assert_eq!(read(&report), Err("Non-2xx or 3xx responses: 12".to_owned()));
    }

    #[test]
    fn broken_connections_do_not_count_as_speed() {
        let line = "  Socket errors: connect 0, read 3, write 0, timeout 0\n";
        assert!(read(&format!("{line}{REPORT}")).is_err());
    }
}
