//! Values from every source, and pages of hostile values.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::*;
use crate::config::Config;

fn panel<const N: usize>(variables: [&'static str; N]) -> Panel {
    Panel::new("Panel").group(Group::new("Group", "About it", variables)).mask(Mask::None)
}

fn sources<K: Into<std::ffi::OsString>, V: Into<std::ffi::OsString>>(
    panel: &Panel,
    env_file: Option<&Path>,
    environment: impl IntoIterator<Item = (K, V)>,
) -> VariableSources {
    let names = panel.variables();
    let loader =
        Config::loader("PITON").env(environment).expose_env(Arc::new(move |_| names.clone()));
    let loader = env_file.into_iter().fold(loader, crate::config::Loader::env_file);
    VariableSources::of_config(&loader.load(&[]).0)
}

fn of(environment: &[(&'static str, &'static str)], panel: &Panel) -> PanelSnapshot {
    panel.read_blocking(&sources(panel, None, environment.iter().copied()))
}

fn variable<'a>(snapshot: &'a PanelSnapshot, name: &str) -> &'a VariableSnapshot {
    let mut all = snapshot.groups.iter().flat_map(|group| &group.variables);
    all.find(|variable| variable.name == name).expect("it is in a group")
}

fn value<'a>(snapshot: &'a PanelSnapshot, name: &str) -> (VariableState, Option<&'a str>) {
    let variable = variable(snapshot, name);
    (variable.state, variable.value.as_deref())
}

/// The page with `text` as the value of a variable.
fn page(text: &'static str) -> String {
    let panel = panel(["A"]);
    of(&[("A", text)], &panel).html()
}

#[test]
fn a_variable_is_set_or_empty_or_missing_and_these_differ() {
    let snapshot = of(&[("A", "x"), ("B", "")], &panel(["A", "B", "C"]));
    assert_eq!(value(&snapshot, "A"), (VariableState::Set, Some("x")));
    assert_eq!(value(&snapshot, "B"), (VariableState::Empty, Some("")));
    assert_eq!(value(&snapshot, "C"), (VariableState::Missing, None));
    let html = snapshot.html();
    assert_eq!(html.matches(r#"<span class="none">None</span>"#).count(), 1);
    assert_eq!(html.matches(r#"<span class="none">empty</span>"#).count(), 1);
    assert!(html.contains("2 of 3 variables are there. Values are shown as they are"));
}

#[test]
fn json_tells_state_value_and_place() {
    let panel = panel(["A", "B"]).about("For tests").warning("Take care").json_at("x.json");
    let json: Value = serde_json::from_str(&of(&[("A", "x")], &panel).json()).unwrap();
    let group = json!({
        "name": "Group",
        "description": "About it",
        "variables": [
            { "name": "A", "state": "set", "value": "x",
              "source": { "kind": "environment", "at": "environment variable A" } },
            { "name": "B", "state": "missing", "value": null, "source": null },
        ],
    });
    let expected = json!({
        "title": "Panel", "about": "For tests", "warning": "Take care", "mask": "none",
        "groups": [group],
    });
    assert_eq!(json, expected);
}

#[test]
fn the_strongest_source_wins_and_says_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["A", "B", "C", "D"] {
        fs::write(path(name), format!("folder {name}\n")).unwrap();
    }
    fs::write(path("named"), "named\r\n").unwrap();
    let named = path("named").display().to_string();
    fs::write(path(".env"), format!("A=dotenv\nB=dotenv\nC_FILE={named}\nE=dotenv\nF=\n")).unwrap();
    let panel = panel(["A", "B", "C", "D", "E", "F"]);
    let environment = [("A", "environment"), ("E_FILE", &*named), ("F_FILE", "")];
    let sources = sources(&panel, Some(&path(".env")), environment).folder(folder.path());
    let snapshot = panel.read_blocking(&sources);
    let expected = [
        ("A", "environment", "environment variable A".to_owned()),
        ("B", "dotenv", format!("{}:2", path(".env").display())),
        ("C", "named", format!("{named} (C_FILE at {}:3)", path(".env").display())),
        ("D", "folder D", path("D").display().to_string()),
        ("E", "named", format!("{named} (environment variable E_FILE)")),
        ("F", "", format!("{}:5", path(".env").display())),
    ];
    for (name, text, at) in expected {
        let found = variable(&snapshot, name);
        assert_eq!((found.value.as_deref(), &found.source.as_ref().unwrap().at), (Some(text), &at));
    }
}

#[test]
fn an_empty_variable_does_not_count_beside_one_that_names_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "x").unwrap();
    let panel = panel(["A", "B"]);
    let path = file.path().to_str().unwrap();
    let environment = [("A", ""), ("A_FILE", path), ("B", "said"), ("B_FILE", path)];
    let snapshot = panel.read_blocking(&sources(&panel, None, environment));
    assert_eq!(value(&snapshot, "A"), (VariableState::Set, Some("x")));
    assert_eq!(value(&snapshot, "B"), (VariableState::Set, Some("said")));
}

#[test]
fn a_secret_that_kubernetes_rotates_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let generation = |name: &str, value: &str| {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("A"), value).unwrap();
    };
    generation("..2026_01", "old");
    symlink("..2026_01", folder.path().join("..data")).unwrap();
    symlink("..data/A", folder.path().join("A")).unwrap();
    let panel = panel(["A"]);
    let sources = sources(&panel, None, [("", ""); 0]).folder(folder.path());
    assert_eq!(value(&panel.read_blocking(&sources), "A"), (VariableState::Set, Some("old")));
    generation("..2026_02", "new");
    symlink("..2026_02", folder.path().join("..data_tmp")).unwrap();
    fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
    assert_eq!(value(&panel.read_blocking(&sources), "A"), (VariableState::Set, Some("new")));
}

