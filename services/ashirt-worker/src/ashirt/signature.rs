//! ASHIRT's request signature: bytes in, two headers out.

use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;

use super::api_keys::{AccessKey, SecretKey};

/// The two headers by which the backend authenticates a request.
pub(super) struct Signature {
    /// `Date`.
    pub date: String,
    /// `Authorization`.
    pub authorization: String,
}

/// Signs a request. `target` has to be written exactly as sent.
pub(super) fn sign(
    access: &AccessKey,
    secret: &SecretKey,
    method: &Method,
    target: &str,
    body: &[u8],
    now: SystemTime,
) -> Signature {
    let date = httpdate::fmt_http_date(now);
    let tag = secret.sign(&string_to_sign(method, target, &date, body));
    let authorization = format!("{}:{}", access.as_str(), STANDARD.encode(tag));
    Signature { date, authorization }
}

/// Returns the signed text: method, target and date, each with a line end, and the 32 bytes of the
/// body's hash.
fn string_to_sign(method: &Method, target: &str, date: &str, body: &[u8]) -> Vec<u8> {
    // Empty, because the backend ignores the body of a GET when it verifies the signature.
    let body = if method == Method::GET { &[] } else { body };
    let mut text = format!("{method}\n{target}\n{date}\n").into_bytes();
    text.extend_from_slice(digest(&SHA256, body).as_ref());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_string_to_sign_is_that_of_the_recorded_vectors() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../testdata/test_vectors.json")).unwrap();
        let vectors = vectors.as_array().unwrap();
        assert_eq!(vectors.len(), 7);
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let body = STANDARD.decode(text("body_b64")).unwrap();
            let method = text("method").parse().unwrap();
            let string = string_to_sign(&method, text("path"), text("date"), &body);
            let hex: String = string.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, text("string_to_sign_hex"), "{}", text("name"));
        }
    }

    #[test]
    fn the_body_of_a_get_is_not_signed() {
        let [with, without] = [&b"body"[..], b""].map(|body| {
            string_to_sign(&Method::GET, "/api", "Mon, 01 Jan 2024 00:00:00 GMT", body)
        });
        assert_eq!(with, without);
    }
}
