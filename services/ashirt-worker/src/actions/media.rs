//! Media on its way from the network to a thread that reads it.

use std::io::{self, Read};

use piton::bytes::{Buf, Bytes};
use piton::tokio::sync::mpsc::{self, Receiver, Sender};

use crate::ashirt::{Content, Error};

/// How many pieces may be under way: one is read while the next arrives.
const PIECES: usize = 2;

/// A piece of media, or its end. A channel that is merely gone is no end: something went wrong then.
type Piece = Option<Bytes>;

/// Media as it arrives, for a thread that may wait.
#[derive(Debug)]
pub(super) struct Media {
    pieces: Receiver<Piece>,
    piece: Bytes,
    ended: bool,
}

impl Media {
    pub(super) fn new() -> (Sender<Piece>, Self) {
        let (sender, pieces) = mpsc::channel(PIECES);
        (sender, Self { pieces, piece: Bytes::new(), ended: false })
    }
}

impl Read for Media {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Some(piece)) => self.piece = piece,
                Some(None) => self.ended = true,
                None => return Err(io::Error::other("the media broke off")),
            }
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// Hands on what arrives, until its end or until nobody wants more.
pub(super) async fn feed(mut content: Content, pieces: Sender<Piece>) -> Result<(), Error> {
    while let Some(piece) = content.chunk().await? {
        if pieces.send(Some(piece)).await.is_err() {
            return Ok(());
        }
    }
    // Nobody may want that either.
    let _ = pieces.send(None).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&'static [u8]], ends: bool) -> io::Result<Vec<u8>> {
        let (sender, mut media) = Media::new();
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            media.read_to_end(&mut all).map(|_| all)
        });
        for piece in pieces {
            sender.blocking_send(Some(Bytes::from_static(piece))).unwrap();
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
        assert!(broken.to_string().contains("broke off"));
    }
}
