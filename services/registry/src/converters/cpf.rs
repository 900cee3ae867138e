//! The number by which a person is known in Brazil: nine digits and two check digits.

use std::fmt;
use std::str::FromStr;

use super::check_digit::modulo_11;
use super::written;

/// A CPF whose check digits are right, as 11 digits without punctuation.
///
/// ```
/// use registry::converters::Cpf;
///
/// let cpf: Cpf = "529.982.247-25".parse()?;
/// assert_eq!(cpf.as_str(), "52998224725");
/// # Ok::<(), registry::converters::WrongCpf>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpf([u8; 11]);

/// Why a text is not a CPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongCpf {
    /// Not 11 digits without the punctuation.
    Digits,
    /// The check digits are not those of the nine digits before them.
    CheckDigits,
    /// All digits are the same: the check digits are right, but nobody has it.
    Repeated,
}

impl Cpf {
    /// The 11 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

impl FromStr for Cpf {
    type Err = WrongCpf;

    fn from_str(text: &str) -> Result<Self, WrongCpf> {
        let written = written::bare(text, &[(3, '.'), (6, '.'), (9, '-')]);
        let digits: [u8; 11] = written.as_bytes().try_into().map_err(|_| WrongCpf::Digits)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(WrongCpf::Digits);
        }
        if digits == [digits[0]; 11] {
            return Err(WrongCpf::Repeated);
        }
        // The weights 2 to 11 from the right.
        let right = [9, 10].iter().all(|n| modulo_11(&digits[..*n], 2..) == digits[*n]);
        if right { Ok(Self(digits)) } else { Err(WrongCpf::CheckDigits) }
    }
}

piton::converter!(Cpf:
    format = "cpf",
    description = "9 digits and 2 check digits, with or without punctuation",
    pattern = r"^ *[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2} *$",
    example = "52998224725", "529.982.247-25",
);

impl fmt::Display for WrongCpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "a CPF is 11 digits, written as 52998224725 or 529.982.247-25",
            Self::CheckDigits => "the check digits of this CPF are wrong: is it mistyped?",
            Self::Repeated => "nobody has a CPF of one repeated digit",
        })
    }
}

impl std::error::Error for WrongCpf {}

impl fmt::Display for Cpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number of a person stays out of logs.
impl fmt::Debug for Cpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "***{}", &self.as_str()[9..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_are_right_in_every_way_of_writing_them() {
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
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("", WrongCpf::Digits),
            ("5299822472", WrongCpf::Digits),
            ("529982247250", WrongCpf::Digits),
            ("5299822472X", WrongCpf::Digits),
            ("52.9982.247-25", WrongCpf::Digits),
            ("５2998224725", WrongCpf::Digits),
            ("52998224724", WrongCpf::CheckDigits),
            ("52998224735", WrongCpf::CheckDigits),
            ("11111111111", WrongCpf::Repeated),
            ("000.000.000-00", WrongCpf::Repeated),
        ] {
            assert_eq!(text.parse::<Cpf>(), Err(why), "{text:?}");
        }
    }

    /// The rule as it is written down: the weights 10 to 2 and 11 to 2 from the left, and the
    /// remainder of ten times the sum, of which 10 counts as 0.
    fn by_the_book(base: &[u8]) -> String {
        let mut all: Vec<u32> = base.iter().map(|c| u32::from(c - b'0')).collect();
        for first in [10, 11] {
            let sum: u32 = all.iter().zip((2..=first).rev()).map(|(digit, w)| digit * w).sum();
            all.push(sum * 10 % 11 % 10);
        }
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn of_all_check_digits_only_those_of_the_rule_are_accepted() {
        let mut dice = 1_u64;
        for _ in 0..200 {
            let base: [u8; 9] = std::array::from_fn(|_| {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                b'0' + u8::try_from((dice >> 33) % 10).unwrap()
            });
            let right = by_the_book(&base);
            for digits in 0..100 {
                let text = format!("{}{digits:02}", &right[..9]);
                assert_eq!(text.parse::<Cpf>().is_ok(), text == right, "{text}");
            }
        }
    }
}
