//! The locations of tokens, by the settings and by routes.

use super::*;

async fn echo(body: String) -> String {
    body
}

async fn located(who: Identity, body: String) -> Json<Value> {
    let location = who.location().map(TokenLocation::name);
    Json(json!({ "subject": who.subject(), "location": location, "body": body }))
}

fn places(locations: &[&str]) -> App {
    App::new("x")
        .set("jwt.secret_key", SECRET)
        .set("jwt.location", json!(locations))
        .route(post("/located", located))
        .route(get("/located", located))
        .route(post("/guarded", echo).guard(TokenGuard::new()))
        .route(post("/refresh", echo).guard(TokenGuard::new().refresh()))
}

#[crate::test]
async fn a_renewed_token_is_in_the_configured_header() {
    for (name, scheme, before) in [
        ("X-Token", "", ""),
        ("X-Token", "JWT", "JWT "),
        ("Authorization", "", ""),
        ("authorization", "Token", "Token "),
    ] {
        let app = app().set("jwt.header_name", name).set("jwt.header_type", scheme);
        let app = TestApp::new(app).await;
        let token = app.handle().tokens().access("ada").sign().unwrap();
        let answer = app.get("/me").header(name, &format!("{before}{token}")).await;
        assert_eq!(answer.status(), 200, "{name} {scheme}");
        let renewed = answer.header(name).strip_prefix(before).unwrap();
        assert!(app.handle().tokens().read(renewed).is_ok(), "{name} {scheme}");
        let wrong = app.get("/me").header(name, &format!("Bearer {token}")).await;
        let space = if scheme.is_empty() { "" } else { " " };
        let said = format!("Bad {name} header. Expected value '{scheme}{space}<JWT>'");
        assert_eq!(wrong.json::<Value>()["detail"], said);
        let nothing = app.get("/me").await.json::<Value>();
        assert_eq!(nothing["detail"], format!("Missing {name} Header"));
    }
}

#[crate::test]
async fn a_token_in_a_query_is_accepted_and_not_logged() {
    let app = App::new("x")
        .set("jwt.secret_key", SECRET)
        .set("jwt.location", json!(["query_string"]))
        .set("jwt.query_string_name", "at")
        .set("jwt.query_string_value_prefix", "Bearer ")
        .route(get("/me", me));
    let app = TestApp::new(app).await;
    let token = app.handle().tokens().access("ada").sign().unwrap();
    let shown = |value: &str| app.get(&format!("/me?x=1&at={value}"));
    assert_eq!(shown(&format!("Bearer%20{token}")).await.status(), 200);
    assert_eq!(shown(&format!("Bearer+{token}")).await.status(), 200);
    let wrong = shown(&token).await;
    let said = wrong.json::<Value>();
    assert_eq!(
        said["detail"],
        "Invalid value for query parameter 'at'. Expected the value to start with 'Bearer '"
    );
    assert!(!wrong.text().contains(&token), "{}", wrong.text());
    let missing = app.get("/me?x=1").await.json::<Value>();
    assert_eq!(missing["detail"], "Missing \"at\" query paramater");
}

