//! Opens the file for commands that only read.

use super::statement::close;
use super::store::Store;
use crate::db::error::{Error, Kind};

impl Store {
    /// Opens the file without creating or changing anything.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if it does not exist, or cannot be opened.
    pub async fn open_existing(&self) -> Result<(), Error> {
        let path = self.file.path();
        let found = tokio::fs::metadata(path).await;
        if found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            let path = path.display();
            let why = format!(
                "there is no database at {path}: start the service, which creates it, or set db.path or db.url to the \
                 one that the service uses"
            );
            return Err(Error::new(Kind::Unavailable, why));
        }
        let connection = self.open_without_log(false).await?;
        if let Err(error) = self.file.record_opened() {
            close(connection).await;
            return Err(error);
        }
        self.keeper.lock().await.replace(connection);
        Ok(())
    }
}
