//! The run steps, one function each, in the order in which they run.

use std::collections::HashMap;
use std::future::Future;
use std::mem;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use serde_json::Value;
use tracing::{info, warn};

use super::declared_settings::{self, OwnSection};
use super::lifecycle::{self, LaunchedApp};
use super::plan::plan;
use super::scan::{ScanResult, require_routes, scan};
use super::{App, AppSettings, LaunchError, MountedRouter, requirements};
use crate::admin::{self, AdminGuard, AdminSettings};
use crate::config::{self, Config, Loader, Origin, Problem, Problems, Section};
use crate::convert;
use crate::handle::{Drain, Handle, Inner, PartState, TypedValues};
use crate::http::{self, HttpSettings, Route, RouteInfo, Stack, StackConfig};
use crate::logging::{self, LogLevel, LogSettings};
use crate::memory::{self, BudgetMetrics, MemoryBudget};
use crate::metrics::{BuildInfo, Metrics, RequestMetrics};
use crate::part::{Part, PartDescriptor};
use crate::runtime::attached_apps;
use crate::step::Step;

/// The app while its steps run: what a hook may ask and change.
///
/// Cheap to clone; every clone is the same app.
#[derive(Clone)]
pub struct Setup(Arc<Mutex<State>>);

/// What the steps hand on to each other.
struct State {
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

/// Where settings come from beside the code.
pub(crate) struct LaunchSources {
    pub flags: Vec<Flag>,
    /// The file named by `--config`.
    pub file: Option<PathBuf>,
    /// Whether the process's environment and the files of the working folder are read. A test reads
    /// neither.
    pub reads_process_env: bool,
}

/// A setting given on the command line.
#[derive(Clone)]
pub(crate) struct Flag {
    pub key: String,
    pub value: Value,
    pub flag: String,
}

impl LaunchSources {
    /// The environment and the files, without a command line.
    pub fn of_process() -> Self {
        Self { flags: Vec::new(), file: None, reads_process_env: true }
    }

    /// Reads the code's settings alone, as a test does.
    pub fn for_test() -> Self {
        Self { flags: Vec::new(), file: None, reads_process_env: false }
    }
}

/// What a hook may return: nothing, or a result.
pub trait StepResult {
    /// As a result.
    ///
    /// # Errors
    /// The hook's own: the app does not start.
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

/// What a service has put before, after and in the place of steps.
#[derive(Default)]
pub(crate) struct Hooks {
    before: HashMap<Step, Vec<Hook>>,
    instead: HashMap<Step, Hook>,
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

impl Hooks {
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
        self.instead.insert(step, hook(f));
    }

    pub fn after<F, Fut>(&mut self, step: Step, f: F)
    where
        F: FnOnce(Setup) -> Fut + Send + 'static,
        Fut: Future<Output: StepResult> + Send + 'static,
    {
        self.after.entry(step).or_default().push(hook(f));
    }
}

/// Runs every step. What has been started is stopped again if a later step fails.
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
        Self(Arc::new(Mutex::new(State {
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, step: Step, hooks: &mut Hooks) -> Result<(), LaunchError> {
        for hook in hooks.before.remove(&step).unwrap_or_default() {
            hook(self.clone()).await?;
        }
        match hooks.instead.remove(&step) {
            Some(hook) => hook(self.clone()).await?,
            None => self.default(step).await?,
        }
        for hook in hooks.after.remove(&step).unwrap_or_default() {
            hook(self.clone()).await?;
        }
        Ok(())
    }

    /// Does what a step does unless it is replaced.
    ///
    /// # Errors
    /// Whatever keeps the app from starting.
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
        let app = read::<AppSettings>(&config, "");
        state.http = read(&config, "http");
        state.log = read(&config, "log");
        state.admin = read(&config, "admin");
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
            sections: sections(&state.app.own),
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
            routes: OnceLock::new(),
            drain: Drain::new(),
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
        let known = sections(&state.app.own);
        let Some(handle) = &state.handle else { return };
        for warning in handle.config().unknown_variables(&known.iter().collect::<Vec<_>>()) {
            warn!("{warning}");
        }
    }

    fn configure_routes(&self) -> Result<(), LaunchError> {
        let mut state = self.state();
        let routes = mem::take(&mut state.routes);
        require_routes(&state.app, &routes)?;
        if !state.app.mounts.is_empty() || routes.iter().any(http::Route::may_ask_for_peer) {
            state.tell_peer();
        }
        let handle = state.handle.clone().expect("the step `configure_http` has made it");
        let figures = handle.metrics().requests().clone();
        // Steps may have added some since the routes were looked at.
        let reasons = http::problems(&routes, |_| true);
        if !reasons.is_empty() {
            return Err(LaunchError::Refused(reasons));
        }
        let (router, infos) = http::router(routes, &figures, handle.config());
        for group in groups(&infos) {
            info!("Listening on {group}");
        }
        let mut router = with_mounts(router, mem::take(&mut state.app.mounts), &figures)?;
        let public = state.admin.on_public_port(handle.production());
        router = with_admin(router, &infos, public, &figures).fallback(nothing_here);
        for layer in mem::take(&mut state.app.layers) {
            router = layer(router);
        }
        router = http::compressed(router, state.http.compression, &handle.inner().memory);
        let limit = state.http.body_limit.as_usize();
        // axum's own extractors know a limit of their own, which costs a header of every request
        // to change: only where it would get in the way.
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

    /// A step that was replaced may have left out what the app cannot do without.
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
        let _ = handle.inner().routes.set(mem::take(&mut state.infos));
        let router = state.router.take().unwrap_or_default().with_state(handle.clone());
        let rules = state.rules.take().unwrap_or_else(|| state.rules_of(handle.clone()));
        let stack = Stack::new(router, rules);
        LaunchedApp::new(handle, stack, state.http.clone(), state.admin.clone())
    }

    /// The app's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.state().app.name.clone()
    }

    /// The running app as it will be.
    ///
    /// # Panics
    /// Before the step `configure_http`, which makes it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.try_handle().expect("there is no handle before the step `configure_http` has run")
    }

