//! Typed sections of the settings, and the reader that fills them.

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::names::Names;
use super::problem::{Origin, Problem, Problems, Wrong, wrong_value};
use super::setting::expected;
use super::{Bounds, Config, Setting, doc, join, redact, secrets};

/// A typed section of the settings. Derive it:
///
/// ```
/// use std::time::Duration;
/// use piton::config::Settings;
///
/// /// The outbound client.
/// #[derive(Settings)]
/// struct ClientSettings {
///     /// How long an answer may take. **Default: `10s`.**
///     timeout: Duration,
///     /// How often a failed call is made again. **Default: `2`.**
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
/// [`SettingOptions::aliases`]), and `#[setting(from_file)]` reads `<variable>_FILE` too, as every
/// secret does. `#[setting(min = 1, max = 100)]`, with text for durations and sizes (`min = "1ms"`,
/// `max = "2MiB"`), refuses values outside; see [`Bounds`]. On the struct, `#[setting(check = Self::check)]` names a
/// `fn(&self, &mut Reader<'_>)` that looks at the fields together and may [`Reader::refuse`].
pub trait Settings: Default + 'static {
    /// What the section is about.
    const DOC: &'static str = "";

    /// Describes the fields and reads them: one call of [`Reader::setting`] or
    /// [`Reader::section`] for each, in any case, so that every setting is known.
    fn read(from: &mut Reader<'_>) -> Self;
}

/// No settings.
impl Settings for () {
    fn read(_: &mut Reader<'_>) -> Self {}
}

/// One named section, whatever its type. The name "" stands for keys at the top level.
#[derive(Clone, Copy)]
pub struct Section {
    name: &'static str,
    doc: &'static str,
    id: fn() -> TypeId,
    read: fn(&mut Reader<'_>),
}

impl Section {
    /// The section `name` of the type `S`.
    #[must_use]
    pub const fn of<S: Settings>(name: &'static str) -> Self {
        Self {
            name,
            doc: S::DOC,
            id: TypeId::of::<S>,
            read: |reader| {
                S::read(reader);
            },
        }
    }

    /// Its name, such as `http` or `db.pool`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it is about.
    #[must_use]
    pub const fn doc(&self) -> &'static str {
        self.doc
    }

    /// The type of its settings.
    pub(crate) fn type_id(&self) -> TypeId {
        (self.id)()
    }

    /// Reads and forgets: for its problems and its description.
    pub(crate) fn visit(&self, reader: &mut Reader<'_>) {
        (self.read)(reader);
    }

    /// Whether both are the same section of the same type.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.name == other.name && (self.id)() == (other.id)()
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Section").field(&self.name).finish()
    }
}

/// One setting as `config` and the help show it.
#[derive(Clone, Debug)]
pub struct Described {
    /// Such as `http.port`.
    pub key: String,
    /// Such as `http`; "" for the top level.
    pub section: String,
    /// What the section is about in which the setting stands.
    pub section_doc: &'static str,
    /// Such as `PITON_HTTP_PORT`.
    pub variable: String,
    /// Further variables, the strongest first: what stands in `#[setting(alias = ..)]`, resolved.
    pub aliases: Vec<String>,
    /// Whether `<variable>_FILE` may name a file that holds the value.
    pub from_file: bool,
    /// The value in force; a secret stands as `***`. Where the value is wrong: as it was written.
    pub value: Value,
    /// Where the value was written.
    pub origin: Origin,
    /// The value where nothing is set.
    pub default: Value,
    /// What the setting does.
    pub doc: Cow<'static, str>,
    /// What to write.
    pub expects: Cow<'static, str>,
    /// The JSON Schema of the value.
    pub schema: Value,
    /// The smallest and the largest value, of numbers, durations and sizes.
    pub range: Option<[Cow<'static, str>; 2]>,
    /// Whether the value is never shown.
    pub secret: bool,
}

/// What else is known of a setting than its name, its doc and its default.
#[derive(Clone, Copy, Debug, Default)]
pub struct SettingOptions {
    aliases: &'static [&'static str],
    from_file: bool,
    bounds: Bounds,
}

impl SettingOptions {
    /// Nothing else.
    #[must_use]
    pub const fn new() -> Self {
        Self { aliases: &[], from_file: false, bounds: Bounds { min: None, max: None } }
    }

