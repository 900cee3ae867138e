//! The contract of the cache, over both backends.
