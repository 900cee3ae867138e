//! Descriptions of evidence: media in, text for a person out.
//!
//! Nothing here depends on HTTP. ASHIRT's client defines which characters mislead, and piton which
//! texts are secrets. Media is hostile input, from the collector of the evidence or from the observed
//! host: it is read as a stream, at most a few MiB of it are kept in memory whatever its size, and the
//! work is proportional to its length. Quoted text has no control characters, and no secrets from
//! known places (headers, cookies, passwords and tokens in URLs, typed input, EXIF).
//!
//! The text begins with what matters most, because ASHIRT keeps 65,535 bytes of it.

mod codeblock;
mod format;
mod har;
mod image;
mod json_reader;
mod media_reader;
mod terminal;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Read;

/// Reason why there is no description.
#[derive(Debug)]
pub enum EnhanceError {
    /// The media is not valid, or nothing in it can be read. The text is for the people who look at
    /// the evidence: a lower-case fragment without control characters, below 300 bytes.
    Unsupported(String),
    /// The media could not be read to its end: the reader's error.
    Read(std::io::Error),
}

impl fmt::Display for EnhanceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(reason) => out.write_str(reason),
            Self::Read(error) => write!(out, "read the media: {error}"),
        }
    }
}

impl std::error::Error for EnhanceError {}

impl From<std::io::Error> for EnhanceError {
    fn from(error: std::io::Error) -> Self {
        Self::Read(error)
    }
}

/// Describes the requests of a HAR file (1.1, 1.2): by host, by method, by status, by type; then
/// each request.
///
/// Bodies, and the values of headers and cookies, are never shown, nor are users and passwords
/// within URLs. A truncated file is described up to its end.
///
/// ```
/// let har = br#"{"log": {"entries": [{"request": {"method": "GET", "url": "https://example.com/"}, "response": {"status": 200}}]}}"#;
/// let text = ashirt_worker::enhance::har(&mut har.as_slice())?;
/// assert!(text.starts_with("1 request to 1 host"), "{text}");
/// # Ok::<(), ashirt_worker::enhance::EnhanceError>(())
/// ```
///
/// # Errors
/// [`EnhanceError::Unsupported`] if this is no HAR file; [`EnhanceError::Read`] if the reader fails.
pub fn har(media: &mut dyn Read) -> Result<String, EnhanceError> {
    har::describe(media)
}

/// Describes a terminal recording (asciicast 1, 2 and 3): its visible output as plain text.
///
/// Typed input is counted and not shown, because it includes passwords. A truncated recording is
/// described up to its end.
///
/// ```
/// let cast = b"{\"version\": 2, \"width\": 80, \"height\": 24}\n[0.5, \"o\", \"\\u001b[31mhello\\u001b[0m\\r\\n\"]\n";
/// let text = ashirt_worker::enhance::terminal(&mut cast.as_slice())?;
/// assert!(text.ends_with("hello\n"), "{text}");
/// # Ok::<(), ashirt_worker::enhance::EnhanceError>(())
/// ```
///
/// # Errors
/// [`EnhanceError::Unsupported`] if this is no asciicast; [`EnhanceError::Read`] if the reader fails.
pub fn terminal(media: &mut dyn Read) -> Result<String, EnhanceError> {
    terminal::describe(media)
}

/// Describes a codeblock (ASHIRT's JSON with `contentSubtype`, `content` and perhaps
/// `metadata.source`): language, lines, characters, indentation, SHA-256, and invisible characters.
///
/// ```
/// let block = br##"{"contentSubtype": "python", "content": "# hello\nprint(1)\n"}"##;
/// let text = ashirt_worker::enhance::codeblock(&mut block.as_slice())?;
/// assert!(text.starts_with("Python, 2 lines"), "{text}");
/// # Ok::<(), ashirt_worker::enhance::EnhanceError>(())
/// ```
///
/// # Errors
/// [`EnhanceError::Unsupported`] if this is no such JSON or has no `content`; [`EnhanceError::Read`] if the reader fails.
pub fn codeblock(media: &mut dyn Read) -> Result<String, EnhanceError> {
    codeblock::describe(media)
}

/// Describes an image: format, size, SHA-256, which metadata it has (never the content of it), and
/// bytes after its end.
///
/// No pixel is decoded. A truncated image is described by its header.
///
/// ```
/// let gif = b"GIF89a\x01\x00\x01\x00\x00\x00\x00\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";
/// let text = ashirt_worker::enhance::image(&mut gif.as_slice())?;
/// assert!(text.starts_with("GIF image, 1 × 1 pixel"), "{text}");
/// # Ok::<(), ashirt_worker::enhance::EnhanceError>(())
/// ```
///
/// # Errors
/// [`EnhanceError::Unsupported`] if this is no picture of a known format; [`EnhanceError::Read`] if the reader fails.
pub fn image(media: &mut dyn Read) -> Result<String, EnhanceError> {
    image::describe(media)
}
