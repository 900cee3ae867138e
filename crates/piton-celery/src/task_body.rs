//! The body of a task's message: its arguments, and what is sent after it.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::lenient;
use crate::python_json;
use crate::signature::Signature;

/// The body of a task's message: `[args, kwargs, embed]`.
///
/// Arguments are as they were sent, with Kombu's [`typed_values`](crate::typed_values) in them.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TaskBody {
    /// The positional arguments.
    pub args: Vec<Value>,
    /// The arguments by name.
    pub kwargs: Map<String, Value>,
    /// The tasks that are sent after this one.
    pub embed: Embed,
}

/// The tasks that are sent after this one. Empty lists are written as null, which is the same to Celery.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Embed {
    /// Tasks to send when this one succeeds, with its result.
    #[serde(deserialize_with = "lenient::list", serialize_with = "lenient::null_if_empty")]
    pub callbacks: Vec<Signature>,
    /// Tasks to send when this one fails, with its id.
    #[serde(deserialize_with = "lenient::list", serialize_with = "lenient::null_if_empty")]
    pub errbacks: Vec<Signature>,
    /// The rest of the chain, **in reverse order**: the last one runs next, so `pop` takes it.
    #[serde(deserialize_with = "lenient::list", serialize_with = "lenient::null_if_empty")]
    pub chain: Vec<Signature>,
    /// The body of the chord that this task is a part of.
    pub chord: Option<Signature>,
    /// All other members.
    #[serde(flatten, serialize_with = "extra")]
    pub extra: Map<String, Value>,
}

const DEFINED: [&str; 4] = ["callbacks", "errbacks", "chain", "chord"];

fn extra<S: Serializer>(extra: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    lenient::undefined_fields(extra, &DEFINED, serializer)
}

/// The body as an array. Python reads one of exactly three elements.
#[derive(Deserialize)]
struct BodyArray(
    #[serde(deserialize_with = "lenient::null_as_default")] Vec<Value>,
    #[serde(deserialize_with = "lenient::null_as_default")] Map<String, Value>,
    #[serde(deserialize_with = "lenient::null_as_default")] Embed,
);

impl TaskBody {
    /// Returns the body of a task after which nothing is sent.
    #[must_use]
    pub fn new(args: Vec<Value>, kwargs: Map<String, Value>) -> Self {
        Self { args, kwargs, embed: Embed::default() }
    }

    /// Reads a body of protocol 2, after its encoding and its compression.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if it is not the JSON of `[args, kwargs, embed]`.
    pub fn from_slice(json: &[u8]) -> Result<Self, Error> {
        let BodyArray(args, kwargs, embed) = python_json::from_slice(json)?;
        Ok(Self { args, kwargs, embed })
    }

    /// Writes the JSON of the body.
    ///
    /// # Errors
    /// None at present.
    pub fn to_vec(&self) -> Result<Vec<u8>, Error> {
        python_json::to_vec(&(&self.args, &self.kwargs, &self.embed))
    }
}
