//! Checks email addresses at signup, and finds the spellings under which an account may be stored.

/// Maximum length of an address in bytes (RFC 5321).
const MAX_LENGTH: usize = 254;

/// Maximum length in bytes of the text by which an account is looked up. Larger than that of an
/// address, because rows of the Python service may hold text that no signup accepts.
const MAX_TYPED_LENGTH: usize = 1024;

/// Returns the address as a new account stores it: without blanks around it, with the domain in
/// lower case and ASCII. The part before the `@` is unchanged, because the owner's server may
/// distinguish capitals. `None` if it is not an address.
#[must_use]
pub fn of_signup(text: &str) -> Option<String> {
    let text = text.trim();
    let (name, domain) = text.rsplit_once('@')?;
    let strange = |c: char| c.is_control() || c.is_whitespace() || "<>,;".contains(c);
    let whole = !name.is_empty() && !domain.is_empty() && text.len() <= MAX_LENGTH;
    let address = format!("{name}@{}", ascii(domain));
    (whole && !text.contains(strange) && address.len() <= MAX_LENGTH).then_some(address)
}

/// Returns the domain in its canonical form: `Bücher.Example` as `xn--bcher-kva.example`.
fn ascii(domain: &str) -> String {
    let ascii = idna::domain_to_ascii(domain).ok().filter(|ascii| !ascii.is_empty());
    ascii.unwrap_or_else(|| domain.to_lowercase())
}

/// The text that was typed as the address of a login. It finds the account with exactly this text,
/// which may be one that today's signup refuses, or else one with the same address and another
/// spelling of its domain.
#[derive(Debug)]
pub struct Typed<'a> {
    /// The text as typed.
    pub exact: &'a str,
    /// The address as a new account would store it.
    pub ascii: String,
    /// The same, with the domain in lower case but not in ASCII.
    pub lower: String,
    /// The part before the domain, with the `@`.
    pub name: String,
}

impl<'a> Typed<'a> {
    /// Returns `None` for text that no account has: empty, too long, or with a NUL, which
    /// PostgreSQL does not accept.
    #[must_use]
    pub fn new(exact: &'a str) -> Option<Self> {
        if exact.is_empty() || exact.len() > MAX_TYPED_LENGTH || exact.contains('\0') {
            return None;
        }
        let text = exact.trim();
        let (name, domain) = text.rsplit_once('@').unwrap_or((text, ""));
        let name = format!("{name}@");
        Some(Self {
            exact,
            ascii: format!("{name}{}", ascii(domain)),
            lower: format!("{name}{}", domain.to_lowercase()),
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_an_address_has_one_spelling_and_its_name_keeps_its_own() {
        for (text, kept) in [
            (" Ada@Example.ORG ", Some("Ada@example.org")),
            ("ada@BÜCHER.example", Some("ada@xn--bcher-kva.example")),
            ("ada@xn--BCHER-kva.example", Some("ada@xn--bcher-kva.example")),
            ("zoë@example.org", Some("zoë@example.org")),
            ("\"a@b\"@Example.org", Some("\"a@b\"@example.org")),
            ("ada@[127.0.0.1]", Some("ada@[127.0.0.1]")),
            ("old user@example.org", None),
            ("Ann <ann@example.org>", None),
            ("@example.org", None),
            ("ada@", None),
        ] {
            assert_eq!(of_signup(text).as_deref(), kept, "{text}");
        }
        assert_eq!(of_signup(&format!("{}@example.org", "a".repeat(243))), None);
    }

    #[test]
    fn what_is_typed_is_bounded() {
        assert!(Typed::new("").is_none() && Typed::new("a\0@example.org").is_none());
        assert!(Typed::new(&"a".repeat(1025)).is_none());
        assert_eq!(Typed::new(" old user@Example.org").unwrap().ascii, "old user@example.org");
        assert_eq!(Typed::new("nobody").unwrap().name, "nobody@");
    }
}
