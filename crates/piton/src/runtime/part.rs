//! Parts: capabilities of a running service, with settings, a start, health and a stop.
//!
//! Every module of Piton that holds a resource (a pool of connections, a cache, a client) is a
//! [`Part`], and so is whatever a third party adds: implement the trait, then say
//! `piton::part!(MyPart);` once. From then on `MyPart` is an argument that handlers may take, its
//! settings have a section of their own, `/readyz` asks for its health, and it is started only
//! when something asks for it.
//!
//! `app` knows parts through this file alone, so that it names no module that has one.

use std::any::{Any, TypeId};
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use crate::config::{self, Environment, Problems, Settings};

pub use crate::config::Problem;
use crate::handle::Handle;
use crate::launch_steps::Step;
use crate::metrics::Metrics;
use crate::reload_signal::Reload;
use crate::stop_signal::Stop;

/// A capability with settings, health, a start and a stop. The value is the handle that handlers
/// take: make it cheap to clone.
///
/// ```
/// use piton::prelude::*;
/// use piton::part::{self, Launch, Part};
///
/// #[derive(Clone)]
/// struct Greeter { greeting: String }
///
/// /// How we greet.
/// #[derive(Settings)]
/// struct GreeterSettings {
///     /// The word before the name. **Default: `Hello`.**
///     greeting: String,
/// }
///
/// impl Default for GreeterSettings {
///     fn default() -> Self { Self { greeting: "Hello".into() } }
/// }
///
/// impl Part for Greeter {
///     const NAME: &'static str = "greeter";
///     type Settings = GreeterSettings;
///
///     async fn start(settings: GreeterSettings, _: &Launch) -> Result<Self, part::Error> {
///         Ok(Self { greeting: settings.greeting })
///     }
/// }
///
/// piton::part!(Greeter);
///
/// #[get("/")]
/// async fn greet(greeter: Greeter) -> String { format!("{}, world", greeter.greeting) }
/// # fn main() {}
/// ```
pub trait Part: Clone + Send + Sync + 'static {
    /// The part's name in health reports and logs, and the name of its settings' section.
    const NAME: &'static str;

    /// The run step in which the part starts.
    const STEP: Step = Step::Postconfig;

    /// Set if the service is not ready (`/readyz` responds 503) while this part is down.
    /// Only for what no request can do without, such as the database.
    const CRITICAL: bool = false;

    /// The part's section of the settings.
    type Settings: Settings + Send;

    /// Names the parts that must be started before this one, and connected before it connects.
    fn dependencies(_dependencies: &mut Dependencies) {}

    /// Makes the part from its settings. Talks to no server: an unreachable one must not keep the
    /// service from starting, see [`Part::connect`].
    ///
    /// # Errors
    /// A [`Problem`] (by `?` or `.into()`) is a wrong setting: it is reported with all others and
    /// the service exits with 2. Any other error is a fault of the machine: it exits with 1.
    fn start(
        settings: Self::Settings,
        launch: &Launch,
    ) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Connects to whatever the part depends on. Called once the parts named in [`Part::dependencies`] are
    /// connected, and again until it succeeds, with growing pauses; until then handlers that take
    /// the part respond with 503. Must be safe to call again after a failure.
    ///
    /// # Errors
    /// Any error is logged and shown in the health report, and `connect` is called again. A
    /// [`Permanent`] one ends the service with exit code 2 instead; a [`Refused`] one ends a command.
    fn connect(&self) -> impl Future<Output = Result<(), BoxError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Works in the background, from the first successful `connect` until `stop`.
    fn run(&self, _stop: Stop) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Returns the health of the part now. The caller sets a timeout.
    fn health(&self) -> impl Future<Output = Health> + Send {
        std::future::ready(Health::Up)
    }

    /// Returns further details for `/health`, such as the state of each queue that it reads. The default
    /// is none.
    fn details(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Returns the part's numbers and states for `/info`, never a secret.
    fn snapshot(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Registers the part's metrics. Called once, after the start.
    fn metrics(&self, _metrics: &Metrics) {}

    /// Releases the part's resources. Called once, after the last request, in reverse order of
    /// the start.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

pub use crate::error::BoxError;

/// An error of [`Part::connect`] that waiting cannot resolve: a file of the wrong kind, a schema
/// that does not fit the program. The service ends with exit code 2 (78 under systemd), so that its
/// operator sees restarts instead of a service that is never ready.
///
/// Not for errors that another attempt may resolve, such as an unavailable server, a lock, or a
/// full disk.
///
/// ```
/// use piton::part::{BoxError, Permanent};
///
/// async fn connect(path: &str) -> Result<(), BoxError> {
///     if std::path::Path::new(path).is_dir() {
///         return Err(Permanent::new(format!("{path} is a folder: set greeter.path to a file")).into());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Permanent(BoxError);

impl Permanent {
    /// Marks `error` as permanent.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }

    /// Returns whether `error`, or one of its causes, is marked as permanent.
    pub(crate) fn is_in(error: &(dyn std::error::Error + 'static)) -> bool {
        std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<Self>())
    }
}

impl fmt::Display for Permanent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Permanent {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// An error of [`Part::connect`] that needs a change outside of the program, such as a wrong
/// password. A service goes on trying, because the server may be changed meanwhile; a command ends
/// with the error at once.
#[derive(Debug)]
pub struct Refused(pub BoxError);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// The health of a part.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "status", content = "reason", rename_all = "lowercase")]
pub enum Health {
    /// Works.
    Up,
    /// Works, but slower or without something. Never fails readiness.
    Degraded(String),
    /// Does not work, with the reason. The reason must not contain addresses with credentials.
    Down(String),
}

/// The error of [`Part::start`]. From a [`Problem`] it is a wrong setting, from any other error a
/// fault.
pub struct Error(pub(crate) StartFailure);

pub(crate) enum StartFailure {
    Settings(Problems),
    Fault(BoxError),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self(StartFailure::Settings(Problems(vec![problem])))
    }
}

/// Reports all problems at once.
impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Self(StartFailure::Settings(problems))
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(StartFailure::Fault(error.into()))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            StartFailure::Settings(problems) => fmt::Debug::fmt(problems, f),
            StartFailure::Fault(error) => fmt::Debug::fmt(error, f),
        }
    }
}

