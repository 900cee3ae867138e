//! Signatures: tasks that are to be sent later, alone or as a chain, a group or a chord.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::lenient;

/// A task that is to be sent later: in a callback, a chain, a group or a chord.
///
/// ```
/// use piton_celery::Signature;
/// let add = Signature::new("proj.add").arg(3).option("queue", "sums");
/// let chain = Signature::chain([add, Signature::new("proj.report").immutable()]);
/// assert_eq!(chain.task, "celery.chain");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Signature {
    /// The name of the task.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub task: String,
    /// The positional arguments.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub args: Vec<Value>,
    /// The arguments by name.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub kwargs: Map<String, Value>,
    /// The options of sending: `task_id`, `queue`, `countdown`, `link_error`, ...
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub options: Map<String, Value>,
    /// `chain`, `group`, `chord`, `map`, `starmap`, `chunks`, or `None` for a task.
    pub subtask_type: Option<String>,
    /// True if the task does not take the result of the task before it.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub immutable: bool,
    /// The number of results that the body of a chord waits for, written by Celery 4 and 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chord_size: Option<i64>,
    /// All other members.
    #[serde(flatten, serialize_with = "extra")]
    pub extra: Map<String, Value>,
}

const DEFINED: [&str; 7] =
    ["task", "args", "kwargs", "options", "subtask_type", "immutable", "chord_size"];

fn extra<S: Serializer>(extra: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    lenient::undefined_fields(extra, &DEFINED, serializer)
}

/// The parts of a signature.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Composition {
    /// A task of its own.
    Task,
    /// Tasks that run one after the other, in this order.
    Chain(Vec<Signature>),
    /// Tasks that run at the same time.
    Group(Vec<Signature>),
    /// Tasks that run at the same time, and one that then receives their results.
    Chord {
        /// The tasks that run at the same time.
        header: Vec<Signature>,
        /// The options of the header if it is a group, among them the id of the group as `task_id`.
        header_options: Map<String, Value>,
        /// The task that receives the results.
        body: Box<Signature>,
    },
}

impl Signature {
    /// Returns the signature of a task without arguments.
    #[must_use]
    pub fn new(task: impl Into<String>) -> Self {
        Self { task: task.into(), ..Self::default() }
    }

    /// Returns the signature of tasks that run one after the other. Each receives the result of the one before as
    /// its first argument, unless it is [`immutable`](Self::immutable()).
    #[must_use]
    pub fn chain(tasks: impl IntoIterator<Item = Self>) -> Self {
        Self::composed("chain").kwarg("tasks", list(tasks))
    }

    /// Returns the signature of tasks that run at the same time.
    #[must_use]
    pub fn group(tasks: impl IntoIterator<Item = Self>) -> Self {
        Self::composed("group").kwarg("tasks", list(tasks))
    }

    /// Returns the signature of tasks that run at the same time, and of a `body` that then receives the list of their
    /// results.
    #[must_use]
    pub fn chord(header: impl IntoIterator<Item = Self>, body: Self) -> Self {
        Self::composed("chord")
            .kwarg("header", Self::group(header).into_value())
            .kwarg("body", body.into_value())
            .kwarg("kwargs", Map::new())
    }

    fn composed(kind: &str) -> Self {
        Self { subtask_type: Some(kind.to_owned()), ..Self::new(format!("celery.{kind}")) }
    }

    /// Adds a positional argument.
    #[must_use]
    pub fn arg(mut self, value: impl Into<Value>) -> Self {
        self.args.push(value.into());
        self
    }

    /// Adds an argument by name.
    #[must_use]
    pub fn kwarg(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.kwargs.insert(name.into(), value.into());
        self
    }

