//! Every failure comes in one format, with the right status, and shows nothing of the inside in
//! production.

use std::time::Duration;

use piton::axum::response::IntoResponse;
use piton::http::{Blueprint, get, post};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::{TestApp, TestResponse, TestServer};

#[derive(Deserialize, Serialize, JsonSchema)]
struct Company {
    name: String,
    partners: Vec<Partner>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Partner {
    share: u8,
}

async fn create(Json(company): Json<Company>) -> Json<Company> {
    Json(company)
}

async fn axum_create(axum::Json(company): axum::Json<Company>) -> axum::Json<Company> {
    axum::Json(company)
}

async fn by_id(Path(id): Path<u32>) -> String {
    id.to_string()
}

#[derive(Deserialize)]
struct Page {
    page: u32,
}

async fn page(Query(page): Query<Page>) -> String {
    page.page.to_string()
}

async fn fails() -> Result<&'static str> {
    std::fs::read_to_string("/nowhere/hunter2")?;
    Ok("never")
}

async fn panics() -> &'static str {
    let empty = std::env::args().nth(99);
    assert!(empty.is_some(), "hunter2 was here");
    "never"
}

async fn hangs() -> &'static str {
    std::future::pending().await
}

async fn says_so() -> Error {
    Error::conflict("that name is taken").caused_by("row 7 is hunter2")
}

async fn plain_status() -> (StatusCode, &'static str) {
    (StatusCode::IM_A_TEAPOT, "short and stout")
}

async fn own_fault_in_plain_text() -> (StatusCode, String) {
    (StatusCode::BAD_GATEWAY, "the upstream at 10.0.0.7 said hunter2".into())
}

async fn own_format() -> (StatusCode, Json<Value>) {
    (StatusCode::BAD_REQUEST, Json(json!({ "mine": true })))
}

fn app() -> App {
    App::new("failures")
        .blueprints(["none"])
        .set("http.timeout", "200ms")
        .set("http.body_limit", "1KiB")
        .set("log.requests", "none")
        .set("log.level", "critical")
        .route(post("/companies", create))
        .route(post("/axum", axum_create))
        .route(get("/id/{id}", by_id))
        .route(get("/page", page))
        .route(get("/fails", fails))
        .route(get("/panics", panics))
        .route(get("/hangs", hangs))
        .route(get("/says-so", says_so))
        .route(get("/teapot", plain_status))
        .route(get("/upstream", own_fault_in_plain_text))
        .route(get("/own", own_format))
}

/// The answer is a problem document that agrees with itself; its members.
#[track_caller]
fn problem(answer: &TestResponse, status: u16) -> Value {
    assert_eq!(answer.status(), status, "{}", answer.text());
    assert!(answer.is_problem(), "{:?}", answer.headers());
    let problem: Value = answer.json();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["request_id"], answer.header("x-request-id"));
    assert!(!problem["title"].as_str().unwrap().is_empty());
    problem
}

