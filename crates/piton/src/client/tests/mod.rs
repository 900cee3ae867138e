//! Calls through the public API to servers of these tests.

mod errors;
mod private_addresses;
mod propagation;
mod redirects;
mod responses;
mod retries;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::AbortHandle;

use super::*;
use crate::http::{Input, Operation};
use crate::part::Health;
use crate::prelude::App;
use crate::testing::TestApp;

/// Starts the calling service.
async fn caller(app: App) -> TestApp {
    TestApp::new(app.enable::<External>()).await
}

fn app() -> App {
    App::new("caller")
}

/// A server that answers the first request with the first text, and so on; the last text repeats.
/// "hang" ends the response without closing the connection, "break" closes it.
struct Scripted {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Scripted {
    async fn new(answers: &[&str]) -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").await.unwrap(), answers)
    }

    fn at(listener: TcpListener, answers: &[&str]) -> Self {
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<String> = answers.iter().map(|it| (*it).to_owned()).collect();
        let task = tokio::spawn(serve(listener, answers, seen.clone())).abort_handle();
        Self { address, seen, task }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the requests so far, heads and bodies.
    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, answers: Vec<String>, seen: Arc<Mutex<Vec<String>>>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((mut socket, _)) = listener.accept().await else { return };
        let (answers, seen) = (answers.clone(), seen.clone());
        connections.spawn(async move {
            let request = read_request(&mut socket).await;
            let number = {
                let mut seen = seen.lock().unwrap();
                seen.push(request);
                seen.len() - 1
            };
            let answer = answers.get(number).or(answers.last()).unwrap();
            if answer == "break" {
                return;
            }
            let sent = answer.strip_suffix("hang").unwrap_or(answer);
            let _ = socket.write_all(sent.as_bytes()).await;
            if sent.len() < answer.len() {
                std::future::pending::<()>().await;
            }
            let _ = socket.shutdown().await;
        });
    }
}

/// Reads the head and, if it has a length or is chunked, the body.
async fn read_request(socket: &mut TcpStream) -> String {
    let mut all = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split_once("content-length: ").map(|(_, rest)| {
                rest.split("\r\n").next().unwrap().parse::<usize>().expect("a length")
            });
            let whole = body.len() >= length.unwrap_or(0)
                && (!head.contains("chunked") || body.ends_with("0\r\n\r\n"));
            if whole {
                return text;
            }
        }
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&all).into_owned(),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Returns a response with a body.
fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

fn ok(body: &str) -> String {
    answer("200 OK", "", body)
}

/// An address on which no server listens yet, reserved for this test.
struct ReservedAddress {
    address: SocketAddr,
    socket: TcpSocket,
}

impl ReservedAddress {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { address: socket.local_addr().unwrap(), socket }
    }

    /// Starts a server on the address.
    fn start(self, answers: &[&str]) -> Scripted {
        Scripted::at(self.socket.listen(64).unwrap(), answers)
    }
}

/// Returns a header of a recorded request.
fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let head = request.split("\r\n\r\n").next()?;
    head.split("\r\n")
        .filter_map(|line| line.split_once(": "))
        .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
}
