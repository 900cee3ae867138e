//! Opens a database for commands that only read: as it is, or not at all.

use super::backend::Store;
use super::database::Db;
use super::error::Error;

impl Db {
    /// Connects to the database without creating or changing anything: neither a file, nor a schema.
    ///
    /// # Errors
    /// [`Kind::Unavailable`](super::Kind::Unavailable) if there is no database, with the fix, or it cannot be opened.
    pub(crate) async fn open_existing(&self) -> Result<(), Error> {
        match &self.store {
            Store::Sqlite(store) => store.open_existing().await,
            Store::Postgres(store) => store.open_existing().await,
        }
    }
}
