//! Values in Redis, shared by all processes of the service.
//!
//! Every failure of the server is a miss, and the server is asked nothing more until it is back. What
//! it could not be told of invalidations is made good before anything of it is read again.

mod connect;
mod link;
mod scripts;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis::{Cmd, Value};
use tokio::sync::{Notify, watch};

use super::figures::Figures;
use super::held::Held;
use super::invalidations::Invalidations;
use super::settings::CacheSettings;
use super::store::{Begun, Looked, Stored, Ticket};
use crate::config::mask;
use crate::part::{Health, Problem};
use crate::stop::Stop;
use crate::support::backoff::{Backoff, JITTER};
use crate::support::log_throttle::LogThrottle;

use connect::Server;
use link::{Failure, Greeting, Link};
use scripts::Script;

/// How long a computation may take before its value is not kept any more.
const LEASE: Duration = Duration::from_secs(600);

/// The longest time that a value is kept.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How often the server is asked whether it is there, when nobody asks it anything else.
const LOOK: Duration = Duration::from_secs(5);

/// Delays between attempts to connect.
const CONNECT_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(50), Duration::from_secs(2), JITTER);

/// How long an invalidation waits for a server that may be back.
const HURRY: Duration = Duration::from_millis(250);

pub(super) struct Store {
    server: Server,
    /// What all keys begin with.
    prefix: String,
    namespace: String,
    /// What this process is called as the owner of turns.
    owner: String,
    timeout: Duration,
    wait: Duration,
    local: Arc<Invalidations>,
    figures: Arc<Figures>,
    state: RwLock<State>,
    /// Wakes the one who connects.
    lost: Notify,
    /// The attempts to connect so far, and whether the last took so long that nobody waits for another.
    attempts: watch::Sender<(u64, bool)>,
    trouble: Mutex<Option<String>>,
    told: LogThrottle,
    /// What the server said when it last refused something, until it takes a value again.
    refusal: Mutex<Option<String>>,
}

#[derive(Default)]
struct State {
    /// `None` while the server is not to be asked.
    link: Option<Arc<Link>>,
    /// Invalidations of which it is not known whether the server has them.
    undelivered: u64,
    /// How many of them an epoch that began later has made good.
    settled: u64,
    /// The server that was last spoken to.
    server: String,
    /// Whether it has been told of an invalidation: one that took over from it may not know.
    has_invalidated: bool,
}

impl State {
    /// Whether this is the connection that is used.
    fn has(&self, link: &Arc<Link>) -> bool {
        self.link.as_ref().is_some_and(|now| Arc::ptr_eq(now, link))
    }
}

