//! Compatibility with Gnar Gear and Python, in one place: behaviour that exists only so that services
//! moved over from there keep their clients, log collectors and settings.
//!
//! New code needs none of this. `docs/COMPATIBILITY.md` lists what is compatible with what.

pub(crate) mod error_envelope;
pub(crate) mod error_style;
pub(crate) mod percent_format;
#[cfg(feature = "jwt")]
pub(crate) mod python_decoders;
pub(crate) mod python_levels;
#[cfg(feature = "jwt")]
pub(crate) mod python_values;
