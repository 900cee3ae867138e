//! A whole service: `cargo run -p piton --example hello`, then `curl http://127.0.0.1:5000/`.

use piton::prelude::*;

/// Says hello.
#[get("/")]
async fn hello() -> &'static str {
    "Hello, world!\n"
}

fn main() -> piton::Exit {
    App::new("hello").run()
}
