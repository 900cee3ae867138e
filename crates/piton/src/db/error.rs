//! What goes wrong with a database, by what the caller can do about it.
//!
//! The text of an error holds statements and names of tables and columns, all of which are in the
//! program's own source, but never a parameter or anything read from the database.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use sqlx::error::ErrorKind;

use super::row::NoRoom;
use super::value::ValueError;
use crate::context::MemoryRefusal;
use crate::http::{Known, Recognise};

/// Why a statement did not do what it should. [`Error::kind`] is what to branch on.
///
/// As the answer of a handler [`Kind::Unique`] becomes 409, [`Kind::Character`] 422,
/// [`Kind::Unavailable`] 503, and every other kind 500.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: String,
    constraint: Option<String>,
    /// Set if waiting cannot resolve it.
    permanent: bool,
    storage: Option<StorageFault>,
    concern: Concern,
    source: Option<sqlx::Error>,
}

/// A fault of the file that holds the data, whatever the statement was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StorageFault {
    /// The file cannot be written: the disk is full, fails, or has become read-only.
    Unwritable,
    /// The content is not that of a database, or no longer.
    Damaged,
}

/// The scope of an error: the statement alone, the connection, or the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "postgres"),
    expect(dead_code, reason = "a file is not reached by way of a connection")
)]
pub(super) enum Concern {
    /// The statement alone.
    #[default]
    Statement,
    /// The connection is broken, and the server may be gone.
    Connection,
    /// The connection's cached statements do not match the server any more. The statement did not
    /// run.
    StaleStatement,
    /// The session cannot write.
    ReadOnly,
    /// The server's disk is full.
    DiskFull,
    /// The server refuses our connections, until its or our settings change.
    Refused,
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// No connection was free in time, somebody else kept the database locked, or it cannot be
    /// opened or written. Nothing was changed (after `commit`: perhaps); trying again may help.
    Unavailable,
    /// A row with that key exists. [`Error::constraint`] says which key.
    Unique,
    /// The row points to one that does not exist, or is still pointed to.
    ForeignKey,
    /// A column that must have a value was given none.
    NotNull,
    /// A `CHECK` does not hold.
    Check,
    /// A trigger refused the change with `RAISE`; its text is the error's text.
    Refused,
    /// The number of parameters is not that of the placeholders: a bug in the caller.
    Arity,
    /// A text has a character that the database cannot hold: U+0000 in PostgreSQL.
    Character,
    /// A parameter cannot be stored, or a column is missing or not of the type it is read as.
    Type,
    /// [`one`](super::Db::one) found more than one row.
    TooMany,
    /// The database does not understand the statement: a bug in it, or a table that is missing.
    Statement,
    /// The migrations do not fit the database, or one of them failed.
    Migration,
    /// Anything else, such as a damaged file.
    Other,
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What was violated, as the database names it. SQLite names the columns for
    /// [`Kind::Unique`] and [`Kind::NotNull`] (`users.email`, `stock.shop, stock.item`), and the
    /// constraint, or else its expression, for [`Kind::Check`].
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        self.0.constraint.as_deref()
    }

    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            constraint: None,
            permanent: false,
            storage: None,
            concern: Concern::default(),
            source: None,
        }))
    }

    pub(super) fn parameter(place: usize, error: ValueError) -> Self {
        Self::new(Kind::Type, format!("parameter ${place}: {error}"))
    }

    pub(super) fn column(name: impl fmt::Display, error: ValueError) -> Self {
        Self::new(Kind::Type, format!("column {name}: {error}"))
    }

    /// Says first what was being done.
    pub(super) fn while_doing(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// Keeps of the text what comes before anything it quotes.
    #[cfg(feature = "sqlite")]
    pub(super) fn without_quotes(mut self) -> Self {
        let text = &mut self.0.message;
        text.truncate(text.find([':', '"', '\'', '`']).unwrap_or(text.len()).max(1));
        text.push_str(" (the rest may quote a parameter and is left out)");
        self
    }

    /// The server cannot be reached.
    #[cfg(feature = "postgres")]
    pub(super) fn gone(why: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, why).with_concern(Concern::Connection)
    }

    /// Creates the error of a server that refuses our connections.
    #[cfg(feature = "postgres")]
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, why).with_concern(Concern::Refused)
    }

    /// Returns true if only a changed setting helps, and another attempt does not.
    pub(super) fn is_refusal(&self) -> bool {
        self.0.concern == Concern::Refused
    }

    /// Returns the scope of the error.
    #[cfg(feature = "postgres")]
    pub(super) fn concern(&self) -> Concern {
        self.0.concern
    }

    /// Returns true if the connection is broken, which may mean that the server is gone.
    #[cfg(feature = "postgres")]
    pub(super) fn is_of_connection(&self) -> bool {
        self.0.concern == Concern::Connection
    }

    #[cfg(feature = "postgres")]
    pub(super) fn with_concern(mut self, concern: Concern) -> Self {
        self.0.concern = concern;
        self
    }

    #[cfg(feature = "postgres")]
    pub(super) fn with_constraint(mut self, constraint: Option<String>) -> Self {
        self.0.constraint = constraint;
        self
    }

    /// Marks the error as permanent: waiting cannot resolve it.
    pub(super) fn permanent(mut self) -> Self {
        self.0.permanent = true;
        self
    }

    /// Returns whether waiting cannot resolve it: a failing migration, a file that is not a
    /// database. Every further attempt to connect would end in the same error.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.0.permanent
    }

    /// Returns the fault of the file, if the error is one.
    #[cfg(feature = "sqlite")]
    pub(super) fn storage(&self) -> Option<StorageFault> {
        self.0.storage
    }

    pub(super) fn with_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = &error {
            return of_database(&**database);
        }
        if let sqlx::Error::AnyDriverError(error) = &error
            && let Some(NoRoom(refusal)) = error.downcast_ref()
        {
            let kind = match refusal {
                MemoryRefusal::Full => Kind::Unavailable,
                MemoryRefusal::TooMuch(_) => Kind::Other,
            };
            return Self::new(kind, error.to_string());
        }
        let (kind, message) = match &error {
            sqlx::Error::PoolTimedOut => (Kind::Unavailable, "no connection was free in time"),
            sqlx::Error::PoolClosed => {
                (Kind::Unavailable, "the database is closed: the service is stopping")
            }
            sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) | sqlx::Error::BeginFailed => {
                (Kind::Unavailable, "lost the connection to the database")
            }
            sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                (Kind::Unavailable, "the connection to the database failed")
            }
            _ => (Kind::Other, "the database failed"),
        };
        let mut new = Self::new(kind, message);
        #[cfg(feature = "postgres")]
        if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)) {
            new.0.concern = Concern::Connection;
        }
        new.0.source = Some(error);
        new
    }
}

