//! What PostgreSQL says went wrong, by its SQLSTATE: appendix A of its manual.

use sqlx::postgres::PgDatabaseError;

use crate::db::error::Kind;

/// Whether the connection should be given up: the server is going away or is not there yet (57P01 to
/// 57P03), or the schema has changed since the connection's statements were read.
pub(in crate::db) fn spoils_connection(error: &PgDatabaseError) -> bool {
    error.code().starts_with("57P")
        || error.code() == "0A000" && error.message().contains("cached plan")
}

/// The kind of an error, its text, and what was violated.
pub(in crate::db) fn of(error: &PgDatabaseError) -> (Kind, String, Option<String>) {
    let code = error.code();
    let stale = code == "0A000" && error.message().contains("cached plan");
    let kind = if stale { Kind::Unavailable } else { kind(code) };
    let mut text = error.message().to_owned();
    // Classes in which the message may quote what was given: `invalid input syntax for type uuid: ".."`.
    // Constraints are named in quotes too, but their messages hold no values (those are in DETAIL).
    if ["22", "XX", "0A", "P0"].iter().any(|class| code.starts_with(class)) && code != "P0001" {
        text = unquoted(&text);
    }
    if matches!(kind, Kind::Unavailable | Kind::Other) {
        text = format!("{text} (SQLSTATE {code})");
    }
    let column = || Some(format!("{}.{}", error.table()?, error.column()?));
    let constraint = error.constraint().map(str::to_owned).or_else(column);
    (kind, text, constraint)
}

fn kind(code: &str) -> Kind {
    match code {
        "23505" | "23P01" => Kind::Unique,
        "23503" | "23001" => Kind::ForeignKey,
        "23502" => Kind::NotNull,
        "23514" => Kind::Check,
        // `RAISE EXCEPTION` in a function or a trigger.
        "P0001" => Kind::Refused,
        // A zero byte in text; `\u0000` in a JSON document.
        "22021" | "22P05" => Kind::Character,
        // A serialization failure, a deadlock, a lock or a statement that took too long, a server that
        // starts or stops, a read-only standby: later, or on another connection, it may work.
        "40001" | "40P01" | "55P03" | "57014" | "25006" => Kind::Unavailable,
        _ => match code.get(..2).unwrap_or_default() {
            "08" | "53" | "57" | "58" => Kind::Unavailable,
            // Also who we are and where we are sent: wrong until somebody puts it right.
            "28" | "3D" => Kind::Unavailable,
            "22" => Kind::Type,
            "42" | "26" => Kind::Statement,
            _ => Kind::Other,
        },
    }
}

/// The text up to what it quotes.
fn unquoted(text: &str) -> String {
    let end = text.find([':', '"', '\'']).unwrap_or(text.len());
    if end == text.len() {
        return text.to_owned();
    }
    format!("{} (the rest may quote a parameter and is left out)", text[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_apart_by_what_the_caller_can_do() {
        for (code, wanted) in [
            ("23505", Kind::Unique),
            ("23503", Kind::ForeignKey),
            ("57014", Kind::Unavailable),
            ("57P01", Kind::Unavailable),
            ("28P01", Kind::Unavailable),
            ("53300", Kind::Unavailable),
            ("42P01", Kind::Statement),
            ("22P02", Kind::Type),
            ("22021", Kind::Character),
            ("22P05", Kind::Character),
            ("XX000", Kind::Other),
        ] {
            assert_eq!(kind(code), wanted, "{code}");
        }
    }

    #[test]
    fn what_is_quoted_is_left_out() {
        let text = unquoted("invalid input syntax for type integer: \"hunter2\"");
        assert_eq!(
            text,
            "invalid input syntax for type integer (the rest may quote a parameter and is left out)"
        );
        assert_eq!(unquoted("division by zero"), "division by zero");
    }
}
