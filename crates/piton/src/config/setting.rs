//! [`Setting`]: the type of one setting, which knows how its text is read, what it expects, and how it is
//! shown. The types themselves are in `types/`.

use std::borrow::Cow;
use std::str::FromStr;

use serde_json::Value;

/// The type of one setting. Implement it to have settings of a type of your own; for a choice
/// between names use [`setting_enum!`](crate::setting_enum!).
pub trait Setting: Sized {
    /// True if the value must never be shown.
    const SECRET: bool = false;

    /// True if the environment may name a file with the value: `<variable>_FILE`.
    const FROM_FILE: bool = Self::SECRET;

    /// True if a value may be shown even if the setting's name marks a secret: `true` or `false` reveals
    /// nothing.
    const NEVER_SECRET: bool = false;

    /// True if the value is an address. An address that is refused is shown as its scheme, host and port
    /// alone, because any part of a text that does not parse may be a password.
    const ADDRESS: bool = false;

    /// Describes the values to write, such as "a duration with its unit, such as `30s`".
    fn expects() -> Cow<'static, str>;

    /// Describes the values of one entry, if the value is a table whose entries are merged from all layers.
    #[must_use]
    fn expects_entry() -> Option<Cow<'static, str>> {
        None
    }

    /// Reads a value. From the environment and from flags it arrives as text.
    ///
    /// # Errors
    /// The value is not of this type; the text is the reason, for people. Where the message ends with "write \`x\`" or "did you
    /// mean \`x\`", the report proposes `x` as the fix; otherwise it proposes the default.
    fn parse(value: &Value) -> Result<Self, String>;

    /// Returns the value for display, in the form in which it could be written; a secret as `***`.
    fn show(&self) -> Value;

    /// Returns the JSON Schema of the value.
    fn schema() -> Value;

    /// Returns the smallest and the largest value within `bounds`, for ordered types: numbers,
    /// durations, sizes, and lists and tables of them.
    #[must_use]
    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        let _ = bounds;
        None
    }

    /// Checks that the value is within `bounds`.
    ///
    /// # Errors
    /// The value is out of `bounds`; the text describes the expected values, for people.
    fn check_bounds(&self, bounds: Bounds) -> Result<(), String> {
        let _ = bounds;
        Ok(())
    }

    /// Describes the values to write within `bounds`.
    #[must_use]
    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        let _ = bounds;
        Self::expects()
    }

    /// Returns the JSON Schema of a value within `bounds`.
    #[must_use]
    fn schema_within(bounds: Bounds) -> Value {
        let _ = bounds;
        Self::schema()
    }
}

/// The smallest and the largest value of a setting, in the form of its values: `1`, `1ms`, `2MiB`.
/// A missing bound is that of the type: a duration is at most `36500days`, a size at most `1024TiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The smallest value.
    pub min: Option<&'static str>,
    /// The largest value.
    pub max: Option<&'static str>,
}

impl Bounds {
    /// Returns whether the value is within the bounds; `None` if a bound in the code cannot be
    /// parsed.
    pub(crate) fn contain<T: Setting + PartialOrd>(
        self,
        value: &T,
        own: [&str; 2],
    ) -> Option<bool> {
        let read = |bound: &str| T::parse(&Value::from(bound)).ok();
        let min = read(self.min.unwrap_or(own[0]))?;
        let max = read(self.max.unwrap_or(own[1]))?;
        Some(*value >= min && *value <= max)
    }

    /// Returns the bounds as written, with those of `own` for missing ones.
    pub(crate) fn or(self, own: [&'static str; 2]) -> [Cow<'static, str>; 2] {
        [self.min.unwrap_or(own[0]).into(), self.max.unwrap_or(own[1]).into()]
    }
}

/// Converts the result of [`Bounds::contain`] into that of [`Setting::check_bounds`].
pub(crate) fn bounds_result<T: Setting>(
    is_within: Option<bool>,
    bounds: Bounds,
) -> Result<(), String> {
    match is_within {
        Some(true) => Ok(()),
        Some(false) => Err(format!("expected {}", T::expects_within(bounds))),
        None => Err("its bounds in the code are not values of its type".into()),
    }
}

/// Returns "expected ..", the message for most invalid values.
pub(crate) fn expected<T: Setting>() -> String {
    format!("expected {}", T::expects())
}

/// Parses a text with `FromStr`.
pub(crate) fn from_text<T: Setting + FromStr>(value: &Value) -> Result<T, String> {
    let text = value.as_str().ok_or_else(expected::<T>)?;
    text.trim().parse().map_err(|_| expected::<T>())
}