#[crate::test]
async fn a_token_in_a_json_body_leaves_the_body_to_the_handler() {
    let app = TestApp::new(places(&["headers", "json"])).await;
    let tokens = app.handle().tokens();
    let access = tokens.access("ada").sign().unwrap();
    let refresh = tokens.refresh("ada").sign().unwrap();
    let body = json!({ "large": "x".repeat(100_000), "access_token": access, "n": [1, {}] });
    let body = body.to_string();
    let send = |path: &str, body: &str| {
        app.post(path).header("content-type", "application/json").body(body.to_owned())
    };
    // An argument without a guard, and a guard without an argument.
    let answer = send("/located", &body).await.json::<Value>();
    assert_eq!((&answer["subject"], &answer["location"]), (&json!("ada"), &json!("json")));
    assert_eq!(answer["body"], body);
    assert_eq!(send("/guarded", &body).await.text(), body);
    let refreshing = json!({ "refresh_token": refresh }).to_string();
    assert_eq!(send("/refresh", &refreshing).await.text(), refreshing);
    // A token in the header, which comes first, leaves the body alone.
    let bearer = format!("Bearer {access}");
    let by_header = app.post("/located").header("authorization", &bearer).body("no JSON");
    assert_eq!(by_header.await.json::<Value>()["location"], "headers");
    let missing = "Missing JWT in headers or json (Missing Authorization Header; ";
    for (kind, body, said) in [
        ("text/plain", body.as_str(), "Invalid content-type. Must be application/json.)"),
        ("application/json", "{}", "Missing \"access_token\" key in json data.)"),
        ("application/json", "[]", "Missing \"access_token\" key in json data.)"),
        ("application/json", "{", "Missing \"access_token\" key in json data.)"),
        ("application/json", "", "Missing \"access_token\" key in json data.)"),
        (
            "application/json",
            r#"{"access_token":""}"#,
            "Missing \"access_token\" key in json data.)",
        ),
    ] {
        for path in ["/located", "/guarded"] {
            let answer = app.post(path).header("content-type", kind).body(body.to_owned()).await;
            assert_eq!(answer.status(), 401, "{kind} {body}");
            assert_eq!(answer.json::<Value>()["detail"], format!("{missing}{said}"));
        }
    }
    let number = send("/guarded", r#"{"access_token":7}"#).await;
    assert_eq!(number.json::<Value>()["detail"], "Invalid token type. Token must be text");
    let charset = "application/json; charset=utf-8";
    let answer = app.post("/guarded").header("content-type", charset).body(body.clone()).await;
    assert_eq!(answer.status(), 200);
}

#[crate::test]
async fn a_body_buffered_for_its_token_is_within_the_body_limit() {
    let app = TestApp::new(places(&["json"]).set("http.body_limit", "10KB")).await;
    let token = app.handle().tokens().access("ada").sign().unwrap();
    for path in ["/located", "/guarded"] {
        let body = json!({ "large": "x".repeat(20_000), "access_token": token }).to_string();
        let answer = app.post(path).header("content-type", "application/json").body(body).await;
        assert_eq!(answer.status(), 413);
    }
}

#[crate::test]
async fn a_form_field_may_carry_the_csrf_token() {
    let app = places(&["cookies"])
        .set("jwt.csrf_check_form", true)
        .set("jwt.access_csrf_field_name", "proof")
        .set("jwt.access_csrf_header_name", "X-Proof")
        .set("jwt.access_cookie_name", "at");
    let app = TestApp::new(app).await;
    let tokens = app.handle().tokens();
    let token = tokens.access("ada").sign().unwrap();
    let proof = tokens.csrf_token(&token).unwrap();
    let send = |body: &str| {
        let request = app.post("/guarded").header("cookie", &format!("at={token}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(body.to_owned())
    };
    let body = format!("a=1&proof={proof}");
    assert_eq!(send(&body).await.text(), body);
    let wrong = send("proof=x").await.json::<Value>();
    assert_eq!(wrong["detail"], "CSRF double submit tokens do not match");
    assert_eq!(send("a=1").await.json::<Value>()["detail"], "Missing CSRF token");
    assert_eq!(send("a=1").header("x-proof", &proof).await.text(), "a=1");
    let old_header = send("a=1").header("x-csrf-token", &proof).await;
    assert_eq!(old_header.status(), 401);
    let read = app.get("/located").header("cookie", &format!("at={token}")).await;
    assert_eq!(read.status(), 200);
}

#[crate::test]
async fn cookies_have_the_names_paths_and_attributes_of_the_settings() {
    async fn login(tokens: Tokens) -> Result<(TokenCookies, &'static str)> {
        let token = tokens.access("ada").sign()?;
        Ok((tokens.cookies(&token)?.max_age(Duration::from_secs(7)).domain("a.example"), "in"))
    }
    async fn wrong(tokens: Tokens) -> Result<(TokenCookies, &'static str)> {
        let token = tokens.access("ada").sign()?;
        Ok((tokens.cookies(&token)?.domain("x; Secure"), "in"))
    }
    async fn out(tokens: Tokens) -> (TokenCookies, &'static str) {
        (tokens.unset_refresh_cookies(), "out")
    }
    let app = places(&["cookies"])
        .set("jwt.access_cookie_name", "at")
        .set("jwt.access_cookie_path", "/api")
        .set("jwt.access_csrf_cookie_name", "ac")
        .set("jwt.access_csrf_cookie_path", "/page")
        .set("jwt.cookie_secure", true)
        .set("jwt.cookie_samesite", "strict")
        .set("jwt.csrf_methods", json!(["get"]))
        .route(post("/login", login))
        .route(post("/wrong", wrong))
        .route(post("/out", out));
    let app = TestApp::new(app).await;
    let lines = |answer: &TestResponse| {
        let lines = answer.headers().get_all("set-cookie").iter();
        lines.map(|line| line.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let cookies = lines(&app.post("/login").await);
    let end = "Domain=a.example; Secure; SameSite=Strict";
    assert!(cookies[0].starts_with("at=ey"), "{cookies:?}");
    assert!(cookies[0].contains("; Max-Age=7; Expires="), "{cookies:?}");
    assert!(cookies[0].ends_with(&format!(" GMT; HttpOnly; Path=/api; {end}")), "{cookies:?}");
    assert!(cookies[1].starts_with("ac="), "{cookies:?}");
    assert!(cookies[1].ends_with(&format!(" GMT; Path=/page; {end}")), "{cookies:?}");
    let out = lines(&app.post("/out").await);
    let gone = "refresh_token_cookie=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert!(out[0].starts_with(gone), "{out:?}");
    assert_eq!(out.len(), 2);
    assert_eq!(app.post("/wrong").await.status(), 500);
    // Only the methods of the settings need the proof.
    let token = app.handle().tokens().access("ada").sign().unwrap();
    let cookie = format!("at={token}");
    assert_eq!(app.post("/located").header("cookie", &cookie).await.status(), 200);
    assert_eq!(app.get("/located").header("cookie", &cookie).await.status(), 401);

    let app =
        places(&["cookies"]).set("jwt.csrf_in_cookies", false).set("jwt.session_cookie", false);
    let app = app.set("jwt.access_token_expires", false).route(post("/login", login));
    let app = TestApp::new(app).await;
    let tokens = app.handle().tokens();
    let token = tokens.access("ada").sign().unwrap();
    let cookies = format!("{:?}", tokens.cookies(&token).unwrap());
    assert!(!cookies.contains(&token) && !cookies.contains("csrf"), "{cookies}");
    assert_eq!(lines(&app.post("/login").await).len(), 1);
}

#[crate::test]
async fn a_route_has_locations_and_types_of_its_own() {
    const HEADERS: &[TokenLocation] = &[TokenLocation::Headers];
    const QUERY: &[TokenLocation] = &[TokenLocation::QueryString, TokenLocation::Headers];
    let app = App::new("x")
        .set("jwt.secret_key", SECRET)
        .set("jwt.location", json!(["headers", "cookies"]))
        .route(get("/headers", perhaps).guard(TokenGuard::new().locations(HEADERS)))
        .route(get("/query", perhaps).guard(TokenGuard::new().locations(QUERY)))
        .route(get("/optional", perhaps).guard(TokenGuard::new().locations(HEADERS).optional()))
        .route(get("/needed", me).guard(TokenGuard::new().locations(HEADERS).optional()))
        .route(get("/any", perhaps).guard(TokenGuard::new().verify_type(false)))
        .route(get("/anyway", perhaps).guard(TokenGuard::new().skip_revocation_check()))
        .route(get("/listed", perhaps).guard(TokenGuard::new()))
        .token_revoked(|token| async move { Ok(token.subject() == "thief") });
    let app = TestApp::new(app).await;
    let tokens = app.handle().tokens();
    let token = tokens.access("ada").sign().unwrap();
    let cookie = format!("access_token_cookie={token}");
    assert_eq!(app.get("/headers").header("cookie", &cookie).await.status(), 401);
    assert_eq!(with(&app, "/headers", &token).await.text(), "ada");
    // An argument does not look where the guard did not.
    assert_eq!(app.get("/optional").header("cookie", &cookie).await.text(), "nobody");
    let needed = app.get("/needed").header("cookie", &cookie).await;
    assert_eq!(needed.json::<Value>()["detail"], "Missing Authorization Header");
    assert_eq!(app.get("/listed").header("cookie", &cookie).await.text(), "ada");
    assert_eq!(app.get(&format!("/query?jwt={token}")).await.text(), "ada");
    assert_eq!(app.get(&format!("/listed?jwt={token}")).await.status(), 401);
    let missing = app.get("/query").await.json::<Value>();
    assert_eq!(
        missing["detail"],
        "Missing JWT in query_string or headers (Missing \"jwt\" query paramater; Missing \
         Authorization Header)"
    );
    let refresh = tokens.refresh("ada").sign().unwrap();
    assert_eq!(with(&app, "/any", &refresh).await.text(), "ada");
    assert_eq!(with(&app, "/any", &token).await.text(), "ada");
    assert_eq!(with(&app, "/listed", &refresh).await.status(), 401);
    let thief = tokens.access("thief").sign().unwrap();
    assert_eq!(with(&app, "/listed", &thief).await.status(), 401);
    assert_eq!(with(&app, "/anyway", &thief).await.text(), "thief");
}

#[crate::test]
async fn cookies_with_a_prefix_are_secure_and_have_no_domain() {
    async fn login(tokens: Tokens) -> Result<(TokenCookies, &'static str)> {
        let token = tokens.access("ada").sign()?;
        Ok((tokens.cookies(&token)?.max_age(Duration::MAX), "in"))
    }
    async fn elsewhere(tokens: Tokens) -> Result<(TokenCookies, &'static str)> {
        let token = tokens.access("ada").sign()?;
        Ok((tokens.cookies(&token)?.domain("a.example"), "in"))
    }
    for (name, domain_status) in [("__host-at", 500), ("__Secure-at", 200), ("at", 200)] {
        let app = places(&["cookies"])
            .set("jwt.access_cookie_name", name)
            .route(post("/login", login))
            .route(post("/elsewhere", elsewhere));
        let app = TestApp::new(app).await;
        let answer = app.post("/login").await;
        let lines: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
        let lines: Vec<_> = lines.iter().map(|line| line.to_str().unwrap()).collect();
        assert_eq!(lines[0].contains("; Secure"), name != "at", "{lines:?}");
        assert!(!lines[1].contains("; Secure"), "{lines:?}");
        assert!(lines[0].contains("Expires=Fri, 31 Dec 9999 23:59:59 GMT"), "{lines:?}");
        assert_eq!(app.post("/elsewhere").await.status(), domain_status, "{name}");
    }
}
