//! WebP: chunks in a RIFF container. <https://developers.google.com/speed/webp/docs/riff_container>

use std::io;

use super::ImageInfo;
use crate::enhance::media_reader::MediaReader;

pub(super) fn scan(bytes: &mut MediaReader<'_>) -> io::Result<ImageInfo> {
    let mut picture = ImageInfo::new("WebP");
    bytes.skip(4)?;
    let length = bytes.array::<4>()?.map_or(0, |four| u64::from(u32::from_le_bytes(four)));
    let end = length.saturating_add(8);
    bytes.skip(4)?;
    while bytes.position() + 8 <= end {
        let Some([name @ .., a, b, c, d]) = bytes.array::<8>()? else { break };
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        let head = bytes.ahead(16)?;
        let head = &head[..head.len().min(length as usize)];
        chunk(&mut picture, &name, head);
        let left = end.saturating_sub(bytes.position());
        bytes.skip((length + length % 2).min(left))?;
    }
    // One byte may be left, because chunks of odd length are padded.
    let left = end.saturating_sub(bytes.position());
    picture.end = bytes.skip(left.min(1))? == left;
    picture.cut = !picture.end;
    Ok(picture)
}

fn chunk(picture: &mut ImageInfo, name: &[u8], head: &[u8]) {
    match (name, head) {
        (b"VP8X", [flags, _, _, _, w0, w1, w2, h0, h1, h2, ..]) => {
            let side = |a: u8, b: u8, c: u8| u64::from(u32::from_le_bytes([a, b, c, 0])) + 1;
            picture.dimensions = Some((side(*w0, *w1, *w2), side(*h0, *h1, *h2)));
            if flags & 0x10 > 0 {
                picture.detail("with alpha".to_owned());
            }
        }
        (b"VP8 ", [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..]) => {
            let side = |low: u8, high: u8| u64::from(u16::from_le_bytes([low, high]) & 0x3fff);
            picture.dimensions.get_or_insert((side(*w0, *w1), side(*h0, *h1)));
            picture.detail("lossy".to_owned());
        }
        (b"VP8L", [0x2f, a, b, c, d, ..]) => {
            let bits = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
            picture.dimensions.get_or_insert(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1));
            picture.detail("lossless".to_owned());
        }
        (b"ANMF", _) => picture.frames += 1,
        (b"EXIF", _) => picture.add_metadata("EXIF"),
        (b"XMP ", _) => picture.add_metadata("XMP"),
        (b"ICCP", _) => picture.add_metadata("ICC profile"),
        (b"C2PA", _) => picture.add_metadata("C2PA"),
        _ => {}
    }
}
