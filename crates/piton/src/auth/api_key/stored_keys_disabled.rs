//! Replaces `stored_keys/` in builds without a database: there are no stored keys.

use super::key::ApiKey;
use crate::http::Error;
use crate::part::{BoxError, Dependencies, Launch};
use crate::stop_signal::Stop;

/// The keys in the database, of which there are none.
#[derive(Clone)]
pub(super) struct Store;

impl Store {
    pub const AVAILABLE: bool = false;

    pub fn dependencies(_: &mut Dependencies) {}

    pub fn new(_: &Launch) -> Self {
        Self
    }

    pub async fn connect(&self) -> Result<(), BoxError> {
        Ok(())
    }

    pub async fn find(&self, _: &[u8]) -> Result<Option<ApiKey>, Error> {
        Ok(None)
    }

    pub async fn any_exist(&self) -> Result<bool, Error> {
        Ok(false)
    }

    pub async fn run(&self, _: Stop) {}
}
