//! Refusals as Flask-JWT-Extended 4 answers them.

use super::*;

#[crate::test]
async fn refusals_have_the_bodies_and_statuses_of_flask_jwt_extended() {
    let app = app()
        .set("jwt.error_message_key", "msg")
        .set("jwt.decode_audience", json!(["us"]))
        .set("jwt.encode_audience", json!(["us"]))
        .token_revoked(|token| async move { Ok(token.subject() == "thief") })
        .token_verified(|token| async move { Ok(token.subject() != "liar") });
    let app = TestApp::new(app).await;
    let tokens = app.handle().tokens();
    let token = |who: &str| tokens.access(who).sign().unwrap();
    let foreign = |change: &dyn Fn(&mut Value)| {
        signed(
            SECRET,
            &hs256(),
            &changed(|claims| {
                claims["aud"] = json!("us");
                change(claims);
            }),
        )
    };
    let now = claims::now();
    let good = token("ada");
    for (path, header, status, said) in [
        ("/me", String::new(), 401, "Missing Authorization Header"),
        (
            "/me",
            format!("Basic {good}"),
            401,
            "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'",
        ),
        (
            "/me",
            format!("Bearer {good}, Bearer {good}"),
            401,
            "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'",
        ),
        (
            "/me",
            format!("Bearer {good} x"),
            422,
            "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'",
        ),
        (
            "/perhaps",
            "Bearer".into(),
            422,
            "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'",
        ),
        ("/me", "Bearer x".into(), 422, "Not enough segments"),
        (
            "/me",
            format!("Bearer {}", foreign(&|it| it["exp"] = json!(now))),
            401,
            "Token has expired",
        ),
        (
            "/me",
            format!("Bearer {}", foreign(&|it| it["aud"] = json!("you"))),
            422,
            "Audience doesn't match",
        ),
        (
            "/me",
            format!("Bearer {}", tokens.refresh("ada").sign().unwrap()),
            422,
            "Only non-refresh tokens are allowed",
        ),
        ("/refresh", format!("Bearer {good}"), 422, "Only refresh tokens are allowed"),
        ("/fresh", format!("Bearer {good}"), 401, "Fresh token required"),
        ("/me", format!("Bearer {}", token("thief")), 401, "Token has been revoked"),
        ("/me", format!("Bearer {}", token("liar")), 400, "User claims verification failed"),
    ] {
        let answer = app.get(path).header("authorization", &header).await;
        assert_eq!(answer.status(), status, "{header}");
        assert_eq!(answer.json::<Value>(), json!({ "msg": said }), "{header}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("www-authenticate").is_empty(), status != 401, "{header}");
    }
    assert_eq!(app.get("/perhaps").header("authorization", "Basic x").await.text(), "nobody");
    // Other failures stay problem documents.
    let failed = with(&app, "/fails", &good).await;
    assert!(failed.is_problem());
}

#[crate::test]
async fn gnars_style_keeps_its_form() {
    let app = app().set("jwt.error_message_key", "msg").set("http.error_style", "gnar");
    let refused = TestApp::new(app).await.get("/me").await;
    assert_eq!(refused.text(), r#"{"error":"Missing Authorization Header"}"#);
}
