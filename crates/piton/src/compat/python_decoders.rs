//! The messages of Python's base64, UTF-8 and JSON decoders for invalid input.
//!
//! Flask-JWT-Extended forwards these messages to clients, so clients, tests and dashboards of a migrated
//! service know them. Only refused tokens are decoded here.

/// Decodes base64 for URLs as Python does: other characters are skipped, and padding ends the text. `None`
/// where Python reports wrong padding.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let padding = (4 - text.len() % 4) % 4;
    let padded = text.iter().copied().chain(std::iter::repeat_n(b'=', padding));
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut place, mut pads) = (0_u32, 0, 0);
    for byte in padded {
        if byte == b'=' {
            pads += 1;
            if place >= 2 && place + pads >= 4 {
                return Some(bytes);
            }
            continue;
        }
        let Some(value) = sextet(byte) else { continue };
        pads = 0;
        bits = bits << 6 | value;
        place = (place + 1) % 4;
        if place != 1 {
            let shift = [0, 0, 4, 2][place];
            bytes.push(u8::try_from(bits >> shift & 0xff).unwrap_or_default());
        }
    }
    (place == 0).then_some(bytes)
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' | b'+' => 62,
        b'_' | b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

/// Decodes UTF-8; the error is the message of `bytes.decode("utf-8")`.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| {
        let from = error.valid_up_to();
        let length = error.error_len().unwrap_or(bytes.len() - from);
        let why = match (error.error_len(), bytes[from]) {
            (None, _) => "unexpected end of data",
            (Some(1), 0x80..=0xc1 | 0xf5..) => "invalid start byte",
            (Some(_), _) => "invalid continuation byte",
        };
        if length == 1 {
            let byte = bytes[from];
            format!("'utf-8' codec can't decode byte {byte:#04x} in position {from}: {why}")
        } else {
            let to = from + length - 1;
            format!("'utf-8' codec can't decode bytes in position {from}-{to}: {why}")
        }
    })
}

/// Returns the message of `json.loads` for text that is not JSON.
pub(crate) fn json(text: &str) -> String {
    if text.starts_with('\u{feff}') {
        return "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)".into();
    }
    let chars: Vec<char> = text.chars().collect();
    let scanner = JsonScanner { chars: &chars };
    let start = scanner.blank(0);
    let wrong = match scanner.value(start, 0).map(|end| scanner.blank(end)) {
        // Python accepts `NaN`, lone surrogates and any depth, so it has no message for these.
        Ok(end) if end >= chars.len() => return "not JSON (RFC 8259)".into(),
        Ok(end) => DecodeFault("Extra data", end),
        Err(wrong) => wrong,
    };
    let DecodeFault(what, at) = wrong;
    let at = at.min(chars.len());
    let before = &chars[..at];
    let line = before.iter().filter(|c| **c == '\n').count() + 1;
    let column = before.iter().rev().take_while(|c| **c != '\n').count() + 1;
    format!("{what}: line {line} column {column} (char {at})")
}

/// A fault: its message, and the position of its character.
struct DecodeFault(&'static str, usize);

type JsonScanResult = Result<usize, DecodeFault>;

/// Python's JSON scanner: finds the end of a value, or the first fault.
struct JsonScanner<'a> {
    chars: &'a [char],
}