#[test]
fn a_file_that_holds_no_value_is_told_in_words_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("LARGE"), "x".repeat(64 * 1024 + 1)).unwrap();
    fs::write(path("FULL"), "x".repeat(64 * 1024)).unwrap();
    fs::write(path("BYTES"), [0xff, 0xfe]).unwrap();
    fs::create_dir(path("FOLDER")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path("PIPE")).status().unwrap().success());
    symlink("LOOP", path("LOOP")).unwrap();
    symlink("nowhere", path("DANGLE")).unwrap();
    fs::write(path("CLOSED"), "x").unwrap();
    fs::set_permissions(path("CLOSED"), fs::Permissions::from_mode(0o0)).unwrap();
    let names =
        ["LARGE", "FULL", "BYTES", "FOLDER", "PIPE", "LOOP", "DANGLE", "CLOSED", "GONE", "NOWHERE"];
    let panel = panel(names);
    let sources = sources(&panel, None, [("GONE_FILE", path("gone"))]);
    let sources = sources.folder(path("no folder")).folder(path("FULL")).folder(folder.path());
    let snapshot = panel.read_blocking(&sources);
    let why = |name: &str| {
        let found = variable(&snapshot, name);
        assert_eq!((found.state, &found.value), (VariableState::Unreadable, &None), "{name}");
        assert!(snapshot.html().contains(found.why.as_deref().unwrap()), "{name}");
        found.why.clone().unwrap()
    };
    assert_eq!(why("LARGE"), "the file is larger than 64KiB");
    assert_eq!(why("BYTES"), "the file is not UTF-8 text");
    assert_eq!(why("FOLDER"), "the file is not a regular file");
    assert_eq!(why("PIPE"), "the file is not a regular file");
    assert!(why("LOOP").starts_with("the file cannot be read: "));
    assert_eq!(why("DANGLE"), "the file is a link to a file that does not exist");
    assert_eq!(why("GONE"), "the file does not exist");
    assert_eq!(value(&snapshot, "FULL").0, VariableState::Set);
    assert_eq!(value(&snapshot, "NOWHERE").0, VariableState::Missing);
    // Whoever may read everything, as root may, is refused nothing.
    if fs::read(path("CLOSED")).is_err() {
        assert!(why("CLOSED").starts_with("the file cannot be read: "));
    }
}

#[test]
fn a_mount_whose_content_is_gone_is_broken_and_not_missing() {
    let folder = tempfile::tempdir().unwrap();
    symlink("..data/A", folder.path().join("A")).unwrap();
    let panel = panel(["A", "B"]);
    let sources = sources(&panel, None, [("", ""); 0]).folder(folder.path());
    let snapshot = panel.read_blocking(&sources);
    let found = variable(&snapshot, "A");
    assert_eq!(found.state, VariableState::Unreadable);
    assert_eq!(found.why.as_deref(), Some("the file is a link to a file that does not exist"));
    let at = &found.source.as_ref().unwrap().at;
    assert_eq!(*at, folder.path().join("A").display().to_string());
    assert_eq!(value(&snapshot, "B"), (VariableState::Missing, None));
}

