//! The app: a builder, and the run steps that make a service of it.
//!
//! `App::new("my_service").run()` reads the settings, starts the parts that the routes ask for,
//! joins the routes into a router and serves it until a signal says to stop. [`steps`] is that
//! list; [`plan`] decides which parts start; [`lifecycle`] starts, connects and stops them.

mod cli;
mod command;
mod config_command;
mod declared_settings;
mod description;
mod env;
mod exit;
mod explain;
mod extension;
mod lifecycle;
mod open_files;
mod plan;
mod requirements;
mod scan;
mod steps;

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
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;

pub use cli::print;
pub use command::{Arguments, Command, ModuleCommand};
pub use description::AppDescription;
pub use exit::{Exit, LaunchError};
pub use extension::{AppExtension, AppExtensionCall};
pub use steps::{Setup, StepResult};

pub(crate) use lifecycle::LaunchedApp;
pub(crate) use steps::LaunchSources;

use crate::Settings;
use crate::config::{Environment, Requirement};
use crate::handle::{Handle, TypedValues};
use crate::http::{self, Blueprint, ErrorResponse, RequestHead, Route};
use crate::logging::LogLevel;
use crate::part::{Dependencies, Part};
use crate::step::Step;
use crate::stop::Stop;
use declared_settings::{EnvAlias, OwnSection};
use env::EnvVariables;
use steps::Hooks;

/// A service in the making.
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
    /// What settings are where nobody says anything.
    defaults: Vec<CodeSetting>,
    own: Vec<OwnSection>,
    env_aliases: Vec<EnvAlias>,
    /// What it does not start without, outside of the environment `local`.
    require_outside_local: Vec<Requirement>,
    /// What it does not start without in production, wherever that is.
    require_in_production: Vec<Requirement>,
    env: EnvVariables,
    routes: Vec<Route>,
    modules: Option<Vec<String>>,
    mounts: Vec<MountedRouter>,
    states: TypedValues,
    provided: TypedValues,
    enabled: Dependencies,
    disabled: Dependencies,
    commands: Vec<Command>,
    /// Whether it is launched for a verb: then nothing is served, and the verb does the talking.
    for_command: bool,
    hooks: Hooks,
    /// What stands around every request.
    around: http::Hooks,
    layers: Vec<LayerOfRouter>,
}

type LayerOfRouter = Box<dyn FnOnce(Router<Handle>) -> Router<Handle> + Send>;

/// A setting said in code, and where.
struct CodeSetting {
    key: Cow<'static, str>,
    value: Value,
    origin: String,
}

struct MountedRouter {
    router: Router<Handle>,
    location: &'static Location<'static>,
}

/// What every service has, whatever it does. These keys stand at the top of the file.
#[derive(Clone, Debug, Settings)]
pub struct AppSettings {
    /// Where the service runs: `local` on a developer's machine, anything else elsewhere, such as
    /// `staging`. Outside of `local` it runs in production unless told otherwise, and goes
    /// without nothing that it says it needs there. **Default: `local`.**
    pub environment: Environment,
    /// Whether the service runs in production: then it listens on all interfaces, its errors show
    /// nothing of the inside, and development's defaults are refused.
    /// **Default: `false` in the environment `local`, `true` in any other.**
    pub production: Option<bool>,
    /// The folder of the files that embedded engines keep, such as the SQLite database.
    /// **Default: `data`.**
    pub data_dir: PathBuf,
}

impl Default for AppSettings {
    fn default() -> Self {
        Self { environment: Environment::default(), production: None, data_dir: "data".into() }
    }
}

impl AppSettings {
    /// Whether the service runs in production.
    pub(crate) fn in_production(&self) -> bool {
        self.production.unwrap_or(!self.environment.is_local())
    }
}

