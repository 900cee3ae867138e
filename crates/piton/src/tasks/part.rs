//! Tasks as a part of the app: the start of the broker, the worker and the schedules.

use std::sync::Arc;

use super::brokers::{self, OpenBroker};
use super::clock::Clock;
use super::cron::{Cron, Scheduler};
use super::error::BrokerError;
use super::health::TasksState;
use super::metrics::TaskMetrics;
use super::settings::TasksSettings;
use super::status_route::StatusPath;
use super::supervision::Supervisor;
use super::task::Task;
use super::task_status::TaskStatus;
use super::tasks_part::{SharedTasks, Tasks};
use super::worker::{Worker, WorkerConfig};
use crate::config::Problems;
use crate::context;
use crate::handle::Handle;
use crate::launch_steps::Step;
use crate::metrics::Metrics;
use crate::part::{self, BoxError, Dependencies, Health, Launch, Part, Problem};
use crate::stop_signal::Stop;

impl Part for Tasks {
    const NAME: &'static str = "tasks";
    const STEP: Step = Step::Postconfig;

    type Settings = TasksSettings;

    fn dependencies(dependencies: &mut Dependencies) {
        brokers::database::add_dependency(dependencies);
    }

    async fn start(settings: TasksSettings, launch: &Launch) -> Result<Self, part::Error> {
        let tasks: Vec<Task> = launch.provided::<Task>().cloned().collect();
        let mut problems = Problems(tasks.iter().flat_map(Task::problems).collect());
        problems.0.extend(twice(&tasks));
        let clock = Clock::default();
        let (state, metrics) = (Arc::<TasksState>::default(), TaskMetrics::default());
        let opened = brokers::open(&settings, &tasks, launch, &clock, &state, &metrics);
        let OpenBroker { broker, in_transactions, is_shared } =
            opened.map_err(|problem| *problem)?;
        let process = process_name(launch.name());
        let crons: Vec<Cron> = launch.provided::<Cron>().cloned().collect();
        let scheduler = Scheduler::new(broker.clone(), clock.clone(), process.clone(), crons);
        let scheduler = match scheduler {
            Ok(scheduler) if problems.0.is_empty() => scheduler,
            Ok(_) => return Err(problems.into()),
            Err(of_schedules) => {
                problems.0.extend(of_schedules.0);
                return Err(problems.into());
            }
        };
        let status_path = launch.provided::<StatusPath>().next().map(|path| path.0.clone());
        Ok(Self(Arc::new(SharedTasks {
            runs_tasks: runs_tasks(&settings, launch),
            max_message_bytes: usize::try_from(settings.max_message_size.as_u64())
                .unwrap_or(usize::MAX),
            broker,
            in_transactions,
            is_shared,
            clock,
            process,
            status_path,
            settings,
            tasks,
            scheduler,
            metrics,
            state,
        })))
    }

    async fn connect(&self) -> Result<(), BoxError> {
        self.0.broker.prepare().await.map_err(BrokerError::into_connect_error)
    }

    async fn run(&self, stop: Stop) {
        let Ok(handle) = context::try_app() else { return };
        let serves = handle.inner().serves;
        if !serves && !self.0.runs_tasks {
            return;
        }
        let worker = self.worker(handle);
        // Stopped last, because tasks that end meanwhile may send others.
        let (trigger, background_stop) = Stop::new();
        let run = || self.0.broker.run_background(background_stop.clone());
        let background = self.supervise("the loop of the broker").run(&background_stop, run);
        let foreground = async {
            if self.0.runs_tasks {
                let schedule = || self.0.scheduler.run(stop.clone());
                let schedules = self.supervise("the loop of schedules").run(&stop, schedule);
                tokio::join!(worker.run(stop.clone()), schedules);
            } else {
                let watch = || worker.watch_queues(stop.clone());
                self.supervise("the loop that counts tasks").run(&stop, watch).await;
            }
            trigger.stop();
        };
        tokio::join!(foreground, background);
    }

    async fn health(&self) -> Health {
        self.0.state.health(self.0.settings.max_queue_age)
    }

    fn snapshot(&self) -> serde_json::Value {
        let mut snapshot = self.0.state.snapshot();
        snapshot["in_transactions"] = brokers::database::has(&self.0.in_transactions).into();
        snapshot
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.metrics.register(metrics);
        if self.0.broker.outbox().is_some() {
            self.0.metrics.register_outbox(metrics);
        }
    }
}

crate::part!(Tasks);

impl Tasks {
    /// Returns the supervisor of a loop.
    fn supervise<'a>(&'a self, name: &'a str) -> Supervisor<'a> {
        Supervisor::new(name, &self.0.state, &self.0.metrics)
    }

    /// Returns a worker of this app's tasks.
    fn worker(&self, handle: Handle) -> Worker {
        let shared = &self.0;
        Worker::new(
            WorkerConfig::new(&shared.process, &shared.settings),
            shared.broker.clone(),
            shared.tasks.clone(),
            handle,
            shared.clock.clone(),
            shared.metrics.clone(),
            shared.state.clone(),
        )
    }

    /// Sends what schedules have due, and runs every task that is ready, one after the other.
    ///
    /// # Errors
    /// The broker fails.
    pub(super) async fn run_ready(&self, handle: &Handle) -> Result<Vec<TaskStatus>, BrokerError> {
        self.0.broker.flush().await?;
        self.0.scheduler.send_due(&mut std::collections::HashMap::new()).await?;
        let mut states = Vec::new();
        for id in self.worker(handle.clone()).drain().await? {
            states.extend(self.status(&id).await?);
        }
        Ok(states)
    }
}

/// Returns whether this process runs tasks. In tests only if the setting says so, because a test runs them on demand.
fn runs_tasks(settings: &TasksSettings, launch: &Launch) -> bool {
    let in_process = settings
        .worker
        .runs_in_process(launch.production(), brokers::database::is_postgres(launch));
    let is_test = !launch.reads_process_env();
    let is_chosen = settings.worker == super::settings::TaskWorkerMode::On;
    launch.serves() && in_process && (is_chosen || !is_test)
}

/// Returns a problem for each task that is not the first of its name.
fn twice(tasks: &[Task]) -> Vec<Problem> {
    let is_second =
        |index: &usize| tasks[..*index].iter().any(|task| task.name() == tasks[*index].name());
    let problem = |index: usize| {
        let key = format!("the task `{}`", tasks[index].name());
        Problem::new(key, "two tasks have this name", "another `name = \"..\"` for one of them")
    };
    (0..tasks.len()).filter(is_second).map(problem).collect()
}

/// Returns the name of this process for messages and workers: `registry@host:4711`.
fn process_name(app: &str) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{app}@{host}:{}", std::process::id())
}
