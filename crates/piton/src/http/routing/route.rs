//! Routes and blueprints: where handlers are found, by the scan or by hand.
//!
//! `#[get("/me")]` over a function emits one call of [`get`] and registers it; `blueprint!` gives
//! the routes of a module their prefix. Nothing here is magic: `App::route(get("/me", me))` does
//! the same without the scan.

use std::any::TypeId;
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
use crate::http::routing::guard::{self, Guard, Guarded};
use crate::http::routing::middleware::{Middleware, RouteContext};
use crate::http::routing::operation::{BodyFirstRule, DocumentedError, Operation};
use crate::http::routing::path_encoding;
use crate::metrics::{PathIndex, UNMATCHED};
use crate::part::{Dependency, Part};

/// One way into the service: methods, a path, a handler, and what is known of it.
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
    /// Whether it is part of what the service offers: in lists and in the OpenAPI document.
    pub(crate) listed: bool,
    /// What its handler knows of the route.
    state: &'static RouteState,
    pub(crate) guard: Option<Box<dyn Guard>>,
    /// The guard's rule for reading bodies first. It outranks that of the arguments.
    guard_body_first: Option<BodyFirstRule>,
    /// The expression of the attribute's guard.
    pub(crate) guard_source: Option<SourceText>,
    pub(crate) public: bool,
    pub(crate) middleware: Option<Box<dyn Middleware>>,
    pub(crate) described: Described,
    /// The errors listed by the route's attribute.
    pub(crate) errors: Vec<DocumentedError>,
}

/// An expression in the code of a module, for `routes --explain`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceText {
    pub module: &'static str,
    pub text: &'static str,
}

/// The source of the description of a route's handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Described {
    /// The handler has no description.
    Not,
    /// `Route::describe`, called by hand.
    ByHand,
    /// The types of the handler, read by its attribute.
    ByAttribute,
}

/// What is known of a route once the service has been put together.
struct RouteState {
    /// The number of its path in the figures.
    number: AtomicU32,
    guard: OnceLock<Box<dyn Guard>>,
    middleware: OnceLock<Box<dyn Middleware>>,
    /// Set only if the settings require it.
    body_first: OnceLock<BodyFirstRule>,
}

/// Makes a guard: what `blueprint!` keeps until the routes of its module are known.
pub type MakeGuard = fn() -> Box<dyn Guard>;

/// A handler that says which path has been matched, before it does its work or a guard is asked.
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
        let RouteState { guard, middleware, body_first, .. } = self.state;
        match (guard.get(), middleware.get(), body_first.get()) {
            (None, None, None) => Guarded::Open { future: self.handler.call(request, app) },
            (guard, middleware, body_first) => {
                let (guard, middleware) = (guard.map(|it| &**it), middleware.map(|it| &**it));
                let body_first = body_first.map(|rule| &*rule.0);
                guard::ask(guard, middleware, body_first, self.handler, request, app)
            }
        }
    }
}

/// A line of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLocation {
    /// The file, as the compiler names it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl From<&'static Location<'static>> for SourceLocation {
    fn from(location: &'static Location<'static>) -> Self {
        Self { file: location.file(), line: location.line() }
    }
}

/// A served route, as `routes` lists it.
#[derive(Clone, Debug)]
pub struct RouteInfo {
    /// The method.
    pub method: Method,
    /// The whole path, prefixes joined.
    pub path: String,
    /// The handler's path in the code, such as `registry::apis::companies::create`.
    pub handler: &'static str,
    /// The first paragraph of the handler's doc comment.
    pub summary: &'static str,
    /// The line of the route.
    pub source: SourceLocation,
    /// The tag of its blueprint.
    pub tag: Option<&'static str>,
    /// The handler's whole doc comment.
    pub doc: &'static str,
    /// What the handler reads and answers.
    pub operation: Arc<Operation>,
    /// Whether the OpenAPI document lists it; see [`Route::unlisted`].
    pub listed: bool,
}

/// The type of one argument of a handler.
#[derive(Clone, Copy, Debug)]
pub struct ArgumentType {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

/// The argument types of a handler, read from the tuple by which axum tells handlers apart. That
/// is how a route made by hand is known to take `Db` without saying so.
pub trait Arguments: 'static {
    /// The types, in their order.
    fn types() -> Vec<ArgumentType>;
}

