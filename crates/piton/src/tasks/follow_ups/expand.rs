//! Takes compositions apart: the tasks with which chains, groups and chords begin, and the groups that wait for them.

use piton_celery::{Composition, Signature};
use serde_json::{Map, Value, json};

use super::header::{Header, flatten};
use super::options::Options;
use super::{FollowUps, Result, malformed, refused};
use crate::tasks::brokers::records::{Batch, NewGroup, NewTask};
use crate::tasks::new_message::new_id;
use crate::tasks::task::DEFAULT_QUEUE;

/// Maximum depth of compositions within each other. JSON of 127 levels has fewer.
pub(super) const MAX_DEPTH: usize = 64;

/// Maximum number of tasks that follow one task at once.
const MAX_TASKS: usize = 100_000;

/// A chord that is about to start.
struct Chord {
    header: Vec<Signature>,
    header_options: Map<String, Value>,
    body: Signature,
    /// The tasks after the body, in reverse order.
    chain: Vec<Signature>,
}

impl FollowUps<'_> {
    /// Adds the tasks that start with `signature`, which get `argument` before their own. `chain` is what follows it, in
    /// reverse order.
    ///
    /// # Errors
    /// An exception: a signature is not valid, too deep, or of too many tasks.
    pub fn add(
        &self,
        batch: &mut Batch,
        signature: Signature,
        chain: Vec<Signature>,
        argument: Option<&Value>,
    ) -> Result<()> {
        self.expand(batch, signature, chain, argument, 0)
    }

    fn expand(
        &self,
        batch: &mut Batch,
        signature: Signature,
        mut chain: Vec<Signature>,
        argument: Option<&Value>,
        depth: usize,
    ) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(refused(&format!("it is nested deeper than {MAX_DEPTH} levels")));
        }
        if batch.tasks.len() >= MAX_TASKS {
            return Err(refused(&format!("more than {MAX_TASKS} tasks follow at once")));
        }
        let composition = signature.composition().map_err(malformed)?;
        if matches!(composition, Composition::Task) {
            batch.tasks.push(self.task(signature, chain, argument)?);
            return Ok(());
        }
        // Of a task, the flag leaves out the argument; of a composition, it does so for all of its first tasks.
        let argument = argument.filter(|_| !signature.immutable);
        chain.extend(reversed_chain(&signature)?);
        match composition {
            Composition::Chain(parts) => {
                chain.extend(linked(parts, &signature)?.into_iter().rev());
                match chain.pop() {
                    Some(first) => self.expand(batch, first, chain, argument, depth + 1),
                    None => Ok(()),
                }
            }
            Composition::Group(header) => match chain.pop() {
                Some(body) => {
                    let header_options = signature.options;
                    let chord = Chord { header, header_options, body, chain };
                    self.add_chord(batch, chord, argument, depth)
                }
                None => header
                    .into_iter()
                    .try_for_each(|part| self.expand(batch, part, Vec::new(), argument, depth + 1)),
            },
            Composition::Chord { header, header_options, body } => {
                let [body] = <[_; 1]>::try_from(linked(vec![*body], &signature)?)
                    .expect("as many as it was given");
                let chord = Chord { header, header_options, body, chain };
                self.add_chord(batch, chord, argument, depth)
            }
            _ => Err(refused(&format!("`{}` is not known", signature.task))),
        }
    }

    fn add_chord(
        &self,
        batch: &mut Batch,
        chord: Chord,
        argument: Option<&Value>,
        depth: usize,
    ) -> Result<()> {
        let Chord { header, header_options, body, chain } = chord;
        let mut body = with_chain(body, chain)?;
        let members = flatten(header, MAX_TASKS)?;
        if members.is_empty() {
            return self.expand(batch, body, Vec::new(), Some(&json!([])), depth + 1);
        }
        let id: Option<String> = Options(&header_options).get("task_id")?;
        let id = id.unwrap_or_else(|| new_id(self.now_ms));
        self.complete_body(&mut body, &id)?;
        let mut header = Header::new(&id, self.now_ms);
        let members: Result<Vec<_>> =
            members.into_iter().map(|member| header.place(member)).collect();
        let summary = self.summary(&body)?;
        // The message of a plain task says it all. Times count from the moment at which the body is sent.
        let has_delay = ["countdown", "expires"].iter().any(|it| body.options.contains_key(*it));
        let is_plain = is_task(&body)? && !body.immutable && !has_delay;
        let (size, shape) = header.finish();
        let body = (!is_plain).then(|| Box::new(body));
        batch.groups.push(NewGroup { id, size, summary, body, shape });
        members?
            .into_iter()
            .try_for_each(|member| self.expand(batch, member, Vec::new(), argument, depth + 1))
    }

    /// Adds to the signature of a body what whoever sends it cannot know.
    fn complete_body(&self, body: &mut Signature, group: &str) -> Result<()> {
        let is_task = is_task(body)?;
        let options = &mut body.options;
        let mut add = |name: &str, value: Value| {
            let known = options.entry(name).or_insert(Value::Null);
            if known.is_null() {
                *known = value;
            }
        };
        add("task_id", json!(new_id(self.now_ms)));
        if is_task {
            // A chord would give it to its own body, which may be a member of another group.
            add("group_id", json!(group));
        }
        if let Some(root_id) = self.root_id {
            add("root_id", json!(root_id));
        }
        if !self.inherited.is_empty() {
            add("headers", json!({}));
            if let Some(Value::Object(headers)) = options.get_mut("headers") {
                for (name, value) in &self.inherited {
                    headers.entry(name).or_insert_with(|| value.clone());
                }
            }
        }
        Ok(())
    }

    /// Returns the record of a body.
    fn summary(&self, body: &Signature) -> Result<NewTask> {
        if is_task(body)? {
            return self.task(body.clone(), Vec::new(), None);
        }
        Ok(NewTask {
            id: body.task_id().map_or_else(|| new_id(self.now_ms), str::to_owned),
            name: body.task.clone(),
            queue: DEFAULT_QUEUE.to_owned(),
            priority: 0,
            created_at_ms: self.now_ms,
            due_at_ms: None,
            expires_at_ms: None,
            retries: 0,
            parent_id: self.parent_id.map(str::to_owned),
            group: None,
            ignore_result: true,
            message: String::new(),
        })
    }
}

