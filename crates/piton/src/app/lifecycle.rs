//! The life of a launched app: starts its parts in order, connects them with retries, and stops them in reverse.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use futures_util::future::try_join_all;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::LaunchError;
use super::exit::chain;
use crate::admin::{self, AdminSettings};
use crate::config::Problems;
use crate::context;
use crate::handle::{Handle, PartState};
use crate::http::{
    HttpSettings, Listeners, PublicListeners, Stack, StackConfig, StackLayer, serve, serve_admin,
};
use crate::launch_steps::Step;
use crate::part::{DynPart, Launch, Permanent, Refused, StartFailure};
use crate::runtime::attached_apps;
use crate::stop_signal::{Stop, Trigger};
use crate::support::backoff::{Backoff, JITTER};

/// The maximum delay of the first request for parts that connect quickly.
const FIRST_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The maximum time for a part to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Delay before a part that could not connect tries again for the first time.
const FIRST_CONNECT_BACKOFF: Duration = Duration::from_millis(100);

/// Maximum delay between the attempts of a part to connect, before jitter.
const MAX_CONNECT_BACKOFF: Duration = Duration::from_secs(10);

/// An app whose steps have run, before it serves.
pub(crate) struct LaunchedApp {
    pub handle: Handle,
    pub stack: Stack<Router>,
    pub http: HttpSettings,
    admin: AdminSettings,
    background: BackgroundTasks,
}

/// The tasks next to the requests: connecting parts, and the parts' own work.
struct BackgroundTasks {
    trigger: Trigger,
    stop: Stop,
    tasks: JoinSet<()>,
    /// A channel for the first permanent error.
    permanent: (mpsc::Sender<LaunchError>, mpsc::Receiver<LaunchError>),
}

impl LaunchedApp {
    pub fn new(
        handle: Handle,
        stack: Stack<Router>,
        http: HttpSettings,
        admin: AdminSettings,
    ) -> Self {
        let (trigger, stop) = Stop::new();
        Self {
            handle,
            stack,
            http,
            admin,
            background: BackgroundTasks {
                trigger,
                stop,
                tasks: JoinSet::new(),
                permanent: mpsc::channel(1),
            },
        }
    }

    /// Begins to connect every part, each once its dependencies are connected. Returns when all are
    /// connected, when one fails permanently (see [`take_permanent`](Self::take_permanent)), or
    /// after `timeout`. Parts that are not connected by then are retried, and `/readyz` reports them.
    pub async fn connect(&mut self, timeout: Duration) {
        let mut connected = Vec::new();
        for index in 0..self.handle.inner().parts.len() {
            let (done, wait) = oneshot::channel();
            let permanent = Some(self.background.permanent.0.clone());
            let stop = self.background.stop.clone();
            let work = connect_and_run(self.handle.clone(), index, stop, done, permanent);
            self.background.tasks.spawn(context::within(self.handle.clone(), work));
            connected.push(wait);
        }
        let all = async {
            let _ = try_join_all(connected).await;
        };
        let _ = tokio::time::timeout(timeout, all).await;
    }

    /// Takes the permanent error of a part, if there is one.
    pub fn take_permanent(&mut self) -> Option<LaunchError> {
        self.background.permanent.1.try_recv().ok()
    }

    /// Loads the certificate for `listeners`, and opens the port that redirects to them.
    ///
    /// # Errors
    /// Those of [`PublicListeners::open`].
    pub fn open(&self, listeners: Listeners) -> Result<PublicListeners, LaunchError> {
        PublicListeners::open(listeners, &self.http, self.handle.production())
            .map_err(|why| LaunchError::Fault(why.into()))
    }

    /// Serves until `stop`, then drains until `at_once`.
    pub async fn serve(
        mut self,
        public: PublicListeners,
        stop: Stop,
        at_once: Stop,
    ) -> Result<(), LaunchError> {
        let admin = self.open_admin().await?;
        {
            let mut connect = pin!(self.connect(FIRST_CONNECT_TIMEOUT));
            tokio::select! {
                () = &mut connect => {}
                () = stop.stopped() => {}
            }
        }
        let mut permanent = self.take_permanent();
        if permanent.is_none() {
            announce(&self.handle, &public.urls(), &public.redirect_urls());
            permanent = self.serve_until_permanent(public, stop, at_once).await;
        }
        self.stop().await;
        // Closed last, so that its health and metrics show the shutdown.
        drop(admin);
        permanent.map_or(Ok(()), Err)
    }

    /// Does the background work of the parts until `stop`, or until a part fails permanently.
    /// Ends at once when `at_once` comes while it stops.
    pub async fn run_in_background(mut self, stop: Stop, at_once: Stop) -> Result<(), LaunchError> {
        let admin = self.open_admin().await?;
        tokio::select! {
            () = self.connect(FIRST_CONNECT_TIMEOUT) => {}
            () = stop.stopped() => {}
        }
        let mut permanent = self.take_permanent();
        if permanent.is_none() {
            info!("{} works in the background (Ctrl-C stops it)", self.handle.name());
            permanent = tokio::select! {
                () = stop.stopped() => None,
                error = self.background.permanent.1.recv() => error,
            };
        }
        tokio::select! {
            () = self.stop() => {}
            () = at_once.stopped() => {}
        }
        drop(admin);
        permanent.map_or(Ok(()), Err)
    }

