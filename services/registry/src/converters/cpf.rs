//! The CPF, the number of a person in Brazil: nine digits and two check digits.

use std::fmt;
use std::str::FromStr;

use super::check_digit::modulo_11;
use super::punctuation::remove_punctuation;

/// A CPF whose check digits are right, as 11 digits without punctuation.
///
/// ```
/// use registry::converters::Cpf;
///
/// let cpf: Cpf = "529.982.247-25".parse()?;
/// assert_eq!(cpf.as_str(), "52998224725");
/// # Ok::<(), registry::converters::CpfError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpf([u8; 11]);

/// The reason why a text is not a CPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpfError {
    /// The text is not 11 digits without the punctuation.
    Digits,
    /// The check digits are not those of the nine digits before them.
    CheckDigits,
    /// All digits are the same. The check digits are right, but no person has the number.
    Repeated,
}

impl Cpf {
    /// Returns the 11 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

impl FromStr for Cpf {
    type Err = CpfError;

    fn from_str(text: &str) -> Result<Self, CpfError> {
        let bare = remove_punctuation(text, &[(3, '.'), (6, '.'), (9, '-')]);
        let digits: [u8; 11] = bare.as_bytes().try_into().map_err(|_| CpfError::Digits)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(CpfError::Digits);
        }
        if digits == [digits[0]; 11] {
            return Err(CpfError::Repeated);
        }
        // The weights 2 to 11 from the right.
        let right = [9, 10].iter().all(|n| modulo_11(&digits[..*n], 2..) == digits[*n]);
        if right { Ok(Self(digits)) } else { Err(CpfError::CheckDigits) }
    }
}

piton::converter!(Cpf:
    format = "cpf",
    description = "9 digits and 2 check digits, with or without punctuation",
    pattern = r"^ *[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2} *$",
    example = "52998224725", "529.982.247-25",
);

impl fmt::Display for CpfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "a CPF is 11 digits, written as 52998224725 or 529.982.247-25",
            Self::CheckDigits => "the check digits of this CPF are wrong: is it mistyped?",
            Self::Repeated => "no person has a CPF of one repeated digit",
        })
    }
}

impl std::error::Error for CpfError {}

impl fmt::Display for Cpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Shows the check digits alone, because the number of a person must not be logged.
impl fmt::Debug for Cpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "***{}", &self.as_str()[9..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_are_valid_in_every_notation() {
        for (written, bare) in [
            ("529.982.247-25", "52998224725"),
            ("52998224725", "52998224725"),
            (" 529982247-25 ", "52998224725"),
            ("111.444.777-35", "11144477735"),
            ("123.456.789-09", "12345678909"),
            ("000.000.001-91", "00000000191"),
            ("987.654.321-00", "98765432100"),
        ] {
            assert_eq!(written.parse::<Cpf>().map(|cpf| cpf.to_string()), Ok(bare.into()));
        }
    }

    #[test]
    fn an_invalid_number_is_refused_with_the_reason() {
        for (text, why) in [
            ("", CpfError::Digits),
            ("5299822472", CpfError::Digits),
            ("529982247250", CpfError::Digits),
            ("5299822472X", CpfError::Digits),
            ("52.9982.247-25", CpfError::Digits),
            ("５2998224725", CpfError::Digits),
            ("52998224724", CpfError::CheckDigits),
            ("52998224735", CpfError::CheckDigits),
            ("11111111111", CpfError::Repeated),
            ("000.000.000-00", CpfError::Repeated),
        ] {
            assert_eq!(text.parse::<Cpf>(), Err(why), "{text:?}");
        }
    }

    /// Computes the check digits as the rule is documented: the weights 10 to 2 and 11 to 2 from the
    /// left, and the remainder of ten times the sum, of which 10 counts as 0.
    fn reference_implementation(base: &[u8]) -> String {
        let mut all: Vec<u32> = base.iter().map(|c| u32::from(c - b'0')).collect();
        for first in [10, 11] {
            let sum: u32 = all.iter().zip((2..=first).rev()).map(|(digit, w)| digit * w).sum();
            all.push(sum * 10 % 11 % 10);
        }
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_the_right_check_digits_are_accepted() {
        let mut random = 1_u64;
        for _ in 0..200 {
            let base: [u8; 9] = std::array::from_fn(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                b'0' + u8::try_from((random >> 33) % 10).unwrap()
            });
            let right = reference_implementation(&base);
            for digits in 0..100 {
                let text = format!("{}{digits:02}", &right[..9]);
                assert_eq!(text.parse::<Cpf>().is_ok(), text == right, "{text}");
            }
        }
    }
}
