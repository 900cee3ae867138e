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
    /// The body.
    pub body: Vec<u8>,
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
        self.send(request(method, path, json).as_bytes()).await?;
        self.answer().await
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// When the connection breaks, or no answer comes within 20 seconds.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        tokio::time::timeout(Duration::from_secs(20), self.read()).await?
    }

    async fn read(&mut self) -> io::Result<Answer> {
        let head = self.head().await?;
        let first = head.first().ok_or(ErrorKind::UnexpectedEof)?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let field = |name: &str| {
            let lines = head.iter().skip(1).filter_map(|line| line.split_once(':'));
            lines
                .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
                .next()
        };
        let length = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        let closes = field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Ok(Answer { status: status.ok_or(ErrorKind::InvalidData)?, closes, body })
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
    let content = if json.is_empty() {
        String::new()
    } else {
        format!("content-type: application/json\r\ncontent-length: {}\r\n", json.len())
    };
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{content}\r\n{json}")
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
