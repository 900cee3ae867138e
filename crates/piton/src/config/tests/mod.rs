//! All layers together, through the calls that the app makes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::*;

mod aliases;
mod dotenv;
mod generated_files;
mod secret_files;

/// The listener.
#[derive(Settings, Debug)]
struct Http {
    /// Where to listen. **Default: `5000`.**
    #[setting(alias = "PORT")]
    port: u16,
    /// How long a request may take.
    timeout: Duration,
    #[setting(rename = "max-body")]
    max_body: ByteSize,
}

impl Default for Http {
    fn default() -> Self {
        Self { port: 5000, timeout: Duration::from_secs(30), max_body: ByteSize::mib(2) }
    }
}

#[derive(Settings, Default, Debug)]
#[setting(check = Self::check)]
struct Db {
    /// Where the database is.
    url: Option<String>,
    /// Signs.
    key: Option<SecretString>,
    password: String,
    /// The connections.
    #[setting(section)]
    pool: Pool,
}

impl Db {
    fn check(&self, from: &mut Reader<'_>) {
        if self.pool.min > self.pool.max {
            from.refuse("pool.min", "greater than `db.pool.max`", "lower it");
        }
        if self.password == "password" {
            from.refuse("password", "too easy to guess", "take another");
            from.refuse("key", "too short", "take another");
        }
    }
}

#[derive(Settings, Debug)]
struct Pool {
    min: u32,
    max: u32,
}

impl Default for Pool {
    fn default() -> Self {
        Self { min: 0, max: 8 }
    }
}

#[derive(Settings, Default)]
struct Top {
    /// Whether strangers are served.
    production: bool,
}

static HTTP: Section = Section::of::<Http>("http");
static DB: Section = Section::of::<Db>("db");
static TOP: Section = Section::of::<Top>("");
static KNOWN: [&Section; 3] = [&TOP, &HTTP, &DB];

fn load(loader: Loader) -> Config {
    let (config, problems) = loader.load(&KNOWN);
    assert!(problems.is_empty(), "{problems}");
    config
}

fn http(config: &Config) -> Http {
    let mut problems = Problems::new();
    let settings = config.read("http", &mut problems);
    assert!(problems.is_empty(), "{problems}");
    settings
}

fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("the folder is ours");
    (folder, path)
}

#[test]
fn nothing_configured_is_the_defaults() {
    let config = load(Config::loader("PITON"));
    assert_eq!(http(&config).port, 5000);
    assert_eq!(config.origin("http.port"), Origin::Default);
    assert!(config.check(&KNOWN, &KNOWN).is_empty());
}

#[test]
fn flag_beats_code_beats_environment_beats_dotenv_beats_file_beats_default() {
    let (_folder, file) = written("config.toml", "[http]\nport = 1\n");
    let (_other, dotenv) = written(".env", "\nPITON_HTTP_PORT=2\n");
    let mut port = 5000;
    let mut next = |loader: fn(Loader, [&PathBuf; 2]) -> Loader, origin: &str| {
        let config = load(loader(Config::loader("PITON"), [&file, &dotenv]));
        let read = http(&config).port;
        assert!(config.origin("http.port").to_string().ends_with(origin), "{origin}");
        assert_ne!(read, std::mem::replace(&mut port, read));
        read
    };
    assert_eq!(next(|loader, [file, _]| loader.file(file), "config.toml:2"), 1);
    assert_eq!(next(|loader, [file, env]| loader.env_file(env).file(file), ".env:2"), 2);
    let environment = |loader: Loader, [file, env]: [&PathBuf; 2]| {
        loader.env([("PITON_HTTP_PORT", "3")]).file(file).env_file(env)
    };
    assert_eq!(next(environment, "environment variable PITON_HTTP_PORT"), 3);
    let code = |loader: Loader, [file, env]: [&PathBuf; 2]| {
        let loader = loader.env([("PITON_HTTP_PORT", "3")]).file(file).env_file(env);
        loader.code("http.port", 4, "App::port at src/main.rs:4")
    };
    assert_eq!(next(code, "App::port at src/main.rs:4"), 4);
    let flag = |loader: Loader, [file, env]: [&PathBuf; 2]| {
        let loader = loader.env([("PITON_HTTP_PORT", "3")]).file(file).env_file(env);
        loader.flag("http.port", "5", "--port").code("http.port", 4, "App::port at src/main.rs:4")
    };
    assert_eq!(next(flag, "flag --port"), 5);
}

