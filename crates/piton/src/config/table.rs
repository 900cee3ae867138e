//! Settings that are a whole table, whose entries the service names itself: `[client.peers]`. Each
//! entry comes from the strongest layer that has it, and has an origin of its own.
//!
//! Beside them, what Kubernetes calls the services: `BILLING_SERVICE_PORT` is no setting, as nobody
//! knows beforehand which there are.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::problem::Origin;
use super::setting::expected;
use super::{Bounds, Config, Given, Setting};

/// What the names of variables end with that say where a service is.
const OF_SERVICE: [&str; 2] = ["_SERVICE_PORT", "_SERVICE_HOST"];

/// Whether the variable says where some service is.
pub(super) fn is_of_service(variable: &str) -> bool {
    OF_SERVICE.iter().any(|end| variable.len() > end.len() && variable.ends_with(end))
}

/// A table in files; in the environment its entries are `name=value`, separated by commas.
impl<T: Setting> Setting for BTreeMap<String, T> {
    const SECRET: bool = T::SECRET;
    const FROM_FILE: bool = T::FROM_FILE;
    const ADDRESS: bool = T::ADDRESS;

    fn expects() -> Cow<'static, str> {
        format!("a table (in the environment `name=value, ..`), each {}", T::expects()).into()
    }

    fn expects_of_entry() -> Option<Cow<'static, str>> {
        Some(T::expects())
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let fields = match as_table(value) {
            Ok(fields) => fields,
            Err(None) => return Err(expected::<Self>()),
            Err(Some(why)) => return Err(format!("{}: {why}", expected::<Self>())),
        };
        let field = |(name, value): (String, Value)| match T::parse(&value) {
            Ok(value) => Ok((name, value)),
            Err(why) => Err(format!("`{name}`: {why}")),
        };
        fields.into_iter().map(field).collect()
    }

    fn show(&self) -> Value {
        self.iter().map(|(name, value)| (name.clone(), value.show())).collect()
    }

    fn schema() -> Value {
        Self::schema_within(Bounds::default())
    }

    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        T::range(bounds)
    }

    fn within(&self, bounds: Bounds) -> Result<(), String> {
        self.iter().try_for_each(|(name, value)| {
            value.within(bounds).map_err(|why| format!("`{name}`: {why}"))
        })
    }

    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        let each = T::expects_within(bounds);
        format!("a table (in the environment `name=value, ..`), each {each}").into()
    }

    fn schema_within(bounds: Bounds) -> Value {
        json!({ "type": "object", "additionalProperties": T::schema_within(bounds) })
    }
}

/// Returns a table, or the one that a text stands for.
///
/// # Errors
/// The value is neither; the reason, if there is one besides.
fn as_table(value: &Value) -> Result<Map<String, Value>, Option<String>> {
    let text = match value {
        Value::Object(fields) => return Ok(fields.clone()),
        Value::String(text) => text.trim(),
        _ => return Err(None),
    };
    let mut fields = Map::new();
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    for item in items {
        let (name, value) = item.split_once('=').ok_or(None)?;
        if name.trim().is_empty() {
            return Err(Some("an entry has no name".into()));
        }
        if fields.insert(name.trim().to_owned(), Value::from(value.trim())).is_some() {
            // A name is not repeated: it may be a part of a password.
            return Err(Some("a name stands in it twice".into()));
        }
    }
    Ok(fields)
}

impl Config {
    /// The entries of a setting that is a table, each with its value as it was written and with
    /// where that is.
    #[must_use]
    pub fn entries(&self, key: &str) -> BTreeMap<String, (Value, Origin)> {
        let found = self.table(key).unwrap_or_default();
        found.into_iter().map(|(name, given)| (name, (given.value, given.origin))).collect()
    }

    /// What the environment, or else `.env`, says of a variable whose name ends with
    /// `_SERVICE_PORT` or `_SERVICE_HOST`. Empty text is nothing.
    #[must_use]
    pub fn service_variable(&self, variable: &str) -> Option<(&str, &Origin)> {
        let layers = [&self.0.environment, &self.0.dotenv];
        layers.into_iter().find_map(|layer| {
            let given = layer.get(variable).filter(|_| is_of_service(variable))?;
            let text = given.value.as_str().filter(|text| !text.trim().is_empty())?;
            Some((text, &given.origin))
        })
    }

