//! The header of a chord: its members, with their places among the results.

use std::collections::VecDeque;

use piton_celery::{Composition, Signature};
use serde_json::{Value, json};

use super::{MAX_DEPTH, Result, malformed, refused};
use crate::tasks::brokers::records::ResultShape;
use crate::tasks::new_message::new_id;

/// Returns the members of a header. The tasks of a group among them take its place in reverse order, and empty chains are
/// left out: as Celery 5.7 does (`group._freeze_unroll`).
pub(super) fn flatten(header: Vec<Signature>, max: usize) -> Result<Vec<Signature>> {
    let (mut members, mut rest) = (Vec::with_capacity(header.len()), VecDeque::from(header));
    // Groups may have no members, so that the number of steps is limited, too.
    for _ in 0..=2 * max {
        let Some(part) = rest.pop_front() else { return Ok(members) };
        match part.composition().map_err(malformed)? {
            Composition::Group(parts) => parts.into_iter().for_each(|part| rest.push_front(part)),
            Composition::Chain(parts) if parts.is_empty() => {}
            _ => members.push(part),
        }
    }
    Err(refused(&format!("the header of a chord has more than {max} tasks")))
}

/// Counts the members of a header.
pub(super) struct Header<'a> {
    group: &'a str,
    now_ms: i64,
    /// The number of results that the body waits for.
    size: u32,
    shape: Vec<ResultShape>,
}

impl<'a> Header<'a> {
    pub fn new(group: &'a str, now_ms: i64) -> Self {
        Self { group, now_ms, size: 0, shape: Vec::new() }
    }

    /// Returns a member that knows its place: the task whose end counts carries it. That is the last one of a chain, and the
    /// body of a chord. A group at the end of a chain counts with each of its tasks.
    pub fn place(&mut self, mut member: Signature) -> Result<Signature> {
        let shape = self.mark(&mut member, 0)?;
        self.shape.push(shape);
        Ok(member)
    }

    /// Returns the number of results, and their arrangement unless that is a flat list.
    pub fn finish(self) -> (u32, Option<ResultShape>) {
        let is_flat = self.shape.iter().all(|shape| matches!(shape, ResultShape::Task(_)));
        (self.size, (!is_flat).then_some(ResultShape::Group(self.shape)))
    }

    fn mark(&mut self, signature: &mut Signature, depth: usize) -> Result<ResultShape> {
        if depth > MAX_DEPTH {
            return Err(refused("the header of a chord is nested too deep"));
        }
        if let Some(Value::Array(chain)) = signature.options.get_mut("chain")
            && let Some(last) = chain.first_mut()
        {
            // In reverse order.
            return self.mark_value(last, depth);
        }
        match signature.composition().map_err(malformed)? {
            Composition::Task => Ok(self.mark_task(signature)),
            Composition::Chain(parts) => {
                let is_empty =
                    |part: &Signature| part.kwargs.get("tasks") == Some(&Value::Array(Vec::new()));
                let last = parts.iter().rposition(|part| !is_empty(part));
                let tasks = signature.kwargs.get_mut("tasks").and_then(Value::as_array_mut);
                match last.and_then(|last| tasks?.get_mut(last)) {
                    Some(last) => self.mark_value(last, depth),
                    None => Ok(ResultShape::Group(Vec::new())),
                }
            }
            Composition::Chord { .. } => match signature.kwargs.get_mut("body") {
                Some(body) => self.mark_value(body, depth),
                None => Err(refused("a chord has no body")),
            },
            Composition::Group(_) => {
                let tasks = signature.kwargs.get_mut("tasks").and_then(Value::as_array_mut);
                let tasks = tasks.into_iter().flatten();
                let shapes: Result<Vec<_>> =
                    tasks.map(|task| self.mark_value(task, depth)).collect();
                shapes.map(ResultShape::Group)
            }
            _ => Err(refused("a member of a chord is not known")),
        }
    }

    fn mark_value(&mut self, value: &mut Value, depth: usize) -> Result<ResultShape> {
        let signature = serde_json::from_value(value.take());
        let mut signature: Signature =
            signature.map_err(|_| refused("a member of a chord is no signature"))?;
        let shape = self.mark(&mut signature, depth + 1)?;
        *value = signature.into_value();
        Ok(shape)
    }

    fn mark_task(&mut self, signature: &mut Signature) -> ResultShape {
        let id = match signature.task_id() {
            Some(id) => id.to_owned(),
            None => new_id(self.now_ms),
        };
        let options = &mut signature.options;
        options.insert("task_id".to_owned(), json!(id));
        options.insert("group_id".to_owned(), json!(self.group));
        options.insert("group_index".to_owned(), json!(self.size));
        self.size += 1;
        ResultShape::Task(id)
    }
}
