//! Waits until something has not been active for a time, without a timer for each activity.

use std::time::Duration;

use tokio::time::{Instant, interval_at};

/// Returns once `take_activity` has returned `false` for at least `timeout`, and at most half as long again. It
/// is asked at every half of `timeout`, and returns whether there was activity since it was last asked. Cancel
/// safe.
pub(super) async fn wait_until_idle(timeout: Duration, mut take_activity: impl FnMut() -> bool) {
    let half = timeout / 2;
    let mut checks = interval_at(Instant::now() + half, half);
    let mut idle_checks = 0;
    // Two, because the last activity may have ended just before the check that saw it.
    while idle_checks < 2 {
        checks.tick().await;
        idle_checks = if take_activity() { 0 } else { idle_checks + 1 };
    }
}
