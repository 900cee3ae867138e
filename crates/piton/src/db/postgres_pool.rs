//! Access to sqlx's own pool of a PostgreSQL database.

use super::backend::Store;
use super::database::Db;

impl Db {
    /// Returns sqlx's own pool, if the database is PostgreSQL: for features that this module does
    /// not cover, and for other libraries that take a pool.
    ///
    /// ```
    /// # async fn f(db: piton::db::Db) -> Result<(), piton::db::sqlx::Error> {
    /// use piton::db::sqlx::Executor;
    ///
    /// if let Some(pool) = db.postgres_pool() {
    ///     pool.execute("NOTIFY companies").await?;
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn postgres_pool(&self) -> Option<&sqlx::PgPool> {
        match &self.store {
            Store::Postgres(store) => Some(store.pool()),
            Store::Sqlite(_) => None,
        }
    }
}
