//! Classifies PostgreSQL's errors, by SQLSTATE (appendix A of its manual) and by the routine that
//! reports them. The message text never decides anything, because it is in the language of
//! `lc_messages`.

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::sqlstate_names::name_of;
use crate::db::error::{Error, FaultScope, Kind};

/// Returns the error, if PostgreSQL reported it.
pub(in crate::db) fn classify(error: &dyn DatabaseError) -> Option<Error> {
    error.try_downcast_ref().map(|error| of_database(error, true))
}

/// Returns the error that the server of a database cannot be reached.
pub(super) fn unreachable(why: impl Into<String>) -> Error {
    Error::new(Kind::Unavailable, why).with_scope(FaultScope::Connection)
}

/// Returns the error that a server refuses our connections.
pub(super) fn refused(why: impl Into<String>) -> Error {
    Error::new(Kind::Unavailable, why).with_scope(FaultScope::ConnectionsRefused)
}

impl Error {
    /// Returns whether the connection is broken, which may mean that the server is unreachable.
    pub(in crate::db::postgres) fn is_connection_broken(&self) -> bool {
        self.scope() == FaultScope::Connection
    }
}

/// Returns the error of a statement. If it is `without_values`, no value was bound to the statement,
/// so that the server can only quote text of the program itself.
pub(super) fn of_database(error: &PgDatabaseError, without_values: bool) -> Error {
    let code = error.code();
    let scope = scope_of(code, error.routine());
    let kind = if scope == FaultScope::StaleStatement { Kind::Unavailable } else { kind_of(code) };
    let is_in_statement = matches!(error.position(), Some(PgErrorPosition::Original(_)));
    let mut text = match keeps_text(code, error.routine(), is_in_statement || without_values) {
        true => error.message().to_owned(),
        false => {
            format!("{} (SQLSTATE {code}; the server's text may quote a value)", name_of(code))
        }
    };
    if matches!(kind, Kind::Unavailable | Kind::Other) && keeps_text(code, error.routine(), true) {
        text = format!("{text} (SQLSTATE {code})");
    }
    if ["26000", "42P05"].contains(&code) && scope == FaultScope::StaleStatement {
        text.push_str(": if a pooler stands before the server, set db.pgbouncer to `transaction`");
    }
    let column = || Some(format!("{}.{}", error.table()?, error.column()?));
    let constraint = error.constraint().map(str::to_owned).or_else(column);
    Error::new(kind, text).with_constraint(constraint).with_scope(scope)
}

/// Returns the error of a statement, as [`of_database`] does where the server reported it.
pub(super) fn of_sqlx(error: sqlx::Error, without_values: bool) -> Error {
    if let sqlx::Error::Database(database) = &error
        && let Some(database) = database.try_downcast_ref::<PgDatabaseError>()
    {
        return of_database(database, without_values);
    }
    error.into()
}

/// Returns whether the server's text names only the program's own items and no values. Class 42
/// does so only when the error points into the statement: `$1::text::regclass` quotes a value
/// there, too. A function that raises an error chooses its code and may put a row's values into the
/// text; only that of `P0001`, the default, is meant for the caller.
fn keeps_text(code: &str, routine: Option<&str>, of_statement: bool) -> bool {
    const CODES: [&str; 2] = ["P0001", "55P03"];
    const CLASSES: [&str; 9] = ["08", "23", "25", "28", "3D", "40", "53", "57", "0Z"];
    let class = code.get(..2).unwrap_or_default();
    if routine == Some("exec_stmt_raise") {
        return code == "P0001";
    }
    CODES.contains(&code) || CLASSES.contains(&class) || (class == "42" && of_statement)
}

/// Returns the scope of an error. Routines are those of PostgreSQL's source.
fn scope_of(code: &str, routine: Option<&str>) -> FaultScope {
    match (code, routine) {
        // The table was changed after this connection prepared the statement.
        ("0A000", Some("RevalidateCachedQuery")) => FaultScope::StaleStatement,
        // Stale, because after `DISCARD`, or when a pooler assigned another session, the prepared
        // statement is missing, or another one has its name.
        (
            "26000",
            Some(
                "FetchPreparedStatement" | "exec_bind_message" | "exec_describe_statement_message",
            ),
        )
        | ("42P05", _) => FaultScope::StaleStatement,
        ("42P01", _) => FaultScope::MissingTable,
        ("25006", _) => FaultScope::ReadOnlySession,
        ("53100", _) => FaultScope::ServerDiskFull,
        // The session cannot be used, because another client left an aborted transaction in it.
        ("25P02", _) => FaultScope::Connection,
        _ => match code.get(..3).unwrap_or_default() {
            // Broken, because the server is shutting down, or still starting.
            "57P" => FaultScope::Connection,
            // Class XX is an internal error, which a new session may avoid, such as a cached type that
            // was dropped.
            class if class.starts_with("08") || class.starts_with("XX") => FaultScope::Connection,
            _ => FaultScope::Statement,
        },
    }
}

