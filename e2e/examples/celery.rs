//! A service that shares a Redis server with workers of Celery: tasks in Rust, and calls of tasks in Python.

use std::time::Duration;

use piton::prelude::*;
use piton::serde_json::{Map, Value, json};
use piton::tasks::{Call, Exception, TaskFailure, TaskRun};

#[task(name = "rs.add", queue = "rust")]
async fn add(x: i64, y: i64) -> task::Result<i64> {
    Ok(x + y)
}

#[task(name = "rs.echo", queue = "rust")]
async fn echo(value: Option<Value>) -> task::Result<Value> {
    Ok(value.unwrap_or_default())
}

#[task(name = "rs.sum", queue = "rust")]
async fn sum(numbers: Vec<i64>) -> task::Result<i64> {
    Ok(numbers.into_iter().sum())
}

#[task(name = "rs.fail", queue = "rust")]
async fn fail(message: String) -> task::Result<()> {
    let exception = Exception::new("builtins", "ValueError", vec![message.into(), 42.into()]);
    Err(task::Error::reject("no").exception(exception))
}

#[task(name = "rs.retry", queue = "rust", retries = 3, backoff = "100ms")]
async fn retry(#[part] run: TaskRun, times: u32) -> task::Result<u32> {
    if run.retries() < times {
        return Err(task::Error::retry("not yet"));
    }
    Ok(run.retries())
}

#[task(name = "rs.sleep", queue = "rust")]
async fn sleep(#[part] run: TaskRun, seconds: f64) -> task::Result<f64> {
    run.set_progress(&json!({ "done": 1 }))?;
    piton::tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    Ok(seconds)
}

#[task(name = "rs.headers", queue = "rust")]
async fn headers(#[part] run: TaskRun, name: String) -> task::Result<Value> {
    Ok(run.header(&name).cloned().unwrap_or_default())
}

/// A call of any task.
#[derive(Deserialize, JsonSchema)]
struct Request {
    task: String,
    #[serde(default)]
    args: Vec<Value>,
    #[serde(default)]
    kwargs: Map<String, Value>,
    queue: Option<String>,
    countdown_ms: Option<u64>,
    expires_ms: Option<u64>,
    priority: Option<u8>,
}

#[post("/send")]
async fn send(tasks: Tasks, Json(request): Json<Request>) -> Result<String> {
    let mut call = Call::<Value>::new(request.task);
    for arg in &request.args {
        call = call.arg(arg);
    }
    for (name, value) in &request.kwargs {
        call = call.kwarg(name, value);
    }
    if let Some(queue) = request.queue {
        call = call.queue(queue);
    }
    if let Some(countdown_ms) = request.countdown_ms {
        call = call.countdown(Duration::from_millis(countdown_ms));
    }
    if let Some(expires_ms) = request.expires_ms {
        call = call.expires(Duration::from_millis(expires_ms));
    }
    if let Some(priority) = request.priority {
        call = call.priority(priority);
    }
    Ok(tasks.send(call).await?.id().to_owned())
}

/// Waits for the result of a task.
#[get("/result/{id}")]
async fn result(tasks: Tasks, Path(id): Path<String>) -> Result<Json<Value>> {
    match tasks.result(&id, Duration::from_secs(15)).await {
        Ok(value) => Ok(Json(json!({ "returned": value }))),
        Err(TaskFailure::Failed(exception)) => Ok(Json(json!({ "failed": exception }))),
        Err(TaskFailure::Revoked) => Ok(Json(json!({ "revoked": true }))),
        Err(error) => Err(Error::internal(error)),
    }
}

#[get("/status/{id}")]
async fn status(tasks: Tasks, Path(id): Path<String>) -> Result<Json<Value>> {
    Ok(Json(json!(tasks.status(&id).await?)))
}

fn main() -> piton::Exit {
    App::new("celery").set("tasks.broker", "redis").enable::<Tasks>().run()
}
