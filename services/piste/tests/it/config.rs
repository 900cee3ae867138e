//! Tests of the settings: the checked-in files, and the environment of Gnar Gear.

use std::path::Path;
use std::process::Command;

use piton::testing::{assert_generated, assert_generated_json};
use test_support::cli::{output, temporary_folder, uncomment_settings};

const EXAMPLE: &str = include_str!("../../config.example.toml");

#[test]
fn the_example_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
    assert_generated(path, &piste::app().config_example(), "cargo xtask generate");
}

#[test]
fn the_schema_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json");
    assert_generated_json(path, &piste::app().config_schema(), "cargo xtask generate");
}

/// The program in a folder of its own, with nothing of the environment.
fn piste(folder: &Path, arguments: &[&str]) -> Command {
    test_support::cli::command(env!("CARGO_BIN_EXE_piste"), folder, arguments)
}

#[test]
fn the_example_file_is_accepted_with_every_setting_uncommented() {
    let folder = temporary_folder();
    std::fs::write(folder.path().join("config.toml"), uncomment_settings(EXAMPLE)).expect("ours");
    let list = output(&mut piste(folder.path(), &["config"]));
    assert_eq!((list.code, &*list.err), (Some(0), ""));
    assert!(list.out.contains("jwt.encode_nbf = true"), "{}", list.out);
}

/// Every variable of Gnar Gear's document.
const GNAR: [(&str, &str, &str); 18] = [
    ("GNAR_ARGON2_ENCODING", "utf-8", "password.encoding"),
    ("GNAR_ARGON2_HASH_LEN", "17", "password.hash_len"),
    ("GNAR_ARGON2_MEMORY_COST", "513", "password.memory_cost_kib"),
    ("GNAR_ARGON2_PARALLELISM", "3", "password.parallelism"),
    ("GNAR_ARGON2_SALT_LEN", "18", "password.salt_len"),
    ("GNAR_ARGON2_TIME_COST", "4", "password.time_cost"),
    ("GNAR_JWT_SECRET_KEY", "hunter2-of-jwt", "jwt.secret_key"),
    ("GNAR_LOG_LEVEL", "WARNING", "log.level"),
    ("GNAR_PG_DATABASE", "gnar", "db.database"),
    ("GNAR_PG_ENDPOINT", "pg.example.org", "db.host"),
    ("GNAR_PG_PASSWORD", "hunter2-of-pg", "db.password"),
    ("GNAR_PG_USERNAME", "gnarly", "db.user"),
    ("GNAR_SES_ACCESS_KEY_ID", "AKIASES", "ses.access_key_id"),
    ("GNAR_SES_REGION_NAME", "us-west-2", "ses.region_name"),
    ("GNAR_SES_SECRET_ACCESS_KEY", "hunter2-of-ses", "ses.secret_access_key"),
    ("GNAR_SQS_ACCESS_KEY_ID", "AKIASQS", "sqs.access_key_id"),
    ("GNAR_SQS_REGION_NAME", "us-east-2", "sqs.region_name"),
    ("GNAR_SQS_SECRET_ACCESS_KEY", "hunter2-of-sqs", "sqs.secret_access_key"),
];

#[test]
fn every_variable_of_gnar_gear_is_read_and_no_secret_is_shown() {
    let variables = GNAR.map(|(name, value, _)| (name, value));
    let folder = temporary_folder();
    for form in [&["config"][..], &["config", "--json"]] {
        let list = output(piste(folder.path(), form).envs(variables));
        assert_eq!((list.code, &*list.err), (Some(0), ""));
        assert!(!list.out.contains("hunter2"), "{}", list.out);
    }
    for (name, value, key) in GNAR {
        let shown = if value.contains("hunter2") { "***" } else { value };
        let list = output(piste(folder.path(), &["config", key]).envs(variables)).out;
        let from = format!("(from environment variable {name})");
        let line = list.lines().find(|line| line.contains(&from)).unwrap_or_default();
        assert!(line.contains(key) && line.contains(shown), "{name}: {list}");
    }
}

#[test]
fn an_invalid_sender_is_refused_at_launch() {
    let folder = temporary_folder();
    let refused = output(piste(folder.path(), &[]).env("GNAR_ACTIVATION_FROM", "gnar"));
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("activation.from"), "{}", refused.err);
}

