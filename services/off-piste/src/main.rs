//! Runs the service.

fn main() -> piton::Exit {
    off_piste::app().run()
}
