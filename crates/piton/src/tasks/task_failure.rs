//! [`TaskFailure`]: the reason why a task has no result.

use std::fmt;

use super::error::BrokerError;

/// The reason why there is no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum TaskFailure {
    /// The task failed.
    Failed(piton_celery::Exception),
    /// The task was revoked, or expired.
    Revoked,
    /// Nothing is known, for example because it has not ended in time; see [`BrokerError::kind`].
    Broker(BrokerError),
}

impl From<BrokerError> for TaskFailure {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(exception) => write!(f, "the task failed: {exception}"),
            Self::Revoked => f.write_str("the task was revoked"),
            Self::Broker(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TaskFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Broker(error) => Some(error),
            Self::Failed(_) | Self::Revoked => None,
        }
    }
}
