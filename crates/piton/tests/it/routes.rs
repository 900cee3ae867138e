//! Routes: found by the scan, joined with their prefixes, the same by hand.

use piton::http::Blueprint;
use piton::prelude::*;
use piton::testing::TestApp;

mod user {
    use piton::prelude::*;

    piton::blueprint!("/user", tag = "users");

    /// Who am I?
    ///
    /// The long answer.
    #[get("/me")]
    async fn me() -> &'static str {
        "me"
    }

    pub mod settings {
        use piton::prelude::*;

        piton::blueprint!("/settings");

        #[route("/", methods = ["GET", "PUT"])]
        async fn all(method: axum::http::Method) -> String {
            method.to_string()
        }
    }
}

mod admin {
    use piton::prelude::*;

    #[delete("/admin/{what}")]
    async fn remove(Path(what): Path<String>) -> NoContent {
        assert_eq!(what, "dust");
        NoContent
    }
}

fn quiet(app: App) -> App {
    app.set("log.level", "critical")
}

#[piton::test]
async fn the_scan_finds_routes_and_joins_prefixes_of_nested_modules() {
    let app = quiet(App::new("it").blueprints(["routes::user", "it.routes.admin"]));
    let app = TestApp::new(app).await;
    assert_eq!(app.get("/user/me").await.text(), "me");
    assert_eq!(app.put("/user/settings").await.text(), "PUT");
    assert_eq!(app.delete("/admin/dust").await.status(), 204);
    let me = app.handle().routes().iter().find(|route| route.path == "/user/me").unwrap();
    assert_eq!((me.summary, me.tag), ("Who am I?", Some("users")));
    assert!(me.source.file.ends_with("routes.rs") && me.source.line > 10, "{}", me.source);
}

#[piton::test]
async fn named_blueprints_restrict_the_scan() {
    let app = TestApp::new(quiet(App::new("it").blueprints(["routes::user::settings"]))).await;
    assert_eq!(app.get("/user/settings").await.text(), "GET");
    assert_eq!(app.get("/user/me").await.status(), 404);
}

async fn me() -> &'static str {
    "me, by hand"
}

#[piton::test]
async fn a_blueprint_by_hand_is_the_same() {
    let blueprint = Blueprint::new("/person").tag("people").route(piton::http::get("/me", me));
    let app = TestApp::new(quiet(App::new("it").blueprints(["none"]).blueprint(blueprint))).await;
    assert_eq!(app.get("/person/me").await.text(), "me, by hand");
    assert_eq!(app.handle().routes()[0].tag, Some("people"));
}

#[piton::test]
async fn a_mounted_axum_router_stands_behind_the_same_stack() {
    async fn named(axum::Extension(name): axum::Extension<&'static str>) -> String {
        format!("{name} in {}", piton::app().name())
    }
    let router = axum::Router::new()
        .route("/mounted", axum::routing::get(named))
        .layer(axum::Extension("an extension"));
    let app = TestApp::new(quiet(App::new("it").blueprints(["none"]).mount(router))).await;
    let answer = app.get("/mounted").await;
    assert_eq!(answer.text(), "an extension in it");
    assert_eq!(answer.header("x-request-id").len(), 32);
}

#[piton::test]
async fn an_ejected_router_is_the_whole_service() {
    use tower::ServiceExt;
    let app = quiet(App::new("it").blueprints(["routes::user"]).set("data_dir", "/nowhere"));
    let router: axum::Router = app.into_router().await.unwrap();
    let request =
        |path: &str| axum::extract::Request::get(path).body(axum::body::Body::empty()).unwrap();
    let answer = router.clone().oneshot(request("/user/me")).await.unwrap();
    assert!(answer.headers().contains_key("x-request-id"));
    let answer = router.oneshot(request("/nope")).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}

#[piton::test]
async fn the_ambient_app_reaches_spawned_tasks() {
    async fn spawned() -> String {
        piton::spawn(async { piton::app().name().to_owned() }).await.unwrap()
    }
    let route = piton::http::get("/", spawned);
    let app = TestApp::new(quiet(App::new("it").blueprints(["none"]).route(route))).await;
    assert_eq!(app.get("/").await.text(), "it");
}

async fn named(Path(name): Path<String>, method: axum::http::Method) -> String {
    format!("{method} {name}")
}

#[piton::test]
async fn a_route_with_letters_that_no_url_holds_is_served_percent_encoded() {
    use piton::http::{get, put};

    let blueprint = Blueprint::new("/größen und mehr")
        .route(get("/", me))
        .route(get("/größe/{name}", named))
        .route(put("/gr%c3%b6%c3%9fe/{name}", named));
    let app = App::new("it")
        .blueprints(["none"])
        .route(get("/straße", me))
        .route(get("/{name}", named))
        .route(get("/100%/{{x}}", me))
        .route(get("/frage%3f", me))
        .blueprint(blueprint);
    let app = TestApp::new(quiet(app)).await;
    for path in [
        "/stra%C3%9Fe",
        "/stra%c3%9fe",
        "/stra%C3%9fe?q=%c3%9f",
        "/%73tra%C3%9Fe",
        "/100%25/%7Bx%7D",
        "/100%25/%7bx%7d",
        "/frage%3F",
        "/gr%C3%B6%C3%9Fen%20und%20mehr",
    ] {
        assert_eq!(app.get(path).await.text(), "me, by hand", "{path}");
    }
    // A parameter is what was sent, whatever the route's own text is.
    for (path, name) in [("/stra%C3%9Fen", "straßen"), ("/a%2fb", "a/b"), ("/a+b", "a+b")] {
        assert_eq!(app.get(path).await.text(), format!("GET {name}"), "{path}");
    }
    let deep = "/gr%C3%B6%c3%9fen%20und%20mehr/gr%c3%b6%C3%9Fe/%c3%a9";
    assert_eq!(app.get(deep).await.text(), "GET é");
    assert_eq!(app.put(deep).await.text(), "PUT é");
    assert_eq!(app.delete(deep).await.status(), 405);
    let paths: Vec<&str> = app.handle().routes().iter().map(|route| &*route.path).collect();
    assert!(paths.contains(&"/stra%C3%9Fe"), "{paths:?}");
    assert!(paths.contains(&"/gr%C3%B6%C3%9Fen%20und%20mehr/gr%C3%B6%C3%9Fe/{name}"), "{paths:?}");
}

#[piton::test]
async fn a_route_that_no_client_can_ask_for_does_not_start() {
    use piton::http::get;

    for (path, fix) in [
        ("/search?q={q}", "`Query<..>`"),
        ("/a#b", "`%23`"),
        ("/a/../b", "leave it out"),
        ("/a//b", "one `/`"),
    ] {
        let app = quiet(App::new("it").blueprints(["none"]).route(get(path, me)));
        let error = app.into_router().await.unwrap_err();
        let report = error.report("it");
        assert!(report.contains(fix) && report.contains("routes.rs"), "{path}: {report}");
    }
    let twice = App::new("it")
        .blueprints(["none"])
        .route(get("/straße", me))
        .blueprint(Blueprint::new("/stra%c3%9fe").route(get("/", me)));
    let report = quiet(twice).into_router().await.unwrap_err().report("it");
    assert!(report.contains("routed twice"), "{report}");
}