#[test]
fn a_default_of_the_service_takes_the_place_of_the_frameworks_and_no_more() {
    let (_folder, file) = written("config.toml", "[http]\nport = 1\n");
    let own = || Config::loader("PITON").default_to("http.port", 8080, "src/lib.rs:9");
    let config = load(own());
    assert_eq!(http(&config).port, 8080);
    assert_eq!(config.origin("http.port").to_string(), "the service's default at src/lib.rs:9");
    assert!(config.check(&KNOWN, &KNOWN).is_empty());
    assert_eq!(http(&load(own().file(file))).port, 1);
    let described = config.describe(&KNOWN);
    let port = described.iter().find(|setting| setting.key == "http.port").unwrap();
    assert_eq!((&port.default, &port.value), (&json!(8080), &json!(8080)));
    assert!(Config::list(&described).contains("  http.port = 8080  (default)\n"));
    let wrong = load(Config::loader("PITON").default_to("http.port", "x", "src/lib.rs:9"));
    assert!(wrong.check(&KNOWN, &KNOWN).to_string().contains("src/lib.rs:9"));
    let unknown = load(Config::loader("PITON").default_to("http.prot", 1, "src/lib.rs:9"));
    assert_eq!(unknown.check(&KNOWN, &KNOWN).len(), 1);
}

#[test]
fn the_later_file_wins_and_the_earlier_still_gives_the_rest() {
    let (_one, first) = written("a.toml", "[http]\nport = 1\ntimeout = '1s'\n");
    let (_two, second) = written("b.json", "{\"http\": {\"port\": 2}}");
    let read = http(&load(Config::loader("PITON").file(first).file(second)));
    assert_eq!((read.port, read.timeout), (2, Duration::from_secs(1)));
}

#[test]
fn every_wrong_setting_is_told_at_once_with_its_origin() {
    let text = "[http]\ntimeout = 30\n\n[log]\nlevle = 'x'\n\n[htp]\nport = 1\n";
    let (_folder, file) = written("config.toml", text);
    let config = load(Config::loader("PITON").file(&file).env([("PITON_HTTP_PORT", "eighty")]));
    let report = config.check(&KNOWN, &KNOWN).report("registry");
    let expected = "\
registry cannot start: 4 settings are wrong

  http.port = \"eighty\"  from environment variable PITON_HTTP_PORT
    expected a whole number from 0 to 65535
    fix: PITON_HTTP_PORT=5000
  http.timeout = 30     from config.toml:2
    `30` has no unit: write `30s`
    fix: http.timeout = \"30s\"
  log.levle             from config.toml:5
    unknown setting
    fix: remove it; the command `config` lists every setting
  htp.port              from config.toml:8
    unknown setting
    fix: did you mean `http.port`?
";
    assert_eq!(report.replace(&file.display().to_string(), "config.toml"), expected);
}

#[test]
fn a_wrong_value_reads_as_its_default_so_that_the_others_are_read_too() {
    let config =
        load(Config::loader("PITON").env([("PITON_HTTP_PORT", "x"), ("PITON_HTTP_TIMEOUT", "1s")]));
    let mut problems = Problems::new();
    let read: Http = config.read("http", &mut problems);
    assert_eq!((read.port, read.timeout, problems.len()), (5000, Duration::from_secs(1), 1));
}

#[test]
fn values_of_a_section_that_nobody_reads_are_not_checked_but_its_keys_are_known() {
    let config = load(Config::loader("PITON").code("http.port", "x", "App::port"));
    assert!(config.check(&KNOWN, &[&DB]).is_empty());
    assert_eq!(config.check(&KNOWN, &[&HTTP])[0].fix, "pass 5000");
}

#[test]
fn unknown_keys_of_code_and_flags_are_refused() {
    let loader = Config::loader("PITON").code("http.prot", 1, "App::set at a.rs:1");
    let problems = load(loader.flag("nothing.like.it", 1, "--set")).check(&KNOWN, &[]);
    let told: Vec<_> = problems.iter().map(|problem| problem.to_string()).collect();
    assert_eq!(told[0], "nothing.like.it (from flag --set): unknown setting");
    assert_eq!(told[1], "http.prot (from App::set at a.rs:1): unknown setting");
    assert_eq!(problems[1].fix, "did you mean `http.port`?");
}

