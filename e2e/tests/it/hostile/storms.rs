//! Many connections at once, and connections that are reset.

use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::target::Target;

/// Number of connections that are held open at once: more than the service's `http.max_connections`.
const CONNECTIONS: usize = 5_000;

/// Number of connections that are opened between two pauses.
const BATCH: usize = 20;

/// Pause of an attacker that shares its two cores with the service: without one it would measure how the
/// system divides them.
const PAUSE: Duration = Duration::from_millis(2);

/// First bytes of connections that are held or reset: nothing, part of a head, a whole request, part of
/// a body, the start of a TLS greeting.
const STARTS: [&[u8]; 5] = [
    b"",
    b"GET / HTTP/1.1\r\nhost: lo",
    b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nx",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
];

/// Opens connections until there are 5,000, opens those again that the service closes, and holds
/// them until then.
pub async fn hold_connections(target: &Arc<Target>, until: Instant) -> Result<String, String> {
    let (mut held, mut opened, mut failed) = (Vec::<TcpStream>::new(), 0_usize, 0_usize);
    let mut most = 0;
    while Instant::now() < until {
        held.retain(is_open);
        most = most.max(held.len());
        while held.len() < CONNECTIONS && Instant::now() < until {
            match open(target, STARTS[opened % STARTS.len()]).await {
                Ok(stream) => held.push(stream),
                Err(_) => failed += 1,
            }
            opened += 1;
            if opened.is_multiple_of(BATCH) {
                tokio::time::sleep(PAUSE).await;
            }
        }
        most = most.max(held.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(format!("{opened} connections opened, {most} held at once, {failed} refused"))
}

async fn open(target: &Target, start: &[u8]) -> std::io::Result<TcpStream> {
    let connected = tokio::time::timeout(Duration::from_secs(2), target.tcp()).await;
    let mut stream = connected??;
    stream.write_all(start).await?;
    Ok(stream)
}

/// Returns whether the service has neither closed nor reset the connection.
fn is_open(stream: &TcpStream) -> bool {
    let mut buffer = [0; 1024];
    match stream.try_read(&mut buffer) {
        Ok(bytes) => bytes > 0,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

/// Opens connections and resets them in the middle of a request or of a response.
pub async fn reset_connections(target: &Arc<Target>, until: Instant) -> Result<String, String> {
    let tasks: Vec<_> = (0..8)
        .map(|offset| {
            let target = target.clone();
            tokio::spawn(async move {
                let mut count = offset;
                while Instant::now() < until {
                    reset(&target, STARTS[count % STARTS.len()]).await;
                    count += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                count - offset
            })
        })
        .collect();
    let mut resets = 0;
    for task in tasks {
        resets += task.await.unwrap();
    }
    Ok(format!("{resets} connections reset"))
}

async fn reset(target: &Target, start: &[u8]) {
    let Ok(mut stream) = target.tcp().await else { return };
    if start.ends_with(b"\r\n\r\n") {
        // In the middle of a response that is too large for the buffers.
        let _ = stream.write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        let _ = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut [0; 1024])).await;
    } else {
        let _ = stream.write_all(start).await;
    }
    // A close with a linger time of zero is a reset instead of an orderly end.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}
