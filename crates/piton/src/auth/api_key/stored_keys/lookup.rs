//! Finds the key of a request in the database.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use super::key_format::parse;
use super::key_table::{self, KeyRow};
use super::last_used::LastUsed;
use crate::auth::api_key::key::{ApiKey, KeyDigest, KeyGrant};
use crate::db::Db;
use crate::http::Error;
use crate::part::{BoxError, Dependencies, Launch};
use crate::stop_signal::Stop;

/// The keys in the database.
#[derive(Clone)]
pub(in crate::auth::api_key) struct Store {
    pub(super) db: Db,
    last_used: LastUsed,
    /// The digest that an unknown key is compared with.
    dummy_digest: KeyDigest,
}

impl Store {
    pub const AVAILABLE: bool = true;

    pub fn dependencies(dependencies: &mut Dependencies) {
        dependencies.add::<Db>();
    }

    pub fn new(launch: &Launch) -> Self {
        let db = launch.part::<Db>();
        Self { last_used: LastUsed::new(db.clone()), db, dummy_digest: KeyDigest::of(b"") }
    }

    pub async fn connect(&self) -> Result<(), BoxError> {
        wait_for_database().await;
        Ok(key_table::create_table(&self.db).await?)
    }

    pub async fn run(&self, stop: Stop) {
        self.last_used.run(stop).await;
    }

    /// Returns whether a key was ever created.
    pub async fn any_exist(&self) -> Result<bool, Error> {
        match key_table::any_exist(&self.db).await {
            Ok(any) => Ok(any),
            Err(error) => {
                self.create_missing_table(error).await?;
                key_table::any_exist(&self.db).await.map_err(unavailable)
            }
        }
    }

    /// Creates the table if a statement failed for want of it: the database may have become available
    /// after the start.
    #[cold]
    async fn create_missing_table(&self, error: crate::db::Error) -> Result<(), Error> {
        if error.kind() != crate::db::Kind::Statement {
            return Err(unavailable(error));
        }
        key_table::create_table(&self.db).await.map_err(unavailable)
    }

    /// Returns the key of that text, if it is valid.
    pub async fn find(&self, text: &[u8]) -> Result<Option<ApiKey>, Error> {
        let Some((id, secret)) = parse(text) else { return Ok(None) };
        let row = match key_table::find(&self.db, id).await {
            Ok(row) => row,
            Err(error) => {
                self.create_missing_table(error).await?;
                key_table::find(&self.db, id).await.map_err(unavailable)?
            }
        };
        // An unknown id is compared too, so that the response time does not tell whether an id exists.
        let stored = row.as_ref().and_then(KeyRow::digest);
        let matches =
            stored.unwrap_or(self.dummy_digest).matches(&KeyDigest::of(secret.as_bytes()));
        let now = Utc::now();
        let Some(row) = row.filter(|row| matches && stored.is_some() && row.is_valid(now)) else {
            return Ok(None);
        };
        self.last_used.note(&row, now);
        let stored = Some((row.id, row.name));
        Ok(Some(ApiKey(Arc::new(KeyGrant { stored, scopes: row.scopes }))))
    }
}

#[cold]
fn unavailable(error: crate::db::Error) -> Error {
    Error::unavailable("API keys cannot be checked at the moment")
        .caused_by(error)
        .retry_after(Duration::from_secs(1))
}

/// Waits for the database part. Without it the table cannot be created, and each attempt would log an
/// error.
async fn wait_for_database() {
    let Ok(app) = crate::try_app() else { return };
    while app.try_part::<Db>().is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
