//! `docs/MIGRATING-FROM-FLASK.md`, done as it stands there: its first half, of routes, while clients go on asking.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use test_support::free_port;
use test_support::http_client;
use test_support::nginx::NginxSites;
use test_support::python::{Dialogue, interpreter, script};
use test_support::service;
use test_support::walkthrough::{Action, Step, Walkthrough, WalkthroughRunner};

/// The section in which the route moves, and the one in which it moves back.
const MOVES: &str = "5.";
const MOVES_BACK: &str = "6.";

/// The section that begins the second half, of tasks: see `migration_guide_tasks.rs`.
const FIRST_OF_TASKS: u32 = 10;

pub(crate) fn workspace() -> PathBuf {
    let docs = script("jwt4", "app.py");
    docs.ancestors().nth(4).expect("it is e2e/python/jwt4/app.py").to_owned()
}

pub(crate) fn page() -> Walkthrough {
    let path = workspace().join("docs/MIGRATING-FROM-FLASK.md");
    Walkthrough::read(&std::fs::read_to_string(path).unwrap())
}

/// Returns whether a step belongs to the half of tasks.
pub(crate) fn is_of_tasks(step: &Step) -> bool {
    let number = step.section.split('.').next().and_then(|number| number.parse().ok());
    number.is_some_and(|number: u32| number >= FIRST_OF_TASKS)
}

/// Observations of clients that request `/user/me` continuously.
#[derive(Debug, Default)]
struct Seen {
    by_flask: AtomicU32,
    by_piton: AtomicU32,
    wrong: std::sync::Mutex<Vec<String>>,
    enough: AtomicBool,
}

