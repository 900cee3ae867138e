//! The example file and the schema.

use super::*;

/// Returns the example file with every setting uncommented.
fn uncommented(example: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    example.lines().map(line).collect()
}

#[test]
fn the_example_is_accepted_as_it_is_and_with_every_setting_uncommented() {
    let known = [&HTTP, &TOP, &DB, &OLD];
    let example = load(Config::loader("PITON").app("shop")).example(&known);
    assert!(example.contains("# Variable: PITON_HTTP_PORT, also PORT\n#port = 5000\n"));
    let whole = uncommented(&example);
    let described = load(Config::loader("PITON")).describe(&known);
    for (text, origin_is_file) in [(&example, false), (&whole, true)] {
        let (_folder, file) = written("config.toml", text);
        let (config, problems) = Config::loader("PITON").file(&file).load(&known);
        assert!(problems.is_empty(), "{problems}\n{text}");
        let problems = config.check(&known, &known);
        assert!(problems.is_empty(), "{problems}\n{text}");
        for (before, now) in described.iter().zip(config.describe(&known)) {
            assert_eq!(before.value, now.value, "{}", now.key);
            assert_eq!(matches!(now.origin, Origin::File { .. }), origin_is_file, "{}", now.key);
        }
    }
}

#[test]
fn the_example_and_the_schema_do_not_depend_on_what_is_set() {
    let blank = load(Config::loader("PITON").app("shop"));
    let set = load(Config::loader("PITON").app("shop").env([("PITON_HTTP_PORT", "1")]));
    assert_eq!(blank.example(&KNOWN), set.example(&KNOWN));
    assert_eq!(blank.schema(&KNOWN), set.schema(&KNOWN));
}

#[derive(Settings)]
struct Keys {
    secret: String,
}

impl Default for Keys {
    fn default() -> Self {
        Self { secret: "hunter2".into() }
    }
}

#[test]
fn a_secrets_default_stands_in_neither_example_nor_schema_nor_list() {
    static KEYS: Section = Section::of::<Keys>("keys");
    let config = load(Config::loader("PITON"));
    let described = config.describe(&[&KEYS]);
    let (example, schema) = (config.example(&[&KEYS]), config.schema(&[&KEYS]));
    assert!(example.contains("#secret = \"\"\n"), "{example}");
    assert!(schema["properties"]["keys"]["properties"]["secret"].get("default").is_none());
    let json = config_listing::json(&described);
    let all = format!("{example}{schema}{json}{}", Config::list(&described));
    assert!(!all.contains("hunter"), "{all}");
}

#[test]
fn the_schema_has_sections_as_closed_objects_with_docs_and_defaults() {
    let schema = load(Config::loader("PITON").app("shop")).schema(&KNOWN);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["additionalProperties"], false);
    let http = &schema["properties"]["http"];
    assert_eq!(http["description"], "The listener.");
    assert_eq!(http["additionalProperties"], false);
    let port = json!({
        "type": "integer", "minimum": 0, "maximum": 65535, "default": 5000,
        "description": "Where to listen. Default: `5000`.",
    });
    assert_eq!(http["properties"]["port"], port);
    let pool = &schema["properties"]["db"]["properties"]["pool"];
    assert_eq!(pool["description"], "The connections.");
    assert_eq!(pool["properties"]["max"]["default"], 8);
    assert_eq!(schema["properties"]["production"]["type"], "boolean");
}
