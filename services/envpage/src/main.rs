//! The environment page; `envpage --help` says what it can do.

fn main() -> piton::Exit {
    envpage::app().run()
}