#[test]
fn what_cannot_be_read_is_not_counted_as_there() {
    let panel = panel(["A"]);
    let html = panel.read_blocking(&sources(&panel, None, [("A_FILE", "/no/such/file")])).html();
    assert!(html.contains("the file does not exist") && html.contains("0 of 1 variable is there."));
    assert!(html.contains("<span class=\"count lacking\">0"));
}

#[test]
fn a_variable_that_is_not_unicode_is_told_in_words() {
    let garbled = std::ffi::OsString::from_vec(vec![b'a', 0xff]);
    let panel = panel(["A"]);
    let snapshot = panel.read_blocking(&sources(&panel, None, [("A", garbled)]));
    assert_eq!(variable(&snapshot, "A").why.as_deref(), Some("the value is not UTF-8 text"));
    assert!(snapshot.html().contains("the value is not UTF-8 text"));
}

#[test]
fn what_is_hidden_is_in_neither_form() {
    let vars =
        [("POSTGRES_PASSWORD", "hunter2-hunter2"), ("DB_URL", "pg://me:pw-of-me@db/x"), ("E", "")];
    let panel = panel(["POSTGRES_PASSWORD", "DB_URL", "E", "M"]);
    for (mask, password, url) in
        [(Mask::Secrets, "***", "pg://***@db/x"), (Mask::All, "***", "***")]
    {
        let snapshot = of(&vars, &panel.clone().mask(mask));
        assert_eq!(value(&snapshot, "POSTGRES_PASSWORD"), (VariableState::Hidden, Some(password)));
        assert_eq!(value(&snapshot, "DB_URL"), (VariableState::Hidden, Some(url)));
        assert_eq!(value(&snapshot, "E"), (VariableState::Empty, Some("")));
        assert_eq!(value(&snapshot, "M"), (VariableState::Missing, None));
        for text in [snapshot.html(), snapshot.json(), format!("{snapshot:?}")] {
            assert!(!text.contains("hunter2") && !text.contains("pw-of-me"), "{mask}");
        }
        let html = snapshot.html();
        assert!(html.contains("set, hidden"));
        assert_eq!(html.contains("a part is hidden"), mask == Mask::Secrets);
    }
    let open = of(&vars, &panel);
    assert_eq!(value(&open, "POSTGRES_PASSWORD"), (VariableState::Set, Some("hunter2-hunter2")));
    assert!(!format!("{open:?}").contains("hunter2"), "nor in a log line, whatever the mask");
}

#[test]
fn a_panel_hides_secrets_unless_told_otherwise() {
    let panel = Panel::new("Panel").group(Group::new("Group", "", ["API_TOKEN"]));
    assert_eq!(value(&of(&[("API_TOKEN", "x")], &panel), "API_TOKEN").1, Some("***"));
}

#[test]
fn every_value_is_text() {
    for (text, shown) in [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"),
        ("</title></style>", "&lt;&#x2f;title&gt;&lt;&#x2f;style&gt;"),
        ("\" onload='x' &amp;", "&quot; onload=&#x27;x&#x27; &amp;amp;"),
        ("{{ 7 * 7 }}{% raw %}", "{{ 7 * 7 }}{% raw %}"),
        ("<!--", "&lt;!--"),
        ("a\nb", "a\nb"),
        ("\u{202e}abc", "<span class=\"unseen\">U+202E</span>abc"),
        ("abc ", "abc<span class=\"unseen\">space</span>"),
    ] {
        let html = page(text);
        assert!(html.contains(&format!("<span class=\"text\">{shown}</span>")), "{text}: {html}");
        assert_eq!(html.matches("<script").count(), 0);
        assert_eq!(html.matches("</style>").count(), 1);
    }
}

#[test]
fn what_is_said_of_the_panel_is_text_too() {
    const EVIL: &str = "</title><b>\"'{{ x }}";
    let group = Group::new(EVIL, EVIL, [EVIL.replace(['/', '='], "")]);
    let empty = Group::new("Empty", EVIL, [""; 0]);
    let panel = Panel::new(EVIL).about(EVIL).warning(EVIL).alarm(EVIL).json_at("javascript:x\"y");
    let html = of(&[], &panel.groups([group, empty])).html();
    assert_eq!((html.matches("<b>").count(), html.matches("</title>").count()), (0, 1));
    assert!(html.contains("&lt;b&gt;") && html.contains("href=\"javascript:x&quot;y\""));
}