    /// Further environment variables. `{prefix}` stands for the service's prefix and `{app}` for
    /// the app's name in capitals; a name without `{prefix}` is a variable without it, such as
    /// `DATABASE_URL`. An alias with `{app}` outranks the canonical variable, the others are
    /// outranked by it, in the order written. An empty value counts as not set.
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

    /// Reads `<variable>_FILE` too, though the type is no secret.
    #[must_use]
    pub const fn with_file(mut self) -> Self {
        self.from_file = true;
        self
    }
}

/// Parses a value and refuses one out of bounds.
fn parse_within<T: Setting>(value: &Value, bounds: Bounds) -> Result<T, String> {
    let value = T::parse(value).map_err(|why| {
        // A value that is too large for the type gets the message about the bounds, too.
        let general = expected::<T>();
        let is_general = why == general || general.strip_suffix(", or nothing") == Some(&*why);
        if is_general && bounds != Bounds::default() {
            format!("expected {}", T::expects_within(bounds))
        } else {
            why
        }
    })?;
    value.within(bounds)?;
    Ok(value)
}

/// Reads one section of a [`Config`].
pub struct Reader<'a> {
    config: &'a Config,
    section: Cow<'a, str>,
    section_doc: &'static str,
    problems: &'a mut Problems,
    sink: Sink<'a>,
    /// The keys read so far whose values must not be shown.
    secrets: Vec<String>,
}

