//! Runs the launch steps: what each does by default, and what replaces or extends it. Their order is `Step::ALL`.

use std::collections::HashMap;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use tracing::{info, warn};

use super::attribute_scan::{ScanResult, require_routes, scan};
use super::lifecycle::{self, LaunchedApp};
use super::load_settings::load_settings;
use super::mounts::Mounts;
use super::part_start_order::plan;
use super::settings_sections::all_sections;
use super::settings_sources::LaunchSources;
use super::{App, AppSettings, LaunchError};
use crate::admin::{self, AdminGuard, AdminSettings};
use crate::config::{Config, Origin, Problems};
use crate::convert;
use crate::handle::{Drain, Handle, Inner, LateValue, PartState, TypedValues};
use crate::http::{
    self, AppFallback, HttpSettings, Route, RouteInfo, RoutingTable, Stack, StackConfig,
};
use crate::launch_steps::Step;
use crate::logging::{self, LogLevel, LogSettings};
use crate::memory::{self, BudgetMetrics, MemoryBudget};
use crate::metrics::{BuildInfo, Metrics, RequestMetrics};
use crate::part::{Part, PartDescriptor};
use crate::reload_signal::Reload;
use crate::runtime::attached_apps;

/// The app while its steps run, for hooks to read and change.
///
/// Cheap to clone; every clone is the same app.
#[derive(Clone)]
pub struct Setup(Arc<Mutex<SetupState>>);

/// The values that steps pass to later steps.
struct SetupState {
    app: App,
    sources: LaunchSources,
    routes: Vec<Route>,
    http: HttpSettings,
    log: LogSettings,
    admin: AdminSettings,
    handle: Option<Handle>,
    router: Option<Router<Handle>>,
    infos: Vec<RouteInfo>,
    rules: Option<Arc<StackConfig>>,
}

/// The return value of a hook or command: nothing, or a result.
pub trait StepResult {
    /// Converts it to a result.
    ///
    /// # Errors
    /// The hook's own error: the app does not start.
    fn into_result(self) -> Result<(), LaunchError>;
}

impl StepResult for () {
    fn into_result(self) -> Result<(), LaunchError> {
        Ok(())
    }
}

impl<E: Into<LaunchError>> StepResult for Result<(), E> {
    fn into_result(self) -> Result<(), LaunchError> {
        self.map_err(Into::into)
    }
}

impl From<http::Error> for LaunchError {
    fn from(error: http::Error) -> Self {
        Self::Fault(error.to_string().into())
    }
}

type Hook =
    Box<dyn FnOnce(Setup) -> Pin<Box<dyn Future<Output = Result<(), LaunchError>> + Send>> + Send>;

/// The hooks of a service before, after and in the place of steps.
#[derive(Default)]
pub(crate) struct StepHooks {
    before: HashMap<Step, Vec<Hook>>,
    replaced: HashMap<Step, Hook>,
    after: HashMap<Step, Vec<Hook>>,
}

fn hook<F, Fut>(hook: F) -> Hook
where
    F: FnOnce(Setup) -> Fut + Send + 'static,
    Fut: Future<Output: StepResult> + Send + 'static,
{
    Box::new(move |setup| {
        let future = hook(setup);
        Box::pin(async move { future.await.into_result() })
    })
}

impl StepHooks {
    pub fn before<F, Fut>(&mut self, step: Step, f: F)
    where
        F: FnOnce(Setup) -> Fut + Send + 'static,
        Fut: Future<Output: StepResult> + Send + 'static,
    {
        self.before.entry(step).or_default().push(hook(f));
    }

    pub fn replace<F, Fut>(&mut self, step: Step, f: F)
    where
        F: FnOnce(Setup) -> Fut + Send + 'static,
        Fut: Future<Output: StepResult> + Send + 'static,
    {
        self.replaced.insert(step, hook(f));
    }

    pub fn after<F, Fut>(&mut self, step: Step, f: F)
    where
        F: FnOnce(Setup) -> Fut + Send + 'static,
        Fut: Future<Output: StepResult> + Send + 'static,
    {
        self.after.entry(step).or_default().push(hook(f));
    }
}

/// Runs every step. If one fails, the parts that were started are stopped.
pub(crate) async fn run(app: App, sources: LaunchSources) -> Result<LaunchedApp, LaunchError> {
    let mut app = app.with_extensions();
    let mut hooks = mem::take(&mut app.hooks);
    let setup = Setup::new(app, sources);
    let ran = async {
        for step in Step::ALL {
            setup.run(step, &mut hooks).await?;
        }
        setup.check_started()
    };
    match ran.await {
        Ok(()) => Ok(setup.launched()),
        Err(error) => {
            if let Some(handle) = setup.try_handle() {
                lifecycle::stop_parts(&handle).await;
            }
            Err(error)
        }
    }
}

