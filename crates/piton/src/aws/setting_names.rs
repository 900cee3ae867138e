//! Names of the settings in errors: what to set where region or credentials are missing.

use super::{Error, Kind};
use crate::config;
use crate::part::Launch;

/// Names the variables of a section, with the service's own prefix.
#[derive(Default)]
pub(super) struct SettingNames {
    prefix: String,
    section: &'static str,
}

impl SettingNames {
    pub fn new(section: &'static str, launch: &Launch) -> Self {
        Self { prefix: launch.handle.config().prefix().to_owned(), section }
    }

    #[cfg(test)]
    pub fn of_prefix(prefix: &str, section: &'static str) -> Self {
        Self { prefix: prefix.into(), section }
    }

    pub fn variable(&self, name: &str) -> String {
        config::variable(&self.prefix, &format!("{}.{name}", self.section))
    }

    pub fn region_fix(&self) -> String {
        format!("set {}, or AWS_REGION", self.variable("region_name"))
    }

    pub fn keys_fix(&self) -> String {
        let (id, secret) = (self.variable("access_key_id"), self.variable("secret_access_key"));
        format!("set {id} and {secret}, or AWS_*")
    }

    /// Adds to an error about a missing region or missing credentials what to set. Recognized by the words
    /// of the SDK, because its errors have no kinds for them.
    pub fn explain(&self, what: &str, error: Error) -> Error {
        let text = error.to_string().to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let missing = |thing: &str, fix: String| {
            Error::new(Kind::Misconfigured, format!("{what}: {thing}: {fix}"))
        };
        if error.kind() != Kind::Misconfigured {
            error
        } else if has(&["missing region", "signing region", "region must be set"]) {
            missing("no region is set", self.region_fix())
        } else if has(&["no providers in chain", "identity resolver"]) {
            missing("no credentials were found", self.keys_fix())
        } else if has(&["credential", "identity"]) {
            error.with(&self.keys_fix())
        } else {
            error
        }
    }
}
