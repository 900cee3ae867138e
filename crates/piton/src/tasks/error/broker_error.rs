//! The errors of a broker, by what the caller can do about them.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::tables_fault::TablesFault;
use crate::error::BoxError;
use crate::http::{ErrorMapper, StatusMapping};

/// The error of sending a task, or of asking about one. Branch on [`BrokerError::kind`].
///
/// Returned by a handler, [`Kind::Unavailable`] becomes 503, [`Kind::Duplicate`] 409 and any other 500.
#[derive(Debug)]
pub struct BrokerError {
    pub(super) kind: Kind,
    pub(super) message: String,
    pub(super) source: Option<BoxError>,
    pub(super) tables: Option<TablesFault>,
}

/// The kinds of [`BrokerError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The broker cannot be reached, did not answer in time, or its disk is full. A call that stores something has
    /// stored nothing, unless the connection was lost in the middle: then it is not known. Try again.
    Unavailable,
    /// A task with this id is stored already.
    Duplicate,
    /// The call cannot be sent as it is: its arguments do not serialize, or an option is out of range. A bug in the
    /// caller.
    Invalid,
    /// The result did not come within the time that the caller waits.
    Timeout,
    /// Any other failure, such as tables that another program has changed.
    Other,
}

impl BrokerError {
    pub(in crate::tasks) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, tables: None }
    }

    pub(in crate::tasks) fn caused_by(self, source: impl Into<BoxError>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BrokerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

fn status_of(error: &(dyn std::error::Error + 'static)) -> Option<StatusMapping> {
    match error.downcast_ref::<BrokerError>()?.kind {
        Kind::Unavailable => Some(
            StatusMapping::from(StatusCode::SERVICE_UNAVAILABLE)
                .detail("the task queue is not available at the moment")
                .retry_after(Duration::from_secs(1)),
        ),
        Kind::Duplicate => Some(StatusCode::CONFLICT.into()),
        Kind::Timeout => Some(
            StatusMapping::from(StatusCode::SERVICE_UNAVAILABLE)
                .detail("the task has not ended in time"),
        ),
        Kind::Invalid | Kind::Other => None,
    }
}

inventory::submit! { ErrorMapper(status_of) }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_a_client_can_act_on_are_mapped_to_a_status() {
        let of = |kind| status_of(&BrokerError::new(kind, "")).is_some();
        assert!(of(Kind::Unavailable) && of(Kind::Duplicate) && of(Kind::Timeout));
        assert!(!of(Kind::Invalid) && !of(Kind::Other));
        assert_eq!(status_of(&std::fmt::Error), None);
    }

    #[test]
    fn the_text_names_the_fault_and_the_source_its_cause() {
        use std::error::Error as _;

        let error = BrokerError::new(Kind::Unavailable, "enqueue").caused_by(std::fmt::Error);
        assert_eq!((error.to_string().as_str(), error.kind()), ("enqueue", Kind::Unavailable));
        assert!(error.source().is_some());
    }
}
