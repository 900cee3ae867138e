//! Copies of an error, where one transaction answers several callers.

use super::broker_error::BrokerError;

impl BrokerError {
    /// Returns the same error for another caller, with the text of its cause.
    pub(in crate::tasks) fn copy(&self) -> Self {
        let cause = self.source.as_ref().map(|source| source.to_string().into());
        Self { kind: self.kind, message: self.message.clone(), source: cause, tables: self.tables }
    }
}