/// What a database itself says.
fn of_database(error: &dyn sqlx::error::DatabaseError) -> Error {
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return super::postgres::error::of(error, true);
    }
    let (kind, text) = of_sqlite(error);
    let mut new = Error::new(kind, text);
    new.0.storage = storage_fault(sqlite_code(error) & 0xff);
    new.0.constraint = constraint(error.message());
    new
}

/// SQLite's primary result codes: <https://www.sqlite.org/rescode.html>.
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
    /// Extended: a value that a `STRICT` table does not take.
    pub(super) const CONSTRAINT_DATATYPE: i32 = 3091;
}

/// Returns the extended result code.
fn sqlite_code(error: &dyn sqlx::error::DatabaseError) -> i32 {
    error.code().and_then(|code| code.parse().ok()).unwrap_or_default()
}

fn storage_fault(primary: i32) -> Option<StorageFault> {
    match primary {
        code::READONLY | code::IOERR | code::FULL | code::CANTOPEN => {
            Some(StorageFault::Unwritable)
        }
        code::CORRUPT | code::NOTADB => Some(StorageFault::Damaged),
        _ => None,
    }
}

fn of_sqlite(error: &dyn sqlx::error::DatabaseError) -> (Kind, String) {
    let code = sqlite_code(error);
    let kind = match error.kind() {
        ErrorKind::UniqueViolation => Kind::Unique,
        ErrorKind::ForeignKeyViolation => Kind::ForeignKey,
        ErrorKind::NotNullViolation => Kind::NotNull,
        ErrorKind::CheckViolation => Kind::Check,
        _ => match code {
            code::CONSTRAINT_TRIGGER => Kind::Refused,
            code::CONSTRAINT_ROWID => Kind::Unique,
            code::CONSTRAINT_DATATYPE => Kind::Type,
            _ => of_primary(code & 0xff),
        },
    };
    let mut text = lower_first(error.message());
    if matches!(kind, Kind::Unavailable | Kind::Other) {
        text = format!("{text} (sqlite code {code})");
    }
    (kind, text)
}

