//! Writes lines to the standard output (to the standard error while a command runs), one write for each. A
//! closed pipe, a full disk and a collector that has stopped reading cost lines, never the service.
//!
//! The thread that logs writes the line itself, so that no line is lost when the process dies. A pipe is
//! opened a second time without blocking: a hanging collector delays the service by [`WRITE_TIMEOUT`] once,
//! and lines that do not fit until it reads again are counted and dropped. Terminals, files and sockets are
//! written to directly.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::timestamp::{LogTime, date_time};

/// Time for which a full pipe is waited for before lines are dropped.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// Interval between attempts to write to a full pipe.
const RETRY_INTERVAL: Duration = Duration::from_millis(2);

/// Set while the standard output is for the output of a command instead of lines.
static TO_STDERR: AtomicBool = AtomicBool::new(false);

/// Sends further lines to the standard error, because the output of a command may be read by a program.
pub(super) fn log_to_stderr() {
    TO_STDERR.store(true, Ordering::Relaxed);
}

/// Set in a process of tests.
static CAPTURED: AtomicBool = AtomicBool::new(false);

/// Writes further lines where the test harness captures them: it shows those of tests that fail.
pub(super) fn capture_for_tests() {
    CAPTURED.store(true, Ordering::Relaxed);
}

/// Writes to the standard output, or to the standard error after [`log_to_stderr`].
pub(super) fn write(line: &str) {
    if CAPTURED.load(Ordering::Relaxed) {
        // The harness captures the output of this macro, and of the threads that a test has started; not what is
        // written to the standard output itself.
        print!("{line}");
        return;
    }
    static OUTPUT: OnceLock<Option<Mutex<LogPipe>>> = OnceLock::new();
    static ERRORS: OnceLock<Option<Mutex<LogPipe>>> = OnceLock::new();
    let to_stderr = TO_STDERR.load(Ordering::Relaxed);
    let (pipe, path) = match to_stderr {
        false => (&OUTPUT, "/proc/self/fd/1"),
        true => (&ERRORS, "/proc/self/fd/2"),
    };
    // Errors are ignored: a closed reader (`service | head`) must not end the service, and there is no other
    // place to report them.
    match pipe.get_or_init(|| LogPipe::open(Path::new(path)).map(Mutex::new)) {
        Some(pipe) => pipe.lock().write(line),
        None if to_stderr => drop(std::io::stderr().lock().write_all(line.as_bytes())),
        None => drop(std::io::stdout().lock().write_all(line.as_bytes())),
    }
}

/// A pipe opened without blocking.
struct LogPipe {
    file: File,
    /// The end of a line whose beginning has been written.
    unwritten: Vec<u8>,
    /// Set if the last line did not fit.
    stalled: bool,
    /// The number of dropped lines.
    lost: u64,
}

impl LogPipe {
    /// Opens the pipe. `None` if the output is not a pipe, or cannot be opened again.
    fn open(path: &Path) -> Option<Self> {
        path.metadata().ok().filter(|found| found.file_type().is_fifo())?;
        let file = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
        Some(Self { file, unwritten: Vec::new(), stalled: false, lost: 0 })
    }

    fn write(&mut self, line: &str) {
        let mut bytes = std::mem::take(&mut self.unwritten);
        let unwritten_len = bytes.len();
        if self.lost > 0 {
            bytes.extend_from_slice(self.notice(line.starts_with('{')).as_bytes());
        }
        bytes.extend_from_slice(line.as_bytes());
        let written = self.push(&bytes);
        self.stalled = written < bytes.len();
        if !self.stalled {
            self.lost = 0;
        } else if written <= unwritten_len {
            // Nothing of this line was written, so it can be dropped as a whole.
            self.lost += 1;
            bytes.truncate(unwritten_len);
            self.unwritten = bytes.split_off(written);
        } else {
            self.lost = 0;
            self.unwritten = bytes.split_off(written);
        }
    }

    /// Writes as much as fits, and waits for room unless the last wait was in vain. Returns the number of
    /// bytes written. A closed reader accepts everything.
    fn push(&mut self, bytes: &[u8]) -> usize {
        let begin = Instant::now();
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.stalled || begin.elapsed() >= WRITE_TIMEOUT {
                        break;
                    }
                    std::thread::park_timeout(RETRY_INTERVAL);
                }
                Err(_) => return bytes.len(),
            }
        }
        written
    }

    /// Returns a line with the number of dropped lines, in the format of the lines around it.
    fn notice(&self, json: bool) -> String {
        const LOGGER: &str = "piton.logging.output";
        let lost = self.lost;
        let message = format!("Lost {lost} lines of the log: they were not read in time");
        let mut notice = String::new();
        if json {
            notice.push_str("{\"time\":\"");
            date_time(&mut notice, LogTime::utc(), 'T');
            notice.push_str("Z\",\"level\":\"WARNING\",\"logger\":\"");
            notice + LOGGER + "\",\"message\":\"" + &message + &format!("\",\"lost\":{lost}}}\n")
        } else {
            date_time(&mut notice, LogTime::local(), ' ');
            notice + " WARNING  " + LOGGER + "   " + &message + &format!(" lost={lost}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read};
    use std::os::fd::AsRawFd;

    use super::*;

    fn pipe() -> (LogPipe, PipeReader) {
        let (reader, writer) = std::io::pipe().expect("a test may make a pipe");
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        (LogPipe::open(Path::new(&path)).expect("a pipe can be opened again"), reader)
    }

    fn line(number: usize, length: usize) -> String {
        format!("{{\"number\":{number},\"text\":\"{}\"}}\n", "x".repeat(length))
    }

    #[test]
    fn a_hanging_reader_costs_lines_and_one_timeout() {
        for length in [100, 5000, 60_000] {
            let (mut pipe, mut reader) = pipe();
            let begin = Instant::now();
            (0..2000).for_each(|number| pipe.write(&line(number, length)));
            assert!(begin.elapsed() < WRITE_TIMEOUT * 8, "{:?}", begin.elapsed());
            assert!(pipe.unwritten.len() <= length + 100 && pipe.lost > 0);
            let reading = std::thread::spawn(move || {
                let mut text = String::new();
                reader.read_to_string(&mut text).map(|_| text)
            });
            // The reader may need a moment; no line is lost to a pipe that has room again.
            pipe.stalled = false;
            pipe.write(&line(2000, length));
            pipe.write(&line(2001, length));
            drop(pipe);
            let text = reading.join().expect("no panic").expect("lines are text");
            let lines: Vec<serde_json::Value> = text
                .lines()
                .map(|line| serde_json::from_str(line).expect("every line is unwritten_len"))
                .collect();
            let lost = lines.iter().find_map(|line| line["lost"].as_u64()).expect("a notice");
            assert_eq!(usize::try_from(lost).expect("few") + lines.len() - 1, 2002);
            assert_eq!(lines[lines.len() - 1]["number"], 2001);
        }
    }

    #[test]
    fn a_closed_reader_costs_no_timeout() {
        let (mut pipe, reader) = pipe();
        drop(reader);
        let begin = Instant::now();
        (0..1000).for_each(|number| pipe.write(&line(number, 100)));
        assert!(begin.elapsed() < WRITE_TIMEOUT && pipe.unwritten.is_empty() && pipe.lost == 0);
    }

    #[test]
    fn only_pipes_are_opened_again() {
        assert!(LogPipe::open(Path::new("/dev/null")).is_none());
        assert!(LogPipe::open(Path::new("/nowhere")).is_none());
    }
}
