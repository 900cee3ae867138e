//! The section `[password]`, and the part within an app.

use crate::auth::password::passwords::describe_settings;
use crate::auth::password::*;
use crate::config::{ByteSize, Config, Section};
use crate::http::{get, post};
use crate::memory::MemoryLimit;
use crate::part::Part;
use crate::prelude::App;
use crate::testing::TestApp;

static SECTION: Section = Section::of::<PasswordSettings>("password");

fn read(variables: &[(&str, &str)]) -> (PasswordSettings, String) {
    let loader = Config::loader("GNAR").app("piste").env(variables.iter().copied());
    let (config, mut problems) = loader.load(&[&SECTION]);
    let settings = config.read("password", &mut problems);
    (settings, problems.to_string())
}

#[test]
fn gnar_gears_variables_are_read() {
    let (settings, problems) = read(&[
        ("GNAR_ARGON2_TIME_COST", "4"),
        ("GNAR_ARGON2_MEMORY_COST", "1024"),
        ("GNAR_ARGON2_PARALLELISM", "3"),
        ("GNAR_ARGON2_HASH_LEN", "24"),
        ("GNAR_ARGON2_SALT_LEN", "12"),
        ("GNAR_ARGON2_ENCODING", "latin1"),
    ]);
    assert_eq!(problems, "");
    let all = settings.parameters();
    assert_eq!((all.time_cost, all.memory_cost_kib, all.parallelism), (4, 1024, 3));
    assert_eq!((all.hash_len, all.salt_len, settings.encoding), (24, 12, PasswordEncoding::Latin1));
    let words = "{\"time_cost\": 4, \"memory_cost\": 1024, \"parallelism\": 3, \"hash_len\": 24, \
                 \"salt_len\": 12, \"encoding\": \"latin-1\"}";
    let mut said: Vec<_> = describe_settings(&settings)
        .trim_matches(['{', '}'])
        .split(", ")
        .map(String::from)
        .collect();
    let mut expected: Vec<_> = words.trim_matches(['{', '}']).split(", ").collect();
    said.sort();
    expected.sort();
    assert_eq!(said, expected);
}

#[test]
fn empty_variables_count_as_unset() {
    let names = ["TIME_COST", "MEMORY_COST", "PARALLELISM", "HASH_LEN", "SALT_LEN", "ENCODING"];
    let names = names.map(|name| format!("GNAR_ARGON2_{name}"));
    let empty: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let (settings, problems) = read(&empty);
    assert_eq!(problems, "");
    assert_eq!(settings.parameters(), Argon2Profile::default().parameters());
    assert_eq!(describe_settings(&settings), "defaults");
}

#[test]
fn costs_that_argon2_does_not_support_are_refused_with_the_fix() {
    for (variable, value, word) in [
        ("GNAR_PASSWORD_PROFILE", "gnarly", "did you mean `gnar`?"),
        ("GNAR_ARGON2_ENCODING", "utf-16", "expected `utf-8` or `latin-1`"),
        ("GNAR_ARGON2_TIME_COST", "0", "a hash needs at least one pass"),
        ("GNAR_ARGON2_TIME_COST", "-1", "a whole number from 0"),
        ("GNAR_ARGON2_MEMORY_COST", "31", "password.memory_cost_kib=32"),
        ("GNAR_ARGON2_PARALLELISM", "0", "from 1 to 16777215"),
        ("GNAR_ARGON2_PARALLELISM", "4294967295", "from 1 to 16777215"),
        ("GNAR_ARGON2_HASH_LEN", "3", "from 4 to 1024"),
        ("GNAR_ARGON2_SALT_LEN", "7", "from 8 to 1024"),
        ("GNAR_PASSWORD_MEMORY_BUDGET", "63MiB", "one hash needs 64MiB"),
        ("GNAR_PASSWORD_WORK_LIMIT", "191MiB", "one hash processes 192MiB"),
        (
            "GNAR_PASSWORD_MAX_WAITING",
            "0",
            "every password that is not hashed at once would be refused",
        ),
        ("GNAR_PASSWORD_NICE", "20", "from 0 to 19"),
    ] {
        let (_, problems) = read(&[(variable, value)]);
        assert!(problems.contains(word), "{variable}={value}: {problems}");
        assert!(problems.contains(variable), "{problems}");
    }
    let high = PasswordSettings { profile: Argon2Profile::Rfc9106HighMemory, ..Default::default() };
    assert!(high.problems(None).is_empty(), "2 GiB hold one");
    let less = PasswordSettings { memory_budget: Some(ByteSize::mib(2047)), ..high };
    assert_eq!(less.problems(None)[0].0, "memory_budget");
}