    /// The variables whose names end with `_SERVICE_PORT`, by name, each with what it says; without
    /// those that are settings.
    #[must_use]
    pub fn service_ports(&self) -> Vec<(&str, &str, &Origin)> {
        let of_settings = self.0.variables.values().filter_map(|given| given.origin.variable());
        let of_settings: BTreeSet<&str> = of_settings.collect();
        let names = self.0.environment.keys().chain(self.0.dotenv.keys()).map(String::as_str);
        let names = names.filter(|name| name.ends_with(OF_SERVICE[0]));
        let names: BTreeSet<&str> = names.filter(|name| !of_settings.contains(name)).collect();
        let said = |name| self.service_variable(name).map(|(text, origin)| (name, text, origin));
        names.into_iter().filter_map(said).collect()
    }

    /// What environment variables may begin with, without the `_`: the prefix, then those that are
    /// read too.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.0.prefix).chain(self.0.also.iter().map(String::as_str))
    }

    /// The table as one value, as a setting is read.
    pub(super) fn whole_table(&self, key: &str) -> Option<Given> {
        match self.table(key) {
            Err(no_table) => Some(no_table.clone()),
            Ok(entries) => {
                let origin = entries.values().map(|given| &given.origin).max_by_key(|it| rank(it));
                let origin = origin.or_else(|| self.find(key).map(|given| &given.origin))?.clone();
                let fields = entries.into_iter().map(|(name, given)| (name, given.value));
                Some(Given { value: fields.collect(), origin })
            }
        }
    }

    /// The entries, or the value that is no table though it should be.
    fn table(&self, key: &str) -> Result<BTreeMap<String, Given>, &Given> {
        let layers = &*self.0;
        let mut entries = BTreeMap::new();
        for file in &layers.files {
            add(&mut entries, file.values.get(key))?;
            // The line of each entry is known too.
            add_single(&mut entries, key, &file.values);
        }
        let variables = layers.variables.get(key).or_else(|| self.find_variable(key));
        add(&mut entries, variables)?;
        for layer in [&layers.code, &layers.flags] {
            add(&mut entries, layer.get(key))?;
            add_single(&mut entries, key, layer);
        }
        Ok(entries)
    }
}

fn add<'a>(into: &mut BTreeMap<String, Given>, given: Option<&'a Given>) -> Result<(), &'a Given> {
    let Some(given) = given.filter(|given| !given.value.is_null()) else { return Ok(()) };
    let Ok(fields) = as_table(&given.value) else { return Err(given) };
    let origin = &given.origin;
    into.extend(
        fields.into_iter().map(|(name, value)| (name, Given { value, origin: origin.clone() })),
    );
    Ok(())
}

/// Those that are written one by one, `client.peers.billing`.
fn add_single(into: &mut BTreeMap<String, Given>, key: &str, layer: &BTreeMap<String, Given>) {
    let name = |known: &'_ str| Some(known.strip_prefix(key)?.strip_prefix('.')?.to_owned());
    into.extend(layer.iter().filter_map(|(known, given)| Some((name(known)?, given.clone()))));
}

/// How strong the layer is.
fn rank(origin: &Origin) -> u8 {
    match origin {
        Origin::Default => 0,
        Origin::ServiceDefault(_) => 1,
        Origin::File { .. } => 2,
        Origin::DotEnv { .. } => 3,
        Origin::Environment { .. } => 4,
        Origin::ValueFile { named_by, .. } => rank(named_by),
        Origin::Code(_) => 5,
        Origin::Flag(_) => 6,
    }
}

impl Origin {
    /// Whether a value written here outranks one that is written `there`.
    #[must_use]
    pub fn outranks(&self, there: &Self) -> bool {
        rank(self) > rank(there)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Loader, Problems, Section, Settings};
    use super::*;

    /// Whom we call.
    #[derive(Settings, Default)]
    struct Client {
        /// Their ports. **Default: none.**
        peers: BTreeMap<String, u16>,
    }

