//! Celery's messages as values: bytes in, values out, and back. No I/O, no runtime.

mod error;
mod iso_date_time;
pub mod python_float;
pub mod python_json;
mod python_repr;
mod safe_repr;
mod typed_repr;
pub mod typed_values;

pub use self::error::{Error, Kind};
pub use self::iso_date_time::IsoDateTime;
pub use self::python_repr::python_repr;
pub use self::safe_repr::{args_repr, kwargs_repr, safe_repr};
