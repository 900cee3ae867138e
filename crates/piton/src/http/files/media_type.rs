//! Media types of files, by the end of their names.

use std::path::Path;

use http::HeaderValue;

/// The media type of bytes of which nothing is known.
pub(super) const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Returns the media type of a file by its name. Text is UTF-8.
pub(super) fn of_name(name: &Path) -> HeaderValue {
    let media_type = match mime_guess::from_path(name).first_raw() {
        // Obsolete since RFC 9239.
        Some("application/javascript") => "text/javascript",
        Some(media_type) => media_type,
        None => return BYTES,
    };
    let is_text = media_type.starts_with("text/") || media_type == "image/svg+xml";
    if !is_text {
        return HeaderValue::from_static(media_type);
    }
    let text = format!("{media_type}; charset=utf-8");
    HeaderValue::try_from(text).expect("a media type is a header's value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_a_charset_and_unknown_names_are_bytes() {
        for (name, expected) in [
            ("a/index.html", "text/html; charset=utf-8"),
            ("app.js", "text/javascript; charset=utf-8"),
            ("APP.MJS", "text/javascript; charset=utf-8"),
            ("app.css", "text/css; charset=utf-8"),
            ("logo.svg", "image/svg+xml; charset=utf-8"),
            ("data.json", "application/json"),
            ("app.wasm", "application/wasm"),
            ("photo.JPG", "image/jpeg"),
            ("LICENSE", "application/octet-stream"),
            ("x.unknown", "application/octet-stream"),
        ] {
            assert_eq!(of_name(Path::new(name)), expected, "{name}");
        }
    }
}