#[test]
fn production_migrates_without_a_mail_part() {
    let folder = temporary_folder();
    let variables = [
        ("GNAR_PRODUCTION", "true"),
        ("GNAR_DB_PATH", "m.db"),
        ("GNAR_JWT_SECRET_KEY", "0123456789012345678901234567890123456789"),
    ];
    for arguments in [["migrate", "up"], ["migrate", "status"]] {
        for from in ["", "Gnar <gnar@example.com>"] {
            let mut command = piste(folder.path(), &arguments);
            command.envs(variables).env("GNAR_SES_FROM", from);
            command.env("GNAR_ACTIVATION_URL", "https://gnar.example.com/user/activate");
            let said = output(&mut command);
            assert_eq!(said.code, Some(0), "{arguments:?}, {from:?}: {}{}", said.out, said.err);
        }
    }
}

/// The answer of `config` in production, with these arguments more and these variables.
fn listed(
    folder: &Path,
    more: &[&str],
    variables: &[(&str, &str)],
) -> test_support::cli::CommandOutput {
    let arguments = [&["config"][..], more].concat();
    let mut command = piste(folder, &arguments);
    command.env("GNAR_PRODUCTION", "true").env("GNAR_DB_PATH", "x.db");
    command.env("GNAR_ACTIVATION_URL", "https://gnar.example.com/user/activate");
    output(command.envs(variables.iter().copied()))
}

#[test]
fn config_refuses_the_secret_that_the_launch_refuses_and_its_fix_fits_where_it_is_written() {
    let folder = temporary_folder();
    let long = "0123456789012345678901234567890123456789";
    std::fs::write(folder.path().join("secret"), "short").expect("ours");
    let short = [("GNAR_JWT_SECRET_KEY", "short")];
    let of_file = [("JWT_SECRET_KEY_FILE", "secret")];
    let previous = [("GNAR_JWT_SECRET_KEY", long), ("GNAR_JWT_PREVIOUS_SECRET_KEYS", "before")];
    let by_flag = ["--set", "jwt.secret_key=short"];
    /// The arguments, the variables, and the fix.
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 6] = [
        (&[], &short, "fix: set GNAR_JWT_SECRET_KEY to"),
        (&["--json"], &short, "fix: set GNAR_JWT_SECRET_KEY to"),
        (&[], &[], "GNAR_JWT_SECRET_KEY or JWT_SECRET_KEY"),
        (&[], &of_file, "` into secret"),
        (&by_flag, &[], "--set jwt.secret_key="),
        (&[], &previous, "fix: remove it, or set GNAR_JWT_ALLOW_SHORT_SECRET=true until"),
    ];
    for (more, variables, fix) in cases {
        let refused = listed(folder.path(), more, variables);
        assert_eq!(refused.code, Some(2), "{more:?} {variables:?}: {}", refused.err);
        assert!(refused.err.contains(fix), "{fix}: {}", refused.err);
        assert!(refused.err.contains("1 setting is wrong"), "{}", refused.err);
    }
    let accepted = listed(folder.path(), &[], &[("GNAR_JWT_SECRET_KEY", long)]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.err);
}

#[test]
fn the_refusal_of_an_address_contains_no_secret() {
    let folder = temporary_folder();
    for (variable, value) in [
        ("REDIS_URL", "redis://user:hunter2"),
        ("REDIS_URL", "redis://h/hunter2"),
        ("REDIS_URL", "redis://h#hunter2"),
        ("REDIS_URL", "redis-cli -h h -a hunter2"),
        ("REDIS_URL", "hunter2@host:6379"),
        ("REDIS_URL", "redis://h?auth=hunter2"),
        ("REDIS_URL", "redis://h?x=hunter2"),
        ("GNAR_CLIENT_PROXY", "u:hunter2:h:80"),
        ("GNAR_CLIENT_PROXY", "h:80:u:hunter2"),
        ("GNAR_SES_ENDPOINT_URL", "ftp://h?access_token=hunter2"),
        ("GNAR_SES_ENDPOINT_URL", "http://h:x?secret=hunter2"),
        ("GNAR_CLIENT_PEERS", "a=u:hunter2"),
    ] {
        let refused = output(piste(folder.path(), &["config"]).env(variable, value));
        let all = format!("{}{}", refused.out, refused.err);
        assert_eq!(refused.code, Some(2), "{variable}={value}: {all}");
        assert!(!all.contains("hunter2"), "{variable}={value}: {all}");
    }
    let refused = output(piste(folder.path(), &["config"]).env("REDIS_URL", "redis://h:x"));
    let example = "such as `redis://user:password@host:6379/0`";
    assert!(refused.err.contains(example), "{}", refused.err);
}

