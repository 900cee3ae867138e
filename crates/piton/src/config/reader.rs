//! [`Reader`]: reads the settings of one section, and collects their problems or their descriptions.

use std::borrow::Cow;

use serde_json::Value;

use super::doc_text;
use super::invalid_value::{InvalidValue, problem_of};
use super::layers::Config;
use super::origin::Origin;
use super::raw_value::RawValue;
use super::section::Settings;
use super::setting::{Bounds, Setting, expected};
use super::setting_attribute::SettingOptions;
use super::setting_description::SettingInfo;
use super::setting_problem::{Problem, Problems};
use super::variable_names::{VariableNames, join};
use crate::secrets::{key_is_secret, redact_rejected_address, redact_setting, remember_setting};

/// Reads one section of a [`Config`].
pub struct Reader<'a> {
    config: &'a Config,
    section: Cow<'a, str>,
    section_doc: &'static str,
    problems: &'a mut Problems,
    mode: Mode<'a>,
    /// The keys read so far whose values must not be shown.
    secret_keys: Vec<String>,
}

/// The purpose of one pass over a section. All purposes share the calls that `#[derive(Settings)]` writes,
/// so that no setting can be missing in one of them.
enum Mode<'a> {
    Read,
    Describe(&'a mut Vec<SettingInfo>),
    /// Parses nothing.
    ListVariables(&'a mut Vec<VariableNames>),
}

impl Mode<'_> {
    fn reborrow(&mut self) -> Mode<'_> {
        match self {
            Self::Read => Mode::Read,
            Self::Describe(described) => Mode::Describe(described),
            Self::ListVariables(names) => Mode::ListVariables(names),
        }
    }
}

/// A setting that is being read.
struct CurrentSetting {
    key: String,
    is_secret: bool,
    options: SettingOptions,
}

impl CurrentSetting {
    /// Parses a value and refuses one out of bounds.
    fn parse<T: Setting>(&self, value: &Value) -> Result<T, String> {
        let bounds = self.options.bounds;
        let value = T::parse(value).map_err(|why| {
            // The message about the bounds, so that a value too large for the type gets the same as one above
            // the bound.
            let general = expected::<T>();
            let is_general = why == general || general.strip_suffix(", or nothing") == Some(&*why);
            if is_general && bounds != Bounds::default() {
                format!("expected {}", T::expects_within(bounds))
            } else {
                why
            }
        })?;
        value.check_bounds(bounds)?;
        Ok(value)
    }
}

/// The value of a setting in the layers, or the problem that makes its variables unusable.
struct FoundSetting<'a> {
    raw: Option<Cow<'a, RawValue>>,
    rejected: Option<&'a Problem>,
}

impl Config {
    /// Reads a section. Invalid values become `problems`, and have their default in the result.
    pub fn read<S: Settings>(&self, section: &str, problems: &mut Problems) -> S {
        S::read(&mut self.reader(section, problems))
    }

