//! Folders that are served as they are.

use std::path::Path;

use piton::axum::http::Method;
use piton::http::{EmbeddedFile, EmbeddedFiles, StaticFiles, get};
use piton::prelude::*;
use piton::testing::TestApp;

fn app() -> App {
    App::new("site").no_scan().set("log.level", "critical").route(get("/api/x", api))
}

async fn api() -> &'static str {
    "the route"
}

/// Makes a folder with these files, whose content is their name.
fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        write(folder.path(), name);
    }
    folder
}

fn write(folder: &Path, name: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, name).unwrap();
}

const SITE: [&str; 7] = [
    "index.html",
    "app.js",
    "app.js.br",
    "app.js.gz",
    "assets/logo.svg",
    "docs/index.html",
    "api/x",
];

async fn site(options: fn(StaticFiles) -> StaticFiles) -> (TestApp, tempfile::TempDir) {
    let folder = folder(&SITE);
    let files = options(StaticFiles::folder(folder.path()));
    (TestApp::new(app().static_files("/", files)).await, folder)
}

#[piton::test]
async fn files_are_served_with_their_types_and_routes_win() {
    let (app, _folder) = site(|files| files.immutable("/assets/")).await;
    for (path, body, media_type, cache) in [
        ("/", "index.html", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "index.html", "text/html; charset=utf-8", "no-cache"),
        ("/docs/", "docs/index.html", "text/html; charset=utf-8", "no-cache"),
        (
            "/assets/logo.svg",
            "assets/logo.svg",
            "image/svg+xml; charset=utf-8",
            "public, max-age=31536000, immutable",
        ),
        ("/api/x", "the route", "text/plain; charset=utf-8", ""),
    ] {
        let answer = app.get(path).await;
        assert_eq!((answer.status().as_u16(), &*answer.text()), (200, body), "{path}");
        assert_eq!(answer.header("content-type"), media_type, "{path}");
        assert_eq!(answer.header("cache-control"), cache, "{path}");
    }
    assert_eq!(app.get("/livez").await.status(), 200);
}

#[piton::test]
async fn a_folder_is_never_listed_and_redirects_to_its_page() {
    let (app, _folder) = site(|files| files).await;
    let answer = app.get("/docs?a=b").await;
    assert_eq!((answer.status().as_u16(), answer.header("location")), (307, "/docs/?a=b"));
    for path in ["/assets", "/assets/"] {
        assert_eq!(app.get(path).await.status(), 404, "{path}");
    }
}

#[piton::test]
async fn nothing_outside_of_the_folder_and_nothing_hidden_is_served() {
    let folder = folder(&[
        "secret",
        "root/index.html",
        "root/.env",
        "root/.git/config",
        "root/.well-known/x",
    ]);
    std::os::unix::fs::symlink("../secret", folder.path().join("root/link")).unwrap();
    let app = TestApp::new(app().static_files("/", folder.path().join("root"))).await;
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "/x/../../secret",
        "/.%2e/secret",
        "//secret",
        "/..%5csecret",
        "/link",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/index.html%00",
        "/index.html/",
        "/%ff",
        "//evil.example/..",
        "/./index.html",
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
    }
    assert_eq!(app.get("/.well-known/x").await.text(), "root/.well-known/x");
    assert_eq!(app.get("/index.html").await.status(), 200);
}

#[piton::test]
async fn a_precompressed_sibling_is_sent_to_clients_that_accept_it() {
    let (app, _folder) = site(|files| files).await;
    let mut tags = Vec::new();
    for (accepted, body, coding) in [
        ("", "app.js", ""),
        ("gzip, br", "app.js.br", "br"),
        ("gzip", "app.js.gz", "gzip"),
        ("br;q=0", "app.js", ""),
        ("zstd", "app.js", ""),
    ] {
        let answer = app.get("/app.js").header("accept-encoding", accepted).await;
        assert_eq!(
            (&*answer.text(), answer.header("content-encoding")),
            (body, coding),
            "{accepted}"
        );
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(answer.header("vary"), "accept-encoding");
        tags.push(answer.header("etag").to_owned());
    }
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] == tags[3], "{tags:?}");
    let known =
        app.get("/app.js").header("accept-encoding", "br").header("if-none-match", &tags[1]).await;
    assert_eq!((known.status().as_u16(), known.header("vary")), (304, "accept-encoding"));
    assert_eq!(app.get("/index.html").await.header("vary"), "");
}

#[piton::test]
async fn ranges_conditions_and_head_work_on_files() {
    let (app, _folder) = site(|files| files).await;
    let answer = app.get("/index.html").header("range", "bytes=0-4").await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (206, "index"));
    let answer = app.request(Method::HEAD, "/index.html").await;
    assert_eq!((&*answer.text(), answer.header("content-length")), ("", "10"));
    let date = answer.header("last-modified");
    assert_eq!(app.get("/index.html").header("if-modified-since", date).await.status(), 304);
}

