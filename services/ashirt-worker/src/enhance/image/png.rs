//! PNG: chunks of a length, a name, data and a checksum. <https://www.w3.org/TR/png-3/>

use std::io;

use super::ImageInfo;
use crate::enhance::media_reader::MediaReader;

pub(super) fn scan(bytes: &mut MediaReader<'_>) -> io::Result<ImageInfo> {
    let mut picture = ImageInfo::new("PNG");
    bytes.skip(8)?;
    while let Some([a, b, c, d, name @ ..]) = bytes.array::<8>()? {
        let length = u64::from(u32::from_be_bytes([a, b, c, d]));
        let head = bytes.ahead(64)?;
        let head = &head[..head.len().min(length as usize)];
        chunk(&mut picture, &name, head);
        let taken = bytes.skip(length + 4)?;
        if &name == b"IEND" && taken == length + 4 {
            picture.end = true;
            return Ok(picture);
        }
    }
    picture.cut = true;
    Ok(picture)
}

fn chunk(picture: &mut ImageInfo, name: &[u8], head: &[u8]) {
    match name {
        // Only the first counts, because a valid file has one.
        b"IHDR" if picture.dimensions.is_none() => header(picture, head),
        b"acTL" => {
            picture.format = "APNG";
            picture.frames = be(head, 0).unwrap_or(0);
        }
        b"eXIf" => picture.add_metadata("EXIF"),
        b"iCCP" => picture.add_metadata("ICC profile"),
        b"tIME" => picture.add_metadata("time of change"),
        b"caBX" => picture.add_metadata("C2PA"),
        b"tEXt" | b"zTXt" | b"iTXt" => picture.add_metadata(text(head)),
        _ => {}
    }
}

/// Returns the kind of metadata in a text chunk. Some tools store EXIF and XMP in texts with
/// certain names.
fn text(head: &[u8]) -> &'static str {
    let keyword = head.split(|byte| *byte == 0).next().unwrap_or_default();
    match keyword {
        b"XML:com.adobe.xmp" | b"Raw profile type xmp" => "XMP",
        b"Raw profile type exif" | b"Raw profile type APP1" => "EXIF",
        b"Raw profile type iptc" | b"Raw profile type 8bim" => "IPTC",
        _ => "text",
    }
}

fn header(picture: &mut ImageInfo, head: &[u8]) {
    let (Some(width), Some(height), [depth, colour, _, _, interlace]) =
        (be(head, 0), be(head, 4), head.get(8..13).unwrap_or_default())
    else {
        return;
    };
    picture.dimensions = Some((width, height));
    let colour = match colour {
        0 => "grayscale",
        2 => "RGB",
        3 => "palette",
        4 => "grayscale with alpha",
        6 => "RGB with alpha",
        _ => "unknown colours",
    };
    picture.detail(format!("{depth}-bit"));
    picture.detail(colour.to_owned());
    if *interlace == 1 {
        picture.detail("interlaced".to_owned());
    }
}

fn be(head: &[u8], at: usize) -> Option<u64> {
    let four = head.get(at..)?.first_chunk::<4>()?;
    Some(u64::from(u32::from_be_bytes(*four)))
}

#[cfg(test)]
mod tests {
    use crate::enhance::image;

    #[test]
    fn a_head_that_is_said_a_million_times_is_said_once() {
        let pixel = include_bytes!("../../../testdata/pixel.png");
        let (magic, head) = (&pixel[..8], &pixel[8..33]);
        let many = [magic, &head.repeat(100_000), &pixel[33..]].concat();
        let text = image(&mut many.as_slice()).unwrap();
        assert!(
            text.starts_with("PNG image, 1 × 1 pixel, 1:1\n8-bit, RGB with alpha\nfile:"),
            "{text}"
        );
    }
}
