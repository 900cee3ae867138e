//! Aliases: which variable wins, and what they are reported as.

use super::*;

#[test]
fn the_alias_for_the_app_beats_the_canonical_variable_beats_the_others_in_their_order() {
    let mut vars = vec![
        ("OLDER_LEVEL", "older"),
        ("OLD_LEVEL", "old"),
        ("GNAR_OLD_LEVEL", "canonical"),
        ("GNAR_MY_APP_LEVEL", "app"),
    ];
    while let Some((strongest, value)) = vars.last().copied() {
        let (read, config) = old(Config::loader("GNAR").env(vars.clone()));
        assert_eq!(read.level, value);
        let origin = Origin::Environment { variable: strongest.into() };
        assert_eq!(config.origin("old.level"), origin);
        vars.pop();
    }
}

#[test]
fn any_alias_of_the_environment_beats_the_canonical_variable_of_dotenv() {
    let (_folder, dotenv) = written(".env", "GNAR_OLD_LEVEL=dotenv\nOLD_LEVEL=x\n");
    let loader = || Config::loader("GNAR").env_file(&dotenv);
    assert_eq!(old(loader()).0.level, "dotenv");
    assert_eq!(old(loader().env([("OLDER_LEVEL", "environment")])).0.level, "environment");
}

#[test]
fn an_empty_alias_is_not_set_and_an_empty_canonical_variable_is() {
    let vars = [("GNAR_MY_APP_LEVEL", ""), ("OLD_LEVEL", "old")];
    assert_eq!(old(Config::loader("GNAR").env(vars)).0.level, "old");
    let vars = [("GNAR_OLD_LEVEL", ""), ("OLD_LEVEL", "old")];
    assert_eq!(old(Config::loader("GNAR").env(vars)).0.level, "");
}

#[test]
fn a_wrong_value_of_an_alias_names_the_alias_in_origin_and_fix() {
    let problem = old_problem(Config::loader("GNAR").env([("MS_PORT", "x")]));
    assert_eq!(problem.origin.to_string(), "environment variable MS_PORT");
    assert_eq!(problem.fix, "MS_PORT=0");
    let kubernetes = [("MS_PORT", "tcp://10.0.0.1:80")];
    assert_eq!(old(Config::loader("GNAR").env(kubernetes)).0.port, 0);
}

#[test]
fn an_alias_given_in_code_comes_last_and_its_key_must_be_known() {
    let vars = [("LAST_LEVEL", "last"), ("GNAR_OLDER", "older")];
    let loader = Config::loader("GNAR").env(vars);
    let loader = loader.alias("{prefix}_OLDER", "old.level", "a.rs:1");
    let (read, config) = old(loader.alias("LAST_LEVEL", "old.level", "a.rs:2"));
    assert_eq!(read.level, "older");
    assert_eq!(config.unknown_variables(&[&OLD]), [""; 0]);
    let problem = old_problem(Config::loader("GNAR").alias("X", "old.levle", "a.rs:3"));
    assert_eq!(
        problem.to_string(),
        "old.levle (from a.rs:3): the variable X is an alias of an unknown setting"
    );
    assert_eq!(problem.fix, "did you mean `old.level`?");
}

#[test]
fn aliases_are_described_and_may_not_be_anothers_variable() {
    let (_, config) = old(Config::loader("GNAR"));
    let described = config.describe(&[&OLD]);
    assert_eq!(described[0].variable, "GNAR_OLD_LEVEL");
    assert_eq!(described[0].aliases, ["GNAR_MY_APP_LEVEL", "OLD_LEVEL", "OLDER_LEVEL"]);
    assert!(described[1].from_file && described[2].from_file && !described[3].from_file);
    let loader = Config::loader("GNAR").alias("GNAR_OLD_KEY_FILE", "old.port", "a.rs:1");
    let (config, _) = loader.load(&[&OLD]);
    let problems = config.collisions(&[&OLD]);
    assert_eq!(problems.len(), 1, "{problems}");
    assert_eq!(problems[0].key, "old.port");
    assert_eq!(problems[0].why, "`old.key` is read from the variable GNAR_OLD_KEY_FILE too");
}

#[test]
fn of_variables_that_nobody_asks_for_nothing_is_kept() {
    let vars = [("HOME", "/root"), ("DATABASE_URL", "x"), ("OLD_LEVEL", "x")];
    let (_folder, dotenv) = written(".env", "AWS_SECRET=x\nOLDER_LEVEL=x\n");
    for prefix in ["GNAR", ""] {
        let (_, config) = old(Config::loader(prefix).env(vars).env_file(&dotenv));
        let kept: Vec<_> = config.0.environment.keys().chain(config.0.dotenv.keys()).collect();
        assert_eq!(kept, ["OLD_LEVEL", "OLDER_LEVEL"], "{prefix}");
    }
}
