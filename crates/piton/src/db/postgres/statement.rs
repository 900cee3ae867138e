//! Runs statements on a PostgreSQL connection.

use std::borrow::Cow;

use sqlx::postgres::{PgArguments, PgConnection, PgStatement};
use sqlx::{
    AssertSqlSafe, Connection, Either, Executor, Postgres, SqlSafeStr, SqlStr, Statement as _,
};

use super::error::of_sqlx;
use super::values::arguments;
use crate::db::bounded_rows::{RowLimit, collect_rows};
use crate::db::error::Error;
use crate::db::row::Row;
use crate::db::sql_builder::BoundStatement;
use crate::db::statement_kind::StatementKind;

/// The way a statement is run.
#[derive(Clone, Copy)]
pub(super) enum StatementMode {
    /// Returns the number of changed rows.
    Run(StatementKind),
    /// Returns rows, up to the limit.
    Rows(RowLimit),
}

/// The result of a statement.
pub(super) enum StatementOutcome {
    Changed(u64),
    Rows(Vec<Row>),
}

impl StatementOutcome {
    pub fn changed(self) -> u64 {
        match self {
            Self::Changed(rows) => rows,
            Self::Rows(_) => 0,
        }
    }

    pub fn rows(self) -> Vec<Row> {
        match self {
            Self::Rows(rows) => rows,
            Self::Changed(_) => Vec::new(),
        }
    }
}

fn text(statement: &BoundStatement) -> SqlStr {
    match &statement.text {
        Cow::Borrowed(text) => (*text).into_sql_str(),
        Cow::Owned(text) => AssertSqlSafe(text.clone()).into_sql_str(),
    }
}

/// Returns the prepared statement, which the connection caches, and its encoded values.
async fn prepare(
    connection: &mut PgConnection,
    statement: &BoundStatement,
) -> Result<(PgStatement, PgArguments), Error> {
    let prepared = connection.prepare(text(statement)).await;
    let prepared = prepared.map_err(|error| of_statement(error, statement))?;
    let types = match prepared.parameters() {
        Some(Either::Left(types)) => types,
        _ => &[],
    };
    let arguments = arguments(&statement.values, types)?;
    Ok((prepared, arguments))
}

/// Prepares and runs a statement.
pub(super) async fn run_statement(
    connection: &mut PgConnection,
    statement: &BoundStatement,
    mode: StatementMode,
) -> Result<StatementOutcome, Error> {
    let (prepared, arguments) = prepare(connection, statement).await?;
    let query = prepared.query_with(arguments);
    let outcome = match mode {
        StatementMode::Run(kind) => {
            execute(connection, query, kind).await.map(StatementOutcome::Changed)
        }
        StatementMode::Rows(limit) => {
            let results = connection.fetch_many(query);
            collect_rows(results, limit, Row::from).await.map(StatementOutcome::Rows)
        }
    };
    outcome.map_err(|error| of_statement(error, statement))
}

async fn execute(
    connection: &mut PgConnection,
    query: sqlx::query::Query<'_, Postgres, PgArguments>,
    kind: StatementKind,
) -> Result<u64, sqlx::Error> {
    let done = connection.execute(query).await?;
    if kind == StatementKind::Other {
        // Cleared, because the statement may have changed the schema, and with it the types that
        // cached statements were prepared with.
        connection.clear_cached_statements().await?;
    }
    // 0 for other statements, because PostgreSQL counts the rows of a SELECT, too.
    Ok(if kind == StatementKind::ChangeRows { done.rows_affected() } else { 0 })
}

/// Returns the error of a statement, without any value that was bound to it.
fn of_statement(error: sqlx::Error, statement: &BoundStatement) -> Error {
    of_sqlx(error, statement.values.is_empty())
}
