//! Parses the weights of `Accept` headers (RFC 9110, section 12.4.2).

/// The weight of an element without one, in thousandths.
pub(crate) const MAX_WEIGHT: u16 = 1000;

/// Parses `0.25` as 250. `None` above 1, and for more than three decimals or anything but digits: a parser of floating
/// point numbers would take `1e0` and `inf`.
pub(crate) fn parse_weight(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = decimals.bytes().map(|digit| u16::from(digit - b'0'));
    let thousandths = digits.chain([0; 3]).take(3).fold(0, |sum, digit| 10 * sum + digit);
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(MAX_WEIGHT),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_has_at_most_three_decimals_and_is_at_most_1() {
        for (text, weight) in [
            ("0", Some(0)),
            ("0.", Some(0)),
            ("0.5", Some(500)),
            ("0.25", Some(250)),
            ("0.001", Some(1)),
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("0.0001", None),
            ("1.001", None),
            ("2", None),
            ("-1", None),
            ("+1", None),
            ("1e0", None),
            ("0.1e", None),
            (".5", None),
            ("00.5", None),
            ("inf", None),
            ("", None),
        ] {
            assert_eq!(parse_weight(text), weight, "{text}");
        }
    }
}
