//! Runs programs that print what they have measured: a name and a number a line.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::bench::{processes, server};
use crate::command::{Cmd, Result, pause};

/// Maximum time of a worker to exit after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Measured values by their names.
#[derive(Clone, Debug, Default)]
pub struct Numbers(HashMap<String, f64>);

impl Numbers {
    /// Returns a value, or NaN if it was not measured.
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(f64::NAN)
    }

    pub fn set(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value);
    }

    /// Copies values of another program, each under a name of its own: `(here, there)`.
    pub fn take(&mut self, other: &Self, names: &[(&str, &str)]) {
        for (here, there) in names {
            self.set(here, other.get(there));
        }
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn read(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        let pairs = pairs.filter_map(|(name, number)| {
            Some((name.to_owned(), number.trim().parse::<f64>().ok()?))
        });
        Self(pairs.collect())
    }
}

/// Runs a program to its end, and returns what it prints.
///
/// # Errors
/// When it cannot be started, or fails.
pub fn numbers(command: &mut Command) -> Result<Numbers> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} has failed: {}", output.status).into());
    }
    Ok(Numbers::read(&String::from_utf8_lossy(&output.stdout)))
}

/// Runs a worker, and while it runs a program that sends what it does. Returns what the worker prints.
///
/// # Errors
/// When one of both cannot be started, or fails.
pub fn numbers_while_sending(worker: &mut Command, mut sender: Command) -> Result<Numbers> {
    let sending = thread::spawn(move || {
        // Waits for the worker, so that its start is not measured.
        pause(Duration::from_millis(500));
        numbers(&mut sender).map_err(|error| error.to_string())
    });
    let measured = numbers(worker)?;
    sending.join().map_err(|_| "the sender has panicked")??;
    Ok(measured)
}

/// A worker without tasks. Killed when dropped.
pub struct IdleWorker(Child);

impl IdleWorker {
    /// Starts the program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?))
    }

    /// Measures memory and processor time over `time`, after a while in which the start is forgotten.
    ///
    /// # Errors
    /// When it has ended.
    pub fn measure(mut self, time: Duration) -> Result<Numbers> {
        pause(Duration::from_secs(5));
        let pid = self.0.id();
        let (start, cpu) = (Instant::now(), processes::cpu_time(pid)?);
        pause(time);
        let share = (processes::cpu_time(pid)? - cpu).as_secs_f64() / start.elapsed().as_secs_f64();
        let mut numbers = Numbers::default();
        numbers.set("idle_cpu_percent", 100.0 * share);
        numbers.set("idle_memory_mb", processes::memory(pid)?);
        self.stop()?;
        Ok(numbers)
    }

    // By SIGTERM, because Celery's main process ends the others.
    fn stop(&mut self) -> Result<()> {
        Cmd::new("sh -c").arg(format!("kill -TERM {}", self.0.id())).read()?;
        let start = Instant::now();
        while start.elapsed() < STOP_TIMEOUT && self.0.try_wait()?.is_none() {
            pause(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for IdleWorker {
    fn drop(&mut self) {
        // Errors are ignored, because both fail only after its exit.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Creates an empty folder for files of a measurement.
///
/// # Errors
/// When it cannot be made.
pub fn empty_folder(name: &str) -> Result<PathBuf> {
    let folder = server::scratch(name)?;
    fs::remove_dir_all(&folder)?;
    server::scratch(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_and_a_number() {
        let numbers = Numbers::read("rate 12.5\nsome banner\nworker: Warm shutdown\n");
        assert!((numbers.get("rate") - 12.5).abs() < 1e-9);
        assert!(numbers.get("some").is_nan());
    }

    #[test]
    fn a_program_that_fails_is_an_error() {
        let error = numbers(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(error.contains("exit status: 3"), "{error}");
    }
}
