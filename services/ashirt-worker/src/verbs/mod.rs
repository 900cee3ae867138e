//! What the worker can do from the command line beside serving.

mod config_json;
mod try_out;

pub(crate) use config_json::config_json;
pub(crate) use try_out::try_out;
