//! Settings that Flask-JWT-Extended has, with the real 3.25 and 4.7 on the other side: each pair of
//! configurations takes the tokens of the other.

use piton::prelude::*;
use piton::serde_json::{self, Value, json};
use piton::testing::TestApp;
use test_support::python::Dialogue;

use super::pem;

const SECRET: &str = "the-key-of-the-peers-64-bytes-ok-for-every-hmac-there-is-in-2026";

async fn me(caller: Identity) -> Json<Value> {
    Json(json!({ "identity": caller.value(), "claims": caller.claims() }))
}

/// A version of the extension, how it is configured, and the same for Piton.
struct Pair {
    peer: Dialogue,
    theirs: Value,
    app: TestApp,
}

impl Pair {
    async fn of(version: &str, theirs: Value, ours: Value) -> Self {
        let app = App::new("flask").blueprints(["none"]).set("log.level", "critical");
        let app = app.route(piton::http::get("/me", me)).set("jwt.renew", false);
        let ours = ours.as_object().unwrap().clone();
        let set = |app: App, (key, value): (String, Value)| app.set(format!("jwt.{key}"), value);
        let app = TestApp::new(ours.into_iter().fold(app, set)).await;
        Self { peer: Dialogue::start(version, "tokens.py", &[], &[]), theirs, app }
    }

    /// Both sides with the same secret.
    async fn of_secret(version: &str, config: Value, mut ours: Value) -> Self {
        ours["secret_key"] = SECRET.into();
        Self::of(version, json!({ "secret": SECRET, "config": config }), ours).await
    }

    fn ask(&mut self, mut question: Value) -> Value {
        let theirs = self.theirs.as_object().unwrap().clone();
        question.as_object_mut().unwrap().extend(theirs);
        serde_json::from_str(&self.peer.ask(&question.to_string())).unwrap()
    }

