//! A service that makes and reads tokens for the Python package `flask_jwt_extended` of
//! `e2e/python/jwt3suite` and `jwt4suite`, so that Flask-JWT-Extended's own tests run against Piton.
//!
//! Every route is one call of Piton's public API; nothing is decided here. A loader that a test
//! registers is a hook here, which asks the Python process by a line of JSON on `TOKEN_SERVICE_PORT`;
//! `TOKEN_SERVICE_HOOKS` lists the hooks to register.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use piton::auth::jwt::{Protected, Refusal};
use piton::axum::http::{HeaderName, HeaderValue, Method};
use piton::axum::response::{IntoResponse, Response};
use piton::http::Route;
use piton::prelude::*;
use serde_json::{Map, Value, json};

/// The header of a response that a handler made, and not a guard.
const PASSED: HeaderName = HeaderName::from_static("x-passed");
/// The header with the words of a refusal, as its response may be a hook's.
const REFUSAL: HeaderName = HeaderName::from_static("x-refusal");

fn main() -> piton::Exit {
    // The Python process holds the other end: the service ends with it, also when it is killed.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let hooks = std::env::var("TOKEN_SERVICE_HOOKS").unwrap_or_default();
    let mut app = App::new("token-service");
    for hook in hooks.split_terminator(',') {
        app = with_hook(app, hook);
    }
    guarded().into_iter().fold(app, App::route).run()
}

fn with_hook(app: App, hook: &str) -> App {
    match hook {
        "revoked" => app.token_revoked(|token| async move {
            Ok(ask("revoked", token_json(&token)).as_bool().unwrap_or(true))
        }),
        other => panic!("no hook `{other}`"),
    }
}

/// Asks the Python process, which runs the test's own loader.
fn ask(hook: &str, mut question: Value) -> Value {
    question["hook"] = json!(hook);
    let port = std::env::var("TOKEN_SERVICE_PORT").expect("the Python process sets it");
    let mut stream = TcpStream::connect(("127.0.0.1", port.parse().expect("a port")))
        .expect("the Python process listens");
    writeln!(stream, "{question}").expect("the Python process reads");
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).expect("the Python process answers");
    serde_json::from_str(&answer).expect("the answer is JSON")
}

fn token_json(token: &Identity) -> Value {
    json!({ "claims": token.claims() })
}

/// A route for every guard that the tests use, such as `/guard/fresh/headers`.
fn guarded() -> Vec<Route> {
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let mut routes = Vec::new();
    for bits in 0..8 {
        let (mut guard, mut name) = (Protected::new(), String::new());
        let options: [(&str, fn(Protected) -> Protected); 3] = [
            ("fresh", Protected::fresh),
            ("refresh", Protected::refresh),
            ("optional", Protected::optional),
        ];
        for (bit, (option, set)) in options.into_iter().enumerate() {
            if bits & (1 << bit) != 0 {
                guard = set(guard);
                name = format!("{name}+{option}");
            }
        }
        let path = format!("/guard/any{name}/any");
        routes.push(piton::http::route(&methods, path, passed).guard(guard));
    }
    routes
}

/// Shows the token that the guard has let in.
async fn passed(token: Option<Identity>) -> impl IntoResponse {
    let shown = token.as_ref().map(token_json);
    ([(PASSED, "true")], Json(json!({ "token": shown })))
}

/// Makes a token.
#[post("/make")]
async fn make(tokens: Tokens, Json(wanted): Json<Value>) -> Result<String> {
    let identity = wanted["identity"].clone();
    let mut token = match wanted["type"].as_str() {
        Some("refresh") => tokens.refresh(identity),
        _ => tokens.access(identity),
    };
    token = match &wanted["fresh"] {
        Value::Bool(true) => token.fresh(),
        Value::Number(seconds) => token.fresh_for(duration(seconds.as_f64())),
        _ => token,
    };
    if let Value::Number(seconds) = &wanted["expires"] {
        token = token.expires_in(duration(seconds.as_f64()));
    }
    let empty = Map::new();
    for (name, value) in wanted["claims"].as_object().unwrap_or(&empty) {
        token = token.claim(name, value.clone());
    }
    token.sign()
}

/// A duration is never negative in Rust: no time at all is over as soon as it has begun.
fn duration(seconds: Option<f64>) -> Duration {
    Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default()
}

/// Reads a token that no guard has seen.
#[post("/read")]
async fn read(tokens: Tokens, Json(wanted): Json<Value>) -> Response {
    let token = wanted["token"].as_str().unwrap_or_default();
    match tokens.read(token) {
        Ok(token) => ([(PASSED, "true")], Json(token_json(&token))).into_response(),
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> Response {
    let words = HeaderValue::from_str(&refusal.to_string());
    let mut response = Error::from(refusal).into_response();
    response.headers_mut().extend(words.ok().map(|words| (REFUSAL, words)));
    response
}

/// Answers with the cookies of a token.
#[post("/cookies")]
async fn cookies(tokens: Tokens, Json(wanted): Json<Value>) -> Result<Response> {
    let token = wanted["token"].as_str().unwrap_or_default();
    Ok((tokens.cookies(token)?, NoContent).into_response())
}

/// Answers with the cookies that end those of a token.
#[post("/no-cookies")]
async fn no_cookies(tokens: Tokens) -> impl IntoResponse {
    (tokens.no_cookies(), NoContent)
}
