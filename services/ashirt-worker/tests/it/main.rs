//! The worker through the doors its users use.
