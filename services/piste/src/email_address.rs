//! Checks email addresses at signup, and lists the spellings under which an account may be stored.

/// Maximum length of an address in bytes (RFC 5321).
const MAX_LENGTH: usize = 254;

/// Maximum length in bytes of the address of a login. Larger than that of an
/// address, because rows of the Python service may hold text that no signup accepts.
const MAX_LOGIN_LENGTH: usize = 1024;

/// Returns the address as a new account stores it: without blanks around it, with the domain in
/// lower case and ASCII. The part before the `@` is unchanged, because the owner's server may
/// distinguish capitals. `None` if it is not an address.
#[must_use]
pub fn of_signup(text: &str) -> Option<String> {
    let text = text.trim();
    let (name, domain) = text.rsplit_once('@')?;
    let is_forbidden = |c: char| c.is_control() || c.is_whitespace() || "<>,;".contains(c);
    let domain = ascii(domain);
    let address = format!("{name}@{domain}");
    let fits = text.len() <= MAX_LENGTH && address.len() <= MAX_LENGTH;
    (fits && !text.contains(is_forbidden) && is_name(name) && is_domain(&domain)).then_some(address)
}

/// Returns whether a mailbox can have this name (RFC 5321): in quotes anything, else parts with a dot
/// between them.
fn is_name(name: &str) -> bool {
    let quoted = name.len() > 2 && name.starts_with('"') && name.ends_with('"');
    quoted || name.split('.').all(|part| !part.is_empty())
}

/// Returns whether `domain`, in ASCII, is a name of hosts or an address in brackets.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let is_known = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        (1..=63).contains(&label.len())
            && label.chars().all(is_known)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => !address.is_empty(),
        None => domain.split('.').all(is_label),
    }
}

/// Returns the domain in its normal form: `Bücher.Example.` as `xn--bcher-kva.example`.
fn ascii(domain: &str) -> String {
    let ascii = idna::domain_to_ascii(domain).ok().filter(|ascii| !ascii.is_empty());
    without_root(ascii.unwrap_or_else(|| domain.to_lowercase()))
}

/// Returns the domain without the dot of the root zone, with which it is the same domain.
fn without_root(mut domain: String) -> String {
    if domain.ends_with('.') {
        domain.pop();
    }
    domain
}

/// The address of a login. It matches the account with exactly this text, which today's signup may
/// refuse, or else one with the same address and another spelling of its domain.
#[derive(Debug)]
pub struct LoginAddress<'a> {
    /// The text as the user entered it.
    pub exact: &'a str,
    /// The address with each spelling of its domain that an account may have: as a new account stores
    /// it, in lower case only, and in Unicode in lower and upper case (because SQLite's `lower` handles
    /// ASCII only); each also with the dot of the root zone.
    pub spellings: [String; 8],
    /// The part before the domain, with the `@`.
    pub name: String,
}

impl<'a> LoginAddress<'a> {
    /// Returns `None` for text that no account has: empty, too long, or with a NUL, which
    /// PostgreSQL does not accept.
    #[must_use]
    pub fn new(exact: &'a str) -> Option<Self> {
        if exact.is_empty() || exact.len() > MAX_LOGIN_LENGTH || exact.contains('\0') {
            return None;
        }
        let text = exact.trim();
        let (name, domain) = text.rsplit_once('@').unwrap_or((text, ""));
        let name = format!("{name}@");
        let ascii = ascii(domain);
        let unicode = idna::domain_to_unicode(&ascii).0;
        let (lower, capitals) = (without_root(domain.to_lowercase()), unicode.to_uppercase());
        let [a, b, c, d] =
            [ascii, lower, unicode, capitals].map(|domain| format!("{name}{domain}"));
        let rooted = [&a, &b, &c, &d].map(|address| format!("{address}."));
        let [e, f, g, h] = rooted;
        Some(Self { exact, spellings: [a, b, c, d, e, f, g, h], name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_normalized_and_the_local_part_is_unchanged() {
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
            ("ada@example.org.", Some("ada@example.org")),
            ("ada@bücher.example。", Some("ada@xn--bcher-kva.example")),
            ("ada.b+c@mail_1.example", Some("ada.b+c@mail_1.example")),
            ("\"a..b\"@example.org", Some("\"a..b\"@example.org")),
            ("ada@example..org", None),
            ("ada@example.org..", None),
            ("ada@.example.org", None),
            ("ada@.", None),
            ("ada@-x.org", None),
            ("ada@x-.org", None),
            ("ada@x!y.org", None),
            ("ada@[]", None),
            ("a..b@example.org", None),
            (".a@example.org", None),
            ("a.@example.org", None),
        ] {
            assert_eq!(of_signup(text).as_deref(), kept, "{text}");
        }
        assert_eq!(of_signup(&format!("{}@example.org", "a".repeat(243))), None);
        assert_eq!(of_signup(&format!("a@{}.org", "b".repeat(64))), None);
    }

    #[test]
    fn the_address_of_a_login_is_limited() {
        assert!(LoginAddress::new("").is_none() && LoginAddress::new("a\0@example.org").is_none());
        assert!(LoginAddress::new(&"a".repeat(1025)).is_none());
        assert_eq!(
            LoginAddress::new(" old user@Example.org").unwrap().spellings[0],
            "old user@example.org"
        );
        assert_eq!(LoginAddress::new("nobody").unwrap().name, "nobody@");
    }
}
