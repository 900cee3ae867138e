//! Forms with files (`multipart/form-data`), encoded as browsers do.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use super::error::Error;

/// A file to upload.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Name of the file. Only the last part of a path is sent.
    pub name: String,
    /// Media type, such as `image/png`.
    pub content_type: String,
    /// Content of the file.
    pub content: Bytes,
}

/// Builds the body of a form from fields and files.
pub(super) struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    /// # Errors
    /// `Invalid` if the machine gives no random bytes.
    pub(super) fn new() -> Result<Self, Error> {
        // 240 random bits, so that a search for the boundary in the file can be omitted.
        let mut random = [0; 30];
        getrandom::fill(&mut random).map_err(|error| {
            Error::invalid("the system provides no random bytes").with_source(error)
        })?;
        Ok(Self::with_boundary(format!("----AShirtFormData-{}", URL_SAFE_NO_PAD.encode(random))))
    }

    fn with_boundary(boundary: String) -> Self {
        Self { boundary, body: Vec::new() }
    }

    /// Adds a field if there is a value.
    pub(super) fn field(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.begin(&format!("name=\"{}\"", escaped(name)));
            self.end(value.as_bytes());
        }
        self
    }

    /// Adds a file if there is one. Files have to follow the fields.
    ///
    /// # Errors
    /// `Invalid` if it has no name, or its type cannot stand in a header.
    pub(super) fn file(mut self, name: &str, file: Option<&File>) -> Result<Self, Error> {
        let Some(file) = file else { return Ok(self) };
        let file_name = base_name(&file.name);
        if file_name.is_empty() {
            return Err(Error::invalid("a file needs a name, otherwise ASHIRT ignores it"));
        }
        if http::HeaderValue::from_str(&file.content_type).is_err() || file.content_type.is_empty()
        {
            return Err(Error::invalid("the file's content type is not a valid header value"));
        }
        let (name, file_name) = (escaped(name), escaped(file_name));
        self.begin(&format!(
            "name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: {}",
            file.content_type
        ));
        self.end(&file.content);
        Ok(self)
    }

    /// The value of `Content-Type`, and the body.
    pub(super) fn finish(mut self) -> (String, Vec<u8>) {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (format!("multipart/form-data; boundary={}", self.boundary), self.body)
    }

    fn begin(&mut self, disposition: &str) {
        let head =
            format!("--{}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n", self.boundary);
        self.body.extend_from_slice(head.as_bytes());
    }

    fn end(&mut self, content: &[u8]) {
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
    }
}

/// Returns the file's name without its folders, which are private. Both separators count, because
/// Windows paths come here too.
fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or_default()
}

/// Escapes a name as browsers do (WHATWG, "multipart/form-data encoding algorithm"), and all
/// control characters too. Go silently drops a file whose name contains a bare `"`.
fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for character in name.chars() {
        if character == '"' || character.is_ascii_control() {
            escaped.push_str(&format!("%{:02X}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, content: &[u8]) -> File {
        File {
            name: name.to_owned(),
            content_type: "application/octet-stream".to_owned(),
            content: content.to_vec().into(),
        }
    }

    #[test]
    fn a_form_is_that_of_the_recorded_vector_byte_by_byte() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../testdata/test_vectors.json")).unwrap();
        let vector = &vectors[3];
        let body = vector["body_b64"].as_str().unwrap();
        let body = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        let (content_type, made) = Form::with_boundary("XBOUNDARY".to_owned())
            .field("notes", Some("nöte"))
            .file("file", Some(&file("a.bin", b"\x00\xff\r\n\x80")))
            .unwrap()
            .finish();
        assert_eq!(content_type, "multipart/form-data; boundary=XBOUNDARY");
        assert_eq!(made.escape_ascii().to_string(), body.escape_ascii().to_string());
    }

    #[test]
    fn a_form_without_parts_is_its_last_line() {
        let (_, body) = Form::with_boundary("B".to_owned()).field("notes", None).finish();
        assert_eq!(body, b"--B--\r\n");
    }

    #[test]
    fn each_form_has_a_boundary_of_its_own() {
        let [one, other] = [(); 2].map(|()| Form::new().unwrap().boundary);
        assert_ne!(one, other);
        assert_eq!(one.strip_prefix("----AShirtFormData-").unwrap().len(), 40);
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(escaped("a\"b\r\nc\0\u{7f}é%22.png"), "a%22b%0D%0Ac%00%7Fé%22.png");
    }

    #[test]
    fn only_the_last_part_of_a_path_is_sent() {
        for path in ["f.png", "/home/me/f.png", "C:\\Users\\me\\f.png", "../f.png"] {
            assert_eq!(base_name(path), "f.png");
        }
    }

    #[test]
    fn a_file_that_go_would_drop_is_refused() {
        let form = || Form::with_boundary("B".to_owned());
        assert!(form().file("file", Some(&file("folder/", b""))).is_err());
        let mut wrong = file("a", b"");
        wrong.content_type = "text/plain\r\nX: y".to_owned();
        assert!(form().file("file", Some(&wrong)).is_err());
    }
}
