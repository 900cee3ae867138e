//! The types of settings, one file a kind. To add one, copy the file of a similar type.

pub(crate) mod address_settings;
pub(crate) mod enum_setting;
pub(crate) mod environment;
pub(crate) mod list;
mod numbers;
mod option;
mod scalars;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod units;
