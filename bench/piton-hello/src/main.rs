//! Piton's hello service: `piton-hello --host 127.0.0.1 --port 5001` listens until SIGTERM.

use piton::prelude::*;

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
}

#[get("/")]
async fn hello() -> &'static str {
    "Hello, world!"
}

#[get("/json")]
async fn json() -> Json<Greeting> {
    Json(Greeting { message: "Hello, world!" })
}

fn main() -> piton::Exit {
    App::new("piton_hello").production(true).run()
}
