//! Whom the worker asks: the ASHIRT that it works for, to be had anywhere by [`svc`].

mod ashirt_settings;
mod backend;

pub use ashirt_settings::AshirtSettings;
pub(crate) use ashirt_settings::chain;
pub use backend::{Backend, svc};
