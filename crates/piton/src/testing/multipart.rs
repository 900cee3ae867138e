//! Bodies of `multipart/form-data`, written as browsers do (RFC 7578).

use bytes::Bytes;

/// The builder of a body of `multipart/form-data`. Parts are sent in the order of the calls.
///
/// ```
/// use piton::prelude::*;
/// use piton::http::post;
/// use piton::testing::{TestApp, TestMultipart};
///
/// async fn size(body: axum::body::Bytes) -> String { body.len().to_string() }
///
/// #[piton::test]
/// async fn files_are_sent() {
///     let app = TestApp::new(App::new("album").route(post("/size", size))).await;
///     let form = TestMultipart::new()
///         .field("title", "Cat")
///         .file("photo", "cat.png", "image/png", vec![0; 1000]);
///     let size: usize = app.post("/size").multipart(form).await.text().parse().unwrap();
///     assert!(size > 1000);
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is the body of a request: give it to `TestRequest::multipart`"]
pub struct TestMultipart {
    boundary: String,
    body: Vec<u8>,
}

impl TestMultipart {
    /// Returns a form without parts.
    pub fn new() -> Self {
        // Random, because a fixed boundary could occur in a file, such as the source of a test.
        let boundary = format!("piton-test-{:032x}", fastrand::u128(..));
        Self { boundary, body: Vec::new() }
    }

    /// Adds a text field.
    pub fn field(self, name: &str, value: &str) -> Self {
        self.part(&disposition(name, None), value.as_bytes())
    }

    /// Adds a file with its name and media type.
    pub fn file(
        self,
        name: &str,
        file_name: &str,
        media_type: &str,
        content: impl AsRef<[u8]>,
    ) -> Self {
        let disposition = disposition(name, Some(file_name));
        self.part(&format!("{disposition}content-type: {media_type}\r\n"), content.as_ref())
    }

    fn part(mut self, headers: &str, content: &[u8]) -> Self {
        self.body.extend_from_slice(format!("--{}\r\n{headers}\r\n", self.boundary).as_bytes());
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
        self
    }

    /// Returns the value of `Content-Type`, and the body.
    pub(super) fn encode(mut self) -> (String, Bytes) {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (format!("multipart/form-data; boundary={}", self.boundary), self.body.into())
    }
}

impl Default for TestMultipart {
    fn default() -> Self {
        Self::new()
    }
}

fn disposition(name: &str, file_name: Option<&str>) -> String {
    let file_name =
        file_name.map_or_else(String::new, |name| format!("; filename=\"{}\"", escaped(name)));
    format!("content-disposition: form-data; name=\"{}\"{file_name}\r\n", escaped(name))
}

/// Returns the name as HTML's "multipart/form-data encoding algorithm" writes it in quotes.
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_as_rfc_7578_has_them() {
        let mut form =
            TestMultipart::new().field("a\"b", "1").file("f", "x\r.txt", "text/plain", "2");
        form.boundary = "B".to_owned();
        let (content_type, _) = form.encode();
        assert_eq!(content_type, "multipart/form-data; boundary=B");
        let mut form = TestMultipart { boundary: "B".to_owned(), body: Vec::new() };
        form = form.field("a\"b", "1").file("f", "x\r.txt", "text/plain", "2");
        let expected = "--B\r\ncontent-disposition: form-data; name=\"a%22b\"\r\n\r\n1\r\n\
             --B\r\ncontent-disposition: form-data; name=\"f\"; filename=\"x%0D.txt\"\r\n\
             content-type: text/plain\r\n\r\n2\r\n--B--\r\n";
        assert_eq!(form.encode().1, expected);
    }
}
