//! The id by which the log, the response and other services name one request.

use std::fmt;

use http::HeaderValue;

/// The id of a request in logs and responses: 32 hexadecimal digits, the form of a W3C trace id,
/// unless a trusted proxy has set another one in `X-Request-Id`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    text: [u8; Self::MAX_LENGTH],
    length: u8,
}

impl RequestId {
    /// Maximum length of an id set by a proxy, in bytes.
    const MAX_LENGTH: usize = 47;

    /// Creates an id of 128 random bits.
    #[must_use]
    pub fn new() -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bits = fastrand::u128(..);
        let mut text = [0; Self::MAX_LENGTH];
        for digit in &mut text[..32] {
            *digit = DIGITS[(bits & 15) as usize];
            bits >>= 4;
        }
        Self { text, length: 32 }
    }

    /// Parses the value of a proxy's `X-Request-Id`. Returns `None` unless it is from 1 to 47 letters,
    /// digits and `-_.:=+/@`, which are safe in a log line and in a header.
    #[must_use]
    pub fn from_proxy(name: &[u8]) -> Option<Self> {
        let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/@".contains(byte);
        if name.is_empty() || name.len() > Self::MAX_LENGTH || !name.iter().all(is_safe) {
            return None;
        }
        let mut text = [0; Self::MAX_LENGTH];
        text[..name.len()].copy_from_slice(name);
        Some(Self { text, length: u8::try_from(name.len()).ok()? })
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("an id holds ASCII only")
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }

    /// Returns the value of the response header `X-Request-Id`.
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_bytes(self.as_bytes()).expect("an id holds visible ASCII only")
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_32_hexadecimal_digits_and_no_two_are_alike() {
        let (one, other) = (RequestId::new(), RequestId::new());
        assert!(one.as_str().len() == 32 && one.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(one, other);
    }

    #[test]
    fn the_id_of_a_proxy_is_used_if_it_is_safe_in_a_header() {
        for name in ["f47ac10b-58cc-4372-a567-0e02b2c3d479", "Root=1-67891233-abcdef", "x"] {
            assert_eq!(RequestId::from_proxy(name.as_bytes()).unwrap().as_str(), name);
        }
        for name in ["", "a b", "a\"b", "a\nb", "\u{e9}", &"x".repeat(48)] {
            assert_eq!(RequestId::from_proxy(name.as_bytes()), None, "{name:?}");
        }
    }
}
