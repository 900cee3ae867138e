//! A service that shares a Redis server with workers of Celery: tasks in Rust, and calls of tasks in Python.

use std::time::Duration;

use piton::prelude::*;
use piton::serde_json::{Map, Value, json};
use piton::tasks::{Call, Chain, Exception, Group, TaskFailure, TaskRun};

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

/// A part of a composition.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Step {
    Call(StepCall),
    /// Chains that run at the same time, and the task that gets their results.
    Group(Vec<Vec<Step>>, StepCall),
}

/// A call in a composition.
#[derive(Deserialize, JsonSchema)]
struct StepCall {
    task: String,
    #[serde(default)]
    args: Vec<Value>,
    #[serde(default)]
    immutable: bool,
    #[serde(default)]
    on_success: Vec<StepCall>,
    #[serde(default)]
    on_failure: Vec<StepCall>,
    id: Option<String>,
}

impl StepCall {
    fn build(self) -> Call {
        let queue = if self.task.starts_with("rs.") { "rust" } else { "celery" };
        let mut call = Call::<Value>::new(self.task).queue(queue);
        for arg in &self.args {
            call = call.arg(arg);
        }
        if self.immutable {
            call = call.immutable();
        }
        if let Some(id) = self.id {
            call = call.task_id(id);
        }
        call = self.on_success.into_iter().fold(call, |call, then| call.on_success(then.build()));
        self.on_failure.into_iter().fold(call, |call, then| call.on_failure(then.build()))
    }
}

/// Returns the chain of steps. `None` if there is none.
fn chain(steps: Vec<Step>) -> Option<Chain> {
    let mut steps = steps.into_iter().map(|step| -> Chain {
        match step {
            Step::Call(call) => call.build().into(),
            Step::Group(members, summary) => {
                let members = members.into_iter().filter_map(chain);
                Group::new(members).then(summary.build()).into()
            }
        }
    });
    let first = steps.next()?;
    Some(steps.fold(first, |chain, step| chain.then(step)))
}

/// Sends a chain that is built here. Returns the id of its last task.
#[post("/chain")]
async fn send_chain(tasks: Tasks, Json(steps): Json<Vec<Step>>) -> Result<String> {
    let chain = chain(steps).ok_or_else(|| Error::bad_request("a chain has a step"))?;
    Ok(tasks.send_chain(chain).await?.id().to_owned())
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
