//! A service that makes and reads tokens for the Python package `flask_jwt_extended` of
//! `e2e/python/jwt3suite` and `jwt4suite`, so that Flask-JWT-Extended's own tests run against Piton.
//!
//! Every route is one call of Piton's public API; nothing is decided here. A loader that a test
//! registers is a hook here, which asks the Python process by a line of JSON on `TOKEN_SERVICE_PORT`;
//! `TOKEN_SERVICE_HOOKS` lists the hooks to register.

#![expect(
    clippy::disallowed_methods,
    reason = "the test's own variables are no settings, and the program ends with the test's process"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use piton::auth::jwt::{
    Claims, CurrentUser, Refusal, RefusalKind, TokenCookies, TokenGuard, TokenLocation,
};
use piton::axum::http::header::CONTENT_TYPE;
use piton::axum::http::{HeaderName, HeaderValue, Method};
use piton::axum::response::{IntoResponse, Response};
use piton::http::Route;
use piton::prelude::*;
use piton::tokio;
use serde_json::{Map, Value, json};

/// The header of a response that was made by a handler instead of a guard.
const PASSED: HeaderName = HeaderName::from_static("x-passed");
/// The header with the message of a refusal, because its response may be that of a hook.
const REFUSAL: HeaderName = HeaderName::from_static("x-refusal");

fn main() -> piton::Exit {
    if std::env::var_os("TOKEN_SERVICE_PORT").is_some() {
        // The Python process holds the other end: the service ends with it, also when it is killed.
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
    }
    let hooks = std::env::var("TOKEN_SERVICE_HOOKS").unwrap_or_default();
    let mut app = App::new("token-service");
    for hook in hooks.split_terminator(',') {
        app = with_hook(app, hook);
    }
    guarded().into_iter().fold(app, App::route).run()
}

fn with_hook(app: App, hook: &str) -> App {
    match hook {
        "claims" => {
            app.token_claims(|identity| claims_of(ask("claims", json!({ "identity": identity }))?))
        }
        "headers" => app
            .token_headers(|identity| claims_of(ask("headers", json!({ "identity": identity }))?)),
        "revoked" => app.token_revoked(|token| async move { yes("revoked", &token) }),
        "verified" => app.token_verified(|token| async move { yes("verified", &token) }),
        // The object stays in Python; its number stands for it.
        "user" => {
            app.token_user(|token| async move { Ok(ask("user", token_json(&token))?.as_u64()) })
        }
        "refused" => app.token_refused(respond_to_refusal),
        other => panic!("no hook `{other}`"),
    }
}

fn yes(hook: &str, token: &Identity) -> Result<bool> {
    let answer = ask(hook, token_json(token))?;
    answer.as_bool().ok_or_else(|| Error::internal(format!("`{hook}` is answered {answer}")))
}

fn claims_of(answer: Value) -> Result<Claims> {
    match answer {
        Value::Object(claims) => Ok(claims),
        Value::Null => Ok(Claims::new()),
        other => Err(Error::internal(format!("claims are an object, and not {other}"))),
    }
}

/// Returns the response of the test's own loader for this kind of refusal, if there is one.
fn respond_to_refusal(refusal: &Refusal, token: Option<&Identity>) -> Option<Response> {
    let mut question = token.map_or_else(|| json!({}), token_json);
    question["kind"] = json!(kind(refusal.kind()));
    question["words"] = json!(refusal.to_string());
    let answer = ask("refused", question).ok()?;
    let status = u16::try_from(answer["status"].as_u64()?).ok()?;
    let media_type = answer["type"].as_str().unwrap_or("text/plain").to_owned();
    let body = answer["body"].as_str()?.to_owned();
    let status = StatusCode::from_u16(status).ok()?;
    let words = HeaderValue::from_str(&refusal.to_string()).ok()?;
    let media_type = HeaderValue::from_str(&media_type).ok()?;
    Some((status, [(CONTENT_TYPE, media_type), (REFUSAL, words)], body).into_response())
}

const fn kind(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Missing => "missing",
        RefusalKind::Invalid => "invalid",
        RefusalKind::Expired => "expired",
        RefusalKind::NotFresh => "not_fresh",
        RefusalKind::Revoked => "revoked",
        RefusalKind::Misplaced => "misplaced",
        RefusalKind::Csrf => "csrf",
        RefusalKind::NotVerified => "verification",
        RefusalKind::UnknownUser => "user",
    }
}

/// Asks the Python process, which runs the test's own loader.
fn ask(hook: &str, mut question: Value) -> Result<Value> {
    question["hook"] = json!(hook);
    let port = std::env::var("TOKEN_SERVICE_PORT").unwrap_or_default();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).map_err(Error::internal)?;
    writeln!(stream, "{question}").map_err(Error::internal)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(Error::internal)?;
    // Empty if the loader raised an exception, which is an error here because it is not JSON.
    serde_json::from_str(&answer).map_err(Error::internal)
}