    static CLIENT: Section = Section::of::<Client>("client");
    static KNOWN: [&Section; 1] = [&CLIENT];

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a temporary file");
        std::fs::write(file.path(), text).expect("it is ours");
        file
    }

    fn load(loader: Loader) -> (Config, Problems) {
        let (config, mut problems) = loader.load(&KNOWN);
        problems.extend(config.check(&KNOWN, &KNOWN));
        (config, problems)
    }

    fn read(config: &Config) -> BTreeMap<String, u16> {
        config.read::<Client>("client", &mut Problems::new()).peers
    }

    #[test]
    fn each_entry_comes_from_the_strongest_layer_that_has_it() {
        let text = "[client.peers]\nfile = 1\nvariable = 1\ncode = 1\nflag = 1\n'a.b' = 1\n";
        let file = file(text);
        let loader = Config::loader("PITON")
            .file(file.path())
            .env([("PITON_CLIENT_PEERS", "variable=2, code=2,flag = 2")])
            .code("client.peers.code", 3, "main.rs:1")
            .code("client.peers.flag", 3, "main.rs:2")
            .flag("client.peers.flag", "4", "--set");
        let (config, problems) = load(loader);
        assert!(problems.is_empty(), "{problems}");
        let expected = [("a.b", 1), ("code", 3), ("file", 1), ("flag", 4), ("variable", 2)];
        assert_eq!(read(&config), expected.map(|(name, port)| (name.to_owned(), port)).into());
        let entries = config.entries("client.peers");
        assert_eq!(entries["flag"].1, Origin::Flag("--set".into()));
        let Origin::File { line, .. } = &entries["file"].1 else { panic!("{entries:?}") };
        assert_eq!(*line, Some(2));
        assert!(entries["code"].1.outranks(&entries["variable"].1));
        let described = config.describe(&KNOWN);
        assert_eq!(described[0].value["flag"], 4);
        assert_eq!(described[0].default, json!({}));
    }

    #[test]
    fn a_wrong_entry_is_named_with_its_own_place() {
        let file = file("[client.peers]\ngood = 1\nbad = 'x'\n");
        let (config, problems) = load(Config::loader("PITON").file(file.path()));
        assert_eq!(problems.len(), 1, "{problems}");
        assert_eq!(problems[0].key, "client.peers.bad");
        assert!(matches!(problems[0].origin, Origin::File { line: Some(3), .. }), "{problems}");
        assert!(read(&config).is_empty());
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for text in ["[client]\npeers = 3\n", "[client]\npeers = 'a'\n"] {
            let file = file(text);
            let (_, problems) = load(Config::loader("PITON").file(file.path()));
            assert_eq!(problems.len(), 1, "{problems}");
            assert_eq!(problems[0].key, "client.peers");
        }
        let (config, problems) = load(Config::loader("PITON"));
        assert!(problems.is_empty() && config.entries("client.peers").is_empty(), "{problems}");
    }

    #[test]
    fn where_services_are_is_kept_whatever_the_prefix_and_the_environment_outranks_dotenv() {
        let dotenv = file("BILLING_SERVICE_PORT=1\nPISTE_SERVICE_HOST=h\nOTHER=x\n");
        let env = [("BILLING_SERVICE_PORT", "2"), ("SHOP_SERVICE_PORT", "tcp://10.0.0.1:80")];
        let loader = Config::loader("PITON").also_prefix("GNAR").env_file(dotenv.path()).env(env);
        let (config, problems) = load(loader);
        assert!(problems.is_empty(), "{problems}");
        let value = |name| config.service_variable(name).map(|(value, _)| value);
        assert_eq!(value("BILLING_SERVICE_PORT"), Some("2"));
        assert_eq!(value("PISTE_SERVICE_HOST"), Some("h"));
        assert_eq!(value("SHOP_SERVICE_PORT"), Some("tcp://10.0.0.1:80"));
        assert_eq!((value("OTHER"), value("X_SERVICE_PORT")), (None, None));
        assert_eq!(config.prefixes().collect::<Vec<_>>(), ["PITON", "GNAR"]);
        assert_eq!(config.unknown_variables(&KNOWN), [""; 0]);
    }
}
