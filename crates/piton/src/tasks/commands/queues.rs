//! Pauses and resumes queues. A name that nobody knows is refused: a misspelt one would pause nothing and look as if it had.

use std::collections::BTreeSet;

use clap::{Arg, ArgAction, ArgMatches};

use super::super::error::BrokerError;
use super::super::task::DEFAULT_QUEUE;
use super::super::tasks_part::Tasks;
use super::required;
use crate::app::LaunchError;

/// Adds the arguments to a command.
pub(super) fn queue_arguments(command: clap::Command) -> clap::Command {
    command.arg(Arg::new("queue").value_name("QUEUE").required(true)).arg(
        Arg::new("force")
            .long("force")
            .action(ArgAction::SetTrue)
            .help("Also if nothing here knows the queue, such as one that only other programs use"),
    )
}

/// Pauses a queue, or resumes it.
pub(super) async fn pause(
    tasks: &Tasks,
    arguments: &ArgMatches,
    is_paused: bool,
) -> Result<String, LaunchError> {
    let queue = required(arguments, "queue");
    if !arguments.get_flag("force") {
        require_known(tasks, queue).await?;
    }
    tasks.broker().pause(queue, is_paused).await?;
    Ok(if is_paused {
        format!("The queue `{queue}` is paused: what runs goes on, nothing more starts.\n")
    } else {
        format!("The queue `{queue}` goes on.\n")
    })
}

/// Refuses a queue that nothing knows.
async fn require_known(tasks: &Tasks, queue: &str) -> Result<(), LaunchError> {
    let known = known_queues(tasks).await?;
    if known.contains(queue) {
        return Ok(());
    }
    let known = known.into_iter().collect::<Vec<_>>().join(", ");
    let why = format!(
        "no queue `{queue}` is known: no task of this service names it, it has no tasks, and no worker reads it. Known are \
         {known}; --force does it anyway"
    );
    Err(LaunchError::Fault(why.into()))
}

/// Returns the queues of the service's tasks and settings, those that have tasks or are paused, and those that workers read.
async fn known_queues(tasks: &Tasks) -> Result<BTreeSet<String>, BrokerError> {
    let broker = tasks.broker();
    let mut known = BTreeSet::from([DEFAULT_QUEUE.to_owned()]);
    known.extend(tasks.0.tasks.iter().map(|task| task.options().queue.clone()));
    known.extend(tasks.0.settings.queues.iter().cloned());
    known.extend(broker.queues().await?.into_iter().map(|stats| stats.queue));
    known.extend(broker.workers().await?.into_iter().flat_map(|worker| worker.queues));
    Ok(known)
}