    /// Serves until `stop`, or until a part fails permanently.
    async fn serve_until_permanent(
        &mut self,
        public: PublicListeners,
        stop: Stop,
        at_once: Stop,
    ) -> Option<LaunchError> {
        let (end, ended) = Stop::new();
        let permanent = &mut self.background.permanent.1;
        let watch = async {
            let error = tokio::select! {
                () = stop.stopped() => None,
                error = permanent.recv() => error,
            };
            end.stop();
            error
        };
        let served = serve(public, self.stack.clone(), &self.http, ended, at_once);
        let (error, ()) = tokio::join!(watch, served);
        error
    }

    /// Opens the admin address, if there is one. Dropping the returned guard closes it.
    ///
    /// # Errors
    /// A configured address is not available. The default address may be in use by another service of the machine:
    /// then it is retried until it is free.
    async fn open_admin(&self) -> Result<Option<AbortOnDrop>, LaunchError> {
        let Some(address) = self.admin.listens(self.handle.production()) else { return Ok(None) };
        let chosen = self.admin.address.is_some();
        let first = match TcpListener::bind(address).await {
            Ok(listener) => Some(listener),
            Err(error) if chosen => {
                let fix = "set another with admin.address, or `off`";
                let why = format!("listen on the admin address {address}: {error}\n    fix: {fix}");
                return Err(LaunchError::Fault(why.into()));
            }
            Err(error) => {
                warn!("The admin address {address} is not available, retrying: {error}");
                None
            }
        };
        let rules =
            Arc::new(StackConfig::of_admin(self.handle.clone(), &self.http, admin::EXEMPT_PATHS));
        let router = admin::router().with_state(self.handle.clone());
        let (stack, http) = (Stack::new(router, rules), self.http.clone());
        let serve = async move {
            let listener = match first {
                Some(listener) => listener,
                None => bind_with_retry(address).await,
            };
            if let Ok(address) = listener.local_addr() {
                info!("Health, metrics and more at http://{address}");
            }
            serve_admin(listener, stack, &http, Stop::never()).await;
        };
        let within = context::within(self.handle.clone(), serve);
        Ok(Some(AbortOnDrop(tokio::spawn(within))))
    }

    /// Stops the background tasks, then every part.
    pub async fn stop(mut self) {
        self.background.trigger.stop();
        let ended = async { while self.background.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, ended).await.is_err() {
            warn!(
                "Some background work did not end within {}",
                humantime::format_duration(STOP_TIMEOUT)
            );
        }
        stop_parts(&self.handle).await;
        attached_apps::detach(&self.handle);
        info!("{} has stopped", self.handle.name());
    }

    /// Returns the service as a plain router. Parts connect in the background.
    pub fn into_router(self) -> Router {
        for index in 0..self.handle.inner().parts.len() {
            let (done, _) = oneshot::channel();
            let work = connect_and_run(self.handle.clone(), index, Stop::never(), done, None);
            tokio::spawn(context::within(self.handle.clone(), work));
        }
        let (router, rules) = self.stack.into_parts();
        router.layer(StackLayer(rules))
    }
}

/// A task that is aborted on drop.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Binds the address, with retries until it is free.
async fn bind_with_retry(address: SocketAddr) -> TcpListener {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
    }
}

fn announce(handle: &Handle, urls: &[String], redirect_urls: &[String]) {
    let mode = if handle.production() { "production" } else { "development" };
    let routes = handle.routes().iter().filter(|route| route.listed).count();
    let (name, urls) = (handle.name(), urls.join(" and "));
    info!(routes, mode, "{name} is up at {urls} (Ctrl-C stops it)");
    for url in redirect_urls {
        info!("Requests to {url} are redirected to https");
    }
    if !handle.production() {
        let program = std::env::args_os().next().map(PathBuf::from);
        let program = program.as_ref().and_then(|path| path.file_name()?.to_str()).unwrap_or(name);
        info!("`{program} routes` lists what it serves, `{program} config` what can be set");
    }
}

/// Starts the parts of `step`, each after its dependencies.
pub(crate) async fn start_parts(handle: &Handle, step: Step) -> Result<(), LaunchError> {
    let slots = &handle.inner().parts;
    for (index, slot) in slots.iter().enumerate() {
        // Dependencies as well, whatever their step: the plan has them before the part.
        let due = slot.entry.step == step
            || slots[index + 1..]
                .iter()
                .any(|later| later.entry.step == step && depends_on(later, slot));
        if due && slot.part.get().is_none() {
            start(handle, slot).await?;
        }
    }
    Ok(())
}

/// Returns whether `part` depends on `other`, directly or indirectly.
fn depends_on(part: &PartState, other: &PartState) -> bool {
    let mut open = vec![part.entry];
    while let Some(entry) = open.pop() {
        let mut needs = crate::part::Dependencies::default();
        (entry.dependencies)(&mut needs);
        for need in needs.0 {
            if need.id == other.id {
                return true;
            }
            open.extend(crate::http::descriptor_of(need.id));
        }
    }
    false
}

