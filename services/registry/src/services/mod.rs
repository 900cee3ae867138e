//! Others, and what they are asked for. Each stands behind a trait, so that tests and developers have
//! a double in its place.

pub mod register;
pub mod workflow;
