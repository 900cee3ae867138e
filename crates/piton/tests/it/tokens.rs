//! Tokens by the macros, and signed with keys out of files.

use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::TestApp;

use super::pem;

const SECRET: &str = "a secret of 32 characters, no less";

mod inside {
    use super::*;

    piton::blueprint!("/tokens/inside", tag = "inside", protected);

    #[get("/")]
    async fn closed(who: Identity) -> String {
        who.subject().to_owned()
    }

    #[get("/open")]
    #[public]
    async fn open() -> &'static str {
        "open"
    }

    #[protected(fresh)]
    #[get("/fresh")]
    async fn fresh() -> &'static str {
        "fresh"
    }

    #[get("/anew")]
    #[protected(refresh)]
    async fn anew(who: Identity, tokens: Tokens) -> Result<String> {
        tokens.access(who.subject()).sign()
    }

    #[get("/perhaps")]
    #[protected(optional)]
    async fn perhaps(who: Option<Identity>) -> String {
        who.map_or_else(|| "nobody".to_owned(), |who| who.subject().to_owned())
    }

    #[get("/anywhere")]
    #[protected(
        locations = ["query_string", "headers"],
        verify_type = false,
        skip_revocation_check,
        optional
    )]
    async fn anywhere(who: Option<Identity>) -> String {
        let location = who.as_ref().and_then(Identity::location);
        location.map_or("nowhere", |location| location.name()).to_owned()
    }

    #[get("/by-cookie")]
    #[protected(locations = "cookies", refresh)]
    async fn by_cookie(who: Identity) -> String {
        who.subject().to_owned()
    }

    /// Says nothing of who is calling; the guard is all.
    #[post("/write")]
    async fn write(_: Json<Value>) -> NoContent {
        NoContent
    }
}

fn app() -> App {
    App::new("it").blueprints(["tokens::inside"])
}

async fn get(app: &TestApp, path: &str, token: &str) -> (u16, String) {
    let answer = app.get(path).header("authorization", &format!("Bearer {token}")).await;
    (answer.status().as_u16(), answer.text())
}

#[piton::test]
async fn the_macros_guard_routes_and_blueprints() {
    let app = TestApp::new(app().set("jwt.secret_key", SECRET)).await;
    let tokens = app.handle().tokens();
    let access = tokens.access("ada").sign().unwrap();
    let fresh = tokens.access("ada").fresh().sign().unwrap();
    let refresh = tokens.refresh("ada").sign().unwrap();

    assert_eq!(app.get("/tokens/inside").await.status(), 401);
    assert_eq!(get(&app, "/tokens/inside", &access).await, (200, "ada".into()));
    assert_eq!(app.get("/tokens/inside/open").await.text(), "open");
    assert_eq!(get(&app, "/tokens/inside/fresh", &access).await.0, 401);
    assert_eq!(get(&app, "/tokens/inside/fresh", &fresh).await, (200, "fresh".into()));
    assert_eq!(app.get("/tokens/inside/perhaps").await.text(), "nobody");
    assert_eq!(get(&app, "/tokens/inside/perhaps", &access).await.1, "ada");
    assert_eq!(get(&app, "/tokens/inside/perhaps", "no.such.token").await.0, 401);
    assert_eq!(get(&app, "/tokens/inside/anew", &access).await.0, 401);
    let (status, anew) = get(&app, "/tokens/inside/anew", &refresh).await;
    assert_eq!(status, 200);
    assert_eq!(get(&app, "/tokens/inside", &anew).await.1, "ada");

    assert_eq!(app.get("/tokens/inside/anywhere").await.text(), "nowhere");
    assert_eq!(get(&app, "/tokens/inside/anywhere", &refresh).await.1, "headers");
    let by_query = app.get(&format!("/tokens/inside/anywhere?jwt={access}")).await;
    assert_eq!(by_query.text(), "query_string");
    assert_eq!(app.get(&format!("/tokens/inside?jwt={access}")).await.status(), 401);
    let cookie = format!("refresh_token_cookie={refresh}");
    let by_cookie = app.get("/tokens/inside/by-cookie").header("cookie", &cookie).await;
    assert_eq!(by_cookie.text(), "ada");
    assert_eq!(get(&app, "/tokens/inside/by-cookie", &refresh).await.0, 401);
}

