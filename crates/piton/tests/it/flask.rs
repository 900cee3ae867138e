//! Tokens between Piton and the real Flask-JWT-Extended, 3.25 and 4.7, both ways.

use piton::auth::jwt::TokenType;
use piton::prelude::*;
use piton::serde_json::{self, Value, json};
use piton::testing::TestApp;
use test_support::python::Dialogue;

use super::pem;

const SECRET: &str = "the-key-of-the-peers-64-bytes-ok-for-every-hmac-there-is-in-2026";

async fn me(who: Identity) -> Json<Value> {
    Json(json!({ "identity": who.value(), "fresh": who.is_fresh() }))
}

/// How both sides sign: the questions' members, and the same for Piton.
struct Signing {
    question: Value,
    settings: Vec<(&'static str, Value)>,
}

fn symmetric(algorithm: &str) -> Signing {
    Signing {
        question: json!({ "algorithm": algorithm, "secret": SECRET }),
        settings: vec![("jwt.algorithm", algorithm.into()), ("jwt.secret_key", SECRET.into())],
    }
}

fn by_key(algorithm: &str, name: &str) -> Signing {
    let public = format!("{name}.pub");
    Signing {
        question: json!({ "algorithm": algorithm, "private_key": pem::text(name), "public_key": pem::text(&public) }),
        settings: vec![
            ("jwt.algorithm", algorithm.into()),
            ("jwt.private_key_file", pem::path(name).into()),
        ],
    }
}

async fn app(signing: &Signing, more: &[(&'static str, Value)]) -> TestApp {
    let app = App::new("flask").blueprints(["none"]).set("log.level", "critical");
    let app = app.set("jwt.renew", true);
    let app = app.route(piton::http::get("/me", me)).route(piton::http::post("/me", me));
    let settings = signing.settings.iter().chain(more);
    TestApp::new(settings.fold(app, |app, (key, value)| app.set(*key, value.clone()))).await
}

/// Asks `peer`; `question` and how it is signed are one object.
fn ask(peer: &mut Dialogue, signing: &Signing, mut question: Value) -> Value {
    let members = signing.question.as_object().unwrap().clone();
    question.as_object_mut().unwrap().extend(members);
    serde_json::from_str(&peer.ask(&question.to_string())).unwrap()
}

async fn both_ways(version: &str, signing: &Signing) {
    let mut peer = Dialogue::start(version, "tokens.py", &[], &[]);
    let app = app(signing, &[]).await;
    let tokens = app.handle().tokens();

    let theirs =
        ask(&mut peer, signing, json!({ "op": "create", "identity": "ada", "fresh": true }));
    let token = theirs["token"].as_str().unwrap_or_else(|| panic!("{version}: {theirs}"));
    let answer = app.get("/me").header("authorization", &format!("Bearer {token}")).await;
    assert_eq!(answer.json::<Value>(), json!({ "identity": "ada", "fresh": true }), "{version}");

    // The fresh one that the answer brought, and one made here: Flask takes both.
    let renewed = answer.header("authorization").trim_start_matches("Bearer ").to_owned();
    let made = tokens.access("ada").claim("role", "admin").sign().unwrap();
    for ours in [renewed, made] {
        let said = ask(&mut peer, signing, json!({ "op": "verify", "token": ours }));
        assert_eq!(
            (&said["ok"], &said["identity"]),
            (&json!(true), &json!("ada")),
            "{version}: {said}"
        );
    }
    let fresh = tokens.access("ada").fresh().sign().unwrap();
    let said = ask(&mut peer, signing, json!({ "op": "verify", "token": fresh, "fresh": true }));
    assert_eq!(said["ok"], true, "{version}: {said}");
    let until = tokens.access("ada").fresh_for(std::time::Duration::from_secs(60)).sign().unwrap();
    let said = ask(&mut peer, signing, json!({ "op": "verify", "token": until, "fresh": true }));
    assert_eq!(said["ok"], true, "{version}: {said}");

    let refresh =
        ask(&mut peer, signing, json!({ "op": "create", "identity": "ada", "type": "refresh" }));
    let read = tokens.read(refresh["token"].as_str().unwrap()).unwrap();
    assert_eq!((read.subject(), read.token_type()), ("ada", TokenType::Refresh));
    let ours = tokens.refresh("ada").sign().unwrap();
    let said = ask(&mut peer, signing, json!({ "op": "verify", "token": ours, "type": "refresh" }));
    assert_eq!(said["ok"], true, "{version}: {said}");
    let said = ask(&mut peer, signing, json!({ "op": "verify", "token": ours }));
    assert_eq!(said["ok"], false, "{version}: a refresh token opens nothing: {said}");
}

#[piton::test]
async fn tokens_pass_between_piton_and_flask_jwt_extended_3() {
    for algorithm in ["HS256", "HS384", "HS512"] {
        both_ways("jwt3", &symmetric(algorithm)).await;
    }
    both_ways("jwt3", &by_key("RS256", "rsa")).await;
    both_ways("jwt3", &by_key("ES256", "p256")).await;
}

#[piton::test]
async fn tokens_pass_between_piton_and_flask_jwt_extended_4() {
    for algorithm in ["HS256", "HS384", "HS512"] {
        both_ways("jwt4", &symmetric(algorithm)).await;
    }
    for (algorithm, key) in [
        ("RS256", "rsa"),
        ("RS512", "rsa"),
        ("PS256", "rsa"),
        ("ES256", "p256"),
        ("ES384", "p384"),
        ("ES512", "p521"),
        ("EdDSA", "ed25519"),
    ] {
        both_ways("jwt4", &by_key(algorithm, key)).await;
    }
}

#[piton::test]
async fn an_identity_that_is_no_text_is_the_same_on_both_sides() {
    let signing = symmetric("HS256");
    let app = app(&signing, &[]).await;
    let tokens = app.handle().tokens();
    let mut third = Dialogue::start("jwt3", "tokens.py", &[], &[]);
    for identity in [json!(7), json!({ "id": 1 }), json!([1, 2])] {
        let made = ask(&mut third, &signing, json!({ "op": "create", "identity": identity }));
        assert_eq!(*tokens.read(made["token"].as_str().unwrap()).unwrap().value(), identity);
        let ours = tokens.access(identity.clone()).sign().unwrap();
        let said = ask(&mut third, &signing, json!({ "op": "verify", "token": ours }));
        assert_eq!(said["identity"], identity, "{said}");
    }
    let mut fourth = Dialogue::start("jwt4", "tokens.py", &[], &[]);
    let ours = tokens.access(7).sign().unwrap();
    let said = ask(&mut fourth, &signing, json!({ "op": "verify", "token": ours }));
    assert_eq!(said["identity"], "7", "there it has to be text: {said}");
}

#[piton::test]
async fn cookies_and_their_proof_pass_between_piton_and_flask() {
    let signing = symmetric("HS256");
    let app = app(&signing, &[("jwt.location", json!(["cookies"]))]).await;
    let tokens = app.handle().tokens();
    for version in ["jwt3", "jwt4"] {
        let mut peer = Dialogue::start(version, "tokens.py", &[], &[]);
        let ours = tokens.access("ada").sign().unwrap();
        let csrf = tokens.read(&ours).unwrap().claim::<String>("csrf").unwrap();
        let mut verify = |csrf: &str| {
            let question = json!({ "op": "verify", "token": ours, "location": "cookies", "method": "POST", "csrf": csrf });
            ask(&mut peer, &signing, question)
        };
        assert_eq!(verify(&csrf)["ok"], true, "{version}");
        assert_eq!(verify("wrong")["error"], "CSRF double submit tokens do not match", "{version}");

        let question = json!({ "op": "create", "identity": "ada", "csrf": true, "config": { "JWT_TOKEN_LOCATION": ["cookies"] } });
        let theirs = ask(&mut peer, &signing, question);
        let (token, csrf) =
            (theirs["token"].as_str().unwrap(), theirs["claims"]["csrf"].as_str().unwrap());
        let cookie = format!("access_token_cookie={token}");
        let post =
            |csrf: &str| app.post("/me").header("cookie", &cookie).header("x-csrf-token", csrf);
        assert_eq!(post(csrf).await.status(), 200, "{version}");
        assert_eq!(post("wrong").await.status(), 401, "{version}");
    }
}

/// Bad tokens that one of them takes on purpose, and why.
const APART: [(&str, &str); 7] = [
    ("no_type", "4 takes it for an access token; asked for here"),
    ("no_jti", "as no_type"),
    ("no_exp", "as no_type: it would be valid for ever"),
    ("type_unknown", "4 takes any type but `refresh`"),
    ("type_null", "as type_unknown"),
    ("identity_and_sub", "a token of two names would be taken for one of them"),
    ("aud", "4 looks at it only when an audience is set"),
];

#[piton::test]
async fn what_flask_jwt_extended_4_refuses_is_refused_here() {
    let recipes = &test_support::gnar::requests()["tokens"];
    let signing = Signing {
        question: json!({ "secret": test_support::gnar::JWT_SECRET_KEY }),
        settings: vec![("jwt.secret_key", test_support::gnar::JWT_SECRET_KEY.into())],
    };
    let app = app(&signing, &[]).await;
    let mut peer = Dialogue::start("jwt4", "tokens.py", &[], &[]);
    let (mut compared, mut different) = (0, Vec::new());
    for (name, recipe) in recipes.as_object().unwrap() {
        // There is one name for who is calling in 4, and two here.
        let mut recipe = recipe.clone();
        if let Some(claims) = recipe["claims"].as_object_mut()
            && !claims.contains_key("sub")
            && let Some(identity) =
                claims.get("identity").filter(|identity| identity.is_string()).cloned()
        {
            claims.insert("sub".into(), identity);
        }
        if APART.iter().any(|(apart, _)| apart == name) {
            continue;
        }
        let made = ask(&mut peer, &signing, json!({ "op": "make", "recipe": recipe }));
        let token = made["token"].as_str().unwrap();
        let theirs = ask(&mut peer, &signing, json!({ "op": "verify", "token": token }));
        let taken = theirs["ok"] == true;
        let Ok(header) = piton::axum::http::HeaderValue::from_str(&format!("Bearer {token}"))
        else {
            continue;
        };
        let ours =
            app.get("/me").header("authorization", header.to_str().unwrap_or("Bearer x")).await;
        compared += 1;
        // Whatever 4 refuses has to be refused here, except that identities may be any JSON.
        let any_identity =
            name.starts_with("identity_") || name == "sub_number" || name == "claims_twice";
        let lenient = name == "header_strange_characters";
        if !taken && ours.status() == 200 && !any_identity && !lenient {
            different.push(format!("{name}: refused there, taken here: {theirs}"));
        }
        if taken && ours.status() != 200 {
            different.push(format!("{name}: taken there, refused here: {}", ours.text()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(compared > 70, "{compared}");
}
