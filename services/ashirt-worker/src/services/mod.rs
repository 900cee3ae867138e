//! Whom the worker asks: the ASHIRT that it works for, to be had anywhere by [`svc`].

mod backend;
mod settings;

pub use backend::{Backend, svc};
pub use settings::AshirtSettings;
pub(crate) use settings::chain;
