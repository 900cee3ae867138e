//! The project's own commands, `cargo xtask <command>`, in Rust so that they run wherever it builds.
//!
//! Each command has its own module: `gate/` is `cargo xtask test`, `bench/` is `cargo xtask bench`,
//! `chaos` runs the tests that are too long for the gate, `python` and `node` make what the tests compare with, `swagger_ui` refreshes files of others. What all need stands beside them: `run` starts
//! commands, `install` gets Debian's packages, `tree` reads `cargo tree`.

mod bench;
mod chaos;
mod gate;
mod generate;
mod install;
mod node;
mod peers;
mod python;
mod run;
mod screenshot;
mod swagger_ui;
mod tree;

use std::process::ExitCode;

use run::Result;

const HELP: &str = "\
The project's own commands.

Usage: cargo xtask <command>

Commands:
  test          the gate: everything that CI checks, in CI's order
  chaos         long fault and load suites, which the gate has no time for
  bench core    the hello service beside bare axum: speed, memory, start, size, builds
  generate      writes anew what is checked in and made by the services: settings, OpenAPI
  python        the Python programs that Piton is compared with, each in a venv
  node          the programs for Node that look at what Piton makes
  screenshot    takes the pictures in docs/images anew
  swagger-ui    brings another version of Swagger UI into the sources

`cargo xtask <command> --help` says more about one of them.
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // The commands below say paths as seen from here, wherever `cargo xtask` was typed.
    let dispatched = std::env::set_current_dir(run::root()).map_err(Into::into);
    match dispatched.and_then(|()| dispatch(&args)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{} {error}", run::red("xtask:"));
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
        "-h" | "--help" | "help" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(format!("no command `{other}`; `cargo xtask --help` lists them").into()),
    }
}
