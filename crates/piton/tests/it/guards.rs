//! API keys by the macros.

use piton::auth::api_key::ApiKey;
use piton::prelude::*;
#[cfg(feature = "sqlite")]
use piton::secrecy::ExposeSecret;
use piton::testing::TestApp;

mod inside {
    use super::*;

    piton::blueprint!("/guards/inside", guard = piton::auth::api_key::ApiKeyGuard::new());

    #[get("/")]
    async fn read() -> &'static str {
        "read"
    }

    #[post("/")]
    #[protected(api_key, scope = "orders:write")]
    async fn write(key: ApiKey) -> String {
        key.name().unwrap_or("the one key").to_owned()
    }

    #[get("/open")]
    #[public]
    async fn open() -> &'static str {
        "open"
    }
}

#[piton::test]
async fn the_macros_ask_for_keys_and_their_scopes() {
    let app = App::new("it")
        .blueprints(["guards::inside"])
        .set("api_key.key", "a-key-of-24-characters!!");
    let app = TestApp::new(app).await;
    assert_eq!(app.get("/guards/inside").await.status(), 401);
    assert_eq!(app.get("/guards/inside/open").await.text(), "open");
    let one = app.get("/guards/inside").header("x-api-key", "a-key-of-24-characters!!");
    assert_eq!(one.await.text(), "read");
    let one = app.post("/guards/inside").header("x-api-key", "a-key-of-24-characters!!");
    assert_eq!(one.await.text(), "the one key");
}

#[cfg(feature = "sqlite")]
#[piton::test]
async fn a_key_without_the_scope_gets_403() {
    let app = TestApp::new(App::new("it").blueprints(["guards::inside"])).await;
    let keys = app.handle().api_keys();
    let reader = keys.create("reader", &[], None).await.unwrap();
    let writer = keys.create("writer", &["orders:write".into()], None).await.unwrap();
    let post = |key: &piton::secrecy::SecretString| {
        app.post("/guards/inside").header("x-api-key", key.expose_secret())
    };
    assert_eq!(post(&reader.key).await.status(), 403);
    assert_eq!(post(&writer.key).await.text(), "writer");
}
