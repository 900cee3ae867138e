//! Tests the settings with which the programs refuse to start: addresses, bounds, `.env`.

use test_support::cli::{CommandOutput, output, temporary_folder};
use test_support::http_client;
use test_support::service::{Service, program};

const SERVICES: [&str; 5] = ["registry", "piste", "off-piste", "envpage", "ashirt-worker"];

fn asked(service: &str, arguments: &[&str], variables: &[(&str, &str)]) -> CommandOutput {
    let folder = temporary_folder();
    let program = program(service);
    let mut command =
        test_support::cli::command(program.to_str().unwrap(), folder.path(), arguments);
    output(command.envs(variables.iter().copied()))
}

#[test]
fn an_address_that_leads_nowhere_is_exit_2_with_its_variable_and_without_its_password() {
    for (service, variable, values) in [
        (
            "registry",
            "REDIS_URL",
            &[
                "redis://h1,h2",
                "redis://h/abc",
                "redis://me:hunter2@h:abc",
                "rediss://h:0",
                "h:6379",
            ][..],
        ),
        ("registry", "REDIS_HOST", &["cache:abc", "h/1", "me:hunter2@h", "a b", "h:", "a,b"]),
        (
            "registry",
            "PITON_CLIENT_PROXY",
            &["socks5h://", "socks5h://h:0", "http://me:hunter2@h:x"],
        ),
        ("registry", "PITON_REGISTER_URL", &["https://", "http://me:hunter2@h", "http://h:99999"]),
        ("registry", "PITON_WORKFLOW_URL", &["https:///graphql", "ftp://h", "http://a,b"]),
        ("registry", "PITON_CLIENT_PEERS", &["piste=h", "piste=h:x", "piste=me:hunter2@h:1"]),
        ("registry", "PITON_ADMIN_ADDRESS", &["9464", "localhost:9464", "127.0.0.1:99999"]),
        ("registry", "PITON_HTTP_HOST", &["localhost", "127.0.0.1:80", "1.2.3"]),
        ("registry", "PITON_HTTP_TRUSTED_PROXIES", &["10.0.0.0/33", "proxy", "10.0.0.1:80"]),
        (
            "registry",
            "PITON_HTTP_CORS_ORIGINS",
            &["https://a.example/", "a.example", "https://*.org"],
        ),
        (
            "piste",
            "GNAR_SQS_ENDPOINT_URL",
            &["http://", "h:4566", "http://me:hunter2@h", "http://h:x"],
        ),
        ("piste", "GNAR_SES_ENDPOINT_URL", &["http://h:0", "ftp://h", "http://a,b"]),
        ("piste", "GNAR_ACTIVATION_URL", &["http://", "gnar.example.com", "http://h:x/"]),
        (
            "ashirt-worker",
            "ASHIRT_BACKEND_URL",
            &["http://h:0", "http://me:hunter2@h", "http://a,b"],
        ),
        ("ashirt-worker", "PITON_WORKER_URL", &["http://a,b", "http://h:x", "worker"]),
    ] {
        for value in values {
            // Run by the verb `config`, because without the expected error a service would run
            // until the test's end.
            let said = asked(service, &["config"], &[(variable, value)]);
            let all = format!("{}{}", said.out, said.err);
            assert_eq!(said.code, Some(2), "{variable}={value}: {all}");
            assert!(said.err.contains(variable), "{variable}={value}: {}", said.err);
            assert!(said.err.contains("fix: "), "{variable}={value}: {}", said.err);
            assert!(!all.contains("hunter2"), "{variable}={value}: {all}");
        }
    }
    let said = asked(
        "registry",
        &[],
        &[("REDIS_URL", "redis://h1,h2"), ("PITON_CLIENT_PROXY", "socks5h://")],
    );
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("2 settings are wrong"), "{}", said.err);
    assert!(said.err.contains("Redis Cluster is not supported"), "{}", said.err);
}

/// Returns a value beyond every bound, in the form of the setting's kind.
fn beyond(expects: &str) -> &'static str {
    match expects {
        _ if expects.contains("a duration") => "584542046090years",
        _ if expects.contains("a size") => "18446744073709551615B",
        _ => "18446744073709551615",
    }
}

