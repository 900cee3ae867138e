//! A service for programs that have a key. Try `cargo run -p piton --features api-key,sqlite --example
//! api_keys -- keys create me --scope greet`, then start it without the verb, and
//! `curl -H "X-API-Key: piton_.." http://127.0.0.1:5000/greeting`.

use piton::auth::api_key::ApiKey;
use piton::prelude::*;

/// Greets whoever has a key with the scope `greet`.
#[get("/greeting")]
async fn greeting(key: ApiKey) -> Result<String> {
    key.require_scope("greet")?;
    Ok(format!("Hello, {}\n", key.name().unwrap_or("you")))
}

fn main() -> piton::Exit {
    App::new("api_keys").run()
}
