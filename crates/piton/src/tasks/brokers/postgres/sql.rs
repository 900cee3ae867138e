//! Pieces of SQL that several statements share.

use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres};

use crate::db::{Error, PostgresEngine, Tx};
use crate::tasks::error::{BrokerError, Kind};

/// The time in milliseconds by the server's clock, plus the offset of the clock of tasks, which is a parameter.
/// Leases go by it, because the clocks of the workers' machines differ. It is the time of the statement and not of the
/// transaction, and constant in a statement, so that an index serves comparisons with it.
macro_rules! now_ms {
    ($offset:literal) => {
        concat!("(floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint + ", $offset, ")")
    };
}
pub(super) use now_ms;

/// A statement with encoded values.
pub(super) type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// Returns a statement of the program's own text.
pub(super) fn statement<'q>(sql: &'static str) -> PgQuery<'q> {
    sqlx::query(sql)
}

/// Returns a statement whose text is made of the program's own pieces.
pub(super) fn made_statement<'q>(sql: Arc<str>) -> PgQuery<'q> {
    sqlx::query(AssertSqlSafe(sql))
}

/// The way in which statements are run.
pub(super) enum Statements<'a> {
    /// Each commits by itself, on a connection of the engine.
    Single(&'a PostgresEngine),
    /// All of them in a transaction.
    Within(&'a mut Tx),
}

impl Statements<'_> {
    /// Runs a statement. Returns its rows.
    pub async fn rows(&mut self, query: PgQuery<'_>) -> Result<Vec<PgRow>, Error> {
        match self {
            Self::Single(engine) => engine.rows(query).await,
            Self::Within(tx) => tx.postgres_rows(query).await,
        }
    }
}

/// Returns the error of a row that cannot be read.
pub(super) fn unreadable(error: sqlx::Error) -> BrokerError {
    let text = "the tables of the tasks are not those of this program";
    BrokerError::new(Kind::Other, text).caused_by(error)
}
