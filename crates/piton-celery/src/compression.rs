//! The codecs of compressed bodies, and their decompression within a maximum size.

use std::fmt;
use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};

/// The codec of a compressed body, by Kombu's name of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum Compression {
    /// `application/x-gzip`, which is zlib's framing in Kombu in spite of its name. gzip's is read, too.
    Zlib,
    /// `application/x-bz2`.
    Bzip2,
    /// `application/x-lzma`.
    Lzma,
    /// `application/zstd`.
    Zstd,
    /// `application/x-brotli`.
    Brotli,
    /// A codec that the sender has registered with Kombu itself.
    Other(String),
}

impl Compression {
    /// Returns the name in the header `compression`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Zlib => "application/x-gzip",
            Self::Bzip2 => "application/x-bz2",
            Self::Lzma => "application/x-lzma",
            Self::Zstd => "application/zstd",
            Self::Brotli => "application/x-brotli",
            Self::Other(name) => name,
        }
    }

    /// Decompresses a body of at most `max_bytes`.
    ///
    /// # Errors
    /// [`Kind::Compression`] if the codec is not [`Zlib`](Self::Zlib), [`Kind::TooLarge`], and
    /// [`Kind::Malformed`] if the bytes are not compressed by it.
    pub fn decompress(&self, bytes: &[u8], max_bytes: usize) -> Result<Vec<u8>, Error> {
        match self {
            Self::Zlib if bytes.starts_with(&GZIP_MAGIC) => {
                read_at_most(MultiGzDecoder::new(bytes), max_bytes)
            }
            Self::Zlib => read_at_most(ZlibDecoder::new(bytes), max_bytes),
            Self::Other(_) => Err(unsupported("a codec of the sender's own")),
            other => Err(unsupported(&format!("`{}`", other.name()))),
        }
    }
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

fn unsupported(codec: &str) -> Error {
    let message = format!(
        "the body is compressed by {codec}: set `task_compression = \"gzip\"` at the sender"
    );
    Error::new(Kind::Compression, message)
}

pub(crate) fn too_large(max_bytes: usize) -> Error {
    Error::new(Kind::TooLarge, format!("the body is larger than {max_bytes} bytes"))
}

fn read_at_most(reader: impl Read, max_bytes: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // One byte more, to tell a body that is too large from one that just fits.
    let mut limited = reader.take((max_bytes as u64).saturating_add(1));
    limited
        .read_to_end(&mut bytes)
        .map_err(|_| Error::malformed("the body is not compressed as its header says"))?;
    if bytes.len() > max_bytes { Err(too_large(max_bytes)) } else { Ok(bytes) }
}

impl From<String> for Compression {
    fn from(name: String) -> Self {
        match name.as_str() {
            "application/x-gzip" | "gzip" | "zlib" => Self::Zlib,
            "application/x-bz2" | "bzip2" | "bzip" => Self::Bzip2,
            "application/x-lzma" | "lzma" | "xz" => Self::Lzma,
            "application/zstd" | "zstd" | "zstandard" => Self::Zstd,
            "application/x-brotli" | "brotli" => Self::Brotli,
            _ => Self::Other(name),
        }
    }
}

impl From<Compression> for String {
    fn from(compression: Compression) -> Self {
        compression.name().to_owned()
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression as Level;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Level::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn both_framings_that_are_called_gzip_are_read() {
        let mut gzip = GzEncoder::new(Vec::new(), Level::default());
        gzip.write_all(b"body").unwrap();
        for bytes in [gzip.finish().unwrap(), zlib(b"body")] {
            assert_eq!(Compression::Zlib.decompress(&bytes, 4).unwrap(), b"body");
            assert_eq!(Compression::Zlib.decompress(&bytes, 3).unwrap_err().kind(), Kind::TooLarge);
        }
    }

    #[test]
    fn a_bomb_takes_no_more_memory_than_the_maximum() {
        let bomb = zlib(&vec![0; 50_000_000]);
        assert_eq!(Compression::Zlib.decompress(&bomb, 1000).unwrap_err().kind(), Kind::TooLarge);
    }

    #[test]
    fn a_codec_that_is_not_supported_is_named() {
        let error = Compression::from("lzma".to_owned()).decompress(b"x", 10).unwrap_err();
        assert_eq!(error.kind(), Kind::Compression);
        assert!(error.to_string().contains("`application/x-lzma`"), "{error}");
        assert_eq!(Compression::Zlib.decompress(b"x", 10).unwrap_err().kind(), Kind::Malformed);
    }
}
