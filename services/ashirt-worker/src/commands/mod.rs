//! Commands of the worker besides serving.

mod config_json;
mod try_file;

pub(crate) use config_json::config_json;
pub(crate) use try_file::try_file;