fn is_task(signature: &Signature) -> Result<bool> {
    Ok(matches!(signature.composition().map_err(malformed)?, Composition::Task))
}

/// Returns the chain among the options of a signature, which is in reverse order.
pub(super) fn reversed_chain(signature: &Signature) -> Result<Vec<Signature>> {
    Ok(Options(&signature.options).get("chain")?.unwrap_or_default())
}

/// Returns the parts of a chain with its callbacks, which its last one gets, and its errbacks, which all get.
pub(super) fn linked(mut parts: Vec<Signature>, whole: &Signature) -> Result<Vec<Signature>> {
    let options = Options(&whole.options);
    let errbacks = options.signatures("link_error")?;
    if !errbacks.is_empty() {
        parts.iter_mut().try_for_each(|part| link(part, "link_error", &errbacks))?;
    }
    let callbacks = options.signatures("link")?;
    match parts.last_mut() {
        Some(last) if !callbacks.is_empty() => link(last, "link", &callbacks)?,
        _ => {}
    }
    Ok(parts)
}

fn link(signature: &mut Signature, name: &str, added: &[Signature]) -> Result<()> {
    let mut all = Options(&signature.options).signatures(name)?;
    all.extend(added.iter().filter(|it| !all.contains(it)).cloned().collect::<Vec<_>>());
    signature.options.insert(name.to_owned(), json!(all));
    Ok(())
}

/// Returns the body of a chord with what follows it: a task or a chord with the chain among its options, or a group that
/// nothing follows. The chain is in reverse order.
fn with_chain(mut body: Signature, mut chain: Vec<Signature>) -> Result<Signature> {
    for _ in 0..MAX_DEPTH {
        match body.composition().map_err(malformed)? {
            Composition::Chain(parts) => {
                chain.extend(reversed_chain(&body)?);
                chain.extend(linked(parts, &body)?.into_iter().rev());
                body = chain.pop().ok_or_else(|| refused("the body of a chord is empty"))?;
            }
            Composition::Group(parts) if !chain.is_empty() => {
                let next = chain.pop().expect("the chain is not empty");
                let id = body.task_id().map(str::to_owned);
                body = Signature::chord(parts, next);
                set_header_id(&mut body, id);
            }
            _ if chain.is_empty() => return Ok(body),
            _ => {
                chain.extend(reversed_chain(&body)?);
                body.options.insert("chain".to_owned(), json!(chain));
                return Ok(body);
            }
        }
    }
    Err(refused("the body of a chord is nested too deep"))
}

fn set_header_id(chord: &mut Signature, id: Option<String>) {
    let options = chord.kwargs.get_mut("header").and_then(|header| header.get_mut("options"));
    if let (Some(Value::Object(options)), Some(id)) = (options, id) {
        options.insert("task_id".to_owned(), id.into());
    }
}
