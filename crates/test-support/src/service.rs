//! A built service as a process.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};

use tokio::process::{Child, Command};

use crate::cgroup::Cgroup;
use crate::http_client;

/// Returns the path of the program `name`, which Cargo builds next to the tests.
///
/// # Panics
/// If it has not been built; the message names the command that does.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a program");
    let folder =
        test.parent().and_then(|deps| deps.parent()).expect("tests lie in target/<profile>/deps");
    let program = folder.join(name);
    assert!(program.is_file(), "{} is missing: cargo build -p {name}", program.display());
    program
}

/// Runs the program to its end, with an environment and a folder of its own.
///
/// # Panics
/// If it cannot be started.
pub async fn run(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(program(name));
    command.current_dir(folder.path()).env_clear().envs(variables.iter().copied()).args(arguments);
    command.output().await.expect("the program starts")
}

/// Returns the program's stdout and stderr: appended to `log`, or discarded and those of the test.
fn outputs(log: Option<&Path>) -> (Stdio, Stdio) {
    let Some(path) = log else { return (Stdio::null(), Stdio::inherit()) };
    let file = || {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        Stdio::from(file.expect("the log can be written"))
    };
    (file(), file())
}

/// A running service. Killed when dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    /// Port on the loopback.
    pub port: u16,
    _folder: tempfile::TempDir,
}

impl Service {
    /// Starts the program `name` on `port`, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub async fn start(name: &str, port: u16, arguments: &[&str]) -> Self {
        Self::start_logging_to(Stdio::null(), name, port, arguments).await
    }

    /// Starts it with its log going to `log`. The reading end of a pipe is closed at once.
    ///
    /// # Panics
    /// If it does not become ready.
    pub async fn start_logging_to(
        log: impl Into<Stdio>,
        name: &str,
        port: u16,
        arguments: &[&str],
    ) -> Self {
        let port_text = port.to_string();
        let host = ["--host", "127.0.0.1", "--port", &port_text];
        let arguments = [&host, arguments].concat();
        let output = (log.into(), Stdio::inherit());
        let service = Self::launch(name, port, &arguments, &[], output);
        service.ready().await;
        service
    }

    /// Starts the program `name`, which will listen on `port` if `arguments` and `variables` say so,
    /// in a folder of its own, and waits for nothing. What it prints goes to `log`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn spawn(
        name: &str,
        port: u16,
        arguments: &[&str],
        variables: &[(&str, &str)],
        log: Option<&Path>,
    ) -> Self {
        Self::launch(name, port, arguments, variables, outputs(log))
    }

    /// Starts the program as [`spawn`](Self::spawn) does, as a process of the control group.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn spawn_in(
        group: &Cgroup,
        name: &str,
        port: u16,
        arguments: &[&str],
        variables: &[(&str, &str)],
        log: Option<&Path>,
    ) -> Self {
        // The shell enters the group before it becomes the program, because memory used earlier
        // would be charged to another group.
        let mut command = Command::new("/bin/sh");
        let enter = "echo $$ > \"$0\" && exec \"$@\"";
        command.args(["-c", enter]).arg(group.procs()).arg(program(name));
        Self::launch_by(command, port, arguments, variables, outputs(log))
    }

    fn launch(
        name: &str,
        port: u16,
        arguments: &[&str],
        variables: &[(&str, &str)],
        outputs: (Stdio, Stdio),
    ) -> Self {
        Self::launch_by(Command::new(program(name)), port, arguments, variables, outputs)
    }

    fn launch_by(
        mut command: Command,
        port: u16,
        arguments: &[&str],
        variables: &[(&str, &str)],
        (output, errors): (Stdio, Stdio),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut child = command
            .current_dir(folder.path())
            .env_clear()
            .envs(variables.iter().copied())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        Self { child, port, _folder: folder }
    }

    /// Waits until the service is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub async fn ready(&self) {
        crate::wait_for("the service to be ready", || self.is_ready(true)).await;
    }

    /// Returns whether `/readyz` responds with ready (`true`) or not ready.
    pub async fn is_ready(&self, ready: bool) -> bool {
        let wanted = if ready { 200 } else { 503 };
        http_client::get(self.port, "/readyz").await.is_ok_and(|answer| answer.status == wanted)
    }

    /// Returns the peak of its resident memory in bytes.
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn peak_memory(&self) -> u64 {
        self.process().status_bytes("VmHWM:")
    }

    /// Returns the process, to be observed from any thread.
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn process(&self) -> Process {
        Process(self.child.id().expect("it runs"))
    }

    /// Sends a signal, such as `TERM`.
    ///
    /// # Panics
    /// If it has ended already.
    pub async fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().await;
        assert!(sent.expect("`kill` is there").success(), "SIG{signal} to {pid}");
    }

    /// Waits for its exit.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub async fn ended(mut self) -> ExitStatus {
        self.child.wait().await.expect("a child can be waited for")
    }
}

/// The process of a service, as Linux describes it.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Process {
    /// Returns its resident memory in bytes, or 0 if it has ended.
    #[must_use]
    pub fn resident_memory(self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// Returns the number of its open files, or 0 if it has ended.
    #[must_use]
    pub fn open_files(self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.0)).map_or(0, Iterator::count)
    }

    fn status_bytes(self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0 kB");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024
    }
}
