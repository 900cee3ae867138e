//! Content codings (RFC 9110, section 8.4): compressed responses, and requests whose body is compressed.

#[cfg(feature = "compression")]
mod accept_encoding;
pub(crate) mod body_coding;
#[cfg(feature = "compression")]
mod coding;
#[cfg(feature = "compression")]
mod coding_input;
#[cfg(feature = "compression")]
mod compressed_tags;
#[cfg(feature = "compression")]
mod compressible;
#[cfg(feature = "compression")]
pub(crate) mod compression;
#[cfg(not(feature = "compression"))]
#[path = "compression_disabled.rs"]
pub(crate) mod compression;
#[cfg(feature = "compression")]
mod decoding;
#[cfg(not(feature = "compression"))]
#[path = "decoding_disabled.rs"]
mod decoding;
pub(crate) mod encoded_requests;
#[cfg(feature = "zstd")]
mod zstd;
#[cfg(all(feature = "compression", not(feature = "zstd")))]
#[path = "zstd_disabled.rs"]
mod zstd;
