//! Runs statements on a SQLite connection, and closes it.

use std::borrow::Cow;

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe, Connection, Executor, SqlSafeStr, Sqlite};
use tracing::warn;

use super::error::without_quotes;
use super::row::add_parameter;
use crate::db::bounded_rows::{RowLimit, collect_rows};
use crate::db::error::{Error, Kind};
use crate::db::row::Row;
use crate::db::sql_builder::BoundStatement;
use crate::db::statement_kind::StatementKind;

type SqliteQuery = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

fn query(statement: BoundStatement) -> SqliteQuery {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(statement.values.len(), 0);
    for value in statement.values {
        add_parameter(&mut arguments, value);
    }
    // Statements built of pieces are not cached, because they differ from call to call and would
    // evict the others.
    let persistent = matches!(statement.text, Cow::Borrowed(_));
    sqlx::query_with(AssertSqlSafe(statement.text), arguments).persistent(persistent)
}

/// Returns the number of changed rows.
pub(super) async fn execute(
    connection: &mut SqliteConnection,
    statement: BoundStatement,
    kind: StatementKind,
) -> Result<u64, Error> {
    let text = statement.text.clone();
    match connection.execute(query(statement)).await {
        // 0 for other statements, because SQLite repeats the number of the previous change for them.
        Ok(done) => Ok(if kind == StatementKind::ChangeRows { done.rows_affected() } else { 0 }),
        Err(error) => Err(describe_error(connection, text, error).await),
    }
}

pub(super) async fn fetch(
    connection: &mut SqliteConnection,
    statement: BoundStatement,
    limit: RowLimit,
) -> Result<Vec<Row>, Error> {
    let text = statement.text.clone();
    match fetch_rows(connection, query(statement), limit).await {
        Ok(rows) => Ok(rows),
        Err(error) => Err(describe_error(connection, text, error).await),
    }
}

async fn fetch_rows(
    connection: &mut SqliteConnection,
    query: SqliteQuery,
    limit: RowLimit,
) -> Result<Vec<Row>, sqlx::Error> {
    collect_rows(connection.fetch_many(query), limit, Row::from).await
}

/// Returns an error without quoted parameters. SQLite's message may quote one (a search word, a JSON
/// path) if the statement failed while it *ran*, but not if it failed while it was *prepared*. The
/// statement is prepared once more, to tell the two apart.
async fn describe_error(
    connection: &mut SqliteConnection,
    text: Cow<'static, str>,
    error: sqlx::Error,
) -> Error {
    let error = Error::from(error);
    if error.kind() != Kind::Statement {
        return error;
    }
    let prepared = connection.prepare(AssertSqlSafe(text).into_sql_str()).await;
    match prepared.map_err(Error::from) {
        Err(error) if error.kind() == Kind::Statement => error,
        _ => without_quotes(error),
    }
}

pub(super) async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        warn!(%error, "Could not close a connection to the database");
    }
}
