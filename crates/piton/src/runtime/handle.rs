//! The handle of the running app: its parts, settings and state.
//!
//! `piton::app()` returns it, axum's router carries it as its state, and each module adds its own
//! short-hands in its own file (`impl Handle { pub fn db(&self) -> Db { .. } }`).

use std::any::{Any, TypeId};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::config::{Config, Environment, Section, SettingInfo};
use crate::error::Error;
use crate::memory::MemoryBudget;
use crate::metrics::Metrics;
use crate::part::{DynPart, Health, Part, PartDescriptor};
use crate::reload_signal::{Reload, ReloadTrigger};
use crate::request::trusted_proxies::TrustedProxies;
use crate::secrets::redact_text;
use crate::stop_signal::{Stop, Trigger};

/// The running app. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

#[derive(Clone)]
pub(crate) struct WeakHandle(Weak<Inner>);

/// The contents of a [`Handle`].
pub(crate) struct Inner {
    pub name: String,
    pub version: Option<String>,
    pub environment: Environment,
    pub production: bool,
    /// Set if it is launched to serve, not for a command.
    pub serves: bool,
    /// Set if it reads the process's environment, which a test does not.
    pub reads_process_env: bool,
    pub data_dir: PathBuf,
    pub config: Config,
    /// The sections of every setting there is.
    pub sections: Vec<Section>,
    pub metrics: Metrics,
    pub proxies: TrustedProxies,
    /// The memory budget of all requests.
    pub memory: Arc<MemoryBudget>,
    pub parts: Vec<PartState>,
    pub states: TypedValues,
    pub provided: TypedValues,
    pub routes: LateValue,
    /// The open streams.
    pub streams: LateValue,
    pub drain: Drain,
    pub reload: ReloadTrigger,
    /// Set if some handler may read the address of the connection's other end from its request.
    pub wants_peer_address: AtomicBool,
    pub started: Instant,
}

/// The state of the drain. The flag is kept next to the signal, because every response reads it.
pub(crate) struct Drain {
    begun: AtomicBool,
    signal: (Trigger, Stop),
    last_call: (Trigger, Stop),
}

impl Drain {
    pub fn new() -> Self {
        Self { begun: AtomicBool::new(false), signal: Stop::new(), last_call: Stop::new() }
    }

    pub fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
        self.signal.0.stop();
    }

    pub fn last_call(&self) {
        self.last_call.0.stop();
    }
}

/// A planned part: started or not yet, connected or not yet.
pub(crate) struct PartState {
    pub id: TypeId,
    pub entry: &'static PartDescriptor,
    pub part: OnceLock<Arc<dyn DynPart>>,
    pub connected: AtomicBool,
    /// Set once the part has connected. Dependent parts wait for it.
    pub reached: watch::Sender<bool>,
    /// The error of the last attempt to connect.
    pub last_error: Mutex<Option<String>>,
}

/// Values by their type, several of one type in the order given.
#[derive(Default)]
pub(crate) struct TypedValues(Vec<Box<dyn Any + Send + Sync>>);

impl TypedValues {
    pub fn push<T: Any + Send + Sync>(&mut self, value: T) {
        self.push_any(Box::new(value));
    }

    pub fn push_any(&mut self, value: Box<dyn Any + Send + Sync>) {
        self.0.push(value);
    }

    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    pub fn iter<T: Any>(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|value| value.downcast_ref())
    }

    pub fn has(&self, id: TypeId) -> bool {
        self.0.iter().any(|value| (**value).type_id() == id)
    }
}

/// A value of another module that is set once, after launch.
///
/// Its type is erased, so that the handle names no module above it: the list of routes names parts, and
/// parts name the handle.
#[derive(Default)]
pub(crate) struct LateValue(OnceLock<Box<dyn Any + Send + Sync>>);

impl LateValue {
    /// Sets the value, unless it is set already.
    pub fn set<T: Any + Send + Sync>(&self, value: T) {
        let _ = self.0.set(Box::new(value));
    }

    /// Returns the value, if it is set and of the type `T`.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.get()?.downcast_ref()
    }
}

