//! The text of a stored key: `piton_<id>_<secret>`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

/// The beginning of every key, by which people and secret scanners recognize one.
pub(super) const KEY_PREFIX: &str = "piton_";
const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 43;

/// Returns the id and the secret in the text of a key.
pub(super) fn parse(text: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(text).ok()?;
    let (id, secret) = text.strip_prefix(KEY_PREFIX)?.split_once('_')?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (id.len() == ID_LENGTH && id.bytes().all(plain) && secret.len() == SECRET_LENGTH)
        .then_some((id, secret))
}

/// Returns a new random id.
pub(super) fn new_id() -> Result<String, getrandom::Error> {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let digit = |byte: u8| char::from(DIGITS[usize::from(byte & 31)]);
    Ok(random::<ID_LENGTH>()?.into_iter().map(digit).collect())
}

/// Returns a new random secret of 256 bits.
pub(super) fn new_secret() -> Result<String, getrandom::Error> {
    Ok(BASE64URL.encode(random::<32>()?))
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map(|()| bytes)
}

/// Returns whether `name` can be the name of a key.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    // A name that begins as a key may be a key in the wrong place. It must not be stored or logged as a name.
    let begins =
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !name.starts_with(KEY_PREFIX);
    begins && name.len() <= 64 && name.bytes().all(plain)
}
