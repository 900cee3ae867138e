//! The tokens that are accepted, and the messages by which others are refused.

use super::*;

#[crate::test]
async fn every_refusal_is_401_with_the_message_of_flask() {
    let app = TestApp::new(app()).await;
    let now = claims::now();
    let good = signed(SECRET, &hs256(), &claims());
    let none = json!({ "typ": "JWT", "alg": "none" });
    let without = |name: &str| {
        signed(
            SECRET,
            &hs256(),
            &changed(|claims| {
                claims.as_object_mut().unwrap().remove(name);
            }),
        )
    };
    let with_claim = |name: &str, value: Value| {
        signed(SECRET, &hs256(), &changed(|claims| claims[name] = value))
    };
    let last = good.len() - 1;
    let flipped = format!("{}{}", &good[..last], if good.ends_with('A') { 'B' } else { 'A' });
    for (token, said) in [
        ("garbage".into(), "Not enough segments"),
        ("a.b.c".into(), "Invalid header padding"),
        (
            "abc.def.ghi".into(),
            "Invalid header string: 'utf-8' codec can't decode byte 0xb7 in position 1: invalid start byte",
        ),
        (
            signed("another secret of 32 characters...", &hs256(), &claims()),
            "Signature verification failed",
        ),
        (flipped, "Signature verification failed"),
        (signed(SECRET, &none, &claims()), "The specified alg value is not allowed"),
        (
            signed(SECRET, &json!({ "alg": "HS512" }), &claims()),
            "The specified alg value is not allowed",
        ),
        (
            signed(SECRET, &json!({ "alg": "RS256" }), &claims()),
            "The specified alg value is not allowed",
        ),
        (
            signed(SECRET, &json!({ "alg": "HS256", "crit": ["exp"] }), &claims()),
            "Critical header parameters are not supported",
        ),
        (signed(SECRET, &hs256(), &json!([])), "Invalid payload string: must be a json object"),
        (with_claim("exp", json!(now - 1)), "Token has expired"),
        (with_claim("exp", json!("soon")), "Expiration Time claim (exp) must be an integer."),
        (with_claim("nbf", json!(now + 100)), "The token is not yet valid (nbf)"),
        (with_claim("exp", json!(now)), "Token has expired"),
        (with_claim("iat", json!(now + 100)), "The token is not yet valid (iat)"),
        (with_claim("iat", json!("soon")), "Issued At claim (iat) must be an integer."),
        (with_claim("jti", json!(7)), "JWT ID must be a string"),
        (with_claim("jti", json!(null)), "JWT ID must be a string"),
        (with_claim("jti", json!(["1"])), "JWT ID must be a string"),
        (with_claim("type", json!(1)), "Missing or invalid claim: type"),
        (with_claim("type", json!(null)), "Missing or invalid claim: type"),
        (with_claim("aud", json!({ "of": "us" })), "Invalid audience"),
        (with_claim("aud", json!([7])), "Invalid audience"),
        (with_claim("aud", json!(7)), "Invalid audience"),
        (with_claim("exp", json!("-".to_owned() + &"9".repeat(400))), "Token has expired"),
        (with_claim("nbf", json!("9".repeat(400))), "The token is not yet valid (nbf)"),
        (
            with_claim("exp", json!("9".repeat(5000))),
            "Expiration Time claim (exp) must be an integer.",
        ),
        (
            signed(SECRET, &json!({ "alg": "HS256", "kid": 7 }), &claims()),
            "Key ID header parameter must be a string",
        ),
        (
            signed(SECRET, &json!({ "alg": "HS256", "b64": false }), &claims()),
            "Payload segment must be empty when 'b64' is false.",
        ),
        (
            signed(SECRET, &json!({ "alg": "hs256" }), &claims()),
            "The specified alg value is not allowed",
        ),
        (with_claim("type", json!("refresh")), "Only access tokens are allowed"),
        (with_claim("type", json!("other")), "Missing or invalid claim: type"),
        (with_claim("aud", json!("others")), "Invalid audience"),
        (without("identity"), "Missing claim: identity"),
        (without("exp"), "Token is missing the \"exp\" claim"),
        (without("jti"), "Token is missing the \"jti\" claim"),
        (without("type"), "Token is missing the \"type\" claim"),
    ] {
        let answer = with(&app, "/me", &token).await;
        assert_eq!(answer.status(), 401, "{said}");
        assert!(answer.is_problem());
        assert_eq!(answer.json::<Value>()["detail"], said);
        assert!(
            answer
                .header("www-authenticate")
                .starts_with("Bearer realm=\"piste\", error=\"invalid_token\"")
        );
        assert_eq!(answer.header("authorization"), "");
        let optional = with(&app, "/perhaps", &token).await;
        assert_eq!(optional.status(), 401, "an optional token must be valid, too: {said}");
    }
    let nothing = app.get("/me").await;
    assert_eq!(nothing.json::<Value>()["detail"], "Missing Authorization Header");
    assert_eq!(nothing.header("www-authenticate"), "Bearer realm=\"piste\"");
    assert_eq!(app.get("/perhaps").await.text(), "nobody");
}

