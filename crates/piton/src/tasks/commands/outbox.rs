//! The outbox: what waits in it, and what Redis refuses of it.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Value, json};

use super::super::brokers::OutboxAdmin;
use super::super::brokers::records::{OutboxStats, RefusedTask};
use super::super::tasks_part::Tasks;
use super::pretty;
use super::tables::{age, refused_table};
use crate::app::LaunchError;

/// Maximum number of refused tasks that are listed.
const MAX_LISTED: usize = 1000;

/// Adds the arguments to the command.
pub(super) fn outbox_arguments(command: clap::Command) -> clap::Command {
    let verb = |name: &'static str, about: &'static str| {
        let id = Arg::new("id").value_name("ID").required_unless_present("all");
        let all = Arg::new("all").long("all").action(ArgAction::SetTrue).conflicts_with("id");
        clap::Command::new(name).about(about).arg(id).arg(all.help("All refused tasks"))
    };
    command
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print JSON instead of a table"),
        )
        .subcommand(verb("retry", "Send refused tasks again"))
        .subcommand(verb("purge", "Delete refused tasks permanently"))
}

pub(super) async fn outbox(tasks: &Tasks, arguments: &ArgMatches) -> Result<String, LaunchError> {
    let Some(outbox) = tasks.broker().outbox() else {
        let why =
            "there is no outbox: it needs tasks.broker = \"redis\", and a build with a database";
        return Err(LaunchError::Fault(why.into()));
    };
    match arguments.subcommand() {
        Some((verb, arguments)) => change(outbox, verb, arguments).await,
        None => list(outbox, arguments.get_flag("json"), tasks.now_ms()).await,
    }
}

async fn list(outbox: &dyn OutboxAdmin, is_json: bool, now_ms: i64) -> Result<String, LaunchError> {
    let stats = outbox.stats().await?;
    let refused = outbox.refused(MAX_LISTED).await?;
    if is_json {
        return Ok(pretty(&outbox_json(&stats, &refused)));
    }
    let mut text = match stats.oldest_ms {
        None => "No task waits in the outbox.\n".to_owned(),
        Some(oldest_ms) => {
            let (count, oldest) = (stats.waiting, age(oldest_ms));
            let noun = if count == 1 { "entry waits" } else { "entries wait" };
            format!("{count} {noun} in the outbox, the oldest for {oldest}.\n")
        }
    };
    if !refused.is_empty() {
        let count = stats.refused;
        let _ = writeln!(
            text,
            "\nRedis refused {count}. Once the cause is mended: `tasks outbox retry --all`.\n"
        );
        text.push_str(&refused_table(&refused, now_ms));
    }
    Ok(text)
}

async fn change(
    outbox: &dyn OutboxAdmin,
    verb: &str,
    arguments: &ArgMatches,
) -> Result<String, LaunchError> {
    let id = arguments.get_one::<String>("id").map(String::as_str);
    let (count, past) = match verb {
        "retry" => {
            (outbox.retry(id).await?, "moved back to the outbox, from which the service sends")
        }
        _ => (outbox.purge(id).await?, "deleted"),
    };
    if let Some(id) = id
        && count == 0
    {
        let why = format!("no task {id} was refused: `tasks outbox` lists those that were");
        return Err(LaunchError::Fault(why.into()));
    }
    let noun = if count == 1 { "entry" } else { "entries" };
    Ok(format!("{count} {noun} {past}.\n"))
}

fn outbox_json(stats: &OutboxStats, refused: &[RefusedTask]) -> Value {
    let task = |task: &RefusedTask| {
        json!({
            "id": task.id,
            "name": task.name,
            "queue": task.queue,
            "created_at_ms": task.created_at_ms,
            "reason": task.reason,
        })
    };
    json!({
        "waiting": stats.waiting,
        "oldest_ms": stats.oldest_ms,
        "refused": stats.refused,
        "refused_tasks": refused.iter().map(task).collect::<Value>(),
    })
}
