//! The hooks of the service.

use super::*;

#[derive(Debug)]
struct User {
    name: String,
}

async fn user(user: CurrentUser<User>) -> String {
    user.name.clone()
}

async fn perhaps_user(user: Option<CurrentUser<User>>) -> String {
    user.map_or_else(|| "nobody".into(), |user| user.name.clone())
}

fn users() -> App {
    let app = app().route(get("/user", user)).route(get("/perhaps-user", perhaps_user));
    app.route(get("/guarded-user", user).guard(TokenGuard::new().fresh()))
}

#[crate::test]
async fn a_user_is_loaded_once_and_an_unknown_one_is_refused() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static LOADED: AtomicUsize = AtomicUsize::new(0);
    let app = users().token_user(|token| async move {
        LOADED.fetch_add(1, Ordering::Relaxed);
        match token.subject() {
            "gone" => Ok(None),
            "unlucky" => Err(Error::unavailable("the database is away")),
            name => Ok(Some(User { name: name.to_uppercase() })),
        }
    });
    let app = TestApp::new(app).await;
    let token = |who: &str| app.handle().tokens().access(who).fresh().sign().unwrap();
    assert_eq!(with(&app, "/user", &token("ada")).await.text(), "ADA");
    assert_eq!(with(&app, "/guarded-user", &token("ada")).await.text(), "ADA");
    assert_eq!(with(&app, "/perhaps-user", &token("ada")).await.text(), "ADA");
    assert_eq!(LOADED.load(Ordering::Relaxed), 3);
    assert_eq!(app.get("/perhaps-user").await.text(), "nobody");
    assert_eq!(app.get("/user").await.status(), 401);
    for path in ["/user", "/me"] {
        let gone = with(&app, path, &token("gone")).await;
        assert_eq!(gone.status(), 401);
        assert_eq!(gone.json::<Value>()["detail"], "Error loading the user gone");
    }
    assert_eq!(with(&app, "/user", &token("unlucky")).await.status(), 503);
    let without = TestApp::new(users()).await;
    assert_eq!(with(&without, "/user", &token("ada")).await.status(), 500);
}

fn named(name: &str, value: impl Into<Value>) -> Claims {
    Claims::from_iter([(name.to_owned(), value.into())])
}

#[crate::test]
async fn claims_and_headers_of_hooks_are_in_every_token_below_its_own() {
    let app = |nested: Option<&str>| {
        let app = app()
            .token_claims(|who| {
                if who == "broken" {
                    Err(Error::unavailable("no roles"))
                } else {
                    Ok(named("role", "user"))
                }
            })
            .token_headers(|_| Ok(named("hint", "a")));
        match nested {
            Some(name) => app.set("jwt.user_claims", name),
            None => app,
        }
    };
    let flat = TestApp::new(app(None)).await;
    let tokens = flat.handle().tokens();
    let read = |token: &NewToken<'_>| tokens.read(&token.sign().unwrap()).unwrap();
    assert_eq!(read(&tokens.access("ada")).claim::<String>("role").as_deref(), Some("user"));
    assert_eq!(read(&tokens.refresh("ada")).claim::<String>("role").as_deref(), Some("user"));
    let own = tokens.access("ada").claim("role", "admin").header("hint", "b").header("kid", "k");
    let own = read(&own);
    assert_eq!(own.claim::<String>("role").as_deref(), Some("admin"));
    let header = json!({ "typ": "JWT", "alg": "HS256", "hint": "b", "kid": "k" });
    assert_eq!(Value::Object(own.header().clone()), header);
    assert_eq!(read(&tokens.access("ada")).header()["hint"], "a");
    assert!(tokens.access("broken").sign().is_err());
    for name in ["alg", "crit", "b64"] {
        assert!(tokens.access("ada").header(name, "none").sign().is_err(), "{name}");
    }
    // A renewed token has the claims of today, and keeps the others.
    let old = changed(|claims| {
        claims["role"] = json!("former admin");
        claims["team"] = json!("blue");
    });
    let answer = with(&flat, "/me", &signed(SECRET, &hs256(), &old)).await;
    let renewed = answer.header("authorization").trim_start_matches("Bearer ");
    let renewed = tokens.read(renewed).unwrap();
    assert_eq!(
        (&renewed.claims()["role"], &renewed.claims()["team"]),
        (&json!("user"), &json!("blue"))
    );

    let nested = TestApp::new(app(Some("user_claims"))).await;
    let tokens = nested.handle().tokens();
    let read = |token: &NewToken<'_>| tokens.read(&token.sign().unwrap()).unwrap();
    let own = read(&tokens.access("ada").claim("team", "blue").claim("exp", "is free here"));
    let expected = json!({ "role": "user", "team": "blue", "exp": "is free here" });
    assert_eq!(own.claims()["user_claims"], expected);
    assert!(!read(&tokens.refresh("ada")).claims().contains_key("user_claims"));
    let old = changed(|claims| claims["user_claims"] = json!({ "role": "x", "team": "blue" }));
    let answer = with(&nested, "/me", &signed(SECRET, &hs256(), &old)).await;
    let renewed = answer.header("authorization").trim_start_matches("Bearer ");
    let renewed = tokens.read(renewed).unwrap();
    assert_eq!(renewed.claims()["user_claims"], json!({ "role": "user", "team": "blue" }));
}

