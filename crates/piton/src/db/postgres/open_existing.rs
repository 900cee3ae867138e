//! Connects to the server for commands that only read.

use sqlx::Connection;

use super::store::Store;
use crate::db::error::Error;

impl Store {
    /// Connects to the server, and leaves the schema as it is.
    ///
    /// # Errors
    /// The server is unavailable, or refuses the connection.
    pub async fn open_existing(&self) -> Result<(), Error> {
        let (mut connection, _) = self.open().await?;
        let checked = self.check_sessions(&mut connection).await;
        let _ = connection.close().await;
        checked?;
        self.state.fault.send_replace(None);
        Ok(())
    }
}