impl Store {
    pub fn new(
        settings: &CacheSettings,
        app: &str,
        local: Arc<Invalidations>,
        figures: Arc<Figures>,
    ) -> Result<Arc<Self>, Box<Problem>> {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let namespace = settings.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| app.chars().map(plain).collect());
        Ok(Arc::new(Self {
            server: Server::new(settings)?,
            prefix: format!("{namespace}:cache:"),
            namespace,
            owner: random_id(),
            timeout: settings.timeout,
            wait: settings.wait,
            local,
            figures,
            state: RwLock::default(),
            lost: Notify::new(),
            attempts: watch::Sender::new((0, false)),
            trouble: Mutex::new(Some("not connected yet".into())),
            told: LogThrottle::default(),
            refusal: Mutex::default(),
        }))
    }

    pub async fn look(&self, key: &str) -> Looked {
        let command = self.script(Script::Look, Some(key));
        match self.ask("look", command).await {
            Err(_) => Looked::Away,
            Ok(Value::BulkString(raw)) => value_of(raw).map_or(Looked::Miss, Looked::Hit),
            Ok(Value::Int(_)) => Looked::Stale,
            Ok(_) => Looked::Miss,
        }
    }

    pub async fn begin(&self, key: &str, tags: &Arc<[String]>) -> Begun {
        // Before the server is asked: an invalidation from now on concerns what is begun now.
        let began = self.local.now();
        let mut command = self.script(Script::Begin, Some(key));
        command.arg(random_id()).arg(&self.owner).arg(millis(LEASE)).arg(millis(self.wait));
        tags.iter().for_each(|tag| {
            command.arg(tag);
        });
        match self.ask("begin", command).await {
            Ok(Value::BulkString(raw)) => match value_of(raw) {
                Some(held) => Begun::Hit(held),
                None => Begun::Away(Ticket { began, lease: None }),
            },
            Ok(Value::Array(items)) => begun(began, items),
            _ => Begun::Away(Ticket { began, lease: None }),
        }
    }

    /// Goes on though nobody waits for it any more: others wait for what becomes of it.
    pub async fn keep(
        self: &Arc<Self>,
        key: &str,
        ticket: &Ticket,
        _: &Arc<[String]>,
        held: Arc<Held>,
        ttl: Duration,
    ) -> Stored {
        let Some(head) = &ticket.lease else { return Stored::Failed };
        let mut command = self.script(Script::Keep, Some(key));
        command.arg(&**head).arg(&self.owner).arg(millis(ttl)).arg(&held.bytes()[..]);
        match self.ask_to_the_end("keep", command).await {
            Ok(Value::Int(1)) => {
                self.takes_values();
                Stored::Kept
            }
            Ok(_) => Stored::Outdated,
            Err(_) => Stored::Failed,
        }
    }

    pub async fn set(
        self: &Arc<Self>,
        key: &str,
        tags: &Arc<[String]>,
        held: Arc<Held>,
        ttl: Duration,
    ) -> Stored {
        self.local.keys([key.to_owned()]);
        let mut command = self.script(Script::Set, Some(key));
        command.arg(random_id()).arg(millis(ttl)).arg(&held.bytes()[..]);
        tags.iter().for_each(|tag| {
            command.arg(tag);
        });
        if self.ask_to_the_end("set", command).await.is_ok() {
            self.takes_values();
            return Stored::Kept;
        }
        // What was there before is not what was to be set: it goes, at least.
        self.forget(&[key.to_owned()], &[]).await;
        Stored::Failed
    }

    /// Whether the server has forgotten them. Goes on though nobody waits for it any more.
    pub async fn forget(self: &Arc<Self>, keys: &[String], tags: &[String]) -> bool {
        let mut command = redis::cmd("DEL");
        keys.iter().for_each(|key| {
            command.arg(format!("{}d:{key}", self.prefix));
        });
        tags.iter().for_each(|tag| {
            command.arg(format!("{}t:{tag}", self.prefix));
        });
        self.tell("invalidate", command).await
    }

    pub async fn clear(self: &Arc<Self>) -> bool {
        let mut command = redis::cmd("DEL");
        command.arg(format!("{}e", self.prefix));
        self.tell("clear", command).await
    }

    /// Lets another process have the turn, if this one has it.
    pub fn release(self: &Arc<Self>, ticket: &Ticket) {
        let (Some(head), Ok(runtime)) = (&ticket.lease, tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let mut command = self.script(Script::Release, None);
        command.arg(&**head).arg(&self.owner);
        let store = self.clone();
        runtime.spawn(async move {
            let _ = store.ask("release", command).await;
        });
    }

    /// The begin of a call of a script.
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

    /// Asks the server, unless it is away. When it does not answer, it is.
    async fn ask(&self, operation: &'static str, command: Cmd) -> Result<Value, Failure> {
        let link = self.read(|state| state.link.clone()).ok_or(Failure::Away)?;
        let begin = Instant::now();
        let answer = link.ask(command, self.timeout).await;
        self.figures.took(operation, begin.elapsed());
        if let Err(failure) = &answer {
            self.failed(&link, operation, failure);
        }
        answer
    }

    async fn ask_to_the_end(
        self: &Arc<Self>,
        operation: &'static str,
        command: Cmd,
    ) -> Result<Value, Failure> {
        let store = self.clone();
        let asked = tokio::spawn(async move { store.ask(operation, command).await });
        asked.await.unwrap_or(Err(Failure::Away))
    }

    /// Tells the server something that it must not miss, and returns whether it has heard it. If it is
    /// not known to have, nothing is read of it until a new epoch has begun.
    async fn tell(self: &Arc<Self>, operation: &'static str, command: Cmd) -> bool {
        let store = self.clone();
        let told = async move {
            let link = store.change(|state| {
                match &state.link {
                    Some(_) => state.has_invalidated = true,
                    None => state.undelivered += 1,
                }
                state.link.clone()
            });
            let Some(link) = link else { return store.deliver_late().await };
            let begin = Instant::now();
            let answer = link.ask(command, store.timeout).await;
            store.figures.took(operation, begin.elapsed());
            let trouble = match answer {
                // An answer on a connection that another has replaced may be another server's.
                Ok(_) if store.read(|state| state.has(&link)) => return true,
                Ok(_) => "the connection was lost meanwhile".to_owned(),
                Err(failure) => {
                    store.failed(&link, operation, &failure);
                    failure.to_string()
                }
            };
            store.change(|state| {
                state.undelivered += 1;
                state.link = None;
            });
            store.note_trouble(&format!("an invalidation was not done: {trouble}"));
            store.deliver_late().await
        };
        tokio::spawn(told).await.unwrap_or(false)
    }

    /// What could not be delivered is made good by the next greeting. Another process may read of a
    /// server that is back already, so that greeting is not waited for by the clock but tried at
    /// once: when this returns `true`, nobody reads the old value any more. A server that is away says
    /// so in no time; for one that says nothing nobody waits.
    async fn deliver_late(&self) -> bool {
        let mut attempts = self.attempts.subscribe();
        let tried = async {
            // The first may have begun before there was anything to make good.
            for _ in 0..2 {
                self.lost.notify_one();
                let slow = attempts.borrow_and_update().1;
                if slow || attempts.changed().await.is_err() {
                    return false;
                }
                if self.is_up() {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(HURRY, tried).await.unwrap_or(false)
    }

    /// Counts a failure. After one that is about the connection the server is asked nothing more.
    fn failed(&self, link: &Arc<Link>, operation: &str, failure: &Failure) {
        self.figures.error();
        let reason = mask::text(&failure.to_string()).into_owned();
        if self.told.pass().is_some() {
            let server = self.server.address();
            tracing::warn!(operation, "Redis at {server} did not do its part: {reason}");
        }
        if failure.is_refusal() {
            if failure.is_of_all_values() {
                *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
            }
            return;
        }
        if matches!(failure, Failure::Late(_)) {
            self.attempts.send_modify(|(_, slow)| *slow = true);
        }
        self.change(|state| {
            if state.has(link) {
                state.link = None;
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
            }
        });
        self.lost.notify_one();
    }

    fn read<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn is_up(&self) -> bool {
        self.read(|state| state.link.is_some())
    }

    pub fn address(&self) -> String {
        self.server.address()
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// One attempt, so that the first requests find a server that is there.
    pub async fn connect_once(&self) {
        if !self.is_up() {
            self.connect().await;
        }
    }

    /// Connects, whenever there is no connection, until `stop`.
    pub async fn keep_connected(&self, stop: Stop) {
        let work = async {
            let mut backoff = CONNECT_BACKOFF;
            loop {
                if self.is_up() {
                    backoff = CONNECT_BACKOFF;
                    let _ = tokio::time::timeout(LOOK, self.lost.notified()).await;
                    let _ = self.ask("ping", redis::cmd("PING")).await;
                } else if !self.connect().await {
                    let hurry = tokio::time::timeout(backoff.next_delay(), self.lost.notified());
                    if hurry.await.is_ok() {
                        backoff = CONNECT_BACKOFF;
                    }
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.stopped() => {}
        }
    }

    /// One attempt to connect; whether there is a connection now.
    async fn connect(&self) -> bool {
        // What fails from here on was not made good by this greeting.
        let (undelivered, greeting) = self.read(|state| {
            let greeting = Greeting {
                prefix: &self.prefix,
                server: if state.has_invalidated { state.server.clone() } else { String::new() },
                ends_epoch: state.undelivered > state.settled,
            };
            (state.undelivered, greeting)
        });
        let mut slow = false;
        let is_up = match self.server.connect(&greeting).await {
            Ok((link, greeted)) => {
                let is_in_time = self.change(|state| {
                    if greeted.ended_epoch {
                        state.settled = undelivered;
                        state.has_invalidated = false;
                    }
                    state.server = greeted.server;
                    let is_in_time = state.undelivered <= state.settled.max(undelivered);
                    state.link = is_in_time.then(|| Arc::new(link));
                    is_in_time
                });
                if is_in_time {
                    self.connected();
                }
                is_in_time
            }
            Err(failure) => {
                self.note_trouble(&failure.to_string());
                slow = matches!(failure, Failure::Late(_));
                false
            }
        };
        self.attempts.send_modify(|(count, was_slow)| {
            *count += 1;
            *was_slow = slow;
        });
        is_up
    }

    fn takes_values(&self) {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn connected(&self) {
        let before = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        if before.is_some() {
            tracing::info!("The cache is connected to Redis at {}", self.server.address());
        }
    }

    /// Says it when the reason is new: a server that stays away for an hour is one line.
    fn note_trouble(&self, reason: &str) {
        let reason = mask::text(reason).into_owned();
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.as_ref() != Some(&reason) {
            let server = self.server.address();
            tracing::warn!("The cache remembers nothing, as Redis at {server} is away: {reason}");
            *trouble = Some(reason);
        }
    }

    pub async fn health(&self) -> Health {
        if self.is_up() {
            let _ = self.ask("ping", redis::cmd("PING")).await;
        }
        if self.is_up() {
            let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let refused = |why| format!("redis at {} refuses values: {why}", self.server.address());
            return refusal.map_or(Health::Up, |why| Health::Degraded(refused(why)));
        }
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reason = trouble.unwrap_or_else(|| "the connection was lost".into());
        Health::Degraded(format!("redis at {}: {reason}", self.server.address()))
    }
}

/// 128 random bits. That no two are alike is all that is asked of it.
fn random_id() -> String {
    format!("{:x}", fastrand::u128(..))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.min(LONGEST).as_millis()).unwrap_or(u64::MAX).max(1)
}

/// What stands behind the head.
fn value_of(raw: Vec<u8>) -> Option<Arc<Held>> {
    let end = raw.iter().position(|byte| *byte == b'\n')?;
    Some(Arc::new(Held::new(Bytes::from(raw).slice(end + 1..))))
}

fn begun(began: u64, items: Vec<Value>) -> Begun {
    let [Value::Int(ours), Value::BulkString(head), Value::Int(stale)] = items.as_slice() else {
        return Begun::Away(Ticket { began, lease: None });
    };
    let lease = Some(Arc::from(String::from_utf8_lossy(head)));
    Begun::Ticket { ticket: Ticket { began, lease }, ours: *ours == 1, stale: *stale == 1 }
}
