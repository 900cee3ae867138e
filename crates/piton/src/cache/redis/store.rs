//! The Redis backend.
//!
//! Every failure of the server is a miss, and no further command is sent until it is connected again.
//! Invalidations that could not be delivered are made up for by the next handshake (a new epoch),
//! before anything is read from the server again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use redis::{Cmd, Value};
use tokio::sync::{Notify, watch};

use super::connection::{Handshake, RedisConnection};
use super::scripts::Script;
use crate::cache::cached_value::CachedValue;
use crate::cache::invalidation_log::Invalidations;
use crate::cache::metrics::CacheMetrics;
use crate::cache::settings::CacheSettings;
use crate::cache::store_results::{BeginResult, Lease, Lookup, StoreOutcome};
use crate::part::{Health, Problem};
use crate::redis_client::{RedisFailure, RedisServer};
use crate::secrets::redact_text;
use crate::stop_signal::Stop;
use crate::support::backoff::{Backoff, JITTER};
use crate::support::log_throttle::LogThrottle;

/// Time to live of a lease: the value of a computation that takes longer is not stored.
const LEASE_TTL: Duration = Duration::from_secs(600);

/// Maximum time to live of a value.
const MAX_TTL: Duration = Duration::from_secs(365 * 24 * 3600);

/// Interval of pings, which find out that an idle connection is dead.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Delays between attempts to connect.
const CONNECT_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(50), Duration::from_secs(2), JITTER);

/// Maximum time that an invalidation waits for a server that may be available again.
const LATE_DELIVERY_TIMEOUT: Duration = Duration::from_millis(250);

pub(in crate::cache) struct Store {
    server: RedisServer,
    /// The prefix of all keys.
    prefix: String,
    namespace: String,
    /// The id of this process as the owner of leases.
    owner: String,
    timeout: Duration,
    /// Time to live of the right to compute a value, after which another process may.
    wait: Duration,
    local: Arc<Invalidations>,
    metrics: Arc<CacheMetrics>,
    state: RwLock<RedisState>,
    /// Wakes the connect loop.
    lost: Notify,
    /// Notifies of each attempt to connect. True if the last one timed out: invalidations do not wait for
    /// another one then.
    attempts: watch::Sender<bool>,
    last_error: Mutex<Option<String>>,
    failure_log: LogThrottle,
    /// The last refusal by the server, until it accepts a value again.
    refusal: Mutex<Option<String>>,
}

#[derive(Default)]
struct RedisState {
    /// `None` while no command may be sent.
    connection: Option<Arc<RedisConnection>>,
    /// Number of invalidations that the server may not have.
    undelivered: u64,
    /// Number of them that a later epoch has made up for.
    settled: u64,
    /// The identity of the server that was connected last.
    server: String,
    /// True if that server got an invalidation: a server that replaces it may not know of it.
    has_invalidated: bool,
}

impl RedisState {
    fn is_current(&self, connection: &Arc<RedisConnection>) -> bool {
        self.connection.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection))
    }
}

