//! Python's `%` formats, parsed once into text and conversions with their flags, width and precision.

use std::fmt::Write;
use std::iter::repeat_n;

/// A text or a conversion of a format.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FormatPiece<'a> {
    Text(String),
    /// A conversion such as `%(name)-8s`, or `%-8s` without a name.
    Conversion {
        name: Option<&'a str>,
        spec: ConversionSpec,
    },
}

/// The specification of a conversion, such as `-8s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ConversionSpec {
    left: bool,
    zeros: bool,
    /// The sign of a number that is not negative: `+` or a space.
    sign: Option<char>,
    /// The flag `#`: a fraction keeps its decimal point.
    point: bool,
    width: usize,
    precision: Option<usize>,
    pub kind: ConversionKind,
}

/// The types of conversions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConversionKind {
    Text,
    Whole,
    Fraction,
}

/// A number that a conversion writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FormatNumber {
    Whole(i64),
    Fraction(f64),
}

/// Maximum width and precision. Larger ones are likely typing errors, and would enlarge every line.
const MAX_WIDTH: usize = 1000;

/// Parses a format.
///
/// # Errors
/// The invalid conversion, and the reason.
pub(crate) fn pieces(format: &str) -> Result<Vec<FormatPiece<'_>>, String> {
    let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), format);
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            text.push('%');
            rest = after;
            continue;
        }
        if !text.is_empty() {
            pieces.push(FormatPiece::Text(std::mem::take(&mut text)));
        }
        let (piece, after) = conversion(after)?;
        pieces.push(piece);
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(FormatPiece::Text(text));
    }
    Ok(pieces)
}

/// Parses the conversion after a `%`. Returns it with the rest of the format.
fn conversion(text: &str) -> Result<(FormatPiece<'_>, &str), String> {
    let (name, after) = match text.strip_prefix('(') {
        Some(inside) => {
            let (name, after) = inside
                .split_once(')')
                .ok_or_else(|| format!("`%{}` has no `)`", shortened(text)))?;
            (Some(name), after)
        }
        None => (None, text),
    };
    let numbers = after.trim_start_matches(['-', '0', '+', ' ', '#']);
    let flags = &after[..after.len() - numbers.len()];
    let (width, rest) = digits(numbers);
    let (precision, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let (digits, rest) = digits(rest);
            (Some(digits), rest)
        }
        None => (None, rest),
    };
    let letter = rest.chars().next();
    let end = text.len() - rest.len() + letter.map_or(0, char::len_utf8);
    let whole = shortened(&text[..end]);
    let kind = match letter {
        Some('s') => ConversionKind::Text,
        Some('d' | 'i') => ConversionKind::Whole,
        Some('f' | 'F') => ConversionKind::Fraction,
        Some(letter) => {
            return Err(format!("`%{whole}` ends in `{letter}`: expected `s`, `d` or `f`"));
        }
        None => return Err(format!("`%{whole}` is not complete: `s`, `d` or `f` is missing")),
    };
    let number = |digits: &str| match digits {
        "" => Ok(0),
        digits => digits
            .parse()
            .ok()
            .filter(|width| *width <= MAX_WIDTH)
            .ok_or_else(|| format!("`%{whole}` is wider than {MAX_WIDTH}")),
    };
    let spec = ConversionSpec {
        left: flags.contains('-'),
        zeros: flags.contains('0'),
        sign: ['+', ' '].into_iter().find(|sign| flags.contains(*sign)),
        point: flags.contains('#'),
        width: number(width)?,
        precision: precision.map(number).transpose()?,
        kind,
    };
    Ok((FormatPiece::Conversion { name, spec }, &text[end..]))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// Shortens a text for a message of one line.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

