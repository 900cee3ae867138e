//! The Python programs that Piton is compared with: real Flask, real Flask-JWT-Extended, real Gnar Gear.
//!
//! Their environments are made by `cargo xtask python`. One that is missing fails the test: a
//! comparison that is skipped is believed to have passed.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Maximum time for a program to start, or to end after it was asked to.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The Python of the environment `name`, such as `gnar`.
///
/// # Panics
/// If it has not been made.
#[must_use]
pub fn interpreter(name: &str) -> PathBuf {
    let python = workspace().join("target/python").join(name).join("bin/python");
    assert!(python.exists(), "{} is missing: run `cargo xtask python` first", python.display());
    python
}

/// A file of `e2e/python/<name>`.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn script(name: &str, file: &str) -> PathBuf {
    let path = workspace().join("e2e/python").join(name).join(file);
    assert!(path.exists(), "there is no {}", path.display());
    path
}

/// The workspace of the test that runs; that of the build may be another that shares its target folder.
pub(crate) fn workspace() -> PathBuf {
    let built = || env!("CARGO_MANIFEST_DIR").into();
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(built, PathBuf::from);
    let is_workspace = |folder: &&Path| folder.join("e2e/python").is_dir();
    manifest.ancestors().find(is_workspace).expect("the tests run inside the workspace").to_owned()
}

/// A running Python server. Stopped when dropped.
#[derive(Debug)]
pub struct PythonServer {
    child: Child,
    /// Port on the loopback.
    pub port: u16,
    folder: TempDir,
}

impl PythonServer {
    /// Starts `e2e/python/<name>/<file> PORT ARGUMENTS..` on a free port, in a folder of its own, with no
    /// variables but `variables`, and waits until the port takes connections.
    ///
    /// # Panics
    /// If it does not start, with what it printed.
    #[must_use]
    pub fn start(name: &str, file: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_on(crate::free_port(), name, file, arguments, variables)
    }

    /// Starts one on a port that another program has to know before.
    ///
    /// # Panics
    /// If it does not start, with what it printed.
    #[must_use]
    pub fn start_on(
        port: u16,
        name: &str,
        file: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = File::create(folder.path().join("output")).expect("the folder is ours");
        let errors = output.try_clone().expect("a file can be shared");
        let child = command(name, file, variables)
            .arg(port.to_string())
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("Python starts");
        let mut peer = Self { child, port, folder };
        peer.wait_until_it_listens();
        peer
    }

    /// Returns its output so far, standard output and standard error.
    #[must_use]
    pub fn output(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("output")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns its working folder, which is removed when it stops.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn wait_until_it_listens(&mut self) {
        let begin = Instant::now();
        loop {
            let ended = self.child.try_wait().expect("a child can be asked");
            let late = begin.elapsed() > START_TIMEOUT;
            assert!(ended.is_none() && !late, "{ended:?}, the peer said:\n{}", self.output());
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for PythonServer {
    fn drop(&mut self) {
        end(&mut self.child);
        if std::thread::panicking() {
            eprintln!("the peer on port {} said:\n{}", self.port, self.output());
        }
    }
}

/// A running Python program that listens nowhere, such as a worker. Stopped when dropped.
#[derive(Debug)]
pub struct PythonProgram {
    child: Child,
    folder: TempDir,
}

impl PythonProgram {
    /// Starts `e2e/python/<name>/<file> ARGUMENTS..` in a folder of its own, with no variables but `variables`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(name: &str, file: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = File::create(folder.path().join("output")).expect("the folder is ours");
        let errors = output.try_clone().expect("a file can be shared");
        let child = command(name, file, variables)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("Python starts");
        Self { child, folder }
    }

    /// Returns its output so far, standard output and standard error.
    #[must_use]
    pub fn output(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("output")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Kills it, as the kernel does when memory is short.
    ///
    /// # Panics
    /// If it has ended already.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        let _ = self.child.wait();
    }
}

impl Drop for PythonProgram {
    fn drop(&mut self) {
        end(&mut self.child);
        if std::thread::panicking() {
            eprintln!("the Python program said:\n{}", self.output());
        }
    }
}

/// A script that responds to each line of input with one line.
#[derive(Debug)]
pub struct Dialogue {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Dialogue {
    /// Starts `e2e/python/<name>/<file> ARGUMENTS..`, with no variables but `variables`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(name: &str, file: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = command(name, file, variables)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, input, output }
    }

    /// Sends a line and returns the script's response, without the line end.
    ///
    /// # Panics
    /// If the script has ended; why is in what it wrote to stderr.
    pub fn ask(&mut self, line: &str) -> String {
        assert!(!line.contains('\n'), "a question is one line: {line}");
        writeln!(self.input, "{line}").expect("the script reads its input");
        let mut answer = String::new();
        let read = self.output.read_line(&mut answer).expect("the script writes text");
        assert!(read > 0, "the script ended on: {line}");
        answer.truncate(answer.trim_end_matches('\n').len());
        answer
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Returns a command with an environment of its own. Compiled files are not written next to the
/// sources.
fn command(name: &str, file: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(interpreter(name));
    command
        .env_clear()
        .envs([("PYTHONUNBUFFERED", "1"), ("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONUTF8", "1")])
        .envs(variables.iter().copied())
        .arg(script(name, file));
    command
}

/// Asks the program to end, so that it can end its own children, and kills it after a while.
fn end(child: &mut Child) {
    // The id of one that was waited for may be another process by now.
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    let _ = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    let begin = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && begin.elapsed() < START_TIMEOUT {
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
}
