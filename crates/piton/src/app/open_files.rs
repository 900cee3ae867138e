//! How many files the process may have open: as many as the system lets it.
//!
//! Each connection is one. The limit that a shell or a service manager sets is low for the sake of
//! programs that use `select`, which goes wrong above 1024; nothing here does. A process may raise it
//! by itself, up to a second limit that only an administrator moves.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::debug;

/// Raises the limit to where it can be raised. A system that refuses has its reasons: then it stays.
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