#[test]
fn a_long_value_can_be_scrolled_with_the_keyboard() {
    assert!(!page("short").contains("tabindex=\"0\""));
    let long: &'static str = "x".repeat(2_000).leak();
    assert!(page(long).contains(
        "<span class=\"text long\" tabindex=\"0\" role=\"group\" aria-label=\"Value of A\">xxx"
    ));
}

#[test]
fn the_page_of_hostile_values_is_bounded_and_json_has_them_whole() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["A", "B", "C", "D", "E", "F", "G", "H"];
    let hostile = ["\u{1}\u{2}", "\u{1}x", "/", "\u{1}"];
    for (index, name) in names.iter().enumerate() {
        let part = hostile[index % hostile.len()];
        let value = part.repeat(64 * 1024 / part.len());
        fs::write(folder.path().join(name), value).unwrap();
    }
    let panel = panel(names);
    let snapshot = panel.read_blocking(&sources(&panel, None, [("", ""); 0]).folder(folder.path()));
    let html = snapshot.html();
    assert!(html.len() < 250_000, "{}", html.len());
    assert!(html.contains("<span class=\"note\">… and 57344 more bytes</span>"), "{html}");
    assert_eq!(value(&snapshot, "A").1.unwrap().len(), 64 * 1024);
    let json: Value = serde_json::from_str(&snapshot.json()).unwrap();
    assert_eq!(json["groups"][0]["variables"][2]["value"], "/".repeat(64 * 1024));
}

#[test]
fn a_panel_of_nothing_says_so() {
    let html = of(&[], &Panel::new("Panel")).html();
    assert!(html.contains("There are no groups of variables."));
    assert!(html.contains("0 of 0 variables are there. Secrets are hidden."));
}

#[test]
fn the_page_asks_nothing_of_anybody_and_its_policy_fits_its_style() {
    use base64::Engine;
    use sha2::Digest;

    let answer = of(&[("A", "x")], &panel(["A"])).html_response();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let html = of(&[("A", "x")], &panel(["A"])).html();
    let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = base64::prelude::BASE64_STANDARD.encode(sha2::Sha256::digest(style));
    assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
    for asked in ["http:", "https:", "url(", "@import", "src=", " style=", "<script", " on"] {
        let found = html.replace("xmlns='http://www.w3.org/2000/svg'", "");
        let found = if asked == " on" { found.contains(" onload") } else { found.contains(asked) };
        assert!(!found, "{asked}");
    }
}

#[test]
fn each_form_is_kept_by_nobody() {
    let snapshot = of(&[("A", "x")], &panel(["A"]));
    let mut wants_json = HeaderMap::new();
    wants_json.insert(header::ACCEPT, "application/json".parse().unwrap());
    for (request, media_type) in
        [(HeaderMap::new(), "text/html; charset=utf-8"), (wants_json, "application/json")]
    {
        let answer = snapshot.respond(&request);
        let of = |name: &str| answer.headers()[name].to_str().unwrap();
        assert_eq!(of("content-type"), media_type);
        assert_eq!((of("cache-control"), of("vary")), ("no-store", "accept"));
        assert_eq!(of("referrer-policy"), "no-referrer");
        assert_eq!(of("cross-origin-resource-policy"), "same-origin");
    }
}

#[tokio::test]
async fn a_running_app_reads_what_it_keeps() {
    use crate::testing::TestApp;
    use crate::{App, http::get};

    fn panel() -> Panel {
        Panel::new("Panel").group(Group::new("Group", "", ["REGION", "PATH"]))
    }
    async fn show(headers: HeaderMap) -> axum::response::Response {
        panel().read(&VariableSources::of(&crate::app())).await.respond(&headers)
    }
    let app = App::new("shown").expose_env(|_| panel().variables()).route(get("/", show));
    let app = TestApp::new(app.env_for_test("REGION", "sa-east-1")).await;
    let json: Value = app.get("/").header("accept", "application/json").await.json();
    let variables = &json["groups"][0]["variables"];
    assert_eq!(
        (&variables[0]["value"], &variables[1]["value"]),
        (&json!("sa-east-1"), &Value::Null)
    );
    assert!(app.get("/").await.text().contains("sa-east-1"));
}