#[test]
fn an_unknown_key_of_a_known_section_is_told_what_the_section_has() {
    let config = load(Config::loader("PITON").code("http.keepalive", 1, "x"));
    assert_eq!(config.check(&KNOWN, &[])[0].fix, "remove it; `http` has port, timeout, max-body");
}

#[test]
fn a_value_where_a_section_belongs_is_refused_and_an_empty_section_is_not() {
    let (_folder, file) = written("c.toml", "http = 3\n[db.pool]\n");
    let problems = load(Config::loader("PITON").file(file)).check(&KNOWN, &KNOWN);
    assert_eq!(problems.len(), 1, "{problems}");
    assert_eq!(problems[0].why, "a section, not a setting");
    assert_eq!(problems[0].fix, "write a setting of it, such as `http.port`");
}

#[test]
fn a_table_where_a_value_belongs_is_refused_once() {
    let (_folder, file) = written("c.toml", "[http.port]\nnumber = 3\n");
    let problems = load(Config::loader("PITON").file(file)).check(&KNOWN, &KNOWN);
    assert_eq!(problems.len(), 1, "{problems}");
    assert_eq!(problems[0].key, "http.port");
}

#[test]
fn nested_sections_and_renamed_fields_have_their_keys_and_variables() {
    let config = load(Config::loader("PITON").env([
        ("PITON_DB_POOL_MAX", "3"),
        ("PITON_HTTP_MAX_BODY", "1KiB"),
        ("PITON_PRODUCTION", "yes"),
    ]));
    let mut problems = Problems::new();
    assert_eq!(config.read::<Db>("db", &mut problems).pool.max, 3);
    assert_eq!(http(&config).max_body, ByteSize::kib(1));
    assert!(config.read::<Top>("", &mut problems).production);
    assert!(problems.is_empty() && config.unknown_variables(&KNOWN).is_empty());
}

#[test]
fn a_check_across_fields_points_to_the_value_it_refuses() {
    let vars = [("PITON_DB_POOL_MIN", "9"), ("PITON_DB_KEY", "hunter2")];
    let loader = Config::loader("PITON").env(vars);
    let problems = load(loader.code("db.password", "password", "main.rs")).check(&KNOWN, &KNOWN);
    let told: Vec<_> = problems.iter().map(|problem| problem.to_string()).collect();
    assert_eq!(
        told,
        [
            "db.pool.min = \"9\" (from environment variable PITON_DB_POOL_MIN): greater than `db.pool.max`",
            "db.password = \"***\" (from main.rs): too easy to guess",
            "db.key = \"***\" (from environment variable PITON_DB_KEY): too short",
        ]
    );
}

#[test]
fn secrets_are_read_but_never_shown() {
    let config = load(Config::loader("PITON").env([
        ("PITON_DB_KEY", "hunter2"),
        ("PITON_DB_PASSWORD", "hunter2"),
        ("PITON_DB_URL", "postgres://me:hunter2@db/x"),
    ]));
    let db: Db = config.read("db", &mut Problems::new());
    assert_eq!(db.key.as_ref().map(|key| key.expose_secret()), Some("hunter2"));
    let described = config.describe(&KNOWN);
    let all = format!("{described:?}{}{config:?}", Config::list(&described));
    assert!(!all.contains("hunter2"), "{all}");
    assert!(all.contains("postgres://***@db/x"));
}

#[test]
fn every_setting_is_described_in_order() {
    let config = load(Config::loader("PITON").env([("PITON_HTTP_PORT", "80")]));
    let described = config.describe(&KNOWN);
    let keys: Vec<_> = described.iter().map(|setting| setting.key.as_str()).collect();
    let expected = [
        "production",
        "http.port",
        "http.timeout",
        "http.max-body",
        "db.url",
        "db.key",
        "db.password",
        "db.pool.min",
        "db.pool.max",
    ];
    assert_eq!(keys, expected);
    let port = &described[1];
    assert_eq!((&port.value, &port.default), (&json!(80), &json!(5000)));
    assert_eq!(port.variable, "PITON_HTTP_PORT");
    assert_eq!(port.doc, "Where to listen. **Default: `5000`.**");
    assert_eq!(port.expects, "a whole number from 0 to 65535");
    assert_eq!(port.schema["type"], "integer");
    assert_eq!(HTTP.doc(), "The listener.");
    assert_eq!((port.section_doc, described[8].section_doc), ("The listener.", "The connections."));
}