fn kind_of(code: &str) -> Kind {
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
        "40001" | "40P01" | "55P03" | "57014" | "25006" | "25P02" => Kind::Unavailable,
        _ => match code.get(..2).unwrap_or_default() {
            "08" | "53" | "57" | "58" => Kind::Unavailable,
            // Also a wrong user or database, because it may be corrected on the server.
            "28" | "3D" => Kind::Unavailable,
            "22" => Kind::Type,
            "42" | "26" => Kind::Statement,
            _ => Kind::Other,
        },
    }
}

/// Returns the reason why a server refuses our connections, with the fix, if `error` is such a
/// refusal. Waiting does not help then.
pub(super) fn refusal(error: &sqlx::Error, place: &str, user: &str) -> Option<String> {
    let error = match error {
        sqlx::Error::Tls(error) => return Some(tls_refusal(place, error)),
        // Here because rustls reports a bad certificate as this kind of I/O error.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Some(tls_refusal(place, error));
        }
        sqlx::Error::Protocol(_) => {
            return Some(format!(
                "what listens at {place} does not speak PostgreSQL's protocol: set db.host and db.port"
            ));
        }
        sqlx::Error::Configuration(error) => return Some(format!("connect to {place}: {error}")),
        sqlx::Error::Database(error) => error.try_downcast_ref::<PgDatabaseError>()?,
        _ => return None,
    };
    let (code, message) = (error.code(), error.message());
    let (what, fix) = match code {
        "28P01" => (
            format!("does not accept the password of the user `{user}`"),
            "set db.user and db.password",
        ),
        _ if code.starts_with("28") => (
            format!("does not let the user `{user}` in ({message})"),
            "set db.user, db.tls, or the server's pg_hba.conf",
        ),
        "3D000" => {
            ("has no such database".to_owned(), "create it, or set db.database to one that exists")
        }
        "42501" => (
            format!("does not let the user `{user}` use this database"),
            "`GRANT CONNECT ON DATABASE ..`",
        ),
        "55000" => ("does not take connections to this database".to_owned(), "set db.database"),
        // A pooler, because only PgBouncer reports this code without a routine.
        "08P01" if error.routine().is_none() => (
            format!("is a pooler that does not take this connection ({message})"),
            "set db.pgbouncer, or what the pooler's configuration lacks",
        ),
        _ => return None,
    };
    Some(format!("postgres at {place} {what} (SQLSTATE {code}): {fix}"))
}

fn tls_refusal(place: &str, error: &dyn std::fmt::Display) -> String {
    format!(
        "postgres at {place}: no TLS connection: {error}: set db.tls, or db.tls_ca to the server's authority"
    )
}

/// Returns whether the error is that of a pooler which refuses a startup parameter.
pub(super) fn is_of_pooler(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    let error = error.try_downcast_ref::<PgDatabaseError>();
    error.is_some_and(|error| error.code() == "08P01" && error.routine().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_classified_by_what_the_caller_can_do() {
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
            assert_eq!(kind_of(code), wanted, "{code}");
        }
    }

    #[test]
    fn only_texts_that_cannot_quote_a_value_are_kept() {
        for code in ["22P02", "22003", "XX000", "0A000", "P0002", "58P01", "55000", "HV000", ""] {
            assert!(!keeps_text(code, None, true), "{code}");
        }
        for code in ["23505", "25006", "57014", "53100", "P0001", "28P01"] {
            assert!(keeps_text(code, None, false), "{code}");
        }
        for code in ["23514", "40001", "57014", "23505", "55P03", "42501"] {
            assert!(!keeps_text(code, Some("exec_stmt_raise"), true), "{code}");
        }
        assert!(keeps_text("P0001", Some("exec_stmt_raise"), false));
        assert!(keeps_text("42P01", None, true) && !keeps_text("42P01", None, false));
    }

    #[test]
    fn the_scope_is_that_of_code_and_routine() {
        for (code, routine, wanted) in [
            ("0A000", Some("RevalidateCachedQuery"), FaultScope::StaleStatement),
            ("0A000", Some("transformLockingClause"), FaultScope::Statement),
            ("26000", Some("FetchPreparedStatement"), FaultScope::StaleStatement),
            ("26000", Some("DropPreparedStatement"), FaultScope::Statement),
            ("42P01", None, FaultScope::MissingTable),
            ("25006", None, FaultScope::ReadOnlySession),
            ("53100", None, FaultScope::ServerDiskFull),
            ("57P01", None, FaultScope::Connection),
            ("57014", None, FaultScope::Statement),
            ("08006", None, FaultScope::Connection),
            ("XX000", None, FaultScope::Connection),
            ("23505", None, FaultScope::Statement),
            ("40001", None, FaultScope::Statement),
        ] {
            assert_eq!(scope_of(code, routine), wanted, "{code}");
        }
    }
}
