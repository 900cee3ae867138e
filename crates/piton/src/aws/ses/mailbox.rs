//! [`Mailbox`]: a mail address with an optional name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::aws::{Error, Kind};

/// A mail address with an optional name: `"shop@example.com"`, `"Shop <shop@example.com>"`, or, with any
/// characters in the name, `("Müller, Jürgen", "jm@example.com")`.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox(MailboxText);

#[derive(Clone, PartialEq, Eq)]
enum MailboxText {
    Text(String),
    Named(String, String),
}

impl From<&str> for Mailbox {
    fn from(text: &str) -> Self {
        Self(MailboxText::Text(text.to_owned()))
    }
}

impl From<String> for Mailbox {
    fn from(text: String) -> Self {
        Self(MailboxText::Text(text))
    }
}

impl From<&String> for Mailbox {
    fn from(text: &String) -> Self {
        Self(MailboxText::Text(text.clone()))
    }
}

impl<N: Into<String>, A: Into<String>> From<(N, A)> for Mailbox {
    fn from((name, address): (N, A)) -> Self {
        Self(MailboxText::Named(name.into(), address.into()))
    }
}

impl Mailbox {
    /// Checks that the address is valid, for a setting or a form.
    ///
    /// # Errors
    /// [`Kind::Invalid`]: it is not a mail address, or one that SES does not accept.
    pub fn check(&self) -> Result<(), Error> {
        self.parse().map(drop)
    }

    pub(super) fn parse(&self) -> Result<lettre::message::Mailbox, Error> {
        let wrong = |_| Error::new(Kind::Invalid, "invalid mail address");
        let mailbox = match &self.0 {
            MailboxText::Text(text) => {
                check_plain("an address", text)?;
                text.trim().parse().map_err(wrong)?
            }
            MailboxText::Named(name, address) => {
                check_plain("a name", name)?;
                let address = address.trim().parse().map_err(wrong)?;
                let name = Some(name.clone()).filter(|name| !name.trim().is_empty());
                lettre::message::Mailbox::new(name, address)
            }
        };
        Ok(lettre::message::Mailbox { email: in_ascii(mailbox.email)?, name: mailbox.name })
    }
}

/// Returns the address with its domain in punycode, because SES accepts ASCII only. The part before
/// the `@` has no ASCII form.
fn in_ascii(address: lettre::Address) -> Result<lettre::Address, Error> {
    let invalid = |why: &str| Error::new(Kind::Invalid, why);
    if !address.user().is_ascii() {
        return Err(invalid(
            "the part of an address before its `@` has letters that are not ASCII, which SES does not accept",
        ));
    }
    if address.domain().is_ascii() {
        return Ok(address);
    }
    let bad_domain = || invalid("the domain of an address is not valid");
    let domain = idna::domain_to_ascii_strict(address.domain()).map_err(|_| bad_domain())?;
    lettre::Address::new(address.user(), domain).map_err(|_| bad_domain())
}

/// Checks that a text has no control characters, because a line end in a header could start another.
///
/// # Errors
/// [`Kind::Invalid`]; `what` names the text.
pub(super) fn check_plain(what: &str, text: &str) -> Result<(), Error> {
    if text.chars().any(char::is_control) {
        let why = format!("{what} has a line end or another control character in it");
        return Err(Error::new(Kind::Invalid, format!("the mail cannot be sent: {why}")));
    }
    Ok(())
}

pub(super) fn address_of(mailbox: &lettre::message::Mailbox) -> String {
    mailbox.email.to_string()
}

/// Returns the name and the address for a header, in ASCII.
pub(super) fn header_of(mailbox: &lettre::message::Mailbox) -> String {
    let address = &mailbox.email;
    let Some(name) = &mailbox.name else { return address.to_string() };
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_".contains(&byte)) {
        return format!("{name} <{address}>");
    }
    format!("{} <{address}>", encoded_words(name))
}

/// Encodes text as the encoded words of RFC 2047. Each has at most 75 characters, and no letter is split
/// between two.
fn encoded_words(text: &str) -> String {
    let (mut words, mut word) = (Vec::new(), String::new());
    for letter in text.chars() {
        // 45 bytes, because they are 60 characters of base64, which with the frame stay below 75.
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

/// Shows no address, because addresses do not belong in a log.
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
    fn names_with_any_characters_are_preserved() {
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
    fn an_invalid_address_is_refused_without_repeating_it() {
        for wrong in ["", "nobody", "a@b.example\r\nBcc: c@d.example", "jürgen@b.example"] {
            let error = header(wrong).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{wrong}");
            assert!(wrong.is_empty() || !error.to_string().contains(wrong), "{error}");
        }
        assert!(header(("A\nB", "a@b.example")).is_err());
    }
}
