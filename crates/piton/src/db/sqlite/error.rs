//! Classifies SQLite's errors by their result codes: <https://www.sqlite.org/rescode.html>.

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::sqlite::SqliteError;

use crate::db::error::{Error, FaultScope, Kind};

/// SQLite's primary result codes, and three extended ones.
mod code {
    pub(super) const ERROR: i32 = 1;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const MISMATCH: i32 = 20;
    pub(super) const NOTADB: i32 = 26;
    /// Extended: raised by a trigger.
    pub(super) const CONSTRAINT_TRIGGER: i32 = 1811;
    /// Extended: two rows with one rowid.
    pub(super) const CONSTRAINT_ROWID: i32 = 2579;
    /// Extended: a value that a `STRICT` table does not accept.
    pub(super) const CONSTRAINT_DATATYPE: i32 = 3091;
}

/// Returns the error, if SQLite reported it.
pub(in crate::db) fn classify(error: &dyn DatabaseError) -> Option<Error> {
    error.try_downcast_ref::<SqliteError>()?;
    let code = result_code(error);
    let (kind, scope) = (kind(error.kind(), code), scope(code & 0xff, error.message()));
    let mut text = lower_first(error.message());
    if matches!(kind, Kind::Unavailable | Kind::Other) {
        text = format!("{text} (sqlite code {code})");
    }
    let constraint = constraint(error.message());
    Some(Error::new(kind, text).with_scope(scope).with_constraint(constraint))
}

/// Returns the extended result code.
fn result_code(error: &dyn DatabaseError) -> i32 {
    error.code().and_then(|code| code.parse().ok()).unwrap_or_default()
}

fn kind(constraint: ErrorKind, code: i32) -> Kind {
    match constraint {
        ErrorKind::UniqueViolation => Kind::Unique,
        ErrorKind::ForeignKeyViolation => Kind::ForeignKey,
        ErrorKind::NotNullViolation => Kind::NotNull,
        ErrorKind::CheckViolation => Kind::Check,
        _ => match code {
            code::CONSTRAINT_TRIGGER => Kind::Refused,
            code::CONSTRAINT_ROWID => Kind::Unique,
            code::CONSTRAINT_DATATYPE => Kind::Type,
            _ => kind_of_primary(code & 0xff),
        },
    }
}

fn kind_of_primary(code: i32) -> Kind {
    match code {
        code::BUSY | code::LOCKED | code::READONLY | code::IOERR | code::FULL | code::CANTOPEN => {
            Kind::Unavailable
        }
        code::MISMATCH => Kind::Type,
        code::ERROR => Kind::Statement,
        _ => Kind::Other,
    }
}

fn scope(primary: i32, message: &str) -> FaultScope {
    match primary {
        // SQLite has no code of its own for it, and its messages are in English everywhere.
        code::ERROR if message.starts_with("no such table: ") => FaultScope::MissingTable,
        code::READONLY | code::IOERR | code::FULL | code::CANTOPEN => FaultScope::FileUnwritable,
        code::CORRUPT | code::NOTADB => FaultScope::FileDamaged,
        _ => FaultScope::Statement,
    }
}

/// Returns `users.email` of `UNIQUE constraint failed: users.email`.
fn constraint(message: &str) -> Option<String> {
    let (_, name) = message.split_once(" constraint failed: ")?;
    Some(name.to_owned())
}

/// Begins the message in lower case, because errors are joined into chains. Keywords in capitals
/// stay.
fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => message.to_owned(),
    }
}

/// Cuts the message off before anything it may quote.
pub(super) fn without_quotes(error: Error) -> Error {
    error.map_message(|mut text| {
        text.truncate(text.find([':', '"', '\'', '`']).unwrap_or(text.len()).max(1));
        text.push_str(" (the rest may quote a parameter and is left out)");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_in_all_its_extended_forms_is_unavailable() {
        for extended in [5, 261, 517, 773, 6, 262] {
            assert_eq!(kind_of_primary(extended & 0xff), Kind::Unavailable);
        }
    }

    #[test]
    fn messages_begin_in_lower_case_and_keywords_stay() {
        assert_eq!(lower_first("No such thing"), "no such thing");
        assert_eq!(lower_first("UNIQUE constraint failed: a.b"), "UNIQUE constraint failed: a.b");
    }
}
