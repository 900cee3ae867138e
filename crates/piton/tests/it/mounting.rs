//! Mounted axum routers, the app's fallback, and redirects.

use piton::axum::Router;
use piton::axum::http::{Method, Uri};
use piton::axum::routing::{get as axum_get, post as axum_post};
use piton::http::{Redirect, get};
use piton::prelude::*;
use piton::testing::TestApp;

fn app() -> App {
    App::new("mounting").no_scan().set("log.level", "critical").route(get("/a", ok))
}

async fn ok() -> &'static str {
    "ok"
}

async fn own(method: Method, uri: Uri) -> (StatusCode, String) {
    (StatusCode::NOT_FOUND, format!("{method} {uri} is not here"))
}

async fn teapot() -> (StatusCode, &'static str) {
    (StatusCode::IM_A_TEAPOT, "short and stout")
}

async fn refusal(app: App) -> String {
    let Err(error) = app.into_router().await else { panic!("it is refused") };
    error.report("mounting")
}

#[piton::test]
async fn a_fallback_responds_to_every_method_of_paths_without_a_route() {
    let app = TestApp::new(app().fallback(own)).await;
    let answer = app.delete("/nope?x").await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.json::<piton::serde_json::Value>()["detail"], "DELETE /nope?x is not here");
    assert_eq!(app.get("/a").await.text(), "ok");
    assert_eq!(app.post("/a").await.status(), 405);
    assert_eq!(app.get("/livez").await.status(), 200);
}

#[piton::test]
async fn without_a_fallback_an_unknown_path_is_404_in_the_error_format() {
    let app = TestApp::new(app()).await;
    let answer = app.get("/nope").await;
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(
        answer.json::<piton::serde_json::Value>()["detail"],
        "nothing is served at this path"
    );
}

#[piton::test]
async fn a_fallback_takes_states_and_is_refused_without_them() {
    #[derive(Clone)]
    struct Page(&'static str);
    async fn page(State(page): State<Page>) -> &'static str {
        page.0
    }
    let served = TestApp::new(app().state(Page("a page")).fallback(page)).await;
    assert_eq!(served.get("/x").await.text(), "a page");
}

#[piton::test]
async fn two_fallbacks_are_refused_with_both_lines() {
    let report = refusal(app().fallback(own).fallback(teapot)).await;
    assert!(
        report.contains("two fallbacks") && report.matches("mounting.rs").count() == 2,
        "{report}"
    );
}

#[piton::test]
async fn explain_prints_the_fallback() {
    let text = app().fallback(own).explain();
    assert!(text.contains(".fallback(it::mounting::own)"), "{text}");
}

#[piton::test]
async fn a_mounted_router_keeps_its_own_fallback() {
    let router = Router::new().route("/m", axum_get(ok)).fallback(teapot);
    let app =
        TestApp::new(app().mount(router).mount(Router::new().route("/n", axum_get(ok)))).await;
    assert_eq!(app.get("/nope").await.status(), 418);
    assert_eq!(
        (app.get("/m").await.status(), app.get("/n").await.status()),
        (StatusCode::OK, StatusCode::OK)
    );
    assert_eq!(app.get("/a").await.text(), "ok");
}

#[piton::test]
async fn a_nested_router_keeps_its_fallback_below_its_prefix() {
    let nested = Router::new().route("/x", axum_get(ok)).fallback(teapot);
    let router = Router::new().nest("/nested", nested);
    let app = TestApp::new(app().mount(router).fallback(own)).await;
    assert_eq!(app.get("/nested/x").await.text(), "ok");
    assert_eq!(app.get("/nested/y").await.status(), 418);
    assert_eq!(app.get("/y").await.status(), 404);
}

#[piton::test]
async fn two_fallbacks_of_routers_or_of_a_router_and_the_app_are_refused() {
    let router = || Router::new().fallback(teapot);
    let report = refusal(app().mount(router()).mount(router())).await;
    assert!(report.contains("both have a fallback"), "{report}");
    assert_eq!(report.matches("mounting.rs").count(), 2, "{report}");
    let report = refusal(app().mount(router()).fallback(own)).await;
    assert!(
        report.contains("fallback of its own") && report.contains("`App::fallback`"),
        "{report}"
    );
    assert_eq!(report.matches("mounting.rs").count(), 2, "{report}");
}

#[piton::test]
async fn an_overlap_is_refused_with_both_lines() {
    let report = refusal(app().mount(Router::new().route("/a", axum_get(ok)))).await;
    assert!(report.contains("GET /a") && report.contains("mounting::ok"), "{report}");
    assert_eq!(report.matches("mounting.rs").count(), 2, "{report}");
    let routers =
        [Router::new().route("/m", axum_get(ok)), Router::new().route("/m", axum_get(own))];
    let [first, second] = routers;
    let report = refusal(app().mount(first).mount(second)).await;
    assert_eq!(report.matches("mounting.rs").count(), 2, "{report}");
    let crossing = Router::new().route("/p/{b}", axum_get(ok));
    let report = refusal(app().route(get("/p/{a}", ok)).mount(crossing)).await;
    assert_eq!(report.matches("mounting.rs").count(), 2, "{report}");
}

#[piton::test]
async fn another_method_of_the_same_path_is_no_overlap() {
    let app = TestApp::new(app().mount(Router::new().route("/a", axum_post(teapot)))).await;
    assert_eq!(
        (app.get("/a").await.status(), app.post("/a").await.status()),
        (StatusCode::OK, StatusCode::IM_A_TEAPOT)
    );
}

#[piton::test]
async fn a_mounted_path_of_the_admin_set_is_refused_with_its_line() {
    for path in ["/livez", "/metrics"] {
        let router = Router::new().route(path, axum_get(ok));
        let app = app().mount(router);
        let report = refusal(app).await;
        assert!(report.contains(path) && report.contains("admin set"), "{report}");
        assert!(report.contains("mounting.rs"), "{report}");
    }
}

#[piton::test]
async fn redirects_have_their_statuses_and_are_in_the_document() {
    async fn permanent() -> Redirect<308> {
        Redirect::permanent("/a")
    }
    async fn after_a_form() -> Result<Redirect> {
        Redirect::see_other("//evil.example").local()
    }
    let permanent = get("/old", permanent).describe(piton::describe!(permanent));
    let app = TestApp::new(app().route(permanent).route(get("/login", after_a_form))).await;
    let answer = app.get("/old").await;
    assert_eq!((answer.status().as_u16(), answer.header("location")), (308, "/a"));
    assert_eq!(app.get("/login").await.status(), 400);
    let old = app.handle().routes().iter().find(|route| route.path == "/old").unwrap();
    assert_eq!(old.operation.responses()[0].status, 308);
}
