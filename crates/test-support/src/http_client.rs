//! A small HTTP client that never retries, so that failures stay visible.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A response.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Set if the server closes the connection after it.
    pub closes: bool,
    /// Headers with lower-case names.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// Returns the first header with this lower-case name, or "" without one.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    /// Returns the body as JSON.
    ///
    /// # Panics
    /// If the body is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{} {text}", self.status))
    }
}

/// A persistent connection.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Opens a connection to the loopback.
    ///
    /// # Errors
    /// As the system says.
    pub async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends raw bytes.
    ///
    /// # Errors
    /// As the system says.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes).await
    }

    /// Sends a request, with a JSON body unless `json` is empty, and reads the response.
    ///
    /// # Errors
    /// When the connection breaks, or no answer comes within 20 seconds.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        json: &str,
    ) -> io::Result<HttpResponse> {
        self.request_with(method, path, &[], json).await
    }

    /// Sends a request with additional headers, and reads the response.
    ///
    /// # Errors
    /// When the connection breaks, or no answer comes within 20 seconds.
    pub async fn request_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        json: &str,
    ) -> io::Result<HttpResponse> {
        self.send(request_with(method, path, headers, json).as_bytes()).await?;
        self.read_response().await
    }

    /// Reads a response.
    ///
    /// # Errors
    /// When the connection breaks, or no answer comes within 20 seconds.
    pub async fn read_response(&mut self) -> io::Result<HttpResponse> {
        self.read_response_within(Duration::from_secs(20)).await
    }

    /// Reads a response that may take up to `limit`.
    ///
    /// # Errors
    /// When the connection breaks, or no answer comes in time.
    pub async fn read_response_within(&mut self, limit: Duration) -> io::Result<HttpResponse> {
        tokio::time::timeout(limit, self.read()).await?
    }

    async fn read(&mut self) -> io::Result<HttpResponse> {
        let head = self.head().await?;
        let first = head.first().ok_or(ErrorKind::UnexpectedEof)?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let lines = head.iter().skip(1).filter_map(|line| line.split_once(':'));
        let headers: Vec<(String, String)> = lines
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let status = status.ok_or(ErrorKind::InvalidData)?;
        let mut answer = HttpResponse { status, closes: false, headers, body: Vec::new() };
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

/// Returns the text of a request.
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

/// Sends one `GET` on a new connection.
///
/// # Errors
/// When the connection cannot be made or breaks.
pub async fn get(port: u16, path: &str) -> io::Result<HttpResponse> {
    Connection::open(port).await?.request("GET", path, "").await
}

/// Sends one `GET` with the header `Authorization` on a new connection.
///
/// # Errors
/// When the connection cannot be made or breaks.
pub async fn get_as(port: u16, path: &str, authorization: &str) -> io::Result<HttpResponse> {
    let mut connection = Connection::open(port).await?;
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: {authorization}\r\n\r\n"
    );
    connection.send(head.as_bytes()).await?;
    connection.read_response().await
}