    /// Sets an option, such as `queue` or `countdown`.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options.insert(name.into(), value.into());
        self
    }

    /// Makes the task ignore the result of the task before it.
    #[must_use]
    pub fn immutable(self) -> Self {
        Self { immutable: true, ..self }
    }

    /// Returns the id that the task will have, if it is fixed already.
    #[must_use]
    pub fn task_id(&self) -> Option<&str> {
        self.options.get("task_id")?.as_str()
    }

    /// Returns the arguments after the task before has returned `result`: it comes first, unless the signature is
    /// immutable.
    #[must_use]
    pub fn args_after(&self, result: Value) -> Vec<Value> {
        let result = (!self.immutable).then_some(result);
        result.into_iter().chain(self.args.iter().cloned()).collect()
    }

    /// Returns the parts of the signature. `map`, `starmap` and `chunks` are tasks.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if a part of a chain, group or chord is no signature.
    pub fn composition(&self) -> Result<Composition, Error> {
        Ok(match self.task.as_str() {
            "celery.chain" => Composition::Chain(self.tasks("tasks")?),
            "celery.group" => Composition::Group(self.tasks("tasks")?),
            "celery.chord" => self.chord_parts()?,
            _ => Composition::Task,
        })
    }

    fn chord_parts(&self) -> Result<Composition, Error> {
        let body = Self::deserialize(self.part("body")?).map_err(|_| not_a_signature("body"))?;
        let header = self.part("header")?;
        let group = Self::deserialize(header).ok().filter(|group| group.task == "celery.group");
        let (header, header_options) = match group {
            Some(group) => (group.tasks("tasks")?, group.options),
            None => (self.tasks("header")?, Map::new()),
        };
        Ok(Composition::Chord { header, header_options, body: Box::new(body) })
    }

    fn tasks(&self, name: &'static str) -> Result<Vec<Self>, Error> {
        Vec::deserialize(self.part(name)?).map_err(|_| not_a_signature(name))
    }

    fn part(&self, name: &'static str) -> Result<&Value, Error> {
        self.kwargs.get(name).ok_or_else(|| not_a_signature(name))
    }

    /// Returns the JSON of the signature, as in the arguments of another one.
    #[must_use]
    pub fn into_value(self) -> Value {
        serde_json::to_value(self).expect("all keys are text, and a `Value` has no other failure")
    }
}

fn list(tasks: impl IntoIterator<Item = Signature>) -> Vec<Value> {
    tasks.into_iter().map(Signature::into_value).collect()
}

fn not_a_signature(name: &str) -> Error {
    Error::malformed(format!("`kwargs.{name}` of a signature has no signatures"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_member_is_among_the_defined_ones() {
        let written = Signature { chord_size: Some(1), ..Signature::default() }.into_value();
        let names = written.as_object().unwrap();
        assert_eq!(names.len(), DEFINED.len());
        assert!(DEFINED.iter().all(|name| names.contains_key(*name)));
    }

    #[test]
    fn a_composition_comes_back_as_it_was_made() {
        let tasks = || vec![Signature::new("a").arg(1), Signature::new("b").kwarg("x", 2)];
        let parts = |signature: Signature| signature.composition().unwrap();
        assert_eq!(parts(Signature::new("a")), Composition::Task);
        assert_eq!(parts(Signature::chain(tasks())), Composition::Chain(tasks()));
        assert_eq!(parts(Signature::group(tasks())), Composition::Group(tasks()));
        let chord = Signature::chord(tasks(), Signature::new("sum"));
        let body = Box::new(Signature::new("sum"));
        let expected = Composition::Chord { header: tasks(), header_options: Map::new(), body };
        assert_eq!(parts(chord), expected);
    }

    #[test]
    fn a_chord_may_have_its_header_as_a_list() {
        let kwargs = json!({"header": [{"task": "a"}], "body": {"task": "sum"}, "kwargs": {}});
        let chord: Signature =
            serde_json::from_value(json!({"task": "celery.chord", "kwargs": kwargs})).unwrap();
        let Composition::Chord { header, .. } = chord.composition().unwrap() else {
            panic!("not a chord")
        };
        assert_eq!(header, [Signature::new("a")]);
    }

    #[test]
    fn a_composition_without_signatures_is_an_error() {
        for kwargs in
            [json!({}), json!({"tasks": 1}), json!({"tasks": ["secret"], "header": 1, "body": 2})]
        {
            for task in ["celery.chain", "celery.group", "celery.chord"] {
                let signature = json!({"task": task, "kwargs": kwargs});
                let signature: Signature = serde_json::from_value(signature).unwrap();
                let error = signature.composition().unwrap_err().to_string();
                assert!(!error.contains("secret"), "{error}");
            }
        }
    }

    #[test]
    fn the_result_of_the_task_before_comes_first_unless_immutable() {
        let task = Signature::new("a").arg(2);
        assert_eq!(task.args_after(json!(1)), [json!(1), json!(2)]);
        assert_eq!(task.immutable().args_after(json!(1)), [json!(2)]);
    }
}
