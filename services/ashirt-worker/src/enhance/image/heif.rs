//! HEIF and AVIF (ISO/IEC 23008-12): boxes; the list of items names EXIF and XMP.

use super::ImageInfo;

/// Records the metadata that the beginning of the file names.
pub(super) fn metadata(head: &[u8], picture: &mut ImageInfo) {
    for (mark, kind) in [
        // Searched as bytes instead of parsing boxes, because the item's type follows `infe`, a
        // version and numbers of varying size.
        (&b"Exif\0"[..], "EXIF"),
        (b"application/rdf+xml", "XMP"),
        (b"colrprof", "ICC profile"),
        (b"colrrICC", "ICC profile"),
    ] {
        if head.windows(mark.len()).any(|window| window == mark) {
            picture.add_metadata(kind);
        }
    }
}
