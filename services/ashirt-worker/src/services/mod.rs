//! Services that the worker calls: its ASHIRT, available anywhere by [`svc`].

mod ashirt_settings;
mod backend;

pub use ashirt_settings::AshirtSettings;
pub(crate) use ashirt_settings::chain;
pub use backend::{Backend, svc};
