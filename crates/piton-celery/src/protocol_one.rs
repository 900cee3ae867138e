//! Messages of protocol 1: everything about the task is in the body.
//!
//! Celery 3 wrote them, and later versions do with `task_protocol = 1`. They are read and never written.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::iso_date_time::IsoDateTime;
use crate::lenient;
use crate::python_json;
use crate::safe_repr::{args_repr, kwargs_repr};
use crate::signature::Signature;
use crate::task_body::{Embed, TaskBody};
use crate::task_headers::{TaskHeaders, TimeLimit};

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProtocolOneBody {
    #[serde(deserialize_with = "lenient::null_as_default")]
    task: String,
    #[serde(deserialize_with = "lenient::null_as_default")]
    id: String,
    #[serde(deserialize_with = "lenient::null_as_default")]
    args: Vec<Value>,
    #[serde(deserialize_with = "lenient::null_as_default")]
    kwargs: Map<String, Value>,
    group: Option<String>,
    /// The group, as Celery 3 called it.
    taskset: Option<String>,
    group_index: Option<i64>,
    #[serde(deserialize_with = "lenient::null_as_default")]
    retries: u32,
    #[serde(deserialize_with = "lenient::time")]
    eta: Option<IsoDateTime>,
    #[serde(deserialize_with = "lenient::time")]
    expires: Option<IsoDateTime>,
    #[serde(deserialize_with = "lenient::list")]
    callbacks: Vec<Signature>,
    #[serde(deserialize_with = "lenient::list")]
    errbacks: Vec<Signature>,
    #[serde(rename = "timelimit", deserialize_with = "lenient::null_as_default")]
    time_limit: TimeLimit,
    chord: Option<Signature>,
}

/// Returns whether a body is of protocol 1: an object, where protocol 2 has an array.
pub(crate) fn is_protocol_one(json: &[u8]) -> bool {
    json.trim_ascii_start().starts_with(b"{")
}

/// Reads a body of protocol 1 as headers and body of protocol 2.
pub(crate) fn upgrade(json: &[u8]) -> Result<(TaskHeaders, TaskBody), Error> {
    let wire: ProtocolOneBody = python_json::from_slice(json)?;
    let headers = TaskHeaders {
        lang: None,
        group: wire.taskset.or(wire.group),
        group_index: wire.group_index,
        retries: wire.retries,
        eta: wire.eta,
        expires: wire.expires,
        time_limit: wire.time_limit,
        args_repr: Some(args_repr(&wire.args)),
        kwargs_repr: Some(kwargs_repr(&wire.kwargs)),
        ignore_result: None,
        // Protocol 1 has no root.
        root_id: None,
        ..TaskHeaders::new(wire.task, wire.id)
    };
    let (callbacks, errbacks, chord) = (wire.callbacks, wire.errbacks, wire.chord);
    let embed = Embed { callbacks, errbacks, chord, ..Embed::default() };
    Ok((headers, TaskBody { args: wire.args, kwargs: wire.kwargs, embed }))
}
