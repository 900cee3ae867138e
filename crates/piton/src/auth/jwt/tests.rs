use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::app::App;
use crate::http::{Blueprint, Error, Json, Result, get, post};
use crate::testing::{TestApp, TestResponse};

mod checked;
mod flask_style;
mod hooks;
mod keys;
mod locations;
mod renewal;
mod wrong_settings;

const SECRET: &str = "a secret of 32 characters, no less";

async fn me(who: Identity) -> Json<Value> {
    Json(json!({ "subject": who.subject(), "value": who.value(), "fresh": who.is_fresh() }))
}

async fn perhaps(who: Option<Identity>) -> String {
    who.map_or_else(|| "nobody".into(), |who| who.subject().to_owned())
}

async fn open() -> &'static str {
    "open"
}

async fn fails(_: Identity) -> Result<()> {
    Err(Error::conflict("not now"))
}

async fn logout(who: Identity) {
    who.end();
}

fn app() -> App {
    App::new("piste")
        .set("jwt.secret_key", SECRET)
        .set("jwt.renew", true)
        .route(get("/me", me))
        .route(post("/me", me))
        .route(get("/perhaps", perhaps))
        .route(get("/open", open))
        .route(get("/fails", fails))
        .route(post("/logout", logout))
        .route(get("/fresh", open).guard(TokenGuard::new().fresh()))
        .route(get("/refresh", perhaps).guard(TokenGuard::new().refresh()))
        .blueprint(
            Blueprint::new("/inside")
                .guard(|| Box::new(TokenGuard::new()))
                .route(get("/", open))
                .route(get("/public", open).public()),
        )
}

async fn with(app: &TestApp, path: &str, token: &str) -> TestResponse {
    app.get(path).header("authorization", &format!("Bearer {token}")).await
}

/// A token that says `claims`, signed with `secret`.
fn signed(secret: &str, header: &Value, claims: &Value) -> String {
    signed_text(secret, header, &claims.to_string())
}

/// Returns a token whose payload is `claims`, verbatim.
fn signed_text(secret: &str, header: &Value, claims: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as base64;
    let message = format!("{}.{}", base64.encode(header.to_string()), base64.encode(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", base64.encode(signature))
}

fn claims() -> Value {
    let now = claims::now();
    json!({
        "iat": now, "nbf": now, "jti": "1", "exp": now + 900,
        "identity": "ada@example.org", "fresh": false, "type": "access",
    })
}

fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = claims();
    change(&mut claims);
    claims
}

fn hs256() -> Value {
    json!({ "typ": "JWT", "alg": "HS256" })
}

#[crate::test]
async fn a_token_opens_its_routes_and_is_renewed() {
    let app = TestApp::new(app()).await;
    let tokens = app.handle().tokens();
    let token = tokens.access("ada@example.org").claim("role", "admin").sign().unwrap();
    let answer = with(&app, "/me", &token).await;
    assert_eq!(answer.status(), 200);
    let expected =
        json!({ "subject": "ada@example.org", "value": "ada@example.org", "fresh": false });
    assert_eq!(answer.json::<Value>(), expected);
    let renewed = answer.header("authorization").strip_prefix("Bearer ").unwrap();
    let identity = tokens.read(renewed).unwrap();
    assert_eq!(identity.subject(), "ada@example.org");
    assert_eq!(identity.claim::<String>("role").unwrap(), "admin");
    assert!(!identity.is_fresh());
    assert_ne!(identity.token_id(), tokens.read(&token).unwrap().token_id());
}

#[crate::test]
async fn only_a_route_that_asks_renews_also_when_it_fails_but_not_after_a_logout() {
    let app = TestApp::new(app()).await;
    let token = app.handle().tokens().access("ada").sign().unwrap();
    assert_eq!(with(&app, "/open", &token).await.header("authorization"), "");
    let failed = with(&app, "/fails", &token).await;
    assert_eq!(failed.status(), 409);
    assert!(failed.header("authorization").starts_with("Bearer "));
    assert!(with(&app, "/perhaps", &token).await.header("authorization").starts_with("Bearer "));
    let bearer = format!("Bearer {token}");
    let out = app.post("/logout").header("authorization", &bearer).await;
    assert_eq!((out.status().as_u16(), out.header("authorization")), (200, ""));
}

/// Returns a token with `more` as a part of its payload, verbatim.
fn saying(more: &str) -> String {
    let now = claims::now();
    let claims = format!(
        r#"{{"iat":{now},"nbf":{now},"jti":"1","exp":{},"type":"access",{more}}}"#,
        now + 900
    );
    signed_text(SECRET, &hs256(), &claims)
}

/// Returns the payload of the token in the response's `Authorization` header.
fn renewed(answer: &TestResponse) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as base64;
    let token = answer.header("authorization").trim_start_matches("Bearer ");
    let payload = token.split('.').nth(1).unwrap_or_default();
    String::from_utf8(base64.decode(payload).unwrap()).unwrap()
}

