//! The error of every call in this module, classified by what the caller can do about it.
//!
//! The text of an error holds statements and names of tables and columns, all of which are in the
//! program's own source, but never a parameter or anything read from the database.

use std::fmt;

use super::value::ValueError;
use crate::config::ByteSize;
use crate::context::MemoryRefusal;

/// The error of a database call. Branch on [`Error::kind`].
///
/// Returned from a handler, [`Kind::NotFound`] becomes 404, [`Kind::Unique`] 409,
/// [`Kind::Character`] 422, [`Kind::Unavailable`] 503, and every other kind 500.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: String,
    constraint: Option<String>,
    /// Set if waiting cannot resolve it. Apart from the scope, because a fault of any scope may be
    /// permanent.
    permanent: bool,
    scope: FaultScope,
    source: Option<sqlx::Error>,
}

/// The scope of a fault: the part of the way to the data that is affected, beyond the statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres")),
    expect(dead_code, reason = "a build with one database constructs the scopes of that one")
)]
pub(super) enum FaultScope {
    /// The statement alone.
    #[default]
    Statement,
    /// The connection is broken, and the server may be unreachable.
    Connection,
    /// The connection's cached statements no longer match the server. The statement did not run.
    StaleStatement,
    /// A table that the statement names does not exist.
    MissingTable,
    /// The session cannot write.
    ReadOnlySession,
    /// The server's disk is full.
    ServerDiskFull,
    /// The server refuses our connections, until its or our settings change.
    ConnectionsRefused,
    /// SQLite's file cannot be written: the disk is full, fails, or has become read-only.
    FileUnwritable,
    /// The content of SQLite's file is not, or no longer, that of a database.
    FileDamaged,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// No connection was free in time, another client kept the database locked, or the database
    /// cannot be opened or written. No data was changed (after `commit`: perhaps). A retry may
    /// succeed.
    Unavailable,
    /// The statement of [`exactly_one`](super::Db::exactly_one) or [`scalar`](super::Db::scalar)
    /// found no row.
    NotFound,
    /// A row with that key exists. [`Error::constraint`] names the key.
    Unique,
    /// The row references a row that does not exist, or is still referenced by another row.
    ForeignKey,
    /// A `NOT NULL` column was given no value.
    NotNull,
    /// A `CHECK` constraint failed.
    Check,
    /// A trigger refused the change with `RAISE`; its text is the error's text.
    Refused,
    /// The number of parameters differs from the number of placeholders: a bug in the caller.
    Arity,
    /// A text holds a character that the database cannot store: U+0000 in PostgreSQL.
    Character,
    /// A parameter cannot be stored, or a column is missing or has another type than requested.
    Type,
    /// The statement of [`one`](super::Db::one), [`exactly_one`](super::Db::exactly_one) or
    /// [`scalar`](super::Db::scalar) found more than one row.
    TooMany,
    /// The database rejects the statement: its syntax is wrong, or a table is missing.
    Statement,
    /// The migrations do not match the database, or one of them failed.
    Migration,
    /// Any other fault, such as a damaged file.
    Other,
}

impl Error {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the violated constraint, as the database names it. SQLite names the columns for
    /// [`Kind::Unique`] and [`Kind::NotNull`] (`users.email`, `stock.shop, stock.item`), and the
    /// constraint, or else its expression, for [`Kind::Check`].
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        self.0.constraint.as_deref()
    }

    /// Returns whether waiting cannot resolve the error: a failing migration, a file that is not a
    /// database. Every further attempt to connect would end in the same error.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.0.permanent
    }

    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            constraint: None,
            permanent: false,
            scope: FaultScope::default(),
            source: None,
        }))
    }

    /// Creates the error of a parameter, by its number counted from 1.
    pub(super) fn parameter(number: usize, error: ValueError) -> Self {
        Self::new(Kind::Type, format!("parameter ${number}: {error}"))
    }

    pub(super) fn column(name: impl fmt::Display, error: ValueError) -> Self {
        Self::new(Kind::Type, format!("column {name}: {error}"))
    }

    /// Puts the attempted action before the message.
    pub(super) fn while_doing(self, action: impl fmt::Display) -> Self {
        self.map_message(|message| format!("{action}: {message}"))
    }

    pub(super) fn map_message(mut self, map: impl FnOnce(String) -> String) -> Self {
        self.0.message = map(std::mem::take(&mut self.0.message));
        self
    }

    pub(super) fn with_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    pub(super) fn with_constraint(mut self, constraint: Option<String>) -> Self {
        self.0.constraint = constraint;
        self
    }

    pub(super) fn with_source(mut self, source: sqlx::Error) -> Self {
        self.0.source = Some(source);
        self
    }

    pub(super) fn with_scope(mut self, scope: FaultScope) -> Self {
        self.0.scope = scope;
        self
    }

    pub(super) fn scope(&self) -> FaultScope {
        self.0.scope
    }

    /// Returns whether a table that the statement names does not exist.
    #[must_use]
    pub fn is_table_missing(&self) -> bool {
        self.0.scope == FaultScope::MissingTable
    }

    /// Returns whether only a changed setting helps, and another attempt does not.
    pub(super) fn is_refusal(&self) -> bool {
        self.0.scope == FaultScope::ConnectionsRefused
    }

    /// Marks the error as permanent: waiting cannot resolve it.
    pub(super) fn permanent(mut self) -> Self {
        self.0.permanent = true;
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

/// The error of rows that do not fit into `http.memory_budget`. It travels through sqlx's row
/// stream, which carries sqlx's errors only.
#[derive(Debug)]
pub(super) struct RowsExceedBudget(pub MemoryRefusal);

impl fmt::Display for RowsExceedBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            MemoryRefusal::Full => {
                f.write_str("http.memory_budget has no space left for the statement's rows")
            }
            MemoryRefusal::TooMuch(budget) => write!(
                f,
                "the statement's rows exceed http.memory_budget ({}): add a LIMIT, or read them \
                 with `Db::page`",
                ByteSize::bytes(budget)
            ),
        }
    }
}

impl std::error::Error for RowsExceedBudget {}
