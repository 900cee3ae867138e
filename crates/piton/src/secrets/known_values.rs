//! Secrets that the process knows by value, so that they are redacted wherever they appear: in a
//! message, in an error of a library, in a URL.
//!
//! A field can be redacted by its name; a value that was formatted into a sentence can only be found by
//! itself. Every secret setting is remembered when it is read.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::redacted::REDACTED;

/// Minimum length of a secret in bytes. Shorter ones are also words or numbers of sentences, and would
/// redact half of the log.
const MIN_BYTES: usize = 6;

/// Minimum length of a secret that consists of letters alone, for the same reason.
const MIN_WORD_BYTES: usize = 8;

/// Passwords that people write where nothing needs protection. They are not secret, and redacting them
/// would redact the names of databases, files and settings.
const NEVER_SECRET: [&str; 9] = [
    "postgres",
    "postgresql",
    "password",
    "passw0rd",
    "changeme",
    "database",
    "localhost",
    "123456",
    "12345678",
];

/// Maximum number of spellings. The oldest is dropped first, so that a service that rotates its secrets
/// does not grow.
const MAX_SPELLINGS: usize = 256;

/// False as long as nothing is remembered, so that redaction costs one atomic load then.
static ANY_KNOWN: AtomicBool = AtomicBool::new(false);

/// Everything but the unreserved characters of a URL (RFC 3986, section 2.3).
const URL_RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

static KNOWN: RwLock<KnownSecrets> = RwLock::new(KnownSecrets::new());

/// Remembers a secret that is not a setting, such as one from a vault: from now on its value is replaced
/// by `***` in log lines and problem documents.
///
/// Values of fewer than 6 bytes, or of fewer than 8 if they are letters alone, are not remembered, and
/// neither are well-known ones such as `postgres`. At most 256 spellings are remembered (up to three a
/// secret); the oldest are dropped first.
pub fn remember_secret(secret: &SecretString) {
    remember(secret.expose_secret());
}

/// Remembers the secret in the value of a setting: the whole value if `secret`, and the password of an
/// address.
pub(crate) fn remember_setting(secret: bool, value: &Value) {
    match value {
        Value::String(text) => {
            if secret {
                remember(text);
            }
            if let Some(password) = password(text) {
                remember(password);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| remember_setting(secret, item)),
        Value::Object(fields) => fields.values().for_each(|field| remember_setting(secret, field)),
        _ => {}
    }
}

/// Returns the text with [`REDACTED`] in place of each secret that is known.
pub(crate) fn redact_known_values(text: &str) -> Cow<'_, str> {
    if !ANY_KNOWN.load(Ordering::Relaxed) || text.len() < MIN_BYTES {
        return Cow::Borrowed(text);
    }
    KNOWN.read().redact(text)
}

fn remember(secret: &str) {
    let secret = secret.trim();
    if !is_worth_hiding(secret) {
        return;
    }
    let mut known = KNOWN.write();
    // Also escaped as by `{:?}` and as in a URL, because errors of libraries quote values in these forms.
    let encoded = utf8_percent_encode(secret, URL_RESERVED).to_string();
    let spellings = [secret.to_owned(), secret.escape_debug().to_string(), encoded];
    spellings.into_iter().for_each(|spelling| known.add(spelling));
    ANY_KNOWN.store(true, Ordering::Relaxed);
}

fn is_worth_hiding(secret: &str) -> bool {
    let is_word = secret.bytes().all(|byte| byte.is_ascii_alphabetic());
    let least = if is_word { MIN_WORD_BYTES } else { MIN_BYTES };
    secret.len() >= least && !NEVER_SECRET.iter().any(|word| word.eq_ignore_ascii_case(secret))
}

/// Returns the password of an address: `postgres://me:PASSWORD@db/x`.
fn password(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (credentials, _) = rest[..end].rsplit_once('@')?;
    credentials.split_once(':').map(|(_, password)| password)
}

/// The spellings of all secrets, and a filter over their first four bytes: most positions of a text cost one
/// lookup in it, no matter how many secrets there are.
struct KnownSecrets {
    secrets: VecDeque<SecretString>,
    filter: [u64; 64],
}

impl KnownSecrets {
    const fn new() -> Self {
        Self { secrets: VecDeque::new(), filter: [0; 64] }
    }

