//! A cached value: its bytes, and what they were parsed to.

use std::any::Any;
use std::sync::OnceLock;

use bytes::Bytes;

/// A cached value. In memory all readers share it, so that only the first of them parses the bytes of
/// a response.
pub(super) struct CachedValue {
    bytes: Bytes,
    parsed: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl CachedValue {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), parsed: OnceLock::new() }
    }

    /// Creates a value that needs no parsing later.
    pub fn with_parsed<T: Any + Send + Sync>(bytes: Bytes, parsed: T) -> Self {
        let cached = Self::new(bytes);
        let _ = cached.parsed.set(Box::new(parsed));
        cached
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the parsed value, calling `parse` if no reader has before.
    pub fn parsed<T: Any + Send + Sync>(
        &self,
        parse: impl FnOnce(&Bytes) -> Option<T>,
    ) -> Option<&T> {
        if self.parsed.get().is_none() {
            let _ = self.parsed.set(Box::new(parse(&self.bytes)?));
        }
        self.parsed.get().and_then(|parsed| parsed.downcast_ref())
    }
}
