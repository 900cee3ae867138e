//! A server that answers what it is told, also what no server should.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub target: String,
    /// Headers by lower-case name.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

/// Behaviour of the server after it has written a response.
#[derive(Clone, Copy)]
pub enum Then {
    ReadOn,
    Close,
    /// Neither writes nor closes.
    Hang,
    /// Writes this for ever.
    Repeat(&'static str),
    /// Writes a byte now and then, for ever.
    Trickle,
}

type Answers = dyn Fn(usize, &Seen) -> (String, Then) + Send + Sync;

pub struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers the first request by `answers(0, request)`, and so on.
    pub async fn start(
        answers: impl Fn(usize, &Seen) -> (String, Then) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let answers: Arc<Answers> = Arc::new(answers);
        let task = tokio::spawn({
            let (seen, connections) = (seen.clone(), connections.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(converse(stream, seen.clone(), answers.clone()));
                }
            }
        });
        Self { port, seen, connections, task }
    }

    /// Answers all requests in the same way.
    pub async fn always(answer: impl Into<String>, then: Then) -> Self {
        let answer = answer.into();
        Self::start(move |_, _| (answer.clone(), then)).await
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An address where nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A whole answer of this status.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

async fn converse(
    stream: TcpStream,
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<Answers>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let request = read(&mut stream).await?;
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        let (answer, then) = answers(number, &request);
        stream.write_all(answer.as_bytes()).await.ok()?;
        match then {
            Then::ReadOn => {}
            Then::Close => return None,
            Then::Hang => std::future::pending().await,
            Then::Repeat(text) => loop {
                stream.write_all(text.as_bytes()).await.ok()?;
            },
            Then::Trickle => loop {
                stream.write_all(b"x").await.ok()?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            },
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ').map(str::to_owned);
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen { method: first.next()?, target: first.next()?, headers, body })
}