#[test]
fn the_list_says_value_origin_doc_and_variables_of_each_setting() {
    let config = load(Config::loader("PITON").env([("PITON_HTTP_PORT", "80")]));
    let expected = "\
[http] The listener.
  http.port = 80  (from environment variable PITON_HTTP_PORT)
      Where to listen. Default: `5000`.
      PITON_HTTP_PORT, also PORT
  http.timeout = \"30s\"  (default)
      How long a request may take.
      PITON_HTTP_TIMEOUT
  http.max-body = \"2MiB\"  (default)
      PITON_HTTP_MAX_BODY
";
    assert_eq!(Config::list(&config.describe(&[&HTTP])), expected);
    let db = Config::list(&config.describe(&[&DB]));
    assert!(db.contains("  db.key is not set  (default)\n      Signs.\n"), "{db}");
    assert!(db.contains("PITON_DB_KEY; PITON_DB_KEY_FILE names a file with the value"), "{db}");
    assert!(db.contains("\n[db.pool] The connections.\n"), "{db}");
}

#[test]
fn unknown_variables_only_warn_with_the_nearest_name() {
    let (_folder, dotenv) = written(".env", "PITON_HTTP_TIMOUT=1s\nOTHER=1\n");
    let config = load(Config::loader("PITON").env_file(&dotenv).env([
        ("PITON_HTP_PORT", "1"),
        ("PITON_X", "1"),
        ("HOME", "/"),
    ]));
    assert!(config.check(&KNOWN, &KNOWN).is_empty());
    let warnings = config.unknown_variables(&KNOWN);
    assert_eq!(
        warnings[0],
        "environment variable `PITON_HTP_PORT` is no setting: did you mean `PITON_HTTP_PORT`?"
    );
    let place = format!("`PITON_HTTP_TIMOUT` at {}:1", dotenv.display());
    assert_eq!(warnings[1], format!("{place} is no setting: did you mean `PITON_HTTP_TIMEOUT`?"));
    assert_eq!(warnings[2], "environment variable `PITON_X` is no setting");
    assert_eq!(warnings.len(), 3);
}

#[test]
fn what_kubernetes_injects_is_neither_a_warning_nor_a_setting() {
    let config = load(Config::loader("PITON").env([
        ("PITON_PORT", "tcp://10.0.0.1:80"),
        ("PITON_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("PITON_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("PITON_PISTE_SERVICE_PORT", "80"),
        ("PITON_PISTE_SERVICE_HOST", "10.0.0.1"),
        ("PITON_PISTE_SERVICE_PORT_HTTP", "80"),
        // A service named `piton-http`.
        ("PITON_HTTP_PORT", "tcp://10.0.0.1:80"),
    ]));
    assert_eq!(config.unknown_variables(&KNOWN), [""; 0]);
    assert!(config.check(&KNOWN, &KNOWN).is_empty());
    assert_eq!(http(&config).port, 5000);
}

#[test]
fn a_known_variable_that_is_not_unicode_is_refused_and_an_unknown_one_is_not() {
    use std::os::unix::ffi::OsStringExt;
    let garbled = || OsString::from_vec(vec![0xff]);
    let vars = [("PITON_HTTP_PORT", garbled()), ("PITON_OTHER", garbled()), ("X", garbled())];
    let (_, problems) = Config::loader("PITON").env(vars).load(&KNOWN);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].key, "http.port");
    assert_eq!(problems[0].origin, Origin::Environment { variable: "PITON_HTTP_PORT".into() });
}

#[test]
fn an_absent_dotenv_says_nothing_and_a_malformed_or_doubled_line_is_refused() {
    let config = load(Config::loader("PITON").env_file("/nowhere/.env"));
    assert_eq!(http(&config).port, 5000);
    let (_folder, dotenv) = written(".env", "PITON_HTTP_PORT=1\nwhat is\nPITON_HTTP_PORT=2\n");
    let (_, problems) = Config::loader("PITON").env_file(dotenv).load(&KNOWN);
    assert_eq!(problems.len(), 2, "{problems}");
    assert_eq!(problems[0].why, "not `NAME=value`");
    assert!(problems[1].why.starts_with("written twice"));
}

