//! The company registry; `registry --help` says what it can do.

fn main() -> piton::Exit {
    registry::app().run()
}
