//! The two keys of a headless user, checked before anything is sent with them.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice};

use super::error::Error;

/// Identifies the user of a request. Not a secret: it is sent as it is.
///
/// ```
/// # use ashirt_worker::ashirt::AccessKey;
/// assert!("gR6nVtaQmp2SvzIqLUWdedDk".parse::<AccessKey>().is_ok());
/// assert!("two words".parse::<AccessKey>().is_err());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccessKey(String);

impl AccessKey {
    /// Returns the key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessKey {
    type Err = Error;

    /// # Errors
    /// `Invalid` if it is empty, or has characters that cannot stand before the `:` of the header.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::invalid("the access key is empty"));
        }
        if text.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b':') {
            return Err(Error::invalid(
                "the access key has characters other than visible ASCII, or a `:`",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Signs requests. `Debug` does not show the key.
///
/// ```
/// # use ashirt_worker::ashirt::SecretKey;
/// let key: SecretKey = "c2VjcmV0".parse()?;
/// assert_eq!(format!("{key:?}"), "SecretKey");
/// # Ok::<(), ashirt_worker::ashirt::Error>(())
/// ```
#[derive(Clone)]
pub struct SecretKey(hmac::Key);

impl SecretKey {
    /// Returns the HMAC-SHA256 of a message.
    pub(super) fn sign(&self, message: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, message)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

impl FromStr for SecretKey {
    type Err = Error;

    /// Takes standard base64 with its padding, as ASHIRT shows it.
    ///
    /// # Errors
    /// `Invalid` says what is wrong with it, and repeats nothing of it.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::invalid(format!("the secret key {what}"));
        if text.is_empty() {
            return Err(wrong("is empty"));
        }
        if text.contains(char::is_whitespace) {
            return Err(wrong("contains whitespace"));
        }
        if text.contains(['-', '_']) {
            return Err(wrong("is URL-safe base64 (`-`, `_`): ASHIRT's has `+` and `/`"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)) {
            return Err(wrong("contains characters that are not base64"));
        }
        if !text.len().is_multiple_of(4) {
            return Err(wrong(
                "is truncated: its length is not a multiple of four (is `=` missing?)",
            ));
        }
        // The library's own error is dropped, because it shows the offending character of the key.
        let bytes = STANDARD.decode(text).map_err(|_| wrong("is not valid base64"))?;
        let bytes = SecretSlice::from(bytes);
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.expose_secret())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_key_that_is_not_whole_is_refused_and_not_shown() {
        for (text, said) in [
            ("", "is empty"),
            ("Wvtv xFaJ", "whitespace"),
            ("WvtvxFaJ\n", "whitespace"),
            ("Wvt-xFaJ", "URL-safe"),
            ("Wvt_xFaJ", "URL-safe"),
            ("Wvt!xFaJ", "characters that are not base64"),
            ("WvtéxFa", "characters that are not base64"),
            ("WvtvxFa", "length"),
            ("WvtvxF", "length"),
            ("Wv=vxFa=", "not valid base64"),
            ("WvtvxF==WvtvxFaJ", "not valid base64"),
            ("WvtvxFa9====", "not valid base64"),
            // The last bits are no part of any byte, so two texts would be one key.
            ("WvtvxR==", "not valid base64"),
        ] {
            let error = text.parse::<SecretKey>().expect_err(text).to_string();
            assert!(error.contains(said), "{text:?}: {error}");
            assert!(text.is_empty() || !error.contains(&text[..3]), "{error}");
        }
    }

    #[test]
    fn an_access_key_that_would_break_the_header_is_refused() {
        for text in ["", "a:b", "a b", "a\nb", "é", "a\u{7f}"] {
            assert!(text.parse::<AccessKey>().is_err(), "{text:?}");
        }
        assert_eq!("AS-k_Y-0aB1".parse::<AccessKey>().unwrap().as_str(), "AS-k_Y-0aB1");
    }
}