    /// Returns a reader of a section, for callers that know its type.
    pub fn reader<'a>(&'a self, section: &'a str, problems: &'a mut Problems) -> Reader<'a> {
        Reader {
            config: self,
            section: section.into(),
            section_doc: "",
            problems,
            mode: Mode::Read,
            secret_keys: Vec::new(),
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn describing(
        mut self,
        section_doc: &'static str,
        described: &'a mut Vec<SettingInfo>,
    ) -> Self {
        self.section_doc = section_doc;
        self.mode = Mode::Describe(described);
        self
    }

    pub(super) fn listing_variables(mut self, names: &'a mut Vec<VariableNames>) -> Self {
        self.mode = Mode::ListVariables(names);
        self
    }

    /// Returns whether the setting `name` of this section has a problem already, so that a check can
    /// leave it out.
    #[must_use]
    pub fn has_problem(&self, name: &str) -> bool {
        let key = join(&self.section, name);
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Returns the settings that the section is read from, for checks that depend on other sections.
    #[must_use]
    pub const fn config(&self) -> &'a Config {
        self.config
    }

    /// Returns the value of a setting. An invalid value is added to the problems, and the default
    /// returned.
    pub fn setting<T: Setting>(&mut self, name: &'static str, doc: &'static str, default: T) -> T {
        self.setting_with(name, doc, default, SettingOptions::new())
    }

    /// Does the same as [`Reader::setting`], for a setting with aliases, bounds or a file.
    pub fn setting_with<T: Setting>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        default: T,
        options: SettingOptions,
    ) -> T {
        let key = join(&self.section, name);
        if let Mode::ListVariables(names) = &mut self.mode {
            let from_file = T::FROM_FILE || options.from_file;
            names.push(self.config.names_of(key, options.aliases, from_file));
            return default;
        }
        let is_secret = T::SECRET || (!T::NEVER_SECRET && key_is_secret(&key));
        if is_secret {
            self.secret_keys.push(key.clone());
        }
        let current = CurrentSetting { key, is_secret, options };
        let found = self.find::<T>(&current.key);
        if let Some(raw) = &found.raw {
            remember_setting(is_secret, &raw.value);
        }
        let parsed = found.raw.as_ref().map(|raw| current.parse::<T>(&raw.value));
        self.describe(&current, doc, &default, parsed.as_ref(), &found);
        self.problems.extend(found.rejected.cloned());
        match (parsed, &found.raw) {
            (Some(Ok(value)), _) => value,
            (Some(Err(why)), Some(raw)) => {
                self.reject(&current, raw, &why, &default);
                default
            }
            _ => default,
        }
    }

    /// Looks a setting up in the layers. The entries of a table are merged from all of them.
    fn find<T: Setting>(&self, key: &str) -> FoundSetting<'a> {
        let rejected = self.config.rejected(key);
        let raw = match T::expects_entry() {
            Some(_) => self.config.whole_table(key).map(Cow::Owned),
            None => self.config.find(key).map(Cow::Borrowed),
        };
        FoundSetting { raw: raw.filter(|_| rejected.is_none()), rejected }
    }

    /// Adds the description of a setting, if descriptions are being collected.
    fn describe<T: Setting>(
        &mut self,
        current: &CurrentSetting,
        doc: &'static str,
        default: &T,
        parsed: Option<&Result<T, String>>,
        found: &FoundSetting<'_>,
    ) {
        let CurrentSetting { key, is_secret, options } = current;
        let Mode::Describe(described) = &mut self.mode else { return };
        let from_file = T::FROM_FILE || options.from_file;
        let names = self.config.names_of(key.clone(), options.aliases, from_file);
        let own = self.config.own_default::<T>(key);
        let doc = own.as_ref().map_or(doc.into(), |own| doc_text::with_default(doc, &own.show()));
        let default = own.as_ref().unwrap_or(default).show();
        let raw = found.raw.as_deref();
        let value = match (parsed, raw) {
            (Some(Ok(value)), _) => value.show(),
            (_, Some(raw)) if T::ADDRESS => redact_rejected_address(&raw.value),
            (_, Some(raw)) => raw.value.clone(),
            _ => default.clone(),
        };
        let origin = found.rejected.map(|problem| &problem.origin);
        let origin = origin.or(raw.map(|raw| &raw.origin)).cloned();
        described.push(SettingInfo {
            section: self.section.clone().into_owned(),
            section_doc: self.section_doc,
            variable: names.canonical().to_owned(),
            aliases: names.aliases(),
            from_file: names.from_file,
            value: redact_setting(*is_secret, &value),
            origin: origin.unwrap_or(Origin::Default),
            default: redact_setting(*is_secret, &default),
            doc,
            expects: T::expects_within(options.bounds),
            schema: T::schema_within(options.bounds),
            range: T::range(options.bounds),
            secret: *is_secret,
            key: names.key,
        });
    }

    /// Adds the problem of an invalid value; for a table, one for each entry that is invalid by itself.
    fn reject<T: Setting>(
        &mut self,
        current: &CurrentSetting,
        raw: &RawValue,
        why: &str,
        default: &T,
    ) {
        if let Some(expects) = T::expects_entry()
            && self.reject_entries::<T>(current, &expects)
        {
            return;
        }
        self.problems.push(problem_of(&InvalidValue {
            key: &current.key,
            value: &raw.value,
            origin: &raw.origin,
            secret: current.is_secret,
            address: T::ADDRESS,
            why,
            expects: &T::expects_within(current.options.bounds),
            default: &default.show(),
        }));
    }

    /// Adds a problem for each entry of a table that is invalid by itself. Returns whether there was one.
    fn reject_entries<T: Setting>(&mut self, current: &CurrentSetting, expects: &str) -> bool {
        let before = self.problems.len();
        for (name, (value, origin)) in self.config.entries(&current.key) {
            let alone = Value::Object([(name.clone(), value.clone())].into_iter().collect());
            let Err(why) = current.parse::<T>(&alone) else { continue };
            let (key, quoted) = (join(&current.key, &name), format!("`{name}`: "));
            self.problems.push(problem_of(&InvalidValue {
                key: &key,
                value: &value,
                origin: &origin,
                secret: current.is_secret,
                address: T::ADDRESS,
                why: why.strip_prefix(&quoted).unwrap_or(&why),
                expects,
                default: &Value::Null,
            }));
        }
        self.problems.len() > before
    }

    /// Reads a nested section, such as `[db.pool]` in `[db]`. An empty `doc` stands for
    /// [`Settings::DOC`].
    pub fn section<S: Settings>(&mut self, name: &'static str, doc: &'static str) -> S {
        let mut nested = Reader {
            config: self.config,
            section: join(&self.section, name).into(),
            section_doc: if doc.is_empty() { S::DOC } else { doc },
            problems: self.problems,
            mode: self.mode.reborrow(),
            secret_keys: Vec::new(),
        };
        let settings = S::read(&mut nested);
        let secret_keys = nested.secret_keys;
        self.secret_keys.extend(secret_keys);
        settings
    }

    /// Refuses the setting `name` of this section although its value parses, after a check across
    /// fields. The value and its origin are added to the message.
    pub fn refuse(&mut self, name: &'static str, why: impl Into<String>, fix: impl Into<String>) {
        let key = join(&self.section, name);
        let raw = self.config.find(&key);
        let mut problem = Problem::new(key, why, fix);
        if let Some(raw) = raw {
            let is_secret = self.secret_keys.contains(&problem.key) || key_is_secret(&problem.key);
            problem.origin = raw.origin.clone();
            // By the name, because some addresses are settings of type text that their section checks.
            let shown = match !is_secret && problem.key.ends_with("url") {
                true => redact_rejected_address(&raw.value),
                false => redact_setting(is_secret, &raw.value),
            };
            problem = problem.with_value(&shown);
        }
        self.problems.push(problem);
    }
}