/// The health of one part, as `/health` shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PartHealth {
    /// The part's name.
    pub name: &'static str,
    /// Set if the service is not ready while this part is down.
    pub critical: bool,
    /// Its health.
    #[serde(flatten)]
    pub health: Health,
    /// Further details, such as the state of each queue.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

impl PartState {
    pub fn new(entry: &'static PartDescriptor) -> Self {
        Self {
            id: (entry.id)(),
            entry,
            part: OnceLock::new(),
            connected: AtomicBool::new(false),
            reached: watch::Sender::new(false),
            last_error: Mutex::new(None),
        }
    }

    async fn health(&self, limit: Duration) -> Health {
        let Some(part) = self.part.get() else {
            return Health::Down("not started yet".into());
        };
        if !self.connected.load(Ordering::Acquire) {
            let last_error = self.last_error.lock().clone();
            return Health::Down(last_error.unwrap_or_else(|| "not connected yet".into()));
        }
        match tokio::time::timeout(limit, part.health()).await {
            Ok(health) => health,
            Err(_) => {
                Health::Down(format!("no response within {}", humantime::format_duration(limit)))
            }
        }
    }
}

impl Handle {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub(crate) fn downgrade(&self) -> WeakHandle {
        WeakHandle(Arc::downgrade(&self.0))
    }

