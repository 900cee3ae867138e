//! GIF: a logical screen and blocks. <https://www.w3.org/Graphics/GIF/spec-gif89a.txt>

use std::io;

use super::ImageInfo;
use crate::enhance::media_reader::MediaReader;

pub(super) fn scan(bytes: &mut MediaReader<'_>) -> io::Result<ImageInfo> {
    let mut picture = ImageInfo::new("GIF");
    bytes.skip(6)?;
    if let Some([w0, w1, h0, h1, flags, ..]) = bytes.array::<7>()? {
        picture.dimensions = Some((le(w0, w1), le(h0, h1)));
        palette(bytes, flags, &mut picture)?;
    }
    picture.end = blocks(bytes, &mut picture)?.is_some();
    picture.cut = !picture.end;
    Ok(picture)
}

/// Reads blocks up to the trailer. Returns `None` if it is missing.
fn blocks(bytes: &mut MediaReader<'_>, picture: &mut ImageInfo) -> io::Result<Option<()>> {
    loop {
        match bytes.next()? {
            Some(0x2c) => {
                picture.frames += 1;
                let Some([.., flags]) = bytes.array::<9>()? else { return Ok(None) };
                bytes.skip(table_bytes(flags))?;
                bytes.next()?;
            }
            Some(0x21) => extension(bytes, picture)?,
            Some(0x3b) => return Ok(Some(())),
            _ => return Ok(None),
        }
        while let Some(length @ 1..) = bytes.next()? {
            bytes.skip(u64::from(length))?;
        }
    }
}

/// Consumes an extension's label; its data follows in blocks.
fn extension(bytes: &mut MediaReader<'_>, picture: &mut ImageInfo) -> io::Result<()> {
    match bytes.next()? {
        Some(0xfe) => picture.add_metadata("comment"),
        Some(0xff) => match bytes.ahead(12)?.get(1..12) {
            Some(b"XMP DataXMP") => picture.add_metadata("XMP"),
            Some(b"ICCRGBG1012") => picture.add_metadata("ICC profile"),
            _ => {}
        },
        _ => {}
    }
    Ok(())
}

fn palette(bytes: &mut MediaReader<'_>, flags: u8, picture: &mut ImageInfo) -> io::Result<()> {
    if flags & 0x80 > 0 {
        picture.detail(format!("palette of {} colours", 2_u32 << (flags & 7)));
    }
    bytes.skip(table_bytes(flags)).map(drop)
}

/// Returns the size of a colour table in bytes, or 0 without one.
fn table_bytes(flags: u8) -> u64 {
    if flags & 0x80 > 0 { 3 * (2 << (flags & 7)) } else { 0 }
}

fn le(low: u8, high: u8) -> u64 {
    u64::from(u16::from_le_bytes([low, high]))
}
