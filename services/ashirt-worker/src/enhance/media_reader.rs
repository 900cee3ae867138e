//! Buffered reader of media that counts and hashes. Holds one buffer in memory, whatever the size
//! of the media.

use std::io::{self, Read};

use aws_lc_rs::digest::{Context, SHA256};

use super::format::hex;

const BUFFER_BYTES: usize = 16 * 1024;

/// Media from the current position on; everything before is counted and hashed.
pub(super) struct MediaReader<'r> {
    media: &'r mut dyn Read,
    piece: Box<[u8]>,
    /// Start of the unread part of the buffer: `piece[at..filled]`.
    at: usize,
    filled: usize,
    read_bytes: u64,
    hash: Context,
}

impl<'r> MediaReader<'r> {
    pub(super) fn new(media: &'r mut dyn Read) -> Self {
        let piece = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self { media, piece, at: 0, filled: 0, read_bytes: 0, hash: Context::new(&SHA256) }
    }

    /// Returns the number of bytes consumed so far.
    pub(super) fn position(&self) -> u64 {
        self.read_bytes - (self.filled - self.at) as u64
    }

    /// Returns the next byte without consuming it, or `None` at the end.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.at == self.filled {
            self.ahead(1)?;
        }
        Ok(self.piece[self.at..self.filled].first().copied())
    }

    /// Consumes the next byte. Returns `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    /// Returns the next `count` bytes (at most a buffer) or more without consuming them, fewer at
    /// the end.
    pub(super) fn ahead(&mut self, count: usize) -> io::Result<&[u8]> {
        if self.filled - self.at < count {
            self.piece.copy_within(self.at..self.filled, 0);
            self.filled -= self.at;
            self.at = 0;
            while self.filled < count.min(BUFFER_BYTES) && self.fill()? {}
        }
        Ok(&self.piece[self.at..self.filled])
    }

    /// Skips up to `count` bytes, and returns how many there were.
    pub(super) fn skip(&mut self, count: u64) -> io::Result<u64> {
        let mut skipped = 0;
        while skipped < count {
            let here = self.ahead(1)?.len();
            if here == 0 {
                break;
            }
            let step = usize::try_from(count - skipped).map_or(here, |left| left.min(here));
            self.at += step;
            skipped += step as u64;
        }
        Ok(skipped)
    }

    /// Consumes the next `N` bytes. With fewer left, consumes them and returns `None`.
    pub(super) fn array<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let found = self.ahead(N)?.first_chunk::<N>().copied();
        self.skip(N as u64)?;
        Ok(found)
    }

    /// Consumes the rest. Returns the length and the SHA-256 (in hexadecimal digits) of the whole
    /// media.
    pub(super) fn finish(mut self) -> io::Result<(u64, String)> {
        self.skip(u64::MAX)?;
        Ok((self.read_bytes, hex(self.hash.finish().as_ref())))
    }

    fn fill(&mut self) -> io::Result<bool> {
        let read = loop {
            match self.media.read(&mut self.piece[self.filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.hash.update(&self.piece[self.filled..self.filled + read]);
        self.filled += read;
        self.read_bytes += read as u64;
        Ok(read > 0)
    }
}
