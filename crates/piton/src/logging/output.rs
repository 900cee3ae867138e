//! Where lines go: the standard output (the standard error while a verb runs), in one write each. A reader that is gone, a full disk and a
//! reader that has stopped reading cost lines, never the service.
//!
//! Lines are written by whoever logs, so that none is lost when the process dies. A pipe is opened
//! a second time for that, without blocking: then a collector that hangs holds up the service for
//! [`WRITE_TIMEOUT`] once, and what finds no room until it reads again is counted and left out. A
//! terminal, a file and a socket are written to as they are.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::timestamp::{LogTime, date_time};

/// How long a pipe may be full before lines are left out.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a full pipe is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(2);

/// Whether the standard output is for something else than lines.
static TO_STDERR: AtomicBool = AtomicBool::new(false);

/// From here on lines go to the standard error: a verb's output is what it was asked for, and may be
/// read by a program.
pub(super) fn log_to_stderr() {
    TO_STDERR.store(true, Ordering::Relaxed);
}

/// Writes to the standard output of the process, or to its standard error.
pub(super) fn write(line: &str) {
    static OUTPUT: OnceLock<Option<Mutex<LogPipe>>> = OnceLock::new();
    static ERRORS: OnceLock<Option<Mutex<LogPipe>>> = OnceLock::new();
    let to_stderr = TO_STDERR.load(Ordering::Relaxed);
    let (pipe, path) = match to_stderr {
        false => (&OUTPUT, "/proc/self/fd/1"),
        true => (&ERRORS, "/proc/self/fd/2"),
    };
    // A reader that is gone (`service | head`) is no reason to fail, and there is nobody to tell.
    match pipe.get_or_init(|| LogPipe::open(Path::new(path)).map(Mutex::new)) {
        Some(pipe) => pipe.lock().unwrap_or_else(PoisonError::into_inner).write(line),
        None if to_stderr => drop(std::io::stderr().lock().write_all(line.as_bytes())),
        None => drop(std::io::stdout().lock().write_all(line.as_bytes())),
    }
}

/// A pipe that does not block.
struct LogPipe {
    file: File,
    /// The end of a line whose beginning is in the pipe.
    unwritten: Vec<u8>,
    /// Whether the last line found no room.
    stalled: bool,
    /// Lines left out.
    lost: u64,
}

impl LogPipe {
    /// `None` where it is no pipe, or the system does not let us.
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
            // Nothing of this line is in the pipe.
            self.lost += 1;
            bytes.truncate(unwritten_len);
            self.unwritten = bytes.split_off(written);
        } else {
            self.lost = 0;
            self.unwritten = bytes.split_off(written);
        }
    }

    /// Writes what finds room, waiting for it unless it was waited for in vain before. Returns how
    /// much that was. A reader that is gone takes everything.
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

    /// Says how many lines are missing, in the form of those around it.
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
    fn a_reader_that_does_not_read_costs_lines_and_one_wait() {
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
    fn a_reader_that_is_gone_costs_no_wait() {
        let (mut pipe, reader) = pipe();
        drop(reader);
        let begin = Instant::now();
        (0..1000).for_each(|number| pipe.write(&line(number, 100)));
        assert!(begin.elapsed() < WRITE_TIMEOUT && pipe.unwritten.is_empty() && pipe.lost == 0);
    }

    #[test]
    fn what_is_no_pipe_is_left_as_it_is() {
        assert!(LogPipe::open(Path::new("/dev/null")).is_none());
        assert!(LogPipe::open(Path::new("/nowhere")).is_none());
    }
}