    fn add(&mut self, spelling: String) {
        if self.secrets.iter().any(|known| known.expose_secret() == spelling) {
            return;
        }
        if self.secrets.len() == MAX_SPELLINGS {
            // Its bit stays in the filter, because other secrets may share it: that costs a comparison now and
            // then.
            self.secrets.pop_front();
        }
        if let Some((word, bit)) = spelling.as_bytes().first_chunk().map(filter_bit) {
            self.filter[word] |= bit;
        }
        self.secrets.push_back(spelling.into());
    }

    fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some((mut at, mut length)) = self.find(text, 0) else { return Cow::Borrowed(text) };
        let (mut safe, mut done) = (String::with_capacity(text.len()), 0);
        loop {
            safe.push_str(&text[done..at]);
            safe.push_str(REDACTED);
            done = at + length;
            match self.find(text, done) {
                Some(next) => (at, length) = next,
                None => break,
            }
        }
        safe.push_str(&text[done..]);
        Cow::Owned(safe)
    }

    /// Returns the position and length of the next secret, of the longest one if one begins with another.
    fn find(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let rest = &text.as_bytes()[from..];
        rest.array_windows().enumerate().find_map(|(index, four)| {
            let (word, bit) = filter_bit(four);
            if self.filter[word] & bit == 0 {
                return None;
            }
            let lengths = self.secrets.iter().filter_map(|secret| {
                let secret = secret.expose_secret().as_bytes();
                rest[index..].starts_with(secret).then_some(secret.len())
            });
            lengths.max().map(|length| (from + index, length))
        })
    }
}

/// Returns the word and the bit of four bytes in the filter.
fn filter_bit(four: &[u8; 4]) -> (usize, u64) {
    let hash = u32::from_le_bytes(*four).wrapping_mul(0x9E37_79B1) >> 20;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known(secrets: &[&str]) -> KnownSecrets {
        let mut known = KnownSecrets::new();
        secrets.iter().for_each(|secret| known.add((*secret).to_owned()));
        known
    }

    #[test]
    fn every_place_of_every_secret_is_hidden_and_nothing_else_changes() {
        let known = known(&["correct-horse", "correct-horse-battery", "päß→wörd"]);
        let cases = [
            ("correct-horse", "***"),
            ("a correct-horse, correct-horse-battery!", "a ***, ***!"),
            ("correct-horsecorrect-horse", "******"),
            ("→päß→wörd←", "→***←"),
            ("correct-hors", "correct-hors"),
            ("", ""),
        ];
        for (text, safe) in cases {
            assert_eq!(known.redact(text), safe);
        }
        assert!(matches!(known.redact("nothing in it"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many() {
        let mut known = KnownSecrets::new();
        (0..=MAX_SPELLINGS).for_each(|number| known.add(format!("secret-number-{number:04}")));
        assert_eq!(known.secrets.len(), MAX_SPELLINGS);
        assert_eq!(known.redact("secret-number-0000"), "secret-number-0000");
        assert_eq!(known.redact("secret-number-0001 secret-number-0256"), "*** ***");
    }

    #[test]
    fn a_remembered_secret_is_hidden_in_its_debug_form_and_in_an_address_too() {
        let secret = SecretString::from(" quote\"and space/9 \n");
        remember_secret(&secret);
        let text = format!("{:?} quote%22and%20space%2F9", "quote\"and space/9");
        assert_eq!(redact_known_values(&text), "\"***\" ***");
    }

    #[test]
    fn short_values_are_not_remembered() {
        for none in ["shrt7", "shortly", "Postgres", "password"] {
            remember_secret(&SecretString::from(none));
            assert_eq!(
                redact_known_values(&format!("a {none} is a word")),
                format!("a {none} is a word")
            );
        }
        remember_secret(&SecretString::from("shorty7"));
        assert_eq!(redact_known_values("a shorty7 is one"), "a *** is one");
    }

    #[test]
    fn the_password_of_an_address_is_remembered_though_the_setting_is_no_secret() {
        remember_setting(false, &json!(["postgres://me:in-an-address@db/x", "not-a-secret"]));
        remember_setting(true, &json!({"a": "in-a-secret-table"}));
        assert_eq!(redact_known_values("in-an-address not-a-secret"), "*** not-a-secret");
        assert_eq!(redact_known_values("in-a-secret-table"), "***");
        assert_eq!(password("redis://cache:6379"), None);
    }
}