impl Arguments for ((),) {
    fn types() -> Vec<ArgumentType> {
        Vec::new()
    }
}

macro_rules! arguments {
    ($($argument:ident)*) => {
        impl<M: 'static, $($argument: 'static),*> Arguments for (M, $($argument,)*) {
            fn types() -> Vec<ArgumentType> {
                vec![$(ArgumentType {
                    id: TypeId::of::<$argument>(),
                    name: std::any::type_name::<$argument>(),
                }),*]
            }
        }
    };
}

arguments!(T1);
arguments!(T1 T2);
arguments!(T1 T2 T3);
arguments!(T1 T2 T3 T4);
arguments!(T1 T2 T3 T4 T5);
arguments!(T1 T2 T3 T4 T5 T6);
arguments!(T1 T2 T3 T4 T5 T6 T7);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15 T16);

/// Makes one function a method.
macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident $method:ident)*) => {
        $(
            $(#[$doc])*
            #[must_use = "a route does nothing until it is given to `App::route` or a `Blueprint`"]
            #[track_caller]
            pub fn $name<H, T>(path: impl Into<Cow<'static, str>>, handler: H) -> Route
            where
                H: Handler<T, Handle>,
                T: Arguments,
            {
                route(&[Method::$method], path, handler)
            }
        )*
    };
}

verbs! {
    /// A route for `GET`, and for `HEAD`.
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
    /// A route for `POST`.
    post POST
    /// A route for `PUT`.
    put PUT
    /// A route for `PATCH`.
    patch PATCH
    /// A route for `DELETE`.
    delete DELETE
}

/// A route for several methods.
///
/// # Panics
/// When a method is none of those that HTTP itself defines.
#[must_use = "a route does nothing until it is given to `App::route` or a `Blueprint`"]
#[track_caller]
pub fn route<H, T>(methods: &[Method], path: impl Into<Cow<'static, str>>, handler: H) -> Route
where
    H: Handler<T, Handle>,
    T: Arguments,
{
    let filter = methods
        .iter()
        .map(|method| {
            MethodFilter::try_from(method.clone())
                .unwrap_or_else(|_| panic!("`{method}` is not a method of HTTP"))
        })
        .reduce(MethodFilter::or)
        .expect("a route has at least one method");
    // Routes live as long as the program; this way their handlers are cloned for nothing.
    let state: &'static RouteState = Box::leak(Box::new(RouteState {
        number: AtomicU32::new(UNMATCHED),
        guard: OnceLock::new(),
        middleware: OnceLock::new(),
        body_first: OnceLock::new(),
    }));
    let endpoint = axum::routing::on(filter, MeteredHandler { handler, state });
    Route {
        methods: methods.to_vec(),
        path: path_encoding::encode_or_keep(path.into()),
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
        described: Described::Not,
        errors: Vec::new(),
    }
}

impl Route {
    /// Gives the path its number in the figures.
    pub(crate) fn count_as(&self, number: PathIndex) {
        self.state.number.store(number, Ordering::Relaxed);
    }

    /// Asks `guard` before the handler, and before anything of the body is read. A route has one
    /// guard: its own, which `#[protected]` and `#[public]` say, outranks its blueprint's.
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

    /// Lets everybody pass, whatever the blueprint says.
    #[must_use]
    pub fn public(self) -> Self {
        Self { public: true, ..self.guard(Everybody) }
    }

    /// The guard of its blueprint, unless it has its own.
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

