//! The outbox: a service that sends tasks in its transactions is killed, and its Redis server is stopped. Each committed order
//! has its task, and no other has one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use test_support::python::PythonProgram;
use test_support::redis::Redis;
use test_support::service::Service;
use test_support::{free_port, http_client, wait_for, wait_for_within};
use tokio::task::JoinSet;

const PROGRAM: &str = "examples/outbox";

/// Number of clients that send orders at the same time.
const CLIENTS: i64 = 4;

/// Every order whose number is a multiple of this is rolled back.
const ROLLED_BACK: i64 = 3;

struct Shared {
    redis: Redis,
    database: String,
    _folder: tempfile::TempDir,
}

fn sqlite() -> Shared {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("db.path={}", folder.path().join("orders.db").display());
    Shared { redis: redis(), database, _folder: folder }
}

fn postgres() -> Shared {
    let database = format!("db.url={}", test_support::postgres::database());
    Shared { redis: redis(), database, _folder: tempfile::tempdir().unwrap() }
}

fn redis() -> Redis {
    Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
}

impl Shared {
    async fn start(&self, port: u16) -> Service {
        let url = format!("tasks.redis.url={}", self.redis.url());
        // It reads the same queue as Celery's worker, otherwise.
        let settings = [self.database.as_str(), &url, "tasks.worker=off", "log.level=error"];
        let arguments: Vec<&str> = settings.iter().flat_map(|it| ["--set", it]).collect();
        Service::start(PROGRAM, port, &arguments).await
    }

    /// Returns the numbers of the orders whose tasks are in the queue, in the order in which they were sent.
    fn sent(&self) -> Vec<i64> {
        let messages = self.redis.command(&["LRANGE", "celery", "0", "-1"]);
        let mut numbers: Vec<i64> = messages.lines().filter_map(number_of).collect();
        numbers.reverse();
        numbers
    }
}

/// Returns the first argument of the task in a message.
fn number_of(message: &str) -> Option<i64> {
    let message: Value = serde_json::from_str(message).ok()?;
    let body: Value = serde_json::from_str(message["body"].as_str()?).ok()?;
    body[0][0].as_i64()
}

async fn send(port: u16, order: &Value) -> Option<u16> {
    let mut connection = http_client::Connection::open(port).await.ok()?;
    Some(connection.request("POST", "/orders", &order.to_string()).await.ok()?.status)
}

/// Sends orders from several clients until it is told to stop.
struct Clients {
    clients: JoinSet<()>,
    stop: Arc<AtomicBool>,
    accepted: Arc<AtomicI64>,
}

impl Clients {
    fn start(port: u16) -> Self {
        let (stop, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let (stop, accepted) = (stop.clone(), accepted.clone());
            clients.spawn(async move {
                let mut number = client;
                while !stop.load(Ordering::Relaxed) {
                    number += CLIENTS;
                    let is_rolled_back = number % ROLLED_BACK == 0;
                    let order = json!({ "number": number, "rolled_back": is_rolled_back });
                    match send(port, &order).await {
                        Some(200) => drop(accepted.fetch_add(1, Ordering::Relaxed)),
                        // The service is being restarted.
                        _ => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                }
            });
        }
        Self { clients, stop, accepted }
    }

    async fn wait_for_accepted(&self, more: i64) {
        let before = self.accepted.load(Ordering::Relaxed);
        wait_for_within("orders to be accepted", Duration::from_secs(60), || async {
            self.accepted.load(Ordering::Relaxed) >= before + more
        })
        .await;
    }

    async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while self.clients.join_next().await.is_some() {}
    }
}

/// Asserts that each committed order has its task, in the order of its client, and that no other has one.
async fn assert_none_is_rolled_back(shared: &Shared, service: &Service) {
    wait_for_within("the outbox to be empty", Duration::from_secs(60), || async {
        http_client::get(service.port, "/waiting").await.unwrap().json() == 0
    })
    .await;
    let orders = http_client::get(service.port, "/orders").await.unwrap().json();
    let orders: Vec<i64> = serde_json::from_value(orders).unwrap();
    let sent = shared.sent();
    let mut times: BTreeMap<i64, u32> = BTreeMap::new();
    for number in &sent {
        *times.entry(*number).or_default() += 1;
    }
    let twice = times.values().filter(|times| **times > 1).count();
    println!("{} orders, {} tasks, {twice} sent twice", orders.len(), sent.len());
    assert!(!orders.is_empty() && orders.iter().all(|number| number % ROLLED_BACK != 0));
    assert_eq!(times.into_keys().collect::<Vec<_>>(), orders);
    // Redis has lost nothing, so that it knows what it was sent before.
    assert_eq!(twice, 0);
    for client in 0..CLIENTS {
        let own: Vec<_> = sent.iter().filter(|number| *number % CLIENTS == client).collect();
        assert!(own.is_sorted(), "client {client}: {own:?}");
    }
}

