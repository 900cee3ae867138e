//! Finds the placeholders of a statement, so that a missing parameter is an error.
//!
//! sqlx binds a missing SQLite parameter as NULL and ignores one too many, which turns a slip
//! into `WHERE id = NULL`. Counting needs a scanner that skips what is *not* a placeholder:
//! quoted text, names, comments. The rules are SQLite's tokenizer (`tokenize.c`) and
//! PostgreSQL's lexical structure (chapter 4.1 of its manual).
//!
//! The prepared statement is not asked for its number of parameters, because
//! [`Sql::bind`](super::Sql::bind) numbers placeholders before there is a connection, because a
//! piece of a statement that ends within quotes must be refused, and because SQLite would have to
//! prepare each statement in a round trip of its own to the connection's thread.

use super::dialect::Dialect;
use super::error::{Error, Kind};

/// Maximum number of a placeholder, which is SQLite's.
const MAX_NUMBER: usize = 32_766;

/// The placeholders of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Placeholders {
    /// The highest number of `$n` and `?n`.
    pub highest: usize,
    /// The number of `?`.
    pub positional: usize,
    /// The numbers that occur, as bits. The first 128 are recorded.
    used: u128,
    /// A text that looks like a placeholder but cannot be bound.
    malformed: Option<String>,
    /// Set if a quoted text or a comment does not end.
    pub unterminated: bool,
}

impl Placeholders {
    /// Checks the placeholders against the number of parameters.
    ///
    /// # Errors
    /// [`Kind::Arity`], naming both numbers.
    pub fn check(&self, given: usize, sql: &str) -> Result<(), Error> {
        let refuse = |why: String| Err(Error::new(Kind::Arity, format!("{why}: {}", excerpt(sql))));
        if let Some(text) = &self.malformed {
            return refuse(format!("`{text}` is not a placeholder: write `$1`, `$2` and so on"));
        }
        if self.positional > 0 && self.highest > 0 {
            return refuse(
                "`?` and numbered placeholders do not mix: write `$1`, `$2` and so on".into(),
            );
        }
        let wanted = self.highest.max(self.positional);
        if wanted != given {
            let plural = if wanted == 1 { "" } else { "s" };
            let verb = if given == 1 { "was" } else { "were" };
            return refuse(format!(
                "the statement takes {wanted} parameter{plural}, {given} {verb} given"
            ));
        }
        if let Some(unused) = (1..=self.highest.min(128)).find(|n| self.used & (1 << (n - 1)) == 0)
        {
            return refuse(format!(
                "{given} parameters were given, but the statement never uses `${unused}`"
            ));
        }
        Ok(())
    }

    fn number(&mut self, digits: &str, whole: &str) {
        match digits.parse::<usize>() {
            Ok(number @ 1..=MAX_NUMBER) => {
                self.highest = self.highest.max(number);
                if number <= 128 {
                    self.used |= 1 << (number - 1);
                }
            }
            _ => self.malformed(whole),
        }
    }

    fn malformed(&mut self, text: &str) {
        self.malformed.get_or_insert_with(|| text.to_owned());
    }
}

