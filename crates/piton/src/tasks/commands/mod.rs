//! The commands `worker`, which runs tasks next to the server, and `tasks`, which shows and changes what is stored.

mod filter_arguments;
mod outbox;
mod queues;
mod tables;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use serde_json::{Value, json};

use super::brokers::database;
use super::brokers::records::{TaskFilter, TaskRecord, TaskState};
use super::call::Call;
use super::cron::Cron;
use super::task_status::TaskStatus;
use super::tasks_part::Tasks;
use crate::app::{App, Arguments, Command, LaunchError, ModuleCommand, print};
use crate::handle::Handle;
use filter_arguments::{filter, filter_arguments, require_condition};
use outbox::{outbox, outbox_arguments};
use queues::{pause, queue_arguments};
use tables::{queue_table, schedule_table, task_details, task_table, worker_table};

inventory::submit! { ModuleCommand(worker) }
inventory::submit! { ModuleCommand(tasks) }

/// The states that each change applies to, unless the filter names others.
const UNFINISHED: [TaskState; 4] =
    [TaskState::Queued, TaskState::Scheduled, TaskState::Retrying, TaskState::Running];
const WAITING: [TaskState; 3] = [TaskState::Queued, TaskState::Scheduled, TaskState::Retrying];

fn worker() -> Command {
    Command::new("worker", "Run tasks next to the server, until Ctrl-C or SIGTERM")
        .arg(
            Arg::new("queues")
                .long("queues")
                .value_name("NAMES")
                .value_delimiter(',')
                .help("Run tasks of these queues only, such as celery,mail"),
        )
        .arg(
            Arg::new("concurrency")
                .long("concurrency")
                .value_name("NUMBER")
                .value_parser(value_parser!(u32).range(1..=10_000))
                .help("Run this many tasks at the same time"),
        )
        .background(worker_app)
}

fn worker_app(mut app: App, arguments: &Arguments) -> App {
    // Whatever the service's own condition: whoever starts a worker wants it to run what is stored.
    app = app.enable_if::<Tasks>(|_| true).set("tasks.worker", "on");
    if let Some(queues) = arguments.get_many::<String>("queues") {
        app = app.set("tasks.queues", queues.cloned().map(Value::from).collect::<Vec<_>>());
    }
    if let Some(concurrency) = arguments.get_one::<u32>("concurrency") {
        app = app.set("tasks.concurrency", *concurrency);
    }
    app
}

fn tasks() -> Command {
    let verb = |name: &'static str, about: &'static str| clap::Command::new(name).about(about);
    let id = || Arg::new("id").value_name("ID").required(true);
    let json = || {
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Print JSON instead of a table")
    };
    let cron = verb("cron", "List the schedules, or run, pause, resume or reset one")
        .subcommand(verb("list", "List the schedules"))
        .subcommand(verb("run", "Run the task of a schedule now").arg(schedule_name()))
        .subcommand(verb("pause", "Send nothing by a schedule").arg(schedule_name()))
        .subcommand(
            verb("resume", "Go on with a schedule, from its next time").arg(schedule_name()),
        )
        .subcommand(
            verb("reset", "Set the last run of a schedule to now: for one that rests until a time in the future")
                .arg(schedule_name()),
        );
    Command::new("tasks", "Show tasks, queues and schedules, and change them")
        .subcommand(filter_arguments(verb("list", "List tasks, the newest first")).arg(json()))
        .subcommand(
            verb("show", "Show a task with its error and its children").arg(id()).arg(json()),
        )
        .subcommand(filter_arguments(verb("dead", "List tasks that failed for good")).arg(json()))
        .subcommand(filter_arguments(verb(
            "retry",
            "Run failed tasks again, or revoked ones by id or --state revoked",
        )))
        .subcommand(filter_arguments(verb("cancel", "Revoke tasks that have not ended")))
        .subcommand(filter_arguments(verb("purge", "Remove tasks that wait, without a trace")))
        .subcommand(queue_arguments(verb("pause", "Start no task of a queue")))
        .subcommand(queue_arguments(verb("resume", "Start tasks of a queue again")))
        .subcommand(verb("queues", "List the queues").arg(json()))
        .subcommand(verb("workers", "List the workers").arg(json()))
        .subcommand(outbox_arguments(verb(
            "outbox",
            "Show the outbox; retry or purge what Redis refused",
        )))
        .subcommand(cron)
        .needs::<Tasks>()
        .connecting_if(|arguments| !only_reads(arguments))
        .run(|app, arguments| async move { run(&app, &arguments).await })
}