impl Seen {
    /// Asks until there is enough. A connection a request: nginx closes idle ones when it reloads.
    async fn ask(self: Arc<Self>, port: u16, authorization: String) {
        while !self.enough.load(Ordering::Relaxed) {
            match http_client::get_as(port, "/user/me", &authorization).await {
                Ok(answer) if answer.status == 200 && is_ada(&answer.body) => {
                    // The newline is Flask's.
                    let by =
                        if answer.body.ends_with(b"\n") { &self.by_flask } else { &self.by_piton };
                    by.fetch_add(1, Ordering::Relaxed);
                }
                other => self.wrong.lock().unwrap().push(format!("{other:?}")),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for some more answers.
    async fn more(&self, by: &AtomicU32) {
        let before = by.load(Ordering::Relaxed);
        test_support::wait_for("answers under load", || async {
            by.load(Ordering::Relaxed) > before + 20 || !self.wrong.lock().unwrap().is_empty()
        })
        .await;
    }
}

fn is_ada(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body)
        .is_ok_and(|body| body == json!({"email": "ada@example.org", "name": "Ada"}))
}

/// Returns the folder in which the page is followed, without what an earlier test has left. Always the same, so that
/// Cargo can reuse its last build.
pub(crate) fn empty_folder(names: &[&str]) -> PathBuf {
    let folder = workspace().join("target/tutorial");
    for name in names {
        let _ = std::fs::remove_dir_all(folder.join(name));
    }
    folder
}

fn folder() -> PathBuf {
    let folder = empty_folder(&["flask", "users", "sites"]);
    for name in ["flask", "sites"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    for file in ["app.py", "add_user.py"] {
        std::fs::copy(script("jwt4", file), folder.join("flask").join(file)).unwrap();
    }
    folder
}

/// The environment of who follows the page: Python's and cargo's programs, no registry, and what says how to build.
pub(crate) fn variables(folder: &Path, environment: &str) -> Vec<(&'static str, String)> {
    let inherited =
        ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_INCREMENTAL"];
    let inherited = inherited.map(|name| (name, std::env::var_os(name)));
    let mut variables: Vec<_> = inherited
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.into_string().ok()?)))
        .collect();
    let path = std::env::var_os("PATH").unwrap_or_default().to_string_lossy().into_owned();
    let python = interpreter(environment).parent().unwrap().display().to_string();
    let cargo = Path::new(env!("CARGO")).parent().unwrap().display().to_string();
    variables.extend([
        ("PATH", format!("{python}:{cargo}:{path}:/usr/sbin")),
        ("CARGO_TARGET_DIR", folder.join("build").display().to_string()),
        ("CARGO_NET_OFFLINE", "true".to_owned()),
        ("CARGO_PROFILE_DEV_DEBUG", "0".to_owned()),
        ("CARGO_TERM_COLOR", "never".to_owned()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ]);
    variables
}

/// Returns the replacements: names of the page, and their values here.
fn names(folder: &Path) -> Vec<(&'static str, String)> {
    let piton = workspace().join("crates/piton").display().to_string();
    vec![
        ("127.0.0.1:5000", format!("127.0.0.1:{}", free_port())),
        ("127.0.0.1:8080", format!("127.0.0.1:{}", free_port())),
        ("5001", free_port().to_string()),
        ("../piton/crates/piton", piton),
        ("/etc/nginx/conf.d", folder.join("sites").display().to_string()),
        // The folder is in this workspace, and not part of it.
        ("[dependencies]", "[workspace]\n[dependencies]".to_owned()),
    ]
}

/// Compares the refusals of both sides with the page's table.
fn refusals_are_as_in_the_table(reader: &mut WalkthroughRunner) {
    let secret = reader.run_command("echo $FLASK_JWT_SECRET_KEY");
    let mut flask = Dialogue::start("jwt4", "tokens.py", &[], &[]);
    let mut token = |mut question: Value| {
        let fields = question.as_object_mut().unwrap();
        fields.insert("op".into(), "create".into());
        fields.entry("secret").or_insert_with(|| secret.clone().into());
        fields.entry("identity").or_insert_with(|| "ada@example.org".into());
        let made: Value = serde_json::from_str(&flask.ask(&question.to_string())).unwrap();
        format!("-H 'Authorization: Bearer {}' /user/me", made["token"].as_str().unwrap())
    };
    let json = "-H 'content-type: application/json'";
    let cases = [
        ("no token", "/user/me".to_owned(), "401", "401", true),
        ("expired", token(json!({"expires": -60})), "401", "401", true),
        (
            "bad signature",
            token(json!({"secret": "another one of 32 characters, no less"})),
            "422",
            "401",
            true,
        ),
        ("refresh token", token(json!({"type": "refresh"})), "422", "401", false),
        ("no such user", token(json!({"identity": "nobody@example.org"})), "404", "404", true),
        ("another shape", format!("{json} -d '{{}}' /user/login"), "500", "422", false),
        ("no JSON", format!("{json} -d '{{' /user/login"), "400", "400", false),
        (
            "no JSON at all",
            "-H 'content-type: text/plain' -d x /user/login".to_owned(),
            "415",
            "415",
            false,
        ),
    ];
    for (name, arguments, by_flask, by_piton, same_words) in cases {
        let (arguments, path) = arguments.rsplit_once(' ').unwrap_or(("", &arguments));
        let mut ask = |port: &str| {
            let answer = reader.run_command(&format!(
                "curl -s -w '\\n%{{http_code}}' {arguments} 127.0.0.1:{port}{path}"
            ));
            let (body, status) = answer.rsplit_once('\n').unwrap();
            (
                status.to_owned(),
                serde_json::from_str::<Value>(body).unwrap_or_default()["msg"].clone(),
            )
        };
        let (flask, piton) = (ask("5000"), ask("5001"));
        assert_eq!((&*flask.0, &*piton.0), (by_flask, by_piton), "{name}: {flask:?}, {piton:?}");
        assert!(
            !same_words || flask.1 == piton.1 && flask.1.is_string(),
            "{name}: {flask:?}, {piton:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tutorial_does_what_it_says_and_no_client_notices() {
    let (page, folder) = (page(), folder());
    let names = names(&folder);
    let port = names[1].1.rsplit(':').next().unwrap().parse().unwrap();
    let nginx = NginxSites::start(&folder.join("sites")).await;
    let mut reader = WalkthroughRunner::new(&folder, &variables(&folder, "jwt4"), &names);
    reader.run_command(&nginx.as_shell_function());

    let seen = Arc::new(Seen::default());
    let mut clients = Vec::new();
    let mut section = String::new();
    for step in page.steps.iter().filter(|step| !is_of_tasks(step)) {
        if step.section != section {
            if step.section.starts_with(MOVES) {
                let authorization =
                    reader.run_command("echo $ACCESS").replace("Authorization: ", "");
                clients = [(); 2]
                    .map(|()| tokio::spawn(seen.clone().ask(port, authorization.clone())))
                    .into();
                seen.more(&seen.by_flask).await;
            }
            if section.starts_with(MOVES) {
                seen.more(&seen.by_piton).await;
            }
            if section.starts_with(MOVES_BACK) {
                seen.more(&seen.by_flask).await;
                seen.enough.store(true, Ordering::Relaxed);
            }
            section.clone_from(&step.section);
        }
        if matches!(&step.action, Action::Type { command, .. } if command == "cargo build") {
            // The versions that are tested here are those that are on this machine.
            std::fs::copy(workspace().join("Cargo.lock"), folder.join("users/Cargo.lock")).unwrap();
        }
        println!("{}: {:?}", step.line, step.action);
        reader.run_step(step);
    }
    refusals_are_as_in_the_table(&mut reader);
    let sql = "SELECT group_concat(name) FROM sqlite_schema WHERE sql NOT NULL";
    let tables = format!(
        "import os, sqlite3; print(*sqlite3.connect(os.environ['FLASK_DATABASE']).execute('{sql}'))"
    );
    assert_eq!(
        reader.run_command(&format!("python -c \"{tables}\"")),
        "('users',)",
        "the tables are Flask's alone"
    );
    assert_eq!(clients.len(), 2, "no section begins with {MOVES}");
    for client in clients {
        client.await.unwrap();
    }
    let wrong = std::mem::take(&mut *seen.wrong.lock().unwrap());
    assert!(
        wrong.is_empty(),
        "{} of the answers were wrong, first: {:?}",
        wrong.len(),
        wrong.first()
    );
    let (by_flask, by_piton) =
        (seen.by_flask.load(Ordering::Relaxed), seen.by_piton.load(Ordering::Relaxed));
    println!("{by_flask} answers by Flask, {by_piton} by Piton, none wrong");
    assert!(by_flask > 40 && by_piton > 20, "{by_flask} by Flask, {by_piton} by Piton");
}

#[test]
fn the_tutorials_flask_app_is_the_one_that_runs() {
    let app = std::fs::read_to_string(script("jwt4", "app.py")).unwrap();
    let page = page();
    let quoted: Vec<_> =
        page.other_blocks.iter().filter(|(language, _)| language == "python").collect();
    assert_eq!(quoted.len(), 1);
    assert!(app.contains(&quoted[0].1), "app.py has no such lines:\n{}", quoted[0].1);
}

#[tokio::test]
async fn every_variable_of_gnar_gear_in_the_tutorial_is_a_setting() {
    let text = std::fs::read_to_string(workspace().join("docs/MIGRATING-FROM-FLASK.md")).unwrap();
    let named: Vec<&str> = text
        .split('`')
        .filter(|word| word.starts_with("GNAR_"))
        .map(|word| word.split('=').next().unwrap_or(word))
        .filter(|name| !name.ends_with("_SERVICE_PORT"))
        .collect();
    assert!(named.len() > 15, "{named:?}");
    let output = service::run("piste", &["config"], &[]).await;
    let known = String::from_utf8(output.stdout).unwrap();
    let known: Vec<&str> = known.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).collect();
    let unknown: Vec<_> = named.iter().filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "piste knows no {unknown:?}");
}
