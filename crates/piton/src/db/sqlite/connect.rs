//! Opens the SQLite file, and brings its schema up to date.

use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnection;
use tracing::warn;

use super::statement::close;
use super::store::Store;
use super::{file_check, migrate};
use crate::db::error::{Error, FaultScope, Kind};
use crate::db::migrations::compare::{AppliedMigration, require_none};

impl Store {
    /// Creates the folder and the file, and brings the schema up to date. Safe to call again, and
    /// from several processes at once.
    pub async fn connect(&self) -> Result<(), Error> {
        self.use_connection(self.open(self.create).await?).await
    }

    /// Opens the file that took the place of the earlier one.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect), and [`Kind::Unavailable`] if none of the service's
    /// migrations has run in it. Such a file is left unchanged, because it is probably a
    /// failed restore and not a new database.
    pub(super) async fn open_replacement(&self) -> Result<(), Error> {
        let mut connection = self.open_without_log(false).await?;
        let checked = self.require_migrated(&mut connection).await;
        self.use_connection(self.with_log(connection, checked).await?).await
    }

    async fn require_migrated(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        if self.migrations.files().is_empty() || !migrate::applied(connection).await?.is_empty() {
            return Ok(());
        }
        let why = "holds none of this service's tables: put a copy of the data there, or restart the service to begin with an empty database";
        Err(Error::new(Kind::Unavailable, format!("{} {why}", self.file.path().display())))
    }

    /// Brings the schema up to date on `connection`, and makes it the keeper.
    async fn use_connection(&self, mut connection: SqliteConnection) -> Result<(), Error> {
        let outcome = if self.migrations.run_at_start() {
            self.migrate(&mut connection).await.map(drop)
        } else {
            self.require_no_pending(&mut connection).await
        };
        if let Err(error) = outcome.and_then(|()| self.file.record_opened()) {
            close(connection).await;
            // Permanent, because another attempt cannot repair a damaged file.
            let damaged = error.scope() == FaultScope::FileDamaged;
            return Err(if damaged { self.cannot_open(error).permanent() } else { error });
        }
        let before = self.keeper.lock().await.replace(connection);
        if let Some(before) = before {
            close(before).await;
        }
        // A failure is only logged, because on a busy machine the pool's first connection may exceed
        // the acquire timeout although the database is connected.
        if let Err(error) = self.acquire().await {
            warn!(%error, "The first connection to the database is not open yet");
        }
        Ok(())
    }

    /// Opens a connection outside of the pool, for migrations.
    async fn open(&self, create: bool) -> Result<SqliteConnection, Error> {
        let connection = self.open_without_log(create).await?;
        self.with_log(connection, Ok(())).await
    }

    /// Switches to the write-ahead log, which changes the file, if `checked` is `Ok`. Otherwise
    /// closes the connection.
    async fn with_log(
        &self,
        mut connection: SqliteConnection,
        checked: Result<(), Error>,
    ) -> Result<SqliteConnection, Error> {
        let outcome = match checked {
            Ok(()) => self.use_write_ahead_log(&mut connection).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => Ok(connection),
            Err(error) => {
                close(connection).await;
                Err(error)
            }
        }
    }

    /// Opens a connection that has not changed the file, unless it created it.
    pub(super) async fn open_without_log(&self, create: bool) -> Result<SqliteConnection, Error> {
        let path = self.file.path().to_owned();
        // A new file is logged, because a path with a typing error looks like an empty database.
        let is_new = !path.exists();
        let check = move || {
            if create && let Some(folder) = path.parent() {
                file_check::create_folder(folder)?;
            }
            file_check::check(&path, create)
        };
        let checked = tokio::task::spawn_blocking(check).await;
        checked.map_err(|_| Error::new(Kind::Other, "the check of the file was interrupted"))??;
        // Foreign keys are off while migrations run, because rebuilding a table (SQLite's way to alter
        // one) would otherwise delete the rows that reference it. `migrate` checks them before it
        // commits.
        let options = self.options.clone().foreign_keys(false).create_if_missing(create);
        let connection = options.connect().await.map_err(|error| self.cannot_open(error.into()))?;
        if is_new {
            tracing::info!("Created the database {}", self.file.path().display());
        }
        Ok(connection)
    }

    async fn require_no_pending(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        require_none(self.compare(connection).await?.pending)
    }

    /// Runs pending migrations, for the command `migrate up`.
    pub async fn migrate_now(&self) -> Result<Vec<&'static str>, Error> {
        let mut connection = self.open(self.create).await?;
        let outcome = self.migrate(&mut connection).await;
        // Closed, because the program ends next, and only closing writes the log back.
        close(connection).await;
        outcome
    }

    /// Returns the migrations that have run, for the command `migrate status`. Creates no file.
    pub async fn applied(&self) -> Result<Vec<AppliedMigration>, Error> {
        let missing = tokio::fs::metadata(self.file.path()).await;
        let missing = missing.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        if missing && self.create {
            return Ok(Vec::new());
        }
        let mut connection = self.open_without_log(false).await?;
        let outcome = migrate::applied(&mut connection).await;
        close(connection).await;
        outcome.map_err(|error| self.cannot_open(error))
    }

    /// Returns the error of a failed attempt to open the file.
    pub(super) fn cannot_open(&self, error: Error) -> Error {
        let damaged = error.scope() == FaultScope::FileDamaged;
        let error = error.while_doing(format_args!("open {}", self.file.path().display()));
        if damaged { error.permanent() } else { error }
    }

    /// Sets the journal mode, which is a property of the file and not of the connection.
    async fn use_write_ahead_log(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        // Retried here, because SQLite's busy timeout does not apply to this lock, which two processes
        // that start on a new file may both request.
        const RETRY_INTERVAL: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + self.busy_timeout;
        loop {
            match sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL")
                .fetch_one(&mut *connection)
                .await
            {
                Ok(mode) if mode == "wal" => return Ok(()),
                Ok(mode) => {
                    warn!(journal_mode = %mode, "The database cannot use a write-ahead log here: readers will wait for writers");
                    return Ok(());
                }
                Err(error) => {
                    let error = self.cannot_open(error.into());
                    if error.kind() != Kind::Unavailable || Instant::now() >= deadline {
                        return Err(error);
                    }
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
            }
        }
    }
}
