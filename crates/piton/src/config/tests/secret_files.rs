//! Values in files that variables name: `<variable>_FILE`.

use super::*;

#[test]
fn a_secret_is_read_from_the_file_that_its_variable_names() {
    let (_folder, file) = written("key", "hunter2 \r\n");
    let path = file.display().to_string();
    let (_other, dotenv) = written(".env", &format!("\nOLD_KEY_FILE={path}\n"));
    let environment = Config::loader("GNAR").env([("GNAR_OLD_KEY_FILE", path.as_str())]);
    for (loader, origin) in [
        (environment, format!("{path} (environment variable GNAR_OLD_KEY_FILE)")),
        (
            Config::loader("GNAR").env_file(&dotenv),
            format!("{path} (OLD_KEY_FILE at {}:2)", dotenv.display()),
        ),
    ] {
        let (read, config) = old(loader);
        assert_eq!(read.key.as_ref().map(|key| key.expose_secret()), Some("hunter2 "));
        assert_eq!(config.origin("old.key").to_string(), origin);
        assert_eq!(config.unknown_variables(&[&OLD]), [""; 0]);
        let shown = format!("{:?}", config.describe(&[&OLD]));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_setting_that_asks_for_it_is_read_from_a_file_and_others_are_not() {
    let (_folder, file) = written("url", "pg://x\n\n");
    let path = file.display().to_string();
    let vars = [("GNAR_OLD_URL_FILE", &*path), ("GNAR_OLD_LEVEL_FILE", &*path)];
    let (read, config) = old(Config::loader("GNAR").env(vars));
    assert_eq!((read.url.as_str(), read.level.as_str()), ("pg://x\n", ""));
    assert_eq!(config.unknown_variables(&[&OLD]).len(), 1);
}

#[test]
fn a_value_and_a_file_together_are_refused_unless_the_value_is_empty() {
    let (_folder, file) = written("key", "hunter2");
    let path = file.display().to_string();
    let vars = |value| [("GNAR_OLD_KEY", value), ("GNAR_OLD_KEY_FILE", path.clone())];
    let problem = old_problem(Config::loader("GNAR").env(vars("hunter3".into())));
    assert_eq!(problem.key, "old.key");
    assert_eq!(problem.why, "GNAR_OLD_KEY and GNAR_OLD_KEY_FILE are both set");
    assert_eq!(problem.fix, "remove GNAR_OLD_KEY or GNAR_OLD_KEY_FILE");
    assert!(!format!("{problem:?}").contains("hunter"), "{problem:?}");
    let (read, _) = old(Config::loader("GNAR").env(vars(String::new())));
    assert_eq!(read.key.as_ref().map(|key| key.expose_secret()), Some("hunter2"));
}

#[test]
fn a_file_that_cannot_be_taken_is_refused_with_variable_path_and_fix() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).expect("the folder is ours");
    };
    write("binary", b"hunter\xff2");
    write("large", &vec![b'x'; 64 * 1024 + 1]);
    write("full", &vec![b'x'; 64 * 1024]);
    for (name, why, fix) in [
        ("absent", "which cannot be read: No such file", "create the file"),
        ("", "which cannot be read: Is a directory", "name a file that can be read"),
        ("binary", "which is not UTF-8 text", "write the value as UTF-8 text"),
        ("large", "which is larger than 64KiB", "name a file with the value alone"),
    ] {
        let problem = old_problem(Config::loader("GNAR").env([("OLD_KEY_FILE", path(name))]));
        assert_eq!(problem.key, "old.key");
        assert_eq!(problem.origin, Origin::Environment { variable: "OLD_KEY_FILE".into() });
        assert!(problem.why.contains(&path(name)) && problem.why.contains(why), "{problem}");
        assert_eq!(problem.fix, format!("{fix}, or unset OLD_KEY_FILE"));
        assert!(!problem.why.contains("hunter"), "{problem}");
    }
    let (read, _) = old(Config::loader("GNAR").env([("OLD_KEY_FILE", path("full"))]));
    assert_eq!(read.key.map(|key| key.expose_secret().len()), Some(64 * 1024));
}

#[test]
fn a_file_that_is_not_needed_is_not_looked_at() {
    let loader = || Config::loader("GNAR").env([("OLD_KEY_FILE", "/nowhere")]);
    let (read, _) = old(loader().flag("old.key", "x", "--set"));
    assert!(read.key.is_some());
    let (config, _) = loader().load(&[&OLD]);
    assert!(config.check(&[&OLD], &[]).is_empty(), "nobody reads the section");
}

#[test]
fn an_alias_that_is_not_unicode_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let vars = [("OLD_KEY_FILE", OsString::from_vec(vec![0xff])), ("X", OsString::from("x"))];
    let (_, problems) = Config::loader("GNAR").env(vars).load(&[&OLD]);
    assert_eq!(problems.len(), 1, "{problems}");
    assert_eq!(problems[0].key, "old.key");
}

#[test]
fn a_secret_from_code_or_a_flag_stands_in_no_message() {
    for key in ["db.key", "db.password", "db.pasword", "db.key.x", "http.port"] {
        let loader = Config::loader("PITON").flag(key, "hunter2", "--set");
        let config = load(loader.code("db.key", json!({"a": "hunter2"}), "App::set"));
        let problems = config.check(&KNOWN, &KNOWN);
        let described = config.describe(&KNOWN);
        let shown = format!("{}{described:?}{problems:?}{config:?}", problems.report("x"));
        assert!(key == "http.port" || !shown.contains("hunter"), "{key}: {shown}");
    }
}
