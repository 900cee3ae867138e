//! PgBouncer in front of a PostgreSQL server, as packaged by Debian, on a free port of the
//! loopback.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::postgres::{as_postgres, is_root, run, signal, wait_until_url_answers};

/// A connection pooler. Stopped when dropped, and when the thread that started it ends.
#[derive(Debug)]
pub struct PgBouncer {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts a pooler in front of the server of `url` (`postgres://postgres@host:port/database`).
    /// `pool_mode` is `session` or `transaction`; `more` are further lines of its configuration.
    ///
    /// # Panics
    /// If PgBouncer is not installed (`apt-get install pgbouncer`) or does not start.
    #[must_use]
    pub fn start(url: &str, pool_mode: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (server, database) = url.rsplit_once('/').expect("a URL has a path");
        let (_, endpoint) = server.rsplit_once('@').expect("a URL has a user");
        let (host, server_port) = endpoint.split_once(':').expect("a URL has a port");
        let port = crate::free_port();
        let path = |name: &str| folder.path().join(name);
        // Few sessions for many clients, so that consecutive transactions of a client get different
        // ones.
        let settings = format!(
            "[databases]\n* = host={host} port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
             pool_mode = {pool_mode}\ndefault_pool_size = {}\nserver_round_robin = 1\nlogfile = {}\n{more}\n",
            path("users").display(),
            if pool_mode == "session" { 20 } else { 3 },
            path("log").display(),
        );
        std::fs::write(path("pgbouncer.ini"), settings).expect("it is ours");
        std::fs::write(path("users"), "\"postgres\" \"\"\n").expect("it is ours");
        if is_root() {
            run(Command::new("chown").arg("-R").arg("postgres").arg(folder.path()));
        }
        let mut command = as_postgres(Path::new("/usr/sbin/pgbouncer"));
        command.arg("--quiet").arg(path("pgbouncer.ini"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("pgbouncer starts");
        let url = format!("postgres://postgres@127.0.0.1:{port}/{database}");
        let pooler = Self { child, url, _folder: folder };
        wait_until_url_answers(port, &pooler.url);
        pooler
    }

    /// Returns the URL of the database through the pooler.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        signal(self.child.id(), "QUIT");
        let _ = self.child.wait();
    }
}
