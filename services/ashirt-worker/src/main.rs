//! An ASHIRT enhancement worker; `ashirt-worker --help` says what it can do.

fn main() -> piton::Exit {
    ashirt_worker::app().run()
}
