//! Ends a connection whose client does not read its response (`http.write_timeout`).
//!
//! Progress is what the peer has acknowledged, not what the socket takes: its buffer may hold megabytes, and is
//! reported as writable only when a third of it is free, so that a client that reads slowly but steadily
//! would seem to have stopped. The kernel of Linux knows the difference and ends such a connection by
//! itself (`TCP_USER_TIMEOUT`, RFC 5482), at no cost for a request. Elsewhere, and on Unix sockets, a write
//! that waits for so long is the best sign there is.

use std::time::Duration;

use tokio::net::TcpStream;
use tracing::debug;

use super::connection_state::ConnectionState;

/// Has the kernel end the connection once the peer has acknowledged nothing for `timeout` although data waits
/// for it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn set_on_socket(stream: &TcpStream, timeout: Duration) {
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(timeout)) {
        debug!("A client that does not read may hold its connection: {error}");
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn set_on_socket(_: &TcpStream, _: Duration) {}

/// Returns whether the kernel ends the connections of a TCP socket.
pub(super) const IS_SET_ON_SOCKETS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Returns once a write has waited for at least `timeout`, and at most half as long again. Cancel safe.
pub(super) async fn wait_for_write_timeout(state: &ConnectionState, timeout: Duration) {
    let half = timeout / 2;
    let mut checks = tokio::time::interval_at(tokio::time::Instant::now() + half, half);
    let mut blocked_checks = 0;
    loop {
        checks.tick().await;
        blocked_checks = if state.take_write_progress() { 0 } else { blocked_checks + 1 };
        // Two, because the write may have begun to wait just before the check that saw it.
        if blocked_checks == 2 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_write_that_waits_for_long_is_given_up_and_a_slow_one_is_not() {
        let state = ConnectionState::default();
        let watch = wait_for_write_timeout(&state, LIMIT);
        let mut watch = std::pin::pin!(watch);
        for _ in 0..20 {
            for blocked in [true, false] {
                state.set_write_blocked(blocked);
                let waited = tokio::time::timeout(LIMIT * 3 / 4, &mut watch).await;
                assert!(waited.is_err(), "a write ends within the limit");
            }
        }
        state.set_write_blocked(true);
        let begin = tokio::time::Instant::now();
        watch.await;
        assert!(begin.elapsed() <= LIMIT * 3 / 2, "{:?}", begin.elapsed());
    }
}
