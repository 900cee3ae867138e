//! The app: a builder, and the run steps that turn it into a service.
//!
//! `App::new("my_service").run()` reads the settings, starts the parts that the routes ask for,
//! joins the routes into a router and serves it until a signal says to stop. [`run_steps`] is that
//! list; [`part_start_order`] decides which parts start; [`lifecycle`] starts, connects and stops them.

mod attribute_scan;
mod cli;
mod command;
mod command_output;
mod conditional_parts;
mod config_command;
mod declared_settings;
mod description;
mod env;
mod exit;
mod explain_app;
mod extension;
mod lifecycle;
mod load_settings;
mod mounts;
mod open_files;
mod part_start_order;
mod require_settings;
mod run_steps;
mod settings_sections;
mod settings_sources;
mod signals;
#[cfg(feature = "files")]
mod static_files;

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::panic::Location;
use std::path::PathBuf;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;

pub use command::{Arguments, Command, ModuleCommand};
pub use command_output::print;
pub use description::AppDescription;
pub use exit::{Exit, LaunchError};
pub use extension::{AppExtension, AppExtensionCall};
pub use run_steps::{Setup, StepResult};

pub(crate) use lifecycle::LaunchedApp;
pub(crate) use settings_sources::LaunchSources;

use crate::Settings;
use crate::config::{Environment, Requirement};
use crate::handle::{Handle, TypedValues};
use crate::http::{self, Blueprint, ErrorResponse, HandlerArguments, RequestHead, Route};
use crate::launch_steps::Step;
use crate::logging::LogLevel;
use crate::part::{Dependencies, Part};
use crate::stop_signal::Stop;
use conditional_parts::PartCondition;
use env::EnvVariables;
use run_steps::StepHooks;
use settings_sections::{EnvAlias, OwnSection};

/// The builder of a service.
///
/// ```no_run
/// use piton::prelude::*;
///
/// #[get("/user/get")]
/// async fn user_get() -> &'static str { "ok" }
///
/// fn main() -> piton::Exit {
///     App::new("my_service").run()
/// }
/// ```
pub struct App {
    name: String,
    version: Option<Cow<'static, str>>,
    env_prefix: Cow<'static, str>,
    also_env_prefixes: Vec<Cow<'static, str>>,
    code: Vec<CodeSetting>,
    /// Defaults that replace the framework's.
    defaults: Vec<CodeSetting>,
    own: Vec<OwnSection>,
    env_aliases: Vec<EnvAlias>,
    /// Requirements outside of the environment `local`.
    require_outside_local: Vec<Requirement>,
    /// Requirements in production, in whatever environment.
    require_in_production: Vec<Requirement>,
    env: EnvVariables,
    routes: Vec<Route>,
    modules: Option<Vec<String>>,
    mounts: Vec<MountedRouter>,
    // Not `static_files`: the compiler would show it, private, to those who lack the feature of the method.
    file_mounts: Vec<http::StaticMount>,
    states: TypedValues,
    provided: TypedValues,
    enabled: Dependencies,
    part_conditions: Vec<PartCondition>,
    disabled: Dependencies,
    commands: Vec<Command>,
    /// True if it is launched for a command: then nothing is served, and the log goes to standard error.
    for_command: bool,
    /// True if it is launched for background work alone: attributes add no routes.
    for_background: bool,
    hooks: StepHooks,
    /// Hooks before and after every request, and error renderers.
    request_hooks: http::RequestHooks,
    layers: Vec<LayerOfRouter>,
}

type LayerOfRouter = Box<dyn FnOnce(Router<Handle>) -> Router<Handle> + Send>;

/// A setting of the code, and its line.
struct CodeSetting {
    key: Cow<'static, str>,
    value: Value,
    origin: String,
}

struct MountedRouter {
    router: Router<Handle>,
    location: &'static Location<'static>,
}

/// The settings of every service, at the top level of the file.
#[derive(Clone, Debug, Settings)]
pub struct AppSettings {
    /// Environment of the service: `local` on a developer's machine, any other value elsewhere, such as `staging`. Any
    /// value but `local` enables production mode and makes the settings named by `App::require_outside_local`
    /// mandatory. **Default: `local`.**
    pub environment: Environment,
    /// Production mode: the service listens on all interfaces, its errors show no internals, and defaults of
    /// development are refused.
    /// **Default: `false` in the environment `local`, `true` in any other.**
    pub production: Option<bool>,
    /// Folder for the files of embedded engines, such as the SQLite database.
    /// **Default: `data`.**
    pub data_dir: PathBuf,
}

impl Default for AppSettings {
    fn default() -> Self {
        Self { environment: Environment::default(), production: None, data_dir: "data".into() }
    }
}

