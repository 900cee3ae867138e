//! A value as it is kept: bytes, and once somebody has read them, what they mean.

use std::any::Any;
use std::sync::OnceLock;

use bytes::Bytes;

/// A kept value. In memory it is shared by all who read it, so that the bytes of an answer are taken
/// apart by the first of them alone.
pub(super) struct Held {
    bytes: Bytes,
    form: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Held {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), form: OnceLock::new() }
    }

    /// Bytes whose meaning is known already.
    pub fn with_form<T: Any + Send + Sync>(bytes: Bytes, form: T) -> Self {
        let held = Self::new(bytes);
        let _ = held.form.set(Box::new(form));
        held
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What the bytes mean, read by `read` if nobody has before.
    pub fn form<T: Any + Send + Sync>(&self, read: impl FnOnce(&Bytes) -> Option<T>) -> Option<&T> {
        if self.form.get().is_none() {
            let _ = self.form.set(Box::new(read(&self.bytes)?));
        }
        self.form.get().and_then(|form| form.downcast_ref())
    }
}