#[crate::test]
async fn the_header_is_read_as_flask_reads_it() {
    let app = TestApp::new(app()).await;
    let good = signed(SECRET, &hs256(), &claims());
    let bad = "Bad Authorization header. Expected value 'Bearer <JWT>'";
    for (value, said) in [
        ("", "Missing Authorization Header"),
        ("Bearer", bad),
        ("Basic dXNlcjpwYXNz", bad),
        (&format!("bearer {good} b"), bad),
        (&format!("Bearer {good} b"), bad),
        (&good, bad),
    ] {
        let answer = app.get("/me").header("authorization", value).await;
        assert_eq!(answer.json::<Value>()["detail"], said, "{value}");
    }
    for value in [
        format!("Bearer  {good}"),
        format!("bearer {good}"),
        format!("BEARER   {good}"),
        format!("Basic x, Bearer {good}"),
        format!("Bearer {good}, Basic x"),
    ] {
        assert_eq!(app.get("/me").header("authorization", &value).await.status(), 200, "{value}");
    }
    let twice = app.get("/me").header("authorization", &format!("Bearer {good}"));
    assert_eq!(twice.header("authorization", "Bearer x").await.status(), 401);
}

#[crate::test]
async fn with_both_claims_the_configured_one_counts_and_both_must_agree() {
    let both = |identity: Value, sub: Value| {
        signed(
            SECRET,
            &hs256(),
            &changed(|claims| {
                claims["identity"] = identity;
                claims["sub"] = sub;
            }),
        )
    };
    let two = both(json!("ada"), json!("bob"));
    for (claim, subject) in [("identity", "ada"), ("sub", "bob")] {
        let app = TestApp::new(app().set("jwt.identity_claim", claim)).await;
        assert_eq!(with(&app, "/me", &two).await.json::<Value>()["subject"], subject, "{claim}");
        let other = if claim == "sub" { "identity" } else { "sub" };
        let without = signed(
            SECRET,
            &hs256(),
            &changed(|claims| {
                let claims = claims.as_object_mut().unwrap();
                claims.remove("identity");
                claims.insert(other.into(), json!("ada"));
            }),
        );
        let refused = with(&app, "/me", &without).await;
        assert_eq!(refused.json::<Value>()["detail"], format!("Missing claim: {claim}"));
    }
    let app = TestApp::new(app()).await;
    for (identity, sub) in [
        (json!("ada"), json!("bob")),
        (json!(42), json!("43")),
        (json!(42), json!(null)),
        (json!(null), json!("ada")),
        (json!(""), json!("ada")),
        (json!({ "id": 1 }), json!("ada")),
        (json!(["ada"]), json!("ada")),
        (json!(true), json!("true")),
    ] {
        let token = both(identity.clone(), sub.clone());
        for path in ["/me", "/perhaps"] {
            let answer = with(&app, path, &token).await;
            assert_eq!(answer.status(), 401, "{identity} {sub}");
            let said = answer.json::<Value>();
            assert_eq!(said["detail"], "Claims identity and sub differ", "{identity} {sub}");
        }
    }
    for (identity, sub) in [
        (json!("ada"), json!("ada")),
        (json!(42), json!("42")),
        (json!("42"), json!(42)),
        (json!(42), json!(42)),
        (json!(1.5), json!("1.5")),
        (json!({ "id": 1 }), json!({ "id": 1 })),
    ] {
        let answer = with(&app, "/me", &both(identity.clone(), sub.clone())).await;
        assert_eq!(answer.status(), 200, "{identity} {sub}");
    }
    let large = r#""identity":1180591620717411303424,"sub":"1180591620717411303424""#;
    assert_eq!(with(&app, "/me", &saying(large)).await.status(), 200);
    let other = r#""identity":1180591620717411303424,"sub":"1180591620717411303425""#;
    assert_eq!(with(&app, "/me", &saying(other)).await.status(), 401);
}