#[test]
fn variables_without_the_prefix_are_not_read() {
    let config =
        load(Config::loader("GNAR").env([("PITON_HTTP_PORT", "1"), ("GNARHTTP_PORT", "2")]));
    assert_eq!(http(&config).port, 5000);
    let config = load(Config::loader("").env([("HTTP_PORT", "3")]));
    assert_eq!(http(&config).port, 3);
    assert_eq!(config.unknown_variables(&KNOWN), [""; 0]);
}

#[test]
fn no_two_settings_share_a_variable_and_those_that_do_are_found() {
    assert!(collisions_of(&KNOWN).is_empty());
    assert!(collisions_of(&[&HTTP, &HTTP]).is_empty(), "the same section listed twice");

    #[derive(Settings, Default)]
    struct Flat {
        pool_max: u32,
    }
    static FLAT: Section = Section::of::<Flat>("db");
    let problems = collisions_of(&[&DB, &FLAT]);
    assert_eq!(problems.len(), 1, "{problems}");
    assert_eq!(problems[0].key, "db.pool_max");
    assert_eq!(problems[0].why, "`db.pool.max` is read from the variable PITON_DB_POOL_MAX too");

    static OTHER: Section = Section::of::<Pool>("db.pool");
    assert_eq!(collisions_of(&[&DB, &OTHER])[0].why, "declared by two sections");
}

#[test]
fn a_variable_is_the_key_in_upper_case_with_underscores() {
    assert_eq!(variable("PITON", "http.port"), "PITON_HTTP_PORT");
    assert_eq!(variable("PITON", "db.pool.max-size"), "PITON_DB_POOL_MAX_SIZE");
    assert_eq!(variable("PITON", "production"), "PITON_PRODUCTION");
    assert_eq!(variable("", "http.port"), "HTTP_PORT");
}

#[test]
fn loading_and_checking_takes_less_than_two_milliseconds() {
    let (_folder, file) = written("c.toml", "[http]\nport = 1\n");
    let vars: Vec<_> = (0..100).map(|n| (format!("PITON_X{n}"), "1")).collect();
    let best = (0..20)
        .map(|_| {
            let start = std::time::Instant::now();
            let config = load(Config::loader("PITON").file(&file).env(vars.clone()));
            assert!(config.check(&KNOWN, &KNOWN).is_empty());
            start.elapsed()
        })
        .min();
    assert!(best < Some(Duration::from_millis(2)), "{best:?}");
}

#[test]
fn a_reader_may_wait_for_a_part_that_starts_on_another_thread() {
    fn send<T: Send>() {}
    fn sync<T: Send + Sync>() {}
    send::<Reader<'_>>();
    sync::<Config>();
    sync::<Section>();
    sync::<Problems>();
}

fn collisions_of(known: &[&Section]) -> Problems {
    load(Config::loader("PITON")).collisions(known)
}

/// A section with aliases and files.
#[derive(Settings, Default, Debug)]
struct Old {
    /// Where the log goes.
    #[setting(alias = "OLD_LEVEL", alias = "{prefix}_{app}_LEVEL", alias = "OLDER_LEVEL")]
    level: String,
    /// Signs.
    #[setting(alias = "OLD_KEY")]
    key: Option<SecretString>,
    /// Where the database is.
    #[setting(from_file)]
    url: String,
    /// A port of another service.
    #[setting(alias = "MS_PORT")]
    port: u16,
}

static OLD: Section = Section::of::<Old>("old");

fn old(loader: Loader) -> (Old, Config) {
    let (config, problems) = loader.app("my-app").load(&[&OLD]);
    assert!(problems.is_empty(), "{problems}");
    let mut problems = config.check(&[&OLD], &[]);
    let read = config.read("old", &mut problems);
    assert!(problems.is_empty(), "{problems}");
    (read, config)
}

fn old_problem(loader: Loader) -> Problem {
    let (config, problems) = loader.app("my-app").load(&[&OLD]);
    assert!(problems.is_empty(), "{problems}");
    let mut problems = config.check(&[&OLD], &[&OLD]);
    assert_eq!(problems.len(), 1, "{problems}");
    problems.remove(0)
}
