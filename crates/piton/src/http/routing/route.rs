//! Routes: methods, a path, a handler, its guard and its middleware.
//!
//! `#[get("/me")]` over a function emits one call of [`get`] and registers it for the scan;
//! `App::route(get("/me", me))` adds the same route by hand.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter};
use http::{Method, StatusCode};

use crate::config::Config;
use crate::context;
use crate::handle::Handle;
use crate::http::routing::argument_types::{ArgumentType, HandlerArguments};
use crate::http::routing::blueprint::MakeGuard;
use crate::http::routing::guard::{self, Guard, Guarded, Steps};
use crate::http::routing::middleware::{Middleware, RouteContext};
use crate::http::routing::operation::{BodyFirstRule, DocumentedError, Operation};
use crate::http::routing::path_encoding;
use crate::http::routing::route_info::{RouteInfo, SourceLocation};
use crate::http::routing::route_limits::RouteLimits;
use crate::metrics::{PathIndex, UNMATCHED};
use crate::part::{Dependency, Part};

/// A route: methods, a path, a handler, and their description.
pub struct Route {
    pub(crate) methods: Vec<Method>,
    pub(crate) path: Cow<'static, str>,
    pub(crate) endpoint: MethodRouter<Handle>,
    pub(crate) arguments: Vec<ArgumentType>,
    pub(crate) operation: Operation,
    pub(crate) handler: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) source: SourceLocation,
    pub(crate) tag: Option<&'static str>,
    /// Set if lists and the OpenAPI document show the route.
    pub(crate) listed: bool,
    /// The state that its handler shares, set once the service has been put together.
    pub(super) state: &'static RouteState,
    pub(crate) guard: Option<Box<dyn Guard>>,
    /// The guard's rule for reading bodies first. It outranks that of the arguments.
    pub(super) guard_body_first: Option<BodyFirstRule>,
    /// The expression of the attribute's guard.
    pub(crate) guard_source: Option<SourceText>,
    pub(crate) public: bool,
    pub(crate) middleware: Option<Box<dyn Middleware>>,
    pub(crate) described: DescribedBy,
    /// Set for the handler of paths without a route.
    pub(crate) is_fallback: bool,
    /// The errors listed by the route's attribute.
    pub(crate) errors: Vec<DocumentedError>,
}

/// An expression in the code of a module, for `routes --explain`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceText {
    pub module: &'static str,
    pub text: &'static str,
}

/// The origin of the description of a route's handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DescribedBy {
    /// The handler has no description.
    Nothing,
    /// `Route::describe`, called by hand.
    Hand,
    /// The types of the handler, read by its attribute.
    Attribute,
}

/// The parts of a route that are known only once the service has been put together.
pub(super) struct RouteState {
    /// The number of its metrics series.
    number: AtomicU32,
    guard: OnceLock<Box<dyn Guard>>,
    middleware: OnceLock<Box<dyn Middleware>>,
    /// Set only if the settings require it.
    body_first: OnceLock<BodyFirstRule>,
    /// Set only if a response of the handler may be a download.
    may_send_downloads: OnceLock<()>,
}

/// A handler that records the matched route for metrics and log before its guard runs.
#[derive(Clone)]
struct MeteredHandler<H> {
    handler: H,
    state: &'static RouteState,
}

impl<H, T> Handler<T, Handle> for MeteredHandler<H>
where
    H: Handler<T, Handle>,
    T: 'static,
{
    type Future = Guarded<H::Future>;

    fn call(self, request: Request, app: Handle) -> Self::Future {
        context::matched(self.state.number.load(Ordering::Relaxed));
        let RouteState { guard, middleware, body_first, may_send_downloads, .. } = self.state;
        match (guard.get(), middleware.get(), body_first.get(), may_send_downloads.get()) {
            (None, None, None, None) => Guarded::Open { future: self.handler.call(request, app) },
            (guard, middleware, body_first, downloads) => {
                let steps = Steps {
                    guard: guard.map(|it| &**it),
                    middleware: middleware.map(|it| &**it),
                    body_first: body_first.map(|rule| &*rule.0),
                    may_send_downloads: downloads.is_some(),
                };
                guard::ask(steps, self.handler, request, app)
            }
        }
    }
}

