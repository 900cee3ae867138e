//! Celery's messages as values: bytes in, values out, and back. No I/O, no runtime.
//!
//! | Value | Its place in Celery |
//! |---|---|
//! | [`Envelope`] | a message in a queue: [`TaskHeaders`], [`Properties`] and an encoded body |
//! | [`TaskBody`] | the arguments of a task, and the [`Signature`]s that follow it |
//! | [`TaskResult`] | the result under `celery-task-meta-<id>`, with its [`Status`] and [`Exception`] |
//! | [`bind`] | the call of a task: arguments by position and name, Python's `TypeError`s |
//! | [`Event`] | what Flower shows of workers and tasks, on the channels of [`EVENT_EXCHANGE`] |
//! | [`ControlRequest`] | a request of `celery inspect`, `celery control` or Flower, and its [`ControlReply`] |
//!
//! # Lenient in, strict out
//!
//! Read is whatever Python does without, and protocol 1; written is protocol 2 alone, and complete, because Python
//! workers end, or lose a message, over a missing field. Everything that the protocol does not define is
//! preserved. Errors name fields and positions, never values.
//!
//! Python's values that JSON lacks are preserved as well: see [`typed_values`] for dates, bytes and decimals, and
//! [`python_json`] for `NaN` and large integers.
//!
//! ```
//! use piton_celery::{Envelope, Exception, Parameter, TaskResult, bind, typed_values};
//!
//! fn run(message: &[u8]) -> Result<Vec<u8>, piton_celery::Error> {
//!     let mut envelope: Envelope = Envelope::from_slice(message)?;
//!     let body = envelope.decode_body(16 << 20)?;
//!     let id = envelope.headers.id;
//!     if envelope.headers.task != "proj.add" {
//!         return TaskResult::failure(id, &Exception::not_registered(envelope.headers.task)).to_vec();
//!     }
//!     let parameters = [Parameter::required("x"), Parameter::required("y")];
//!     let result = match bind("add", &parameters, body.args, body.kwargs) {
//!         Ok(values) => {
//!             let numbers = values.into_iter().flatten().filter_map(|value| value.as_i64());
//!             TaskResult::success(id, numbers.sum::<i64>())
//!         }
//!         Err(exception) => TaskResult::failure(id, &exception),
//!     };
//!     result.done(chrono::Utc::now()).to_vec()
//! }
//! # use piton_celery::{Properties, TaskBody, TaskHeaders};
//! # let body = TaskBody::new(vec![2.into(), 3.into()], Default::default());
//! # let headers = TaskHeaders::new("proj.add", "1");
//! # let message = Envelope::task(headers, Properties::new("celery", "tag"), &body)?.to_vec()?;
//! # assert_eq!(TaskResult::from_slice(&run(&message)?)?.result, 5);
//! # Ok::<(), piton_celery::Error>(())
//! ```

mod binding;
mod compression;
mod control;
mod control_reply;
mod envelope;
mod error;
mod event;
mod exception;
mod glob;
mod iso_date_time;
mod lenient;
mod properties;
mod protocol_one;
pub mod python_float;
pub mod python_json;
mod python_repr;
mod queue_binding;
mod rate_limit;
mod result_tuple;
mod safe_repr;
mod signature;
mod task_body;
mod task_headers;
mod task_result;
mod typed_repr;
pub mod typed_values;

pub use self::binding::{Parameter, bind};
pub use self::compression::Compression;
pub use self::control::{CONTROL_EXCHANGE, ControlRequest, ReplyTo};
pub use self::control_reply::{
    ControlReply, ScheduledTask, TaskDeliveryInfo, TaskInfo, TaskStage, queue_info,
};
pub use self::envelope::{Envelope, MessageHeaders};
pub use self::error::{Error, Kind};
pub use self::event::{EVENT_EXCHANGE, Event, EventKind, EventSource, EventTask, WorkerStatus};
pub use self::exception::Exception;
pub use self::iso_date_time::IsoDateTime;
pub use self::properties::{BodyEncoding, DeliveryInfo, PERSISTENT, Properties, TRANSIENT};
pub use self::python_repr::python_repr;
pub use self::queue_binding::QueueBinding;
pub use self::rate_limit::RateLimit;
pub use self::result_tuple::ResultTuple;
pub use self::safe_repr::{args_repr, kwargs_repr, safe_repr};
pub use self::signature::{Composition, Signature};
pub use self::task_body::{Embed, TaskBody};
pub use self::task_headers::{TaskHeaders, TimeLimit};
pub use self::task_result::{Status, TaskResult};

/// The example of the README, which is compiled with those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
