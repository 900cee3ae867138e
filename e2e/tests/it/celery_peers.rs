//! A service in Rust, and a worker and a client of Celery, on one Redis server.

use serde_json::Value;
use test_support::free_port;
use test_support::http_client;
use test_support::python::{Dialogue, PythonProgram};
use test_support::redis::Redis;
use test_support::service::Service;

pub(crate) const PROGRAM: &str = "examples/celery";

/// The environments of Python with the versions of Celery.
pub(crate) const CELERY_5_7: &str = "celery";
pub(crate) const CELERY_5_6: &str = "celery56";

/// A Redis server, a worker and a client of Celery, and a service of ours that serves requests and runs tasks.
pub(crate) struct Peers {
    pub redis: Redis,
    client: Dialogue,
    service: Service,
    _worker: PythonProgram,
}

impl Peers {
    pub async fn start() -> Self {
        Self::start_with(&[], "{}").await
    }

    /// Starts them. The settings are the service's, the options Celery's.
    pub async fn start_with(settings: &[&str], options: &str) -> Self {
        Self::start_version(CELERY_5_7, settings, options).await
    }

    /// Starts them with a version of Celery: the name of its environment. All versions run the same scripts.
    pub async fn start_version(version: &str, settings: &[&str], options: &str) -> Self {
        let redis = Redis::start();
        let (broker, results) = (redis.url(), redis.url());
        let variables = [
            ("CELERY_BROKER_URL", broker.as_str()),
            ("CELERY_RESULT_BACKEND", results.as_str()),
            ("CELERY_OPTIONS", options),
        ];
        let arguments =
            ["--pool=prefork", "--concurrency=2", "--queues=celery", "--hostname=py@test"];
        let worker = PythonProgram::start(version, "../celery/worker.py", &arguments, &variables);
        let client = Dialogue::start(version, "../celery/client.py", &[], &variables);
        let url = format!("tasks.redis.url={broker}");
        let own = [url.as_str(), "tasks.lease=3s", "tasks.worker=on"];
        let arguments: Vec<&str> =
            own.iter().chain(settings).flat_map(|setting| ["--set", setting]).collect();
        let service = Service::start(PROGRAM, free_port(), &arguments).await;
        Self { redis, client, service, _worker: worker }
    }

    /// Evaluates an expression in the Python client.
    pub fn python(&mut self, expression: &str) -> Value {
        let answer = self.client.ask(expression);
        serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{expression}: {error}: {answer}"))
    }

    /// Asserts the value of an expression.
    pub fn expect(&mut self, expression: &str, expected: Value) {
        assert_eq!(self.python(expression), expected, "{expression}");
    }

    /// Sends a task from the service. Returns its id.
    pub async fn send(&self, request: Value) -> String {
        self.post("/send", request).await
    }

    /// Sends a chain that the service builds. Returns the id of its last task.
    pub async fn send_chain(&self, steps: Value) -> String {
        self.post("/chain", steps).await
    }

    /// Sends a chain that the service builds, and returns its end as the service sees it.
    pub async fn chain(&self, steps: Value) -> Value {
        let id = self.send_chain(steps).await;
        self.get(&format!("/result/{id}")).await
    }

    async fn post(&self, path: &str, request: Value) -> String {
        let mut connection = http_client::Connection::open(self.service.port).await.unwrap();
        let response = connection.request("POST", path, &request.to_string()).await.unwrap();
        let text = String::from_utf8(response.body.to_vec()).unwrap();
        assert_eq!(response.status, 200, "{text}");
        text
    }

    pub async fn get(&self, path: &str) -> Value {
        let response = http_client::get(self.service.port, path).await.unwrap();
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sends a task from the service, and returns its end as the service sees it.
    pub async fn call(&self, request: Value) -> Value {
        let id = self.send(request).await;
        self.get(&format!("/result/{id}")).await
    }
}
