//! The service of `e2e/examples/edges.rs`, with TLS and without.

use std::path::Path;

use test_support::free_port;
use test_support::service::Service;

const PROGRAM: &str = "examples/edges";

/// Makes jemalloc return unused memory after one second instead of ten.
const ENVIRONMENT: [(&str, &str); 1] = [("_RJEM_MALLOC_CONF", "dirty_decay_ms:1000")];

/// Starts the service without TLS.
pub async fn start() -> Service {
    Service::start(PROGRAM, free_port(), &["--set", "log.level=error"]).await
}

/// Starts the service with these settings, its log in the file `log` of `folder`. Returns when it accepts
/// connections.
pub async fn start_with(folder: &Path, settings: &[String]) -> Service {
    let port = free_port();
    let port_text = port.to_string();
    let mut arguments = vec!["--host", "127.0.0.1", "--port", &port_text];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let service =
        Service::spawn(PROGRAM, port, &arguments, &ENVIRONMENT, Some(&folder.join("log")));
    test_support::wait_for("the service to accept", || async {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;
    service
}

/// Returns the settings for TLS with the certificate that `certificates::make` has put in `folder`.
pub fn tls_settings(folder: &Path) -> [String; 2] {
    [("certificate", "server.pem"), ("key", "server.key")]
        .map(|(name, file)| format!("http.tls.{name}={}", folder.join(file).display()))
}