#[test]
fn every_number_duration_and_size_of_every_service_has_bounds_and_no_extreme_is_a_panic() {
    for service in SERVICES {
        let listed = asked(service, &["config", "--json"], &[]);
        let all: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
        let ranged: Vec<_> =
            all.as_array().unwrap().iter().filter(|it| it["range"].is_array()).collect();
        assert!(ranged.len() > 10, "{service}: {}", ranged.len());
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        for of in ["least", "largest", "beyond"] {
            let values = ranged.iter().map(|setting| match of {
                "least" => text(&setting["range"][0]),
                "largest" => text(&setting["range"][1]),
                _ => beyond(setting["expects"].as_str().unwrap()).to_owned(),
            });
            let variables: Vec<(String, String)> =
                ranged.iter().map(|setting| text(&setting["variable"])).zip(values).collect();
            let variables: Vec<(&str, &str)> =
                variables.iter().map(|(name, value)| (&**name, &**value)).collect();
            let said = asked(service, &["config"], &variables);
            assert!(
                matches!(said.code, Some(0 | 2)),
                "{service}, {of}: {:?} {}",
                said.code,
                said.err
            );
            if of == "beyond" {
                for (variable, _) in variables {
                    assert!(said.err.contains(variable), "{service}: {variable} in {}", said.err);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_service_serves_with_every_bound_at_its_end() {
    let listed = asked("registry", &["config", "--json"], &[]);
    let all: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    for end in [0, 1] {
        // Left out: ports need a named server, and the others make the test wait, time out after 1 ms, or refuse a
        // request while the connection of the one before it is still being closed.
        let left = [
            "port",
            "drain_wait",
            "drain_timeout",
            "http.timeout",
            "header_timeout",
            "http.max_connections",
            "max_requests",
        ];
        let of = |setting: &serde_json::Value, name| setting[name].as_str().unwrap().to_owned();
        let variables: Vec<(String, String)> = all
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| {
                it["range"].is_array() && !left.iter().any(|end| of(it, "key").ends_with(end))
            })
            .filter(|it| {
                asked(
                    "registry",
                    &["config"],
                    &[(&of(it, "variable"), it["range"][end].as_str().unwrap())],
                )
                .code
                    == Some(0)
            })
            .map(|it| (of(it, "variable"), it["range"][end].as_str().unwrap().to_owned()))
            .collect();
        assert!(variables.len() > if end == 0 { 5 } else { 25 }, "{variables:?}");
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (&**name, &**value)).collect();
        let port = test_support::free_port();
        let arguments = ["--host", "127.0.0.1", "--port", &port.to_string()];
        let service = Service::spawn("registry", port, &arguments, &variables, None);
        service.ready().await;
        for path in ["/api/companies", "/api/companies?page=2", "/health", "/metrics"] {
            let answer = http_client::get(port, path).await.unwrap();
            assert_eq!(answer.status, 200, "{path}");
        }
    }
}

#[test]
fn a_dotenv_is_read_as_python_dotenv_reads_it_and_another_encoding_is_named() {
    let folder = temporary_folder();
    let program = program("registry");
    let asked = |text: &[u8]| {
        std::fs::write(folder.path().join(".env"), text).unwrap();
        let program = program.to_str().unwrap();
        output(&mut test_support::cli::command(program, folder.path(), &["config", "log.format"]))
    };
    let said = asked(
        b"APP=shop\nMY-VAR=1\nBARE\nexport\tPITON_LOG_FORMAT='it\\'s ${APP} ${NO:-%(message)s}'\n",
    );
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("it's shop %(message)s"), "{}", said.out);
    for (text, why) in [
        (&b"A=caf\xe9\n"[..], "not UTF-8"),
        (b"\xff\xfeA\0=\x001\0", "UTF-16"),
        (b"A='hunter2\nB=1\n", "the quote is not closed"),
    ] {
        let said = asked(text);
        assert_eq!(said.code, Some(2), "{why}");
        assert!(said.err.contains(".env:1") && said.err.contains(why), "{}", said.err);
        assert!(!said.err.contains("hunter2"), "{}", said.err);
    }
}
