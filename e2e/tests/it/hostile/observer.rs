//! Observes a service under attack from a thread of its own: the time that its probe takes, its memory, its
//! open files.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::target::Target;

/// Time between two probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(50);

/// Minimum delay of a thread that only sleeps which counts as a stall of the machine, such as a hypervisor that gives
/// its processors to others. Attacks alone delay it by a few milliseconds.
const MIN_STALL: Duration = Duration::from_millis(20);

/// Maximum time for a probe.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Observations of one phase.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Times of the probes, without the stalls of the machine meanwhile.
    pub probes: Vec<Duration>,
    /// Stalls of the machine during probes.
    pub stalled: Duration,
    pub failures: Vec<String>,
    pub memory_bytes: u64,
    pub open_files: usize,
}

impl Observed {
    pub fn slowest(&self) -> Duration {
        self.probes.iter().max().copied().unwrap_or_default()
    }

    /// Returns the time within which 99 of 100 probes are answered.
    pub fn percentile_99(&self) -> Duration {
        let mut sorted = self.probes.clone();
        sorted.sort();
        sorted
            .get((sorted.len() * 99 / 100).min(sorted.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }
}

/// A thread that observes a service. Ends when dropped.
pub struct Observer {
    observed: Arc<Mutex<Observed>>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Observer {
    pub fn start(target: &Target) -> Self {
        let observed = Arc::new(Mutex::new(Observed::default()));
        let done = Arc::new(AtomicBool::new(false));
        let (port, tls, process) =
            (target.service.port, target.tls.clone(), target.service.process());
        let (seen, end) = (observed.clone(), done.clone());
        let stalls = Stalls::observe(&done);
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let (start, before) = (Instant::now(), stalls.total());
                let outcome = probe(port, tls.as_ref());
                let elapsed = start.elapsed();
                let stalled = stalls.total().saturating_sub(before).min(elapsed);
                let mut seen = seen.lock().unwrap();
                seen.stalled += stalled;
                match outcome {
                    Ok(()) => seen.probes.push(elapsed - stalled),
                    Err(error) => {
                        seen.failures.push(format!("{error} after {:?}", start.elapsed()));
                    }
                }
                seen.memory_bytes = seen.memory_bytes.max(process.resident_memory());
                seen.open_files = seen.open_files.max(process.open_files());
                drop(seen);
                std::thread::park_timeout(PROBE_INTERVAL.saturating_sub(start.elapsed()));
            }
        });
        Self { observed, done, thread: Some(thread) }
    }

    /// Returns the observations since the last call: the slowest probe, the peaks.
    pub fn take(&self) -> Observed {
        std::mem::take(&mut self.observed.lock().unwrap())
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// The stalls of the machine, as a thread finds them that only sleeps.
struct Stalls(Arc<AtomicU64>);

impl Stalls {
    /// Starts the thread, which ends when `done` is set.
    fn observe(done: &Arc<AtomicBool>) -> Self {
        const NAP: Duration = Duration::from_millis(1);
        let total = Arc::new(AtomicU64::new(0));
        let (sum, done) = (total.clone(), done.clone());
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let start = Instant::now();
                std::thread::park_timeout(NAP);
                let delay = start.elapsed().saturating_sub(NAP);
                if delay >= MIN_STALL {
                    sum.fetch_add(delay.as_micros() as u64, Ordering::Relaxed);
                }
            }
        });
        Self(total)
    }

    /// Returns the sum of all stalls so far.
    fn total(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Sends one `GET /livez` on a connection of its own, as an orchestrator does.
fn probe(port: u16, tls: Option<&Arc<ClientConfig>>) -> io::Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&address, PROBE_TIMEOUT)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
    stream.set_write_timeout(Some(PROBE_TIMEOUT))?;
    stream.set_nodelay(true)?;
    let Some(config) = tls else { return ask(&mut stream) };
    let name = ServerName::try_from("localhost").expect("a host's name");
    let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
    ask(&mut StreamOwned::new(connection, stream))
}

fn ask(stream: &mut (impl Read + Write)) -> io::Result<()> {
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    if &head == b"HTTP/1.1 200" {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()))
}