#[test]
fn the_budget_follows_the_container_and_holds_one_hash() {
    let container = |mib: u64| MemoryLimit::of_container(mib << 20);
    let budget = |settings: &PasswordSettings, mib| settings.memory_budget(Some(&container(mib)));
    let settings = PasswordSettings::default();
    assert_eq!(settings.memory_budget(None), ByteSize::mib(2048));
    assert_eq!(budget(&settings, 64 * 1024), ByteSize::mib(2048));
    assert_eq!(budget(&settings, 512), ByteSize::mib(256));
    assert_eq!(budget(&settings, 100), ByteSize::mib(64), "one hash");
    let set = PasswordSettings { memory_budget: Some(ByteSize::mib(70)), ..settings };
    assert_eq!(budget(&set, 512), ByteSize::mib(70));
}

#[test]
fn a_hash_that_the_container_cannot_hold_is_refused_with_the_fix() {
    let limit = |mib: u64| MemoryLimit::of_container(mib << 20);
    let problem = |settings: &PasswordSettings, mib| settings.problems(Some(&limit(mib))).pop();
    let settings = PasswordSettings::default();
    assert_eq!(problem(&settings, 88), None);
    for mib in [1, 64, 87] {
        let (name, why, fix) = problem(&settings, mib).unwrap();
        assert_eq!(name, "profile");
        assert!(
            why.contains("one hash needs 64MiB") && why.contains(&format!("{mib}MiB")),
            "{why}"
        );
        assert!(fix.contains("limit of 88MiB or more"), "{fix}");
        let cheaper =
            if mib == 1 { "password.profile=gnar" } else { "password.memory_cost_kib=19456" };
        assert!(fix.starts_with(cheaper), "{fix}");
    }
    let gnar = PasswordSettings { profile: Argon2Profile::Gnar, ..settings };
    assert_eq!(problem(&gnar, 64), None);
    let dear = PasswordSettings { memory_cost_kib: Some(100 * 1024), ..settings };
    assert_eq!(problem(&dear, 64).unwrap().0, "memory_cost_kib");
    let budget = PasswordSettings { memory_budget: Some(ByteSize::mib(2048)), ..settings };
    let (name, why, fix) = problem(&budget, 256).unwrap();
    assert_eq!((name, &*fix), ("memory_budget", "password.memory_budget=232MiB"));
    assert!(why.contains("256MiB"), "{why}");
}

async fn make(passwords: Passwords, password: String) -> crate::Result<String> {
    Ok(passwords.hash(&password).await?)
}

async fn ask(handle: crate::http::State<Answer>) -> String {
    let app = crate::app();
    let right = app.check_password_hash(&handle.0.0, "swordfish").await;
    format!("{right} {}", app.generate_password_hash("x").await.is_ok())
}

#[derive(Clone)]
struct Answer(String);