/// Defines a constructor of routes for each method.
macro_rules! route_constructors {
    ($($(#[$doc:meta])* $name:ident $method:ident)*) => {
        $(
            $(#[$doc])*
            #[must_use = "a route does nothing until it is given to `App::route` or a `Blueprint`"]
            #[track_caller]
            pub fn $name<H, T>(path: impl Into<Cow<'static, str>>, handler: H) -> Route
            where
                H: Handler<T, Handle>,
                T: HandlerArguments,
            {
                route(&[Method::$method], path, handler)
            }
        )*
    };
}

route_constructors! {
    /// Creates a route for `GET`, and for `HEAD`.
    ///
    /// ```
    /// use piton::prelude::*;
    /// use piton::http::get;
    ///
    /// async fn hello() -> &'static str { "hello" }
    ///
    /// let app = App::new("by_hand").route(get("/hello", hello));
    /// ```
    get GET
    /// Creates a route for `POST`.
    post POST
    /// Creates a route for `PUT`.
    put PUT
    /// Creates a route for `PATCH`.
    patch PATCH
    /// Creates a route for `DELETE`.
    delete DELETE
}

/// Creates a route for several methods.
///
/// # Panics
/// If a method is not one of those that RFC 9110 and RFC 5789 define.
#[must_use = "a route does nothing until it is given to `App::route` or a `Blueprint`"]
#[track_caller]
pub fn route<H, T>(methods: &[Method], path: impl Into<Cow<'static, str>>, handler: H) -> Route
where
    H: Handler<T, Handle>,
    T: HandlerArguments,
{
    let filter = methods
        .iter()
        .map(|method| {
            MethodFilter::try_from(method.clone())
                .unwrap_or_else(|_| panic!("`{method}` is not a method of HTTP"))
        })
        .reduce(MethodFilter::or)
        .expect("a route has at least one method");
    let state = RouteState::leak();
    let endpoint = axum::routing::on(filter, MeteredHandler { handler, state });
    let path = path_encoding::encode_or_keep(path.into());
    Route { methods: methods.to_vec(), ..Route::new::<H, T>(path, endpoint, state) }
}

/// Creates the route of `App::fallback`: for every method, and for every path that has no route.
#[track_caller]
pub(crate) fn fallback<H, T>(handler: H) -> Route
where
    H: Handler<T, Handle>,
    T: HandlerArguments,
{
    let state = RouteState::leak();
    let endpoint = axum::routing::any(MeteredHandler { handler, state });
    Route {
        methods: Vec::new(),
        listed: false,
        is_fallback: true,
        ..Route::new::<H, T>(Cow::Borrowed(""), endpoint, state)
    }
}

impl RouteState {
    /// Creates the state of a route that is not served yet. Leaked, because routes live as long as the program and
    /// axum clones the handler for each request.
    fn leak() -> &'static Self {
        Box::leak(Box::new(Self {
            number: AtomicU32::new(UNMATCHED),
            guard: OnceLock::new(),
            middleware: OnceLock::new(),
            body_first: OnceLock::new(),
            may_send_downloads: OnceLock::new(),
        }))
    }
}

impl Route {
    /// Creates a route without methods.
    #[track_caller]
    fn new<H, T: HandlerArguments>(
        path: Cow<'static, str>,
        endpoint: MethodRouter<Handle>,
        state: &'static RouteState,
    ) -> Self {
        Self {
            methods: Vec::new(),
            path,
            endpoint,
            arguments: T::types(),
            operation: Operation::default(),
            handler: std::any::type_name::<H>(),
            doc: "",
            source: Location::caller().into(),
            tag: None,
            listed: true,
            state,
            guard: None,
            guard_body_first: None,
            guard_source: None,
            public: false,
            middleware: None,
            described: DescribedBy::Nothing,
            is_fallback: false,
            errors: Vec::new(),
        }
    }

    /// Sets the number of the route's metrics series.
    pub(crate) fn count_as(&self, number: PathIndex) {
        self.state.number.store(number, Ordering::Relaxed);
    }

    /// Sets the guard that runs before the handler, and before the body is read. A route has one
    /// guard: its own, set by `#[protected]` or `#[public]`, takes precedence over its blueprint's.
    #[must_use]
    pub fn guard(self, guard: impl Guard) -> Self {
        self.boxed_guard(Box::new(guard))
    }

    fn boxed_guard(mut self, guard: Box<dyn Guard>) -> Self {
        let of_arguments = self.operation.body_first.take();
        guard.describe(&mut self.operation);
        self.guard_body_first = std::mem::replace(&mut self.operation.body_first, of_arguments);
        if !guard.is_open() && is_silent(&*guard) {
            self.operation.undocumented(guard.type_name());
        }
        self.guard = Some(guard);
        self.guard_source = None;
        self.public = false;
        self
    }

    /// Lets every caller pass, also below a blueprint with a guard.
    #[must_use]
    pub fn public(self) -> Self {
        Self { public: true, ..self.guard(OpenGuard) }
    }

    /// Sets the guard of the blueprint, unless the route has its own.
    pub(crate) fn or_guard(self, make: Option<MakeGuard>) -> Self {
        match (&self.guard, make) {
            (None, Some(make)) => self.boxed_guard(make()),
            _ => self,
        }
    }

    /// Lists the route under this tag in the OpenAPI document, instead of its blueprint's tag.
    #[must_use]
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tag = Some(tag);
        self
    }

    /// Puts `middleware` between the guard and the handler: it sees each request that the guard lets
    /// pass, and its response, and may respond itself. A route has one; `#[cached]` is one.
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        middleware.describe(&mut self.operation);
        self.middleware = Some(Box::new(middleware));
        self
    }

    /// Returns the reason why the middleware cannot work on this route, if it cannot.
    pub(crate) fn middleware_problem(&self) -> Option<String> {
        let guarded = self.guard.as_ref().is_some_and(|guard| !guard.is_open());
        let surroundings = RouteContext {
            methods: &self.methods,
            path: &self.path,
            guarded,
            operation: &self.operation,
        };
        self.middleware.as_ref()?.problem(&surroundings)
    }

    /// Activates guard, middleware and body rule. Done last, because steps before may still change them.
    pub(crate) fn post_guard(&mut self, config: &Config) {
        let names = self.arguments.iter().map(|argument| argument.name);
        let of_arguments = || BodyFirstRule::of_arguments(names);
        let rule = self.guard_body_first.take().or_else(|| self.operation.body_first.clone());
        let rule = rule.or_else(of_arguments);
        if let Some(rule) = rule.filter(|rule| rule.0.applies(config)) {
            let _ = self.state.body_first.set(rule);
        }
        if let Some(guard) = self.guard.take() {
            let _ = self.state.guard.set(guard);
        }
        if let Some(middleware) = self.middleware.take() {
            let _ = self.state.middleware.set(middleware);
        }
        let is_described = self.described != DescribedBy::Nothing;
        if cfg!(feature = "files") && (!is_described || self.operation.may_send_downloads()) {
            let _ = self.state.may_send_downloads.set(());
        }
    }

    /// Describes the arguments and responses of the handler. The route macros call it with
    /// [`describe!`](crate::describe!), which reads them from the handler's types.
    #[must_use]
    pub fn describe(mut self, describe: impl FnOnce(&mut Operation)) -> Self {
        describe(&mut self.operation);
        if let Some(middleware) = &self.middleware {
            // Repeated, because it adds headers to responses that are described only now.
            middleware.describe(&mut self.operation);
        }
        self.described = DescribedBy::Hand;
        self
    }

    /// Marks the description as that of the handler's types alone, so that `routes --explain` prints it.
    #[doc(hidden)]
    #[must_use]
    pub fn described_by_types(mut self) -> Self {
        self.described = DescribedBy::Attribute;
        self
    }

    /// Documents an error response of the handler by its status: see
    /// [`Operation::error`]. `#[errors(404 = "..")]` under a route's attribute calls it.
    ///
    /// # Panics
    /// If `status` is not from 400 to 599.
    #[must_use]
    #[track_caller]
    pub fn error(mut self, status: u16, description: &'static str) -> Self {
        assert!((400..600).contains(&status), "{status} is not the status of an error");
        let status = StatusCode::from_u16(status).expect("400 to 599 are statuses");
        self.operation.error(status, description);
        self.errors.push(DocumentedError { status, description });
        self
    }

    /// Sets limits of this route in place of `http.body_limit` and `http.timeout`. `#[limits(..)]` under a route's
    /// attribute calls it. Limits of its blueprint apply to what these leave out.
    #[must_use]
    pub fn limits(mut self, limits: RouteLimits) -> Self {
        self.operation.limits = limits.or(self.operation.limits);
        self
    }

    /// Sets the limits of the blueprint, unless the route has its own.
    pub(super) fn or_limits(mut self, limits: RouteLimits) -> Self {
        self.operation.limits = self.operation.limits.or(limits);
        self
    }

    /// Sets the documentation: the first paragraph is the summary.
    #[must_use]
    pub fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Leaves the route out of the OpenAPI document, for internal routes.
    #[must_use]
    pub fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }

    /// Declares that the handler uses the part `P` without taking it as an argument.
    #[must_use]
    pub fn needs<P: Part>(mut self) -> Self {
        self.operation.needs::<P>();
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub fn at(mut self, file: &'static str, line: u32) -> Self {
        self.source = SourceLocation { file, line };
        self
    }

    pub(crate) fn needed_parts(&self) -> impl Iterator<Item = &Dependency> {
        self.operation.needs.0.iter()
    }

    /// Returns whether the handler may read `axum::extract::ConnectInfo` from its request: one of its
    /// arguments is that type, or declares it ([`Operation::reads_peer_address`]), or is a type that
    /// declares nothing of what it reads.
    pub(crate) fn wants_peer_address(&self) -> bool {
        if self.arguments.iter().any(ArgumentType::is_peer_address) {
            return true;
        }
        match self.described {
            // Nothing is declared for a route made by hand, so that only well-known types count.
            DescribedBy::Nothing => {
                !self.arguments.iter().all(ArgumentType::is_known_not_to_read_peer_address)
            }
            DescribedBy::Hand | DescribedBy::Attribute => self.operation.wants_peer_address(),
        }
    }

    /// Returns the descriptions of the route, one for each method.
    pub(crate) fn infos(&self) -> impl Iterator<Item = RouteInfo> {
        let summary = self.doc.split("\n\n").next().unwrap_or_default().trim();
        let mut operation = self.operation.clone();
        if self.described == DescribedBy::Nothing && !self.arguments.is_empty() {
            operation
                .undocumented("a route made by hand without `.describe(piton::describe!(..))`");
        }
        let operation = Arc::new(operation);
        self.methods.iter().map(move |method| RouteInfo {
            method: method.clone(),
            path: self.path.to_string(),
            handler: self.handler,
            summary,
            source: self.source,
            tag: self.tag,
            doc: self.doc,
            operation: operation.clone(),
            listed: self.listed,
        })
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} -> {} ({})", self.methods, self.path, self.handler, self.source)
    }
}

/// Returns true if `guard` describes no security scheme, so that a document would show its routes
/// as public.
fn is_silent(guard: &dyn Guard) -> bool {
    let mut operation = Operation::default();
    guard.describe(&mut operation);
    operation.security_schemes().is_empty() && operation.optional_security_schemes().is_empty()
}

/// The guard that lets every caller pass.
struct OpenGuard;

impl Guard for OpenGuard {
    fn describe(&self, _: &mut Operation) {}

    fn check<'a>(
        &'a self,
        _: &'a mut http::request::Parts,
        _: &'a Handle,
    ) -> crate::http::routing::guard::GuardFuture<'a> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn is_open(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn no_arguments() {}
    async fn two_arguments(_: Method, _: String) {}

    #[test]
    fn a_route_knows_its_arguments_and_its_line() {
        assert!(get("/", no_arguments).arguments.is_empty());
        let route = post("/x", two_arguments);
        let names: Vec<_> = route.arguments.iter().map(|argument| argument.name).collect();
        assert_eq!(names, ["http::method::Method", "alloc::string::String"]);
        assert!(route.source.file.ends_with("http/routing/route.rs"));
        assert!(route.handler.ends_with("two_arguments"));
    }

    struct Own;

    impl<S: Sync> axum::extract::FromRequestParts<S> for Own {
        type Rejection = ();
        async fn from_request_parts(_: &mut http::request::Parts, _: &S) -> Result<Self, ()> {
            Ok(Self)
        }
    }

    #[test]
    fn the_peers_address_is_given_to_handlers_that_may_read_it() {
        use axum::extract::ConnectInfo;
        async fn asks(_: ConnectInfo<std::net::SocketAddr>) {}
        async fn might(_: Method, _: Own) {}
        assert!(get("/", asks).wants_peer_address() && get("/", might).wants_peer_address());
        assert!(!get("/", no_arguments).wants_peer_address());
        assert!(!get("/", two_arguments).wants_peer_address());
    }
}
