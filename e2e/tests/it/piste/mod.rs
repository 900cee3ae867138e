//! piste as it is deployed: the built program in the environment of a Gnar Gear service, with moto in
//! the place of Amazon and off-piste next to it.

mod mail;
mod memory;
mod peer_service;
mod queue;
mod secrets;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use test_support::http_client::{Connection, HttpResponse};
use test_support::python::Dialogue;
use test_support::service::Service;
use test_support::{free_port, gnar};

/// Secrets of the environment, in addition to the key of the tokens.
const SQS_SECRET: &str = "hunter2-of-the-queues";
const SES_SECRET: &str = "hunter2-of-the-mail";
const PG_PASSWORD: &str = "hunter2-of-the-database";

/// One piste: what it is started with, each time.
struct Deployment {
    port: u16,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    log: Option<PathBuf>,
}

impl Deployment {
    /// Creates the settings with the database, and a closed port instead of AWS.
    fn new(database: &str) -> Self {
        let port = free_port();
        let arguments = ["--host", "127.0.0.1", "--port", &port.to_string()].map(str::to_owned);
        let variables =
            gnar::environment_for_piton(database).into_iter().map(|(name, it)| (name.into(), it));
        let new =
            Self { port, arguments: arguments.into(), variables: variables.collect(), log: None };
        new.with("GNAR_PG_PASSWORD", PG_PASSWORD)
            .with("GNAR_SQS_SECRET_ACCESS_KEY", SQS_SECRET)
            .with("GNAR_SES_SECRET_ACCESS_KEY", SES_SECRET)
            .set("http.drain_wait=0s")
    }

    fn production(mut self) -> Self {
        self.arguments.push("--production".into());
        self.set("admin.address=off")
    }

    /// Sets the address of queues and mail.
    fn amazon(self, url: &str) -> Self {
        self.with("GNAR_SQS_ENDPOINT_URL", url).with("GNAR_SES_ENDPOINT_URL", url)
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.into()));
        self
    }

    fn set(mut self, setting: &str) -> Self {
        self.arguments.extend(["--set".into(), setting.into()]);
        self
    }

    /// Starts it and waits until it is ready.
    async fn start(&self) -> Service {
        let service = Service::spawn(
            "piste",
            self.port,
            &self.arguments(),
            &self.variables(),
            self.log.as_deref(),
        );
        service.ready().await;
        service
    }

    fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

/// off-piste on this port, with more arguments.
async fn off_piste(port: u16, arguments: &[&str], log: Option<&Path>) -> Service {
    let port_text = port.to_string();
    let own = ["--production", "--host", "127.0.0.1", "--port", &port_text];
    let quiet = ["--set", "admin.address=off", "--set", "log.requests=all"];
    let arguments = [&own[..], &quiet, arguments].concat();
    let variables = [("GNAR_JWT_SECRET_KEY", gnar::JWT_SECRET_KEY)];
    let service = Service::spawn("off-piste", port, &arguments, &variables, log);
    service.ready().await;
    service
}

/// A token as the service in Python makes it.
fn token(email: &str) -> String {
    let mut python = Dialogue::start("jwt3", "tokens.py", &[], &[]);
    let question = json!({ "op": "create", "identity": email, "secret": gnar::JWT_SECRET_KEY });
    let made: Value = serde_json::from_str(&python.ask(&question.to_string())).unwrap();
    made["token"].as_str().unwrap().to_owned()
}

async fn get(port: u16, path: &str, headers: &[(&str, &str)]) -> HttpResponse {
    let mut connection = Connection::open(port).await.unwrap();
    connection.request_with("GET", path, headers, "").await.unwrap()
}

async fn get_as(port: u16, path: &str, token: &str) -> HttpResponse {
    get(port, path, &[("authorization", &format!("Bearer {token}"))]).await
}

async fn post(port: u16, path: &str, body: &Value) -> HttpResponse {
    let mut connection = Connection::open(port).await.unwrap();
    connection.request("POST", path, &body.to_string()).await.unwrap()
}

async fn signup(port: u16, email: &str) -> HttpResponse {
    post(port, "/user/signup", &json!({ "email": email, "password": PASSWORD })).await
}

/// The password of all users.
const PASSWORD: &str = "correct-horse-battery-staple";