fn schedule_name() -> Arg {
    Arg::new("name").value_name("NAME").required(true).help("The name of the schedule's task")
}

async fn run(app: &Handle, arguments: &ArgMatches) -> Result<(), LaunchError> {
    let tasks: Tasks = app.part_unconnected();
    require_shared(&tasks)?;
    if only_reads(arguments) {
        open_existing(app, &tasks, arguments).await?;
    }
    let (verb, arguments) = arguments.subcommand().expect("clap requires a subcommand");
    let text = match verb {
        "list" => list(&tasks, arguments, &[]).await?,
        "dead" => list(&tasks, arguments, &[TaskState::Failed]).await?,
        "show" => show(&tasks, arguments).await?,
        "retry" | "cancel" | "purge" => change(&tasks, verb, arguments).await?,
        "outbox" => outbox(&tasks, arguments).await?,
        "pause" | "resume" => pause(&tasks, arguments, verb == "pause").await?,
        "queues" => {
            let queues = tasks.broker().queues().await?;
            if arguments.get_flag("json") {
                pretty(&queue_json(&queues))
            } else {
                queue_table(&queues)
            }
        }
        "workers" => {
            let workers = tasks.broker().workers().await?;
            let now_ms = tasks.now_ms();
            if arguments.get_flag("json") {
                pretty(&workers.iter().map(worker_json).collect())
            } else {
                worker_table(&workers, now_ms)
            }
        }
        _ => cron(app, &tasks, arguments).await?,
    };
    print(&text)
}

/// Returns whether the command only reads. It then opens the database as it is: one that connects creates the file and runs
/// migrations, and a wrong path would look like a service without tasks.
fn only_reads(arguments: &ArgMatches) -> bool {
    match arguments.subcommand() {
        Some(("list" | "dead" | "show" | "queues" | "workers", _)) => true,
        Some(("outbox", outbox)) => outbox.subcommand().is_none(),
        Some(("cron", cron)) => matches!(cron.subcommand(), None | Some(("list", _))),
        _ => false,
    }
}

