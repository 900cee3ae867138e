//! The endpoint that the pool connects to.

use parking_lot::Mutex;

/// The endpoint that the pool connects to, by its index, and a flag for a pooler in front of it.
pub(super) struct ActiveEndpoint(Mutex<(usize, bool)>);

impl ActiveEndpoint {
    pub fn new(is_pooled: bool) -> Self {
        Self(Mutex::new((0, is_pooled)))
    }

    pub fn index(&self) -> usize {
        self.0.lock().0
    }

    /// Sets the active endpoint, and returns the previous one.
    pub fn replace(&self, index: usize, is_pooled: bool) -> (usize, bool) {
        std::mem::replace(&mut *self.0.lock(), (index, is_pooled))
    }
}
