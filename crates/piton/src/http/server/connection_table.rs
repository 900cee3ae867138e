//! The open connections of a listener, and the choice of those to close when it is full.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, Id};

use super::connection_limit::MAX_RESERVE;
use super::connection_state::ConnectionState;
use crate::support::coarse_clock;

/// Age at which a connection that has not sent a whole head is closed like one that is kept alive.
const HEAD_GRACE_MS: u64 = 5_000;

/// Minimum time between two searches that find nothing to close: each looks at every connection.
const SEARCH_INTERVAL: Duration = Duration::from_millis(20);

/// The open connections of a listener.
#[derive(Debug, Default)]
pub(super) struct ConnectionTable {
    states: HashMap<Id, Arc<ConnectionState>>,
    /// Idle connections by the time since which they are, longest first, as of the last search.
    idle: VecDeque<(u64, Id)>,
    last_search: Option<Instant>,
    /// The connections of the reserve, oldest first.
    reserve: VecDeque<AbortHandle>,
}

impl ConnectionTable {
    pub fn insert(&mut self, id: Id, state: Arc<ConnectionState>) {
        self.states.insert(id, state);
    }

    /// Adds a connection of the reserve. Cuts off the oldest of a full reserve: one that waits, if there is
    /// one.
    pub fn insert_reserve(&mut self, connection: AbortHandle, state: Arc<ConnectionState>) {
        let states = &self.states;
        let is = |connection: &AbortHandle, is: fn(&ConnectionState) -> bool| {
            states.get(&connection.id()).is_some_and(|state| is(state))
        };
        // Others have got a permit meanwhile.
        self.reserve.retain(|connection| is(connection, ConnectionState::is_in_reserve));
        if self.reserve.len() >= MAX_RESERVE {
            let waits = |connection| is(connection, ConnectionState::is_idle);
            let oldest = self.reserve.iter().position(waits).unwrap_or_default();
            if let Some(oldest) = self.reserve.remove(oldest) {
                oldest.abort();
            }
        }
        self.states.insert(connection.id(), state);
        self.reserve.push_back(connection);
    }

    /// Removes a connection that has ended.
    pub fn remove(&mut self, id: Id) {
        self.states.remove(&id);
        self.reserve.retain(|connection| connection.id() != id);
    }

    /// Tells the connection that is idle for longest to end. Returns whether there was one.
    pub fn close_longest_idle(&mut self) -> bool {
        if self.close_next_idle() {
            return true;
        }
        let now = Instant::now();
        if self.last_search.is_some_and(|last| now < last + SEARCH_INTERVAL) {
            return false;
        }
        self.last_search = Some(now);
        self.search_idle();
        self.close_next_idle()
    }

    fn close_next_idle(&mut self) -> bool {
        let now = coarse_clock::now_ms();
        while let Some((since, id)) = self.idle.pop_front() {
            // A connection that has served a request meanwhile is no longer the longest idle one.
            if let Some(state) = self.states.get(&id)
                && state.idle_since() == since
                && can_close(state, now)
            {
                state.eviction.notify_one();
                return true;
            }
        }
        false
    }

    fn search_idle(&mut self) {
        let now = coarse_clock::now_ms();
        let idle = self.states.iter().filter(|(_, state)| can_close(state, now));
        let mut idle: Vec<_> = idle.map(|(id, state)| (state.idle_since(), *id)).collect();
        idle.sort_unstable_by_key(|(since, _)| *since);
        self.idle = idle.into();
    }
}

/// Returns whether the connection is kept alive without a request, or has not sent its first for too long.
fn can_close(state: &ConnectionState, now: u64) -> bool {
    let is_kept = state.has_served() && state.received() == 0;
    let is_late = now.saturating_sub(state.idle_since()) >= HEAD_GRACE_MS;
    state.is_idle() && (is_kept || is_late) && !state.is_in_reserve()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds the connection of a task that never ends.
    fn open(table: &mut ConnectionTable) -> (Arc<ConnectionState>, AbortHandle) {
        let state = Arc::new(ConnectionState::default());
        let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
        table.insert(task.id(), state.clone());
        (state, task)
    }

    fn is_told_to_end(state: &ConnectionState) -> bool {
        use futures_util::FutureExt;
        state.eviction.notified().now_or_never().is_some()
    }

    #[tokio::test]
    async fn only_connections_without_a_request_are_closed_longest_idle_first() {
        let mut table = ConnectionTable::default();
        let connections: Vec<_> = (0..4).map(|_| open(&mut table).0).collect();
        for (state, since) in connections[..3].iter().zip([7, 3, 5]) {
            state.set_idle_since_for_test(since);
        }
        connections[3].begin();
        assert!(table.close_longest_idle() && is_told_to_end(&connections[1]));
        connections[2].begin();
        assert!(table.close_longest_idle() && is_told_to_end(&connections[0]));
        assert!(!table.close_longest_idle());
        assert!(!is_told_to_end(&connections[2]) && !is_told_to_end(&connections[3]));
    }

    #[tokio::test]
    async fn a_new_connection_may_take_its_time_to_send_a_request() {
        let mut table = ConnectionTable::default();
        let (state, _) = open(&mut table);
        assert!(!table.close_longest_idle() && !is_told_to_end(&state));
    }

    #[tokio::test]
    async fn the_oldest_of_a_full_reserve_makes_room() {
        let mut table = ConnectionTable::default();
        let mut tasks = Vec::new();
        for _ in 0..=MAX_RESERVE {
            let task = tokio::spawn(std::future::pending::<()>());
            let state = ConnectionState::default();
            state.set_in_reserve(true);
            table.insert_reserve(task.abort_handle(), Arc::new(state));
            tasks.push(task);
        }
        assert!(tasks.remove(0).await.unwrap_err().is_cancelled());
        assert!(tasks.iter().all(|task| !task.is_finished()));
        assert_eq!(table.reserve.len(), MAX_RESERVE);
    }
}
