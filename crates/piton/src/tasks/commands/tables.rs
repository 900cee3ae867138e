//! Tables for people.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use piton_celery::Exception;

use super::super::brokers::records::{
    CronRecord, QueueStats, RefusedTask, TaskRecord, TaskState, WorkerInfo,
};
use super::super::cron::{Cron, is_resting};

/// Maximum number of characters of an error in a table.
const MAX_ERROR_CHARS: usize = 60;

/// Returns rows in columns, with a head.
fn columns<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|cell| in_a_line(cell))).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let head = head.map(str::to_owned);
    let mut text = String::new();
    for row in std::iter::once(&head).chain(&rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Returns text without control characters but line ends, which would change the terminal.
fn visible(text: &str) -> String {
    let show = |c: char| match c {
        c if c.is_control() && c != '\n' => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(show).collect()
}

/// Returns text in one line without control characters.
fn in_a_line(text: &str) -> String {
    visible(&text.replace('\n', "\\n"))
}

/// Returns a duration with its largest unit: `3m`.
pub(super) fn age(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn time(at_ms: i64) -> String {
    let time = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn error_of(record: &TaskRecord) -> Option<String> {
    let exception: Exception = serde_json::from_str(record.result.as_deref()?).ok()?;
    Some(exception.to_string())
}

pub(super) fn task_table(records: &[TaskRecord], now_ms: i64) -> String {
    if records.is_empty() {
        return "No task matches.\n".to_owned();
    }
    let row = |record: &TaskRecord| {
        let error = error_of(record).filter(|_| record.state != TaskState::Succeeded);
        let error: String = error.unwrap_or_default().chars().take(MAX_ERROR_CHARS).collect();
        [
            record.id.clone(),
            record.name.clone(),
            record.queue.clone(),
            record.state.name().to_owned(),
            record.retries.to_string(),
            age(now_ms - record.created_at_ms),
            error,
        ]
    };
    let rows: Vec<_> = records.iter().map(row).collect();
    columns(["ID", "NAME", "QUEUE", "STATE", "RETRIES", "AGE", "ERROR"], &rows)
}

pub(super) fn refused_table(tasks: &[RefusedTask], now_ms: i64) -> String {
    let row = |task: &RefusedTask| {
        [
            task.id.clone(),
            task.name.clone(),
            task.queue.clone(),
            age(now_ms - task.created_at_ms),
            task.reason.clone(),
        ]
    };
    let rows: Vec<_> = tasks.iter().map(row).collect();
    columns(["ID", "NAME", "QUEUE", "AGE", "REASON"], &rows)
}

pub(super) fn task_details(record: &TaskRecord, children: &[TaskRecord], now_ms: i64) -> String {
    let mut lines = vec![
        ("id", record.id.clone()),
        ("name", record.name.clone()),
        ("queue", format!("{}, priority {}", record.queue, record.priority)),
        ("state", record.state.name().to_owned()),
        ("retries", record.retries.to_string()),
        (
            "sent",
            format!("{} ({} ago)", time(record.created_at_ms), age(now_ms - record.created_at_ms)),
        ),
    ];
    let optional = [
        ("due", record.due_at_ms.map(time)),
        ("started", record.started_at_ms.map(time)),
        ("ended", record.finished_at_ms.map(time)),
        ("worker", record.worker.clone()),
        (
            "workers lost",
            Some(record.losses).filter(|losses| *losses > 0).map(|losses| losses.to_string()),
        ),
        ("parent", record.parent_id.clone()),
        ("group", record.group_id.clone()),
        ("message", record.message.as_ref().map(|message| format!("{} bytes", message.len()))),
        ("progress", record.progress.clone()),
        ("result", record.result.clone()),
    ];
    lines.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let mut text = String::new();
    for (name, value) in lines {
        let _ = writeln!(text, "{name:<13} {}", in_a_line(&value));
    }
    if let Some(traceback) = &record.traceback {
        let _ = writeln!(text, "\n{}", visible(traceback.trim_end()));
    }
    if !children.is_empty() {
        let _ = write!(text, "\nTasks that it sent:\n{}", task_table(children, now_ms));
    }
    text
}

pub(super) fn queue_table(queues: &[QueueStats]) -> String {
    if queues.is_empty() {
        return "No queue has tasks.\n".to_owned();
    }
    let row = |queue: &QueueStats| {
        [
            queue.queue.clone(),
            queue.queued.to_string(),
            queue.scheduled.to_string(),
            queue.running.to_string(),
            queue.oldest_ms.map(age).unwrap_or_default(),
            if queue.is_paused { "paused".to_owned() } else { String::new() },
        ]
    };
    let rows: Vec<_> = queues.iter().map(row).collect();
    columns(["QUEUE", "QUEUED", "SCHEDULED", "RUNNING", "OLDEST", ""], &rows)
}

pub(super) fn worker_table(workers: &[WorkerInfo], now_ms: i64) -> String {
    if workers.is_empty() {
        return "No worker runs.\n".to_owned();
    }
    let row = |worker: &WorkerInfo| {
        [
            worker.name.clone(),
            worker.queues.join(","),
            worker.concurrency.to_string(),
            age(now_ms - worker.started_at_ms),
        ]
    };
    let rows: Vec<_> = workers.iter().map(row).collect();
    columns(["WORKER", "QUEUES", "CONCURRENCY", "UP"], &rows)
}

pub(super) fn schedule_table(crons: &[&Cron], records: &[CronRecord], now_ms: i64) -> String {
    if crons.is_empty() {
        return "This service has no schedule.\n".to_owned();
    }
    let row = |cron: &&Cron| {
        let name = cron.task().name();
        let record = records.iter().find(|record| record.name == name);
        let next = cron.ticks().ok().and_then(|ticks| ticks.next_after(now_ms));
        let next = next.map(|next| {
            let wait = Duration::from_millis(u64::try_from(next - now_ms).unwrap_or_default());
            format!(
                "{} (in {})",
                time(next),
                age(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
            )
        });
        [
            name.to_owned(),
            cron.text(),
            match record {
                Some(record) if record.is_paused => "paused".to_owned(),
                Some(record) if is_resting(record.last_tick_ms, now_ms) => {
                    let until = time(record.last_tick_ms);
                    format!("rests until {until}, as a clock was ahead: `tasks cron reset {name}`")
                }
                _ => next.unwrap_or_default(),
            },
        ]
    };
    let rows: Vec<_> = crons.iter().map(row).collect();
    columns(["NAME", "SCHEDULE", "NEXT"], &rows)
}
