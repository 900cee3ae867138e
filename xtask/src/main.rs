//! The project's own commands, `cargo xtask <command>`, in Rust so that they run wherever it builds.
//!
//! Each command has a module of its own: `gate/` is `cargo xtask test`, `bench/` is `cargo xtask
//! bench`, `voice` measures how the sources read, `chaos` runs the tests that are too long for the
//! gate, `python` and `node` install the programs that tests compare with, `swagger_ui` updates
//! vendored files. Shared by all: `run` starts commands, `install` installs Debian packages, `tree`
//! reads `cargo tree`, `source` reads Rust files.

mod bench;
mod cargo_tree;
mod chaos;
mod command;
mod gate;
mod generate;
mod install;
mod node;
mod peer_programs;
mod python;
mod rust_source;
mod screenshot;
mod swagger_ui;
mod voice;

use std::process::ExitCode;

use command::Result;

const HELP: &str = "\
The project's own commands.

Usage: cargo xtask <command>

Commands:
  test          runs the gate: all checks of CI, in CI's order
  chaos         runs the long fault and load suites that the gate has no time for
  bench SUITE   measures Piton next to its peers: core, auth, cache, db
  generate      regenerates the checked-in files that services produce: settings, OpenAPI
  python        installs the Python programs that Piton is compared with, each in a venv
  node          installs the Node programs that check Piton's output
  screenshot    takes the pictures in docs/images again
  swagger-ui    vendors another version of Swagger UI
  voice         measures how the sources read; never fails

`cargo xtask <command> --help` describes one of them.
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // Changed, because the commands below use paths relative to the workspace, wherever `cargo
    // xtask` was typed.
    let dispatched = std::env::set_current_dir(command::root()).map_err(Into::into);
    match dispatched.and_then(|()| dispatch(&args)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{} {error}", command::red("xtask:"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = args.split_first() else {
        print!("{HELP}");
        return Ok(ExitCode::from(2));
    };
    match command.as_str() {
        "test" => gate::main(rest),
        "chaos" => chaos::main(rest),
        "bench" => bench::main(rest),
        "generate" => generate::main(rest),
        "python" => python::main(rest),
        "node" => node::main(rest),
        "screenshot" => screenshot::main(rest),
        "swagger-ui" => swagger_ui::main(rest),
        "voice" => voice::main(rest),
        "-h" | "--help" | "help" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(format!("no command `{other}`; `cargo xtask --help` lists them").into()),
    }
}