#[piton::test]
async fn another_method_on_a_file_is_405_and_on_nothing_404() {
    let (app, _folder) = site(|files| files.spa()).await;
    let answer = app.post("/index.html").await;
    assert_eq!((answer.status().as_u16(), answer.header("allow")), (405, "GET,HEAD"));
    assert_eq!(app.request(Method::OPTIONS, "/index.html").await.status(), 200);
    assert_eq!(app.post("/nope").header("accept", "text/html").await.status(), 404);
}

#[piton::test]
async fn a_single_page_application_gets_its_page_for_pages_alone() {
    let (app, _folder) = site(StaticFiles::spa).await;
    let answer = app.get("/orders/7").header("accept", "text/html,*/*;q=0.8").await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (200, "index.html"));
    let page = app.get("/orders/7").header("accept", "text/html;level=1;q=0.1").await;
    assert_eq!(page.status(), 200);
    for accept in ["*/*", "application/json", "image/png", "text/html;q=0", "text/html; Q=0.000"] {
        assert_eq!(app.get("/orders/7").header("accept", accept).await.status(), 404, "{accept}");
    }
    assert_eq!(app.get("/api/x").header("accept", "text/html").await.text(), "the route");
}

#[piton::test]
async fn the_longest_prefix_wins_and_then_the_fallback() {
    async fn fallback() -> &'static str {
        "the fallback"
    }
    let (all, some) = (folder(&["a.txt", "assets/a.txt"]), folder(&["b.txt", "index.html"]));
    let app = app()
        .static_files("/", all.path())
        .static_files("/assets/", some.path())
        .fallback(fallback);
    let app = TestApp::new(app).await;
    assert_eq!(app.get("/assets/b.txt").await.text(), "b.txt");
    assert_eq!(app.get("/assets/a.txt").await.text(), "assets/a.txt");
    assert_eq!(app.get("/assetsb.txt").await.text(), "the fallback");
    assert_eq!(app.get("/assets").await.header("location"), "/assets/");
    assert_eq!(app.post("/none").await.text(), "the fallback");
}

#[piton::test]
async fn a_changed_file_is_served_at_once_with_another_tag() {
    let (app, folder) = site(|files| files).await;
    let before = app.get("/index.html").await;
    std::fs::write(folder.path().join("index.html"), "another page").unwrap();
    let after = app.get("/index.html").header("if-none-match", before.header("etag")).await;
    assert_eq!((after.status().as_u16(), &*after.text()), (200, "another page"));
}

#[piton::test]
async fn requests_for_files_are_counted_by_their_prefix() {
    let (app, _folder) = site(|files| files).await;
    app.get("/index.html").await;
    app.get("/nope").await;
    let metrics = app.get("/metrics").await.text();
    assert!(metrics.contains("/{*file}"), "{metrics}");
}

#[piton::test]
async fn a_missing_folder_is_refused_with_its_line() {
    let Err(error) = app().static_files("/", "no/such/folder").into_router().await else {
        panic!("it is refused")
    };
    let report = error.report("site");
    assert!(report.contains("`no/such/folder`") && report.contains("static_files.rs"), "{report}");
}

static FILES: [EmbeddedFile; 4] = [
    EmbeddedFile { path: "app.css", bytes: b"body {}", hash: "1" },
    EmbeddedFile { path: "app.css.gz", bytes: b"compressed", hash: "2" },
    EmbeddedFile { path: "docs/index.html", bytes: b"<p>docs", hash: "3" },
    EmbeddedFile { path: "index.html", bytes: b"<p>", hash: "4" },
];

#[piton::test]
async fn files_in_the_program_are_served_the_same_way() {
    let files = StaticFiles::embedded(EmbeddedFiles { files: &FILES }).spa();
    let app = TestApp::new(app().static_files("/site", files)).await;
    let answer = app.get("/site/app.css").await;
    assert_eq!((&*answer.text(), answer.header("etag")), ("body {}", "\"1\""));
    assert_eq!(answer.header("content-type"), "text/css; charset=utf-8");
    let answer = app.get("/site/app.css").header("accept-encoding", "gzip").await;
    assert_eq!((&*answer.text(), answer.header("etag")), ("compressed", "\"2\""));
    assert_eq!(app.get("/site/app.css").header("if-none-match", "\"1\"").await.status(), 304);
    assert_eq!(app.get("/site/").await.text(), "<p>");
    assert_eq!(app.get("/site/docs").await.header("location"), "/site/docs/");
    assert_eq!(app.get("/site/docs/").await.text(), "<p>docs");
    assert_eq!(app.get("/site/x").header("accept", "text/html").await.text(), "<p>");
    assert_eq!(app.get("/site/x").await.status(), 404);
}

#[piton::test]
async fn embedded_files_are_in_the_program_with_a_hash_as_their_tag() {
    let app = TestApp::new(app().static_files("/", piton::embed!("examples", always))).await;
    let answer = app.get("/hello.rs").await;
    assert_eq!(answer.bytes(), &include_bytes!("../../examples/hello.rs")[..]);
    assert_eq!((answer.header("etag").len(), answer.header("last-modified")), (34, ""));
}

#[piton::test]
async fn embedded_files_are_read_from_their_folder_in_development() {
    let app = TestApp::new(app().static_files("/", piton::embed!("examples"))).await;
    assert!(!app.get("/hello.rs").await.header("last-modified").is_empty());
}
