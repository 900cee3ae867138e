//! Piton with HTTP/2 and TLS: `piton-edge --host 127.0.0.1 --port 5001` listens until SIGTERM.

use piton::prelude::*;

/// Body of `/large`.
static LARGE: [u8; 64 << 10] = [b'x'; 64 << 10];

#[get("/")]
async fn hello() -> &'static str {
    "Hello, world!"
}

#[get("/large")]
async fn large() -> &'static [u8] {
    &LARGE
}

fn main() -> piton::Exit {
    App::new("piton_edge").production(true).run()
}
