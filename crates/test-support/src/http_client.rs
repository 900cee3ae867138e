//! A small HTTP client that never tries again: what fails is seen.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Whether the server closes the connection after it.
    pub closes: bool,
    /// The headers, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header with this name, in small letters, or "" where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{} {text}", self.status))
    }
}

/// A connection that stays open.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// A connection to this machine.
    ///
    /// # Errors
    /// As the system says.
    pub async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// As the system says.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes).await
    }

    /// Sends a request, with a JSON body if there is one, and reads the answer.
    ///
    /// # Errors
    /// When the connection breaks, or no answer comes within 20 seconds.
    pub async fn request(&mut self, method: &str, path: &str, json: &str) -> io::Result<Answer> {
        self.request_with(method, path, &[], json).await
    }

    /// As [`request`](Self::request), with headers of one's own.
    ///
    /// # Errors
    /// When the connection breaks, or no answer comes within 20 seconds.
    pub async fn request_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        json: &str,
    ) -> io::Result<Answer> {
        self.send(request_with(method, path, headers, json).as_bytes()).await?;
        self.answer().await
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// When the connection breaks, or no answer comes within 20 seconds.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        self.answer_within(Duration::from_secs(20)).await
    }

    /// The next answer, for which the service may take its time.
    ///
    /// # Errors
    /// When the connection breaks, or no answer comes in time.
    pub async fn answer_within(&mut self, patience: Duration) -> io::Result<Answer> {
        tokio::time::timeout(patience, self.read()).await?
    }

    async fn read(&mut self) -> io::Result<Answer> {
        let head = self.head().await?;
        let first = head.first().ok_or(ErrorKind::UnexpectedEof)?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let lines = head.iter().skip(1).filter_map(|line| line.split_once(':'));
        let headers: Vec<(String, String)> = lines
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let status = status.ok_or(ErrorKind::InvalidData)?;
        let mut answer = Answer { status, closes: false, headers, body: Vec::new() };
        answer.closes = answer.header("connection").eq_ignore_ascii_case("close");
        answer.body = vec![0; answer.header("content-length").parse().unwrap_or(0)];
        self.0.read_exact(&mut answer.body).await?;
        Ok(answer)
    }

    async fn head(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end() {
                "" => return Ok(lines),
                line => lines.push(line.to_owned()),
            }
        }
    }
}

/// A request as it goes over the wire.
#[must_use]
pub fn request(method: &str, path: &str, json: &str) -> String {
    request_with(method, path, &[], json)
}

fn request_with(method: &str, path: &str, headers: &[(&str, &str)], json: &str) -> String {
    let lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = lines.concat();
    let content = if json.is_empty() {
        String::new()
    } else {
        format!("content-type: application/json\r\ncontent-length: {}\r\n", json.len())
    };
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}{content}\r\n{json}")
}

/// One `GET` on a connection of its own.
///
/// # Errors
/// When the connection cannot be made or breaks.
pub async fn get(port: u16, path: &str) -> io::Result<Answer> {
    Connection::open(port).await?.request("GET", path, "").await
}

/// One `GET` with the header `Authorization`, on a connection of its own.
///
/// # Errors
/// When the connection cannot be made or breaks.
pub async fn get_as(port: u16, path: &str, authorization: &str) -> io::Result<Answer> {
    let mut connection = Connection::open(port).await?;
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: {authorization}\r\n\r\n"
    );
    connection.send(head.as_bytes()).await?;
    connection.answer().await
}
