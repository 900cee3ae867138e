//! How the last call went, for the health answer.

use std::sync::{Mutex, PoisonError};

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use super::{Error, Kind};
use crate::part::Health;

/// Why the last call failed, if it did and not by the caller's own fault.
#[derive(Default)]
pub(super) struct Trouble(Mutex<Option<String>>);

impl Trouble {
    /// Keeps in mind how a call went. `what` says what was being done.
    pub fn note<T, E>(
        &self,
        result: Result<T, SdkError<E, HttpResponse>>,
        what: impl FnOnce() -> String,
    ) -> Result<T, Error>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let result = result.map_err(|error| Error::of(what(), &error));
        let trouble = match &result {
            Err(error) if !matches!(error.kind(), Kind::NotFound | Kind::Invalid) => {
                Some(error.to_string())
            }
            _ => None,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        result
    }

    pub fn health(&self) -> Health {
        let trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        trouble.map_or(Health::Up, Health::Degraded)
    }
}