/// The app as a part sees it while it starts.
pub struct Launch {
    pub(crate) handle: Handle,
}

impl Launch {
    /// Returns the app's name, as given to `App::new`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.handle.name()
    }

    /// Returns whether the service runs in production.
    #[must_use]
    pub fn production(&self) -> bool {
        self.handle.production()
    }

    /// Returns the environment: `local`, or the value of the setting `environment`.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        self.handle.environment()
    }

    /// Returns whether the app is launched to serve, not for a command.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.handle.inner().serves
    }

    /// Returns whether the environment of the process is read. False in tests (`TestApp`, `TestServer`), in
    /// which a part must not use credentials or servers of the developer's machine.
    #[must_use]
    pub fn reads_process_env(&self) -> bool {
        self.handle.inner().reads_process_env
    }

    /// The folder where embedded engines keep their files (`data` unless set; a temporary folder
    /// in a test). It may not exist yet: the code that writes the first file creates it.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.handle.data_dir()
    }

    /// Returns the signal to read files again, as [`Handle::reload_signal`].
    #[must_use]
    pub fn reload_signal(&self) -> Reload {
        self.handle.reload_signal()
    }

    /// A part named in [`Part::dependencies`]: it has been started before.
    ///
    /// # Panics
    /// If the part is not named in [`Part::dependencies`].
    #[must_use]
    pub fn part<P: Part>(&self) -> P {
        self.handle.part::<P>()
    }

    /// Returns the values given to `App::provide`, in their order.
    pub fn provided<T: Any + Send + Sync>(&self) -> impl Iterator<Item = &T> {
        self.handle.provided::<T>()
    }
}

/// Collects the parts that a part, a route or a command asks for.
#[derive(Clone, Default, Debug)]
pub struct Dependencies(pub(crate) Vec<Dependency>);

/// A dependency on one part.
#[derive(Clone, Copy, Debug)]
pub struct Dependency {
    pub(crate) id: TypeId,
    pub(crate) type_name: &'static str,
}

impl Dependencies {
    /// Adds the part `P`.
    pub fn add<P: Part>(&mut self) {
        self.0.push(Dependency { id: TypeId::of::<P>(), type_name: std::any::type_name::<P>() });
    }
}

/// An argument of handlers that is no part and comes from one, such as the caller's identity. Made by
/// [`argument_from!`](crate::argument_from!).
pub struct ArgumentSource {
    pub(crate) id: fn() -> TypeId,
    pub(crate) dependencies: fn(&mut Dependencies),
}

