//! Varnish as a proxy that keeps connections to a service.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::http_client;

/// A Varnish in front of one service. Killed when dropped, and its worker with it.
#[derive(Debug)]
pub struct Varnish {
    /// Port on the loopback.
    pub port: u16,
    _child: Child,
    _folder: TempDir,
}

impl Varnish {
    /// Starts one in front of the service on `port`.
    ///
    /// # Panics
    /// If Varnish is not installed (`apt-get install varnish`) or does not start.
    pub async fn start(service: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = crate::free_port();
        let child = Command::new("varnishd")
            .args(["-F", "-j", "none", "-s", "default,32m", "-p", "feature=+http2"])
            .args(["-a", &format!("127.0.0.1:{port}"), "-b", &format!("127.0.0.1:{service}")])
            .arg("-n")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("Varnish starts: apt-get install varnish");
        let varnish = Self { port, _child: child, _folder: folder };
        crate::wait_for("Varnish to answer", || async {
            http_client::get(port, "/livez").await.is_ok_and(|answer| answer.status == 200)
        })
        .await;
        varnish
    }
}
