//! Helpers that every module may use and that know no other module.

pub(crate) mod backoff;
pub(crate) mod coarse_clock;
pub(crate) mod log_throttle;
pub(crate) mod quality_value;
#[cfg(any(feature = "jwt", feature = "tasks"))]
pub(crate) mod random_bytes;