/// What a reader gathers beside the values.
enum Sink<'a> {
    Nothing,
    Descriptions(&'a mut Vec<Described>),
    /// Names alone: nothing is parsed.
    Names(&'a mut Vec<Names>),
}

impl Sink<'_> {
    fn reborrow(&mut self) -> Sink<'_> {
        match self {
            Self::Nothing => Sink::Nothing,
            Self::Descriptions(described) => Sink::Descriptions(described),
            Self::Names(names) => Sink::Names(names),
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(config: &'a Config, section: &'a str, problems: &'a mut Problems) -> Self {
        Self {
            config,
            section: section.into(),
            section_doc: "",
            problems,
            sink: Sink::Nothing,
            secrets: Vec::new(),
        }
    }

    pub(crate) fn describing(
        mut self,
        section_doc: &'static str,
        described: &'a mut Vec<Described>,
    ) -> Self {
        self.section_doc = section_doc;
        self.sink = Sink::Descriptions(described);
        self
    }

    pub(crate) fn naming(mut self, names: &'a mut Vec<Names>) -> Self {
        self.sink = Sink::Names(names);
        self
    }

    /// Returns whether the setting `name` of this section has a problem already.
    #[cfg_attr(not(feature = "jwt"), expect(dead_code, reason = "only the secret of tokens asks"))]
    pub(crate) fn is_refused(&self, name: &str) -> bool {
        let key = join(&self.section, name);
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Returns the settings that the section is read from.
    #[cfg_attr(
        not(any(feature = "jwt", feature = "client")),
        expect(dead_code, reason = "only their checks depend on the whole of the settings")
    )]
    pub(crate) const fn config(&self) -> &'a Config {
        self.config
    }

    /// The value of a setting. A wrong value is noted as a problem, and the default returned.
    pub fn setting<T: Setting>(&mut self, name: &'static str, doc: &'static str, default: T) -> T {
        self.setting_with(name, doc, default, SettingOptions::new())
    }

    /// As [`Reader::setting`], for a setting of which more is known.
    pub fn setting_with<T: Setting>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        default: T,
        options: SettingOptions,
    ) -> T {
        let key = join(&self.section, name);
        let from_file = T::FROM_FILE || options.from_file;
        let config = self.config;
        if let Sink::Names(names) = &mut self.sink {
            names.push(config.names_of(key, options.aliases, from_file));
            return default;
        }
        let secret = T::SECRET || (!T::HARMLESS && redact::keys_secret(&key));
        if secret {
            self.secrets.push(key.clone());
        }
        let refused = config.refused(&key);
        let entry = T::expects_of_entry();
        let table = entry.as_ref().and_then(|_| config.whole_table(&key));
        let given = if entry.is_some() { table.as_ref() } else { config.find(&key) };
        let given = given.filter(|_| refused.is_none());
        if let Some(given) = given {
            secrets::remember_setting(secret, &given.value);
        }
        let bounds = options.bounds;
        let parsed = given.map(|given| parse_within::<T>(&given.value, bounds));
        if let Sink::Descriptions(_) = self.sink {
            let names = config.names_of(key.clone(), options.aliases, from_file);
            let own = config.own_default::<T>(&key);
            let doc = own.as_ref().map_or(doc.into(), |own| doc::with_default(doc, &own.show()));
            let default = own.as_ref().unwrap_or(&default);
            let value = match (&parsed, given) {
                (Some(Ok(value)), _) => value.show(),
                (_, Some(given)) if T::ADDRESS => redact::refused_address(&given.value),
                (_, Some(given)) => given.value.clone(),
                _ => default.show(),
            };
            let origin =
                refused.map(|problem| &problem.origin).or(given.map(|given| &given.origin));
            self.describe::<T>(names, doc, [value, default.show()], origin, (secret, bounds));
        }
        self.problems.extend(refused.cloned());
        match (parsed, given) {
            (Some(Ok(value)), _) => value,
            (Some(Err(why)), Some(given)) => {
                let refused =
                    entry.is_some_and(|it| self.refuse_entries::<T>(&key, &it, secret, bounds));
                if !refused {
                    self.problems.push(wrong_value(&Wrong {
                        key: &key,
                        value: &given.value,
                        origin: &given.origin,
                        secret,
                        address: T::ADDRESS,
                        why: &why,
                        expects: &T::expects_within(bounds),
                        default: &default.show(),
                    }));
                }
                default
            }
            _ => default,
        }
    }

    /// Notes each entry of a table that is wrong on its own, and says whether there was one.
    fn refuse_entries<T: Setting>(
        &mut self,
        key: &str,
        expects: &str,
        secret: bool,
        bounds: Bounds,
    ) -> bool {
        let before = self.problems.len();
        for (name, (value, origin)) in self.config.entries(key) {
            let alone = Value::Object([(name.clone(), value.clone())].into_iter().collect());
            let Err(why) = parse_within::<T>(&alone, bounds) else { continue };
            let (key, quoted) = (join(key, &name), format!("`{name}`: "));
            self.problems.push(wrong_value(&Wrong {
                key: &key,
                value: &value,
                origin: &origin,
                secret,
                address: T::ADDRESS,
                why: why.strip_prefix(&quoted).unwrap_or(&why),
                expects,
                default: &Value::Null,
            }));
        }
        self.problems.len() > before
    }

    fn describe<T: Setting>(
        &mut self,
        names: Names,
        doc: Cow<'static, str>,
        [value, default]: [Value; 2],
        origin: Option<&Origin>,
        (secret, bounds): (bool, Bounds),
    ) {
        let Sink::Descriptions(described) = &mut self.sink else { return };
        described.push(Described {
            section: self.section.clone().into_owned(),
            section_doc: self.section_doc,
            variable: names.canonical().to_owned(),
            aliases: names.aliases(),
            from_file: names.from_file,
            value: redact::shown(secret, &value),
            origin: origin.cloned().unwrap_or(Origin::Default),
            default: redact::shown(secret, &default),
            doc,
            expects: T::expects_within(bounds),
            schema: T::schema_within(bounds),
            range: T::range(bounds),
            secret,
            key: names.key,
        });
    }

    /// A nested section, such as `[db.pool]` in `[db]`. An empty `doc` stands for [`Settings::DOC`].
    pub fn section<S: Settings>(&mut self, name: &'static str, doc: &'static str) -> S {
        let mut nested = Reader {
            config: self.config,
            section: join(&self.section, name).into(),
            section_doc: if doc.is_empty() { S::DOC } else { doc },
            problems: self.problems,
            sink: self.sink.reborrow(),
            secrets: Vec::new(),
        };
        let settings = S::read(&mut nested);
        let secrets = nested.secrets;
        self.secrets.extend(secrets);
        settings
    }

    /// Notes that the setting `name` of this section is wrong although its value parses: a check
    /// across fields, after reading. The value and its origin are added to the message.
    pub fn refuse(&mut self, name: &'static str, why: impl Into<String>, fix: impl Into<String>) {
        let key = join(&self.section, name);
        let given = self.config.find(&key);
        let mut problem = Problem::new(key, why, fix);
        if let Some(given) = given {
            let secret = self.secrets.contains(&problem.key) || redact::keys_secret(&problem.key);
            problem.origin = given.origin.clone();
            // Some addresses are texts whose section checks them.
            let shown = match !secret && problem.key.ends_with("url") {
                true => redact::refused_address(&given.value),
                false => redact::shown(secret, &given.value),
            };
            problem = problem.with_value(&shown);
        }
        self.problems.push(problem);
    }
}
