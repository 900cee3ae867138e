//! Somebody with an address for mail.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::email::plain;
use crate::aws::{Error, Kind};

/// Somebody with an address: `"shop@example.com"`, `"Shop <shop@example.com>"`, or, whatever the name
/// has in it, `("Müller, Jürgen", "jm@example.com")`.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox(Given);

#[derive(Clone, PartialEq, Eq)]
enum Given {
    Text(String),
    Named(String, String),
}

impl From<&str> for Mailbox {
    fn from(text: &str) -> Self {
        Self(Given::Text(text.to_owned()))
    }
}

impl From<String> for Mailbox {
    fn from(text: String) -> Self {
        Self(Given::Text(text))
    }
}

impl From<&String> for Mailbox {
    fn from(text: &String) -> Self {
        Self(Given::Text(text.clone()))
    }
}

impl<N: Into<String>, A: Into<String>> From<(N, A)> for Mailbox {
    fn from((name, address): (N, A)) -> Self {
        Self(Given::Named(name.into(), address.into()))
    }
}

impl Mailbox {
    /// Whether mail can be sent to it, or from it: for a setting, or a form.
    ///
    /// # Errors
    /// [`Kind::Invalid`]: it is no address, or one that Amazon does not take.
    pub fn check(&self) -> Result<(), Error> {
        self.parse().map(drop)
    }

    pub(super) fn parse(&self) -> Result<lettre::message::Mailbox, Error> {
        let wrong = |_| Error::new(Kind::Invalid, "an address of the mail is none");
        let mailbox = match &self.0 {
            Given::Text(text) => {
                plain("an address", text)?;
                text.trim().parse().map_err(wrong)?
            }
            Given::Named(name, address) => {
                plain("a name", name)?;
                let address = address.trim().parse().map_err(wrong)?;
                let name = Some(name.clone()).filter(|name| !name.trim().is_empty());
                lettre::message::Mailbox::new(name, address)
            }
        };
        Ok(lettre::message::Mailbox { email: in_ascii(mailbox.email)?, name: mailbox.name })
    }
}

/// Returns the address with its domain in punycode, because SES accepts ASCII only. The part before
/// the `@` has no such form.
fn in_ascii(address: lettre::Address) -> Result<lettre::Address, Error> {
    let invalid = |why: &str| Error::new(Kind::Invalid, why);
    if !address.user().is_ascii() {
        return Err(invalid(
            "the part of an address before its `@` has letters that are not ASCII, which Amazon does not take",
        ));
    }
    if address.domain().is_ascii() {
        return Ok(address);
    }
    let wrong = || invalid("the domain of an address is not valid");
    let domain = idna::domain_to_ascii_strict(address.domain()).map_err(|_| wrong())?;
    lettre::Address::new(address.user(), domain).map_err(|_| wrong())
}

pub(super) fn address_of(mailbox: &lettre::message::Mailbox) -> String {
    mailbox.email.to_string()
}

/// The name and the address as they stand in a header, in ASCII.
pub(super) fn header_of(mailbox: &lettre::message::Mailbox) -> String {
    let address = &mailbox.email;
    let Some(name) = &mailbox.name else { return address.to_string() };
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_".contains(&byte)) {
        return format!("{name} <{address}>");
    }
    format!("{} <{address}>", encoded_words(name))
}

/// As RFC 2047 writes what is not ASCII: words of at most 75 characters, none of which breaks a
/// letter apart.
fn encoded_words(text: &str) -> String {
    let (mut words, mut word) = (Vec::new(), String::new());
    for letter in text.chars() {
        if word.len() + letter.len_utf8() > 45 {
            words.push(std::mem::take(&mut word));
        }
        word.push(letter);
    }
    words.push(word);
    let encoded: Vec<String> =
        words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    encoded.join(" ")
}

/// Whom mail is for stays out of logs.
impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailbox")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(mailbox: impl Into<Mailbox>) -> Result<String, Error> {
        mailbox.into().parse().map(|mailbox| header_of(&mailbox))
    }

    #[test]
    fn names_are_kept_whatever_they_have_in_them() {
        assert_eq!(header("a@b.example").unwrap(), "a@b.example");
        assert_eq!(header("Shop <a@b.example>").unwrap(), "Shop <a@b.example>");
        let jürgen = header(("Müller, Jürgen", "jm@b.example")).unwrap();
        assert_eq!(jürgen, "=?utf-8?B?TcO8bGxlciwgSsO8cmdlbg==?= <jm@b.example>");
        let long = header(("ü".repeat(100), "a@b.example")).unwrap();
        assert!(long.split(' ').all(|word| word.len() <= 75), "{long}");
    }

    #[test]
    fn a_domain_with_letters_of_any_script_is_sent_in_punycode() {
        for (given, sent) in [
            ("user@bücher.example", "user@xn--bcher-kva.example"),
            ("user@BÜCHER.example", "user@xn--bcher-kva.example"),
            ("Books <user@bücher.example>", "Books <user@xn--bcher-kva.example>"),
            ("user@例え.テスト", "user@xn--r8jz45g.xn--zckzah"),
            ("user@xn--bcher-kva.example", "user@xn--bcher-kva.example"),
        ] {
            assert_eq!(header(given).unwrap(), sent, "{given}");
        }
        let named = header(("Müller", "user@bücher.example")).unwrap();
        assert!(named.ends_with("<user@xn--bcher-kva.example>"), "{named}");
        let error = header("jürgen@bücher.example").unwrap_err();
        assert!(error.kind() == Kind::Invalid && error.to_string().contains("before its `@`"));
        assert!(header("user@a\u{200b}.example").is_err() || header("user@ü..example").is_err());
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for wrong in ["", "nobody", "a@b.example\r\nBcc: c@d.example", "jürgen@b.example"] {
            let error = header(wrong).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{wrong}");
            assert!(wrong.is_empty() || !error.to_string().contains(wrong), "{error}");
        }
        assert!(header(("A\nB", "a@b.example")).is_err());
    }
}
