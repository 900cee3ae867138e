//! Renewed tokens.

use super::*;

fn token_of(answer: &TestResponse) -> &str {
    answer.header("authorization").trim_start_matches("Bearer ")
}

#[crate::test]
async fn only_gnars_style_renews_by_itself() {
    let routes = || App::new("x").set("jwt.secret_key", SECRET).route(get("/me", me));
    for (app, renews) in [
        (routes(), false),
        (routes().set("http.error_style", "gnar"), true),
        (routes().set("jwt.renew", true), true),
        (routes().set("http.error_style", "gnar").set("jwt.renew", false), false),
    ] {
        let app = TestApp::new(app).await;
        let token = app.handle().tokens().access("ada").sign().unwrap();
        let answer = with(&app, "/me", &token).await;
        assert_eq!(!answer.header("authorization").is_empty(), renews);
    }
}

#[crate::test]
async fn a_renewed_token_lives_no_longer_than_the_one_in_the_request() {
    let app = TestApp::new(app()).await;
    let tokens = app.handle().tokens();
    let now = claims::now();
    let lifetime = |answer: &TestResponse| {
        let token = tokens.read(token_of(answer)).unwrap();
        token.expires().unwrap() - token.claim::<u64>("iat").unwrap()
    };
    let short = tokens.access("ada").expires_in(Duration::from_secs(5)).sign().unwrap();
    let answer = with(&app, "/me", &short).await;
    assert_eq!(lifetime(&answer), 5);
    let again = with(&app, "/me", token_of(&answer)).await;
    assert_eq!(lifetime(&again), 5);
    let long = tokens.access("ada").expires_in(Duration::from_secs(99_999)).sign().unwrap();
    assert_eq!(lifetime(&with(&app, "/me", &long).await), 900);
    // Without `iat`, what is left counts.
    let foreign = changed(|claims| {
        claims.as_object_mut().unwrap().remove("iat");
        claims["exp"] = json!(now + 60);
    });
    let left = lifetime(&with(&app, "/me", &signed(SECRET, &hs256(), &foreign)).await);
    assert!((55..=60).contains(&left), "{left}");
}

#[crate::test]
async fn a_renewed_token_keeps_its_family_for_the_deny_list() {
    let app = app().token_revoked(|token| async move {
        Ok(token.subject() == "thief" && token.family_id() == Some("first"))
    });
    let app = TestApp::new(app).await;
    let tokens = app.handle().tokens();
    let first = tokens.access("ada").claim("role", "admin").sign().unwrap();
    let id = tokens.read(&first).unwrap().token_id().unwrap().to_owned();
    assert_eq!(tokens.read(&first).unwrap().family_id(), Some(&*id));
    let mut token = first;
    for _ in 0..3 {
        let answer = with(&app, "/me", &token).await;
        token = token_of(&answer).to_owned();
        let renewed = tokens.read(&token).unwrap();
        assert_eq!(renewed.family_id(), Some(&*id));
        assert_ne!(renewed.token_id(), Some(&*id));
        assert_eq!(renewed.claim::<String>("role").as_deref(), Some("admin"));
    }
    let stolen = changed(|claims| {
        claims["identity"] = json!("thief");
        claims["jti"] = json!("later");
        claims["piton_family"] = json!("first");
    });
    let refused = with(&app, "/me", &signed(SECRET, &hs256(), &stolen)).await;
    assert_eq!(refused.json::<Value>()["detail"], "Token has been revoked");
    // A family that is no text is none, so that the list sees the token itself.
    let odd = changed(|claims| claims["piton_family"] = json!(["first"]));
    let odd = tokens.read(&signed(SECRET, &hs256(), &odd)).unwrap();
    assert_eq!(odd.family_id(), Some("1"));
    // What a refresh token is exchanged for is of its family if the service says so.
    let refresh = tokens.read(&tokens.refresh("ada").sign().unwrap()).unwrap();
    let access = tokens.access("ada").family_of(&refresh).sign().unwrap();
    assert_eq!(tokens.read(&access).unwrap().family_id(), refresh.token_id());
    assert!(tokens.access("ada").claim("piton_family", "Lovelace").sign().is_err());
}

#[crate::test]
async fn a_claim_named_family_belongs_to_the_service_and_to_other_issuers() {
    let app = app().token_revoked(|token| async move { Ok(token.family_id() == Some("Lovelace")) });
    let app = TestApp::new(app).await;
    let tokens = app.handle().tokens();
    let own = tokens.access("ada").claim("family", "Lovelace").sign().unwrap();
    let foreign = changed(|claims| claims["family"] = json!("Lovelace"));
    for token in [own, signed(SECRET, &hs256(), &foreign)] {
        let id = tokens.read(&token).unwrap().token_id().map(str::to_owned);
        assert_eq!(tokens.read(&token).unwrap().family_id(), id.as_deref());
        let answer = with(&app, "/me", &token).await;
        assert_eq!(answer.status(), 200);
        let renewed = tokens.read(token_of(&answer)).unwrap();
        assert_eq!(renewed.claim::<String>("family").as_deref(), Some("Lovelace"));
        assert_eq!(renewed.family_id(), id.as_deref());
    }
}

#[crate::test]
async fn a_refresh_token_is_never_renewed() {
    let app = app().route(get("/any", perhaps).guard(TokenGuard::new().verify_type(false)));
    let app = TestApp::new(app).await;
    let tokens = app.handle().tokens();
    let (access, refresh) = (tokens.access("ada"), tokens.refresh("ada"));
    let (access, refresh) = (access.sign().unwrap(), refresh.sign().unwrap());
    for path in ["/refresh", "/any"] {
        let answer = with(&app, path, &refresh).await;
        assert_eq!((answer.status().as_u16(), answer.header("authorization")), (200, ""), "{path}");
    }
    assert_ne!(with(&app, "/any", &access).await.header("authorization"), "");
}