    /// A token made there.
    fn their_token(&mut self, mut question: Value) -> String {
        question["op"] = "create".into();
        question["identity"] = "ada".into();
        let made = self.ask(question);
        made["token"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// The response to a token in the header `name`, behind `prefix`.
    async fn get(&self, name: &str, prefix: &str, token: &str) -> (u16, Value) {
        let response = self.app.get("/me").header(name, &format!("{prefix}{token}")).await;
        (response.status().as_u16(), response.json())
    }

    async fn taken_here(&self, token: &str) -> Value {
        let (status, body) = self.get("authorization", "Bearer ", token).await;
        assert_eq!((status, &body["identity"]), (200, &json!("ada")), "{body}");
        body["claims"].clone()
    }

    fn taken_there(&mut self, token: &str) -> Value {
        let said = self.ask(json!({ "op": "verify", "token": token }));
        assert_eq!((&said["ok"], &said["identity"]), (&json!(true), &json!("ada")), "{said}");
        said["claims"].clone()
    }

    fn our_token(&self) -> String {
        self.app.handle().tokens().access("ada").sign().unwrap()
    }

    async fn both_ways(&mut self) {
        let theirs = self.their_token(json!({}));
        self.taken_here(&theirs).await;
        let ours = self.our_token();
        self.taken_there(&ours);
    }
}

#[piton::test]
async fn a_header_of_another_name_and_type() {
    for version in ["jwt3", "jwt4"] {
        let config = json!({ "JWT_HEADER_NAME": "X-Token", "JWT_HEADER_TYPE": "JWT" });
        let ours = json!({ "header_name": "X-Token", "header_type": "JWT" });
        let mut pair = Pair::of_secret(version, config, ours).await;
        let theirs = pair.their_token(json!({}));
        assert_eq!(pair.get("x-token", "JWT ", &theirs).await.0, 200, "{version}");
        assert_eq!(pair.get("x-token", "Bearer ", &theirs).await.0, 401, "{version}");
        assert_eq!(pair.get("authorization", "Bearer ", &theirs).await.0, 401, "{version}");
        let ours = pair.our_token();
        pair.taken_there(&ours);
    }
}

#[piton::test]
async fn an_identity_claim_of_any_name() {
    for version in ["jwt3", "jwt4"] {
        let config = json!({ "JWT_IDENTITY_CLAIM": "uid" });
        let mut pair = Pair::of_secret(version, config, json!({ "identity_claim": "uid" })).await;
        pair.both_ways().await;
        let claims = pair.ask(json!({ "op": "create", "identity": "ada" }))["claims"].clone();
        assert_eq!((&claims["uid"], &claims["sub"]), (&json!("ada"), &Value::Null), "{version}");
        let ours = pair.our_token();
        let read = pair.app.handle().tokens().read(&ours).unwrap();
        assert!(!read.claims().contains_key("sub") && !read.claims().contains_key("identity"));
    }
}

#[piton::test]
async fn an_audience_of_several() {
    let config = json!({ "JWT_ENCODE_AUDIENCE": ["shop", "bank"], "JWT_DECODE_AUDIENCE": "bank" });
    let ours = json!({ "encode_audience": ["bank", "post"], "decode_audience": ["shop"] });
    let mut fourth = Pair::of_secret("jwt4", config, ours.clone()).await;
    fourth.both_ways().await;
    // Version 3 checks an audience and cannot write one.
    let config = json!({ "JWT_DECODE_AUDIENCE": ["post", "mail"] });
    let mut third = Pair::of_secret("jwt3", config, ours).await;
    let ours = third.our_token();
    third.taken_there(&ours);
    let theirs = third.their_token(json!({}));
    assert_eq!(third.get("authorization", "Bearer ", &theirs).await.0, 401, "without `aud`");
}

#[piton::test]
async fn an_issuer_each() {
    for version in ["jwt3", "jwt4"] {
        let config = json!({ "JWT_ENCODE_ISSUER": "flask", "JWT_DECODE_ISSUER": "piton" });
        let ours = json!({ "encode_issuer": "piton", "decode_issuer": "flask" });
        let mut pair = Pair::of_secret(version, config, ours).await;
        pair.both_ways().await;
    }
}

#[piton::test]
async fn user_claims_under_a_name_of_their_own() {
    let ours = json!({ "identity_claim": "identity", "user_claims": "user_claims" });
    let mut pair = Pair::of_secret("jwt3", json!({}), ours).await;
    let theirs = pair.their_token(json!({ "claims": { "role": "admin" } }));
    assert_eq!(pair.taken_here(&theirs).await["user_claims"], json!({ "role": "admin" }));
    let tokens = pair.app.handle().tokens();
    let ours = tokens.access("ada").claim("role", "admin").sign().unwrap();
    assert_eq!(pair.taken_there(&ours)["user_claims"], json!({ "role": "admin" }));
}

#[piton::test]
async fn tokens_that_never_expire() {
    for version in ["jwt3", "jwt4"] {
        let config = json!({ "JWT_ACCESS_TOKEN_EXPIRES": false });
        let mut pair =
            Pair::of_secret(version, config, json!({ "access_token_expires": "never" })).await;
        pair.both_ways().await;
        let ours = pair.our_token();
        assert!(!pair.taken_there(&ours).as_object().unwrap().contains_key("exp"), "{version}");
    }
}

#[piton::test]
async fn a_leeway() {
    for version in ["jwt3", "jwt4"] {
        let config = json!({ "JWT_DECODE_LEEWAY": 60 });
        let mut pair = Pair::of_secret(version, config, json!({ "leeway": "60s" })).await;
        let late = pair.their_token(json!({ "expires": -30 }));
        pair.taken_here(&late).await;
        let too_late = pair.their_token(json!({ "expires": -90 }));
        assert_eq!(pair.get("authorization", "Bearer ", &too_late).await.0, 401, "{version}");
        pair.taken_there(&late);
    }
}

#[piton::test]
async fn several_algorithms_are_taken() {
    for version in ["jwt3", "jwt4"] {
        let config = json!({ "JWT_DECODE_ALGORITHMS": ["HS512"] });
        let ours = json!({ "algorithm": "HS512", "decode_algorithms": ["HS256"] });
        let mut pair = Pair::of_secret(version, config, ours).await;
        pair.both_ways().await;
    }
}

/// Signs as the peer does, with a key of `pem`.
fn key_of(name: &str, algorithm: &str) -> Value {
    let public = pem::text(&format!("{name}.pub"));
    json!({ "algorithm": algorithm, "private_key": pem::text(name), "public_key": public })
}

#[piton::test]
async fn es512_both_ways() {
    for version in ["jwt3", "jwt4"] {
        let ours = json!({ "algorithm": "ES512", "private_key_file": pem::path("p521") });
        let mut pair = Pair::of(version, key_of("p521", "ES512"), ours).await;
        pair.both_ways().await;
    }
}

#[piton::test]
async fn a_key_is_replaced_without_logouts() {
    for version in ["jwt3", "jwt4"] {
        for (algorithm, new, old) in
            [("RS256", "rsa", "rsa_other"), ("ES256", "p256", "p256_other")]
        {
            let ours = json!({
                "algorithm": algorithm,
                "private_key_file": pem::path(new),
                "key_id": "new",
                "previous_public_key_files": [format!("old={}", pem::path(&format!("{old}.pub")))],
            });
            let mut pair = Pair::of(version, key_of(old, algorithm), ours).await;
            for header in [json!({}), json!({ "kid": "old" })] {
                let token = pair.their_token(json!({ "headers": header }));
                pair.taken_here(&token).await;
            }
            let mistaken = pair.their_token(json!({ "headers": { "kid": "new" } }));
            let (status, _) = pair.get("authorization", "Bearer ", &mistaken).await;
            assert_eq!(status, 401, "{version} {algorithm}: the key of another name");
            pair.theirs = key_of(new, algorithm);
            let ours = pair.our_token();
            pair.taken_there(&ours);
            let theirs = pair.their_token(json!({ "headers": { "kid": "new" } }));
            pair.taken_here(&theirs).await;
        }
    }
}
