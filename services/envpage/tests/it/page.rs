//! What the page shows, and to whom.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use piton::App;
use piton::serde_json::{Value, json};
use piton::testing::{TestApp, TestResponse};

/// The service with secrets in `folder`, and nothing of the machine's own.
fn app(folder: &Path) -> App {
    envpage::app().set("page.secret_folders", vec![folder.to_str().unwrap()])
}

/// A folder in which a test writes no secret.
fn no_secrets() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

async fn json_of(app: &TestApp) -> Value {
    app.get("/").header("accept", "application/json").await.json()
}

/// `[state, value, kind of source]` of a variable.
fn of(json: &Value, name: &str) -> Value {
    let groups = json["groups"].as_array().unwrap();
    let mut all = groups.iter().flat_map(|group| group["variables"].as_array().unwrap());
    let found = all.find(|variable| variable["name"] == name).unwrap();
    json!([found["state"], found["value"], found["source"]["kind"]])
}

#[piton::test]
async fn the_groups_of_the_lab_are_shown_with_none_where_nothing_is_set() {
    let folder = no_secrets();
    let app =
        app(folder.path()).env_for_test("POSTGRES_USER", "lab").env_for_test("REDIS_HOST", "");
    let app = TestApp::new(app).await;
    let json = json_of(&app).await;
    let names = |group: &Value| {
        let variables = group["variables"].as_array().unwrap();
        let names = variables.iter().map(|variable| variable["name"].as_str().unwrap().to_owned());
        (group["name"].clone(), group["description"].clone(), names.collect::<Vec<_>>().join(" "))
    };
    let groups: Vec<_> = json["groups"].as_array().unwrap().iter().map(names).collect();
    let group = |name, about, vars: &str| (json!(name), json!(about), vars.to_owned());
    let postgres = "POSTGRES_USER POSTGRES_PASSWORD POSTGRES_HOST POSTGRES_PORT POSTGRES_DB";
    assert_eq!(
        groups,
        [
            group("PostgreSQL", "Postgres database credentials", postgres),
            group("Redis", "Redis database credentials", "REDIS_HOST REDIS_PORT"),
            group("App", "Application credentials", "CSRF_SECRET"),
        ]
    );
    assert_eq!(of(&json, "POSTGRES_USER"), json!(["set", "lab", "environment"]));
    assert_eq!(of(&json, "REDIS_HOST"), json!(["empty", "", "environment"]));
    assert_eq!(of(&json, "REDIS_PORT"), json!(["missing", null, null]));
    let html = app.get("/").await.text();
    assert!(html.contains("<title>Lab Mock Server</title>"));
    assert!(html.contains("<h1>Lab Mock Server</h1>"));
    assert!(html.contains("Do not use this in any production context."));
    assert_eq!(html.matches("<table").count(), 3);
    assert_eq!(html.matches(">None<").count(), 6);
}

#[piton::test]
async fn who_prefers_json_gets_it_and_everybody_else_the_page() {
    let folder = no_secrets();
    let app = TestApp::new(app(folder.path())).await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for accept in [browser, "*/*"] {
        let page = app.get("/").header("accept", accept).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!((page.header("vary"), page.header("cache-control")), ("accept", "no-store"));
        assert_eq!(page.header("referrer-policy"), "no-referrer");
    }
    let json = app.get("/").header("accept", "application/json").await;
    assert_eq!((json.header("content-type"), json.header("vary")), ("application/json", "accept"));
    let at = app.get("/variables.json").await;
    assert_eq!((at.text(), at.header("cache-control")), (json.text(), "no-store"));
    let page = app.get("/").await.text();
    assert!(page.contains("href=\"variables.json\""));
}

#[piton::test]
async fn in_development_a_secret_is_shown_and_a_mask_hides_it() {
    for (mask, password, host) in [
        ("", "hunter2", "db"),
        ("none", "hunter2", "db"),
        ("secrets", "***", "db"),
        ("all", "***", "***"),
    ] {
        let folder = no_secrets();
        let app = app(folder.path()).env_for_test("PITON_PAGE_MASK", mask);
        let app =
            app.env_for_test("POSTGRES_PASSWORD", "hunter2").env_for_test("POSTGRES_HOST", "db");
        let app = TestApp::new(app).await;
        let json = json_of(&app).await;
        assert_eq!(of(&json, "POSTGRES_PASSWORD")[1], password, "{mask}");
        assert_eq!(of(&json, "POSTGRES_HOST")[1], host, "{mask}");
        let page = app.get("/").await.text();
        assert_eq!(page.contains("hunter2"), password == "hunter2", "{mask}");
    }
}

#[piton::test]
async fn every_source_is_looked_at_and_files_are_read_anew() {
    let folder = no_secrets();
    let file = |name: &str, value: &str| fs::write(folder.path().join(name), value).unwrap();
    file("CSRF_SECRET", "old\n");
    file("POSTGRES_USER", "weaker");
    file("named", "of a file");
    let app = app(folder.path())
        .env_for_test("POSTGRES_USER", "stronger")
        .env_for_test("POSTGRES_HOST_FILE", folder.path().join("named"))
        .env_for_test("POSTGRES_DB", OsString::from_vec(vec![0xff]));
    let app = TestApp::new(app).await;
    let json = json_of(&app).await;
    assert_eq!(of(&json, "POSTGRES_USER"), json!(["set", "stronger", "environment"]));
    assert_eq!(of(&json, "POSTGRES_HOST"), json!(["set", "of a file", "file"]));
    assert_eq!(of(&json, "POSTGRES_DB"), json!(["unreadable", null, "environment"]));
    assert_eq!(of(&json, "CSRF_SECRET"), json!(["set", "old", "file"]));
    file("CSRF_SECRET", "new");
    file("REDIS_PORT", "6379");
    let json = json_of(&app).await;
    assert_eq!(of(&json, "CSRF_SECRET"), json!(["set", "new", "file"]));
    assert_eq!(of(&json, "REDIS_PORT"), json!(["set", "6379", "file"]));
}