/// Returns the beginning of the statement on one line, for messages. It is the program's own text
/// and holds no parameter.
pub(super) fn excerpt(sql: &str) -> String {
    const MAX_LENGTH: usize = 160;
    let mut line = String::new();
    for word in sql.split_whitespace() {
        if line.len() + word.len() > MAX_LENGTH {
            line.push_str(" …");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Finds the placeholders of `sql`.
pub(super) fn scan(sql: &str, dialect: Dialect) -> Placeholders {
    let mut scanner = PlaceholderScanner {
        sql,
        bytes: sql.as_bytes(),
        at: 0,
        dialect,
        found: Placeholders::default(),
    };
    while scanner.token() {}
    scanner.found
}

struct PlaceholderScanner<'a> {
    sql: &'a str,
    bytes: &'a [u8],
    at: usize,
    dialect: Dialect,
    found: Placeholders,
}

impl PlaceholderScanner<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Skips one token. Returns false at the end of the text.
    fn token(&mut self) -> bool {
        let sqlite = self.dialect == Dialect::Sqlite;
        match self.peek(0) {
            _ if self.at >= self.bytes.len() => return false,
            quote @ (b'\'' | b'"') => self.quoted(quote, false),
            b'`' if sqlite => self.quoted(b'`', false),
            b'[' if sqlite => self.until("]", true),
            b'-' if self.peek(1) == b'-' => self.until("\n", false),
            b'/' if self.peek(1) == b'*' => self.block_comment(),
            b'$' if sqlite => self.variable(),
            b'$' => self.dollar(),
            b'?' if sqlite => self.question(),
            b':' | b'@' if sqlite && is_name(self.peek(1)) => self.variable(),
            byte if is_name(byte) => self.word(),
            _ => self.at += 1,
        }
        true
    }

    /// Skips text in quotes, in which a doubled quote is an escaped one.
    fn quoted(&mut self, quote: u8, backslash: bool) {
        self.at += 1;
        loop {
            match self.peek(0) {
                _ if self.at >= self.bytes.len() => return self.found.unterminated = true,
                b'\\' if backslash => self.at += 2,
                byte if byte == quote && self.peek(1) == quote => self.at += 2,
                byte if byte == quote => return self.at += 1,
                _ => self.at += 1,
            }
        }
    }

    /// Skips everything up to and including `end`.
    fn until(&mut self, end: &str, must_end: bool) {
        match self.sql[self.at..].find(end) {
            Some(length) => self.at += length + end.len(),
            None => {
                self.at = self.bytes.len();
                self.found.unterminated |= must_end;
            }
        }
    }

    /// Skips a comment. PostgreSQL's nest, SQLite's do not.
    fn block_comment(&mut self) {
        let nests = self.dialect == Dialect::Postgres;
        let mut depth = 1;
        self.at += 2;
        while depth > 0 {
            match (self.peek(0), self.peek(1)) {
                _ if self.at >= self.bytes.len() => return self.found.unterminated = true,
                (b'*', b'/') => (depth, self.at) = (depth - 1, self.at + 2),
                (b'/', b'*') if nests => (depth, self.at) = (depth + 1, self.at + 2),
                _ => self.at += 1,
            }
        }
    }

    /// Skips a keyword, a name or a number; a `$` in it belongs to it.
    fn word(&mut self) {
        let start = self.at;
        self.names();
        let word = &self.sql[start..self.at];
        if self.dialect == Dialect::Postgres
            && word.eq_ignore_ascii_case("e")
            && self.peek(0) == b'\''
        {
            self.quoted(b'\'', true);
        }
    }

    fn names(&mut self) {
        while is_name(self.peek(0)) || self.peek(0) == b'$' {
            self.at += 1;
        }
    }

    /// Reads SQLite's `$1`. `$name`, `:name` and `@name` are malformed, because parameters are bound
    /// by number only.
    fn variable(&mut self) {
        let start = self.at;
        self.at += 1;
        self.names();
        // Steps beyond the number, because SQLite reads `$1::text` and `$1(..)` as one long name (its
        // syntax for Tcl variables).
        let tcl = self.sql[self.at..].starts_with("::") || self.peek(0) == b'(';
        self.at += if tcl { 1 } else { 0 };
        let whole = &self.sql[start..self.at];
        match whole.strip_prefix('$') {
            Some(digits) if all_digits(digits) => self.found.number(digits, whole),
            _ => self.found.malformed(whole),
        }
    }

    /// Reads SQLite's `?` and `?1`.
    fn question(&mut self) {
        let start = self.at;
        self.at += 1;
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        match &self.sql[start + 1..self.at] {
            "" => self.found.positional += 1,
            digits => self.found.number(digits, &self.sql[start..self.at]),
        }
    }

    /// Reads PostgreSQL's `$1`, or skips text between `$tag$` and `$tag$`.
    fn dollar(&mut self) {
        let start = self.at;
        self.at += 1;
        while is_name(self.peek(0)) {
            self.at += 1;
        }
        let name = &self.sql[start + 1..self.at];
        if all_digits(name) {
            return self.found.number(name, &self.sql[start..self.at]);
        }
        if self.peek(0) != b'$' || name.starts_with(|first: char| first.is_ascii_digit()) {
            return self.found.malformed(&self.sql[start..self.at]);
        }
        self.at += 1;
        let tag = &self.sql[start..self.at];
        self.until(tag, true);
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn count(sql: &str, dialect: Dialect, wanted: usize) {
        let found = scan(sql, dialect);
        assert_eq!(found.malformed, None, "{sql}");
        assert_eq!(found.highest.max(found.positional), wanted, "{sql}");
        assert!(!found.unterminated, "{sql}");
    }

    #[test]
    fn placeholders_are_counted_by_their_highest_number() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            count("SELECT 1", dialect, 0);
            count("SELECT $1", dialect, 1);
            count("SELECT $1,$2 , $2", dialect, 2);
            count("SELECT ($10)", dialect, 10);
            count("SELECT a FROM t WHERE b=$1 AND c>=$2", dialect, 2);
        }
        count("SELECT ?, ?, (?)", Dialect::Sqlite, 3);
        count("SELECT ?2, ?1", Dialect::Sqlite, 2);
    }

    #[test]
    fn quoted_text_and_names_hold_no_placeholders() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            count("SELECT '$1 ? it''s $2', $1", dialect, 1);
            count("SELECT \"a$1\"\"$2\", $1", dialect, 1);
            count("SELECT price$1, a_$2, é$3, $1", dialect, 1);
            count(r"SELECT '\', $1, '\'", dialect, 1);
            count("SELECT x'2431', $1", dialect, 1);
            count("SELECT '', $1, ''''", dialect, 1);
        }
        count("SELECT `$1``?`, [$2 ?], $1", Dialect::Sqlite, 1);
        count("SELECT a[$1], b ? 'c'", Dialect::Postgres, 1);
        count(r"SELECT E'\'$2', $1, e'\\'", Dialect::Postgres, 1);
        count("SELECT name'$2' , $1", Dialect::Postgres, 1);
    }

    #[test]
    fn comments_hold_no_placeholders() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            count("SELECT $1 -- $2 ? it's", dialect, 1);
            count("SELECT -- $2\n $1", dialect, 1);
            count("SELECT /* $2 ' -- */ $1 /**/", dialect, 1);
            count("SELECT 3 - -$1 / $2", dialect, 2);
        }
        count("SELECT /* /* */ $1", Dialect::Sqlite, 1);
        count("SELECT /* /* */ $2 */ $1", Dialect::Postgres, 1);
    }

    #[test]
    fn dollar_quotes_are_text_in_postgresql_only() {
        count("SELECT $$ $1 ' $$, $1", Dialect::Postgres, 1);
        count("SELECT $a$ $1 $$ $b$ $a$, $1", Dialect::Postgres, 1);
        count("SELECT $1::text, x @> $2", Dialect::Postgres, 2);
        assert_eq!(scan("SELECT $a$ $1 $a$", Dialect::Sqlite).malformed.as_deref(), Some("$a$"));
    }

    #[test]
    fn what_nobody_can_bind_is_refused() {
        for sql in [
            "SELECT :id",
            "SELECT @id",
            "SELECT $id",
            "SELECT $0",
            "SELECT ?0",
            "SELECT $99999999999999999999999",
            "SELECT ?32767",
            "SELECT $1a",
            "SELECT $1::text",
            "SELECT $1(2)",
            "SELECT $",
        ] {
            let error = scan(sql, Dialect::Sqlite).check(1, sql).unwrap_err();
            assert_eq!(error.kind(), Kind::Arity, "{sql}");
            assert!(error.to_string().contains("is not a placeholder"), "{sql}: {error}");
        }
        let error = scan("SELECT ?, $1", Dialect::Sqlite).check(1, "SELECT ?, $1").unwrap_err();
        assert!(error.to_string().contains("do not mix"), "{error}");
    }

    #[test]
    fn too_few_and_too_many_are_refused_with_both_numbers() {
        let text = |sql: &str, given| {
            scan(sql, Dialect::Sqlite).check(given, sql).unwrap_err().to_string()
        };
        assert_eq!(
            text("SELECT $1, $2", 1),
            "the statement takes 2 parameters, 1 was given: SELECT $1, $2"
        );
        assert_eq!(
            text("SELECT\n  $1", 2),
            "the statement takes 1 parameter, 2 were given: SELECT $1"
        );
        assert_eq!(text("SELECT ?", 0), "the statement takes 1 parameter, 0 were given: SELECT ?");
        assert!(text("SELECT $1, $3", 3).contains("never uses `$2`"));
    }

    #[test]
    fn unterminated_text_is_noticed_and_never_panics() {
        for sql in ["'", "\"", "/*", "/* *", "[a", "`a", "'a''"] {
            assert!(scan(sql, Dialect::Sqlite).unterminated, "{sql}");
        }
        for sql in ["$$ a", "$a$ $", "E'\\", "E'\\'", "/*/*é*/"] {
            assert!(scan(sql, Dialect::Postgres).unterminated, "{sql}");
        }
        for sql in ["", "$", "?", ":", "@", "-", "--", "/", "é$", "$é", "$1(", "$1:", "$1::"] {
            let _ = (scan(sql, Dialect::Sqlite), scan(sql, Dialect::Postgres));
        }
    }
}
