//! The service's database: a SQLite file when nothing is configured, PostgreSQL by one setting.
//!
//! SQL stays SQL. There is no query language of our own and no mapper to learn: a statement, its
//! parameters, and the type that each row is read as. The module adds checks for mistakes that
//! would otherwise go unnoticed: a missing parameter, a number that does not fit, an outdated schema.
//!
//! ```
//! use piton::db::{Db, Error, FromRow};
//!
//! #[derive(FromRow)]
//! struct Company { cnpj: String, name: String }
//!
//! async fn rename(db: &Db, cnpj: &str, name: &str) -> Result<Option<Company>, Error> {
//!     db.run("UPDATE companies SET name = $2 WHERE cnpj = $1", (cnpj, name)).await?;
//!     db.one::<Company>("SELECT * FROM companies WHERE cnpj = $1", (cnpj,)).await
//! }
//! ```
//!
//! # Types
//!
//! The table shows how each Rust type is stored, and which columns it can be read from. Any other
//! column is an error that names it, and is never converted silently.
//!
//! | Rust | SQLite | declare it as | PostgreSQL |
//! |---|---|---|---|
//! | `bool` | integer 0 or 1 | `INTEGER` | `boolean` |
//! | `i8` to `i64`, `isize`, `u8` to `u64`, `usize` | integer; a `u64` above `i64::MAX` is refused | `INTEGER` | `smallint`, `integer`, `bigint`: refused where it does not fit |
//! | `f32`, `f64` | real; NaN is refused; whole numbers are read too | `REAL` | `real`, `double precision` |
//! | [`rust_decimal::Decimal`] | text, `12.50` | `TEXT` | `numeric` |
//! | `String`, `&str`, `Cow<str>` | text | `TEXT` | `text`, `varchar`, `char`, `citext`, an enum |
//! | `Vec<u8>`, `&[u8]`, `[u8; N]` | blob | `BLOB` | `bytea` |
//! | [`uuid::Uuid`] | text, `67e55044-10b1-426f-9247-bb680e5fe0c8` | `TEXT` | `uuid` |
//! | [`chrono::NaiveDate`] | text, `2026-11-21` | `TEXT` | `date` |
//! | [`chrono::NaiveTime`] | text, `01:02:03.000000` | `TEXT` | `time` |
//! | [`chrono::NaiveDateTime`] | text, `2026-11-21T01:02:03.000000` | `TEXT` | `timestamp` |
//! | [`chrono::DateTime<Utc>`] | text, RFC 3339 in UTC, `2026-11-21T01:02:03.000000Z` | `TEXT` | `timestamptz` |
//! | [`serde_json::Value`], [`AsJson<T>`] | text | `TEXT` | `jsonb`, `json` |
//! | `Option<T>` | `NULL`, or as for `T` | as for `T`, without `NOT NULL` | as for `T` |
//! | your own | as its [`Bind`] and [`Column`] define | | |
//!
//! - PostgreSQL reports the type of each parameter, and the value is encoded for it: an `i64` for an
//!   `integer` column, text for an enum, and every type with a text form in the table above for a
//!   `text` column in that form. A value that does not fit is refused with the parameter's number.
//! - Whole `numeric`s, such as `sum(bigint)`, are read as integers too.
//! - Times are stored to the microsecond; finer digits are cut off. All texts of times have the same
//!   length, so that they sort as the times do. To let SQLite write such a time itself:
//!   `DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))`. Its `CURRENT_TIMESTAMP` is read, as UTC,
//!   but does not sort among the others.
//! - Dates outside of the years 0 to 9999 are refused, because their texts would not sort.
//! - SQLite gives numeric affinity to any declared type that it does not know, also `JSON`, `UUID`
//!   and `STRING`, and then turns text that looks like a number into one. Declare `TEXT`, and the
//!   table as `STRICT` to be sure.
//!
//! # Transactions
//!
//! [`Db::transaction`] commits when its closure returns `Ok`, and rolls back when it returns `Err`
//! or is cancelled, as a request is that exceeds its timeout. [`Db::begin`] does the same without a
//! closure. After a failed statement a transaction can only be rolled back, on SQLite too, so that
//! code which works on one database works on the other.
//!
//! In SQLite writes wait for each other in the order of their arrival, at most
//! [`acquire_timeout`](DbSettings::acquire_timeout); reads do not wait, and see the state before
//! the write. PostgreSQL runs transactions concurrently (`READ COMMITTED`): lock the row that a
//! change depends on, by `SELECT .. FOR UPDATE` or an `UPDATE` that comes first.
//!
//! # Cancellation
//!
//! Dropping a future of this module before it is done releases its connection. Whether a write
//! outside of a transaction, or a commit, still happened is not known.

#[cfg(not(all(feature = "sqlite", feature = "postgres")))]
mod absent_backend;
mod address_fault;
mod backend;
mod backend_row;
mod bounded_rows;
mod converter_columns;
mod database;
mod database_url;
mod dialect;
mod error;
mod http_status;
mod list_clauses;
mod metrics;
mod migrate_command;
mod migrations;
#[cfg(feature = "tasks")]
mod open_existing;
mod params;
mod part;
mod percent_decoding;
mod placeholders;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(not(feature = "postgres"))]
#[path = "postgres_disabled.rs"]
mod postgres;
#[cfg(all(feature = "postgres", feature = "tasks"))]
mod postgres_engine;
#[cfg(feature = "postgres")]
mod postgres_pool;
mod query_methods;
mod row;
mod setting_enums;
mod settings;
mod settings_check;
mod sql_builder;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(not(feature = "sqlite"))]
#[path = "sqlite_disabled.rs"]
mod sqlite;
#[cfg(all(feature = "sqlite", feature = "tasks"))]
mod sqlite_internal;
#[cfg(feature = "sqlite")]
mod sqlite_pool;
mod sqlite_url;
mod sqlx_errors;
mod statement_kind;
mod statement_log;
#[cfg(test)]
mod tests;
mod timeouts;
mod transaction;
mod value;
mod where_conditions;

#[doc(hidden)]
pub use converter_columns::column_of_converter;
pub use database::Db;
pub use database_url::DbUrl;
pub use error::{Error, Kind};
pub use migrations::embedded::Migrations;
pub use params::Params;
#[cfg(all(feature = "postgres", feature = "tasks"))]
pub(crate) use postgres_engine::PostgresEngine;
pub use row::{FromRow, Row};
pub use setting_enums::{AcceptNewer, PgBouncer, SessionTarget, Synchronous, Tls};
pub use settings::DbSettings;
pub use settings_check::postgres_required;
pub use sql_builder::Sql;
#[cfg(all(feature = "sqlite", feature = "tasks"))]
pub(crate) use sqlite_internal::SqliteInternal;
pub use transaction::Tx;
pub use value::{AsJson, Bind, Column, Value, ValueError};
pub use where_conditions::Where;
pub use {rust_decimal, sqlx};
