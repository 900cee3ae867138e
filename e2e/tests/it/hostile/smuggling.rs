//! Requests that a proxy and a service might delimit differently, sent through nginx: none may reach the
//! service as two, and no other client may get its response.

use test_support::http_client;
use test_support::nginx::Nginx;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::target::Target;

/// The request that is hidden in the body of another. Nothing but this asks for the path.
const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nhost: localhost\r\nx: ";

/// Heads with two lengths, or one that only one side understands. `{n}` is the length of the body.
const HEADS: [&str; 16] = [
    "content-length: {n}\r\ntransfer-encoding: chunked\r\n",
    "transfer-encoding: chunked\r\ncontent-length: {n}\r\n",
    "content-length: {n}\r\ntransfer-encoding: xchunked\r\n",
    "content-length: {n}\r\ntransfer-encoding : chunked\r\n",
    "content-length: {n}\r\ntransfer-encoding: \tchunked\r\n",
    "content-length: {n}\r\ntransfer-encoding:\u{b}chunked\r\n",
    "content-length: {n}\r\n transfer-encoding: chunked\r\n",
    "content-length: {n}\r\nx: y\ntransfer-encoding: chunked\r\n",
    "content-length: {n}\r\nx: y\rtransfer-encoding: chunked\r\n",
    "content-length: {n}\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n",
    "content-length: {n}\r\ntransfer-encoding: chunked, identity\r\n",
    "content-length: {n}\r\ncontent-length: 0\r\n",
    "content-length: 0\r\ncontent-length: {n}\r\n",
    "content-length: 0, {n}\r\n",
    "content-length: 0\r\ncontent_length: {n}\r\n",
    "content-length: +{n}\r\n",
];

/// Sends all pairs at least once, and again until then. Returns how many were sent, and the faults.
pub async fn attack(target: &Target, until: Instant) -> (usize, Vec<String>) {
    let nginx = Nginx::start(&[target.service.port], true).await;
    let (mut sent, mut faults) = (0, Vec::new());
    while sent == 0 || Instant::now() < until {
        faults.extend(send_all(&nginx).await);
        sent += HEADS.len();
    }
    let reached = http_client::get(target.service.port, "/smuggled/count").await;
    let reached = String::from_utf8_lossy(&reached.unwrap().body).into_owned();
    if reached != "0" {
        faults.push(format!("{reached} hidden requests reached the service"));
    }
    (sent, faults)
}

/// Sends each pair, followed by requests of another client on the same kept connections of the proxy. Returns the
/// faults.
async fn send_all(nginx: &Nginx) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, head) in HEADS.iter().enumerate() {
        let body = format!("0\r\n\r\n{HIDDEN}");
        let head = head.replace("{n}", &body.len().to_string());
        let request = format!("POST /echo HTTP/1.1\r\nhost: localhost\r\n{head}\r\n{body}");
        let response = send(nginx.port, request.as_bytes()).await;
        for repeat in 0..3 {
            let number = (index * 10 + repeat).to_string();
            let next = http_client::get(nginx.port, &format!("/number/{number}")).await;
            let is_own = next
                .as_ref()
                .is_ok_and(|next| next.status == 200 && next.body == number.as_bytes());
            if !is_own {
                faults.push(format!("{head:?} ({response}): then {next:?}"));
            }
        }
    }
    faults
}

/// Sends it, and returns the first line of the response.
async fn send(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let _ = stream.write_all(request).await;
    let mut response = Vec::new();
    let read = stream.read_buf(&mut response);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), read).await;
    String::from_utf8_lossy(&response).lines().next().unwrap_or_default().to_owned()
}
