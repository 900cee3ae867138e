//! Access to sqlx's own pool of a SQLite database.

use super::backend::Store;
use super::database::Db;

impl Db {
    /// Returns sqlx's own pool, if the database is SQLite. Its writes do not queue with those of
    /// `Db`.
    #[must_use]
    pub fn sqlite_pool(&self) -> Option<&sqlx::SqlitePool> {
        match &self.store {
            Store::Sqlite(store) => Some(store.pool()),
            Store::Postgres(_) => None,
        }
    }
}