#[crate::test]
async fn a_hook_can_replace_the_response_of_a_refusal() {
    let app = app().token_refused(|refusal, token| {
        use axum::response::IntoResponse;
        let name = token.map(|token| token.subject().to_owned()).unwrap_or_default();
        match refusal.kind() {
            RefusalKind::Expired => {
                Some((http::StatusCode::GONE, format!("{name}, again")).into_response())
            }
            RefusalKind::NotFresh => {
                Some(Error::forbidden(format!("{name} is stale")).into_response())
            }
            RefusalKind::Invalid => Some(
                (http::StatusCode::IM_A_TEAPOT, axum::Json(json!({ "no": refusal.to_string() })))
                    .into_response(),
            ),
            _ => None,
        }
    });
    let app = TestApp::new(app).await;
    let expired = signed(SECRET, &hs256(), &changed(|claims| claims["exp"] = json!(1)));
    let gone = with(&app, "/me", &expired).await;
    assert_eq!((gone.status().as_u16(), gone.text().as_str()), (410, "ada@example.org, again"));
    let token = app.handle().tokens().access("ada").sign().unwrap();
    let stale = with(&app, "/fresh", &token).await;
    assert_eq!(stale.status(), 403);
    assert_eq!(stale.json::<Value>()["detail"], "ada is stale");
    let teapot = with(&app, "/me", "x").await;
    assert_eq!(
        (teapot.status().as_u16(), teapot.json::<Value>()),
        (418, json!({ "no": "Not enough segments" }))
    );
    assert_eq!(app.get("/me").await.status(), 401);
}

#[crate::test]
async fn tokens_are_read_with_options() {
    let app = TestApp::new(app().set("jwt.location", json!(["cookies"]))).await;
    let tokens = app.handle().tokens();
    let expired = signed(SECRET, &hs256(), &changed(|claims| claims["exp"] = json!(1)));
    assert_eq!(tokens.reader().read(&expired).unwrap_err().kind(), RefusalKind::Expired);
    let read = tokens.reader().allow_expired().read(&expired).unwrap();
    assert_eq!((read.subject(), read.location()), ("ada@example.org", None));
    let forged = signed("another secret of 32 characters...", &hs256(), &claims());
    assert!(tokens.reader().allow_expired().read(&forged).is_err());
    let token = tokens.access("ada").sign().unwrap();
    let csrf = tokens.csrf_token(&token).unwrap();
    assert!(tokens.reader().csrf(&csrf).read(&token).is_ok());
    assert_eq!(tokens.reader().csrf("x").read(&token).unwrap_err().kind(), RefusalKind::Csrf);
    assert_eq!(
        tokens.csrf_token(&signed(SECRET, &hs256(), &claims())).unwrap_err().to_string(),
        "Missing claim: csrf"
    );
}
