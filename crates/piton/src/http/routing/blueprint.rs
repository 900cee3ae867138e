//! Prefixes, tags and guards for the routes of a module (`blueprint!`) or of a list (`Blueprint`).

use std::borrow::Cow;

use super::guard::Guard;
use super::path_encoding;
use super::route::Route;
use super::route_info::SourceLocation;
use super::route_limits::RouteLimits;

/// The constructor of a guard, stored until the routes of its module are known.
pub type MakeGuard = fn() -> Box<dyn Guard>;

/// A group of routes with one prefix, made by hand. The macro [`blueprint!`](crate::blueprint!) does it
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
    limits: RouteLimits,
    routes: Vec<Route>,
}

impl Blueprint {
    /// Creates a blueprint without routes.
    #[must_use]
    pub fn new(prefix: impl Into<Cow<'static, str>>) -> Self {
        Self {
            prefix: prefix.into(),
            tag: None,
            guard: None,
            limits: RouteLimits::new(),
            routes: Vec::new(),
        }
    }

    /// Sets the tag under which the OpenAPI document lists the routes.
    #[must_use]
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tag = Some(tag);
        self
    }

    /// Sets the guard of every route that has none of its own:
    /// `.guard(|| Box::new(jwt::TokenGuard::new()))`.
    #[must_use]
    pub fn guard(mut self, make: MakeGuard) -> Self {
        self.guard = Some(make);
        self
    }

    /// Sets limits of every route in place of `http.body_limit` and `http.timeout`. A route's own
    /// [`limits`](Route::limits) take precedence.
    #[must_use]
    pub fn limits(mut self, limits: RouteLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds a route.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Returns the routes with prefix, tag and guard applied.
    pub(crate) fn into_routes(self) -> impl Iterator<Item = Route> {
        self.routes.into_iter().map(move |route| Route {
            path: with_prefix(&self.prefix, &route.path).into(),
            tag: route.tag.or(self.tag),
            ..route.or_guard(self.guard).or_limits(self.limits)
        })
    }
}

/// A route that a macro has registered.
pub struct Registration {
    /// `module_path!()` of the handler.
    pub module: &'static str,
    /// Creates the route.
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
    /// The guard of its routes that have none of their own.
    pub guard: Option<MakeGuard>,
    /// The expression of `guard = ..`, as written in the code.
    pub guard_source: Option<&'static str>,
    /// The line of the `blueprint!`.
    pub source: SourceLocation,
}

inventory::collect!(Registration);
inventory::collect!(ModulePrefix);

/// Gives the routes of this module, and of the modules inside, a prefix and a tag, and with
/// `protected` a guard: `blueprint!("/user", tag = "users", protected)` is the same as `#[protected]`
/// over each of them. A route's own `#[protected(..)]` or `#[public]` takes precedence.
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

/// Joins `/user` and `/me` to `/user/me`, and `/user` and `/` to `/user`. Percent-encodes the result.
pub(crate) fn with_prefix(prefix: &str, path: &str) -> String {
    let prefix = prefix.trim_end_matches('/');
    let joined = match path {
        "" | "/" if !prefix.is_empty() => prefix.to_owned(),
        // Kept, so that it is refused at launch: joined, it would be served as `/userme`.
        _ if !path.is_empty() && !path.starts_with('/') => return path.to_owned(),
        _ => format!("{prefix}{path}"),
    };
    path_encoding::encode_or_keep(joined.into()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(with_prefix(prefix, path), whole, "{prefix} + {path}");
        }
    }
}