#[piton::test]
async fn an_unknown_path_is_404_and_a_wrong_method_405_with_allow() {
    let app = TestApp::new(app()).await;
    assert_eq!(problem(&app.get("/nope").await, 404)["instance"], "/nope");
    let answer = app.delete("/page").await;
    problem(&answer, 405);
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[piton::test]
async fn a_document_does_not_repeat_what_may_be_a_secret_of_a_path() {
    async fn reset(Path(_): Path<String>) -> Result<()> {
        Err(Error::not_found("no such link"))
    }
    let app = TestApp::new(
        app().route(get("/user/reset/{token}", reset)).route(get("/files/{*secret}", reset)),
    )
    .await;
    for (path, shown) in [
        ("/user/reset/1b2c", "/user/reset/***"),
        ("/files/1b2c/3d4e", "/files/***"),
        ("/user/reset/1b2c/", "/user/reset/***/"),
        ("//User/RESET/1b2c", "//User/RESET/***"),
        ("/user%2Freset%2F1b2c", "/***"),
        ("/user/reset./1b2c", "/user/***/***"),
        ("/proxied/user/reset/1b2c", "/***/user/reset/***"),
    ] {
        assert_eq!(problem(&app.get(path).await, 404)["instance"], shown, "{path}");
    }
    let wrong_method = problem(&app.post("/user/reset/1b2c").await, 405);
    assert_eq!(wrong_method["instance"], "/user/reset/***");
    let long = app.get(&"/1b2c".repeat(1000)).await;
    let instance = problem(&long, 404)["instance"].as_str().unwrap().to_owned();
    assert!(instance.len() < 100 && !instance.contains("1b2c"), "{instance}");
}

#[piton::test]
async fn a_route_that_takes_any_path_does_not_show_the_secret_of_another_one() {
    async fn none(_: Path<String>) -> Result<()> {
        Err(Error::not_found("nothing here"))
    }
    let app = app().route(get("/activate/{token}", none)).route(get("/{*rest}", none));
    let app = TestApp::new(app.route(get("/files/{*path}", none))).await;
    for (path, shown) in [
        ("/activate/1b2c", "/activate/***"),
        ("/activate//1b2c", "/activate//***"),
        ("/activate/1b2c/", "/activate/***/"),
        ("/Activate/1b2c", "/Activate/***"),
        ("/files/activate/1b2c", "/files/activate/***"),
    ] {
        assert_eq!(problem(&app.get(path).await, 404)["instance"], shown, "{path}");
    }
    let app = TestApp::new(self::app().route(get("/pages/{*rest}", none))).await;
    assert_eq!(problem(&app.get("/pages/a/b").await, 404)["instance"], "/pages/a/b");
}

#[derive(Deserialize, piton::garde::Validate)]
struct Share {
    #[garde(range(min = 0.0, max = 100.0))]
    percent: f64,
}

#[piton::test]
async fn a_float_that_is_not_finite_passes_no_rule() {
    async fn query(_: Valid<Query<Share>>) {}
    async fn form(_: Valid<Form<Share>>) {}
    async fn path(_: Valid<Path<Share>>) {}
    let app = app()
        .route(get("/share", query))
        .route(post("/share", form))
        .route(get("/share/{percent}", path));
    let app = TestApp::new(app).await;
    for text in
        ["NaN", "-nan", "inf", "-inf", "Infinity", "1e400", "-1e400", "%4eaN", "1e%34%30%30"]
    {
        let of_query = problem(&app.get(&format!("/share?percent={text}")).await, 422);
        assert_eq!(of_query["errors"][0]["parameter"], "percent", "{text}");
        let of_path = problem(&app.get(&format!("/share/{text}")).await, 422);
        assert_eq!(of_path["errors"][0]["parameter"], "percent", "{text}");
        let form = app.post("/share").header("content-type", "application/x-www-form-urlencoded");
        let of_form = problem(&form.body(format!("percent={text}")).await, 422);
        assert_eq!(of_form["errors"][0]["pointer"], "#/percent", "{text}");
    }
    for text in ["0", "100", "99.5", "1e1", ".5"] {
        assert_eq!(app.get(&format!("/share?percent={text}")).await.status(), 200, "{text}");
        assert_eq!(app.get(&format!("/share/{text}")).await.status(), 200, "{text}");
    }
}

#[piton::test]
async fn a_body_that_is_not_json_is_400_and_one_of_another_type_415() {
    let app = TestApp::new(app()).await;
    let answer = app.post("/companies").header("content-type", "application/json").body("{").await;
    problem(&answer, 400);
    let answer = app.post("/companies").header("content-type", "text/csv").body("{}").await;
    problem(&answer, 415);
    problem(&app.post("/companies").body("{}").await, 415);
}

#[piton::test]
async fn a_body_of_another_shape_is_422_with_the_place() {
    let app = TestApp::new(app()).await;
    let body = json!({ "name": "x", "partners": [{ "share": 1 }, { "share": 300 }] });
    let problem = problem(&app.post("/companies").json(&body).await, 422);
    assert_eq!(problem["errors"][0]["pointer"], "#/partners/1/share");
}

#[piton::test]
async fn a_body_above_the_limit_is_413_whether_or_not_it_says_its_length() {
    let app = TestApp::new(app()).await;
    let names_limit = "the body is larger than this service accepts: at most 1KiB";
    let body = json!({ "name": "x".repeat(2000), "partners": [] });
    let announced = problem(&app.post("/companies").json(&body).await, 413);
    assert_eq!(announced["detail"], names_limit);
    let chunks =
        futures_util::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>("x".repeat(100))));
    let body = axum::body::Body::from_stream(chunks);
    let answer = app.post("/companies").header("content-type", "application/json").body(body).await;
    assert_eq!(problem(&answer, 413)["detail"], names_limit);
    let chunks =
        futures_util::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>("x".repeat(100))));
    let body = axum::body::Body::from_stream(chunks);
    problem(&app.post("/axum").header("content-type", "application/json").body(body).await, 413);
}

