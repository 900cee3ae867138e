//! Sockets that a service manager hands over: connections wait in them while the service starts again.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use test_support::http_client::{self, Connection};
use test_support::service::program;
use test_support::wait_for;
use tokio::process::{Child, Command};

/// Starts the registry with `socket` as systemd's socket units hand it over: as file descriptor 3, with
/// variables that name the process.
fn start(socket: &TcpListener, folder: &std::path::Path, settings: &[&str]) -> Child {
    let socket = OwnedFd::from(socket.try_clone().unwrap());
    // The shell becomes the program, so that both have the process id of `LISTEN_PID`.
    let hand_over =
        "LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$ exec \"$0\" \"$@\" 3<&0 </dev/null";
    let data = format!("data_dir={}", folder.join("data").display());
    Command::new("/bin/sh")
        .args(["-c", hand_over])
        .arg(program("registry"))
        .args(["--set", &data])
        .args(settings)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn end(mut service: Child) {
    let id = service.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(service.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn no_connection_is_refused_while_a_service_with_an_inherited_socket_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let service = start(&socket, folder.path(), &[]);
    wait_for("the service", || async { http_client::get(port, "/readyz").await.is_ok() }).await;
    let ended = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let ended = ended.clone();
        async move {
            let mut answers = 0;
            while !ended.load(Ordering::Relaxed) {
                let mut connection =
                    Connection::open(port).await.expect("connections are accepted");
                let request = "GET /livez HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
                connection.send(request.as_bytes()).await.unwrap();
                let answer = connection.read_response().await.expect("each has its answer");
                assert_eq!(answer.status, 200);
                answers += 1;
            }
            answers
        }
    });
    end(service).await;
    let service = start(&socket, folder.path(), &["--set", "http.listen=fd:web"]);
    wait_for("the next service", || async { http_client::get(port, "/readyz").await.is_ok() })
        .await;
    ended.store(true, Ordering::Relaxed);
    assert!(load.await.unwrap() > 0);
    end(service).await;
}

#[tokio::test]
async fn a_socket_that_was_not_handed_over_is_named_at_launch() {
    let arguments = ["--set", "http.listen=fd:web"];
    let output = test_support::service::run("registry", &arguments, &[]).await;
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("no socket of this name or number was handed over"), "{message}");
    assert!(message.contains("FileDescriptorName=web"), "{message}");
}
