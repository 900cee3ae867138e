//! nginx as a load balancer of replicas, and as a reverse proxy during a migration.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::http_client;
use crate::python::workspace;

/// An nginx that balances between services. Killed when dropped.
#[derive(Debug)]
pub struct Nginx {
    /// Port on the loopback.
    pub port: u16,
    _child: Child,
    _folder: TempDir,
}

impl Nginx {
    /// Starts one in front of the services on `ports`. `keepalive` keeps connections to them open,
    /// which is faster, and harder on a service that stops.
    ///
    /// # Panics
    /// If nginx is not installed (`apt-get install nginx-light`) or does not start.
    pub async fn start(ports: &[u16], keepalive: bool) -> Self {
        Self::start_to("http", ports, keepalive).await
    }

    /// Starts one in front of services that speak TLS, with kept connections. Certificates are not
    /// verified.
    ///
    /// # Panics
    /// If nginx is not installed (`apt-get install nginx-light`) or does not start.
    pub async fn start_to_tls(ports: &[u16]) -> Self {
        Self::start_to("https", ports, true).await
    }

    /// Starts one with the configuration of `docs/http.md`, in front of `upstream`: `127.0.0.1:5000`, or
    /// `unix:/run/app.sock`.
    ///
    /// # Panics
    /// If nginx is not installed (`apt-get install nginx-light`) or does not start.
    pub async fn start_documented(upstream: &str) -> Self {
        Self::start_with(|port, folder| documented_configuration(port, upstream, folder)).await
    }

    async fn start_to(scheme: &str, ports: &[u16], keepalive: bool) -> Self {
        Self::start_with(|port, folder| configuration(port, (scheme, ports), keepalive, folder))
            .await
    }

    async fn start_with(configuration: impl FnOnce(u16, &str) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = crate::free_port();
        let config = folder.path().join("nginx.conf");
        let text = configuration(port, &folder.path().to_string_lossy());
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
        crate::wait_for("nginx to answer", || async {
            http_client::get(port, "/livez").await.is_ok()
        })
        .await;
        nginx
    }
}

/// An nginx with a master and workers, as a distribution installs it: its sites are the `*.conf` of
/// a folder, which it reads again on reload. Stopped when dropped.
#[derive(Debug)]
pub struct NginxSites {
    child: std::process::Child,
    folder: TempDir,
}

impl NginxSites {
    /// Starts one that serves the `*.conf` of the folder `sites`, which may be empty.
    ///
    /// # Panics
    /// If nginx is not installed (`apt-get install nginx-light`) or does not start.
    pub async fn start(sites: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = configuration_of_sites(sites, &folder.path().to_string_lossy());
        std::fs::write(config(&folder), text).expect("the folder can be written to");
        let child = std::process::Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--", "nginx", "-e", "stderr", "-c"])
            .arg(config(&folder))
            .stdin(Stdio::null())
            .spawn()
            .expect("setpriv is part of every Linux");
        let sites = Self { child, folder };
        let pid = sites.folder.path().join("nginx.pid");
        crate::wait_for("nginx (apt-get install nginx-light)", || async { pid.exists() }).await;
        sites
    }

    /// Returns a shell function that directs `nginx -s reload` to this server.
    #[must_use]
    pub fn as_shell_function(&self) -> String {
        format!(
            "nginx() {{ command nginx -e stderr -c {} \"$@\"; }}",
            config(&self.folder).display()
        )
    }
}

impl Drop for NginxSites {
    fn drop(&mut self) {
        // Terminated instead of killed, because its workers would survive otherwise.
        let pid = self.child.id().to_string();
        let _ = std::process::Command::new("kill").args(["-s", "TERM", &pid]).status();
        let _ = self.child.wait();
    }
}

fn config(folder: &TempDir) -> PathBuf {
    folder.path().join("nginx.conf")
}

fn configuration_of_sites(sites: &Path, folder: &str) -> String {
    let directives = format!("    include {}/*.conf;", sites.display());
    whole("worker_processes 2", folder, &directives)
}

/// Returns the configuration of a single process without workers, so that killing it leaves none
/// behind, with `directives` for its requests.
fn single_process(folder: &str, directives: &str) -> String {
    whole("master_process off", folder, directives)
}

/// Returns a whole configuration: one directive about processes, and `directives` for requests.
fn whole(processes: &str, folder: &str, directives: &str) -> String {
    let temporary = temporary(folder);
    format!(
        "daemon off; {processes}; pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off; error_log stderr crit;
{temporary}
{directives}
}}
"
    )
}

/// Returns the directives for temporary folders, because the default ones are writable by root
/// alone.
fn temporary(folder: &str) -> String {
    format!(
        "    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;"
    )
}

/// Returns the configuration that `docs/http.md` shows, with another upstream and another port.
fn documented_configuration(port: u16, upstream: &str, folder: &str) -> String {
    let page = std::fs::read_to_string(workspace().join("docs/http.md"));
    let page = page.expect("the page is in the repository");
    let block = page.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next());
    let block = block.expect("the page has a configuration of nginx");
    let replaced = |text: &str, old: &str, new: &str| {
        assert!(text.contains(old), "docs/http.md has `{old}`");
        text.replace(old, new)
    };
    let block = replaced(block, "server 127.0.0.1:5000 ", &format!("server {upstream} "));
    let block = replaced(&block, "listen 80;", &format!("listen 127.0.0.1:{port};"));
    single_process(folder, &block)
}

/// Returns the configuration of a proxy for these replicas.
///
/// Everything else is Debian's default, including when it tries the next server: on errors and
/// timeouts, and never again for a request that may have had an effect.
fn configuration(
    port: u16,
    (scheme, ports): (&str, &[u16]),
    keepalive: bool,
    folder: &str,
) -> String {
    let mut servers = String::new();
    for port in ports {
        let _ = write!(servers, "server 127.0.0.1:{port} max_fails=0; ");
    }
    let (kept, version) = if keepalive {
        ("keepalive 32;", "proxy_http_version 1.1; proxy_set_header Connection '';")
    } else {
        ("", "")
    };
    let replicas = format!(
        "    upstream replicas {{ {servers} {kept} }}
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {scheme}://replicas; {version} }} }}"
    );
    single_process(folder, &replicas)
}
