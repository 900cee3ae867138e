//! A private Redis server, in a temporary folder, on a free port of the loopback, with the failures
//! that may happen to one. And a sentinel.

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A Redis server. Saves nothing to disk unless told to ([`save`](Self::save)). Stopped when
/// dropped, and when the thread that started it ends.
#[derive(Debug)]
pub struct Redis {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
    password: Option<String>,
}

/// A sentinel that monitors one master, called `mymaster`, and fails over by itself.
#[derive(Debug)]
pub struct Sentinel(Redis);

impl Redis {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    /// If Redis is not installed (`apt-get install redis-server`) or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with options, each as on the command line: `["--maxmemory", "4mb"]`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(options: &[&str]) -> Self {
        let mut server = Self::new(options);
        server.start_again();
        server
    }

    /// Starts a server that requires a password.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_password(password: &str) -> Self {
        let mut server = Self::new(&["--requirepass", password, "--masterauth", password]);
        server.password = Some(password.to_owned());
        server.start_again();
        server
    }

    /// Starts a server that accepts TLS only, as `localhost`. Also returns the path of the
    /// authority's certificate.
    ///
    /// # Panics
    /// As [`start`](Self::start), and if `openssl` is not installed.
    #[must_use]
    pub fn start_with_tls() -> (Self, PathBuf) {
        let mut server = Self::new(&[]);
        crate::certificates::make_for(server.folder.path(), "DNS:localhost");
        let file = |name: &str| server.folder.path().join(name).to_string_lossy().into_owned();
        let (port, authority) =
            (server.port.to_string(), server.folder.path().join("authority.pem"));
        let (cert, key, ca) = (file("server.pem"), file("server.key"), file("authority.pem"));
        let options = ["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"];
        let files = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
        server.arguments =
            [&options[..], &files[..]].concat().into_iter().map(str::to_owned).collect();
        server.start_again();
        (server, authority)
    }

    /// Starts a replica of another server.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_replica_of(master: &Self) -> Self {
        let replica = Self::start_with(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
        let begin = Instant::now();
        while !replica.command(&["INFO", "replication"]).contains("master_link_status:up") {
            assert!(begin.elapsed() < Duration::from_secs(30), "the replica does not follow");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        replica
    }

    fn new(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = crate::free_port();
        let port_options = ["--port".to_owned(), port.to_string()];
        let arguments = port_options
            .into_iter()
            .chain(options.iter().map(|&option| option.to_owned()))
            .collect();
        Self { child: None, folder, port, arguments, password: None }
    }

    /// Starts the server again after [`stop`](Self::stop) or [`kill`](Self::kill), on the same port,
    /// with what was last saved.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        let mut command = watched("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--repl-diskless-sync-delay", "0", "--dir"]).arg(self.folder.path());
        command.args(&self.arguments);
        self.spawn(command);
    }

    fn spawn(&mut self, mut command: Command) {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child =
            command.spawn().expect("redis-server is installed (apt-get install redis-server)");
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "redis-server ended at once: {ended:?}");
            assert!(begin.elapsed() < Duration::from_secs(30), "redis-server did not start");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        self.child = Some(child);
    }

    /// Stops it with SIGTERM.
    pub fn stop(&mut self) {
        self.end("TERM");
    }

    /// Kills it, as a power failure would.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    fn end(&mut self, name: &str) {
        if let Some(mut child) = self.child.take() {
            signal(child.id(), name);
            let _ = child.wait();
        }
    }

    /// Suspends it: connections stay open, and get no response.
    ///
    /// # Panics
    /// If it does not run.
    pub fn freeze(&self) {
        signal(self.child.as_ref().expect("it runs").id(), "STOP");
    }

    /// Resumes it.
    ///
    /// # Panics
    /// If it does not run.
    pub fn thaw(&self) {
        signal(self.child.as_ref().expect("it runs").id(), "CONT");
    }

    /// Saves its data to disk, which it has again after the next start.
    ///
    /// # Panics
    /// If it cannot.
    pub fn save(&self) {
        assert_eq!(self.command(&["SAVE"]), "OK");
    }

    /// Runs a command by `redis-cli`, and returns its output, one line per part.
    ///
    /// # Panics
    /// If `redis-cli` is not there.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> String {
        let output = self.cli().args(words).output().expect("redis-cli is installed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs a command whose last argument is `bytes`: any, and as many as there are.
    ///
    /// # Panics
    /// If `redis-cli` is not there, or fails.
    pub fn command_with(&self, words: &[&str], bytes: &[u8]) {
        let mut command = self.cli();
        command.arg("-x").args(words).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("redis-cli is installed");
        let mut input = child.stdin.take().expect("it is piped");
        input.write_all(bytes).expect("redis-cli reads its input");
        drop(input);
        assert!(child.wait().expect("a child can be waited for").success(), "{words:?}");
    }

    fn cli(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]);
        if let Some(password) = &self.password {
            command.args(["--no-auth-warning", "-a", password]);
        }
        if self.arguments.iter().any(|argument| argument == "--tls-port") {
            command.args(["--tls", "-h", "localhost", "--cacert"]);
            command.arg(self.folder.path().join("authority.pem"));
        }
        command
    }

    /// Returns its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its URL, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            // Resumed first, because a suspended process reacts to no other signal.
            signal(child.id(), "CONT");
        }
        self.kill();
    }
}

impl Sentinel {
    /// Starts a sentinel that monitors `master`, and considers it down after half a second.
    ///
    /// # Panics
    /// As [`Redis::start`].
    #[must_use]
    pub fn start(master: &Redis) -> Self {
        let mut sentinel = Redis::new(&[]);
        let file = sentinel.folder.path().join("sentinel.conf");
        let lines = [
            format!("port {}", sentinel.port),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", sentinel.folder.path().display()),
            format!("sentinel monitor mymaster 127.0.0.1 {} 1", master.port),
            "sentinel down-after-milliseconds mymaster 500".to_owned(),
            "sentinel failover-timeout mymaster 3000".to_owned(),
        ];
        std::fs::write(&file, lines.join("\n")).expect("it is ours");
        let mut command = watched("redis-server");
        command.arg(&file).arg("--sentinel");
        sentinel.spawn(command);
        Self(sentinel)
    }

    /// Returns its address as `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.0.port)
    }

    /// Returns the port of the server that it considers the master.
    #[must_use]
    pub fn master(&self) -> Option<u16> {
        let answer = self.0.command(&["SENTINEL", "get-master-addr-by-name", "mymaster"]);
        answer.lines().nth(1)?.parse().ok()
    }

    /// Returns whether it knows the replica that would take over.
    #[must_use]
    pub fn knows_replica(&self) -> bool {
        self.0.command(&["SENTINEL", "replicas", "mymaster"]).contains("master-link-status\nok")
    }
}

/// Returns a command that the kernel stops when this process ends.
fn watched(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
}
