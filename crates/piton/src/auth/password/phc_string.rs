//! PHC strings: the text of a stored hash, `$argon2id$v=19$m=65536,t=3,p=4$<salt>$<hash>`, in exactly the
//! form of the reference implementation and argon2-cffi.
//!
//! Parsed by hand instead of by the crate `password-hash`, because a stored hash decides how much memory
//! and time is spent: every number is bounded before it is used, and the text must be what argon2-cffi
//! would accept.

use argon2::Version;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

use super::argon2_parameters::{Argon2Parameters, Argon2Variant};
use super::error::{Error, Kind};

/// Maximum length of a hash's text. A salt and a hash of [`MAX_OUTPUT_BYTES`] bytes each fit into it.
const MAX_TEXT_BYTES: usize = 4096;

/// A stored hash.
#[derive(Clone, Debug)]
pub(super) struct StoredHash {
    pub parameters: Argon2Parameters,
    pub salt: Vec<u8>,
    pub hash: Vec<u8>,
}

impl StoredHash {
    /// Parses the text of a hash, as [`StoredHash::text`] and argon2-cffi write it.
    ///
    /// # Errors
    /// [`Kind::InvalidHash`] for any other text.
    pub fn read(text: &str) -> Result<Self, Error> {
        read(text).ok_or_else(|| Error::new(Kind::InvalidHash, "not an argon2 hash"))
    }

    pub fn text(&self) -> String {
        let Argon2Parameters { variant, time_cost, memory_cost_kib, parallelism, .. } =
            self.parameters;
        let version = u32::from(self.parameters.version);
        let (salt, hash) = (BASE64.encode(&self.salt), BASE64.encode(&self.hash));
        format!(
            "${variant}$v={version}$m={memory_cost_kib},t={time_cost},p={parallelism}${salt}${hash}"
        )
    }
}

fn read(text: &str) -> Option<StoredHash> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    let (variant, rest) = text.strip_prefix('$')?.split_once('$')?;
    // Hashes of version 1.0 (before 2015's 1.3) have no `v=`, and argon2-cffi reads them as version 16.
    let (version, rest) = match rest.strip_prefix("v=") {
        Some(rest) => rest.split_once('$')?,
        None => ("16", rest),
    };
    let mut parts = rest.split('$');
    let mut costs = parts.next()?.split(',');
    let mut cost = |name| number(costs.next()?.strip_prefix(name)?);
    let (memory_cost_kib, time_cost, parallelism) = (cost("m=")?, cost("t=")?, cost("p=")?);
    let (salt, hash) = (BASE64.decode(parts.next()?).ok()?, BASE64.decode(parts.next()?).ok()?);
    if costs.next().is_some() || parts.next().is_some() || salt.len() < 8 || hash.len() < 4 {
        return None;
    }
    let parameters = Argon2Parameters {
        variant: Argon2Variant::from_name(variant)?,
        version: Version::try_from(number(version)?).ok()?,
        time_cost,
        memory_cost_kib,
        parallelism,
        hash_len: u32::try_from(hash.len()).ok()?,
        salt_len: u32::try_from(salt.len()).ok()?,
    };
    Some(StoredHash { parameters, salt, hash })
}

/// Parses a number of digits alone, without leading zeros, as the reference implementation does.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "$argon2id$v=19$m=65536,t=3,p=4$sQBf2lkyxa0nYxVDfJ9x6A$vjQ5czqoXJwTuZafwhlOnvyG7nmP8/t7VCuDraTuNBA";

    #[test]
    fn a_parsed_hash_is_written_as_it_was() {
        assert_eq!(StoredHash::read(GOOD).unwrap().text(), GOOD);
        let old = "$argon2i$m=8,t=1,p=1$c29tZXNhbHQ$AAECAwQ";
        assert_eq!(StoredHash::read(old).unwrap().parameters.version, Version::V0x10);
    }

    #[test]
    fn malformed_hashes_are_refused() {
        let bad = [
            "",
            "$",
            "$$$$$",
            "argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAECAwQ",
            "$argon2x$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAECAwQ",
            "$ARGON2ID$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAECAwQ",
            "$argon2id$v=18$m=8,t=1,p=1$c29tZXNhbHQ$AAECAwQ",
            "$argon2id$v=19$m=8,t=1$c29tZXNhbHQ$AAECAwQ",
            "$argon2id$v=19$t=1,m=8,p=1$c29tZXNhbHQ$AAECAwQ",
            "$argon2id$v=19$m=8,t=1,p=1,x=1$c29tZXNhbHQ$AAECAwQ",
            "$argon2id$v=19$m=08,t=1,p=1$c29tZXNhbHQ$AAECAwQ",
            "$argon2id$v=19$m=+8,t=1,p=1$c29tZXNhbHQ$AAECAwQ",
            "$argon2id$v=19$m=-8,t=1,p=1$c29tZXNhbHQ$AAECAwQ",
            "$argon2id$v=19$m=99999999999,t=1,p=1$c29tZXNhbHQ$AAECAwQ",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAECAwQ$",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ=$AAECAwQ",
            "$argon2id$v=19$m=8,t=1,p=1$c29t$AAECAwQ",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAECAwQ\n",
            "$2b$12$abcdefghijklmnopqrstuv",
            "pbkdf2:sha256:1$x$y",
            "\u{e9}$\u{1f511}",
        ];
        for text in bad {
            assert_eq!(StoredHash::read(text).unwrap_err().kind(), Kind::InvalidHash, "{text}");
        }
        let long = format!("{GOOD}{}", "A".repeat(100_000));
        assert!(StoredHash::read(&long).is_err());
    }

    #[test]
    fn numbers_that_argon2_does_not_have_are_refused_before_any_memory_is_taken() {
        for costs in
            ["m=7,t=1,p=1", "m=8,t=0,p=1", "m=8,t=1,p=0", "m=31,t=1,p=4", "m=8,t=1,p=4294967295"]
        {
            let text = format!("$argon2id$v=19${costs}$c29tZXNhbHQ$AAECAwQ");
            let stored = StoredHash::read(&text).unwrap();
            assert_eq!(stored.parameters.argon2().unwrap_err().kind(), Kind::InvalidHash, "{text}");
        }
    }
}