#[piton::test]
async fn groups_and_title_are_settings() {
    let groups = json!([
        { "name": "Mail", "description": "Whom we write as", "vars": ["SMTP_USER"] },
        { "name": "<b>", "vars": ["A", "B"] },
    ]);
    let folder = no_secrets();
    let app = app(folder.path()).set("page.groups", groups).set("page.title", "My \"page\"");
    let app =
        TestApp::new(app.env_for_test("SMTP_USER", "me").env_for_test("REDIS_HOST", "unasked"))
            .await;
    let json = json_of(&app).await;
    assert_eq!(json["groups"].as_array().unwrap().len(), 2);
    assert_eq!(of(&json, "SMTP_USER")[1], "me");
    let page = app.get("/").await.text();
    assert!(page.contains("<title>My &quot;page&quot;</title>") && page.contains("&lt;b&gt;"));
    assert!(!page.contains("unasked") && !json.to_string().contains("unasked"));
}

async fn asked_for(app: &TestApp, path: &str, host: &str) -> TestResponse {
    app.get(path).header("host", host).await
}

#[piton::test]
async fn a_name_that_was_rebound_to_this_machine_is_refused() {
    let folder = no_secrets();
    let app = app(folder.path()).set("page.hosts", vec!["lab.internal"]);
    let app = TestApp::new(app.env_for_test("CSRF_SECRET", "hunter2")).await;
    for path in ["/", "/variables.json"] {
        for host in
            ["rebound.example", "rebound.example:5000", "localhost.example", "x.lab.internal"]
        {
            let refused = asked_for(&app, path, host).await;
            assert_eq!(refused.status(), 403, "{host}");
            assert!(refused.is_problem() && !refused.text().contains("hunter2"));
            let name = host.split(':').next().unwrap();
            for said in [&format!("the host `{name}` is neither"), "add it to PITON_PAGE_HOSTS"] {
                assert!(refused.text().contains(said), "{said}: {}", refused.text());
            }
        }
        for host in [
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
            "172.17.0.2",
            "LAB.internal:80",
            "localhost.",
            "lab.internal.:80",
        ] {
            assert_eq!(asked_for(&app, path, host).await.status(), 200, "{host}");
        }
    }
    assert_eq!(asked_for(&app, "/livez", "rebound.example").await.status(), 200);
}

#[piton::test]
async fn who_lets_others_in_is_asked_by_any_name() {
    let folder = no_secrets();
    let app = TestApp::new(app(folder.path()).set("http.host", "0.0.0.0")).await;
    assert_eq!(asked_for(&app, "/", "lab.example.org").await.status(), 200);
}

#[piton::test]
async fn a_page_of_another_origin_reads_nothing() {
    let folder = no_secrets();
    let app = TestApp::new(app(folder.path()).env_for_test("CSRF_SECRET", "hunter2")).await;
    for path in ["/", "/variables.json"] {
        for origin in ["https://stranger.example", "http://localhost:3000", "null"] {
            let request = app.get(path).header("host", "localhost:5000").header("origin", origin);
            let refused = request.await;
            assert_eq!(
                (refused.status().as_u16(), refused.header("access-control-allow-origin")),
                (403, "")
            );
            assert!(!refused.text().contains("hunter2"));
        }
        let request = app.get(path).header("host", "localhost:5000");
        let own = request.header("origin", "http://localhost:5000").await;
        assert_eq!((own.status().as_u16(), own.header("access-control-allow-origin")), (200, ""));
    }
}

#[piton::test]
async fn what_looks_like_a_secret_is_hidden_under_a_harmless_name() {
    let folder = no_secrets();
    for (value, hidden) in [
        ("AKIAIOSFODNN7EXAMPLE", true),
        ("ASIAIOSFODNN7EXAMPLE", true),
        ("mysql -uroot -phunter2 lab", true),
        ("mysql -u root -p hunter2 lab", true),
        ("start --password=hunter2", true),
        ("ｐａｓｓｗｏｒｄ＝hunter2", true),
        ("pass\u{200b}word=hunter2", true),
        ("Server=db;User Id=sa;Password=hunter2;", true),
        ("password%3Dhunter2", true),
        ("github_pat_0123456789abcdef", true),
        ("eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.sig", true),
        ("redis.lab.svc.cluster.local:6379", false),
        ("docker run -p 8080:80 nginx", false),
    ] {
        let app = app(folder.path()).set("page.mask", "secrets").env_for_test("REDIS_HOST", value);
        let app = TestApp::new(app).await;
        let (state, shown) = if hidden { ("hidden", "***") } else { ("set", value) };
        let json = json_of(&app).await;
        assert_eq!(of(&json, "REDIS_HOST"), json!([state, shown, "environment"]), "{value}");
    }
}
