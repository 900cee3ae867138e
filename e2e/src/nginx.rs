//! nginx, as it stands before replicas.

use std::fmt::Write;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::client;

/// An nginx that balances between services. It is killed when dropped.
#[derive(Debug)]
pub struct Nginx {
    /// Where it listens.
    pub port: u16,
    _child: Child,
    _folder: TempDir,
}

impl Nginx {
    /// Starts one before the services on `ports`. `keepalive` keeps connections to them open, which
    /// is faster and harder on a service that stops.
    ///
    /// # Panics
    /// If nginx is not installed (`apt-get install nginx-light`) or does not start.
    pub async fn start(ports: &[u16], keepalive: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = crate::free_port();
        let config = folder.path().join("nginx.conf");
        let text = configuration(port, ports, keepalive, &folder.path().to_string_lossy());
        std::fs::write(&config, text).expect("the folder can be written to");
        let child = Command::new("nginx")
            .args(["-e", "stderr", "-c"])
            .arg(&config)
            .arg("-p")
            .arg(folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nginx starts: apt-get install nginx-light");
        let nginx = Self { port, _child: child, _folder: folder };
        crate::wait_for("nginx to answer", || async { client::get(port, "/livez").await.is_ok() })
            .await;
        nginx
    }
}

/// One process and not a master with workers: whoever kills it has killed all of it.
///
/// Otherwise Debian's nginx with its defaults, among them when it tries the next server: on errors and
/// timeouts, and not a second time for what may have been done already.
fn configuration(port: u16, ports: &[u16], keepalive: bool, folder: &str) -> String {
    let mut servers = String::new();
    for port in ports {
        let _ = write!(servers, "server 127.0.0.1:{port} max_fails=0; ");
    }
    let (kept, version) = if keepalive {
        ("keepalive 32;", "proxy_http_version 1.1; proxy_set_header Connection '';")
    } else {
        ("", "")
    };
    format!(
        "daemon off; master_process off; pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off; error_log stderr crit;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream replicas {{ {servers} {kept} }}
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://replicas; {version} }} }}
}}
"
    )
}
