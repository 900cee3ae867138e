//! The secrets this process knows by value, so that none of them is shown, wherever somebody put it:
//! in a message, in an error of a library, in a URL.
//!
//! A key that names a secret can be hidden by its name; a value that has been formatted into a
//! sentence can only be found by itself. Every secret setting is remembered when it is read.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::redact::HIDDEN;

/// Characters that are percent-encoded in a URL: all but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A shorter one is also a word of the language, or a number, and would blot out half of the log.
const SHORTEST: usize = 6;

/// Below this many bytes a secret must have more than letters, for the same reason.
const ANY_WORD: usize = 8;

/// What people write as a password where there is none to keep. They are no secrets, and hiding them
/// would hide the names of databases, files and settings.
const WELL_KNOWN: [&str; 9] = [
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

/// Above this the oldest is forgotten: a service that rotates secrets must not grow.
const MOST: usize = 256;

/// False as long as nothing is remembered: then hiding costs one load.
static ANY: AtomicBool = AtomicBool::new(false);

static KNOWN: RwLock<Known> = RwLock::new(Known::new());

/// Remembers a secret that was not read as a setting, say one from a vault: from now on its value
/// stands in no log line and in no problem document.
///
/// Values of fewer than 8 letters, or of fewer than 6 bytes, are not remembered, and neither are those
/// that are no secrets, such as `postgres`. Of more than 256 spellings the oldest are forgotten.
pub fn remember_secret(secret: &SecretString) {
    remember(secret.expose_secret());
}

/// Remembers what is secret in the value of a setting: all of it, or the password in an address.
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

/// `text` with `***` in the place of each secret that is known.
pub(crate) fn hide(text: &str) -> Cow<'_, str> {
    if !ANY.load(Ordering::Relaxed) || text.len() < SHORTEST {
        return Cow::Borrowed(text);
    }
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).hide(text)
}

fn remember(secret: &str) {
    let secret = secret.trim();
    if !is_worth_hiding(secret) {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    // As `{:?}` would have it, and as it stands in an address.
    let spellings = [
        secret.to_owned(),
        secret.escape_debug().to_string(),
        utf8_percent_encode(secret, RESERVED).to_string(),
    ];
    spellings.into_iter().for_each(|spelling| known.add(spelling));
    ANY.store(true, Ordering::Relaxed);
}

fn is_worth_hiding(secret: &str) -> bool {
    let is_word = secret.bytes().all(|byte| byte.is_ascii_alphabetic());
    let least = if is_word { ANY_WORD } else { SHORTEST };
    secret.len() >= least && !WELL_KNOWN.iter().any(|word| word.eq_ignore_ascii_case(secret))
}

/// `postgres://me:PASSWORD@db/x`.
fn password(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (credentials, _) = rest[..end].rsplit_once('@')?;
    credentials.split_once(':').map(|(_, password)| password)
}

/// The secrets, and a filter over their first four bytes: most places of a text are passed over
/// with one look at it, however many secrets there are.
struct Known {
    secrets: VecDeque<SecretString>,
    starts: [u64; 64],
}

impl Known {
    const fn new() -> Self {
        Self { secrets: VecDeque::new(), starts: [0; 64] }
    }

    fn add(&mut self, spelling: String) {
        if self.secrets.iter().any(|known| known.expose_secret() == spelling) {
            return;
        }
        if self.secrets.len() == MOST {
            // Its bit stays, which costs a comparison now and then.
            self.secrets.pop_front();
        }
        if let Some((word, bit)) = spelling.as_bytes().first_chunk().map(start) {
            self.starts[word] |= bit;
        }
        self.secrets.push_back(spelling.into());
    }

    fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some((mut at, mut length)) = self.find(text, 0) else { return Cow::Borrowed(text) };
        let (mut safe, mut done) = (String::with_capacity(text.len()), 0);
        loop {
            safe.push_str(&text[done..at]);
            safe.push_str(HIDDEN);
            done = at + length;
            match self.find(text, done) {
                Some(next) => (at, length) = next,
                None => break,
            }
        }
        safe.push_str(&text[done..]);
        Cow::Owned(safe)
    }

    /// Where the next secret stands, and its length: the longest, where one begins with another.
    fn find(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let rest = &text.as_bytes()[from..];
        rest.array_windows().enumerate().find_map(|(index, four)| {
            let (word, bit) = start(four);
            if self.starts[word] & bit == 0 {
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

/// The place of four bytes in the filter.
fn start(four: &[u8; 4]) -> (usize, u64) {
    let hash = u32::from_le_bytes(*four).wrapping_mul(0x9E37_79B1) >> 20;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known(secrets: &[&str]) -> Known {
        let mut known = Known::new();
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
            assert_eq!(known.hide(text), safe);
        }
        assert!(matches!(known.hide("nothing in it"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many() {
        let mut known = Known::new();
        (0..=MOST).for_each(|number| known.add(format!("secret-number-{number:04}")));
        assert_eq!(known.secrets.len(), MOST);
        assert_eq!(known.hide("secret-number-0000"), "secret-number-0000");
        assert_eq!(known.hide("secret-number-0001 secret-number-0256"), "*** ***");
    }

    #[test]
    fn a_remembered_secret_is_hidden_in_its_debug_form_and_in_an_address_too() {
        let secret = SecretString::from(" quote\"and space/9 \n");
        remember_secret(&secret);
        let text = format!("{:?} quote%22and%20space%2F9", "quote\"and space/9");
        assert_eq!(hide(&text), "\"***\" ***");
    }

    #[test]
    fn what_is_too_short_is_not_remembered() {
        for none in ["shrt7", "shortly", "Postgres", "password"] {
            remember_secret(&SecretString::from(none));
            assert_eq!(hide(&format!("a {none} is a word")), format!("a {none} is a word"));
        }
        remember_secret(&SecretString::from("shorty7"));
        assert_eq!(hide("a shorty7 is none"), "a *** is none");
    }

    #[test]
    fn the_password_of_an_address_is_remembered_though_the_setting_is_no_secret() {
        remember_setting(false, &json!(["postgres://me:in-an-address@db/x", "not-a-secret"]));
        remember_setting(true, &json!({"a": "in-a-secret-table"}));
        assert_eq!(hide("in-an-address not-a-secret"), "*** not-a-secret");
        assert_eq!(hide("in-a-secret-table"), "***");
        assert_eq!(password("redis://cache:6379"), None);
    }
}
