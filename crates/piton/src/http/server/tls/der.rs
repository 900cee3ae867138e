//! A reader of DER (X.690), as far as the fields of a certificate need it.
//!
//! Certificates have been verified before they are read here, so a value that does not fit ends the
//! reading without a reason. A parser for X.509 would bring twelve crates for four fields.

/// Tags of the values that certificates consist of.
pub(super) mod tag {
    pub const INTEGER: u8 = 0x02;
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    pub const BMP_STRING: u8 = 0x1e;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
    /// The version of a certificate.
    pub const CONTEXT_0: u8 = 0xa0;
    /// The extensions of a certificate.
    pub const CONTEXT_3: u8 = 0xa3;
    pub const OCTET_STRING: u8 = 0x04;
}

/// A sequence of values.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(pub &'a [u8]);

/// A value: its tag and its content.
#[derive(Clone, Copy)]
pub(super) struct DerValue<'a> {
    pub tag: u8,
    pub content: &'a [u8],
}

impl<'a> Der<'a> {
    /// Takes the next value, which has to have `tag`, and returns its content.
    pub fn expect(&mut self, tag: u8) -> Option<Self> {
        self.next().filter(|value| value.tag == tag).map(|value| Self(value.content))
    }

    /// Takes the next value if it has `tag`.
    pub fn optional(&mut self, tag: u8) -> Option<Self> {
        if self.0.first() == Some(&tag) { self.expect(tag) } else { None }
    }
}

impl<'a> Iterator for Der<'a> {
    type Item = DerValue<'a>;

    fn next(&mut self) -> Option<DerValue<'a>> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Two to four bytes are enough for what fits into memory.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(DerValue { tag, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_short_and_long_lengths() {
        let long = [&[0x04, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        let both = [&[0x02, 0x01, 0x05][..], &long].concat();
        let mut der = Der(&both);
        assert_eq!(der.expect(tag::INTEGER).unwrap().0, [5]);
        assert_eq!(der.expect(tag::OCTET_STRING).unwrap().0, [7; 256]);
        assert!(der.next().is_none());
    }

    #[test]
    fn values_that_end_early_are_none() {
        for cut in [&[][..], &[0x30], &[0x30, 0x05, 1], &[0x30, 0x80], &[0x30, 0x84, 255, 255]] {
            assert!(Der(cut).next().is_none(), "{cut:?}");
        }
    }
}
