//! The body of a response that is read from a file, piece by piece, as the client takes it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::JoinHandle;

/// Maximum size of a piece in bytes. A response holds one or two of them, whatever the size of its file.
const MAX_PIECE: u64 = 64 << 10;

/// The bytes of a range of a file.
pub(super) struct FileBody {
    file: Arc<File>,
    rest: Range<u64>,
    /// The piece that is being read, on a thread for blocking calls.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    pub fn new(file: Arc<File>, range: Range<u64>) -> Self {
        Self { file, rest: range, reading: None }
    }

    fn start_reading(&self) -> JoinHandle<io::Result<Bytes>> {
        let (file, start) = (self.file.clone(), self.rest.start);
        let length = (self.rest.end - start).min(MAX_PIECE);
        tokio::task::spawn_blocking(move || {
            // Never more than `MAX_PIECE`, so that it fits into a `usize`.
            let mut piece = vec![0; length as usize];
            file.read_exact_at(&mut piece, start)?;
            Ok(piece.into())
        })
    }
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            return Poll::Ready(None);
        }
        if this.reading.is_none() {
            this.reading = Some(this.start_reading());
        }
        let Some(reading) = &mut this.reading else { return Poll::Pending };
        let piece = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other).flatten();
        this.reading = None;
        match piece {
            Ok(piece) => {
                this.rest.start += piece.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Err(error) => {
                this.rest.start = this.rest.end;
                Poll::Ready(Some(Err(became_shorter(error))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.end - self.rest.start)
    }
}

/// Gives the error of a file that ended early a text that says so.
fn became_shorter(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            io::Error::new(error.kind(), "the file became shorter while it was sent")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn file(length: usize) -> (Arc<File>, Vec<u8>) {
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &bytes).unwrap();
        (Arc::new(file), bytes)
    }

    #[tokio::test]
    async fn a_range_is_read_in_bounded_pieces() {
        let (file, bytes) = file(300_000);
        let mut body = FileBody::new(file, 10..250_000);
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(249_990));
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() as u64 <= MAX_PIECE);
            read.extend_from_slice(&piece);
        }
        assert_eq!(read, bytes[10..250_000]);
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error_and_not_an_end() {
        let (file, _) = file(100_000);
        let mut body = FileBody::new(file.clone(), 0..100_000);
        assert!(body.frame().await.unwrap().is_ok());
        file.set_len(70_000).unwrap();
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("became shorter"), "{error}");
        assert!(body.frame().await.is_none());
    }
}
