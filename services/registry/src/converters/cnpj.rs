//! The CNPJ, the number of a company in Brazil, with its two check digits.
//!
//! Twelve characters and two check digits. The characters are digits or, in numbers given out since
//! July 2026, capital letters too (Instrução Normativa RFB 2.229/2024). A character counts with its
//! ASCII code less 48, so the old numbers keep their check digits.

use std::fmt;
use std::str::FromStr;

use super::check_digit::modulo_11;
use super::punctuation::remove_punctuation;

/// A CNPJ whose check digits are right, as 14 characters without punctuation.
///
/// ```
/// use registry::converters::Cnpj;
///
/// let cnpj: Cnpj = "12.ABC.345/01DE-35".parse()?;
/// assert_eq!(cnpj.as_str(), "12ABC34501DE35");
/// # Ok::<(), registry::converters::CnpjError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cnpj([u8; 14]);

/// The reason why a text is not a CNPJ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CnpjError {
    /// The text does not have 14 characters without the punctuation.
    Length(usize),
    /// A character is neither digit nor letter, or a letter stands in the place of a check digit.
    Character(char),
    /// The check digits are not those of the twelve characters before them.
    CheckDigits,
    /// All characters are the same. The check digits may be right, but no company has the number.
    Repeated,
}

impl Cnpj {
    /// Computes the check digits of twelve characters, which are digits or capital letters.
    ///
    /// # Errors
    /// [`CnpjError::Character`] for any other character, [`CnpjError::Repeated`] if all are alike.
    pub fn from_base(base: [u8; 12]) -> Result<Self, CnpjError> {
        let wrong = base.iter().find(|c| !c.is_ascii_digit() && !c.is_ascii_uppercase());
        if let Some(wrong) = wrong {
            return Err(CnpjError::Character(char::from(*wrong)));
        }
        let mut characters = [0; 14];
        characters[..12].copy_from_slice(&base);
        characters[12] = check_digit(&characters[..12]);
        characters[13] = check_digit(&characters[..13]);
        if characters.iter().all(|c| *c == characters[0]) {
            return Err(CnpjError::Repeated);
        }
        Ok(Self(characters))
    }

    /// Returns the 14 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and letters are ASCII")
    }
}

/// Returns the check digit. The weights are 2 to 9 from the right, repeated.
fn check_digit(characters: &[u8]) -> u8 {
    modulo_11(characters, (2..=9).cycle())
}

impl FromStr for Cnpj {
    type Err = CnpjError;

    fn from_str(text: &str) -> Result<Self, CnpjError> {
        let bare = remove_punctuation(text, &[(2, '.'), (5, '.'), (8, '/'), (12, '-')]);
        let mut characters = [0; 14];
        for (place, character) in bare.chars().enumerate() {
            let upper = character.to_ascii_uppercase();
            let allowed =
                if place < 12 { upper.is_ascii_alphanumeric() } else { upper.is_ascii_digit() };
            if !allowed {
                return Err(CnpjError::Character(character));
            }
            if let Some(known) = characters.get_mut(place) {
                *known = upper as u8;
            }
        }
        if bare.len() != 14 {
            return Err(CnpjError::Length(bare.len()));
        }
        let base = characters[..12].try_into().expect("it is 14 long");
        let right = Self::from_base(base)?;
        if right.0 == characters { Ok(right) } else { Err(CnpjError::CheckDigits) }
    }
}

piton::converter!(Cnpj:
    format = "cnpj",
    description = "12 digits or letters and 2 check digits, with or without punctuation",
    pattern = r"^ *[0-9A-Za-z]{2}\.?[0-9A-Za-z]{3}\.?[0-9A-Za-z]{3}/?[0-9A-Za-z]{4}-?[0-9]{2} *$",
    example = "11222333000181", "12.ABC.345/01DE-35",
);

impl fmt::Display for CnpjError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => {
                write!(
                    f,
                    "a CNPJ has 14 characters without `.`, `/` and `-`, and this has {length}"
                )
            }
            Self::Character(character) => write!(
                f,
                "a CNPJ is 12 digits or letters and 2 check digits: {character:?} is not allowed there"
            ),
            Self::CheckDigits => {
                f.write_str("the check digits of this CNPJ are wrong: is it mistyped?")
            }
            Self::Repeated => f.write_str("no company has a CNPJ of one repeated character"),
        }
    }
}

impl std::error::Error for CnpjError {}

impl fmt::Display for Cnpj {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Cnpj {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_are_valid_in_every_notation() {
        for (written, bare) in [
            ("11.222.333/0001-81", "11222333000181"),
            ("11222333000181", "11222333000181"),
            ("00.000.000/0001-91", "00000000000191"),
            ("33.000.167/0001-01", "33000167000101"),
            ("12.ABC.345/01DE-35", "12ABC34501DE35"),
            ("12abc34501de35", "12ABC34501DE35"),
            (" 12ABC34501DE35 ", "12ABC34501DE35"),
        ] {
            assert_eq!(written.parse::<Cnpj>().map(|cnpj| cnpj.to_string()), Ok(bare.into()));
        }
    }

    #[test]
    fn an_invalid_number_is_refused_with_the_reason() {
        for (text, why) in [
            ("", CnpjError::Length(0)),
            ("1122233300018", CnpjError::Length(13)),
            ("112223330001811", CnpjError::Length(15)),
            ("11222333000182", CnpjError::CheckDigits),
            ("12ABC34501DE36", CnpjError::CheckDigits),
            ("1122233300018A", CnpjError::Character('A')),
            ("11222333 00181", CnpjError::Character(' ')),
            ("1122233300018１", CnpjError::Character('１')),
            ("00000000000000", CnpjError::Repeated),
            ("1122.2333000181", CnpjError::Character('.')),
            ("11..222333000181", CnpjError::Character('.')),
            ("11222333000181-", CnpjError::Character('-')),
            ("\t11222333000181", CnpjError::Character('\t')),
        ] {
            assert_eq!(text.parse::<Cnpj>(), Err(why), "{text:?}");
        }
    }

    /// Computes the check digits as the Receita Federal documents them: tables of weights, from the
    /// left.
    fn reference_implementation(base: &[u8]) -> String {
        const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
        let mut all = base.to_vec();
        for weights in [&WEIGHTS[1..], &WEIGHTS[..]] {
            let sum: u32 = all.iter().zip(weights).map(|(c, w)| (u32::from(*c) - 48) * w).sum();
            let rest = sum % 11;
            all.extend((if rest < 2 { 0 } else { 11 - rest }).to_string().bytes());
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn only_the_right_check_digits_are_accepted() {
        const CHARACTERS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut random = 1_u64;
        for kinds in [10, 36] {
            for _ in 0..200 {
                let base: [u8; 12] = std::array::from_fn(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    CHARACTERS[usize::try_from((random >> 33) % kinds).unwrap()]
                });
                let right = reference_implementation(&base);
                assert_eq!(Cnpj::from_base(base).unwrap().as_str(), right);
                for digits in 0..100 {
                    let text = format!("{}{digits:02}", &right[..12]);
                    assert_eq!(text.parse::<Cnpj>().is_ok(), text == right, "{text}");
                }
            }
        }
    }

    #[test]
    fn any_change_of_one_digit_is_found() {
        let right = "11222333000181";
        for place in 0..14 {
            for digit in b'0'..=b'9' {
                let mut changed = right.as_bytes().to_vec();
                changed[place] = digit;
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(changed.parse::<Cnpj>().is_ok(), changed == right, "{changed}");
            }
        }
    }
}
