//! Keys that programs call with.
