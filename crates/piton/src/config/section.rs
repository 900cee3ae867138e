//! Typed sections of the settings, and the reader that fills them.

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::problem::{Origin, Problem, Problems, Wrong, wrong_value};
use super::{Config, Setting, join, redact, secrets, variable};

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
/// type's own defaults), and `#[setting(rename = "type")]` gives another name. On the struct,
/// `#[setting(check = Self::check)]` names a `fn(&self, &mut Reader<'_>)` that looks at the fields
/// together and may [`Reader::refuse`].
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
    /// What the section is about in which the setting stands.
    pub section_doc: &'static str,
    /// Such as `PITON_HTTP_PORT`.
    pub variable: String,
    /// The value in force; a secret stands as `***`. Where the value is wrong: as it was written.
    pub value: Value,
    /// Where the value was written.
    pub origin: Origin,
    /// The value where nothing is set.
    pub default: Value,
    /// What the setting does.
    pub doc: &'static str,
    /// What to write.
    pub expects: Cow<'static, str>,
    /// The JSON Schema of the value.
    pub schema: Value,
    /// Whether the value is never shown.
    pub secret: bool,
}

/// Reads one section of a [`Config`].
pub struct Reader<'a> {
    config: &'a Config,
    section: Cow<'a, str>,
    section_doc: &'static str,
    problems: &'a mut Problems,
    described: Option<&'a mut Vec<Described>>,
    /// The keys read so far whose values must not be shown.
    secrets: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(config: &'a Config, section: &'a str, problems: &'a mut Problems) -> Self {
        Self {
            config,
            section: section.into(),
            section_doc: "",
            problems,
            described: None,
            secrets: Vec::new(),
        }
    }

    pub(crate) fn describing(
        mut self,
        section_doc: &'static str,
        described: &'a mut Vec<Described>,
    ) -> Self {
        self.section_doc = section_doc;
        self.described = Some(described);
        self
    }

    /// The value of a setting. A wrong value is noted as a problem, and the default returned.
    pub fn setting<T: Setting>(&mut self, name: &'static str, doc: &'static str, default: T) -> T {
        let key = join(&self.section, name);
        let secret = T::SECRET || redact::keys_secret(&key);
        if secret {
            self.secrets.push(key.clone());
        }
        let given = self.config.find(&key);
        if let Some(given) = given {
            secrets::remember_setting(secret, &given.value);
        }
        let parsed = given.map(|given| T::parse(&given.value));
        if let Some(described) = self.described.as_deref_mut() {
            let default = redact::shown(secret, &default.show());
            let value = match (&parsed, given) {
                (Some(Ok(value)), _) => redact::shown(secret, &value.show()),
                (Some(Err(_)), Some(given)) => redact::shown(secret, &given.value),
                _ => default.clone(),
            };
            described.push(Described {
                section_doc: self.section_doc,
                variable: variable(self.config.prefix(), &key),
                value,
                origin: given.map_or(Origin::Default, |given| given.origin.clone()),
                default,
                doc,
                expects: T::expects(),
                schema: T::schema(),
                secret,
                key: key.clone(),
            });
        }
        match (parsed, given) {
            (Some(Ok(value)), _) => value,
            (Some(Err(why)), Some(given)) => {
                self.problems.push(wrong_value(&Wrong {
                    key: &key,
                    variable: &variable(self.config.prefix(), &key),
                    value: &given.value,
                    origin: &given.origin,
                    secret,
                    why: &why,
                    expects: &T::expects(),
                    default: &default.show(),
                }));
                default
            }
            _ => default,
        }
    }

    /// A nested section, such as `[db.pool]` in `[db]`. An empty `doc` stands for [`Settings::DOC`].
    pub fn section<S: Settings>(&mut self, name: &'static str, doc: &'static str) -> S {
        let mut nested = Reader {
            config: self.config,
            section: join(&self.section, name).into(),
            section_doc: if doc.is_empty() { S::DOC } else { doc },
            problems: self.problems,
            described: self.described.as_deref_mut(),
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
            problem = problem.with_value(&redact::shown(secret, &given.value));
        }
        self.problems.push(problem);
    }
}
