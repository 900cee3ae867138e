//! Check digits, which detect mistyped numbers.

/// Returns the check digit of `characters` modulo 11. The first of `weights` applies to the last
/// character. A letter counts as its ASCII code minus 48.
pub(super) fn modulo_11(characters: &[u8], weights: impl Iterator<Item = u32>) -> u8 {
    let sum: u32 = characters.iter().rev().zip(weights).map(|(c, w)| u32::from(c - b'0') * w).sum();
    match sum % 11 {
        0 | 1 => b'0',
        rest => b'0' + u8::try_from(11 - rest).expect("at most 9"),
    }
}
