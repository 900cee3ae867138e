//! Raises the limit of open files of the process, because each connection is one.
//!
//! Shells and service managers set a low limit for programs that use `select`, which fails above 1024; nothing here
//! does. A process may raise its soft limit up to the hard limit, which only an administrator changes.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::debug;

/// Raises the soft limit to the hard limit. A refusal is not an error: the limit stays.
pub(super) fn raise() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let before = limit.current;
    limit.current = limit.maximum;
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => debug!(?before, now = ?limit.current, "Raised the limit of open files"),
        Err(error) => debug!(?before, "The limit of open files stays: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        let mut low = getrlimit(Resource::Nofile);
        low.current = Some(256);
        setrlimit(Resource::Nofile, low).unwrap();
        raise();
        let raised = getrlimit(Resource::Nofile);
        assert_eq!(raised.current, low.maximum);
    }
}