/// Kills the service again and again while it takes orders.
async fn killed_services_lose_nothing(shared: Shared, kills: u32) {
    let port = free_port();
    let mut service = shared.start(port).await;
    let clients = Clients::start(port);
    for _ in 0..kills {
        clients.wait_for_accepted(40).await;
        service.signal("KILL").await;
        service.ended().await;
        service = shared.start(port).await;
    }
    clients.wait_for_accepted(40).await;
    clients.stop().await;
    assert_none_is_rolled_back(&shared, &service).await;
}

#[tokio::test]
async fn a_killed_service_sends_the_task_of_each_committed_order_on_sqlite() {
    killed_services_lose_nothing(sqlite(), 3).await;
}

#[tokio::test]
async fn a_killed_service_sends_the_task_of_each_committed_order_on_postgres() {
    killed_services_lose_nothing(postgres(), 3).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn a_service_killed_twenty_times_sends_the_task_of_each_committed_order_on_sqlite() {
    killed_services_lose_nothing(sqlite(), 20).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn a_service_killed_twenty_times_sends_the_task_of_each_committed_order_on_postgres() {
    killed_services_lose_nothing(postgres(), 20).await;
}

/// Two other processes relay what one sends, which is killed after an outage of Redis.
#[tokio::test]
async fn replicas_send_each_task_once_through_an_outage_of_redis() {
    let mut shared = postgres();
    let (port, other) = (free_port(), free_port());
    let service = shared.start(port).await;
    let (other, _third) = (shared.start(other).await, shared.start(free_port()).await);
    let clients = Clients::start(port);
    clients.wait_for_accepted(40).await;
    shared.redis.stop();
    // Orders are taken meanwhile.
    clients.wait_for_accepted(40).await;
    shared.redis.start_again();
    clients.wait_for_accepted(40).await;
    service.signal("KILL").await;
    service.ended().await;
    clients.stop().await;
    assert_none_is_rolled_back(&shared, &other).await;
}

/// A service that starts while Redis is down takes orders, says so in its health, and a Celery worker runs the tasks later.
#[tokio::test]
async fn a_celery_worker_runs_what_was_sent_in_a_transaction() {
    let mut shared = sqlite();
    shared.redis.stop();
    let service = shared.start(free_port()).await;
    let mut connection = http_client::Connection::open(service.port).await.unwrap();
    let order = json!({ "number": 41 }).to_string();
    let response = connection.request("POST", "/orders", &order).await.unwrap();
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    let id = String::from_utf8(response.body.to_vec()).unwrap();
    shared.redis.start_again();
    let url = shared.redis.url();
    let variables = [("CELERY_BROKER_URL", url.as_str()), ("CELERY_RESULT_BACKEND", url.as_str())];
    let arguments = ["--pool=solo", "--queues=celery", "--hostname=py@test"];
    let _worker = PythonProgram::start("celery", "worker.py", &arguments, &variables);
    wait_for("the task to be in Redis", || async {
        http_client::get(service.port, "/waiting").await.unwrap().json() == 0
    })
    .await;
    let result = http_client::get(service.port, &format!("/result/{id}")).await.unwrap();
    assert_eq!(result.json(), 42);
}

/// Runs `tasks outbox` with these arguments. Returns what it prints.
async fn command(shared: &Shared, arguments: &[&str]) -> String {
    let url = format!("tasks.redis.url={}", shared.redis.url());
    let set = ["--set", &shared.database, "--set", &url];
    let all = [&["tasks", "outbox"], arguments, &set].concat();
    let output = test_support::service::run(PROGRAM, &all, &[]).await;
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[tokio::test]
async fn what_redis_refuses_is_listed_and_sent_again_by_a_command() {
    let shared = sqlite();
    let no_file = command(&shared, &[]).await;
    assert!(no_file.contains("there is no database at"), "{no_file}");
    let service = shared.start(free_port()).await;
    assert_eq!(command(&shared, &[]).await, "No task waits in the outbox.\n");
    let _ = shared.redis.command(&["SET", "celery", "not a list"]);
    assert_eq!(send(service.port, &json!({ "number": 1 })).await, Some(200));
    wait_for("the task to be refused", || async {
        command(&shared, &[]).await.contains("WRONGTYPE")
    })
    .await;
    let listed = command(&shared, &[]).await;
    assert!(listed.contains("Redis refused 1.") && listed.contains("py.add"), "{listed}");
    wait_for("the health to say so", || async {
        let health = http_client::get(service.port, "/health").await.unwrap();
        String::from_utf8_lossy(&health.body).contains("see `tasks outbox`")
    })
    .await;
    let unknown = command(&shared, &["retry", "nothing"]).await;
    assert!(unknown.contains("no task nothing was refused"), "{unknown}");

    let _ = shared.redis.command(&["DEL", "celery"]);
    let moved = command(&shared, &["retry", "--all"]).await;
    assert!(moved.starts_with("1 entry moved back"), "{moved}");
    wait_for("the task to be sent", || async { shared.sent() == [1] }).await;
    assert_eq!(command(&shared, &[]).await, "No task waits in the outbox.\n");
}
