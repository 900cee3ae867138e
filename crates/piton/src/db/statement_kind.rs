//! Classifies statements as reading or writing, by their first word.

use super::error::{Error, Kind};

/// The effect of a statement, as far as its first word shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatementKind {
    Read,
    /// Changes rows, and reports how many.
    ChangeRows,
    /// Changes something else, such as the schema.
    Other,
}

const ROW_CHANGES: [&str; 5] = ["INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"];

const READS: [&str; 6] = ["SELECT", "VALUES", "EXPLAIN", "PRAGMA", "SHOW", "TABLE"];

const TRANSACTION_CONTROL: [&str; 8] =
    ["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"];

impl StatementKind {
    /// Classifies a statement. The first word suffices instead of a parser, because a wrong
    /// decision between reading and writing costs the place in the queue, not correctness.
    ///
    /// # Errors
    /// [`Kind::Statement`] if it begins or ends a transaction.
    pub fn of(sql: &str) -> Result<Self, Error> {
        let first = first_word(sql);
        if is_one_of(first, &TRANSACTION_CONTROL) {
            // Refused, because it would leave a transaction open on a connection of the pool, where
            // the next request would run in it.
            return Err(Error::new(
                Kind::Statement,
                format!(
                    "`{first}` cannot be run as a statement: use `db.begin()` or `db.transaction(..)`"
                ),
            ));
        }
        Ok(if is_one_of(first, &ROW_CHANGES) {
            Self::ChangeRows
        } else if first.eq_ignore_ascii_case("WITH") {
            let mut words = sql.split(|c: char| !c.is_ascii_alphabetic());
            let changes = words.any(|word| is_one_of(word, &ROW_CHANGES));
            if changes { Self::ChangeRows } else { Self::Read }
        } else if is_one_of(first, &READS) {
            Self::Read
        } else {
            Self::Other
        })
    }
}

fn is_one_of(word: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Returns the first word after comments.
fn first_word(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        let comment_end = if rest.starts_with("--") {
            "\n"
        } else if rest.starts_with("/*") {
            "*/"
        } else {
            break;
        };
        rest = rest.split_once(comment_end).map_or("", |(_, rest)| rest).trim_start();
    }
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_do_not_queue_with_writes() {
        let of = |sql| StatementKind::of(sql).unwrap();
        assert_eq!(of("SELECT 1"), StatementKind::Read);
        assert_eq!(of("  -- note\n /* note */ select 1"), StatementKind::Read);
        assert_eq!(of("WITH a AS (SELECT 1) SELECT * FROM a"), StatementKind::Read);
        assert_eq!(
            of("WITH a AS (SELECT 1) insert INTO b SELECT * FROM a"),
            StatementKind::ChangeRows
        );
        assert_eq!(of("INSERT INTO a VALUES (1) RETURNING id"), StatementKind::ChangeRows);
        assert_eq!(of("CREATE TABLE a (b)"), StatementKind::Other);
        assert_eq!(of(""), StatementKind::Other);
    }

    #[test]
    fn statements_that_control_transactions_are_refused() {
        for sql in ["BEGIN", "begin immediate", "/* */ COMMIT", "ROLLBACK", "SAVEPOINT a"] {
            let error = StatementKind::of(sql).unwrap_err();
            assert_eq!(error.kind(), Kind::Statement);
            assert!(error.to_string().contains("db.begin()"), "{error}");
        }
    }
}
