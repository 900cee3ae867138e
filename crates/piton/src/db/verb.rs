//! What a statement does, as far as its first words tell.

use super::error::{Error, Kind};

/// What a statement does, by its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Read,
    /// Changes rows, and knows how many.
    Change,
    /// Changes something else, such as the schema.
    Other,
}

/// Deciding wrongly between reading and writing costs the place in the queue, not correctness.
pub(super) fn verb(sql: &str) -> Result<Verb, Error> {
    let is =
        |words: &[&str], word: &str| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    const CHANGES: [&str; 5] = ["INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"];
    let first = first_word(sql);
    if is(&["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"], first)
    {
        // It would end on whichever connection runs it, and the next request would find it there.
        return Err(Error::new(
            Kind::Statement,
            format!("`{first}` is no statement here: use `db.begin()` or `db.transaction(..)`"),
        ));
    }
    if is(&CHANGES, first) {
        return Ok(Verb::Change);
    }
    if is(&["WITH"], first) {
        let changes = sql.split(|c: char| !c.is_ascii_alphabetic()).any(|word| is(&CHANGES, word));
        return Ok(if changes { Verb::Change } else { Verb::Read });
    }
    Ok(if is(&["SELECT", "VALUES", "EXPLAIN", "PRAGMA", "SHOW", "TABLE"], first) {
        Verb::Read
    } else {
        Verb::Other
    })
}

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
        let of = |sql| verb(sql).unwrap();
        assert_eq!(of("SELECT 1"), Verb::Read);
        assert_eq!(of("  -- note\n /* note */ select 1"), Verb::Read);
        assert_eq!(of("WITH a AS (SELECT 1) SELECT * FROM a"), Verb::Read);
        assert_eq!(of("WITH a AS (SELECT 1) insert INTO b SELECT * FROM a"), Verb::Change);
        assert_eq!(of("INSERT INTO a VALUES (1) RETURNING id"), Verb::Change);
        assert_eq!(of("CREATE TABLE a (b)"), Verb::Other);
        assert_eq!(of(""), Verb::Other);
    }

    #[test]
    fn a_transaction_cannot_be_begun_behind_the_pools_back() {
        for sql in ["BEGIN", "begin immediate", "/* */ COMMIT", "ROLLBACK", "SAVEPOINT a"] {
            let error = verb(sql).unwrap_err();
            assert_eq!(error.kind(), Kind::Statement);
            assert!(error.to_string().contains("db.begin()"), "{error}");
        }
    }
}
