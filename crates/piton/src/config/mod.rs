//! Layered typed settings: every module has a typed section, and every value has an origin.
//!
//! The layers, from the weakest to the strongest: the default in the code, a file (TOML, YAML or JSON),
//! `.env`, the environment, a value set by the service's code, a flag. Nothing is guessed: a value without
//! its unit, an unknown key and a duplicate key are refused, all at once, each with its place and the fix.

mod config_file;
pub(crate) mod config_listing;
mod describe;
mod doc_text;
mod dotenv_file;
mod dotenv_syntax;
mod example_file;
mod exposed_env;
mod file_syntax;
mod invalid_value;
mod json;
mod json_schema;
mod kubernetes_variables;
mod layers;
mod loader;
mod origin;
mod raw_value;
mod reader;
mod requirement;
mod secret_file_variable;
mod section;
mod setting;
mod setting_attribute;
mod setting_description;
mod setting_problem;
mod similar_names;
mod table_entries;
#[cfg(test)]
mod tests;
mod toml;
pub(crate) mod types;
mod unknown_settings;
#[cfg(feature = "jwt")]
mod unused_variables;
mod variable_filter;
mod variable_names;
mod variable_value;
mod yaml;

pub use piton_macros::Settings;
pub use serde_json::Value;

pub(crate) use self::exposed_env::ExposedNames;
pub use self::layers::Config;
pub use self::loader::Loader;
pub use self::origin::Origin;
pub use self::raw_value::EnvValue;
pub use self::reader::Reader;
pub use self::requirement::Requirement;
pub use self::section::{Section, Settings};
pub use self::setting::{Bounds, Setting};
pub use self::setting_attribute::SettingOptions;
pub use self::setting_description::SettingInfo;
pub use self::setting_problem::{Problem, Problems};
pub(crate) use self::similar_names::{suggest, suggest_key};
pub use self::types::address_settings::{HostPort, HttpUrl};
#[doc(hidden)]
pub use self::types::enum_setting::{enum_schema, list_names, reject_name};
pub use self::types::environment::Environment;
pub(crate) use self::types::list::json_array;
pub use self::types::units::ByteSize;
pub use self::variable_names::variable;
pub use crate::parse_address::AddressError;
