//! Gnar Gear's service, in Rust; `piste --help` says what it can do.

fn main() -> piton::Exit {
    piste::app().run()
}
