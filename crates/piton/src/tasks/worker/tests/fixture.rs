//! A broker, a clock and workers for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use piton_celery::{Envelope, Parameter, Properties, TaskBody, TaskHeaders};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::App;
use crate::stop_signal::{Stop, Trigger};
use crate::tasks::brokers::Broker;
use crate::tasks::brokers::memory::{MemoryBroker, MemoryLimits};
use crate::tasks::brokers::records::{NewTask, TaskRecord, TaskState};
use crate::tasks::clock::Clock;
use crate::tasks::health::TasksState;
use crate::tasks::metrics::TaskMetrics;
use crate::tasks::settings::TasksSettings;
use crate::tasks::worker::{Worker, WorkerConfig};
use crate::tasks::{Result, Task, TaskCall};
use crate::testing::TestApp;

pub const SECOND: Duration = Duration::from_secs(1);

/// A task's parameters in tests: one, which may be left out.
pub const ONE: &[Parameter<'static>] = &[Parameter::optional("value")];

pub struct Fixture {
    pub app: TestApp,
    pub clock: Clock,
    pub broker: Arc<dyn Broker>,
    pub metrics: TaskMetrics,
    pub state: Arc<TasksState>,
    pub settings: TasksSettings,
    next_id: AtomicU32,
}

/// A worker that runs. Dropping it is as if its process were killed.
pub struct Running {
    pub trigger: Trigger,
    run: JoinSet<()>,
}

impl Running {
    /// Stops the worker, and waits for its end.
    pub async fn stop(mut self) {
        self.trigger.stop();
        self.run.join_next().await.unwrap().unwrap();
    }
}

impl Fixture {
    pub async fn new() -> Self {
        Self::over(|broker| broker).await
    }

    /// Makes a fixture whose broker is wrapped by `wrap`.
    pub async fn over(wrap: impl FnOnce(Arc<dyn Broker>) -> Arc<dyn Broker>) -> Self {
        let clock = Clock::default();
        let memory = MemoryBroker::new(clock.clone(), MemoryLimits::default());
        Self {
            app: TestApp::new(App::new("worker").no_scan()).await,
            broker: wrap(Arc::new(memory)),
            clock,
            metrics: TaskMetrics::default(),
            state: Arc::default(),
            settings: TasksSettings::default(),
            next_id: AtomicU32::default(),
        }
    }

    pub fn worker(&self, tasks: impl IntoIterator<Item = Task>) -> Worker {
        Worker::new(
            WorkerConfig::new("worker@test", &self.settings),
            self.broker.clone(),
            tasks.into_iter().collect(),
            self.app.handle().clone(),
            self.clock.clone(),
            self.metrics.clone(),
            self.state.clone(),
        )
    }

    pub fn start(&self, tasks: impl IntoIterator<Item = Task>) -> Running {
        let (worker, (trigger, stop)) = (self.worker(tasks), Stop::new());
        let mut run = JoinSet::new();
        run.spawn(async move { worker.run(stop).await });
        Running { trigger, run }
    }

    /// Runs what is ready. Returns the ids.
    pub async fn drain(&self, tasks: impl IntoIterator<Item = Task>) -> Vec<String> {
        self.worker(tasks).drain().await.unwrap()
    }

    /// Returns the state of a task.
    pub async fn state_of(&self, id: &str) -> TaskState {
        self.broker.task(id).await.unwrap().unwrap().state
    }

    /// Sends a task with arguments by position. Returns its id.
    pub async fn send(&self, name: &str, args: Vec<Value>) -> String {
        self.send_with(name, args, |_, _| {}).await
    }

    /// Sends a task that is changed before.
    pub async fn send_with(
        &self,
        name: &str,
        args: Vec<Value>,
        change: impl FnOnce(&mut TaskHeaders, &mut TaskBody),
    ) -> String {
        let task = self.message(name, args, change);
        self.enqueue(task).await
    }

    pub async fn enqueue(&self, task: NewTask) -> String {
        let id = task.id.clone();
        self.broker.enqueue(&[task], None).await.unwrap();
        id
    }

    pub fn message(
        &self,
        name: &str,
        args: Vec<Value>,
        change: impl FnOnce(&mut TaskHeaders, &mut TaskBody),
    ) -> NewTask {
        let id = format!("id-{}", self.next_id.fetch_add(1, Ordering::Relaxed));
        let mut headers = TaskHeaders::new(name, id.clone());
        let mut body = TaskBody::new(args, serde_json::Map::new());
        change(&mut headers, &mut body);
        let message = Envelope::task(headers, Properties::new("celery", id.clone()), &body);
        NewTask {
            id,
            name: name.to_owned(),
            queue: "celery".to_owned(),
            priority: 0,
            created_at_ms: self.clock.now_ms(),
            due_at_ms: None,
            expires_at_ms: None,
            retries: 0,
            parent_id: None,
            group: None,
            ignore_result: false,
            message: String::from_utf8(message.unwrap().to_vec().unwrap()).unwrap(),
        }
    }

    pub async fn record(&self, id: &str) -> TaskRecord {
        self.broker.task(id).await.unwrap().expect("the task is known")
    }

    /// Waits until a task has a state.
    pub async fn until(&self, id: &str, state: TaskState) -> TaskRecord {
        loop {
            let record = self.record(id).await;
            if record.state == state {
                return record;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Returns the type and the first argument of the exception in a result.
pub fn exception(record: &TaskRecord) -> (String, Value) {
    let result: Value = serde_json::from_str(record.result.as_deref().unwrap()).unwrap();
    let text = result["exc_type"].as_str().unwrap().to_owned();
    (text, result["exc_message"][0].clone())
}

/// A task that returns its argument.
pub fn echo() -> Task {
    Task::new("echo", ONE, |mut call: TaskCall| async move { call.argument::<Value>("value") })
}

/// A task that never ends.
pub fn endless() -> Task {
    Task::new("endless", ONE, |_| async {
        std::future::pending::<()>().await;
        Ok::<_, crate::tasks::Error>(())
    })
}

/// A task that counts its runs and then does what `then` says.
pub fn counting<F>(
    name: &str,
    then: impl Fn(u32) -> F + Send + Sync + 'static,
) -> (Task, Arc<AtomicU32>)
where
    F: Future<Output = Result<Value>> + Send + 'static,
{
    let runs = Arc::new(AtomicU32::new(0));
    let counter = runs.clone();
    let task = Task::new(name, ONE, move |_| then(counter.fetch_add(1, Ordering::SeqCst) + 1));
    (task, runs)
}

pub fn runs(counter: &AtomicU32) -> u32 {
    counter.load(Ordering::SeqCst)
}

/// Returns a JSON value that `echo` returns.
pub fn number(record: &TaskRecord) -> Value {
    record.result.as_deref().map_or(json!(null), |text| serde_json::from_str(text).unwrap())
}
