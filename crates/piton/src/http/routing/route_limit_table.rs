//! Finds the limits of a request before the router, where the stack applies them.
//!
//! Apps without routes that have limits of their own have no table, and pay one read of a flag.

use std::fmt;
use std::time::Duration;

use http::Method;

use super::operation::Operation;
use super::route::Route;
use super::route_info::RouteInfo;
use super::route_limits::RouteLimits;
use crate::config::ByteSize;
use crate::http::settings::HttpSettings;
use crate::memory::{self, MemoryLimit};

/// The limits that apply to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestLimits {
    pub body: usize,
    pub timeout: Duration,
    /// Set if the route has a timeout of its own, for the log line of a request that exceeds it.
    pub has_own_timeout: bool,
}

impl RequestLimits {
    /// Returns the limits of requests whose route has none of its own.
    pub fn of_settings(http: &HttpSettings) -> Self {
        Self { body: http.body_limit.as_usize(), timeout: http.timeout, has_own_timeout: false }
    }

    /// Returns these limits with those of a route in their place.
    fn with(self, route: RouteLimits) -> Self {
        Self {
            body: route.max_body().map_or(self.body, ByteSize::as_usize),
            timeout: route.max_time().unwrap_or(self.timeout),
            has_own_timeout: route.max_time().is_some(),
        }
    }

    /// Returns the name of the limit of time, for the log.
    pub fn timeout_name(&self) -> &'static str {
        if self.has_own_timeout { "the timeout of its route" } else { "http.timeout" }
    }
}

/// The routes of an app that has some with limits of their own. It holds all routes, because a path such as
/// `/files/list` must not get the limits of `/files/{id}`.
pub(crate) struct RouteLimitTable {
    paths: matchit::Router<Vec<(Method, RouteLimits)>>,
}

impl RouteLimitTable {
    /// Builds the table. Returns `None` if no route has limits of its own.
    pub fn of(routes: &[RouteInfo]) -> Option<Self> {
        if routes.iter().all(|route| route.operation.limits().is_empty()) {
            return None;
        }
        let mut paths = matchit::Router::new();
        // Routes of one path are neighbours, because the list is in the order of the paths.
        for same_path in routes.chunk_by(|one, other| one.path == other.path) {
            let limits =
                same_path.iter().map(|route| (route.method.clone(), *route.operation.limits()));
            // Never fails, because the paths have been checked at launch.
            let _ = paths.insert(same_path[0].path.clone(), limits.collect());
        }
        Some(Self { paths })
    }

    /// Returns the limits of a request: those of its route, and `default` for what that leaves out.
    pub fn find(&self, method: &Method, path: &str, default: RequestLimits) -> RequestLimits {
        let Ok(found) = self.paths.at(path) else { return default };
        let of = |wanted: &Method| found.value.iter().find(|(method, _)| method == wanted);
        let limits =
            of(method).or_else(|| if *method == Method::HEAD { of(&Method::GET) } else { None });
        limits.map_or(default, |(_, limits)| default.with(*limits))
    }
}

impl fmt::Debug for RouteLimitTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteLimitTable")
    }
}

/// Returns the problems of limits that no request could use: a body that is read into memory and does not fit
/// into `http.memory_budget`, a time of zero.
pub(crate) fn limit_problems(routes: &[Route], http: &HttpSettings) -> Vec<String> {
    routes.iter().filter_map(|route| limit_problem(route, http, memory::limit())).collect()
}

fn limit_problem(
    route: &Route,
    http: &HttpSettings,
    memory: Option<&MemoryLimit>,
) -> Option<String> {
    let limits = route.operation.limits();
    if limits.max_time().is_some_and(|timeout| timeout.is_zero()) {
        return Some(format!("{route:?} has a timeout of zero\n    fix: a longer one"));
    }
    let body = limits.max_body().filter(|_| reads_into_memory(&route.operation))?;
    let budget = http.memory_budget(memory);
    let needed = ByteSize::bytes(body.as_u64().saturating_add(body.as_u64() / 4));
    (needed > budget).then(|| {
        format!(
            "{route:?} accepts bodies of {body} and reads them into memory, but http.memory_budget is {budget}\n    \
             fix: http.memory_budget={needed}, a smaller limit, or an argument that reads in pieces, such as \
             `Multipart` or `axum::body::Body`"
        )
    })
}

/// Returns whether the handler's argument reads the whole body into memory, as far as its type is described.
fn reads_into_memory(operation: &Operation) -> bool {
    operation.read_body().is_some() && !operation.streams_body()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routing::routing_table::infos;
    use crate::http::{get, post, route};

    async fn handler() {}

    fn mib(count: u64) -> RouteLimits {
        RouteLimits::new().body(ByteSize::mib(count))
    }

    #[test]
    fn a_request_gets_the_limits_of_its_own_route() {
        let routes = [
            get("/files/{id}", handler).limits(mib(3)),
            post("/files/{id}", handler).limits(mib(5)),
            route(&[Method::PUT], "/files/list", handler),
        ];
        let table = RouteLimitTable::of(&infos(&routes)).unwrap();
        let default = RequestLimits::of_settings(&HttpSettings::default());
        let body = |method: Method, path| table.find(&method, path, default).body >> 20;
        assert_eq!([body(Method::GET, "/files/7"), body(Method::HEAD, "/files/7")], [3, 3]);
        assert_eq!([body(Method::POST, "/files/7"), body(Method::PUT, "/files/7")], [5, 2]);
        assert_eq!([body(Method::PUT, "/files/list"), body(Method::GET, "/none")], [2, 2]);
    }

    #[test]
    fn an_app_without_such_routes_has_no_table() {
        assert!(RouteLimitTable::of(&infos(&[get("/", handler)])).is_none());
    }

    #[test]
    fn a_body_in_memory_has_to_fit_into_the_budget_and_a_streamed_one_need_not() {
        let memory = MemoryLimit::of_container(256 << 20);
        let http = HttpSettings::default();
        let problem = |of: fn(&mut Operation)| {
            let route = post("/x", handler).describe(of).limits(mib(100));
            limit_problem(&route, &http, Some(&memory))
        };
        let text = problem(|operation| operation.any_body("text/plain")).unwrap();
        assert!(text.contains("http.memory_budget=125MiB") && text.contains("64MiB"), "{text}");
        assert!(text.contains("route_limit_table.rs"), "{text}");
        assert_eq!(problem(|_| {}), None);
        let streams = problem(|operation| {
            operation.any_body("text/plain");
            operation.reads_body_in_pieces();
        });
        assert_eq!(streams, None);
    }
}