/// Makes the builder methods that replace a step.
macro_rules! replaceable {
    ($($step:ident $name:ident)*) => {
        $(
            #[doc = concat!("Replaces the step `", stringify!($name), "`. `setup.default(Step::", stringify!($step), ")` is what it would have done.")]
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
    /// An app called `name`. As in Gnar Gear the name is that of the top-level module, which is the
    /// crate's: the scan takes the routes in it.
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
            states: TypedValues::default(),
            provided: TypedValues::default(),
            enabled: Dependencies::default(),
            disabled: Dependencies::default(),
            commands: Vec::new(),
            for_command: false,
            hooks: Hooks::default(),
            around: http::Hooks::default(),
            layers: Vec::new(),
        }
    }

    /// The version that `--version` shows: `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub fn version(mut self, version: impl Into<Cow<'static, str>>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Whether the service runs in production. A flag can say otherwise, the environment cannot.
    #[must_use]
    #[track_caller]
    pub fn production(self, production: bool) -> Self {
        self.set("production", production)
    }

    /// The address to listen on.
    #[must_use]
    #[track_caller]
    pub fn host(self, host: impl Into<String>) -> Self {
        self.set("http.host", host.into())
    }

    /// The address to listen on, as an [`IpAddr`].
    #[must_use]
    #[track_caller]
    pub fn address(self, address: IpAddr) -> Self {
        self.set("http.host", address.to_string())
    }

    /// The port to listen on; 0 takes a free one.
    #[must_use]
    #[track_caller]
    pub fn port(self, port: u16) -> Self {
        self.set("http.port", port)
    }

    /// What the environment's variables begin with. **Default: `PITON`.**
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

    /// The least severe level that is logged.
    #[must_use]
    #[track_caller]
    pub fn log_level(self, level: LogLevel) -> Self {
        self.set("log.level", level.to_string())
    }

    /// Any setting by its key. It outranks the environment and is outranked by flags.
    #[must_use]
    #[track_caller]
    pub fn set(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        let origin = Location::caller().to_string();
        self.code.push(CodeSetting { key: key.into(), value: value.into(), origin });
        self
    }

    /// What a setting is where nobody says anything, in the place of the framework's default. Files,
    /// the environment and flags outrank it; `config` and the example file show it as the default.
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

    /// Ignores routes that attributes make: only those added by [`route`](Self::route) and the like
    /// are served.
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

    /// Adds the routes of a plain axum router. They stand behind the same stack and outside the
    /// OpenAPI document. A router with a state is given it first (`Router::with_state`); its
    /// handlers reach the app's parts by [`piton::app()`](crate::app()).
    #[must_use]
    #[track_caller]
    pub fn mount(mut self, router: Router) -> Self {
        let router = router.with_state(());
        self.mounts.push(MountedRouter { router, location: Location::caller() });
        self
    }

    /// The service's own state, which handlers take as `State<S>`.
    #[must_use]
    pub fn state<S: Clone + Send + Sync + 'static>(mut self, state: S) -> Self {
        self.states.push(state);
        self
    }

    /// Hands a value to the part that looks for its type while it starts, such as migrations to the
    /// database.
    #[must_use]
    pub fn provide<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.provided.push(value);
        self
    }

    /// Looks at every request before its handler does, and may change it or answer it: `Ok` with the
    /// request goes on, `Err` with an [`Error`](crate::Error) or any answer ends it. Several run in
    /// the order given. What takes long or fails is dealt with as in a handler.
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
        self.around.before(hook);
        self
    }

    /// Changes every answer before it leaves, failures too. Several run in the order given.
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
        self.around.after(hook);
        self
    }

    /// Answers the failures of requests for `path`, and for what is below it, in a format of the
    /// service's own: for a protocol that says how failures look. All of them, whoever made them:
    /// errors of handlers, refusals of arguments and guards, 404, 405, panics, timeouts, too many
    /// requests. The log and the metrics call each what it is, whatever status the answer has.
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
    /// Headers of the failure, such as `Allow` and `Retry-After`, go along. Of several paths the longest
    /// counts.
    #[must_use]
    pub fn error_renderer(
        mut self,
        path: impl AsRef<str>,
        render: impl Fn(&ErrorResponse<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        let path = path.as_ref();
        self.around.error_renderers.add(path, render);
        self.provide(http::RendererPath(path.trim_end_matches('/').to_owned()))
    }

    /// Puts a layer of `tower` around the router, inside of everything that Piton puts there. The one
    /// given last is the outermost.
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

    /// Starts the part `P` though no route takes it: for `piton::app().part::<P>()`.
    #[must_use]
    pub fn enable<P: Part>(mut self) -> Self {
        self.enabled.add::<P>();
        self
    }

    /// Goes without the part `P`: what asks for it, however indirectly, is refused at launch. Parts
    /// that nothing asks for are not started in any case; this says that none of them may. Gnar
    /// Gear's `no_db` and `no_jwt` are `App::no_db` and `App::no_jwt`.
    #[must_use]
    pub fn disable<P: Part>(mut self) -> Self {
        self.disabled.add::<P>();
        self
    }

    /// Adds a verb of the service's own to its command line.
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

    /// Does what the command line says (to serve, unless it says otherwise) and returns how it
    /// went. Makes the runtime, so it is called from a plain `main`.
    #[must_use = "return it from main: it is the process's exit code"]
    pub fn run(self) -> Exit {
        cli::run(self, std::env::args_os())
    }

    /// Serves on `listener` until `stop`, then drains: for those who have a runtime. The command
    /// line is not read.
    ///
    /// # Errors
    /// See [`LaunchError`]: settings or routes are wrong, or a part failed to start.
    pub async fn serve(self, listener: TcpListener, stop: Stop) -> Result<(), LaunchError> {
        let launched = self.launch(LaunchSources::of_process()).await?;
        launched.serve(listener, stop, Stop::never()).await
    }

    /// Ejects to plain axum: the whole service, with its stack, as a router to serve as you like.
    /// Parts are started and connecting; they end with the process.
    ///
    /// # Errors
    /// As [`App::serve`].
    pub async fn into_router(self) -> Result<Router, LaunchError> {
        Ok(self.launch(LaunchSources::of_process()).await?.into_router())
    }

    /// Whether handlers can be given a state of this type.
    fn has_state(&self, id: TypeId) -> bool {
        self.states.has(id) || self.own.iter().any(|own| own.section.type_id() == id)
    }

    /// Runs the steps.
    pub(crate) async fn launch(self, sources: LaunchSources) -> Result<LaunchedApp, LaunchError> {
        steps::run(self, sources).await
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
