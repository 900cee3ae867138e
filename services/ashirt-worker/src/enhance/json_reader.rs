//! Streaming JSON reader, which holds only the requested values in memory.
//!
//! Written by hand, because a library would hold each string as a whole, and one string may be the
//! whole file. It would also reject the lone surrogates that Chromium writes, and a whole file
//! because of one member of the wrong type. This reader is lenient: it does not validate, it finds
//! what can be read.

use std::io::{self, Read};

use super::EnhanceError;
use super::format::describe_start;
use super::media_reader::MediaReader;

/// Maximum length of a key. Longer keys are cut, because all keys that are compared are shorter.
const KEY_CHARS: usize = 64;

/// JSON from the current position on.
pub(super) struct JsonReader<'r> {
    bytes: MediaReader<'r>,
    /// Set if a value ends with its line, whatever is open in it.
    by_line: bool,
}

/// Reason why a value could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The file ends within the value.
    Truncated,
    /// The text is not JSON.
    Syntax,
    /// The reader failed.
    Read(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

type ReadResult<T> = Result<T, ReadError>;

impl<'r> JsonReader<'r> {
    /// Starts at the object that the file has to consist of.
    pub(super) fn start(media: &'r mut dyn Read, what: &str) -> Result<Self, EnhanceError> {
        let mut bytes = MediaReader::new(media);
        if bytes.ahead(3)?.starts_with(b"\xef\xbb\xbf") {
            bytes.skip(3)?;
        }
        while bytes.peek()?.is_some_and(|byte| byte.is_ascii_whitespace()) {
            bytes.next()?;
        }
        match bytes.ahead(256)? {
            [b'{', ..] => Ok(Self { bytes, by_line: false }),
            head => Err(EnhanceError::Unsupported(format!("not {what}: {}", describe_start(head)))),
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.bytes.position()
    }

    /// Switches to one value per line.
    pub(super) fn by_line(&mut self) {
        self.by_line = true;
    }

    /// Consumes the rest of the line. Returns false at the end of the file.
    pub(super) fn rest_of_line(&mut self) -> io::Result<bool> {
        loop {
            match self.bytes.next()? {
                None => return Ok(false),
                Some(b'\n') => return Ok(true),
                Some(_) => {}
            }
        }
    }

    /// Returns the first byte of the next value, or `None` at the end of the file (or of the line).
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.bytes.peek()? {
                Some(b'\n') if self.by_line => return Ok(Some(b'\n')),
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.bytes.next()?,
                other => return Ok(other),
            };
        }
    }

    /// Calls `each` at the value of each member, which it has to consume. Skips a value that is not
    /// an object, and returns false.
    pub(super) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &str) -> ReadResult<()>,
    ) -> ReadResult<bool> {
        if self.peek()? != Some(b'{') {
            return self.skip().map(|()| false);
        }
        self.bytes.next()?;
        while self.more(b'}')? {
            let key = self.text(KEY_CHARS)?.ok_or(ReadError::Syntax)?;
            if self.peek()?.ok_or(ReadError::Truncated)? != b':' {
                return Err(ReadError::Syntax);
            }
            self.bytes.next()?;
            each(self, &key)?;
        }
        Ok(true)
    }

    /// Calls `each` at each element, which it has to consume. Skips a value that is not an array,
    /// and returns false.
    pub(super) fn array(
        &mut self,
        mut each: impl FnMut(&mut Self) -> ReadResult<()>,
    ) -> ReadResult<bool> {
        if !self.enter_array()? {
            return self.skip().map(|()| false);
        }
        while self.more(b']')? {
            each(self)?;
        }
        Ok(true)
    }

    /// Consumes the `[` of an array. Returns false if the value is not an array.
    pub(super) fn enter_array(&mut self) -> ReadResult<bool> {
        let is_array = self.peek()? == Some(b'[');
        if is_array {
            self.bytes.next()?;
        }
        Ok(is_array)
    }

    /// Returns whether another element follows. Consumes `end` otherwise.
    pub(super) fn more(&mut self, end: u8) -> ReadResult<bool> {
        loop {
            match self.peek()?.ok_or(ReadError::Truncated)? {
                b',' => self.bytes.next()?,
                byte if byte == end => {
                    return self.bytes.next().map(|_| false).map_err(ReadError::Read);
                }
                b'\n' | b':' | b'}' | b']' => return Err(ReadError::Syntax),
                _ => return Ok(true),
            };
        }
    }

    /// Returns a string of at most `max_chars` characters; a `…` stands for the rest. Skips a value that
    /// is not a string, and returns `None`.
    pub(super) fn text(&mut self, max_chars: usize) -> ReadResult<Option<String>> {
        let (mut text, mut left) = (String::new(), max_chars + 1);
        let is_string = self.string(|char| match left {
            0 => {}
            1 => (left, _) = (0, text.push('…')),
            _ => (left, _) = (left - 1, text.push(char)),
        })?;
        Ok(is_string.then_some(text))
    }

    /// Returns a number. Skips any other value, and returns `None`.
    pub(super) fn number(&mut self) -> ReadResult<Option<f64>> {
        if !matches!(self.peek()?, Some(b'-' | b'0'..=b'9')) {
            return self.skip().map(|()| None);
        }
        let mut digits = String::new();
        while let Some(byte @ (b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) =
            self.bytes.peek()?
        {
            self.bytes.next()?;
            if digits.len() < 40 {
                digits.push(char::from(byte));
            }
        }
        Ok(digits.parse().ok().filter(|number: &f64| number.is_finite()))
    }

    /// Skips a value of any kind and any depth.
    pub(super) fn skip(&mut self) -> ReadResult<()> {
        let mut depth = 0_u64;
        loop {
            match self.peek()?.ok_or(ReadError::Truncated)? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => (depth, _) = (depth + 1, self.bytes.next()?),
                b'}' | b']' if depth > 0 => (depth, _) = (depth - 1, self.bytes.next()?),
                b',' | b':' if depth > 0 => drop(self.bytes.next()?),
                b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => self.skip_word()?,
                _ => return Err(ReadError::Syntax),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn skip_word(&mut self) -> io::Result<()> {
        while let Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z') =
            self.bytes.peek()?
        {
            self.bytes.next()?;
        }
        Ok(())
    }

    fn skip_string(&mut self) -> ReadResult<()> {
        self.bytes.next()?;
        loop {
            let here = self.bytes.ahead(1)?;
            let plain = here
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | b'\n'))
                .unwrap_or(here.len());
            self.bytes.skip(plain as u64)?;
            match self.bytes.peek()? {
                Some(b'\n') if self.by_line => return Err(ReadError::Syntax),
                Some(b'"') => return self.bytes.next().map(drop).map_err(ReadError::Read),
                Some(b'\\') => drop(self.bytes.skip(2)?),
                Some(b'\n') => drop(self.bytes.next()?),
                None => return Err(ReadError::Truncated),
                Some(_) => {}
            }
        }
    }

    /// Calls `each` with each character of a string; invalid ones become `\u{fffd}`. Skips a value
    /// that is not a string, and returns false.
    pub(super) fn string(&mut self, mut each: impl FnMut(char)) -> ReadResult<bool> {
        if self.peek()? != Some(b'"') {
            return self.skip().map(|()| false);
        }
        self.bytes.next()?;
        loop {
            match self.bytes.peek()?.ok_or(ReadError::Truncated)? {
                b'"' => return self.bytes.next().map(|_| true).map_err(ReadError::Read),
                b'\n' if self.by_line => return Err(ReadError::Syntax),
                b'\\' => self.escape(&mut each)?,
                byte @ 0..0x80 => {
                    self.bytes.next()?;
                    each(char::from(byte));
                }
                _ => each(self.beyond_ascii()?),
            }
        }
    }

    /// Consumes one character of several bytes.
    fn beyond_ascii(&mut self) -> io::Result<char> {
        let ahead = self.bytes.ahead(4)?;
        let some = &ahead[..ahead.len().min(4)];
        let (char, bytes) = match some.utf8_chunks().next() {
            Some(chunk) if !chunk.valid().is_empty() => {
                let char = chunk.valid().chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
                (char, char.len_utf8())
            }
            Some(chunk) => (char::REPLACEMENT_CHARACTER, chunk.invalid().len().max(1)),
            None => (char::REPLACEMENT_CHARACTER, 1),
        };
        self.bytes.skip(bytes as u64)?;
        Ok(char)
    }

    fn escape(&mut self, each: &mut impl FnMut(char)) -> ReadResult<()> {
        self.bytes.next()?;
        match self.bytes.next()?.ok_or(ReadError::Truncated)? {
            b'n' => each('\n'),
            b'r' => each('\r'),
            b't' => each('\t'),
            b'b' => each('\u{8}'),
            b'f' => each('\u{c}'),
            b'u' => return self.code_unit(each),
            byte @ (b'"' | b'\\' | b'/') => each(char::from(byte)),
            _ => return Err(ReadError::Syntax),
        }
        Ok(())
    }

    /// Consumes the four digits of an escape, and the second half of a surrogate pair if it
    /// follows.
    fn code_unit(&mut self, each: &mut impl FnMut(char)) -> ReadResult<()> {
        let first = digits(self.bytes.ahead(4)?).ok_or(ReadError::Syntax)?;
        self.bytes.skip(4)?;
        let second = match (first, self.bytes.ahead(6)?) {
            (0xd800..0xdc00, [b'\\', b'u', low @ ..]) => {
                digits(low).filter(|low| (0xdc00..0xe000).contains(low))
            }
            _ => None,
        };
        let Some(second) = second else {
            each(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
            return Ok(());
        };
        self.bytes.skip(6)?;
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        each(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(())
    }
}

fn digits(bytes: &[u8]) -> Option<u32> {
    let four = bytes.first_chunk::<4>()?;
    four.iter().try_fold(0, |number, byte| Some(number * 16 + char::from(*byte).to_digit(16)?))
}
