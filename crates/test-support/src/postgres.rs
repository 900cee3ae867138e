//! A private PostgreSQL server, in a temporary folder, on a free port of the loopback.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

/// Variable with the superuser's URL of a server that tests share. The gate starts one and sets it.
const SHARED: &str = "PITON_TEST_POSTGRES";

/// A PostgreSQL server. Stopped when dropped, and when the thread that started it ends.
#[derive(Debug)]
pub struct Postgres {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    is_durable: bool,
}

impl Postgres {
    /// Starts a server on a new cluster, and waits until it answers. It does not wait for the disk,
    /// because no test needs its data after a power cut.
    ///
    /// # Panics
    /// If PostgreSQL is not installed (`apt-get install postgresql`) or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_new(false)
    }

    /// Starts a server whose commits wait for the disk, as in production. For measurements.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_durable() -> Self {
        Self::start_new(true)
    }

    fn start_new(is_durable: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        if is_root() {
            // Changed, because PostgreSQL refuses to run as root; Debian's packages bring a user
            // for it.
            run(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        run(as_postgres(&bin("initdb"))
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"])
            // Texts sort by their bytes, as in SQLite, so that a test which forgets to sort
            // explicitly fails here.
            .args(["--locale=C.UTF-8", "--pgdata"])
            .arg(&data));
        let mut server = Self { child: None, folder, port: crate::free_port(), is_durable };
        server.start_again();
        server
    }

    /// Starts a server that requires TLS as `localhost`. Also returns the path of the authority's
    /// certificate.
    ///
    /// # Panics
    /// As [`start`](Self::start), and if `openssl` is not installed.
    #[must_use]
    pub fn start_with_tls() -> (Self, PathBuf) {
        let mut server = Self::start();
        server.stop();
        let folder = server.folder.path().to_owned();
        make_certificates(&folder);
        let settings =
            "ssl = on\nssl_cert_file = '../server.pem'\nssl_key_file = '../server.key'\n";
        std::fs::write(folder.join("data/postgresql.auto.conf"), settings).expect("it is ours");
        server.start_again();
        (server, folder.join("authority.pem"))
    }

    /// Starts a server that requires a password of every user but its superuser.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_passwords() -> Self {
        let mut server = Self::start();
        server.stop();
        let rules =
            "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(server.folder.path().join("data/pg_hba.conf"), rules).expect("it is ours");
        server.start_again();
        server
    }

    /// Starts a standby of this server (streaming replication), which accepts no writes until it is
    /// [promoted](Self::promote).
    ///
    /// # Panics
    /// If the copy cannot be made, or does not start.
    #[must_use]
    pub fn start_standby(&self) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        run(as_postgres(&bin("pg_basebackup"))
            .args(["--host=127.0.0.1", "--username=postgres", "--write-recovery-conf"])
            .args(["--checkpoint=fast", "--no-sync", "--wal-method=stream"])
            .arg(format!("--port={}", self.port))
            .arg("--pgdata")
            .arg(folder.path().join("data")));
        let mut standby =
            Self { child: None, folder, port: crate::free_port(), is_durable: self.is_durable };
        standby.start_again();
        standby
    }

    /// Makes a standby the server that accepts writes.
    ///
    /// # Panics
    /// If it cannot be promoted.
    pub fn promote(&self) {
        run(as_postgres(&bin("pg_ctl"))
            .args(["promote", "--wait", "--pgdata"])
            .arg(self.folder.path().join("data")));
    }

    /// Runs a statement as the superuser.
    ///
    /// # Panics
    /// If it fails.
    pub fn execute(&self, sql: &str) {
        let url = self.url();
        run(Command::new(bin("psql")).args(["--quiet", "--no-psqlrc", "--command", sql, &url]));
    }

    /// Starts the server again after [`stop`](Self::stop), with the same data on the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        let mut command = as_postgres(&bin("postgres"));
        command
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(settings(self.port, self.is_durable));
        command.arg("-k").arg(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("postgres starts"));
        wait_until_it_answers(self.port);
    }

    /// Stops the server without waiting for clients (`pg_ctl stop -m fast`).
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        signal(child.id(), "INT");
        child.wait().expect("a child can be waited for");
    }

    /// Returns its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the superuser's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Panics
    /// If that does not work.
    #[must_use]
    pub fn create_database(&self) -> String {
        create_database(&self.url())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(child.id(), "QUIT");
            let _ = child.wait();
        }
    }
}