inventory::collect!(ArgumentSource);

impl ArgumentSource {
    /// Declares that the argument `A` comes from the part `P`.
    #[must_use]
    pub const fn of<A: 'static, P: Part>() -> Self {
        Self { id: TypeId::of::<A>, dependencies: Dependencies::add::<P> }
    }
}

/// Declares that an argument of handlers comes from a part, which starts then. Needed for routes made
/// by hand, of which only the types of their arguments are known.
///
/// `piton::argument_from!(Tokens: Identity, Option<Identity>);`
#[macro_export]
macro_rules! argument_from {
    ($part:ty: $($argument:ty),+ $(,)?) => {
        $($crate::__private::inventory::submit! { $crate::part::ArgumentSource::of::<$argument, $part>() })+
    };
}

/// A part as the app sees it before it is started. Made by [`part!`](crate::part!).
pub struct PartDescriptor {
    pub(crate) id: fn() -> TypeId,
    pub(crate) name: &'static str,
    pub(crate) step: Step,
    pub(crate) critical: bool,
    pub(crate) dependencies: fn(&mut Dependencies),
    pub(crate) section: config::Section,
    pub(crate) start: StartPart,
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type StartPart = for<'a> fn(
    &'a mut config::Reader<'_>,
    &'a Launch,
) -> BoxFuture<'a, Result<Arc<dyn DynPart>, Error>>;

inventory::collect!(PartDescriptor);

impl PartDescriptor {
    /// Describes the part `P`.
    #[must_use]
    pub const fn of<P: Part>() -> Self {
        Self {
            id: TypeId::of::<P>,
            name: P::NAME,
            step: P::STEP,
            critical: P::CRITICAL,
            dependencies: P::dependencies,
            section: config::Section::of::<P::Settings>(P::NAME),
            start: |reader, launch| {
                let settings = P::Settings::read(reader);
                Box::pin(async move {
                    let part = P::start(settings, launch).await?;
                    Ok(Arc::new(part) as Arc<dyn DynPart>)
                })
            },
        }
    }
}

/// A started part with its type erased, as the app stores it.
pub(crate) trait DynPart: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn connect(&self) -> BoxFuture<'_, Result<(), BoxError>>;
    fn run(&self, stop: Stop) -> BoxFuture<'_, ()>;
    fn health(&self) -> BoxFuture<'_, Health>;
    fn details(&self) -> serde_json::Value;
    fn snapshot(&self) -> serde_json::Value;
    fn metrics(&self, metrics: &Metrics);
    fn stop(&self) -> BoxFuture<'_, ()>;
}

impl<P: Part> DynPart for P {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn connect(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(Part::connect(self))
    }

    fn run(&self, stop: Stop) -> BoxFuture<'_, ()> {
        Box::pin(Part::run(self, stop))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(Part::health(self))
    }

    fn details(&self) -> serde_json::Value {
        Part::details(self)
    }

    fn snapshot(&self) -> serde_json::Value {
        Part::snapshot(self)
    }

    fn metrics(&self, metrics: &Metrics) {
        Part::metrics(self, metrics);
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(Part::stop(self))
    }
}

/// Registers a [`Part`]: handlers may take it as an argument from now on.
///
/// Writes three things that could be written by hand: `axum::extract::FromRequestParts` by way
/// of [`Handle::try_part`], an empty [`Input`](crate::http::Input), and the registration of
/// [`PartDescriptor::of`].
#[macro_export]
macro_rules! part {
    ($part:ty) => {
        impl<S> $crate::axum::extract::FromRequestParts<S> for $part
        where
            S: Send + Sync,
            $crate::Handle: $crate::axum::extract::FromRef<S>,
        {
            type Rejection = $crate::Error;

            async fn from_request_parts(
                _: &mut $crate::axum::http::request::Parts,
                state: &S,
            ) -> ::core::result::Result<Self, $crate::Error> {
                let handle: $crate::Handle = $crate::axum::extract::FromRef::from_ref(state);
                handle.try_part::<$part>()
            }
        }

        impl $crate::http::Input for $part {
            fn describe(operation: &mut $crate::http::Operation) {
                operation.needs::<$part>();
            }
        }

        $crate::__private::inventory::submit! { $crate::part::PartDescriptor::of::<$part>() }
    };
}