fn of_primary(code: i32) -> Kind {
    match code {
        code::BUSY | code::LOCKED | code::READONLY | code::IOERR | code::FULL | code::CANTOPEN => {
            Kind::Unavailable
        }
        code::MISMATCH => Kind::Type,
        code::ERROR => Kind::Statement,
        _ => Kind::Other,
    }
}

/// `UNIQUE constraint failed: users.email` names `users.email`.
fn constraint(message: &str) -> Option<String> {
    let (_, name) = message.split_once(" constraint failed: ")?;
    Some(name.to_owned())
}

/// House style: errors begin in lower case. SQLite's own words in capitals stay.
fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => message.to_owned(),
    }
}

fn known(error: &(dyn std::error::Error + 'static)) -> Option<Known> {
    if let Some(error) = error.downcast_ref::<Error>() {
        return of_kind(error.kind());
    }
    match error.downcast_ref::<sqlx::Error>()? {
        sqlx::Error::RowNotFound => Some(StatusCode::NOT_FOUND.into()),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => of_kind(Kind::Unavailable),
        sqlx::Error::Database(error) => of_kind(of_database(&**error).kind()),
        _ => None,
    }
}

fn of_kind(kind: Kind) -> Option<Known> {
    match kind {
        Kind::Unique => Some(StatusCode::CONFLICT.into()),
        // Whatever a handler lets through: what was sent is at fault, not the service.
        Kind::Character => Some(
            Known::from(StatusCode::UNPROCESSABLE_ENTITY)
                .detail("a text has a character that cannot be stored: U+0000"),
        ),
        Kind::Unavailable => Some(
            Known::from(StatusCode::SERVICE_UNAVAILABLE)
                .detail("the database is not available at the moment")
                .retry_after(Duration::from_secs(1)),
        ),
        _ => None,
    }
}

inventory::submit! { Recognise(known) }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_kinds_are_recognised_by_status() {
        let of = |status: u16| StatusCode::from_u16(status).map(Known::from).ok();
        assert_eq!(known(&Error::new(Kind::Unique, "")), of(409));
        assert_eq!(known(&Error::new(Kind::Type, "")), None);
        assert!(known(&Error::new(Kind::Character, "")).is_some());
        assert_eq!(known(&sqlx::Error::RowNotFound), of(404));
        assert_eq!(known(&fmt::Error), None);
        let unavailable = of_kind(Kind::Unavailable);
        assert!(unavailable.is_some());
        assert_eq!(known(&Error::new(Kind::Unavailable, "")), unavailable);
        assert_eq!(known(&Error::from(sqlx::Error::PoolTimedOut)), unavailable);
        assert_eq!(known(&Error::from(sqlx::Error::PoolClosed)), unavailable);
        assert_eq!(known(&sqlx::Error::PoolTimedOut), unavailable);
    }

    #[test]
    fn busy_in_all_its_extended_forms_is_unavailable() {
        for extended in [5, 261, 517, 773, 6, 262] {
            assert_eq!(of_primary(extended & 0xff), Kind::Unavailable);
        }
    }

    #[test]
    fn sentences_begin_in_lower_case_and_keywords_stay() {
        assert_eq!(lower_first("No such thing"), "no such thing");
        assert_eq!(lower_first("UNIQUE constraint failed: a.b"), "UNIQUE constraint failed: a.b");
    }
}
