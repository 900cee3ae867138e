//! Makes signatures of chains and groups, as Celery's workers read them.

use piton_celery::{IsoDateTime, Signature};
use serde_json::{Value, json};

use super::call::{Call, Expiry, Start};
use super::chain::{Chain, Step};
use super::error::{BrokerError, Kind};
use super::new_message::new_id;

/// Maximum number of members of a group.
const MAX_MEMBERS: usize = 10_000;

/// Maximum number of groups within each other, or directly after each other. Each adds levels to the JSON of a message, of
/// which readers accept 127.
const MAX_NESTED_GROUPS: usize = 10;

/// Returns the signature of each chain.
pub(super) fn signatures(chains: Vec<Chain>, now_ms: i64) -> Result<Vec<Signature>, BrokerError> {
    chains.into_iter().map(|chain| Ok(whole(steps(chain, now_ms, 0)?))).collect()
}

/// Returns the signature of a chain, and the id of its last task.
///
/// # Errors
/// [`Kind::Invalid`]: an argument or option is not valid, or there are too many groups or members.
pub(super) fn signature(chain: Chain, now_ms: i64) -> Result<(Signature, String), BrokerError> {
    let steps = steps(chain, now_ms, 0)?;
    let id = steps.last().and_then(last_id).expect("the last step of a chain is a call").to_owned();
    Ok((whole(steps), id))
}

/// Returns the signature of steps: one stands for itself.
fn whole(mut steps: Vec<Signature>) -> Signature {
    match steps.pop() {
        Some(only) if steps.is_empty() => only,
        last => Signature::chain(steps.into_iter().chain(last)),
    }
}

fn last_id(signature: &Signature) -> Option<&str> {
    match signature.kwargs.get("body") {
        Some(body) => body.get("options")?.get("task_id")?.as_str(),
        None => signature.task_id(),
    }
}

/// Returns the steps of a chain. A group and the step after it are one step, a chord, as in Celery.
fn steps(chain: Chain, now_ms: i64, depth: usize) -> Result<Vec<Signature>, BrokerError> {
    let mut reversed: Vec<Signature> = Vec::with_capacity(chain.steps.len());
    // The number of groups that the step after the current one stands for.
    let mut following = 0;
    for step in chain.steps.into_iter().rev() {
        match step {
            Step::Call(call) => {
                reversed.push(task(*call, now_ms)?);
                following = 0;
            }
            Step::Group(members) => {
                following += 1;
                let body = reversed.pop().ok_or_else(|| invalid("a chain ends with a call"))?;
                reversed.push(chord(members, body, now_ms, depth + following)?);
            }
        }
    }
    reversed.reverse();
    Ok(reversed)
}

fn chord(
    members: Vec<Chain>,
    body: Signature,
    now_ms: i64,
    depth: usize,
) -> Result<Signature, BrokerError> {
    if depth > MAX_NESTED_GROUPS {
        let why = format!(
            "more than {MAX_NESTED_GROUPS} groups are within each other or directly after each other: put a call between them"
        );
        return Err(invalid(why));
    }
    let size = members.len();
    if size == 0 || size > MAX_MEMBERS {
        let why = format!("a group has 1 to {MAX_MEMBERS} tasks, not {size}: split it");
        return Err(invalid(why));
    }
    let members = members.into_iter().map(|member| Ok(whole(steps(member, now_ms, depth)?)));
    let members = members.collect::<Result<Vec<_>, BrokerError>>()?;
    // The group has the id of its summary, by which its status is found until the summary is enqueued.
    let id = body.task_id().map_or_else(|| new_id(now_ms), str::to_owned);
    let mut chord = Signature::chord(members, body);
    let header = chord.kwargs.get_mut("header").and_then(|header| header.get_mut("options"));
    if let Some(Value::Object(options)) = header {
        options.insert("task_id".to_owned(), id.into());
    }
    Ok(chord)
}

fn task(call: Call, now_ms: i64) -> Result<Signature, BrokerError> {
    call.check()?;
    let mut signature = Signature::new(call.task);
    (signature.args, signature.kwargs) = (call.args, call.kwargs);
    signature.immutable = call.immutable;
    let options = call.options;
    let mut set = |name: &str, value: Value| drop(signature.options.insert(name.to_owned(), value));
    set("task_id", json!(options.id.unwrap_or_else(|| new_id(now_ms))));
    set("queue", json!(options.queue));
    set("priority", json!(options.priority));
    match options.start {
        Start::Now => {}
        Start::After(delay) => set("countdown", json!(delay.as_secs_f64())),
        Start::At(time) => set("eta", json!(IsoDateTime::from(time))),
    }
    match (options.expires, options.start) {
        (None, _) => {}
        (Some(Expiry::At(time)), _) => set("expires", json!(IsoDateTime::from(time))),
        // Celery counts from the time of sending, a call from that of the start.
        (Some(Expiry::After(time)), Start::Now) => set("expires", json!(time.as_secs_f64())),
        (Some(Expiry::After(time)), Start::After(delay)) => {
            set("expires", json!((delay.saturating_add(time)).as_secs_f64()));
        }
        (Some(Expiry::After(time)), Start::At(start)) => {
            set("expires", json!(IsoDateTime::from(start + time)));
        }
    }
    if options.ignore_result {
        set("ignore_result", json!(true));
    }
    if !options.headers.is_empty() {
        set("headers", Value::Object(options.headers));
    }
    for (name, chains) in [("link", call.on_success), ("link_error", call.on_failure)] {
        if !chains.is_empty() {
            set(name, json!(signatures(chains, now_ms)?));
        }
    }
    Ok(signature)
}

fn invalid(why: impl Into<String>) -> BrokerError {
    BrokerError::new(Kind::Invalid, why.into())
}
