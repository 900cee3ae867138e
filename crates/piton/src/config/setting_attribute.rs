//! [`SettingOptions`]: what `#[setting(..)]` on a field adds to a setting.

use super::setting::Bounds;

/// Aliases, bounds and the file of a setting: the arguments of `#[setting(..)]` on a field.
#[derive(Clone, Copy, Debug, Default)]
pub struct SettingOptions {
    pub(super) aliases: &'static [&'static str],
    pub(super) from_file: bool,
    pub(super) bounds: Bounds,
}

impl SettingOptions {
    /// Creates options without aliases, bounds and file.
    #[must_use]
    pub const fn new() -> Self {
        Self { aliases: &[], from_file: false, bounds: Bounds { min: None, max: None } }
    }

    /// Adds environment variables. `{prefix}` stands for the service's prefix and `{app}` for the
    /// app's name in capitals; a name without `{prefix}` is a variable without it, such as
    /// `DATABASE_URL`. An alias with `{app}` outranks the canonical variable; the canonical variable
    /// outranks the others, which outrank each other in the order written. An empty value counts as
    /// not set.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Refuses values below `min`, in the form of the setting's values: `1`, `1ms`, `2MiB`.
    #[must_use]
    pub const fn min(mut self, min: &'static str) -> Self {
        self.bounds.min = Some(min);
        self
    }

    /// Refuses values above `max`, in the form of the setting's values: `1`, `1ms`, `2MiB`.
    #[must_use]
    pub const fn max(mut self, max: &'static str) -> Self {
        self.bounds.max = Some(max);
        self
    }

    /// Reads `<variable>_FILE` too, as for every secret.
    #[must_use]
    pub const fn with_file(mut self) -> Self {
        self.from_file = true;
        self
    }
}