#[crate::test]
async fn the_identity_claim_can_have_any_name() {
    let app = TestApp::new(app().set("jwt.identity_claim", "uid")).await;
    let tokens = app.handle().tokens();
    let token = tokens.access(7).sign().unwrap();
    let identity = tokens.read(&token).unwrap();
    assert_eq!((identity.subject(), identity.value()), ("7", &json!(7)));
    assert!(!identity.claims().contains_key("sub") && !identity.claims().contains_key("identity"));
    let free = signed(SECRET, &hs256(), &changed(|claims| claims["uid"] = json!("bob")));
    assert_eq!(tokens.read(&free).unwrap().subject(), "bob");
    let said = tokens.read(&signed(SECRET, &hs256(), &claims())).unwrap_err().to_string();
    assert_eq!(said, "Missing claim: uid");
}

#[crate::test]
async fn an_audience_an_issuer_and_a_sub_are_read_as_pyjwt_2_reads_them() {
    let with_claim =
        |name: &str, value: Value| signed(SECRET, &hs256(), &changed(|it| it[name] = value));
    let open = TestApp::new(app()).await;
    for (name, value) in [
        ("aud", json!(null)),
        ("aud", json!("")),
        ("aud", json!([])),
        ("iss", json!(7)),
        ("fresh", json!("yes")),
        ("csrf", json!(7)),
    ] {
        let answer = with(&open, "/me", &with_claim(name, value.clone())).await;
        assert_eq!(answer.status(), 200, "{name} {value}");
    }
    for odd in [json!("yes"), json!(null), json!([1]), json!("99999999999")] {
        let answer = with(&open, "/fresh", &with_claim("fresh", odd.clone())).await;
        assert_eq!(answer.status(), 401, "{odd}");
    }
    let strict = app()
        .set("jwt.issuer", "us")
        .set("jwt.decode_audience", json!(["us", "you"]))
        .set("jwt.encode_audience", json!(["them"]))
        .set("jwt.encode_issuer", "me")
        .set("jwt.verify_sub", true);
    let strict = TestApp::new(strict).await;
    let tokens = strict.handle().tokens();
    let mut good = claims();
    (good["iss"], good["aud"], good["sub"]) = (json!("us"), json!("you"), good["identity"].clone());
    let read = |change: &dyn Fn(&mut Value)| {
        let mut claims = good.clone();
        change(&mut claims);
        tokens.read(&signed(SECRET, &hs256(), &claims)).map_err(|refusal| refusal.to_string())
    };
    assert!(read(&|_| {}).is_ok());
    assert!(read(&|it| it["aud"] = json!(["x", "us"])).is_ok());
    for (name, value, said) in [
        ("iss", json!("you"), "Invalid issuer"),
        ("iss", json!(["us"]), "Invalid issuer"),
        ("aud", json!("them"), "Invalid audience"),
        ("aud", json!([7]), "Invalid claim format in token"),
        ("aud", json!({ "of": "us" }), "Invalid claim format in token"),
        ("aud", json!(""), "Token is missing the \"aud\" claim"),
        ("aud", json!(null), "Token is missing the \"aud\" claim"),
        ("sub", json!(7), "Subject must be a string"),
        ("sub", json!(null), "Subject must be a string"),
    ] {
        assert_eq!(read(&|it| it[name] = value.clone()).unwrap_err(), said, "{name} {value}");
    }
    let made = tokens.access("ada").sign().unwrap();
    assert!(tokens.read(&made).is_err(), "it is made for others");
    let payload = made.split('.').nth(1).unwrap();
    let payload = crate::compat::python_decoders::base64(payload.as_bytes()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((&payload["iss"], &payload["aud"]), (&json!("me"), &json!("them")));
}

#[crate::test]
async fn required_claims_are_emptied_and_tokens_never_expire_where_the_settings_say_so() {
    let bare = signed(SECRET, &hs256(), &json!({ "identity": "ada" }));
    let app = || app().set("jwt.access_token_expires", "never");
    let started = TestApp::new(app().set("jwt.required_claims", "[]")).await;
    assert_eq!(with(&started, "/me", &bare).await.status(), 200);
    let never = TestApp::new(app()).await;
    let tokens = never.handle().tokens();
    let token = tokens.access("ada").sign().unwrap();
    assert_eq!(tokens.read(&token).unwrap().expires(), None);
    let answer = with(&never, "/me", &token).await;
    assert_eq!((answer.status().as_u16(), answer.header("authorization")), (200, ""));
    let refused = with(&never, "/me", &bare).await;
    assert_eq!(refused.json::<Value>()["detail"], "Token is missing the \"jti\" claim");
    let short = tokens.access("ada").expires_in(Duration::from_secs(60)).sign().unwrap();
    assert!(tokens.read(&short).unwrap().expires().is_some());
    let other = TestApp::new(super::app()).await;
    let tokens = other.handle().tokens();
    let endless = tokens.access("ada").never_expires().sign().unwrap();
    let said = tokens.read(&endless).unwrap_err().to_string();
    assert_eq!(said, "Token is missing the \"exp\" claim");
}

#[crate::test]
async fn a_service_accepts_the_audience_that_it_writes() {
    let app = TestApp::new(app().set("jwt.encode_audience", json!(["us", "shop"]))).await;
    let tokens = app.handle().tokens();
    let own = tokens.access("ada").sign().unwrap();
    assert_eq!(with(&app, "/me", &own).await.status(), 200);
    for (audience, accepted) in [
        (json!("us"), true),
        (json!(["x", "shop"]), true),
        (json!("you"), false),
        (json!(7), false),
    ] {
        let token = changed(|it| it["aud"] = audience.clone());
        let read = tokens.read(&signed(SECRET, &hs256(), &token));
        assert_eq!(read.is_ok(), accepted, "{audience}");
    }
    assert!(tokens.read(&signed(SECRET, &hs256(), &claims())).is_ok(), "none is required");
}

#[crate::test]
async fn in_the_style_of_version_3_any_audience_is_refused_where_none_is_expected() {
    let gnar = app().set("http.error_style", "gnar");
    let flask = app().set("jwt.error_message_key", "msg").set("jwt.flask_version", "3");
    for app in [gnar, flask] {
        let app = TestApp::new(app).await;
        for audience in [json!(null), json!([]), json!({}), json!(7), json!("")] {
            let token = changed(|it| it["aud"] = audience.clone());
            let said = app.handle().tokens().read(&signed(SECRET, &hs256(), &token));
            assert_eq!(said.unwrap_err().to_string(), "Invalid audience", "{audience}");
        }
    }
}
