//! JPEG (ITU-T T.81, annex B): segments that begin with a marker, and image data between them.

use std::io;

use super::ImageInfo;
use crate::enhance::media_reader::MediaReader;

pub(super) fn scan(bytes: &mut MediaReader<'_>) -> io::Result<ImageInfo> {
    let mut picture = ImageInfo::new("JPEG");
    bytes.skip(2)?;
    loop {
        match mark(bytes)? {
            None => {
                picture.cut = true;
                return Ok(picture);
            }
            Some(0xd9) => {
                picture.end = true;
                return Ok(picture);
            }
            // Skipped, because these markers have no length: within image data, or reserved.
            Some(0x00 | 0x01 | 0xd0..=0xd8) => {}
            Some(kind) => segment(bytes, &mut picture, kind)?,
        }
    }
}

/// Returns the next marker. Searches for it, because image data has no length.
fn mark(bytes: &mut MediaReader<'_>) -> io::Result<Option<u8>> {
    loop {
        let here = bytes.ahead(1)?;
        let before = here.iter().position(|byte| *byte == 0xff).unwrap_or(here.len());
        bytes.skip(before as u64)?;
        if before == 0 && bytes.next()?.is_none() {
            return Ok(None);
        }
        if before > 0 {
            continue;
        }
        // Skipped, because any number of fill bytes 0xff may precede a marker (T.81, B.1.1.2).
        while bytes.peek()? == Some(0xff) {
            bytes.next()?;
        }
        return bytes.next();
    }
}

fn segment(bytes: &mut MediaReader<'_>, picture: &mut ImageInfo, kind: u8) -> io::Result<()> {
    let Some(length) = bytes.array::<2>()?.map(u16::from_be_bytes) else { return Ok(()) };
    let length = usize::from(length).saturating_sub(2);
    let head = bytes.ahead(40)?;
    let head = &head[..head.len().min(length)];
    match (kind, head) {
        // Start of frame, of all kinds. 0xc4, 0xc8 and 0xcc are excluded, because they mark other
        // segments.
        (0xc0..=0xcf, _) if !matches!(kind, 0xc4 | 0xc8 | 0xcc) => frame(picture, kind, head),
        (0xe1, [b'E', b'x', b'i', b'f', 0, ..]) => picture.add_metadata("EXIF"),
        (0xe1, _) if head.starts_with(b"http://ns.adobe.com/xap/1.0/") => {
            picture.add_metadata("XMP");
        }
        (0xe1, _) if head.starts_with(b"http://ns.adobe.com/xmp/extension/") => {
            picture.add_metadata("XMP");
        }
        (0xe2, _) if head.starts_with(b"ICC_PROFILE") => picture.add_metadata("ICC profile"),
        (0xe2, _) if head.starts_with(b"MPF") => picture.add_metadata("further pictures (MPF)"),
        (0xeb, _) if head.windows(4).any(|four| four == b"jumb") => picture.add_metadata("C2PA"),
        (0xed, _) if head.starts_with(b"Photoshop") => picture.add_metadata("IPTC or Photoshop"),
        (0xfe, _) => picture.add_metadata("comment"),
        _ => {}
    }
    bytes.skip(length as u64).map(drop)
}

fn frame(picture: &mut ImageInfo, kind: u8, head: &[u8]) {
    let [depth, h1, h0, w1, w0, channels, ..] = *head else { return };
    // Ignored, because a second frame is that of a thumbnail.
    if picture.dimensions.is_some() {
        return;
    }
    let side = |high, low| u64::from(u16::from_be_bytes([high, low]));
    picture.dimensions = Some((side(w1, w0), side(h1, h0)));
    picture.detail(format!("{depth}-bit"));
    picture.detail(match channels {
        1 => "grayscale".to_owned(),
        3 => "colour".to_owned(),
        4 => "CMYK".to_owned(),
        other => format!("{other} channels"),
    });
    if matches!(kind, 0xc2 | 0xc6 | 0xca | 0xce) {
        picture.detail("progressive".to_owned());
    }
}
