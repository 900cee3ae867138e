//! A service in a terminal: its colours, and the end of the terminal. `script` makes the terminal.

use std::process::{Command, Stdio};

use test_support::http_client::{self, Connection};
use test_support::service::program;
use test_support::{free_port, wait_for};

/// The beginning of every sequence that controls a terminal.
const ESCAPE: char = '\u{1b}';

/// Returns a command that runs `registry` in a terminal, in a folder of its own.
fn in_terminal(arguments: &str, variables: &[(&str, &str)]) -> (Command, tempfile::TempDir) {
    let folder = test_support::cli::temporary_folder();
    let line = format!("exec {} {arguments}", program("registry").display());
    let mut command = Command::new("/usr/bin/script");
    command.current_dir(folder.path()).args(["-qec", &line, "/dev/null"]).env_clear();
    command.env("TERM", "xterm").envs(variables.iter().copied()).stdin(Stdio::null());
    (command, folder)
}

fn shown(arguments: &str, variables: &[(&str, &str)]) -> String {
    let (mut command, _folder) = in_terminal(arguments, variables);
    let output = command.output().expect("`script` is part of every Linux");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn help_settings_and_the_log_have_colours_only_in_a_terminal_that_wants_them() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Ends by itself after some lines of its log.
    let serve = format!("--port {}", taken.local_addr().unwrap().port());
    for arguments in ["--help", "config http", &*serve] {
        let coloured = shown(arguments, &[]);
        assert!(coloured.contains(ESCAPE), "{arguments}: {coloured}");
        for (name, value) in [("TERM", "dumb"), ("NO_COLOR", "1"), ("CLICOLOR", "0")] {
            let plain = shown(arguments, &[(name, value)]);
            assert!(!plain.contains(ESCAPE), "{name}={value} {arguments}: {plain}");
            assert!(plain.lines().count() > 3, "{name}={value} {arguments}: {plain}");
        }
        let empty = shown(arguments, &[("NO_COLOR", "")]);
        assert!(empty.contains(ESCAPE), "an empty NO_COLOR is none: {empty}");
    }
}

#[tokio::test]
async fn a_service_ends_with_the_terminal_that_it_was_started_in() {
    let port = free_port();
    let arguments = format!("--host 127.0.0.1 --port {port}");
    let (mut command, _folder) = in_terminal(&arguments, &[]);
    let mut script = command.stdout(Stdio::null()).spawn().unwrap();
    wait_for("the service to be ready", || async {
        http_client::get(port, "/readyz").await.is_ok_and(|answer| answer.status == 200)
    })
    .await;
    // Closes the terminal, as a window that is closed.
    script.kill().unwrap();
    script.wait().unwrap();
    wait_for("the listener to close", || async { Connection::open(port).await.is_err() }).await;
}
