//! Image formats: the facts in their containers.
//!
//! No pixel is decoded, so that a decompression bomb has no effect. Metadata is named and never
//! shown, because it may contain where a photo was taken.

mod gif;
mod heif;
mod jpeg;
mod png;
#[cfg(test)]
mod tests;
mod webp;

use std::fmt::Write;
use std::io::{self, Cursor, Read};

use super::EnhanceError;
use super::format::{count, describe_start, grouped, size};
use super::media_reader::MediaReader;

/// Number of bytes that are examined of formats that are not scanned.
const HEAD_BYTES: usize = 16 * 1024;

pub(super) fn describe(media: &mut dyn Read) -> Result<String, EnhanceError> {
    let mut bytes = MediaReader::new(media);
    let Some(mut picture) = scan_image(&mut bytes)? else {
        return Err(EnhanceError::Unsupported(format!(
            "not an image: {}",
            describe_start(bytes.ahead(256)?)
        )));
    };
    let end = picture.end.then(|| bytes.position());
    let (length, sha256) = bytes.finish()?;
    picture.after = end.map(|end| length - end);
    if picture.dimensions.is_none() && picture.cut {
        return Err(EnhanceError::Unsupported(format!(
            "not a whole {} image: it breaks off before its size",
            picture.format
        )));
    }
    Ok(picture.text(length, &sha256))
}

/// Recognizes the format, and scans the image. Returns `None` for an unknown format.
fn scan_image(bytes: &mut MediaReader<'_>) -> io::Result<Option<ImageInfo>> {
    Ok(Some(match bytes.ahead(HEAD_BYTES)? {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => png::scan(bytes)?,
        [0xff, 0xd8, 0xff, ..] => jpeg::scan(bytes)?,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => gif::scan(bytes)?,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => webp::scan(bytes)?,
        head => return Ok(describe_other_format(head)),
    }))
}

/// Describes a format of which only the dimensions are known.
fn describe_other_format(head: &[u8]) -> Option<ImageInfo> {
    let kind = imagesize::image_type(head).ok()?;
    let format = match kind {
        imagesize::ImageType::Bmp => "BMP",
        imagesize::ImageType::Heif(imagesize::Compression::Av1) => "AVIF",
        imagesize::ImageType::Heif(_) => "HEIF",
        imagesize::ImageType::Ico => "ICO",
        imagesize::ImageType::Jxl => "JPEG XL",
        imagesize::ImageType::Tiff => "TIFF",
        _ => return None,
    };
    let dimensions = kind.reader_size(&mut Cursor::new(head)).ok();
    // TIFF may have its dimensions at the end of the file. Without them at the start, other formats
    // are rejected, because films begin like HEIF.
    if dimensions.is_none() && format != "TIFF" {
        return None;
    }
    let mut picture = ImageInfo::new(format);
    picture.dimensions = dimensions.map(|size| (size.width as u64, size.height as u64));
    match format {
        "HEIF" | "AVIF" => heif::metadata(head, &mut picture),
        "BMP" | "ICO" => {}
        // Unknown, because searching for metadata would require the whole file.
        _ => picture.metadata_unknown = true,
    }
    Some(picture)
}

/// Facts of an image.
#[derive(Default)]
struct ImageInfo {
    format: &'static str,
    dimensions: Option<(u64, u64)>,
    /// Bit depth, colours, and the like.
    details: Vec<String>,
    frames: u64,
    /// Kinds of metadata, with how often each was found.
    metadata: Vec<(&'static str, u64)>,
    metadata_unknown: bool,
    /// Set if the end of the image was found; the reader stands behind it.
    end: bool,
    cut: bool,
    /// Number of bytes after the image's end.
    after: Option<u64>,
}

impl ImageInfo {
    fn new(format: &'static str) -> Self {
        Self { format, ..Self::default() }
    }

    /// Adds a detail once, and at most eight: a file may repeat its header a million times.
    fn detail(&mut self, detail: String) {
        if self.details.len() < 8 && !self.details.contains(&detail) {
            self.details.push(detail);
        }
    }

    fn add_metadata(&mut self, kind: &'static str) {
        match self.metadata.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, times)) => *times += 1,
            None => self.metadata.push((kind, 1)),
        }
    }

    fn text(&self, length: u64, sha256: &str) -> String {
        let mut out = format!("{} image", self.format);
        match self.dimensions {
            Some((width, height)) => self.dimensions(&mut out, width, height),
            None => out.push_str(", its size in pixels does not stand at its beginning\n"),
        }
        if !self.details.is_empty() {
            let _ = writeln!(out, "{}", self.details.join(", "));
        }
        if self.frames > 1 {
            let _ = writeln!(out, "animated: {}", count(self.frames, "frame"));
        }
        let _ = write!(out, "file: {}", size(length));
        if length >= 1000 {
            let _ = write!(out, " ({})", count(length, "byte"));
        }
        out.push('\n');
        let _ = writeln!(out, "metadata: {}", self.metadata());
        if let Some(after @ 1..) = self.after {
            let _ = writeln!(out, "WARNING: {} after the end of the picture", count(after, "byte"));
        }
        if self.cut {
            out.push_str("WARNING: the picture breaks off before its end\n");
        }
        let _ = writeln!(out, "SHA-256: {sha256}");
        out
    }

    fn dimensions(&self, out: &mut String, width: u64, height: u64) {
        let pixels = u128::from(width) * u128::from(height);
        let word = if pixels == 1 { "pixel" } else { "pixels" };
        let _ = write!(out, ", {} × {} {word}", grouped(width), grouped(height));
        if pixels >= 100_000 {
            let _ = write!(out, ", {:.1} megapixels", pixels as f64 / 1e6);
        }
        if let Some((across, down)) = ratio(width, height) {
            let _ = write!(out, ", {across}:{down}");
        }
        out.push('\n');
    }

    fn metadata(&self) -> String {
        let kinds = self.metadata.iter().map(|(kind, times)| match times {
            1 => (*kind).to_owned(),
            _ => format!("{kind} ({})", grouped(*times)),
        });
        let kinds: Vec<_> = kinds.collect();
        match (kinds.is_empty(), self.metadata_unknown) {
            (true, true) => "not looked for in this format".to_owned(),
            (true, false) => "none".to_owned(),
            _ => format!("{} (present; what it says is not shown)", kinds.join(", ")),
        }
    }
}

/// Returns the aspect ratio, if its numbers are small.
fn ratio(width: u64, height: u64) -> Option<(u64, u64)> {
    let (mut a, mut b) = (width, height);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    let (across, down) = (width.checked_div(a)?, height.checked_div(a)?);
    (across <= 32 && down <= 32).then_some((across, down))
}
