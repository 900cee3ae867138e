//! [`Settings`]: a typed section of the settings, and [`Section`]: one section of any type.

use std::any::TypeId;
use std::fmt;

use super::reader::Reader;

/// A typed section of the settings. Derive it:
///
/// ```
/// use std::time::Duration;
/// use piton::config::Settings;
///
/// /// The outbound client.
/// #[derive(Settings)]
/// struct ClientSettings {
///     /// Time limit of a response. **Default: `10s`.**
///     timeout: Duration,
///     /// Number of retries of a failed call. **Default: `2`.**
///     retries: u8,
/// }
///
/// impl Default for ClientSettings {
///     fn default() -> Self { Self { timeout: Duration::from_secs(10), retries: 2 } }
/// }
/// ```
///
/// In the section `client` these are `client.timeout` and `client.retries`, in the environment
/// `PITON_CLIENT_TIMEOUT` and `PITON_CLIENT_RETRIES`. The defaults are those of `Default`.
///
/// On a field, `#[setting(section)]` reads another `Settings` as a nested section (with that
/// type's own defaults), and `#[setting(rename = "type")]` gives another name.
/// `#[setting(alias = "DATABASE_URL")]`, as often as needed, names a further variable (see
/// [`SettingOptions::aliases`](crate::config::SettingOptions::aliases)), and `#[setting(from_file)]` reads `<variable>_FILE` too, as every
/// secret does. `#[setting(min = 1, max = 100)]`, with text for durations and sizes (`min = "1ms"`,
/// `max = "2MiB"`), refuses values outside; see [`Bounds`](crate::config::Bounds). On the struct, `#[setting(check = Self::check)]` names a
/// `fn(&self, &mut Reader<'_>)` that checks the fields together and may [`Reader::refuse`] some;
/// `#[setting(uses_variable = path)]` implements [`Settings::uses_variable`].
pub trait Settings: Default + 'static {
    /// The description of the section.
    const DOC: &'static str = "";

    /// Reads the fields: one call of [`Reader::setting`] or [`Reader::section`] for each, without
    /// conditions, so that every setting is known.
    fn read(from: &mut Reader<'_>) -> Self;

    /// Returns whether the section uses an environment variable that is no setting, because its name is
    /// not known beforehand: `Config::used_variable` returns it then. By default it uses none.
    #[must_use]
    fn uses_variable(name: &str) -> bool {
        let _ = name;
        false
    }
}

/// Has no settings.
impl Settings for () {
    fn read(_: &mut Reader<'_>) -> Self {}
}

/// A named section of any type. The name "" stands for the keys at the top level.
#[derive(Clone, Copy)]
pub struct Section {
    name: &'static str,
    doc: &'static str,
    id: fn() -> TypeId,
    read: fn(&mut Reader<'_>),
    uses_variable: fn(&str) -> bool,
}

impl Section {
    /// Creates the section `name` of the type `S`.
    #[must_use]
    pub const fn of<S: Settings>(name: &'static str) -> Self {
        Self {
            name,
            doc: S::DOC,
            id: TypeId::of::<S>,
            read: |reader| {
                S::read(reader);
            },
            uses_variable: S::uses_variable,
        }
    }

    /// Returns the name, such as `http` or `db.pool`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the description.
    #[must_use]
    pub const fn doc(&self) -> &'static str {
        self.doc
    }

    /// Returns the type of the settings.
    pub(crate) fn type_id(&self) -> TypeId {
        (self.id)()
    }

    /// Returns whether the section uses an environment variable that is no setting.
    pub(super) fn uses_variable(&self, name: &str) -> bool {
        (self.uses_variable)(name)
    }

    /// Reads the section for its problems or its description, without keeping the values.
    pub(crate) fn visit(&self, reader: &mut Reader<'_>) {
        (self.read)(reader);
    }

    /// Returns whether both are the same section of the same type.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.name == other.name && (self.id)() == (other.id)()
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Section").field(&self.name).finish()
    }
}
