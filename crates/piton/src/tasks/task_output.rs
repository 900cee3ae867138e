//! The return types of tasks.

use serde::Serialize;
use serde_json::Value;

use super::error::{Error, Result};

/// The return types of tasks: nothing, or a `Result` of a value that serialises to JSON.
#[diagnostic::on_unimplemented(
    message = "a task cannot return `{Self}`",
    note = "a task returns nothing, or `piton::tasks::Result<T>` with a `T` that implements `Serialize`"
)]
pub trait TaskOutput: Sized {
    /// The type of the result of a success.
    type Value;

    /// Returns the result as JSON.
    ///
    /// # Errors
    /// That of the task; or the value does not serialise.
    fn into_value(self) -> Result<Value>;
}

impl TaskOutput for () {
    type Value = ();

    fn into_value(self) -> Result<Value> {
        Ok(Value::Null)
    }
}

impl<T: Serialize, E: Into<Error>> TaskOutput for std::result::Result<T, E> {
    type Value = T;

    fn into_value(self) -> Result<Value> {
        let value = self.map_err(Into::into)?;
        // Not retried, because the same value would come out.
        serde_json::to_value(value)
            .map_err(|error| Error::reject("the result does not serialise").caused_by(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_kinds_of_errors_are_outputs() {
        assert_eq!(().into_value().unwrap(), Value::Null);
        assert_eq!(Ok::<_, std::fmt::Error>(5).into_value().unwrap(), 5);
        assert!(Err::<(), _>(crate::Error::not_found("x")).into_value().is_err());
        assert!(Err::<u8, _>(Error::ignore()).into_value().is_err());
        let unfit = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(Ok::<_, Error>(unfit).into_value().is_err());
    }
}
