//! Tests of existing hashes: with other parameters, and from Python.

use super::*;

const PASSWORD: &str = "correct horse";

/// By argon2-cffi: its default, its cheapest, and as Gnar Gear documents.
const MADE_BY_PYTHON: [&str; 3] = [
    "$argon2id$v=19$m=65536,t=3,p=4$O0E1M62LuUStaUHF0pY9mw$4ePn/hpt/iSiBG24KpDuaFMtYI0a7+fd8NtWNy7gqBs",
    "$argon2id$v=19$m=8,t=1,p=1$CHDpnsSftHU$0vxrFw",
    "$argon2i$v=19$m=512,t=2,p=2$N4QNoNAy+4hi92Si7wQCiA$1Cm2hxx/sbaNbTosuA8luQ",
];

const CHEAPEST: &str = "$argon2id$v=19$m=8,t=1,p=1$";

async fn hash_of(app: &TestApp, email: &str) -> String {
    let sql = "SELECT password_hash FROM users WHERE email = $1";
    let found: Option<(String,)> = app.handle().db().one(sql, (email,)).await.unwrap();
    found.unwrap().0
}

async fn add(app: &TestApp, email: &str, hash: &str) {
    let sql = "INSERT INTO users (email, password_hash, active) VALUES ($1, $2, TRUE)";
    app.handle().db().run(sql, (email, hash)).await.unwrap();
}

on_both! {
    async fn a_login_replaces_a_hash_with_other_parameters(app) {
        for (number, hash) in MADE_BY_PYTHON.into_iter().enumerate() {
            let email = format!("{number}@example.org");
            add(&app, &email, hash).await;
            assert_eq!(login(&app, &email, "wrong").await.status(), 401);
            assert_eq!(hash_of(&app, &email).await, hash, "a wrong password changes nothing");
            token_of(&app, &email, PASSWORD).await;
            // Nobody waits for it.
            let anew = async || hash_of(&app, &email).await.starts_with(CHEAPEST);
            test_support::wait_for("the hash of today", anew).await;
            let now = hash_of(&app, &email).await;
            assert!(now.starts_with(CHEAPEST), "{now}");
            assert_eq!(now == hash, hash.starts_with(CHEAPEST), "made anew only where needed");
            token_of(&app, &email, PASSWORD).await;
            assert_eq!(hash_of(&app, &email).await, now, "and only once");
        }
    }
}

on_both! {
    async fn a_malformed_hash_is_an_error_and_refuses_the_login(app) {
        add(&app, "ada@example.org", "md5$x").await;
        let answer = login(&app, "ada@example.org", PASSWORD).await;
        assert_eq!(refusal(&answer).0, 500);
        assert!(!answer.text().contains("md5$x"), "{}", answer.text());
    }
}

/// The table as the service in Python has made it, with its users.
async fn database_of_python() -> String {
    let url = test_support::postgres::database();
    let python = App::new("python").blueprints(["none"]).set("log.level", "critical");
    let python = TestApp::new(python.set("db.url", url.as_str()).enable::<Db>()).await;
    let db = python.handle().db();
    let schema = include_str!("../../../../e2e/python/gnar/piste/schema.sql");
    db.run(schema.trim_end().trim_end_matches(';'), ()).await.unwrap();
    for (number, hash) in MADE_BY_PYTHON.into_iter().enumerate() {
        let sql = "INSERT INTO users (email, password_hash, name, active) VALUES ($1, $2, $3, $4)";
        let email = format!("{number}@example.org");
        db.run(sql, (email, hash, "Zoë", number != 1)).await.unwrap();
    }
    python.stop().await;
    url
}

#[piton::test]
async fn users_of_the_service_in_python_can_log_in() {
    let url = database_of_python().await;
    let app = TestApp::new(quiet().set("db.url", url)).await;
    for (email, status) in [("0@example.org", 200), ("1@example.org", 403), ("2@example.org", 200)]
    {
        assert_eq!(login(&app, email, PASSWORD).await.status(), status, "{email}");
        assert_eq!(login(&app, email, "wrong").await.status(), 401, "{email}");
    }
    let token = token_of(&app, "0@example.org", PASSWORD).await;
    let me: Value = get_as(&app, "/user/me", &token).await.json();
    assert_eq!(me, json!({ "email": "0@example.org", "name": "Zoë", "active": true }));
    assert_eq!(signup(&app, "0@example.org", "x").await.status(), 409);
    activated(&app, "new@example.org", "x").await;
}
