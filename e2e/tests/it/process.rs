//! Start and end of the process: signals, exit codes, ports.

use test_support::http_client::{self, Connection};
use test_support::service::{Service, run};
use test_support::{free_port, wait_for};

use super::company;

fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let setting = format!("data_dir={}", folder.path().join("data").display());
    (folder, setting)
}

/// The head of a request, its body to follow: the service has it under way until that comes.
async fn half_a_request(port: u16) -> (Connection, String) {
    let request = http_client::request("POST", "/api/companies", &company(1));
    let (first, rest) = request.split_at(request.len() - 10);
    let mut connection = Connection::open(port).await.unwrap();
    connection.send(first.as_bytes()).await.unwrap();
    // An answer on another connection says that what was sent before has been read.
    assert_eq!(http_client::get(port, "/livez").await.unwrap().status, 200);
    (connection, rest.to_owned())
}

#[tokio::test]
async fn what_is_under_way_at_the_signal_is_answered_and_the_exit_is_clean() {
    for signal in ["TERM", "INT", "QUIT"] {
        let (_folder, data) = folder();
        let service = Service::start("registry", free_port(), &["--set", &data]).await;
        let port = service.port;
        let (mut connection, rest) = half_a_request(port).await;
        service.signal(signal).await;
        wait_for("the listener to close", || async { Connection::open(port).await.is_err() }).await;
        connection.send(rest.as_bytes()).await.unwrap();
        let answer = connection.read_response().await.unwrap();
        assert_eq!((answer.status, answer.closes), (201, true), "SIG{signal}");
        assert_eq!(service.ended().await.code(), Some(0), "SIG{signal}");
    }
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let (_folder, data) = folder();
    let slow = ["--set", &data, "--set", "http.drain_timeout=10m", "--set", "http.timeout=10m"];
    let service = Service::start("registry", free_port(), &slow).await;
    let port = service.port;
    let (_connection, _) = half_a_request(port).await;
    service.signal("TERM").await;
    wait_for("the listener to close", || async { Connection::open(port).await.is_err() }).await;
    service.signal("TERM").await;
    let ended = tokio::time::timeout(std::time::Duration::from_secs(15), service.ended()).await;
    assert_eq!(ended.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_hangup_reloads_during_the_launch_while_serving_and_while_draining() {
    const RELOADING: &str = "Reloading, because of SIGHUP";
    let (folder, data) = folder();
    let log = folder.path().join("log");
    let lines = || std::fs::read_to_string(&log).unwrap_or_default();
    let reloads = async |times: usize| {
        wait_for("a reload", || async { lines().matches(RELOADING).count() == times }).await;
    };
    let port = free_port();
    let port_text = port.to_string();
    let arguments = ["--host", "127.0.0.1", "--port", &port_text, "--set", &data];
    let service = Service::spawn("registry", port, &arguments, &[], Some(&log));
    wait_for("the launch to begin", || async { !lines().is_empty() }).await;
    service.signal("HUP").await;
    reloads(1).await;
    service.ready().await;
    service.signal("HUP").await;
    reloads(2).await;
    let (mut connection, rest) = half_a_request(port).await;
    service.signal("TERM").await;
    wait_for("the listener to close", || async { Connection::open(port).await.is_err() }).await;
    service.signal("HUP").await;
    reloads(3).await;
    connection.send(rest.as_bytes()).await.unwrap();
    assert_eq!(connection.read_response().await.unwrap().status, 201);
    assert_eq!(service.ended().await.code(), Some(0));
}

#[tokio::test]
async fn signals_raise_the_log_level_for_a_time_and_end_that() {
    let (folder, data) = folder();
    let log = folder.path().join("log");
    let file = std::fs::File::create(&log).unwrap();
    let settings = ["--set", &data, "--set", "log.revert_after=2s"];
    let service = Service::start_logging_to(file, "registry", free_port(), &settings).await;
    let said = async |message: &str, times: usize| {
        wait_for(message, || async {
            std::fs::read_to_string(&log).unwrap().matches(message).count() == times
        })
        .await;
    };
    service.signal("USR1").await;
    said("The log level is DEBUG for 2s, then INFO again", 1).await;
    service.signal("USR1").await;
    said("The log level is TRACE for 2s, then INFO again", 1).await;
    service.signal("USR2").await;
    said("The log level is INFO again", 1).await;
    service.signal("USR1").await;
    said("The log level is DEBUG for 2s, then INFO again", 2).await;
    // By itself.
    said("The log level is INFO again", 2).await;
    service.signal("TERM").await;
    assert_eq!(service.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_log_that_nobody_reads_or_that_finds_no_room_stops_no_request() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    for log in [std::process::Stdio::piped(), full.into()] {
        let (_folder, data) = folder();
        let settings = ["--set", &data, "--log-level", "debug"];
        let service = Service::start_logging_to(log, "registry", free_port(), &settings).await;
        for _ in 0..200 {
            let answer = http_client::get(service.port, "/api/companies").await.unwrap();
            assert_eq!(answer.status, 200);
        }
        service.signal("TERM").await;
        assert_eq!(service.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_log_whose_reader_hangs_stops_no_request() {
    let (_folder, data) = folder();
    let (reader, log) = std::io::pipe().unwrap();
    let service = Service::start_logging_to(log, "registry", free_port(), &["--set", &data]).await;
    // Several times what a pipe holds.
    for _ in 0..1500 {
        let answer = http_client::get(service.port, "/api/companies").await.unwrap();
        assert_eq!(answer.status, 200);
    }
    service.signal("TERM").await;
    assert_eq!(service.ended().await.code(), Some(0));
    drop(reader);
}

#[tokio::test]
async fn a_format_of_pythons_is_checked_at_the_start() {
    let variables = [("PITON_LOG_FORMAT", "%(asctime)s %(mesage)s")];
    let output = run("registry", &[], &variables).await;
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("PITON_LOG_FORMAT=%(asctime)s %(message)s"), "{message}");
}

#[tokio::test]
async fn three_wrong_settings_are_one_message_and_exit_2() {
    let variables = [("PITON_HTTP_PORT", "eighty"), ("PITON_HTTP_TIMEOUT", "30")];
    let output = run("registry", &["--set", "db.pth=x"], &variables).await;
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    for part in ["3 settings are wrong", "PITON_HTTP_PORT", "PITON_HTTP_TIMEOUT=30s", "`db.path`"] {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}

#[tokio::test]
async fn a_service_manager_is_told_in_its_own_terms() {
    let folder = test_support::cli::temporary_folder();
    let program = test_support::service::program("registry");
    let started = |script: &str| {
        let mut shell = std::process::Command::new("sh");
        shell.current_dir(folder.path()).args(["-c", script, "sh"]).arg(&program);
        shell.env("PITON_HTTP_PORT", "eighty").output().unwrap().status.code()
    };
    assert_eq!(started("SYSTEMD_EXEC_PID=$$ exec \"$1\""), Some(78));
    // Exit code 2, because systemd started only the shell, which passed its variables on.
    assert_eq!(started("export SYSTEMD_EXEC_PID=$$ INVOCATION_ID=1; \"$1\"; exit $?"), Some(2));
}

#[tokio::test]
async fn a_port_that_is_taken_is_exit_1_with_the_fix() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run("registry", &["--port", &port], &[]).await;
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains(&port) && message.contains("--port"), "{message}");
}

#[tokio::test]
async fn verbs_say_what_they_are_asked_and_end_well() {
    for (arguments, part) in [
        (vec!["--help"], "routes"),
        (vec!["--version"], "registry 0."),
        (vec!["routes"], "/api/companies/{cnpj}/history"),
        (
            vec!["routes", "--explain"],
            ".route(piton::http::get(\"/api/companies\", registry::apis::companies::list)\n        \
             .guard(piton::auth::api_key::ApiKeyGuard::new().scope(\"companies:read\"))\n        \
             .middleware(piton::cache::Cached::new()",
        ),
        (vec!["config"], "PITON_HTTP_DRAIN_WAIT"),
        (vec!["seed", "--count", "7"], "Registered 7 companies"),
    ] {
        let output = run("registry", &arguments, &[]).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn nothing_that_was_answered_201_is_lost_by_kill_9() {
    let (_folder, data) = folder();
    let port = free_port();
    let service = Service::start("registry", port, &["--set", &data]).await;
    let load = tokio::spawn(async move {
        let mut connection = Connection::open(port).await.unwrap();
        let mut registered = 0;
        while let Ok(answer) =
            connection.request("POST", "/api/companies", &company(registered + 1)).await
        {
            assert_eq!(answer.status, 201);
            registered += 1;
        }
        registered
    });
    wait_for("some companies", || async {
        let page = http_client::get(port, "/api/companies?per_page=1").await;
        page.is_ok_and(|page| !String::from_utf8_lossy(&page.body).contains("\"pages\":0"))
    })
    .await;
    service.signal("KILL").await;
    let registered = load.await.unwrap();
    service.ended().await;
    let again = Service::start("registry", port, &["--set", &data]).await;
    let page = http_client::get(port, "/api/companies?per_page=1").await.unwrap();
    let page: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    let total = page["total"].as_u64().unwrap();
    // The last one may have been written without its answer having got out.
    assert!(
        total == u64::from(registered) || total == u64::from(registered) + 1,
        "{registered} of {total}"
    );
    assert!(registered > 0);
    drop(again);
}
