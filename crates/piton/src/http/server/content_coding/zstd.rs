//! The coding zstd, which is a C library: the feature `zstd`.

use async_compression::Level;
use async_compression::tokio::bufread::{ZstdDecoder, ZstdEncoder};
use async_compression::zstd::{CParameter, DParameter};
use tokio::io::{AsyncBufRead, AsyncRead};

use super::coding::Coding;

/// The codings of responses, the preferred one first.
pub(super) const OFFERED: &[Coding] = &[Coding::Zstd, Coding::Brotli, Coding::Gzip];

/// The codings that are decoded, as the value of `Accept-Encoding`.
pub(super) const DECODED: &str = "gzip, deflate, br, zstd";

/// Binary logarithm of the largest window that is decoded, in bytes: 8 MiB, as RFC 9659 requires of HTTP.
const MAX_WINDOW_LOG: u32 = 23;

/// Returns a reader that compresses `plain`, with a window of two to the power of `window_log` bytes.
pub(super) fn encoder<R: AsyncBufRead>(plain: R, window_log: u32) -> impl AsyncRead + use<R> {
    let window = [CParameter::window_log(window_log)];
    ZstdEncoder::with_quality_and_params(plain, Level::Precise(3), &window)
}

/// Returns a reader that decodes `encoded`: a series of frames.
pub(super) fn decoder<R: AsyncBufRead>(encoded: R) -> impl AsyncRead + use<R> {
    let window = [DParameter::window_log_max(MAX_WINDOW_LOG)];
    let mut decoder = ZstdDecoder::with_params(encoded, &window);
    decoder.multiple_members(true);
    decoder
}
