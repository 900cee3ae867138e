//! A minimal HTTP client: one persistent connection, one request at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::command::Result;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to a server on the loopback.
pub struct Client {
    stream: BufReader<TcpStream>,
    port: u16,
}

impl Client {
    /// # Errors
    /// When the port is closed.
    pub fn connect(port: u16) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        stream.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), port })
    }

    /// Sends a GET request, and returns the response's body.
    ///
    /// # Errors
    /// When the status is not 200, the length is missing, or no response comes.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n\r\n", self.port);
        self.stream.get_mut().write_all(request.as_bytes())?;
        read_response(&mut self.stream).map_err(|error| format!("GET {path}: {error}").into())
    }

    /// Sends a POST request with a JSON body, and returns the response's body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post(&mut self, path: &str, json: &str) -> Result<Vec<u8>> {
        let (port, length) = (self.port, json.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{json}"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        read_response(&mut self.stream).map_err(|error| format!("POST {path}: {error}").into())
    }

    /// Sends `count` GET requests, one after the other.
    ///
    /// # Errors
    /// As [`Client::get`], on the first that fails.
    pub fn get_often(&mut self, path: &str, count: u32) -> Result<()> {
        (0..count).try_for_each(|_| self.get(path).map(drop))
    }
}

fn read_response(from: &mut impl BufRead) -> Result<Vec<u8>> {
    let status = read_line(from)?;
    if status.split(' ').nth(1) != Some("200") {
        return Err(format!("answered `{status}`").into());
    }
    let mut length = None;
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse()?);
        }
    }
    let mut body = vec![0; length.ok_or("the answer has no content-length")?];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn read_line(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    if from.take(16 * 1024).read_line(&mut line)? == 0 {
        return Err("the connection was closed".into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_on_one_connection_are_told_apart() {
        let mut two = &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHelloHTTP/1.1 200 OK\r\n\
            content-type: text/plain\r\ncontent-length: 0\r\n\r\n"[..];
        assert_eq!(read_response(&mut two).unwrap(), b"Hello");
        assert_eq!(read_response(&mut two).unwrap(), b"");
        assert_eq!(read_response(&mut two).unwrap_err().to_string(), "the connection was closed");
    }

    #[test]
    fn an_answer_that_is_not_200_is_an_error() {
        let mut answer = &b"HTTP/1.1 404 Not Found\r\n\r\n"[..];
        let error = read_response(&mut answer).unwrap_err().to_string();
        assert_eq!(error, "answered `HTTP/1.1 404 Not Found`");
    }
}