async fn start(handle: &Handle, slot: &PartState) -> Result<(), LaunchError> {
    let entry = slot.entry;
    let mut ignored = Problems::default();
    // Ignored, because `configure_http` has checked the settings: the part itself reports what is wrong now.
    let mut reader = handle.config().reader(entry.name, &mut ignored);
    let launch = Launch { handle: handle.clone() };
    let part = (entry.start)(&mut reader, &launch).await.map_err(|error| match error.0 {
        StartFailure::Settings(problems) => LaunchError::Settings(problems),
        StartFailure::Fault(error) => LaunchError::Fault(
            format!("start the part `{}`: {}", entry.name, chain(&*error)).into(),
        ),
    })?;
    part.metrics(handle.metrics());
    let _ = slot.part.set(part);
    Ok(())
}

/// Stops every started part, the last started first.
pub(crate) async fn stop_parts(handle: &Handle) {
    for slot in handle.inner().parts.iter().rev() {
        let Some(part) = slot.part.get() else { continue };
        slot.connected.store(false, Ordering::Release);
        if tokio::time::timeout(STOP_TIMEOUT, part.stop()).await.is_err() {
            warn!(
                "The part `{}` did not stop within {}",
                slot.entry.name,
                humantime::format_duration(STOP_TIMEOUT)
            );
        }
    }
}

/// Connects a part once its dependencies are connected, then runs it until `stop`. Sends a
/// permanent error to `permanent`.
async fn connect_and_run(
    handle: Handle,
    index: usize,
    stop: Stop,
    connected: oneshot::Sender<()>,
    permanent: Option<mpsc::Sender<LaunchError>>,
) {
    let slot = &handle.inner().parts[index];
    let Some(part) = slot.part.get().cloned() else { return };
    let ends_when_refused = !handle.inner().serves;
    let reach = async {
        wait_for_dependencies(&handle, slot).await;
        connect(slot, &part, ends_when_refused).await
    };
    let outcome = tokio::select! {
        outcome = reach => outcome,
        () = stop.stopped() => return,
    };
    match (outcome, permanent) {
        (Ok(()), _) => {
            let _ = connected.send(());
            part.run(stop).await;
        }
        // A full channel is ignored, because the first error already ends the service.
        (Err(error), Some(permanent)) => {
            let _ = permanent.try_send(error);
        }
        // The router runs in a server that is not ours, which we cannot stop: it stays not ready.
        (Err(_), None) => {}
    }
}

/// Waits until the dependencies of `slot` are connected.
async fn wait_for_dependencies(handle: &Handle, slot: &PartState) {
    let mut needs = crate::part::Dependencies::default();
    (slot.entry.dependencies)(&mut needs);
    for need in needs.0 {
        let Some(needed) = handle.inner().parts.iter().find(|slot| slot.id == need.id) else {
            continue;
        };
        let mut reached = needed.reached.subscribe();
        if !*reached.borrow() {
            set_last_error(slot, &format!("waits for `{}` to connect", needed.entry.name));
            // The sender lives in the same list of parts, so it cannot be dropped before this.
            let _ = reached.wait_for(|reached| *reached).await;
        }
    }
}

/// Connects a part, with retries and growing pauses until it succeeds. Cancel safe: `Part::connect` may be called
/// again.
///
/// # Errors
/// A [`Permanent`](crate::part::Permanent) error; of a command also a [`Refused`] one.
async fn connect(
    slot: &PartState,
    part: &Arc<dyn DynPart>,
    ends_when_refused: bool,
) -> Result<(), LaunchError> {
    let mut backoff = Backoff::new(FIRST_CONNECT_BACKOFF, MAX_CONNECT_BACKOFF, JITTER);
    let mut failed = false;
    while let Err(why) = part.connect().await {
        failed = true;
        let text = chain(&*why);
        if Permanent::is_in(&*why) {
            error!("`{}` cannot connect, and a retry would not help: {text}", slot.entry.name);
            set_last_error(slot, &text);
            return Err(LaunchError::Permanent(format!("`{}`: {text}", slot.entry.name).into()));
        }
        log_new_error(slot, &text);
        if ends_when_refused && why.is::<Refused>() {
            return Err(LaunchError::Fault(format!("`{}`: {text}", slot.entry.name).into()));
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
    slot.connected.store(true, Ordering::Release);
    slot.last_error.lock().take();
    slot.reached.send_replace(true);
    if failed {
        info!("`{}` is connected now", slot.entry.name);
    }
    Ok(())
}

fn set_last_error(slot: &PartState, why: &str) {
    *slot.last_error.lock() = Some(why.to_owned());
}

/// Stores the error, and logs it if it is new: a server that is unavailable for an hour is one line instead of a
/// thousand.
fn log_new_error(slot: &PartState, why: &str) {
    let mut last_error = slot.last_error.lock();
    if last_error.as_deref() != Some(why) {
        error!("`{}` cannot connect, retrying: {why}", slot.entry.name);
        *last_error = Some(why.to_owned());
    }
}
