//! Email addresses: what signs up, and under which spelling an account is found.

/// The longest address that mail has (RFC 5321).
const MAX_LENGTH: usize = 254;

/// The longest text that an account is looked for by. Rows of before may hold what no signup takes.
const MAX_TYPED_LENGTH: usize = 1024;

/// Returns the address as a new account keeps it: without blanks around it, the domain in lower case and
/// ASCII. The part before the `@` stays as it is: its capitals may make a difference to its owner's
/// server. `None` if it is not an address.
#[must_use]
pub fn of_signup(text: &str) -> Option<String> {
    let text = text.trim();
    let (name, domain) = text.rsplit_once('@')?;
    let strange = |c: char| c.is_control() || c.is_whitespace() || "<>,;".contains(c);
    let whole = !name.is_empty() && !domain.is_empty() && text.len() <= MAX_LENGTH;
    let address = format!("{name}@{}", ascii(domain));
    (whole && !text.contains(strange) && address.len() <= MAX_LENGTH).then_some(address)
}

/// Returns the domain in its one spelling: `Bücher.Example` as `xn--bcher-kva.example`.
fn ascii(domain: &str) -> String {
    let ascii = idna::domain_to_ascii(domain).ok().filter(|ascii| !ascii.is_empty());
    ascii.unwrap_or_else(|| domain.to_lowercase())
}

/// What somebody typed to come in. An account is found by the very text, which may be one that no
/// signup takes today, or else by the same address with another spelling of its domain.
#[derive(Debug)]
pub struct Typed<'a> {
    /// The text as it came.
    pub exact: &'a str,
    /// The address as a new account would keep it.
    pub ascii: String,
    /// The same with the domain in lower case alone.
    pub lower: String,
    /// What stands before the domain, with the `@`.
    pub name: String,
}

impl<'a> Typed<'a> {
    /// Returns `None` for what no account has: nothing, too much, or a NUL, which PostgreSQL does not take.
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