impl Setup {
    fn new(mut app: App, sources: LaunchSources) -> Self {
        let routes = mem::take(&mut app.routes);
        Self(Arc::new(Mutex::new(SetupState {
            app,
            sources,
            routes,
            http: HttpSettings::default(),
            log: LogSettings::default(),
            admin: AdminSettings::default(),
            handle: None,
            router: None,
            infos: Vec::new(),
            rules: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, SetupState> {
        self.0.lock()
    }

    async fn run(&self, step: Step, hooks: &mut StepHooks) -> Result<(), LaunchError> {
        for hook in hooks.before.remove(&step).unwrap_or_default() {
            hook(self.clone()).await?;
        }
        match hooks.replaced.remove(&step) {
            Some(hook) => hook(self.clone()).await?,
            None => self.default(step).await?,
        }
        for hook in hooks.after.remove(&step).unwrap_or_default() {
            hook(self.clone()).await?;
        }
        Ok(())
    }

    /// Runs the default of a step, as if it was not replaced.
    ///
    /// # Errors
    /// The app cannot start.
    pub async fn default(&self, step: Step) -> Result<(), LaunchError> {
        match step {
            Step::ConfigureHttp => self.configure_http()?,
            Step::ConfigureLogger => self.configure_logger(),
            Step::AttachInstance => attached_apps::attach(&self.handle()),
            Step::ConfigureRoutes => self.configure_routes()?,
            Step::ConfigureErrorhandler => self.configure_errorhandler(),
            Step::Preconfig
            | Step::ConfigurePassword
            | Step::ConfigureDatabase
            | Step::ConfigureJwt
            | Step::ConfigureSqsPolls
            | Step::ConfigureAfterRequest
            | Step::Postconfig => {}
        }
        match self.try_handle() {
            Some(handle) => lifecycle::start_parts(&handle, step).await,
            None => Ok(()),
        }
    }

    /// Collects the routes, plans the parts, reads every setting. Everything that is wrong is
    /// found here, before anything has been started.
    fn configure_http(&self) -> Result<(), LaunchError> {
        let mut state = self.state();
        let state = &mut *state;
        let parts = state.collect()?;
        let config = state.configure(&parts)?;
        let app = read_checked::<AppSettings>(&config, "");
        state.http = read_checked(&config, "http");
        state.log = read_checked(&config, "log");
        state.admin = read_checked(&config, "admin");
        let reasons = http::limit_problems(&state.routes, &state.http);
        if !reasons.is_empty() {
            return Err(LaunchError::Refused(reasons));
        }
        let (name, version) = (state.app.name.clone(), state.app.version.as_deref());
        let build =
            BuildInfo { service: name.clone(), version: version.unwrap_or_default().into() };
        for own in &state.app.own {
            state.app.states.push_any(own.state(&config));
        }
        let memory = MemoryBudget::new(state.http.memory_budget(memory::limit()).as_u64());
        let metrics = Metrics::of_service(build);
        metrics.collect(BudgetMetrics(memory.clone()));
        state.handle = Some(Handle::new(Inner {
            name,
            version: version.map(str::to_owned),
            sections: all_sections(&state.app.own),
            metrics,
            proxies: state.http.proxies(),
            memory,
            production: app.in_production(),
            environment: app.environment,
            serves: !state.app.for_command,
            reads_process_env: state.sources.reads_process_env,
            data_dir: app.data_dir,
            config,
            parts: parts.into_iter().map(PartState::new).collect(),
            states: mem::take(&mut state.app.states),
            provided: mem::take(&mut state.app.provided),
            routes: LateValue::default(),
            streams: LateValue::default(),
            drain: Drain::new(),
            reload: Reload::new().0,
            wants_peer_address: AtomicBool::new(false),
            started: Instant::now(),
        }));
        Ok(())
    }

    fn configure_logger(&self) {
        let mut state = self.state();
        let level_is_set = |handle: &Handle| handle.config().origin("log.level") != Origin::Default;
        if state.app.for_command && !state.handle.as_ref().is_some_and(level_is_set) {
            state.log.level = LogLevel::Warning;
        }
        if state.app.for_command {
            logging::log_to_stderr();
        }
        logging::start(&state.log);
        info!("Logging at {}", state.log.level);
        let known = all_sections(&state.app.own);
        let Some(handle) = &state.handle else { return };
        for warning in handle.config().unknown_variables(&known.iter().collect::<Vec<_>>()) {
            warn!("{warning}");
        }
    }

    fn configure_routes(&self) -> Result<(), LaunchError> {
        let mut state = self.state();
        let routes = mem::take(&mut state.routes);
        require_routes(&state.app, &routes)?;
        if !state.app.mounts.is_empty() || routes.iter().any(http::Route::wants_peer_address) {
            state.tell_peer();
        }
        let handle = state.handle.clone().expect("the step `configure_http` has made it");
        let request_metrics = handle.metrics().requests().clone();
        // Checked again, because hooks of earlier steps may have added routes.
        let mut reasons = http::problems(&routes, |_| true);
        reasons.extend(http::limit_problems(&routes, &state.http));
        if !reasons.is_empty() {
            return Err(LaunchError::Refused(reasons));
        }
        let RoutingTable { router, infos, fallback } =
            http::router(routes, &request_metrics, handle.config());
        for group in path_groups(&infos) {
            info!("Listening on {group}");
        }
        let public = state.admin.on_public_port(handle.production());
        let mut router = state.with_others(router, &infos, fallback, public, &request_metrics)?;
        for layer in mem::take(&mut state.app.layers) {
            router = layer(router);
        }
        router = http::compressed(router, state.http.compression, &handle.inner().memory);
        let limits = infos.iter().filter_map(|info| info.operation.limits().max_body());
        let limit = limits.fold(state.http.body_limit, Ord::max).as_usize();
        // Not always, because changing the limit of axum's own extractors adds an extension to every request: only
        // where their default of 2 MiB is too low.
        if limit > 2 * 1024 * 1024 {
            router = router.layer(DefaultBodyLimit::max(limit));
        }
        state.router = Some(router);
        state.infos = infos;
        Ok(())
    }

    fn configure_errorhandler(&self) {
        http::install_panic_hook();
        let handle = self.handle();
        let mut state = self.state();
        state.rules = Some(state.rules_of(handle));
    }

    /// Returns an error if a replaced step did not start its parts.
    fn check_started(&self) -> Result<(), LaunchError> {
        let handle = self.handle();
        let idle = handle.inner().parts.iter().filter(|slot| slot.part.get().is_none());
        let reasons: Vec<String> = idle
            .map(|slot| {
                format!(
                    "the part `{}` was not started: step `{}` was replaced\n    fix: call `setup.default(Step::{:?}).await` in it",
                    slot.entry.name, slot.entry.step, slot.entry.step
                )
            })
            .collect();
        if reasons.is_empty() { Ok(()) } else { Err(LaunchError::Refused(reasons)) }
    }

    fn launched(&self) -> LaunchedApp {
        let handle = self.handle();
        let mut state = self.state();
        let state = &mut *state;
        handle.inner().routes.set(mem::take(&mut state.infos));
        let router = state.router.take().unwrap_or_default().with_state(handle.clone());
        let rules = state.rules.take().unwrap_or_else(|| state.rules_of(handle.clone()));
        let stack = Stack::new(router, rules);
        LaunchedApp::new(handle, stack, state.http.clone(), state.admin.clone())
    }

    /// Returns the app's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.state().app.name.clone()
    }

    /// Returns the handle of the app.
    ///
    /// # Panics
    /// Before the step `configure_http`, which creates it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.try_handle().expect("there is no handle before the step `configure_http` has run")
    }

    fn try_handle(&self) -> Option<Handle> {
        self.state().handle.clone()
    }

    /// Returns a part that has been started.
    ///
    /// # Panics
    /// As [`Handle::part`].
    #[must_use]
    pub fn part<P: Part>(&self) -> P {
        self.handle().part()
    }

    /// Sets a setting, as `App::set` does. After the step `configure_http` it has no effect: the
    /// settings have been read.
    #[track_caller]
    pub fn set(&self, key: impl Into<std::borrow::Cow<'static, str>>, value: impl Into<Value>) {
        let origin = std::panic::Location::caller().to_string();
        self.state().app.code.push(super::CodeSetting {
            key: key.into(),
            value: value.into(),
            origin,
        });
    }

    /// Adds a route. Before the step `configure_http` if the route takes parts, before
    /// `configure_routes` otherwise.
    pub fn route(&self, route: Route) {
        self.state().routes.push(route);
    }

    /// Changes the router that the step `configure_routes` has built, for example by a layer.
    pub fn map_router(&self, map: impl FnOnce(Router<Handle>) -> Router<Handle>) {
        let mut state = self.state();
        // Assumed, because nothing shows whether a layer reads the peer's address.
        state.tell_peer();
        let router = state.router.take().unwrap_or_default();
        state.router = Some(map(router));
    }
}

impl SetupState {
    /// Collects the routes of attributes next to those made by hand, and plans the parts that they need.
    fn collect(&mut self) -> Result<Vec<&'static PartDescriptor>, LaunchError> {
        let mut reasons = Vec::new();
        if !self.app.for_command && !self.app.for_background {
            reasons.extend(self.scan());
        }
        reasons.extend(http::problems(&self.routes, |id| self.app.has_state(id)));
        reasons.extend(convert::invalid_examples());
        self.app.apply_part_conditions(&self.sources);
        let planned = plan(&self.routes, &self.app.enabled, &self.app.disabled);
        if let Err(more) = &planned {
            reasons.extend(
                more.iter().filter(|reason| !reasons.contains(reason)).cloned().collect::<Vec<_>>(),
            );
        }
        match planned {
            Ok(parts) if reasons.is_empty() => Ok(parts),
            _ => Err(LaunchError::Refused(reasons)),
        }
    }

    /// Adds the mounted routers, the admin set, and the responses to paths without a route.
    fn with_others(
        &mut self,
        mut router: Router<Handle>,
        infos: &[RouteInfo],
        fallback: Option<AppFallback>,
        details: bool,
        metrics: &Arc<RequestMetrics>,
    ) -> Result<Router<Handle>, LaunchError> {
        let mut mounts = Mounts::new(infos, metrics);
        for mount in mem::take(&mut self.app.mounts) {
            router = mounts.mount(router, mount)?;
        }
        let admin = admin_router(infos, details);
        if admin.has_routes() {
            router = mounts.admin(router, admin)?;
        }
        let mut files = mem::take(&mut self.app.file_mounts);
        let problems: Vec<String> =
            files.iter_mut().filter_map(|mount| mount.resolve().err()).collect();
        if !problems.is_empty() {
            return Err(LaunchError::Refused(problems));
        }
        let own =
            fallback.as_ref().map(|fallback| format!("`App::fallback` at {}", fallback.source));
        let own = own.or_else(|| {
            files.first().map(|mount| format!("`App::static_files` at {}", mount.source()))
        });
        match (mounts.fallback(), own) {
            (None, _) => Ok(http::with_unmatched(router, files, fallback, metrics)),
            (Some(_), None) => Ok(router),
            (Some(mount), Some(own)) => Err(LaunchError::Refused(vec![format!(
                "the router mounted at {mount} has a fallback of its own, and the app has {own}: one path without a \
                 route cannot have two responses\n    fix: remove one, such as by `Router::reset_fallback`"
            )])),
        }
    }

    fn rules_of(&self, handle: Handle) -> Arc<StackConfig> {
        let config = StackConfig::new(
            handle,
            &self.http,
            &self.log,
            self.app.request_hooks.clone(),
            admin::EXEMPT_PATHS,
        );
        Arc::new(config.with_limits_of(&self.infos))
    }

    fn tell_peer(&self) {
        if let Some(handle) = &self.handle {
            handle.inner().wants_peer_address.store(true, Ordering::Relaxed);
        }
    }

    /// Adds the routes that attributes registered. Returns the problem, if all belong to other modules.
    fn scan(&mut self) -> Option<String> {
        let ScanResult { routes, notes, problem } = scan(&self.app);
        self.routes.extend(routes);
        for note in notes {
            // Not logged, because the log starts in a later step.
            eprintln!("note: {note}");
        }
        problem
    }

    /// Reads and checks every setting.
    fn configure(&self, parts: &[&'static PartDescriptor]) -> Result<Config, LaunchError> {
        let (config, problems) = load_settings(&self.app, &self.sources, parts);
        if problems.is_empty() { Ok(config) } else { Err(LaunchError::Settings(problems)) }
    }
}

/// Reads a section that has been checked.
fn read_checked<S: crate::Settings>(config: &Config, section: &str) -> S {
    config.read(section, &mut Problems::default())
}

/// Returns the first segment of each path, once: `/user` for `/user/me` and `/user/get`.
fn path_groups(infos: &[RouteInfo]) -> Vec<String> {
    let mut groups: Vec<String> = infos
        .iter()
        .filter(|info| info.listed)
        .map(|info| format!("/{}", info.path.split('/').nth(1).unwrap_or_default()))
        .collect();
    groups.dedup();
    groups
}

/// Returns the probes and, if `details`, the pages of the admin port, except at paths that the service serves itself.
fn admin_router(infos: &[RouteInfo], details: bool) -> Router<Handle> {
    let free = |path: &&str| !infos.iter().any(|info| info.path == *path);
    let mut admin = Router::new();
    if admin::PROBE_PATHS.iter().all(&free) {
        admin = admin.merge(admin::probes());
    }
    let paths: Vec<&str> = admin::DETAIL_PATHS.into_iter().filter(free).collect();
    if details && !paths.is_empty() {
        admin = admin.merge(admin::details(&paths, AdminGuard::Public));
    }
    admin
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TypedValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TypedValues")
    }
}
