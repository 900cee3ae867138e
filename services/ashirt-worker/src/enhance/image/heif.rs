//! HEIF and AVIF: boxes, of which the list of items says whether there is EXIF or XMP. ISO/IEC 23008-12.

use super::ImageInfo;

/// CommentMarks the metadata that the beginning of the file names.
pub(super) fn metadata(head: &[u8], picture: &mut ImageInfo) {
    for (mark, kind) in [
        // The type of an item, after its name `infe`, its version and its numbers.
        (&b"Exif\0"[..], "EXIF"),
        (b"application/rdf+xml", "XMP"),
        (b"colrprof", "ICC profile"),
        (b"colrrICC", "ICC profile"),
    ] {
        if head.windows(mark.len()).any(|window| window == mark) {
            picture.has(kind);
        }
    }
}