#[crate::test]
async fn numbers_keep_their_value_however_large_they_are() {
    let app = TestApp::new(app()).await;
    for (written, subject) in [
        ("1180591620717411303424", "1180591620717411303424"),
        ("1180591620717411303425", "1180591620717411303425"),
        ("-1180591620717411303425", "-1180591620717411303425"),
        ("18446744073709551616", "18446744073709551616"),
        ("18446744073709551615", "18446744073709551615"),
        ("1.0", "1.0"),
        ("1", "1"),
        ("1e2", "100.0"),
        ("0.10000000000000000001", "0.10000000000000000001"),
        (r#"{"id":1180591620717411303425}"#, r#"{"id":"1180591620717411303425"}"#),
        (r#"[[[1180591620717411303425]]]"#, r#"[[["1180591620717411303425"]]]"#),
    ] {
        for name in ["identity", "sub"] {
            let more = format!(r#""{name}":{written},"account":{{"of":[{written}]}}"#);
            let answer = with(&app, "/me", &saying(&more)).await;
            assert_eq!(answer.status(), 200, "{more}");
            let said = answer.json::<Value>();
            assert_eq!(said["subject"], subject, "{more}");
            let renewed = renewed(&answer);
            assert!(renewed.contains(&format!(r#""identity":{written},"#)), "{more}: {renewed}");
            let account = format!(r#""account":{{"of":[{written}]}}"#);
            assert!(renewed.contains(&account), "{more}: {renewed}");
            if !written.starts_with(['{', '[']) {
                assert!(renewed.contains(&format!(r#""sub":"{subject}""#)), "{more}: {renewed}");
            }
        }
    }
    let none = with(&app, "/me", &saying(r#""identity":-0"#)).await;
    assert_eq!((none.status().as_u16(), none.header("authorization")), (200, ""));
}

#[crate::test]
async fn a_number_is_not_the_text_with_the_same_digits() {
    let app = TestApp::new(app()).await;
    for name in ["identity", "sub"] {
        for (written, text) in [
            (r#""ada""#, Some("ada")),
            (r#""1180591620717411303424""#, Some("1180591620717411303424")),
            (r#""""#, Some("")),
            ("1180591620717411303424", None),
            ("0.10000000000000000001", None),
            ("7", None),
            ("null", None),
            (r#"{"id":"ada"}"#, None),
        ] {
            let token = saying(&format!(r#""{name}":{written}"#));
            let identity = app.handle().tokens().read(&token).unwrap();
            assert_eq!(identity.text(), text, "{name}: {written}");
        }
    }
}

#[crate::test]
async fn the_private_marker_of_serde_json_is_not_read_as_claims() {
    let app = TestApp::new(app()).await;
    for more in [
        r#""identity":{"$serde_json::private::RawValue":"\"ada\""}"#,
        r#""identity":{"\u0024serde_json::private::RawValue":"\"ada\""}"#,
        r#""identity":"ada","more":[{"$serde_json::private::RawValue":"1"}]"#,
    ] {
        let answer = with(&app, "/me", &saying(more)).await;
        assert_eq!(answer.status(), 401, "{more}");
        let detail = answer.json::<Value>()["detail"].to_string();
        assert!(detail.contains("are reserved"), "{detail}");
    }
    let text = saying(r#""identity":"$serde_json::private::RawValue""#);
    assert_eq!(with(&app, "/me", &text).await.status(), 200);
}

#[crate::test]
async fn a_claim_beyond_64_bits_is_read_exactly() {
    let app = TestApp::new(app()).await;
    let token = saying(r#""identity":"ada","account":1180591620717411303425,"share":0.5"#);
    let identity = app.handle().tokens().read(&token).unwrap();
    assert_eq!(identity.claim::<u128>("account"), Some(1_180_591_620_717_411_303_425));
    assert_eq!(identity.claim::<String>("account").as_deref(), Some("1180591620717411303425"));
    assert_eq!(identity.claim::<Value>("account"), Some(json!("1180591620717411303425")));
    assert_eq!(identity.claim::<u64>("account"), None);
    assert_eq!(identity.claim::<f64>("share"), Some(0.5));
    assert_eq!(identity.claims()["account"], json!("1180591620717411303425"));
}

#[crate::test]
async fn a_payload_beyond_the_limits_is_refused_with_the_reason() {
    let app = TestApp::new(app()).await;
    let deep = format!(r#""identity":{}{}"#, "[".repeat(200), "]".repeat(200));
    for (more, said) in [
        (r#""identity":1e400"#, "Invalid payload string: a number is out of range"),
        (&*deep, "Invalid payload string: nested too deeply"),
        (r#""identity":NaN"#, "Invalid payload string: not JSON (RFC 8259)"),
    ] {
        let answer = with(&app, "/me", &saying(more)).await;
        assert_eq!(answer.status(), 401, "{said}");
        assert_eq!(answer.json::<Value>()["detail"], said);
    }
    let never = saying(r#""identity":"ada","exp":1180591620717411303425"#);
    assert_eq!(with(&app, "/me", &never).await.status(), 200);
    let identity = app.handle().tokens().read(&never).unwrap();
    assert_eq!(identity.expires(), Some(u64::MAX));
}

#[crate::test]
async fn gnar_style_refuses_in_the_envelope_with_200_and_requires_no_claims() {
    let app = TestApp::new(app().set("http.error_style", "gnar")).await;
    let refused = app.get("/me").await;
    assert_eq!(refused.status(), 200);
    assert_eq!(refused.text(), r#"{"error":"Missing Authorization Header"}"#);
    assert_eq!(refused.header("www-authenticate"), "");
    let bare = signed(SECRET, &hs256(), &json!({ "identity": 7 }));
    let answer = with(&app, "/me", &bare).await.json::<Value>();
    assert_eq!((answer["subject"].as_str(), answer["value"].as_i64()), (Some("7"), Some(7)));
}

#[crate::test]
async fn a_guard_runs_before_the_handler_and_a_routes_guard_replaces_its_blueprints() {
    let app = TestApp::new(app()).await;
    let tokens = app.handle().tokens();
    let stale = tokens.access("ada").sign().unwrap();
    let fresh = tokens.access("ada").fresh().sign().unwrap();
    let until = tokens.access("ada").fresh_for(Duration::from_secs(60)).sign().unwrap();
    let refused = with(&app, "/fresh", &stale).await;
    assert_eq!(
        (refused.status().as_u16(), refused.json::<Value>()["detail"].as_str()),
        (401, Some("Fresh token required"))
    );
    assert_eq!(with(&app, "/fresh", &fresh).await.status(), 200);
    assert_eq!(with(&app, "/fresh", &until).await.status(), 200);
    let refresh = tokens.refresh("ada").sign().unwrap();
    assert_eq!(with(&app, "/refresh", &refresh).await.text(), "ada");
    assert_eq!(
        with(&app, "/refresh", &fresh).await.json::<Value>()["detail"],
        "Only refresh tokens are allowed"
    );
    assert_eq!(with(&app, "/me", &refresh).await.status(), 401);
    assert_eq!(app.get("/inside").await.status(), 401);
    assert_eq!(with(&app, "/inside", &stale).await.status(), 200);
    assert_eq!(app.get("/inside/public").await.status(), 200);
}

#[crate::test]
async fn a_revoked_token_is_refused_and_so_is_any_while_the_deny_list_fails() {
    let app = TestApp::new(app().token_revoked(|token| async move {
        match token.subject() {
            "thief" => Ok(true),
            "unlucky" => Err(Error::unavailable("the list is away")),
            _ => Ok(false),
        }
    }))
    .await;
    let token = |who: &str| app.handle().tokens().access(who).sign().unwrap();
    let refused = with(&app, "/me", &token("thief")).await;
    assert_eq!(refused.json::<Value>()["detail"], "Token has been revoked");
    assert_eq!(with(&app, "/me", &token("unlucky")).await.status(), 503);
    assert_eq!(with(&app, "/me", &token("ada")).await.status(), 200);
}

#[crate::test]
async fn a_token_in_a_cookie_needs_a_csrf_token() {
    let app = TestApp::new(app().set("jwt.location", json!(["headers", "cookies"]))).await;
    let tokens = app.handle().tokens();
    let token = tokens.access("ada").sign().unwrap();
    let csrf = tokens.read(&token).unwrap().claim::<String>("csrf").unwrap();
    let cookie = format!("theme=dark; access_token_cookie={token}");
    let read = app.get("/me").header("cookie", &cookie).await;
    assert_eq!(read.status(), 200);
    assert_eq!(read.header("authorization"), "", "a page must not read what is in the cookie");
    let change =
        |shown: &str| app.post("/me").header("cookie", &cookie).header("x-csrf-token", shown);
    assert_eq!(
        app.post("/me").header("cookie", &cookie).await.json::<Value>()["detail"],
        "Missing CSRF token"
    );
    assert_eq!(
        change("wrong").await.json::<Value>()["detail"],
        "CSRF double submit tokens do not match"
    );
    assert_eq!(change(&csrf).await.status(), 200);
    let foreign = [&b"x=\xe9; "[..], cookie.as_bytes()].concat();
    let foreign = http::HeaderValue::from_bytes(&foreign).unwrap();
    let beside =
        app.get("/me").header_value("cookie", foreign).header("authorization", "Basic eDp5");
    assert_eq!(
        beside.await.status(),
        200,
        "another cookie's letters and a proxy's password do no harm"
    );
    let nothing = app.get("/me").await.json::<Value>();
    assert_eq!(
        nothing["detail"],
        "Missing JWT in headers or cookies (Missing Authorization Header; Missing cookie \"access_token_cookie\")"
    );
}

#[crate::test]
async fn the_token_cookie_is_http_only_and_the_csrf_cookie_is_not() {
    async fn login(tokens: Tokens) -> Result<(TokenCookies, &'static str)> {
        let token = tokens.access("ada").fresh().sign()?;
        Ok((tokens.cookies(&token)?, "in"))
    }
    async fn out(tokens: Tokens) -> (TokenCookies, &'static str) {
        (tokens.no_cookies(), "out")
    }
    let app = app()
        .production(true)
        .set("jwt.location", json!(["cookies"]))
        .set("http.host", "127.0.0.1");
    let app = app.set("admin.address", "off").route(post("/login", login)).route(post("/out", out));
    let app = TestApp::new(app).await;
    let answer = app.post("/login").await;
    let cookies: Vec<_> =
        answer.headers().get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    assert!(cookies[0].starts_with("access_token_cookie=ey"), "{cookies:?}");
    assert!(cookies[0].ends_with("; HttpOnly; Path=/; Secure; SameSite=Lax"), "{cookies:?}");
    assert!(
        cookies[1].starts_with("csrf_access_token=") && !cookies[1].contains("HttpOnly"),
        "{cookies:?}"
    );
    let out = app.post("/out").await;
    assert_eq!(out.headers().get_all("set-cookie").iter().count(), 4);
    assert!(out.header("set-cookie").starts_with("access_token_cookie=; Max-Age=0"));
}

#[crate::test]
async fn previous_secrets_verify_but_do_not_sign() {
    let before = "the secret of before, 32 characters";
    let app = TestApp::new(app().set("jwt.previous_secret_keys", json!([before]))).await;
    let old = signed(before, &hs256(), &claims());
    let answer = with(&app, "/me", &old).await;
    assert_eq!(answer.status(), 200);
    let renewed = answer.header("authorization").trim_start_matches("Bearer ").to_owned();
    let alone = TestApp::new(self::app()).await;
    assert_eq!(with(&alone, "/me", &renewed).await.status(), 200);
    assert_eq!(with(&alone, "/me", &old).await.status(), 401);
}

#[crate::test]
async fn the_development_secret_is_kept_and_production_requires_one() {
    let without = || App::new("piste").route(get("/me", me));
    let first = TestApp::new(without()).await;
    let kept = std::fs::read_to_string(first.folder().join("data/jwt.secret")).unwrap();
    assert_eq!(kept.len(), 64);
    let token = first.handle().tokens().access("ada").sign().unwrap();
    assert_eq!(with(&first, "/me", &token).await.status(), 200);
    let sources = crate::app::LaunchSources::for_test();
    let refused = without().production(true).launch(sources).await.err().unwrap().report("piste");
    assert!(refused.contains("PITON_JWT_SECRET_KEY"), "{refused}");
}

#[test]
fn the_identity_is_in_the_claims_of_both_versions() {
    let (text, number, object) = (json!("ada"), json!(7), json!({ "id": 1 }));
    let named = |value, claim: &IdentityClaim| {
        let claims = new_token::identity_claims(value, None, claim).into_iter().flatten();
        let json = |(name, out): (&str, _)| (name.to_owned(), serde_json::to_value(out).unwrap());
        Value::Object(claims.map(json).collect())
    };
    let both = IdentityClaim::Both;
    let [sub, identity, uid] =
        ["sub", "identity", "uid"].map(|name| IdentityClaim::Named(name.into()));
    assert_eq!(named(&text, &both), json!({ "identity": "ada", "sub": "ada" }));
    assert_eq!(named(&number, &both), json!({ "identity": 7, "sub": "7" }));
    assert_eq!(named(&object, &both), json!({ "identity": object }));
    assert_eq!(named(&number, &sub), json!({ "sub": "7" }));
    assert_eq!(named(&object, &sub), json!({ "sub": object }));
    assert_eq!(named(&text, &identity), json!({ "identity": "ada" }));
    assert_eq!(named(&number, &uid), json!({ "uid": 7 }));
}