#[piton::test]
async fn parameters_of_another_type_are_422_with_their_name() {
    let app = TestApp::new(app()).await;
    assert_eq!(problem(&app.get("/id/x").await, 422)["errors"][0]["parameter"], "id");
    assert_eq!(problem(&app.get("/page?page=x").await, 422)["errors"][0]["parameter"], "page");
    assert_eq!(problem(&app.get("/page").await, 422)["errors"][0]["parameter"], "page");
}

#[piton::test]
async fn axums_own_refusals_come_in_our_format() {
    let app = TestApp::new(app()).await;
    let answer = app.post("/axum").json(&json!({ "name": 1 })).await;
    let problem = problem(&answer, 422);
    assert!(problem["detail"].as_str().unwrap().contains("name"), "{problem}");
}

#[piton::test]
async fn a_handler_that_fails_panics_or_hangs_is_answered() {
    let app = TestApp::new(app()).await;
    let failed = problem(&app.get("/fails").await, 500);
    assert!(failed["chain"][0].as_str().unwrap().contains("No such file"), "{failed}");
    assert!(failed["location"].as_str().unwrap().contains("failures.rs"), "{failed}");
    let panicked = problem(&app.get("/panics").await, 500);
    assert!(panicked["chain"][0].as_str().unwrap().contains("hunter2 was here"), "{panicked}");
    assert!(panicked["location"].as_str().unwrap().contains("failures.rs"), "{panicked}");
    problem(&app.get("/hangs").await, 503);
}

#[piton::test]
async fn a_client_that_does_not_send_its_body_gets_408() {
    let app = TestApp::new(app()).await;
    let body = axum::body::Body::from_stream(futures_util::stream::pending::<
        Result<String, std::io::Error>,
    >());
    let answer = app.post("/companies").header("content-type", "application/json").body(body).await;
    problem(&answer, 408);
}

#[piton::test]
async fn an_error_says_one_thing_to_the_client_and_another_to_the_log() {
    let app = TestApp::new(app().production(true)).await;
    let problem = problem(&app.get("/says-so").await, 409);
    assert_eq!(problem["detail"], "that name is taken");
    assert!(!problem.to_string().contains("hunter2"));
}

#[piton::test]
async fn nothing_of_the_inside_leaves_in_production() {
    let app = TestApp::new(app().production(true)).await;
    for path in ["/fails", "/panics", "/says-so", "/upstream"] {
        let answer = app.get(path).await;
        let problem = problem(&answer, answer.status().as_u16());
        let text = problem.to_string();
        assert!(!text.contains("hunter2") && !text.contains(".rs"), "{path}: {text}");
        assert!(problem.get("chain").is_none() && problem.get("location").is_none(), "{text}");
    }
}

