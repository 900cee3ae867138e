//! Optional arguments: `Option<T>` and `Result<T, E>` are documented like `T`, but not required.

use crate::http::routing::operation::{Input, Operation};

impl<T: Input> Input for Option<T> {
    fn describe(operation: &mut Operation) {
        operation.optionally(T::describe);
    }
}

impl<T: Input, E> Input for Result<T, E> {
    fn describe(operation: &mut Operation) {
        operation.optionally(T::describe);
    }
}