impl JsonScanner<'_> {
    fn at(&self, index: usize) -> Option<char> {
        self.chars.get(index).copied()
    }

    fn blank(&self, mut index: usize) -> usize {
        while matches!(self.at(index), Some(' ' | '\t' | '\n' | '\r')) {
            index += 1;
        }
        index
    }

    fn value(&self, index: usize, depth: usize) -> JsonScanResult {
        match self.at(index) {
            Some('"') => self.string(index),
            Some('{') if depth < 500 => self.object(index + 1, depth + 1),
            Some('[') if depth < 500 => self.array(index + 1, depth + 1),
            _ => self
                .word(index)
                .or_else(|| self.number(index))
                .ok_or(DecodeFault("Expecting value", index)),
        }
    }

    fn word(&self, index: usize) -> Option<usize> {
        let words = ["null", "true", "false", "NaN", "Infinity", "-Infinity"];
        let rest = &self.chars[index.min(self.chars.len())..];
        let is_next =
            |word: &&str| word.chars().zip(0..).all(|(c, i)| rest.get::<usize>(i) == Some(&c));
        words.iter().find(|word| is_next(word)).map(|word| index + word.len())
    }

    fn number(&self, index: usize) -> Option<usize> {
        let digits = |mut at: usize| {
            while self.at(at).is_some_and(|c| c.is_ascii_digit()) {
                at += 1;
            }
            at
        };
        let start = if self.at(index) == Some('-') { index + 1 } else { index };
        let mut end = match self.at(start)? {
            '0' => start + 1,
            '1'..='9' => digits(start),
            _ => return None,
        };
        if self.at(end) == Some('.') && digits(end + 1) > end + 1 {
            end = digits(end + 1);
        }
        if matches!(self.at(end), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.at(end + 1), Some('+' | '-')));
            let power = digits(end + 1 + sign);
            if power > end + 1 + sign {
                end = power;
            }
        }
        Some(end)
    }

    fn string(&self, begin: usize) -> JsonScanResult {
        let unterminated = DecodeFault("Unterminated string starting at", begin);
        let mut index = begin + 1;
        loop {
            match self.at(index) {
                None => return Err(unterminated),
                Some('"') => return Ok(index + 1),
                Some('\\') => match self.at(index + 1) {
                    None => return Err(unterminated),
                    Some('u') => {
                        let hex = (2..6)
                            .all(|i| self.at(index + i).is_some_and(|c| c.is_ascii_hexdigit()));
                        if !hex {
                            return Err(DecodeFault("Invalid \\uXXXX escape", index + 1));
                        }
                        index += 6;
                    }
                    Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => index += 2,
                    Some(_) => return Err(DecodeFault("Invalid \\escape", index)),
                },
                Some(c) if c < ' ' => {
                    return Err(DecodeFault("Invalid control character at", index));
                }
                Some(_) => index += 1,
            }
        }
    }

    fn object(&self, after: usize, depth: usize) -> JsonScanResult {
        let mut index = self.blank(after);
        if self.at(index) == Some('}') {
            return Ok(index + 1);
        }
        loop {
            if self.at(index) != Some('"') {
                return Err(DecodeFault(
                    "Expecting property name enclosed in double quotes",
                    index,
                ));
            }
            index = self.blank(self.string(index)?);
            if self.at(index) != Some(':') {
                return Err(DecodeFault("Expecting ':' delimiter", index));
            }
            index = self.blank(self.value(self.blank(index + 1), depth)?);
            match self.at(index) {
                Some('}') => return Ok(index + 1),
                Some(',') => index = self.blank(index + 1),
                _ => return Err(DecodeFault("Expecting ',' delimiter", index)),
            }
        }
    }

    fn array(&self, after: usize, depth: usize) -> JsonScanResult {
        let mut index = self.blank(after);
        if self.at(index) == Some(']') {
            return Ok(index + 1);
        }
        loop {
            index = self.blank(self.value(index, depth)?);
            match self.at(index) {
                Some(']') => return Ok(index + 1),
                Some(',') => index = self.blank(index + 1),
                _ => return Err(DecodeFault("Expecting ',' delimiter", index)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_python() {
        for (text, said) in [
            ("", "Expecting value: line 1 column 1 (char 0)"),
            (
                "{'a': 1}",
                "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            ),
            ("{\"a\" 1}", "Expecting ':' delimiter: line 1 column 6 (char 5)"),
            ("{\"a\": 1 2", "Expecting ',' delimiter: line 1 column 9 (char 8)"),
            ("{\"a\": }", "Expecting value: line 1 column 7 (char 6)"),
            (
                "{\"a\": 1,}",
                "Expecting property name enclosed in double quotes: line 1 column 9 (char 8)",
            ),
            ("{} x", "Extra data: line 1 column 4 (char 3)"),
            ("\"ab", "Unterminated string starting at: line 1 column 1 (char 0)"),
            ("[1,\n tru]", "Expecting value: line 2 column 2 (char 5)"),
            ("\"\\q\"", "Invalid \\escape: line 1 column 2 (char 1)"),
            ("[1.]", "Expecting ',' delimiter: line 1 column 3 (char 2)"),
        ] {
            assert_eq!(json(text), said, "{text}");
        }
        for (bytes, said) in [
            (
                &b"\xff"[..],
                "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
            ),
            (
                b"a\xe2",
                "'utf-8' codec can't decode byte 0xe2 in position 1: unexpected end of data",
            ),
            (
                b"\xe2\x82",
                "'utf-8' codec can't decode bytes in position 0-1: unexpected end of data",
            ),
            (
                b"\xe2a",
                "'utf-8' codec can't decode byte 0xe2 in position 0: invalid continuation byte",
            ),
            (
                b"\xe2\x82a",
                "'utf-8' codec can't decode bytes in position 0-1: invalid continuation byte",
            ),
        ] {
            assert_eq!(utf8(bytes).unwrap_err(), said);
        }
        assert_eq!(base64(b"YQ").unwrap(), b"a");
        assert_eq!(base64(b"Y!Q").unwrap_or_default(), b"");
        assert_eq!(base64(b"YWJj").unwrap(), b"abc");
        assert_eq!(base64(b"Y"), None);
    }
}