#[test]
fn the_variables_of_flask_jwt_extended_are_read_by_their_names() {
    let folder = temporary_folder();
    let variables = [
        ("JWT_SECRET_KEY", "0123456789012345678901234567890123456789"),
        ("JWT_ALGORITHM", "HS512"),
        ("JWT_DECODE_ALGORITHMS", r#"["HS256", "HS384"]"#),
        ("JWT_ACCESS_TOKEN_EXPIRES", "900"),
        ("JWT_REFRESH_TOKEN_EXPIRES", "False"),
        ("JWT_DECODE_LEEWAY", "10"),
        ("JWT_ENCODE_NBF", "False"),
        ("JWT_VERIFY_SUB", "True"),
        ("JWT_IDENTITY_CLAIM", "uid"),
        ("JWT_USER_CLAIMS", "user_claims"),
        ("JWT_CLAIMS_IN_REFRESH_TOKEN", "True"),
        ("JWT_ENCODE_ISSUER", "me"),
        ("JWT_DECODE_ISSUER", "you"),
        ("JWT_ENCODE_AUDIENCE", "them"),
        ("JWT_DECODE_AUDIENCE", "us,them"),
        ("JWT_TOKEN_LOCATION", r#"["headers", "cookies", "query_string", "json"]"#),
        ("JWT_HEADER_NAME", "X-Token"),
        ("JWT_HEADER_TYPE", "JWT"),
        ("JWT_QUERY_STRING_NAME", "t"),
        ("JWT_QUERY_STRING_VALUE_PREFIX", "Bearer "),
        ("JWT_JSON_KEY", "a"),
        ("JWT_REFRESH_JSON_KEY", "r"),
        ("JWT_ERROR_MESSAGE_KEY", "msg"),
        ("JWT_ACCESS_COOKIE_NAME", "a"),
        ("JWT_REFRESH_COOKIE_NAME", "r"),
        ("JWT_ACCESS_COOKIE_PATH", "/a"),
        ("JWT_REFRESH_COOKIE_PATH", "/r"),
        ("JWT_COOKIE_SECURE", "True"),
        ("JWT_COOKIE_SAMESITE", "Strict"),
        ("JWT_COOKIE_DOMAIN", "example.org"),
        ("JWT_SESSION_COOKIE", "False"),
        ("JWT_COOKIE_CSRF_PROTECT", "True"),
        ("JWT_CSRF_IN_COOKIES", "False"),
        ("JWT_CSRF_CHECK_FORM", "True"),
        ("JWT_CSRF_METHODS", "POST,DELETE"),
        ("JWT_ACCESS_CSRF_COOKIE_NAME", "ac"),
        ("JWT_REFRESH_CSRF_COOKIE_NAME", "rc"),
        ("JWT_ACCESS_CSRF_COOKIE_PATH", "/ac"),
        ("JWT_REFRESH_CSRF_COOKIE_PATH", "/rc"),
        ("JWT_ACCESS_CSRF_HEADER_NAME", "X-A"),
        ("JWT_REFRESH_CSRF_HEADER_NAME", "X-R"),
        ("JWT_ACCESS_CSRF_FIELD_NAME", "fa"),
        ("JWT_REFRESH_CSRF_FIELD_NAME", "fr"),
    ];
    let list = listed(folder.path(), &["jwt"], &variables);
    assert_eq!(list.code, Some(0), "{}", list.err);
    let words = list.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for (name, _) in variables {
        assert!(words.contains(&format!("(from environment variable {name})")), "{name}: {words}");
    }
    let emptied = [variables[0], ("GNAR_JWT_REQUIRED_CLAIMS", "[]")];
    let list = listed(folder.path(), &["jwt.required_claims"], &emptied);
    assert!(list.out.contains("jwt.required_claims = []"), "{}{}", list.out, list.err);
}

#[test]
fn a_public_key_that_cannot_work_ends_the_launch_with_2() {
    let folder = temporary_folder();
    for (algorithm, options, why) in [
        ("RS256", ["RSA", "rsa_keygen_bits:1024"], "the RSA key has 1024 bits"),
        ("ES256", ["EC", "ec_paramgen_curve:P-384"], "a key on P-384, which ES256 cannot use"),
    ] {
        let openssl = |arguments: &[&str]| {
            let made = Command::new("openssl").args(arguments).current_dir(&folder).output();
            assert!(made.expect("openssl is there").status.success(), "{arguments:?}");
        };
        let [kind, size] = options;
        openssl(&["genpkey", "-algorithm", kind, "-pkeyopt", size, "-out", "key.pem"]);
        openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub.pem"]);
        let mut command = piste(folder.path(), &["--host", "127.0.0.1", "--port", "0"]);
        command.env("JWT_ALGORITHM", algorithm).env("JWT_PUBLIC_KEY_FILE", "key.pub.pem");
        let refused = output(&mut command);
        let all = format!("{}{}", refused.out, refused.err);
        assert_eq!(refused.code, Some(2), "{all}");
        assert!(all.contains(why) && all.contains("jwt.public_key_file"), "{all}");
        assert!(all.contains("key.pub.pem"), "{all}");
    }
}