/// Creates an empty database on a shared server: the one that the environment names, or one that is
/// started for this process.
///
/// # Panics
/// If there is no server and none can be started.
#[must_use]
pub fn database() -> String {
    static OWN: OnceLock<String> = OnceLock::new();
    let named = std::env::var_os(SHARED).and_then(|url| url.into_string().ok());
    match named {
        Some(url) => create_database(&url),
        None => create_database(OWN.get_or_init(for_this_process)),
    }
}

/// Starts a server that lives as long as this process. A shell watches over it, stops it and
/// removes its folder.
fn for_this_process() -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    // On a thread that never ends, because the kernel's parent-death signal refers to the thread
    // that started a child.
    std::thread::spawn(move || {
        let mut server = Postgres::start();
        server.stop();
        let (port, folder) = (server.port, server.folder.path().to_owned());
        let mut line =
            format!("{} -D {1}/data -k {1}", bin("postgres").display(), folder.display());
        settings(port, false).iter().for_each(|word| {
            let _ = write!(line, " {word}");
        });
        let script = format!(
            "trap 'kill -QUIT $server' TERM; {line} & server=$!; wait $server; wait $server; rm -rf {}/data",
            folder.display()
        );
        let mut watch = as_postgres(Path::new("sh"));
        watch
            .args(["-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = watch.spawn().expect("a shell starts");
        wait_until_it_answers(port);
        sender.send(server.url()).expect("somebody waits for it");
        std::mem::forget(server);
        let _ = child;
        loop {
            std::thread::park();
        }
    });
    receiver.recv().expect("the server starts")
}

fn create_database(server: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // With the time, because a run of all tests starts more processes than there are process ids.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let name = format!("test_{}_{}_{number}", std::process::id(), since.as_micros());
    let sql = format!("CREATE DATABASE {name}");
    run(Command::new(bin("psql")).args(["--quiet", "--no-psqlrc", "--command", &sql, server]));
    let (address, _) = server.rsplit_once('/').expect("a URL has a path");
    format!("{address}/{name}")
}

/// Returns the path of a PostgreSQL program, in Debian's folder.
fn bin(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| name.into())
}

/// Returns the server's options: loopback only, and fast instead of safe from power failures.
fn settings(port: u16, is_durable: bool) -> Vec<String> {
    let port = port.to_string();
    let fsync = if is_durable { "fsync=on" } else { "fsync=off" };
    ["-h", "127.0.0.1", "-p", &port, "-c", fsync, "-c", "max_connections=200"]
        .map(str::to_owned)
        .to_vec()
}

/// Creates an authority and a certificate for `localhost`, with the permissions that PostgreSQL
/// requires.
fn make_certificates(folder: &Path) {
    crate::certificates::make_for(folder, "DNS:localhost");
    if is_root() {
        run(Command::new("chown").arg("postgres").arg(folder.join("server.key")));
    }
    run(Command::new("chmod").arg("600").arg(folder.join("server.key")));
    // Readable by all, because clients have to read the authority's certificate in PostgreSQL's
    // folder.
    run(Command::new("chmod").arg("755").arg(folder));
}

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// Returns a command that runs as PostgreSQL's user and that the kernel stops when this process
/// ends.
pub(crate) fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    // QUIT is an immediate stop to the server; the shell that watches over one traps TERM instead.
    let signal = if program == Path::new("sh") { "TERM" } else { "QUIT" };
    command.args(["--pdeathsig", signal, "--"]).arg(program).env_remove("PGOPTIONS");
    command.current_dir("/");
    command
}

pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

pub(crate) fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
}

/// Waits until the server accepts queries. An open port is not enough.
fn wait_until_it_answers(port: u16) {
    wait_until_url_answers(port, &format!("postgres://postgres@127.0.0.1:{port}/postgres"));
}

pub(crate) fn wait_until_url_answers(port: u16, url: &str) {
    let begin = Instant::now();
    loop {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            let asked = Command::new(bin("psql"))
                .args(["--quiet", "--no-psqlrc", "--command", "SELECT 1", url])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if asked.is_ok_and(|status| status.success()) {
                return;
            }
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "postgres did not start");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