impl AppSettings {
    /// Returns whether the service runs in production.
    pub(crate) fn in_production(&self) -> bool {
        self.production.unwrap_or(!self.environment.is_local())
    }
}

/// Defines the builder methods that replace a step.
macro_rules! replaceable {
    ($($step:ident $name:ident)*) => {
        $(
            #[doc = concat!("Replaces the step `", stringify!($name), "`. `setup.default(Step::", stringify!($step), ")` runs its default.")]
            #[must_use]
            pub fn $name<F, Fut>(mut self, step: F) -> Self
            where
                F: FnOnce(Setup) -> Fut + Send + 'static,
                Fut: Future<Output: StepResult> + Send + 'static,
            {
                self.hooks.replace(Step::$step, step);
                self
            }
        )*
    };
}

impl App {
    /// Creates an app. Its name is that of the crate, as in Gnar Gear: the app takes the routes that attributes
    /// register in the module of that name, where `-` counts as `_`. [`new_app!`](crate::new_app!) fills it in.
    ///
    /// An app is refused at launch if attributes registered routes in this binary and none in its module; see
    /// [`App::no_scan`].
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: None,
            env_prefix: "PITON".into(),
            also_env_prefixes: Vec::new(),
            code: Vec::new(),
            defaults: Vec::new(),
            own: Vec::new(),
            env_aliases: Vec::new(),
            require_outside_local: Vec::new(),
            require_in_production: Vec::new(),
            env: EnvVariables::default(),
            routes: Vec::new(),
            modules: None,
            mounts: Vec::new(),
            file_mounts: Vec::new(),
            states: TypedValues::default(),
            provided: TypedValues::default(),
            enabled: Dependencies::default(),
            part_conditions: Vec::new(),
            disabled: Dependencies::default(),
            commands: Vec::new(),
            for_command: false,
            for_background: false,
            hooks: StepHooks::default(),
            request_hooks: http::RequestHooks::default(),
            layers: Vec::new(),
        }
    }

    /// Sets the version that `--version` shows: `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub fn version(mut self, version: impl Into<Cow<'static, str>>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets production mode. The flag `--production` outranks it, the environment does not.
    #[must_use]
    #[track_caller]
    pub fn production(self, production: bool) -> Self {
        self.set("production", production)
    }

    /// Sets the address to listen on.
    #[must_use]
    #[track_caller]
    pub fn host(self, host: impl Into<String>) -> Self {
        self.set("http.host", host.into())
    }

    /// Sets the address to listen on, as an [`IpAddr`].
    #[must_use]
    #[track_caller]
    pub fn address(self, address: IpAddr) -> Self {
        self.set("http.host", address.to_string())
    }

    /// Sets the port to listen on; 0 takes a free one.
    #[must_use]
    #[track_caller]
    pub fn port(self, port: u16) -> Self {
        self.set("http.port", port)
    }

    /// Sets the prefix of environment variables. **Default: `PITON`.**
    #[must_use]
    pub fn env_prefix(mut self, prefix: impl Into<Cow<'static, str>>) -> Self {
        self.env_prefix = prefix.into();
        self
    }

    /// Reads variables with this prefix too, after those with the first: for a service that takes the
    /// place of an older one and its environment. `.also_env_prefix("GNAR")` reads a Gnar Gear
    /// deployment's.
    #[must_use]
    pub fn also_env_prefix(mut self, prefix: impl Into<Cow<'static, str>>) -> Self {
        self.also_env_prefixes.push(prefix.into());
        self
    }

    /// Sets the least severe level that is logged.
    #[must_use]
    #[track_caller]
    pub fn log_level(self, level: LogLevel) -> Self {
        self.set("log.level", level.to_string())
    }

    /// Sets any setting by its key. It outranks the environment and is outranked by flags.
    #[must_use]
    #[track_caller]
    pub fn set(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        let origin = Location::caller().to_string();
        self.code.push(CodeSetting { key: key.into(), value: value.into(), origin });
        self
    }

    /// Replaces the framework's default of a setting. Files, the environment and flags outrank it; `config` and the
    /// example file show it as the default.
    ///
    /// ```
    /// # use piton::prelude::*;
    /// let app = App::new("patient").default_to("http.timeout", "10m");
    /// assert!(app.config_example().contains("#timeout = \"10m\""));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn default_to(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
    ) -> Self {
        let origin = Location::caller().to_string();
        self.defaults.push(CodeSetting { key: key.into(), value: value.into(), origin });
        self
    }

    /// Takes the routes of these modules only, instead of all that the scan finds. A module is
    /// named as seen from the crate (`user`, `admin::users`).
    #[must_use]
    pub fn blueprints<M: Into<String>>(mut self, modules: impl IntoIterator<Item = M>) -> Self {
        self.modules.get_or_insert_default().extend(modules.into_iter().map(Into::into));
        self
    }

    /// Ignores the routes of attributes: only those added by [`route`](Self::route) and the like are served. Also
    /// for a service without routes, such as one that reads queues.
    #[must_use]
    pub fn no_scan(mut self) -> Self {
        self.modules = Some(Vec::new());
        self
    }

    /// Adds a group of routes made by hand.
    #[must_use]
    pub fn blueprint(mut self, blueprint: Blueprint) -> Self {
        self.routes.extend(blueprint.into_routes());
        self
    }

    /// Adds a route made by hand.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Sets the handler of paths that have no route and no static file, for every method. Without one they get 404 in
    /// the service's error format. A known path with another method gets 405 all the same.
    ///
    /// ```
    /// use piton::http::{Redirect, get};
    /// use piton::prelude::*;
    ///
    /// async fn old_paths(uri: axum::http::Uri) -> Redirect<308> {
    ///     Redirect::permanent(format!("/v2{}", uri.path()))
    /// }
    ///
    /// let app = App::new("shop").fallback(old_paths);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn fallback<H, T>(self, handler: H) -> Self
    where
        H: Handler<T, Handle>,
        T: HandlerArguments,
    {
        self.route(http::fallback(handler))
    }

    /// Adds the routes of a plain axum router. They are behind the same stack, and not in the OpenAPI document. A router
    /// with a state gets it before (`Router::with_state`); its handlers get the app's parts by [`piton::app()`](crate::app()).
    ///
    /// A fallback of the router's own becomes the app's, and the fallback of a nested router stays that of its prefix.
    /// The launch is refused if the app has a fallback too, or if a path overlaps with another route or with the admin
    /// set.
    #[must_use]
    #[track_caller]
    pub fn mount(mut self, router: Router) -> Self {
        let router = router.with_state(());
        self.mounts.push(MountedRouter { router, location: Location::caller() });
        self
    }

    /// Adds a state of the service's own, which handlers take as `State<S>`.
    #[must_use]
    pub fn state<S: Clone + Send + Sync + 'static>(mut self, state: S) -> Self {
        self.states.push(state);
        self
    }

    /// Provides a value for a part that reads values of its type while it starts, such as migrations for the database.
    #[must_use]
    pub fn provide<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.provided.push(value);
        self
    }

    /// Runs a hook before the handler of every request. `Ok` with the request, changed or not, continues; `Err` with an
    /// [`Error`](crate::Error) or any response ends it. Several hooks run in the order given. Timeouts and
    /// failures are handled as in a handler.
    ///
    /// ```
    /// use piton::prelude::*;
    /// use piton::axum::extract::Request;
    ///
    /// let app = App::new("my_service").before_request(|request: Request| async move {
    ///     if request.headers().contains_key("x-forbidden") {
    ///         return Err(Error::forbidden("take that header away"));
    ///     }
    ///     Ok(request)
    /// });
    /// ```
    #[must_use]
    pub fn before_request<F, Fut, E>(mut self, hook: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Request, E>> + Send + 'static,
        E: IntoResponse + 'static,
    {
        self.request_hooks.before(hook);
        self
    }

    /// Runs a hook on every response before it is sent, also of failures. Several run in the order given.
    ///
    /// ```
    /// # use piton::prelude::*;
    /// let app = App::new("my_service").after_request(|head, answer| {
    ///     if head.method == "GET" {
    ///         answer.headers_mut().insert("x-served-by", "piton".parse().expect("it is a header"));
    ///     }
    /// });
    /// ```
    #[must_use]
    pub fn after_request(
        mut self,
        hook: impl Fn(&RequestHead, &mut Response) + Send + Sync + 'static,
    ) -> Self {
        self.request_hooks.after(hook);
        self
    }

    /// Renders failures of requests for `path`, and for paths below it, in a format of the service's own, for a
    /// protocol that defines one. It applies to all failures: errors of handlers, rejections by arguments and guards,
    /// 404, 405, panics, timeouts, too many requests. Log and metrics have the failure's own status, whatever status
    /// the response has.
    ///
    /// ```
    /// use piton::axum::response::IntoResponse;
    /// use piton::prelude::*;
    ///
    /// let app = App::new("legacy").error_renderer("/soap", |failed| {
    ///     let body = format!("<fault id=\"{}\">{}</fault>", failed.id(), failed.status());
    ///     (failed.status(), [("content-type", "text/xml")], body).into_response()
    /// });
    /// ```
    ///
    /// Headers of the failure, such as `Allow` and `Retry-After`, are added. Of several matching paths the longest
    /// applies.
    #[must_use]
    pub fn error_renderer(
        mut self,
        path: impl AsRef<str>,
        render: impl Fn(&ErrorResponse<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        let path = path.as_ref();
        self.request_hooks.error_renderers.add(path, render);
        self.provide(http::RendererPath(path.trim_end_matches('/').to_owned()))
    }

    /// Adds a `tower` layer around the router, inside of Piton's own stack. The last one added is the outermost.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: tower::Layer<axum::routing::Route> + Clone + Send + Sync + 'static,
        L::Service: tower::Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as tower::Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as tower::Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as tower::Service<Request>>::Future: Send + 'static,
    {
        self.layers.push(Box::new(move |router| router.layer(layer)));
        self
    }

    /// Enables the part `P` though no route takes it: for `piton::app().part::<P>()`.
    #[must_use]
    pub fn enable<P: Part>(mut self) -> Self {
        self.enabled.add::<P>();
        self
    }

    /// Disables the part `P`: whatever needs it, directly or indirectly, is refused at launch. Parts that nothing needs
    /// are not started in any case; this makes sure of it. Gnar Gear's `no_db` and `no_jwt` are `App::no_db` and
    /// `App::no_jwt`.
    #[must_use]
    pub fn disable<P: Part>(mut self) -> Self {
        self.disabled.add::<P>();
        self
    }

    /// Adds a command of the service's own to its command line.
    #[must_use]
    pub fn command(mut self, command: Command) -> Self {
        self.commands.push(command);
        self
    }

    replaceable! {
        Preconfig preconfig
        ConfigureHttp configure_http
        ConfigureLogger configure_logger
        ConfigurePassword configure_password
        ConfigureDatabase configure_database
        AttachInstance attach_instance
        ConfigureRoutes configure_routes
        ConfigureErrorhandler configure_errorhandler
        ConfigureJwt configure_jwt
        ConfigureSqsPolls configure_sqs_polls
        ConfigureAfterRequest configure_after_request
        Postconfig postconfig
    }

    /// Runs something before a step.
    #[must_use]
    pub fn before<F, Fut>(mut self, step: Step, hook: F) -> Self
    where
        F: FnOnce(Setup) -> Fut + Send + 'static,
        Fut: Future<Output: StepResult> + Send + 'static,
    {
        self.hooks.before(step, hook);
        self
    }

    /// Runs something after a step.
    ///
    /// ```
    /// # use piton::prelude::*;
    /// let app = App::new("my_service").after(Step::AttachInstance, |setup| async move {
    ///     println!("{} has its parts", setup.handle().name());
    /// });
    /// ```
    #[must_use]
    pub fn after<F, Fut>(mut self, step: Step, hook: F) -> Self
    where
        F: FnOnce(Setup) -> Fut + Send + 'static,
        Fut: Future<Output: StepResult> + Send + 'static,
    {
        self.hooks.after(step, hook);
        self
    }

    /// Runs the command of the command line, by default `serve`, and returns the exit code. Creates the runtime, so
    /// it is called from a plain `main`.
    #[must_use = "return it from main: it is the process's exit code"]
    pub fn run(self) -> Exit {
        cli::run(self, std::env::args_os())
    }

    /// Serves on `listener` until `stop`, then drains. For programs with a runtime of their own; does not read the
    /// command line.
    ///
    /// # Errors
    /// See [`LaunchError`]: settings or routes are wrong, or a part failed to start.
    pub async fn serve(self, listener: TcpListener, stop: Stop) -> Result<(), LaunchError> {
        let launched = self.launch(LaunchSources::of_process()).await?;
        let public = launched.open(listener.into())?;
        launched.serve(public, stop, Stop::never()).await
    }

    /// Ejects to plain axum: returns the whole service, with its stack, as a router to serve as you like. Parts are
    /// started and connecting; they end with the process.
    ///
    /// # Errors
    /// As [`App::serve`].
    pub async fn into_router(self) -> Result<Router, LaunchError> {
        Ok(self.launch(LaunchSources::of_process()).await?.into_router())
    }

    /// Returns whether handlers can take a state of this type.
    fn has_state(&self, id: TypeId) -> bool {
        self.states.has(id) || self.own.iter().any(|own| own.section.type_id() == id)
    }

    /// Runs the steps.
    pub(crate) async fn launch(self, sources: LaunchSources) -> Result<LaunchedApp, LaunchError> {
        run_steps::run(self, sources).await
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Creates an [`App`] with the name and version of the crate that it is written in, so that it takes the routes of
/// that crate: `App::new(env!("CARGO_CRATE_NAME")).version(env!("CARGO_PKG_VERSION"))`.
///
/// ```no_run
/// fn main() -> piton::Exit {
///     piton::new_app!().run()
/// }
/// ```
///
/// The name of a crate has `_` where that of its package has `-`. Build systems other than Cargo have to set both
/// variables, or the service says `App::new("name")`.
#[macro_export]
macro_rules! new_app {
    () => {
        $crate::App::new(env!("CARGO_CRATE_NAME")).version(env!("CARGO_PKG_VERSION"))
    };
}