    fn try_handle(&self) -> Option<Handle> {
        self.state().handle.clone()
    }

    /// A part that has been started.
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

    /// Changes the router that the step `configure_routes` has made: adds a layer, say.
    pub fn map_router(&self, map: impl FnOnce(Router<Handle>) -> Router<Handle>) {
        let mut state = self.state();
        // What a layer asks of a request cannot be seen.
        state.tell_peer();
        let router = state.router.take().unwrap_or_default();
        state.router = Some(map(router));
    }
}

impl State {
    /// The scan's routes beside those made by hand, and the parts they ask for.
    fn collect(&mut self) -> Result<Vec<&'static PartDescriptor>, LaunchError> {
        let mut reasons = Vec::new();
        if !self.app.for_command {
            reasons.extend(self.scan());
        }
        reasons.extend(http::problems(&self.routes, |id| self.app.has_state(id)));
        reasons.extend(convert::invalid_examples());
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

    fn rules_of(&self, handle: Handle) -> Arc<StackConfig> {
        Arc::new(StackConfig::new(
            handle,
            &self.http,
            &self.log,
            self.app.around.clone(),
            admin::EXEMPT_PATHS,
        ))
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

    /// Every setting, read and checked.
    fn configure(&self, parts: &[&'static PartDescriptor]) -> Result<Config, LaunchError> {
        let (config, problems) = load(&self.app, &self.sources, parts);
        if problems.is_empty() { Ok(config) } else { Err(LaunchError::Settings(problems)) }
    }
}

/// The settings of an app whose parts are `parts`, with everything that is wrong with them.
pub(crate) fn load(
    app: &App,
    sources: &LaunchSources,
    parts: &[&'static PartDescriptor],
) -> (Config, Problems) {
    let known = sections(&app.own);
    let known: Vec<&Section> = known.iter().collect();
    let mut loader = app.loader();
    let mut doubt = None;
    if sources.reads_process_env {
        let named = sources.file.clone().or_else(|| named_file(&app.env_prefix));
        let found = if named.is_none() { found_files(Path::new("")) } else { Vec::new() };
        doubt = several_files(&found, &app.env_prefix);
        loader = named.into_iter().chain(found).take(1).fold(loader, Loader::file);
        loader = loader.env_file(".env").env(std::env::vars_os());
    }
    loader = loader.env(app.env.given.iter().cloned());
    loader = app.env.keep.iter().cloned().fold(loader, Loader::expose_env);
    for setting in &app.code {
        loader = loader.code(&*setting.key, setting.value.clone(), &*setting.origin);
    }
    for flag in &sources.flags {
        loader = loader.flag(&*flag.key, flag.value.clone(), &*flag.flag);
    }
    let (config, mut problems) = loader.load(&known);
    problems.extend(doubt);
    let refused = declared_settings::refused_sections(app);
    // A section whose name is taken shares every variable with the other.
    problems.extend(if refused.is_empty() { config.collisions(&known) } else { refused });
    let core = core_sections();
    let parts = parts.iter().map(|entry| &entry.section);
    let own = app.own.iter().map(|own| &own.section);
    let read: Vec<&Section> = core.iter().chain(parts).chain(own).collect();
    problems.extend(config.check(&known, &read));
    problems.extend(requirements::problems(app, &config, &read));
    (config, problems)
}

/// The file that `<PREFIX>_CONFIG` names.
fn named_file(prefix: &str) -> Option<PathBuf> {
    let name = std::env::var_os(config::variable(prefix, "config"))?;
    (!name.is_empty()).then(|| name.into())
}

/// The files found where one would look for one.
fn found_files(folder: &Path) -> Vec<PathBuf> {
    let names = ["config.toml", "config.yaml", "config.yml", "config.json"];
    let folders = [folder.to_owned(), folder.join("config")];
    let paths = folders.iter().flat_map(|folder| names.map(|name| folder.join(name)));
    paths.filter(|path| path.is_file()).collect()
}

/// Which of several is meant is not guessed.
fn several_files(found: &[PathBuf], prefix: &str) -> Option<Problem> {
    let [first, others @ ..] = found else { return None };
    let others: Vec<_> = others.iter().map(|path| path.display().to_string()).collect();
    if others.is_empty() {
        return None;
    }
    let why = format!("{} is there too, and only one file is read", others.join(", "));
    let variable = config::variable(prefix, "config");
    let fix = format!(
        "keep one of them, or name the right one: `--config {}` or {variable}",
        first.display()
    );
    Some(Problem::new(first.display().to_string(), why, fix))
}

pub(crate) fn core_sections() -> [Section; 4] {
    let app = Section::of::<AppSettings>("");
    [app, HttpSettings::SECTION, logging::SECTION, AdminSettings::SECTION]
}

/// The sections of every room in this build, started or not, as all of them may stand in a file;
/// and the service's own.
pub(crate) fn sections(own: &[OwnSection]) -> Vec<Section> {
    core_sections()
        .into_iter()
        .chain(inventory::iter::<PartDescriptor>().map(|entry| entry.section))
        .chain(own.iter().map(|own| own.section))
        .collect()
}

/// Reads a section that has been checked.
fn read<S: crate::Settings>(config: &Config, section: &str) -> S {
    config.read(section, &mut Problems::default())
}

/// The first segment of each path, once: `/user` for `/user/me` and `/user/get`.
fn groups(infos: &[RouteInfo]) -> Vec<String> {
    let mut groups: Vec<String> = infos
        .iter()
        .filter(|info| info.listed)
        .map(|info| format!("/{}", info.path.split('/').nth(1).unwrap_or_default()))
        .collect();
    groups.dedup();
    groups
}

/// Merging panics where paths overlap; at launch that is a message.
fn with_mounts(
    router: Router<Handle>,
    mounts: Vec<MountedRouter>,
    figures: &Arc<RequestMetrics>,
) -> Result<Router<Handle>, LaunchError> {
    let mut merged = router;
    for MountedRouter { router, location } in mounts {
        let router = http::counted(router, figures.clone());
        let attempt = std::panic::AssertUnwindSafe(|| merged.merge(router));
        merged = std::panic::catch_unwind(attempt).map_err(|panic| {
            let why = panic.downcast_ref::<String>().map_or("its paths overlap", String::as_str);
            LaunchError::Refused(vec![format!(
                "the router mounted at {location} does not fit: {why}"
            )])
        })?;
    }
    Ok(merged)
}

/// The probes and, on the public port of development, the details: each unless the service has a
/// route of its own at that path.
fn with_admin(
    router: Router<Handle>,
    infos: &[RouteInfo],
    details: bool,
    figures: &Arc<RequestMetrics>,
) -> Router<Handle> {
    let free = |path: &&str| !infos.iter().any(|info| info.path == *path);
    let mut admin = Router::new();
    if admin::PROBE_PATHS.iter().all(&free) {
        admin = admin.merge(admin::probes());
    }
    let paths: Vec<&str> = admin::DETAIL_PATHS.into_iter().filter(free).collect();
    if details && !paths.is_empty() {
        admin = admin.merge(admin::details(&paths, AdminGuard::Public));
    }
    if !admin.has_routes() {
        return router;
    }
    router.merge(http::counted(admin, figures.clone()))
}

async fn nothing_here() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "nothing is served at this path")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_at_once_are_refused_with_both_names_and_the_fix() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let inner = folder.path().join("config");
        std::fs::create_dir(&inner).expect("the folder is ours");
        assert_eq!(several_files(&found_files(folder.path()), "X"), None);
        std::fs::write(inner.join("config.yml"), "").expect("the folder is ours");
        assert_eq!(found_files(folder.path()), [inner.join("config.yml")]);
        assert_eq!(several_files(&found_files(folder.path()), "X"), None);
        std::fs::write(folder.path().join("config.toml"), "").expect("the folder is ours");
        let found = found_files(folder.path());
        let problem = several_files(&found, "X").expect("two files");
        assert_eq!(found[0], folder.path().join("config.toml"));
        assert!(problem.why.contains("config/config.yml is there too"), "{problem}");
        assert!(problem.key.ends_with("/config.toml") && problem.fix.contains("X_CONFIG"));
    }
}
