//! Tasks on a Redis server that is reached by TLS, on one with a password, and on one that Sentinels name.

use serde_json::{Value, json};
use test_support::redis::{Redis, Sentinel};
use test_support::service::Service;
use test_support::{free_port, http_client, wait_for};

use crate::celery_peers::PROGRAM;

async fn start(settings: &[String]) -> Service {
    let worker = "tasks.worker=on".to_owned();
    let settings = settings.iter().chain([&worker]);
    let arguments: Vec<&str> = settings.flat_map(|it| ["--set", it.as_str()]).collect();
    Service::start(PROGRAM, free_port(), &arguments).await
}

/// Sends a task from the service, and returns what it returned, or the response that says why not.
async fn add(service: &Service, x: i64, y: i64) -> Result<Value, String> {
    let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
    let request = json!({"task": "rs.add", "args": [x, y], "queue": "rust"});
    let mut connection = http_client::Connection::open(service.port).await.unwrap();
    let sent = connection.request("POST", "/send", &request.to_string()).await.unwrap();
    if sent.status != 200 {
        return Err(text(&sent.body));
    }
    let path = format!("/result/{}", text(&sent.body));
    let result = http_client::get(service.port, &path).await.unwrap();
    match result.status {
        200 => Ok(result.json()["returned"].clone()),
        _ => Err(text(&result.body)),
    }
}

#[tokio::test]
async fn tasks_go_over_tls_to_a_server_whose_certificate_is_verified() {
    let (redis, authority) = Redis::start_with_tls();
    let url = format!("tasks.redis.url=rediss://localhost:{}", redis.port());
    let trusting =
        start(&[url.clone(), format!("tasks.redis.tls_ca={}", authority.display())]).await;
    assert_eq!(add(&trusting, 2, 3).await, Ok(json!(5)));
    assert_eq!(redis.command(&["HLEN", "unacked"]), "0");
    // Without the authority nothing is sent.
    let port = free_port();
    let number = port.to_string();
    let arguments = ["--port", &number, "--set", &url];
    let doubting = Service::spawn(PROGRAM, port, &arguments, &[], None);
    wait_for("it to say why", || async {
        let health = http_client::get(port, "/health").await;
        health.is_ok_and(|it| String::from_utf8_lossy(&it.body).contains("certificate"))
    })
    .await;
    assert!(add(&doubting, 2, 3).await.is_err());
}

#[tokio::test]
async fn the_password_of_the_broker_is_a_setting_of_its_own() {
    let redis = Redis::start_with_password("secret");
    let url = format!("tasks.redis.url={}", redis.url());
    let service = start(&[url, "tasks.redis.password=secret".to_owned()]).await;
    assert_eq!(add(&service, 2, 3).await, Ok(json!(5)));
}

#[tokio::test]
async fn tasks_go_on_at_the_replica_that_sentinels_promote() {
    let mut master = Redis::start();
    let replica = Redis::start_replica_of(&master);
    let sentinel = Sentinel::start(&master);
    wait_for("the sentinel to know both", async || sentinel.knows_replica()).await;
    let service = start(&[format!("tasks.redis.sentinel={}", sentinel.address())]).await;
    assert_eq!(add(&service, 1, 1).await, Ok(json!(2)));
    master.kill();
    wait_for("the failover", async || sentinel.master() == Some(replica.port())).await;
    wait_for("a task to be run again", async || add(&service, 2, 2).await == Ok(json!(4))).await;
    wait_for("all to be acknowledged", async || replica.command(&["HLEN", "unacked"]) == "0").await;
}
