//! Without a database there are no named keys: what stands in the place of `named/`.

use super::ApiKey;
use crate::http::Error;
use crate::part::{BoxError, Launch, Needs};
use crate::stop::Stop;

#[derive(Clone)]
pub(super) struct Named;

impl Named {
    pub const THERE: bool = false;

    pub fn needs(_: &mut Needs) {}

    pub fn new(_: &Launch) -> Self {
        Self
    }

    pub async fn connect(&self) -> Result<(), BoxError> {
        Ok(())
    }

    pub async fn find(&self, _: &[u8]) -> Result<Option<ApiKey>, Error> {
        Ok(None)
    }

    pub async fn exist(&self) -> Result<bool, Error> {
        Ok(false)
    }

    pub async fn run(&self, _: Stop) {}
}