impl Store {
    pub fn new(
        settings: &CacheSettings,
        app: &str,
        local: Arc<Invalidations>,
        metrics: Arc<CacheMetrics>,
    ) -> Result<Arc<Self>, Box<Problem>> {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let namespace = settings.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| app.chars().map(plain).collect());
        Ok(Arc::new(Self {
            server: RedisServer::new(&settings.server())?,
            prefix: format!("{namespace}:cache:"),
            namespace,
            owner: random_id(),
            timeout: settings.timeout,
            wait: settings.wait,
            local,
            metrics,
            state: RwLock::default(),
            lost: Notify::new(),
            attempts: watch::Sender::default(),
            last_error: Mutex::new(Some("not connected yet".into())),
            failure_log: LogThrottle::default(),
            refusal: Mutex::default(),
        }))
    }

    pub async fn get(&self, key: &str) -> Lookup {
        let command = self.script(Script::Get, Some(key));
        match self.query("get", command).await {
            Err(_) => Lookup::Unavailable,
            Ok(Value::BulkString(raw)) => value_of(raw).map_or(Lookup::Miss, Lookup::Hit),
            Ok(Value::Int(_)) => Lookup::Stale,
            Ok(_) => Lookup::Miss,
        }
    }

    pub async fn get_or_lease(&self, key: &str, tags: &Arc<[String]>) -> BeginResult {
        // Read before the query is sent, so that an invalidation during it concerns this computation.
        let generation = self.local.generation();
        let mut command = self.script(Script::GetOrLease, Some(key));
        command.arg(random_id()).arg(&self.owner).arg(millis(LEASE_TTL)).arg(millis(self.wait));
        tags.iter().for_each(|tag| {
            command.arg(tag);
        });
        let unavailable = BeginResult::Unavailable(Lease { generation, header: None });
        match self.query("get_or_lease", command).await {
            Ok(Value::BulkString(raw)) => value_of(raw).map_or(unavailable, BeginResult::Hit),
            Ok(Value::Array(items)) => lease_of(generation, &items).unwrap_or(unavailable),
            _ => unavailable,
        }
    }

    /// Stores a computed value if `lease` is still valid. Continues in the background if cancelled, because
    /// other processes wait for the result.
    pub async fn store_computed(
        self: &Arc<Self>,
        key: &str,
        lease: &Lease,
        cached: Arc<CachedValue>,
        ttl: Duration,
    ) -> StoreOutcome {
        let Some(header) = &lease.header else { return StoreOutcome::Failed };
        let mut command = self.script(Script::StoreComputed, Some(key));
        command.arg(&**header).arg(&self.owner).arg(millis(ttl)).arg(&cached.bytes()[..]);
        match self.query_detached("store_computed", command).await {
            Ok(Value::Int(1)) => {
                self.clear_refusal();
                StoreOutcome::Stored
            }
            Ok(_) => StoreOutcome::Outdated,
            Err(_) => StoreOutcome::Failed,
        }
    }

    pub async fn set(
        self: &Arc<Self>,
        key: &str,
        tags: &Arc<[String]>,
        cached: Arc<CachedValue>,
        ttl: Duration,
    ) -> StoreOutcome {
        self.local.record_keys([key.to_owned()]);
        let mut command = self.script(Script::Set, Some(key));
        command.arg(random_id()).arg(millis(ttl)).arg(&cached.bytes()[..]);
        tags.iter().for_each(|tag| {
            command.arg(tag);
        });
        if self.query_detached("set", command).await.is_ok() {
            self.clear_refusal();
            return StoreOutcome::Stored;
        }
        // Deletes the previous value, because after a failed `set` a miss is right and an older value is not.
        self.forget(&[key.to_owned()], &[]).await;
        StoreOutcome::Failed
    }

    /// Returns whether the server has the invalidation. Continues in the background if it is cancelled.
    pub async fn forget(self: &Arc<Self>, keys: &[String], tags: &[String]) -> bool {
        let mut command = redis::cmd("DEL");
        keys.iter().for_each(|key| {
            command.arg(format!("{}d:{key}", self.prefix));
        });
        // Deletes the version instead of the entries with the tag, because their number is unknown: an entry
        // with an old version is not valid any more (decision 0013).
        tags.iter().for_each(|tag| {
            command.arg(format!("{}t:{tag}", self.prefix));
        });
        self.deliver("invalidate", command).await
    }

    pub async fn clear(self: &Arc<Self>) -> bool {
        let mut command = redis::cmd("DEL");
        command.arg(format!("{}e", self.prefix));
        self.deliver("clear", command).await
    }

    /// Lets another process compute the value, if this one owns the lease.
    pub fn release(self: &Arc<Self>, lease: &Lease) {
        // Checked because destructors call this, which also run after the runtime has ended.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let Some(header) = &lease.header else { return };
        let mut command = self.script(Script::ReleaseLease, None);
        command.arg(&**header).arg(&self.owner);
        let store = self.clone();
        runtime.spawn(async move {
            let _ = store.query("release", command).await;
        });
    }

    /// Returns the beginning of a call of a script, to which arguments can be added.
    fn script(&self, script: Script, key: Option<&str>) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.sha());
        match key {
            Some(key) => command.arg(1).arg(format!("{}d:{key}", self.prefix)),
            None => command.arg(0),
        };
        command.arg(&self.prefix);
        command
    }

    /// Executes a command, unless the server is unavailable. A failure of the connection makes the
    /// server unavailable.
    async fn query(&self, operation: &'static str, command: Cmd) -> Result<Value, RedisFailure> {
        let connection =
            self.read(|state| state.connection.clone()).ok_or(RedisFailure::NotConnected)?;
        let started = Instant::now();
        let reply = connection.query(command, self.timeout).await;
        let reply = reply.map_err(|failure| failure.naming(self.server.names()));
        self.metrics.observe_operation(operation, started.elapsed());
        if let Err(failure) = &reply {
            self.record_failure(&connection, operation, failure);
        }
        reply
    }

    /// Executes a command in a task of its own, so that it is not cancelled with the caller.
    async fn query_detached(
        self: &Arc<Self>,
        operation: &'static str,
        command: Cmd,
    ) -> Result<Value, RedisFailure> {
        let store = self.clone();
        let query = tokio::spawn(async move { store.query(operation, command).await });
        query.await.unwrap_or(Err(RedisFailure::NotConnected))
    }

    /// Sends an invalidation, and returns whether the server has it. If that is uncertain, nothing is
    /// read from the server until a new epoch has started.
    async fn deliver(self: &Arc<Self>, operation: &'static str, command: Cmd) -> bool {
        let store = self.clone();
        // In a task of its own, because a cancelled invalidation would leave stale values valid.
        let delivery = async move { store.deliver_or_end_epoch(operation, command).await };
        tokio::spawn(delivery).await.unwrap_or(false)
    }

    async fn deliver_or_end_epoch(&self, operation: &'static str, command: Cmd) -> bool {
        let connection = self.change(|state| {
            match &state.connection {
                Some(_) => state.has_invalidated = true,
                None => state.undelivered += 1,
            }
            state.connection.clone()
        });
        let Some(connection) = connection else { return self.deliver_late().await };
        let started = Instant::now();
        let reply = connection.query(command, self.timeout).await;
        self.metrics.observe_operation(operation, started.elapsed());
        let reason = match reply {
            // Not believed otherwise, because the connection may have been to a server that was replaced.
            Ok(_) if self.read(|state| state.is_current(&connection)) => return true,
            Ok(_) => "the connection was lost meanwhile".to_owned(),
            Err(failure) => {
                self.record_failure(&connection, operation, &failure);
                failure.to_string()
            }
        };
        self.change(|state| {
            state.undelivered += 1;
            state.connection = None;
        });
        self.log_unavailable(&format!("an invalidation was not delivered: {reason}"));
        self.deliver_late().await
    }

    /// Waits for the next handshake, which makes up for undelivered invalidations, and returns whether
    /// it succeeded: then no process reads an old value any more.
    ///
    /// The handshake is attempted at once instead of after the backoff, because another process may
    /// already read from a server that is available again. A server that refuses connections answers at
    /// once; one that does not answer is not waited for.
    async fn deliver_late(&self) -> bool {
        let mut attempts = self.attempts.subscribe();
        let handshake = async {
            // Two attempts, because the first may have started before this invalidation was recorded.
            for _ in 0..2 {
                self.lost.notify_one();
                let timed_out = *attempts.borrow_and_update();
                if timed_out || attempts.changed().await.is_err() {
                    return false;
                }
                if self.is_up() {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(LATE_DELIVERY_TIMEOUT, handshake).await.unwrap_or(false)
    }

    /// Counts and logs a failure. If it concerns the connection, the server becomes unavailable.
    fn record_failure(
        &self,
        connection: &Arc<RedisConnection>,
        operation: &str,
        failure: &RedisFailure,
    ) {
        self.metrics.count_error();
        let reason = redact_text(&failure.to_string()).into_owned();
        if self.failure_log.pass().is_some() {
            let server = self.server.address();
            tracing::warn!(operation, "Redis at {server} failed: {reason}");
        }
        if failure.is_refusal() {
            if failure.concerns_all_values() {
                *self.refusal.lock() = Some(reason);
            }
            return;
        }
        if matches!(failure, RedisFailure::Timeout(_)) {
            self.attempts.send_replace(true);
        }
        self.change(|state| {
            if state.is_current(connection) {
                state.connection = None;
                *self.last_error.lock() = Some(reason);
            }
        });
        self.lost.notify_one();
    }

    fn read<R>(&self, read: impl FnOnce(&RedisState) -> R) -> R {
        read(&self.state.read())
    }

    fn change<R>(&self, change: impl FnOnce(&mut RedisState) -> R) -> R {
        change(&mut self.state.write())
    }

    pub fn is_up(&self) -> bool {
        self.read(|state| state.connection.is_some())
    }

    pub fn address(&self) -> String {
        self.server.address()
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Attempts to connect once, so that the first requests find a server that is available.
    pub async fn connect_once(&self) {
        if !self.is_up() {
            self.connect().await;
        }
    }

    /// Reconnects until `stop` whenever the connection is lost.
    pub async fn keep_connected(&self, stop: Stop) {
        let connect_loop = async {
            let mut backoff = CONNECT_BACKOFF;
            loop {
                if self.is_up() {
                    backoff = CONNECT_BACKOFF;
                    let _ = tokio::time::timeout(PING_INTERVAL, self.lost.notified()).await;
                    let _ = self.query("ping", redis::cmd("PING")).await;
                } else if !self.connect().await {
                    // An invalidation that waits for the server ends the delay early.
                    let woken = tokio::time::timeout(backoff.next_delay(), self.lost.notified());
                    if woken.await.is_ok() {
                        backoff = CONNECT_BACKOFF;
                    }
                }
            }
        };
        tokio::select! {
            () = connect_loop => {}
            () = stop.stopped() => {}
        }
    }

    /// Attempts to connect. Returns whether there is a connection now.
    async fn connect(&self) -> bool {
        // Counted before the handshake, because it does not make up for invalidations that fail during it.
        let (undelivered, handshake) = self.read(|state| {
            let handshake = Handshake {
                prefix: &self.prefix,
                server: if state.has_invalidated { state.server.clone() } else { String::new() },
                ends_epoch: state.undelivered > state.settled,
            };
            (state.undelivered, handshake)
        });
        let mut timed_out = false;
        let connected = self
            .server
            .connect(async |connection| RedisConnection::handshake(connection, &handshake).await);
        let is_up = match connected.await {
            Ok((connection, reply)) => {
                let is_settled = self.change(|state| {
                    if reply.ended_epoch {
                        state.settled = undelivered;
                        state.has_invalidated = false;
                    }
                    state.server = reply.server;
                    let is_settled = state.undelivered <= state.settled.max(undelivered);
                    state.connection = is_settled.then(|| Arc::new(connection));
                    is_settled
                });
                if is_settled {
                    self.log_connected();
                }
                is_settled
            }
            Err(failure) => {
                self.log_unavailable(&failure.to_string());
                timed_out = matches!(failure, RedisFailure::Timeout(_));
                false
            }
        };
        self.attempts.send_replace(timed_out);
        is_up
    }

    fn clear_refusal(&self) {
        self.refusal.lock().take();
    }

    fn log_connected(&self) {
        if self.last_error.lock().take().is_some() {
            tracing::info!("The cache is connected to Redis at {}", self.server.address());
        }
    }

    /// Logs a reason if it is new, so that a server that is unavailable for an hour is one line.
    fn log_unavailable(&self, reason: &str) {
        let reason = redact_text(reason).into_owned();
        let mut last_error = self.last_error.lock();
        if last_error.as_ref() != Some(&reason) {
            let server = self.server.address();
            tracing::warn!("Redis at {server} is unavailable, nothing is cached: {reason}");
            *last_error = Some(reason);
        }
    }

    pub async fn health(&self) -> Health {
        if self.is_up() {
            let _ = self.query("ping", redis::cmd("PING")).await;
        }
        if self.is_up() {
            let refusal = self.refusal.lock().clone();
            let refused = |why| format!("redis at {} refuses values: {why}", self.server.address());
            return refusal.map_or(Health::Up, |why| Health::Degraded(refused(why)));
        }
        let last_error = self.last_error.lock().clone();
        let reason = last_error.unwrap_or_else(|| "the connection was lost".into());
        Health::Degraded(format!("redis at {}: {reason}", self.server.address()))
    }
}

/// Returns 128 random bits. They are not secret; all that is asked of them is to be unique.
fn random_id() -> String {
    format!("{:x}", fastrand::u128(..))
}

fn millis(time: Duration) -> u64 {
    // At least 1, because Redis refuses a time to live of zero.
    u64::try_from(time.min(MAX_TTL).as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Returns the bytes after the header of an entry.
fn value_of(raw: Vec<u8>) -> Option<Arc<CachedValue>> {
    let end = raw.iter().position(|byte| *byte == b'\n')?;
    Some(Arc::new(CachedValue::new(Bytes::from(raw).slice(end + 1..))))
}

/// Parses the reply of `get_or_lease.lua` for a miss.
fn lease_of(generation: u64, items: &[Value]) -> Option<BeginResult> {
    let [Value::Int(ours), Value::BulkString(header), Value::Int(stale)] = items else {
        return None;
    };
    let header = Some(Arc::from(String::from_utf8_lossy(header)));
    let lease = Lease { generation, header };
    Some(BeginResult::Miss { lease, is_ours: *ours == 1, is_stale: *stale == 1 })
}