async fn app() -> TestApp {
    let hash = super::with(super::cheapest()).hash("swordfish").await.unwrap();
    let app = App::new("passwords").blueprints(["none"]).set("log.level", "critical");
    let app = app.set("password.profile", "cheapest").state(Answer(hash));
    TestApp::new(app.route(post("/", make)).route(get("/", ask))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_app_hashes_and_checks_from_anywhere() {
    let app = app().await;
    assert_eq!(app.get("/").await.text(), "true true");
    let hash = app.post("/").body("secret of mine").await.text();
    assert!(app.handle().argon2().check(&hash, "secret of mine").await);
    let text = app.handle().metrics().text();
    for line in [
        "password_hashes_total{operation=\"hash\"} 2",
        "password_hashes_total{operation=\"check\"} 2",
        "password_hash_seconds_count 4",
        "password_waiting 0",
        "# TYPE password_memory_bytes gauge",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let snapshot = &app.handle().snapshots()["password"];
    assert_eq!(
        (&snapshot["variant"], &snapshot["memory_cost_kib"]),
        (&"argon2id".into(), &8.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_password_is_422_and_a_stopping_service_is_503() {
    let app = app().await;
    let answer = app.post("/").body("").await;
    assert_eq!(answer.status(), 422);
    assert!(answer.text().contains("Password cannot be empty"), "{}", answer.text());
    Part::stop(&app.handle().argon2()).await;
    let answer = app.post("/").body("x").await;
    assert_eq!((answer.status().as_u16(), answer.header("retry-after")), (503, "1"));
}

/// Starts a service whose hashes are slow, and whose requests time out after a second.
async fn slow_app(max_waiting: &str) -> TestApp {
    let app = App::new("passwords").blueprints(["none"]).set("log.level", "critical");
    let app = app.set("password.memory_cost_kib", "8192").set("password.time_cost", "20");
    let app = app.set("password.memory_budget", "8MiB").set("http.timeout", "2s");
    let app = app.set("password.max_waiting", max_waiting);
    TestApp::new(app.route(post("/", make))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_would_outlast_its_request_is_refused_at_once() {
    let app = slow_app("1000").await;
    // The first request measures how long a hash takes.
    assert_eq!(app.post("/").body("x").await.status(), 200);
    let begin = std::time::Instant::now();
    let answers = futures_util::future::join_all((0..400).map(|_| {
        let request = app.post("/").body("x");
        async move {
            let begin = std::time::Instant::now();
            let answer = request.await;
            (answer.status().as_u16(), answer.header("retry-after").to_owned(), begin.elapsed())
        }
    }))
    .await;
    assert!(begin.elapsed() < std::time::Duration::from_secs(20), "{:?}", begin.elapsed());
    let refused: Vec<_> = answers.iter().filter(|(status, ..)| *status == 503).collect();
    let hashed = answers.iter().filter(|(status, ..)| *status == 200).count();
    assert!(hashed > 0 && refused.len() > 100, "{hashed} {}", refused.len());
    let told = refused
        .iter()
        .filter(|(_, wait, _)| wait.parse::<u64>().is_ok_and(|wait| (1..=60).contains(&wait)));
    assert!(told.count() * 10 >= refused.len() * 9, "those alone who were near may be cut off");
    let mut waits: Vec<_> = refused.iter().map(|(.., took)| *took).collect();
    waits.sort();
    let median = waits[waits.len() / 2];
    assert!(median < std::time::Duration::from_millis(1500), "{median:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_requests_are_answered_while_many_log_in() {
    let app = App::new("passwords").blueprints(["none"]).set("log.level", "critical");
    let app = app.route(post("/", make)).route(get("/", async || "here"));
    let app = TestApp::new(app).await;
    let passwords = app.handle().argon2();
    let logins: Vec<_> = (0..40)
        .map(|_| {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.check_dummy("swordfish").await })
        })
        .collect();
    test_support::wait_for("a queue", || std::future::ready(passwords.load().waiting > 20)).await;
    for _ in 0..20 {
        assert_eq!(app.get("/").await.text(), "here");
    }
    assert!(passwords.load().waiting > 0, "the logins were not waited for");
    logins.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Measures the latency of other requests during many logins: `cargo test --release -p piton --features password --lib --
/// --ignored --nocapture log_in_at_once`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn latency_of_other_requests_while_200_log_in() {
    for nice in ["0", "10"] {
        let app = App::new("passwords").blueprints(["none"]).set("log.level", "critical");
        let app = app.set("password.nice", nice).route(post("/", make));
        let app = TestApp::new(app.route(get("/", async || "here"))).await;
        let passwords = app.handle().argon2();
        let begin = std::time::Instant::now();
        let login = || {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.check_dummy("swordfish").await })
        };
        let logins: Vec<_> = (0..200).map(|_| login()).collect();
        test_support::wait_for("a queue", || std::future::ready(passwords.load().threads > 1))
            .await;
        let mut waits = Vec::new();
        while passwords.load().waiting > 0 {
            let begin = std::time::Instant::now();
            assert_eq!(app.get("/").await.text(), "here");
            waits.push(begin.elapsed());
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        for login in logins {
            assert!(!login.await.unwrap());
        }
        waits.sort();
        let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
        println!(
            "nice {nice}: 200 logins in {:?}; {} other requests: median {:?}, 99% {:?}, longest {:?}; {} MiB",
            begin.elapsed(),
            waits.len(),
            at(0.5),
            at(0.99),
            at(1.0),
            passwords.load().peak_memory_bytes >> 20,
        );
    }
}
