//! The arguments by which commands choose tasks.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::super::brokers::records::{TaskFilter, TaskState};
use super::super::clock::millis;
use crate::app::LaunchError;

/// The number of tasks that a list shows unless told otherwise.
const DEFAULT_LIMIT: usize = 50;

/// Adds the arguments to a command.
pub(super) fn filter_arguments(command: clap::Command) -> clap::Command {
    let is_change = !matches!(command.get_name(), "list" | "dead");
    let states = TaskState::ALL.map(TaskState::name);
    let many = |name: &'static str, placeholder: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(placeholder).action(ArgAction::Append).help(help)
    };
    let command = command
        .arg(Arg::new("ids").value_name("ID").num_args(0..).help("Tasks with these ids"))
        .arg(many("name", "NAME", "Tasks with this name; may be repeated"))
        .arg(many("queue", "QUEUE", "Tasks of this queue; may be repeated"))
        .arg(many("state", "STATE", "Tasks in this state; may be repeated").value_parser(states))
        .arg(
            Arg::new("older-than")
                .long("older-than")
                .value_name("DURATION")
                .help("Tasks sent longer ago than this, such as 2h"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("NUMBER")
                .value_parser(value_parser!(u32).range(1..))
                .help("At most this many tasks"),
        );
    if is_change {
        let help = "All tasks that it applies to; required if there is no other condition";
        command.arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help(help))
    } else {
        command
    }
}

/// Refuses a change of all tasks that does not say so.
///
/// # Errors
/// There is no condition and no `--all`.
pub(super) fn require_condition(verb: &str, arguments: &ArgMatches) -> Result<(), LaunchError> {
    let is_set = |name: &&str| arguments.contains_id(name);
    let has_condition = ["ids", "name", "queue", "state", "older-than"].iter().any(is_set);
    if has_condition || arguments.get_flag("all") {
        return Ok(());
    }
    Err(LaunchError::Usage(format!(
        "`tasks {verb}` would change all tasks: give ids, --name, --queue, --state or --older-than, or say --all"
    )))
}

/// Returns the filter that the arguments make, with `states` if they name none.
///
/// # Errors
/// A duration cannot be read.
pub(super) fn filter(
    arguments: &ArgMatches,
    now_ms: i64,
    states: &[TaskState],
) -> Result<TaskFilter, LaunchError> {
    let many = |name: &str| -> Vec<String> {
        arguments.get_many::<String>(name).into_iter().flatten().cloned().collect()
    };
    let named = many("state");
    let chosen = TaskState::ALL.into_iter().filter(|state| named.iter().any(|n| n == state.name()));
    let chosen: Vec<TaskState> = chosen.collect();
    let created_before_ms = match arguments.get_one::<String>("older-than") {
        Some(age) => Some(now_ms.saturating_sub(millis(duration(age)?))),
        None => None,
    };
    let limit = arguments.get_one::<u32>("limit").map(|limit| *limit as usize);
    // A change has no limit unless it is given one.
    let has_default = arguments.try_contains_id("all").is_err();
    Ok(TaskFilter {
        ids: many("ids"),
        states: if named.is_empty() { states.to_vec() } else { chosen },
        names: many("name"),
        queues: many("queue"),
        parent_id: None,
        created_before_ms,
        limit: limit.unwrap_or(if has_default { DEFAULT_LIMIT } else { 0 }),
    })
}

fn duration(text: &str) -> Result<Duration, LaunchError> {
    humantime::parse_duration(text).map_err(|_| {
        let why = format!("--older-than {text}: it is a number with a unit, such as 2h or 30m");
        LaunchError::Usage(why)
    })
}
