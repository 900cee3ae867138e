//! [`SettingInfo`]: one setting with all that is known of it.

use std::borrow::Cow;

use serde_json::Value;

use super::origin::Origin;

/// One setting as the command `config`, the example file and the schema show it.
#[derive(Clone, Debug)]
pub struct SettingInfo {
    /// The key, such as `http.port`.
    pub key: String,
    /// The section, such as `http`; "" for the top level.
    pub section: String,
    /// The description of the section.
    pub section_doc: &'static str,
    /// The environment variable, such as `PITON_HTTP_PORT`.
    pub variable: String,
    /// Further variables, the strongest first, as in `#[setting(alias = ..)]` with its placeholders
    /// replaced.
    pub aliases: Vec<String>,
    /// True if `<variable>_FILE` may name a file with the value.
    pub from_file: bool,
    /// The value in force; a secret is `***`. An invalid value is as it was written.
    pub value: Value,
    /// The place where the value was written.
    pub origin: Origin,
    /// The value if nothing is set.
    pub default: Value,
    /// The description of the setting.
    pub doc: Cow<'static, str>,
    /// The values to write.
    pub expects: Cow<'static, str>,
    /// The JSON Schema of the value.
    pub schema: Value,
    /// The smallest and the largest value, of numbers, durations and sizes.
    pub range: Option<[Cow<'static, str>; 2]>,
    /// True if the value is never shown.
    pub secret: bool,
}
