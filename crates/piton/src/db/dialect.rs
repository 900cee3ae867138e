//! Names the two databases, where their SQL or their migrations differ.

/// A database whose lexical rules or migrations apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}