#[piton::test]
async fn a_plain_status_becomes_a_problem_and_a_body_of_its_own_stays() {
    let app = TestApp::new(app()).await;
    assert_eq!(problem(&app.get("/teapot").await, 418)["detail"], "short and stout");
    let own = app.get("/own").await;
    assert_eq!((own.status().as_u16(), own.text()), (400, r#"{"mine":true}"#.into()));
}

#[piton::test]
async fn a_request_that_is_no_http_is_answered_in_the_same_format() {
    use piton::tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = TestServer::start(app()).await;
    let too_many_headers = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(1_000_000));
    for (sent, status) in [("GARBAGE\r\n\r\n", "400"), (too_many_headers.as_str(), "431")] {
        let mut stream = piton::tokio::net::TcpStream::connect(server.address()).await.unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(sent.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(
            answer.contains("application/problem+json") && answer.contains("\"request_id\""),
            "{answer}"
        );
    }
    server.stop().await;
}

#[piton::test]
async fn options_lists_the_methods_and_is_no_failure() {
    async fn hello() -> &'static str {
        "hello"
    }
    let app = TestApp::new(
        App::new("it").blueprints(["failures"]).route(piton::http::get("/options", hello)),
    )
    .await;
    let ask = |path: &str| app.request("OPTIONS".parse().unwrap(), path);
    let answer = ask("/options").await;
    assert_eq!((answer.status().as_u16(), answer.text().as_str()), (200, ""));
    assert_eq!(answer.header("allow"), "GET,HEAD,OPTIONS");
    assert_eq!(ask("/nowhere").await.status(), 404);
}

/// As a protocol might have it: always 200, and a reason.
fn with_own_format() -> App {
    let below = |path: &'static str| Blueprint::new(path).route(post("/create", create));
    app()
        .blueprint(below("/spoken").route(get("/panics", panics)).route(get("/hangs", hangs)))
        .blueprint(below("/spokenish"))
        .blueprint(below("/spoken/true"))
        .error_renderer("/spoken/", |failed| {
            let body = json!({ "why": failed.to_string(), "id": failed.id().as_str() });
            Json(body).into_response()
        })
        .error_renderer("/spoken/true", |failed| {
            (failed.status(), Json(json!({ "faults": failed.field_errors() }))).into_response()
        })
}

#[piton::test]
async fn every_failure_below_a_path_can_have_a_format_of_its_own() {
    let app = TestApp::new(with_own_format()).await;
    for (method, path, body, why) in [
        ("POST", "/spoken/create", "{", "the body is not JSON"),
        ("POST", "/spoken/create", r#"{"name": 7}"#, "#/name: "),
        (
            "POST",
            "/spoken/create",
            &"x".repeat(2000),
            "the body is larger than this service accepts",
        ),
        ("GET", "/spoken/create", "", "method not allowed; see the `Allow` header"),
        ("GET", "/spoken/nothing", "", "nothing is served at this path"),
        ("GET", "/spoken/panics", "", "internal server error"),
        ("GET", "/spoken/hangs", "", "the response took too long"),
    ] {
        let method = method.parse().unwrap();
        let answer = app.request(method, path).header("content-type", "application/json");
        let answer = answer.body(body.to_owned()).await;
        assert_eq!(answer.status(), 200, "{path}");
        let said: Value = answer.json();
        assert!(said["why"].as_str().unwrap().contains(why), "{path}: {said}");
        assert_eq!(said["id"], answer.header("x-request-id"));
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(!answer.text().contains("hunter2"), "{said}");
    }
    let wrong_method = app.get("/spoken/create").await;
    assert_eq!(wrong_method.header("allow"), "POST");
    let metrics = app.get("/metrics").await.text();
    assert!(
        metrics.contains(r#"http_response_status_code="413""#)
            || metrics.contains(r#"http_response_status_code="4xx""#),
        "{metrics}"
    );
}

#[piton::test]
async fn the_longest_path_counts_and_its_neighbours_are_as_before() {
    let app = TestApp::new(with_own_format()).await;
    let longest = app.post("/spoken/true/create").json(&json!({ "name": "x" })).await;
    assert_eq!(longest.status(), 422);
    assert_eq!(longest.json::<Value>()["faults"][0]["pointer"], "#/partners");
    let neighbour = app.post("/spokenish/create").json(&json!({})).await;
    assert!(neighbour.is_problem() && neighbour.status() == 422);
}
