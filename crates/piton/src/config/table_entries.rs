//! The entries of a setting that is a table: each comes from the strongest layer that has it, and has an
//! origin of its own.

use std::collections::BTreeMap;

use serde_json::Value;

use super::layers::Config;
use super::origin::{Origin, rank};
use super::raw_value::RawValue;
use super::types::table::as_table;

impl Config {
    /// Returns the entries of a setting that is a table, each with its value as it was written and the
    /// place of that.
    #[must_use]
    pub fn entries(&self, key: &str) -> BTreeMap<String, (Value, Origin)> {
        let found = self.table(key).unwrap_or_default();
        found.into_iter().map(|(name, raw)| (name, (raw.value, raw.origin))).collect()
    }

    /// Returns the table as one value, in the form that a setting parses.
    pub(super) fn whole_table(&self, key: &str) -> Option<RawValue> {
        match self.table(key) {
            Err(not_a_table) => Some(not_a_table.clone()),
            Ok(entries) => {
                let origin = entries.values().map(|raw| &raw.origin).max_by_key(|it| rank(it));
                let origin = origin.or_else(|| self.find(key).map(|raw| &raw.origin))?.clone();
                let fields = entries.into_iter().map(|(name, raw)| (name, raw.value));
                Some(RawValue { value: fields.collect(), origin })
            }
        }
    }

    /// Returns the entries, or the value that should be a table and is not.
    fn table(&self, key: &str) -> Result<BTreeMap<String, RawValue>, &RawValue> {
        let layers = &*self.0;
        let mut entries = BTreeMap::new();
        for file in &layers.files {
            add(&mut entries, file.values.get(key))?;
            // After the whole table, so that each entry has its own line as its origin.
            add_single(&mut entries, key, &file.values);
        }
        add(&mut entries, self.of_variables(key))?;
        for layer in [&layers.code, &layers.flags] {
            add(&mut entries, layer.get(key))?;
            add_single(&mut entries, key, layer);
        }
        Ok(entries)
    }
}

/// Adds the entries of a whole table, or returns the value that is not a table.
fn add<'a>(
    into: &mut BTreeMap<String, RawValue>,
    raw: Option<&'a RawValue>,
) -> Result<(), &'a RawValue> {
    let Some(raw) = raw.filter(|raw| !raw.value.is_null()) else { return Ok(()) };
    let Ok(fields) = as_table(&raw.value) else { return Err(raw) };
    let origin = &raw.origin;
    into.extend(
        fields.into_iter().map(|(name, value)| (name, RawValue { value, origin: origin.clone() })),
    );
    Ok(())
}

/// Adds the entries that are written one by one: `client.peers.billing`.
fn add_single(
    into: &mut BTreeMap<String, RawValue>,
    key: &str,
    layer: &BTreeMap<String, RawValue>,
) {
    let name = |known: &'_ str| Some(known.strip_prefix(key)?.strip_prefix('.')?.to_owned());
    into.extend(layer.iter().filter_map(|(known, raw)| Some((name(known)?, raw.clone()))));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Loader, Problems, Section, Settings};
    use super::*;

    /// The services that are called.
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
    fn a_value_that_is_not_a_table_is_refused() {
        for text in ["[client]\npeers = 3\n", "[client]\npeers = 'a'\n"] {
            let file = file(text);
            let (_, problems) = load(Config::loader("PITON").file(file.path()));
            assert_eq!(problems.len(), 1, "{problems}");
            assert_eq!(problems[0].key, "client.peers");
        }
        let (config, problems) = load(Config::loader("PITON"));
        assert!(problems.is_empty() && config.entries("client.peers").is_empty(), "{problems}");
    }
}