#[cfg(feature = "openapi")]
#[piton::test]
async fn documents_name_the_places_of_each_route() {
    let app = app().set("jwt.secret_key", SECRET).set("jwt.header_name", "X-Token");
    let app = TestApp::new(app.set("jwt.header_type", "")).await;
    let document = app.handle().openapi_document();
    let of = |path: &str| document["paths"][path]["get"]["security"].clone();
    assert_eq!(of("/tokens/inside"), json!([{ "bearer": [] }]));
    assert_eq!(of("/tokens/inside/anywhere"), json!([{}, { "bearer": [] }, { "query": [] }]));
    assert_eq!(of("/tokens/inside/by-cookie"), json!([{ "refresh_cookie": [] }]));
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(
        (&schemes["bearer"]["in"], &schemes["bearer"]["name"]),
        (&json!("header"), &json!("X-Token"))
    );
    assert_eq!(
        (&schemes["query"]["in"], &schemes["query"]["name"]),
        (&json!("query"), &json!("jwt"))
    );
    assert_eq!(schemes["refresh_cookie"]["name"], "refresh_token_cookie");
}

#[piton::test]
async fn a_guard_refuses_before_the_body_is_looked_at() {
    let app = TestApp::new(app().set("jwt.secret_key", SECRET)).await;
    let stranger = app.post("/tokens/inside/write").body("{ this is no JSON");
    assert_eq!(stranger.await.status(), 401);
    let token = app.handle().tokens().access("ada").sign().unwrap();
    let known =
        app.post("/tokens/inside/write").header("authorization", &format!("Bearer {token}"));
    let known = known.header("content-type", "application/json");
    assert_eq!(known.body("{ this is no JSON").await.status(), 400);
}

fn with_keys(algorithm: &str, private: Option<&str>, public: Option<&str>) -> App {
    let app = app().set("jwt.algorithm", algorithm);
    let app = match private {
        Some(name) => app.set("jwt.private_key_file", pem::path(name)),
        None => app,
    };
    match public {
        Some(name) => app.set("jwt.public_key_file", pem::path(name)),
        None => app,
    }
}

#[piton::test]
async fn whoever_has_the_public_key_takes_what_the_private_one_signs() {
    for (algorithm, private, public) in [
        ("RS256", "rsa", "rsa.pub"),
        ("RS384", "rsa", "rsa.pub"),
        ("RS512", "rsa_pkcs1", "rsa.pub"),
        ("PS256", "rsa", "rsa.pub"),
        ("ES256", "p256", "p256.pub"),
        ("ES256", "p256_sec1", "p256_sec1.pub"),
        ("ES384", "p384", "p384.pub"),
        ("ES512", "p521", "p521.pub"),
        ("EdDSA", "ed25519", "ed25519.pub"),
    ] {
        let alone = TestApp::new(with_keys(algorithm, Some(private), None)).await;
        let token = alone.handle().tokens().access("ada").sign().unwrap();
        assert_eq!(get(&alone, "/tokens/inside", &token).await.0, 200, "{algorithm}, its own key");
        let reader = TestApp::new(with_keys(algorithm, None, Some(public))).await;
        let answer =
            reader.get("/tokens/inside").header("authorization", &format!("Bearer {token}"));
        let answer = answer.await;
        assert_eq!(answer.text(), "ada", "{algorithm}, the public key alone");
        assert_eq!(answer.header("authorization"), "", "who cannot sign renews nothing");
        assert!(reader.handle().tokens().access("ada").sign().is_err());
        let secret = TestApp::new(app().set("jwt.secret_key", SECRET)).await;
        assert_eq!(
            get(&secret, "/tokens/inside", &token).await.0,
            401,
            "{algorithm} where HS256 is asked"
        );
    }
}

#[piton::test]
async fn the_public_key_is_no_secret_to_sign_with() {
    let reader = TestApp::new(with_keys("RS256", None, Some("rsa.pub"))).await;
    let token = TestApp::new(app().set("jwt.secret_key", SECRET)).await;
    let token = token.handle().tokens().access("root").sign().unwrap();
    let (status, said) = get(&reader, "/tokens/inside", &token).await;
    assert_eq!(status, 401);
    assert!(said.contains("The specified alg value is not allowed"), "{said}");
    // Nor does a service that checks with a secret start with the text of a public key as such.
    let report = started(app().set("jwt.secret_key", pem::text("rsa.pub"))).await.unwrap_err();
    assert!(report.contains("whoever has the public key could sign"), "{report}");
}