impl ConversionSpec {
    /// Writes a text: `%-8s`, `%.3s`.
    pub fn text(self, line: &mut String, text: &str) {
        let cut = self.precision.and_then(|max| text.char_indices().nth(max));
        let text = cut.map_or(text, |(end, _)| &text[..end]);
        if self.width == 0 {
            return line.push_str(text);
        }
        let padding = self.width.saturating_sub(text.chars().count());
        if !self.left {
            line.extend(repeat_n(' ', padding));
        }
        line.push_str(text);
        if self.left {
            line.extend(repeat_n(' ', padding));
        }
    }

    /// Writes a number by this conversion.
    #[expect(clippy::cast_precision_loss, reason = "as Python's `%f` does")]
    #[expect(clippy::cast_possible_truncation, reason = "as Python's `%d` does; times fit")]
    pub fn number(self, line: &mut String, number: FormatNumber) {
        let mut digits = String::new();
        let negative = match (self.kind, number) {
            (ConversionKind::Text, FormatNumber::Whole(number)) => {
                let _ = write!(digits, "{number}");
                return self.text(line, &digits);
            }
            (ConversionKind::Text, FormatNumber::Fraction(number)) => {
                // As Python's `str` of a float, `Debug` prints the shortest digits that parse to
                // the same number. The forms differ only from 1e16 on and below 1e-4, which times in a log
                // never reach.
                let _ = write!(digits, "{number:?}");
                return self.text(line, &digits);
            }
            (ConversionKind::Whole, FormatNumber::Whole(number)) => self.whole(&mut digits, number),
            (ConversionKind::Whole, FormatNumber::Fraction(number)) => {
                self.whole(&mut digits, number as i64)
            }
            (ConversionKind::Fraction, FormatNumber::Whole(number)) => {
                self.fraction(&mut digits, number as f64)
            }
            (ConversionKind::Fraction, FormatNumber::Fraction(number)) => {
                self.fraction(&mut digits, number)
            }
        };
        self.signed(line, negative, &digits);
    }

    /// Writes the digits, at least as many as the precision. Returns whether the number is negative.
    fn whole(self, digits: &mut String, number: i64) -> bool {
        let _ =
            write!(digits, "{:0min$}", number.unsigned_abs(), min = self.precision.unwrap_or(0));
        number < 0
    }

    fn fraction(self, digits: &mut String, number: f64) -> bool {
        let places = self.precision.unwrap_or(6);
        let _ = write!(digits, "{:.places$}", number.abs());
        if self.point && places == 0 {
            digits.push('.');
        }
        number.is_sign_negative()
    }

    fn signed(self, line: &mut String, negative: bool, digits: &str) {
        let sign = if negative { Some('-') } else { self.sign };
        let length = digits.len() + usize::from(sign.is_some());
        let padding = self.width.saturating_sub(length);
        let zeros = self.zeros && !self.left;
        if !zeros && !self.left {
            line.extend(repeat_n(' ', padding));
        }
        line.extend(sign);
        if zeros {
            line.extend(repeat_n('0', padding));
        }
        line.push_str(digits);
        if self.left {
            line.extend(repeat_n(' ', padding));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_conversion_is_refused_with_its_text() {
        let cases = [
            ("100%", "`%` is not complete"),
            ("%(message", "`%(message` has no `)`"),
            ("%(message)", "`%(message)` is not complete"),
            ("%(message)-8", "`%(message)-8` is not complete"),
            ("a %(message)q b", "`%(message)q` ends in `q`"),
            ("%(lineno)*d", "`%(lineno)*` ends in `*`"),
            ("%(message)99999s", "wider than 1000"),
            ("%(created).2000f", "wider than 1000"),
        ];
        for (format, part) in cases {
            let why = pieces(format).expect_err(format);
            assert!(why.contains(part), "{format}: {why}");
        }
    }

    #[test]
    fn a_doubled_percent_sign_is_a_literal_one() {
        assert_eq!(pieces("100%% of %%(x)s"), Ok(vec![FormatPiece::Text("100% of %(x)s".into())]));
    }
}
