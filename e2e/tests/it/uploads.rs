//! Uploads and downloads of a real process: its memory, and what clients that break off leave behind.
//!
//! The ignored one writes 10 GB: `cargo xtask chaos --only http`.

use serde_json::Value;
use test_support::http_client::get;
use test_support::service::Service;
use test_support::{free_port, wait_for};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MIB: u64 = 1 << 20;
const PROGRAM: &str = "examples/uploads";
const HEAD: &str = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n";
const TAIL: &str = "\r\n--b--\r\n";

/// Begins an upload of a file of `size` bytes.
async fn begin(port: u16, number: usize, size: u64) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let length = size + (HEAD.len() + TAIL.len()) as u64;
    let head = format!(
        "POST /files/{number} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: {length}\r\n\r\n{HEAD}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn upload(port: u16, number: usize, size: u64) {
    let mut stream = begin(port, number, size).await;
    let piece = vec![number as u8; 1 << 20];
    for _ in 0..size / MIB {
        stream.write_all(&piece).await.unwrap();
    }
    stream.write_all(TAIL.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&size.to_string()), "{answer}");
}

/// Gets the file and returns the number of its bytes, reading at most `limit` of them.
async fn download(port: u16, number: usize, limit: u64) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!("GET /files/{number} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::io::copy(&mut stream.take(limit), &mut tokio::io::sink()).await.unwrap()
}

async fn names(port: u16) -> Vec<String> {
    let answer = get(port, "/names").await.unwrap();
    let names: Value = answer.json();
    names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Uploads a hundred files at once, then downloads them at once, and returns by how much the memory has grown.
async fn a_hundred_at_once(size: u64) -> u64 {
    let service = Service::start(PROGRAM, free_port(), &[]).await;
    let port = service.port;
    assert!(names(port).await.is_empty());
    let before = service.peak_memory();
    let uploads: Vec<_> = (0..100).map(|number| tokio::spawn(upload(port, number, size))).collect();
    for upload in uploads {
        upload.await.unwrap();
    }
    let after_uploads = service.peak_memory() - before;
    let downloads: Vec<_> =
        (0..100).map(|number| tokio::spawn(download(port, number, u64::MAX))).collect();
    for download in downloads {
        assert!(download.await.unwrap() > size);
    }
    let grown = service.peak_memory() - before;
    println!("uploads: {} MiB, with downloads: {} MiB", after_uploads / MIB, grown / MIB);
    assert_eq!(names(port).await.len(), 100);
    grown
}

#[tokio::test]
async fn a_hundred_uploads_and_downloads_at_once_take_less_than_100_mb() {
    let grown = a_hundred_at_once(5 * MIB).await;
    assert!(grown < 100_000_000, "{} MiB", grown / MIB);
}

#[tokio::test]
#[ignore = "long: cargo xtask chaos --only http"]
async fn a_hundred_uploads_of_100_mb_at_once_take_less_than_100_mb() {
    let grown = a_hundred_at_once(100 * MIB).await;
    assert!(grown < 100_000_000, "{} MiB", grown / MIB);
}

#[tokio::test]
async fn a_killed_client_leaves_no_file() {
    let service = Service::start(PROGRAM, free_port(), &[]).await;
    let port = service.port;
    let mut clients = Vec::new();
    for number in 0..20 {
        let mut client = begin(port, number, 100 * MIB).await;
        client.write_all(&vec![0; 1 << 20]).await.unwrap();
        clients.push(client);
    }
    wait_for("twenty unfinished files", || async { names(port).await.len() == 20 }).await;
    for client in clients {
        // A reset instead of an end, as of a client whose process is killed with unread data.
        client.set_zero_linger().unwrap();
    }
    wait_for("no file", || async { names(port).await.is_empty() }).await;
}

#[tokio::test]
async fn clients_that_do_not_read_a_download_hold_little_memory() {
    let service = Service::start(PROGRAM, free_port(), &[]).await;
    let port = service.port;
    upload(port, 0, 50 * MIB).await;
    let before = service.peak_memory();
    let mut stalled = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"GET /files/0 HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        // The head has arrived, so that the response is under way.
        stream.read_exact(&mut [0; 100]).await.unwrap();
        stalled.push(stream);
    }
    assert_eq!(download(port, 0, 1000).await, 1000);
    let grown = service.peak_memory() - before;
    assert!(grown < 50 * MIB, "{} MiB", grown / MIB);
}