#[piton::test]
async fn wrong_keys_are_found_at_launch() {
    for (algorithm, private, public, said) in [
        ("RS256", None, None, "needs a key, and none is configured"),
        ("RS256", Some("nowhere"), None, "No such file"),
        ("RS256", Some("ed25519"), None, "not a key of that kind"),
        ("EdDSA", Some("ed25519"), Some("other.pub"), "do not belong together"),
        ("HS256", Some("rsa"), None, "signs with `jwt.secret_key`"),
        ("ES384", Some("p256"), None, "expected a key on P-384"),
        ("ES256", None, Some("ed25519.pub"), "this is an Ed25519 key, which ES256 cannot use"),
        ("ES256", Some("p256.pub"), None, "this is not a private key"),
        ("RS256", None, Some("rsa"), "this is the private key"),
    ] {
        let listener = piton::tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_trigger, stop) = piton::Stop::new();
        let app = with_keys(algorithm, private, public).set("jwt.secret_key", SECRET);
        let refused = app.serve(listener, stop).await.unwrap_err().report("it");
        assert!(refused.contains(said), "{algorithm}: {refused}");
    }
}

#[piton::test]
async fn settings_that_would_let_everybody_in_are_refused() {
    for (key, value, said) in [
        ("jwt.previous_secret_keys", json!("oldsecret,"), "anybody could sign with it"),
        ("jwt.previous_secret_keys", json!([""]), "anybody could sign with it"),
        ("jwt.access_token_expires", json!("500ms"), "whole seconds"),
        ("jwt.access_token_expires", json!("0s"), "would expire at once"),
        ("jwt.cookie_domain", json!("x; Secure"), "not a domain"),
    ] {
        let listener = piton::tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_trigger, stop) = piton::Stop::new();
        let app = app().set("jwt.secret_key", SECRET).set(key, value);
        let refused = app.serve(listener, stop).await.unwrap_err().report("it");
        assert!(refused.contains(said), "{key}: {refused}");
    }
}

/// Launches the app and stops it at once; returns the report if it refuses to start.
async fn started(app: App) -> Result<(), String> {
    let listener = piton::tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (trigger, stop) = piton::Stop::new();
    trigger.stop();
    app.serve(listener, stop).await.map_err(|error| error.report("it"))
}

#[piton::test]
async fn production_refuses_secrets_that_can_be_found_by_trying_and_names_all_and_the_way_out() {
    let production = |secret: &str| {
        let app = app().production(true).set("admin.address", "off").set("http.drain_wait", "0s");
        app.set("jwt.secret_key", secret.to_owned())
    };
    let (short, long) = ("hunter2-with-31-bytes-in-itself", "hunter2-with-32-bytes-in-itself.");
    assert_eq!((short.len(), long.len()), (31, 32));
    assert_eq!(started(production(long)).await, Ok(()));
    for algorithm in ["HS256", "HS384", "HS512"] {
        let report = started(production(short).set("jwt.algorithm", algorithm)).await.unwrap_err();
        assert!(report.contains("jwt.secret_key") && report.contains("31 bytes"), "{report}");
        assert!(report.contains("openssl rand -base64 48"), "{report}");
        assert!(report.contains("PITON_JWT_ALLOW_SHORT_SECRET=true"), "{report}");
        assert!(!report.contains("hunter2"), "{report}");
        assert_eq!(started(production(long).set("jwt.algorithm", algorithm)).await, Ok(()));
    }
    // The length is counted in bytes. A previous secret counts too, because it can forge tokens as
    // well.
    assert_eq!(started(production(&"é".repeat(16))).await, Ok(()));
    let both = production(short).set("jwt.previous_secret_keys", json!(["hunter2", long]));
    let report = started(both).await.unwrap_err();
    assert!(report.contains("2 settings are wrong"), "{report}");
    assert!(report.contains("jwt.previous_secret_keys") && report.contains("7 bytes"), "{report}");
    // Both the migration setting and development allow a short secret.
    assert_eq!(started(production(short).set("jwt.allow_short_secret", true)).await, Ok(()));
    assert_eq!(started(app().set("jwt.secret_key", short)).await, Ok(()));
}

#[piton::test]
async fn a_token_says_what_flask_jwt_extended_expects() {
    let app = TestApp::new(app().set("jwt.secret_key", SECRET)).await;
    let tokens = app.handle().tokens();
    let identity = tokens.read(&tokens.access("ada").sign().unwrap()).unwrap();
    let claims = identity.claims();
    let names: Vec<&str> = claims.keys().map(String::as_str).collect();
    // `csrf`, because a route of this app looks for tokens in cookies.
    assert_eq!(names, ["csrf", "exp", "fresh", "iat", "identity", "jti", "nbf", "sub", "type"]);
    assert_eq!((&claims["sub"], &claims["type"]), (&json!("ada"), &json!("access")));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 15 * 60);
    assert!(tokens.access("ada").claim("exp", 1).sign().is_err());
}
