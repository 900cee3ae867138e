//! Brings a SQLite file's schema up to date, whoever else is trying to.

use sqlx::Connection;
use sqlx::Row as _;
use sqlx::migrate::{Migrate, MigrateError};
use sqlx::sqlite::SqliteConnection;
use tracing::{info, warn};

use super::Store;
use crate::db::error::{Error, Kind};
use crate::db::migrations::{self, Applied, Migrations};

/// Where sqlx notes which migrations have run.
const TABLE: &str = "_sqlx_migrations";

impl Store {
    pub(super) async fn migrate(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        self.warn_of_forgotten_files().await;
        // Most starts find nothing to do, and need not wait for anybody's write.
        if migrations::pending(&self.migrations, &applied(connection).await?)?.is_empty() {
            return Ok(());
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        // Another process may have been faster.
        let done = applied(&mut transaction).await?;
        let pending = migrations::pending(&self.migrations, &done)?;
        if pending.is_empty() {
            return Ok(());
        }
        let before = dangling(&mut transaction).await.unwrap_or_default();
        transaction.ensure_migrations_table(TABLE).await.map_err(|error| failed(TABLE, error))?;
        for file in pending {
            transaction
                .apply(TABLE, &file.migration)
                .await
                .map_err(|error| failed(file.name, error))?;
        }
        if dangling(&mut transaction).await? > before {
            return Err(dangling_error(&mut transaction).await);
        }
        transaction.commit().await?;
        for file in pending {
            info!(migration = file.name, "Ran migration {}", file.name);
        }
        Ok(())
    }

    /// A macro cannot see that a file was added to a folder; in development we can.
    async fn warn_of_forgotten_files(&self) {
        let lists = self.lists.clone();
        let look = move || lists.iter().flat_map(Migrations::forgotten).collect::<Vec<_>>();
        for name in tokio::task::spawn_blocking(look).await.unwrap_or_default() {
            warn!(
                "The migration {name} is not in this build: save the file that says `piton::migrations!()` and build again"
            );
        }
    }
}

fn failed(name: &str, error: MigrateError) -> Error {
    let error = match error {
        MigrateError::ExecuteMigration(error, _) | MigrateError::Execute(error) => {
            Error::from(error)
        }
        other => migrations::wrong(other.to_string()),
    };
    let kind = if error.kind() == Kind::Unavailable { Kind::Unavailable } else { Kind::Migration };
    error.while_doing(format_args!("migration {name}")).with_kind(kind)
}

async fn applied(connection: &mut SqliteConnection) -> Result<Vec<Applied>, Error> {
    let exists: bool = sqlx::query_scalar(
        "SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let rows =
        sqlx::query("SELECT version, description, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&mut *connection)
            .await?;
    rows.iter()
        .map(|row| {
            Ok(Applied {
                version: row.try_get(0)?,
                description: row.try_get(1)?,
                checksum: row.try_get(2)?,
            })
        })
        .collect()
}

/// How many rows point to rows that do not exist.
async fn dangling(connection: &mut SqliteConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM pragma_foreign_key_check")
        .fetch_one(connection)
        .await?)
}

async fn dangling_error(connection: &mut SqliteConnection) -> Error {
    let found: Result<(String, String), _> =
        sqlx::query_as("SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 1")
            .fetch_one(connection)
            .await;
    match found {
        Ok((table, parent)) => migrations::wrong(format!(
            "they would leave rows in `{table}` that point to rows of `{parent}` that do not exist"
        )),
        Err(error) => error.into(),
    }
}
