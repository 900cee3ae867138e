//! Celery's messages as values: bytes in, values out, and back. No I/O, no runtime.

mod compression;
mod envelope;
mod error;
mod iso_date_time;
mod lenient;
mod properties;
mod protocol_one;
pub mod python_float;
pub mod python_json;
mod python_repr;
mod safe_repr;
mod signature;
mod task_body;
mod task_headers;
mod typed_repr;
pub mod typed_values;

pub use self::compression::Compression;
pub use self::envelope::{Envelope, MessageHeaders};
pub use self::error::{Error, Kind};
pub use self::iso_date_time::IsoDateTime;
pub use self::properties::{BodyEncoding, DeliveryInfo, PERSISTENT, Properties, TRANSIENT};
pub use self::python_repr::python_repr;
pub use self::safe_repr::{args_repr, kwargs_repr, safe_repr};
pub use self::signature::{Composition, Signature};
pub use self::task_body::{Embed, TaskBody};
pub use self::task_headers::{TaskHeaders, TimeLimit};
