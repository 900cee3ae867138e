//! Hands media from the network to a thread that reads it.

use std::io::{self, Read};

use piton::bytes::{Buf, Bytes};
use piton::tokio::sync::mpsc::{self, Receiver, Sender};

use crate::ashirt::{Error, EvidenceContent};

/// Capacity of the channel in chunks: one is read while the next arrives.
const CHANNEL_CAPACITY: usize = 2;

/// A chunk of media, or `None` at its end. A channel that closes without `None` means that
/// something went wrong.
type Chunk = Option<Bytes>;

/// Media as it arrives, as a blocking [`Read`].
#[derive(Debug)]
pub(super) struct MediaStream {
    chunks: Receiver<Chunk>,
    chunk: Bytes,
    ended: bool,
}

impl MediaStream {
    pub(super) fn new() -> (Sender<Chunk>, Self) {
        let (sender, chunks) = mpsc::channel(CHANNEL_CAPACITY);
        (sender, Self { chunks, chunk: Bytes::new(), ended: false })
    }
}

impl Read for MediaStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.ended {
            match self.chunks.blocking_recv() {
                Some(Some(chunk)) => self.chunk = chunk,
                Some(None) => self.ended = true,
                None => return Err(io::Error::other("the media ended early")),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// Forwards the content to the reading thread until its end, or until the reader stops early.
pub(super) async fn feed(mut content: EvidenceContent, chunks: Sender<Chunk>) -> Result<(), Error> {
    while let Some(chunk) = content.chunk().await? {
        if chunks.send(Some(chunk)).await.is_err() {
            return Ok(());
        }
    }
    // A failed send is ignored, because the reader may have stopped before the end.
    let _ = chunks.send(None).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&'static [u8]], ends: bool) -> io::Result<Vec<u8>> {
        let (sender, mut media) = MediaStream::new();
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            media.read_to_end(&mut all).map(|_| all)
        });
        for chunk in chunks {
            sender.blocking_send(Some(Bytes::from_static(chunk))).unwrap();
        }
        if ends {
            sender.blocking_send(None).unwrap();
        }
        drop(sender);
        reading.join().unwrap()
    }

    #[test]
    fn pieces_come_in_their_order_also_empty_ones() {
        assert_eq!(read(&[b"ab", b"", b"c"], true).unwrap(), b"abc");
        assert!(read(&[], true).unwrap().is_empty());
    }

    #[test]
    fn what_breaks_off_is_not_taken_for_the_whole() {
        let broken = read(&[b"ab"], false).unwrap_err();
        assert!(broken.to_string().contains("ended early"));
    }
}