    /// Puts `around` between the guard and the handler: it sees each request that the guard lets
    /// pass, and its answer, and may answer itself. A route has one; `#[cached]` is such.
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        middleware.describe(&mut self.operation);
        self.middleware = Some(Box::new(middleware));
        self
    }

    /// Why what stands around the handler cannot work here.
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

    /// From here on the guard is asked.
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
    }

    /// Describes the arguments and responses of the handler. The route macros call it with
    /// [`describe!`](crate::describe!), which reads them from the handler's types.
    #[must_use]
    pub fn describe(mut self, describe: impl FnOnce(&mut Operation)) -> Self {
        describe(&mut self.operation);
        if let Some(middleware) = &self.middleware {
            // What it adds to the answers holds for those described after it as well.
            middleware.describe(&mut self.operation);
        }
        self.described = Described::ByHand;
        self
    }

    /// Documents an error that the handler may answer, by its status: see
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

    /// The route's documentation: a first paragraph that sums it up, then the rest.
    #[must_use]
    pub fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Leaves the route out of the OpenAPI document: for what is nobody else's business.
    #[must_use]
    pub fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }

    /// The handler takes the part `P` in a way its arguments do not show.
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

    /// Whether an argument may ask for `axum::extract::ConnectInfo`: that one itself, and what is
    /// neither a part nor of the crates whose extractors are known not to.
    pub(crate) fn may_ask_for_peer(&self) -> bool {
        const KNOWN: [&str; 11] = [
            "piton::auth::",
            "piton::http::extract::",
            "piton::http::listing::",
            "piton::http::valid::",
            "piton::handle::",
            "axum::",
            "axum_core::",
            "http::",
            "bytes::",
            "alloc::",
            "core::",
        ];
        let silent = |argument: &ArgumentType| {
            let known = KNOWN.iter().any(|place| argument.name.starts_with(place));
            !argument.name.contains("ConnectInfo")
                && (known || super::routing_table::descriptor_of(argument.id).is_some())
        };
        !self.arguments.iter().all(silent)
    }

    pub(crate) fn infos(&self) -> impl Iterator<Item = RouteInfo> {
        let summary = self.doc.split("\n\n").next().unwrap_or_default().trim();
        let mut operation = self.operation.clone();
        if self.described == Described::Not && !self.arguments.is_empty() {
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

/// The guard that lets everybody pass.
struct Everybody;

impl Guard for Everybody {
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

/// A group of routes with one prefix, by hand. The macro [`blueprint!`](crate::blueprint!) does it
/// for the routes of a module.
///
/// ```
/// use piton::prelude::*;
/// use piton::http::{Blueprint, get};
///
/// async fn me() -> &'static str { "me" }
///
/// let app = App::new("by_hand").blueprint(Blueprint::new("/user").tag("users").route(get("/me", me)));
/// ```
#[derive(Debug)]
pub struct Blueprint {
    prefix: Cow<'static, str>,
    tag: Option<&'static str>,
    guard: Option<MakeGuard>,
    routes: Vec<Route>,
}

impl Blueprint {
    /// A blueprint without routes.
    #[must_use]
    pub fn new(prefix: impl Into<Cow<'static, str>>) -> Self {
        Self { prefix: prefix.into(), tag: None, guard: None, routes: Vec::new() }
    }

    /// The tag under which the document lists the routes.
    #[must_use]
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tag = Some(tag);
        self
    }

    /// Asks a guard before every route that has none of its own:
    /// `.guard(|| Box::new(jwt::TokenGuard::new()))`.
    #[must_use]
    pub fn guard(mut self, make: MakeGuard) -> Self {
        self.guard = Some(make);
        self
    }

    /// Adds a route.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// The routes, their paths behind the prefix.
    pub(crate) fn into_routes(self) -> impl Iterator<Item = Route> {
        self.routes.into_iter().map(move |route| Route {
            path: join(&self.prefix, &route.path).into(),
            tag: route.tag.or(self.tag),
            ..route.or_guard(self.guard)
        })
    }
}

/// A route that a macro has registered.
pub struct Registration {
    /// `module_path!()` of the handler.
    pub module: &'static str,
    /// Makes the route.
    pub route: fn() -> Route,
    /// The expression of `#[protected(guard = ..)]`, as written in the code.
    pub guard: Option<&'static str>,
}

/// A prefix that [`blueprint!`](crate::blueprint!) has given to a module.
#[derive(Debug)]
pub struct ModulePrefix {
    /// `module_path!()` of the module.
    pub module: &'static str,
    /// The prefix of its routes and of those of the modules in it.
    pub prefix: &'static str,
    /// The tag of its routes.
    pub tag: Option<&'static str>,
    /// What is asked before those of its routes that do not say it themselves.
    pub guard: Option<MakeGuard>,
    /// The expression of `guard = ..`, as written in the code.
    pub guard_source: Option<&'static str>,
    /// Where it was said.
    pub source: SourceLocation,
}

inventory::collect!(Registration);
inventory::collect!(ModulePrefix);

/// Gives the routes of the module it stands in, and of the modules inside, a prefix and a tag, and
/// with `protected` a guard: `blueprint!("/user", tag = "users", protected)` stands for `#[protected]`
/// over each of them. What a route says itself (`#[protected(..)]`, `#[public]`) outranks it.
///
/// ```
/// mod user {
///     use piton::prelude::*;
///
///     piton::blueprint!("/user", tag = "users");
///
///     #[get("/me")] // served at /user/me
///     async fn me() -> &'static str { "me" }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! blueprint {
    ($prefix:literal $(, tag = $tag:literal)? $(,)?) => {
        $crate::blueprint!(
            @submit $prefix,
            $crate::blueprint!(@tag $($tag)?),
            ::core::option::Option::None,
            ::core::option::Option::None
        );
    };
    ($prefix:literal $(, tag = $tag:literal)?, protected $(,)?) => {
        $crate::blueprint!(
            @submit $prefix,
            $crate::blueprint!(@tag $($tag)?),
            ::core::option::Option::Some(|| ::std::boxed::Box::new($crate::auth::jwt::TokenGuard::new())),
            ::core::option::Option::None
        );
    };
    ($prefix:literal $(, tag = $tag:literal)?, guard = $guard:expr $(,)?) => {
        $crate::blueprint!(
            @submit $prefix,
            $crate::blueprint!(@tag $($tag)?),
            ::core::option::Option::Some(|| ::std::boxed::Box::new($guard)),
            ::core::option::Option::Some(::core::stringify!($guard))
        );
    };
    (@submit $prefix:literal, $tag:expr, $guard:expr, $guard_source:expr) => {
        $crate::__private::inventory::submit! {
            $crate::http::ModulePrefix {
                module: ::core::module_path!(),
                prefix: $prefix,
                tag: $tag,
                guard: $guard,
                guard_source: $guard_source,
                source: $crate::http::SourceLocation { file: ::core::file!(), line: ::core::line!() },
            }
        }
    };
    (@tag) => { ::core::option::Option::None };
    (@tag $tag:literal) => { ::core::option::Option::Some($tag) };
}

/// `/user` and `/me` as `/user/me`; `/user` and `/` as `/user`. Percent-encoded, as a URL has it.
pub(crate) fn join(prefix: &str, path: &str) -> String {
    let prefix = prefix.trim_end_matches('/');
    let joined = match path {
        "" | "/" if !prefix.is_empty() => prefix.to_owned(),
        // Refused at launch: `/user` and `me` would otherwise be served as `/userme`.
        _ if !path.is_empty() && !path.starts_with('/') => return path.to_owned(),
        _ => format!("{prefix}{path}"),
    };
    path_encoding::encode_or_keep(joined.into()).into_owned()
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
    fn the_peers_address_is_told_to_those_who_may_ask() {
        use axum::extract::ConnectInfo;
        async fn asks(_: ConnectInfo<std::net::SocketAddr>) {}
        async fn might(_: Method, _: Own) {}
        assert!(get("/", asks).may_ask_for_peer() && get("/", might).may_ask_for_peer());
        assert!(!get("/", no_arguments).may_ask_for_peer());
        assert!(!get("/", two_arguments).may_ask_for_peer());
    }

    #[test]
    fn prefixes_join_without_doubled_or_lost_slashes() {
        for (prefix, path, whole) in [
            ("", "/", "/"),
            ("/", "/", "/"),
            ("", "/me", "/me"),
            ("/user", "/", "/user"),
            ("/user", "", "/user"),
            ("/user/", "/me", "/user/me"),
            ("/api/user", "/{id}", "/api/user/{id}"),
            ("/größe", "/ä", "/gr%C3%B6%C3%9Fe/%C3%A4"),
            ("/user", "me", "me"),
        ] {
            assert_eq!(join(prefix, path), whole, "{prefix} + {path}");
        }
    }
}
