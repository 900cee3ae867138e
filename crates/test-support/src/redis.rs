//! A Redis server of one's own, in a temporary folder, on a free port of the loopback: with what may
//! happen to one. And a sentinel.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server. It keeps nothing on disk unless told to ([`save`](Self::save)), is ended when dropped, and
/// dies with the thread that started it.
#[derive(Debug)]
pub struct Redis {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
    password: Option<String>,
}

/// A sentinel that watches over one master, called `mymaster`, and acts on its own.
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

    /// Starts a server that asks for a password.
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

    /// Starts a server that speaks TLS alone, as `localhost`; also says where the certificate of the
    /// authority is that vouches for it.
    ///
    /// # Panics
    /// As [`start`](Self::start), and if `openssl` is not installed.
    #[must_use]
    pub fn start_with_tls() -> (Self, PathBuf) {
        let mut server = Self::new(&[]);
        crate::certificates::make(server.folder.path());
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

    /// Starts a server that follows another.
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

    /// Ends it as an administrator would.
    pub fn stop(&mut self) {
        self.end("TERM");
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    fn end(&mut self, name: &str) {
        if let Some(mut child) = self.child.take() {
            signal(child.id(), name);
            let _ = child.wait();
        }
    }

    /// Lets it do nothing any more: its connections stay open, and nobody answers.
    ///
    /// # Panics
    /// If it does not run.
    pub fn freeze(&self) {
        signal(self.child.as_ref().expect("it runs").id(), "STOP");
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// If it does not run.
    pub fn thaw(&self) {
        signal(self.child.as_ref().expect("it runs").id(), "CONT");
    }

    /// Writes what it knows to disk: that is what it knows when it starts again.
    ///
    /// # Panics
    /// If it cannot.
    pub fn save(&self) {
        assert_eq!(self.command(&["SAVE"]), "OK");
    }

    /// Asks it something by `redis-cli`, and returns the answer, a line a part.
    ///
    /// # Panics
    /// If `redis-cli` is not there.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]);
        if let Some(password) = &self.password {
            command.args(["--no-auth-warning", "-a", password]);
        }
        if self.arguments.iter().any(|argument| argument == "--tls-port") {
            command.args(["--tls", "-h", "localhost", "--cacert"]);
            command.arg(self.folder.path().join("authority.pem"));
        }
        let output = command.args(words).output().expect("redis-cli is installed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            // One that is frozen hears nothing else.
            signal(child.id(), "CONT");
        }
        self.kill();
    }
}

impl Sentinel {
    /// Starts a sentinel that watches over `master` and takes it for gone after half a second.
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

    /// Where it listens, as `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.0.port)
    }

    /// The port of the server that it takes for the master.
    #[must_use]
    pub fn master(&self) -> Option<u16> {
        let answer = self.0.command(&["SENTINEL", "get-master-addr-by-name", "mymaster"]);
        answer.lines().nth(1)?.parse().ok()
    }

    /// Whether it knows the replica that would take over.
    #[must_use]
    pub fn knows_replica(&self) -> bool {
        self.0.command(&["SENTINEL", "replicas", "mymaster"]).contains("master-link-status\nok")
    }
}

/// A command which the kernel ends when we do.
fn watched(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
}
