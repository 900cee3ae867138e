//! The ASHIRT enhancement worker; `ashirt-worker --help` lists its commands.

fn main() -> piton::Exit {
    ashirt_worker::app().run()
}