    /// Returns whether both are handles of one app.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Returns the app's name, as given to `App::new`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns its version, as given to `App::version`.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.0.version.as_deref()
    }

    /// Returns the environment: `local`, or the value of the setting `environment`.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// Returns whether the service runs in production.
    #[must_use]
    pub fn production(&self) -> bool {
        self.0.production
    }

    /// Returns the folder of the embedded engines' files. The folder may not exist yet.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.0.data_dir
    }

    /// Returns every setting with its value and origin.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Returns every setting with secrets shown as `***`.
    #[must_use]
    pub fn settings(&self) -> Vec<SettingInfo> {
        self.0.config.describe(&self.0.sections.iter().collect::<Vec<_>>())
    }

    /// Returns the registry of metrics that `/metrics` shows, to register more.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Returns the time since the app was launched.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// Returns whether the app is stopping and only finishes requests in flight.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.0.drain.begun.load(Ordering::Relaxed)
    }

    /// Returns the signal that the service stops. From then on it drains, and a handler that waits for
    /// something should respond within `http.drain_timeout`.
    ///
    /// ```
    /// use piton::prelude::*;
    ///
    /// /// Waits for news, and no longer than the service lives.
    /// #[get("/news")]
    /// async fn news() -> Result<&'static str> {
    ///     let stopping = piton::app().stopping();
    ///     tokio::select! {
    ///         () = tokio::time::sleep(std::time::Duration::from_secs(20)) => Ok("no news"),
    ///         () = stopping.stopped() => Err(Error::unavailable("come back in a moment")),
    ///     }
    /// }
    /// # use piton::tokio;
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn stopping(&self) -> Stop {
        self.0.drain.signal.1.clone()
    }

    /// Returns the signal that requests in flight will soon be cut off: 2 s before `http.drain_timeout`
    /// has passed, or at half of it. A handler that responds now still reaches its client.
    #[must_use]
    pub fn last_call(&self) -> Stop {
        self.0.drain.last_call.1.clone()
    }

    /// Returns the signal to read files again, such as certificates: SIGHUP, or [`Handle::reload`].
    /// It counts from this call on.
    ///
    /// ```
    /// # use piton::prelude::*;
    /// /// Reads the list of blocked words again whenever the service is asked to.
    /// fn follow_reloads(app: &piton::Handle) {
    ///     let mut reload = app.reload_signal();
    ///     piton::spawn(async move {
    ///         loop {
    ///             reload.requested().await;
    ///             let _words = std::fs::read_to_string("words.txt");
    ///         }
    ///     });
    /// }
    /// ```
    #[must_use]
    pub fn reload_signal(&self) -> Reload {
        self.0.reload.subscribe()
    }

    /// Gives the signal to read files again, as SIGHUP does.
    pub fn reload(&self) {
        self.0.reload.reload();
    }

    /// A part, as a handler's argument would give it.
    ///
    /// # Panics
    /// If no route takes `P` and `App::enable::<P>()` was not called. Also before
    /// the part's own step has run. [`Handle::try_part`] gives these as errors.
    #[must_use]
    #[track_caller]
    pub fn part<P: Part>(&self) -> P {
        match self.find::<P>() {
            Ok((_, part)) => part,
            Err(why) => panic!("{why}"),
        }
    }

    /// A part that is ready to work.
    ///
    /// # Errors
    /// 503 while the part has not reached what it depends on; 500 if nothing asked for the part at
    /// launch.
    pub fn try_part<P: Part>(&self) -> Result<P, Error> {
        let (slot, part) = self.find::<P>().map_err(Error::internal)?;
        if slot.connected.load(Ordering::Acquire) { Ok(part) } else { Err(not_ready(slot)) }
    }

    /// Returns a part that has been started and perhaps never connected, for commands of modules.
    ///
    /// # Panics
    /// If the part was not started.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "tasks"))]
    #[track_caller]
    pub(crate) fn part_unconnected<P: Part>(&self) -> P {
        match self.find::<P>() {
            Ok((_, part)) => part,
            Err(why) => panic!("{why}"),
        }
    }

    fn find<P: Part>(&self) -> Result<(&PartState, P), String> {
        let id = TypeId::of::<P>();
        let Some(slot) = self.0.parts.iter().find(|slot| slot.id == id) else {
            return Err(format!(
                "the part `{0}` was not started because nothing asks for it: take it as an argument \
                 of a route, or call `App::enable::<{1}>()`",
                P::NAME,
                short_type_name::<P>()
            ));
        };
        let Some(part) = slot.part.get() else {
            return Err(format!(
                "the part `{}` starts in step `{}`, which has not run yet",
                P::NAME,
                P::STEP
            ));
        };
        let part = part.as_any().downcast_ref::<P>().expect("slots are found by the part's type");
        Ok((slot, part.clone()))
    }

    /// The service's own state, as given to `App::state`, or its section of `App::settings`.
    #[must_use]
    pub fn state<S: Clone + Send + Sync + 'static>(&self) -> Option<S> {
        self.0.states.iter::<S>().next().cloned()
    }

    /// Returns the values given to `App::provide`, in their order.
    pub fn provided<T: Any + Send + Sync>(&self) -> impl Iterator<Item = &T> {
        self.0.provided.iter::<T>()
    }

    /// Returns the snapshot of every started part, by its name.
    #[must_use]
    pub fn snapshots(&self) -> serde_json::Map<String, serde_json::Value> {
        let started =
            self.0.parts.iter().filter_map(|slot| Some((slot.entry.name, slot.part.get()?)));
        started.map(|(name, part)| (name.to_owned(), part.snapshot())).collect()
    }

    /// Returns the health of every part. All are checked at the same time, with a timeout of one second
    /// each.
    pub async fn health(&self) -> Vec<PartHealth> {
        const LIMIT: Duration = Duration::from_secs(1);
        let checks = self.0.parts.iter().map(|slot| async {
            PartHealth {
                name: slot.entry.name,
                critical: slot.entry.critical,
                health: masked(slot.health(LIMIT).await),
                details: slot.part.get().map_or(serde_json::Value::Null, |part| part.details()),
            }
        });
        futures_util::future::join_all(checks).await
    }
}

/// Masks secrets in a reason, because it may quote a server's message.
fn masked(health: Health) -> Health {
    let hide = |reason: String| redact_text(&reason).into_owned();
    match health {
        Health::Up => Health::Up,
        Health::Degraded(reason) => Health::Degraded(hide(reason)),
        Health::Down(reason) => Health::Down(hide(reason)),
    }
}

#[cold]
fn not_ready(slot: &PartState) -> Error {
    let last_error = slot.last_error.lock().clone();
    Error::unavailable(format!("`{}` is not ready yet", slot.entry.name))
        .caused_by(last_error.unwrap_or_else(|| "it has not connected yet".into()))
        .retry_after(Duration::from_secs(1))
}

impl WeakHandle {
    pub fn upgrade(&self) -> Option<Handle> {
        self.0.upgrade().map(Handle)
    }
}

/// `piton::db::Db` as a person would write it: `Db`.
pub(crate) fn short_type_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}