/// Opens the database as it is, if the command reads it. `show` reads the outbox if there is one.
async fn open_existing(
    app: &Handle,
    tasks: &Tasks,
    arguments: &ArgMatches,
) -> Result<(), LaunchError> {
    let in_transactions = &tasks.0.in_transactions;
    match arguments.subcommand_name() {
        Some("show") if tasks.broker().outbox().is_some() => {
            let _ = database::open_existing(app, in_transactions).await;
        }
        name if name == Some("outbox") || database::stores_tasks(in_transactions) => {
            database::open_existing(app, in_transactions).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Refuses tasks that are in memory, of which a command would only see its own: none.
fn require_shared(tasks: &Tasks) -> Result<(), LaunchError> {
    if tasks.0.is_shared {
        return Ok(());
    }
    let why = "tasks are in the memory of the process that serves, where a command cannot see them: set tasks.broker to \
        `database`, or read the state of tasks from the service's /health, /info and /metrics";
    Err(LaunchError::Fault(why.into()))
}

async fn list(
    tasks: &Tasks,
    arguments: &ArgMatches,
    states: &[TaskState],
) -> Result<String, LaunchError> {
    let filter = filter(arguments, tasks.now_ms(), states)?;
    let records = tasks.broker().list(&filter).await?;
    if arguments.get_flag("json") {
        return Ok(pretty(&records.into_iter().map(task_json).collect()));
    }
    Ok(task_table(&records, tasks.now_ms()))
}

async fn show(tasks: &Tasks, arguments: &ArgMatches) -> Result<String, LaunchError> {
    let id = required(arguments, "id");
    let Some(record) = tasks.broker().task(id).await? else {
        return Err(LaunchError::Fault(format!("no task {id}, or its result has expired").into()));
    };
    let filter = TaskFilter { parent_id: Some(id.to_owned()), limit: 100, ..TaskFilter::default() };
    let children: Vec<TaskRecord> = tasks.broker().list(&filter).await?;
    if arguments.get_flag("json") {
        let children: Value = children.into_iter().map(task_json).collect();
        let mut all = task_json(record);
        all["children"] = children;
        return Ok(pretty(&all));
    }
    Ok(task_details(&record, &children, tasks.now_ms()))
}

async fn change(tasks: &Tasks, verb: &str, arguments: &ArgMatches) -> Result<String, LaunchError> {
    require_condition(verb, arguments)?;
    let has_ids = arguments.contains_id("ids");
    let (states, past): (&[TaskState], _) = match verb {
        // What was revoked is sent again only if it is meant.
        "retry" if has_ids => (&[TaskState::Failed, TaskState::Revoked], "sent again"),
        "retry" => (&[TaskState::Failed], "sent again"),
        "cancel" => (&UNFINISHED, "revoked"),
        _ => (&WAITING, "removed"),
    };
    let filter = filter(arguments, tasks.now_ms(), states)?;
    let broker = tasks.broker();
    let count = match verb {
        "retry" => broker.retry(&filter).await?,
        "cancel" => broker.revoke(&filter).await?,
        _ => broker.purge(&filter).await?,
    };
    let noun = if count == 1 { "task" } else { "tasks" };
    if count == 0 && has_ids {
        let why = "none of these ids is a task in a state for that; `tasks show ID` shows it";
        return Ok(format!("0 tasks {past}: {why}.\n"));
    }
    Ok(format!("{count} {noun} {past}.\n"))
}

async fn cron(app: &Handle, tasks: &Tasks, arguments: &ArgMatches) -> Result<String, LaunchError> {
    let crons: Vec<&Cron> = app.provided::<Cron>().collect();
    let (verb, arguments) = match arguments.subcommand() {
        None | Some(("list", _)) => {
            return Ok(schedule_table(&crons, &tasks.broker().crons().await?, tasks.now_ms()));
        }
        Some(verb) => verb,
    };
    let name = required(arguments, "name");
    let Some(cron) = crons.iter().find(|cron| cron.task().name() == name) else {
        let why =
            format!("this service has no schedule `{name}`: `tasks cron list` shows those it has");
        return Err(LaunchError::Fault(why.into()));
    };
    if verb == "run" {
        let sent = tasks.send(Call::<Value>::of(cron.task())).await?;
        return Ok(format!("Sent `{name}` as task {}.\n", sent.id()));
    }
    let (broker, now_ms) = (tasks.broker(), tasks.now_ms());
    // Creates the record, so that a schedule can be paused before any worker has started it.
    broker.cron(name, now_ms).await?;
    match verb {
        "reset" => broker.reset_cron(name, now_ms).await?,
        _ => broker.pause_cron(name, verb == "pause").await?,
    };
    Ok(match verb {
        "pause" => format!("The schedule of `{name}` is paused.\n"),
        "reset" => {
            format!("The schedule of `{name}` is reset: its next run is at its next time.\n")
        }
        _ => format!("The schedule of `{name}` goes on with its next time.\n"),
    })
}

fn required<'a>(arguments: &'a ArgMatches, name: &str) -> &'a str {
    arguments.get_one::<String>(name).expect("it is required")
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Returns what operators see of a task: the status of clients, and the engine's own columns.
fn task_json(record: TaskRecord) -> Value {
    let more = json!({
        "queue": record.queue,
        "priority": record.priority,
        "losses": record.losses,
        "worker": record.worker,
        "group_id": record.group_id,
        "message_bytes": record.message.as_ref().map(String::len),
        "traceback": record.traceback,
    });
    let mut all = json!(TaskStatus::of(record));
    for (name, value) in more.as_object().into_iter().flatten().filter(|(_, it)| !it.is_null()) {
        all[name] = value.clone();
    }
    all
}

fn queue_json(queues: &[super::brokers::records::QueueStats]) -> Value {
    let queue = |queue: &super::brokers::records::QueueStats| {
        json!({
            "queue": queue.queue,
            "queued": queue.queued,
            "scheduled": queue.scheduled,
            "running": queue.running,
            "oldest_ms": queue.oldest_ms,
            "paused": queue.is_paused,
        })
    };
    queues.iter().map(queue).collect()
}

fn worker_json(worker: &super::brokers::records::WorkerInfo) -> Value {
    json!({
        "name": worker.name,
        "queues": worker.queues,
        "concurrency": worker.concurrency,
        "started_at_ms": worker.started_at_ms,
    })
}
