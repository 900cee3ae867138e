//! The settings as the operator meets them: the checked-in files, and groups from files of each kind.

use std::path::Path;
use std::process::Command;

use piton::testing::{assert_generated, assert_generated_json};
use test_support::cli::{output, temporary_folder, uncomment_settings};

const EXAMPLE: &str = include_str!("../../config.example.toml");

#[test]
fn the_example_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
    assert_generated(path, &envpage::app().config_example(), "cargo xtask generate");
}

#[test]
fn the_schema_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json");
    assert_generated_json(path, &envpage::app().config_schema(), "cargo xtask generate");
}

fn json(text: &str) -> piton::serde_json::Value {
    piton::serde_json::from_str(text).expect("the output is JSON")
}

/// The program in a folder of its own, with nothing of the environment.
pub fn envpage(folder: &Path, arguments: &[&str]) -> Command {
    test_support::cli::command(env!("CARGO_BIN_EXE_envpage"), folder, arguments)
}

#[test]
fn the_example_file_is_accepted_with_every_setting_uncommented() {
    let folder = temporary_folder();
    std::fs::write(folder.path().join("config.toml"), uncomment_settings(EXAMPLE)).unwrap();
    let list = output(&mut envpage(folder.path(), &["config"]));
    assert_eq!((list.code, &*list.err), (Some(0), ""));
    assert!(
        list.out.contains("page.title = \"Lab Mock Server\"  (from config.toml:"),
        "{}",
        list.out
    );
}

#[test]
fn groups_are_read_from_each_kind_of_file_and_from_the_environment() {
    let group = r#"[{"name": "Mail", "description": "Whom we write as", "vars": ["SMTP_USER"]}]"#;
    let yaml = "page:\n  groups:\n    - name: Mail\n      description: Whom we write as\n      vars:\n        - SMTP_USER\n";
    let toml =
        "[[page.groups]]\nname = 'Mail'\ndescription = 'Whom we write as'\nvars = ['SMTP_USER']\n";
    let json_file = format!("{{\"page\": {{\"groups\": {group}}}}}");
    for (name, text) in
        [("config.yaml", yaml), ("config.toml", toml), ("config.json", &json_file), ("", group)]
    {
        let folder = temporary_folder();
        let mut command = envpage(folder.path(), &["config", "page.groups", "--json"]);
        match name {
            "" => command.env("PITON_PAGE_GROUPS", text),
            name => {
                std::fs::write(folder.path().join(name), text).unwrap();
                &mut command
            }
        };
        let list = output(&mut command);
        assert_eq!((list.code, &*list.err), (Some(0), ""), "{name}");
        assert_eq!(json(&list.out)[0]["value"], json(group), "{name}");
    }
}

#[test]
fn a_host_that_can_never_be_asked_for_is_refused_with_the_bare_name() {
    for (hosts, fix) in [
        ("other.example:8080", "hosts = [\"other.example\"]"),
        ("http://x:1,lab.internal", "hosts = [\"x\", \"lab.internal\"]"),
        ("*", "hosts = [\"lab.internal\"]"),
        ("a b", "hosts = [\"lab.internal\"]"),
    ] {
        let folder = temporary_folder();
        let refused = output(envpage(folder.path(), &["config"]).env("PITON_PAGE_HOSTS", hosts));
        assert_eq!(refused.code, Some(2), "{hosts}");
        for said in ["page.hosts", "no request would match it", "PITON_PAGE_HOSTS", fix] {
            assert!(refused.err.contains(said), "{said}: {}", refused.err);
        }
    }
    let folder = temporary_folder();
    let hosts = "lab.internal,other.internal.";
    let list = output(envpage(folder.path(), &["config"]).env("PITON_PAGE_HOSTS", hosts));
    assert_eq!((list.code, &*list.err), (Some(0), ""));
}
