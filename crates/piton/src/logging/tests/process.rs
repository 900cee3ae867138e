//! The log of a whole process, on its standard output.

use super::*;

/// The other half of the next tests: logs for real, in a process of its own.
#[test]
#[expect(clippy::disallowed_methods, reason = "the exit code is what the parent looks for")]
fn child_process() {
    let Some(format) = std::env::var_os("PITON_TEST_LOG_CHILD") else { return };
    let format = LogFormat::parse(&json!(format.to_str())).expect("the parent knows the formats");
    let settings = LogSettings { format, ..LogSettings::default() };
    start(&settings);
    start(&settings);
    // More than a pipe holds, so that the parent's end is closed before the last line.
    for number in 0..20_000 {
        info!(number, "child speaks");
    }
    start(&LogSettings { level: LogLevel::Error, ..settings });
    info!("no longer said");
    assert_eq!(level(), LogLevel::Error);
    std::process::exit(7);
}

fn child(format: &str) -> std::process::Child {
    let name = concat!(module_path!(), "::child_process");
    let (_, name) = name.split_once("::").expect("a module path begins with the crate");
    Command::new(std::env::current_exe().expect("a test is a program"))
        .args(["--exact", name, "--nocapture"])
        .env("PITON_TEST_LOG_CHILD", format)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the test can be started again")
}

#[test]
fn a_closed_reader_causes_no_panic() {
    let mut child = child("auto");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("child speaks") {
        line.clear();
        assert_ne!(output.read_line(&mut line).expect("the child writes text"), 0);
    }
    drop(output);
    assert_eq!(child.wait().expect("the child was started").code(), Some(7));
    // The output of the child is a pipe, so `auto` is JSON.
    assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
}

#[test]
fn every_line_is_written_once_and_a_second_start_only_changes_the_level() {
    let mut child = child("human");
    let mut output = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut output).expect("the child writes text");
    assert_eq!(child.wait().expect("the child was started").code(), Some(7));
    assert_eq!(output.matches("child speaks number=").count(), 20_000);
    assert!(!output.contains("no longer said") && !output.contains('\u{1b}'));
}

/// The other half of the next test.
#[tokio::test]
async fn child_with_a_test_app() {
    if std::env::var_os("PITON_TEST_LOG_APP").is_some() {
        let app = App::new("quiet").no_scan();
        let server = TestServer::start(app).await;
        tokio::spawn(async { info!("a task speaks") }).await.expect("it does not panic");
        server.stop().await;
    }
}

#[test]
fn the_log_of_a_test_that_passes_is_captured() {
    let name = concat!(module_path!(), "::child_with_a_test_app");
    let (_, name) = name.split_once("::").expect("a module path begins with the crate");
    let output = |options: &[&str]| {
        let mut child = Command::new(std::env::current_exe().expect("a test is a program"));
        child.args(["--exact", name]).args(options).env("PITON_TEST_LOG_APP", "1");
        let output = child.output().expect("the test can be started again");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let captured = output(&[]);
    assert!(captured.contains("1 passed") && !captured.contains("quiet is up"), "{captured}");
    assert!(!captured.contains("a task speaks"), "{captured}");
    let shown = output(&["--nocapture"]);
    assert!(shown.contains("quiet is up") && shown.contains("a task speaks"), "{shown}");
}
