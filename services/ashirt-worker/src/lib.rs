//! An ASHIRT enhancement worker: it looks at evidence as it is collected, and writes down what is in it.

pub mod ashirt;
pub mod enhance;

use piton::prelude::*;

/// The service: `main` runs it, tests launch it.
#[must_use]
pub fn app() -> App {
    App::new("ashirt_worker").version(env!("CARGO_PKG_VERSION"))
}