/// Returns all that the accessors of a token return.
fn token_json(token: &Identity) -> Value {
    json!({
        "header": token.header(),
        "claims": token.claims(),
        "identity": token.value(),
        "jti": token.token_id(),
        "type": token.token_type().name(),
        "fresh": token.is_fresh(),
        "location": token.location().map(TokenLocation::name),
    })
}

/// A route for every guard that there is with one of the lists of locations that the tests use, such as
/// `/guard/any+fresh/headers`.
fn guarded() -> Vec<Route> {
    type Set = fn(TokenGuard) -> TokenGuard;

    const METHODS: [Method; 5] =
        [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    const LOCATIONS: [&[TokenLocation]; 3] = [
        &[],
        &[TokenLocation::Headers],
        &[
            TokenLocation::Headers,
            TokenLocation::Cookies,
            TokenLocation::QueryString,
            TokenLocation::Json,
        ],
    ];
    const OPTIONS: [(&str, Set); 5] = [
        ("any_type", |guard| guard.verify_type(false)),
        ("fresh", TokenGuard::fresh),
        ("optional", TokenGuard::optional),
        ("refresh", TokenGuard::refresh),
        ("skip_revocation_check", TokenGuard::skip_revocation_check),
    ];
    let mut routes = Vec::new();
    for (locations, bits) in
        LOCATIONS.into_iter().flat_map(|it| (0..32).map(move |bits| (it, bits)))
    {
        let (mut guard, mut name) = (TokenGuard::new(), "any".to_owned());
        let is_set = |(bit, _): &(usize, _)| bits & (1 << bit) != 0;
        for (_, (option, set)) in OPTIONS.into_iter().enumerate().filter(is_set) {
            guard = set(guard);
            name = format!("{name}+{option}");
        }
        let mut places: Vec<_> = locations.iter().map(|location| location.name()).collect();
        match locations {
            [] => places.push("any"),
            _ => guard = guard.locations(locations),
        }
        let path = format!("/guard/{name}/{}", places.join("+"));
        routes.push(piton::http::route(&METHODS, path, passed).guard(guard));
    }
    routes
}

/// Shows the token that the guard has let in.
async fn passed(token: Option<Identity>, user: Option<CurrentUser<u64>>) -> impl IntoResponse {
    let shown = token.as_ref().map(|token| {
        let mut shown = token_json(token);
        shown["user"] = json!(user.as_deref());
        shown
    });
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
    let is_stale = wanted["fresh"].as_f64().is_some_and(|seconds| seconds < 0.0);
    token = match &wanted["expires"] {
        Value::Number(seconds) => token.expires_in(duration(seconds.as_f64())),
        Value::Bool(false) => token.never_expires(),
        _ => token,
    };
    let empty = Map::new();
    for (name, value) in wanted["headers"].as_object().unwrap_or(&empty) {
        token = token.header(name, value.clone());
    }
    for (name, value) in wanted["claims"].as_object().unwrap_or(&empty) {
        token = token.claim(name, value.clone());
    }
    let token = token.sign()?;
    // `fresh_for` counts whole seconds: the one of no time at all ends with the current second.
    while is_stale && tokens.read(&token).is_ok_and(|token| token.is_fresh()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(token)
}

/// A duration is never negative in Rust: no time at all is over as soon as it has begun.
fn duration(seconds: Option<f64>) -> Duration {
    Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default()
}

/// Reads a token that no guard has seen.
#[post("/read")]
async fn read(tokens: Tokens, Json(wanted): Json<Value>) -> Response {
    let mut reader = tokens.reader();
    if wanted["allow_expired"] == true {
        reader = reader.allow_expired();
    }
    if let Some(csrf) = wanted["csrf"].as_str() {
        reader = reader.csrf(csrf);
    }
    match reader.read(wanted["token"].as_str().unwrap_or_default()) {
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
    let cookies = tokens.cookies(wanted["token"].as_str().unwrap_or_default())?;
    let cookies = match &wanted["max_age"] {
        Value::Number(seconds) => cookies.max_age(duration(seconds.as_f64())),
        _ => cookies,
    };
    Ok((of_domain(cookies, &wanted), NoContent).into_response())
}

/// Answers with the cookies that end those of a token.
#[post("/no-cookies")]
async fn no_cookies(tokens: Tokens, Json(wanted): Json<Value>) -> Response {
    let cookies = match wanted["of"].as_str() {
        Some("access") => tokens.unset_access_cookies(),
        Some("refresh") => tokens.unset_refresh_cookies(),
        _ => tokens.no_cookies(),
    };
    (of_domain(cookies, &wanted), NoContent).into_response()
}

fn of_domain(cookies: TokenCookies, wanted: &Value) -> TokenCookies {
    match wanted["domain"].as_str() {
        Some(domain) => cookies.domain(domain),
        None => cookies,
    }
}
