//! Joins the registered routes into one router: the scan, the joined prefixes, and everything that can be
//! wrong with them, refused at launch with file and line.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::map_request;

use super::argument_types::descriptor_of;
use super::blueprint::{ModulePrefix, Registration, with_prefix};
use super::route::{DescribedBy, Route, SourceText};
use super::route_info::RouteInfo;
use super::unmatched::AppFallback;
use crate::config::Config;
use crate::context;
use crate::handle::Handle;
use crate::http::routing::path_encoding;
use crate::metrics::{PathIndex, RequestMetrics, UNMATCHED};

/// The routes that the macros registered for the app `name`, prefixes joined.
///
/// `modules` restricts the scan to some of the app's modules, as Gnar's `blueprint_modules` does;
/// `None` is all of them. The second value is a note for the log, where there is one to make.
pub(crate) fn scan(name: &str, modules: Option<&[String]>) -> (Vec<Route>, Vec<String>) {
    let root = name.replace('-', "_");
    let all: Vec<&Registration> = inventory::iter::<Registration>().collect();
    if modules.is_some_and(<[String]>::is_empty) {
        let left = match all.len() {
            0 => Vec::new(),
            left => {
                vec![format!("{left} routes of attributes are not served: the app calls `no_scan`")]
            }
        };
        return (Vec::new(), left);
    }
    let mut found: Vec<&Registration> =
        all.iter().copied().filter(|registered| is_within(registered.module, &root)).collect();
    let mut notes = Vec::new();
    if let Some(modules) = modules {
        // Blueprints may name modules of another crate, if the app has a name of its own.
        if found.is_empty() {
            found = all;
        }
        found.retain(|registered| {
            modules.iter().any(|module| is_named(registered.module, &root, module))
        });
        for module in
            modules.iter().filter(|module| !found.iter().any(|r| is_named(r.module, &root, module)))
        {
            notes.push(format!("No route lies in the blueprint module `{module}`"));
        }
    }
    let prefixes: Vec<&ModulePrefix> = inventory::iter::<ModulePrefix>().collect();
    (found.into_iter().map(|registered| placed(registered, &prefixes)).collect(), notes)
}

/// Returns the modules of all routes that attributes registered in this binary, one entry per route.
pub(crate) fn registered_modules() -> impl Iterator<Item = &'static str> {
    inventory::iter::<Registration>().map(|registered| registered.module)
}

/// Returns the route with the prefixes of its module and of the modules around that, outermost first.
fn placed(registered: &Registration, prefixes: &[&ModulePrefix]) -> Route {
    let mut around: Vec<_> =
        prefixes.iter().filter(|prefix| is_within(registered.module, prefix.module)).collect();
    around.sort_by_key(|prefix| prefix.module.len());
    let prefix =
        around.iter().fold(String::new(), |joined, prefix| with_prefix(&joined, prefix.prefix));
    let route = (registered.route)();
    let tag = around.iter().rev().find_map(|prefix| prefix.tag);
    let guard = around.iter().rev().find(|prefix| prefix.guard.is_some());
    let (module, text) = match (&route.guard, guard) {
        (None, Some(prefix)) => (prefix.module, prefix.guard_source),
        _ => (registered.module, registered.guard),
    };
    let mut route = route.or_guard(guard.and_then(|prefix| prefix.guard));
    route.guard_source = text.map(|text| SourceText { module, text });
    route.described = DescribedBy::Attribute;
    route.path = with_prefix(&prefix, &route.path).into();
    route.tag = route.tag.or(tag);
    route
}

/// Returns whether `module` is `root` or lies in it.
pub(crate) fn is_within(module: &str, root: &str) -> bool {
    module.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns whether `name` names `module`: as `user`, `app::user`, or `app.user` as in Python.
fn is_named(module: &str, root: &str, name: &str) -> bool {
    let name = name.replace('.', "::");
    is_within(module, &name) || is_within(module, &format!("{root}::{name}"))
}

/// Returns the problems of the routes: the same method and path twice, a path that does not parse, an
/// argument that nothing can give.
pub(crate) fn problems(routes: &[Route], states: impl Fn(TypeId) -> bool) -> Vec<String> {
    let mut problems: Vec<String> = routes.iter().filter_map(path_problem).collect();
    problems.extend(duplicates(routes));
    problems.extend(duplicate_fallback(routes));
    problems.extend(conflicts(routes));
    for route in routes {
        if let Some(problem) = route.middleware_problem() {
            problems.push(format!("{}: {problem}", who(route)));
        }
        for need in route.needed_parts().filter(|need| descriptor_of(need.id).is_none()) {
            problems.push(format!(
                "{} takes the part `{}`, which is not registered\n    fix: add `piton::part!({0});` next to its `impl Part`",
                who(route),
                need.type_name
            ));
        }
        for (_, state) in route.operation.states.iter().filter(|(id, _)| !states(*id)) {
            problems.push(format!(
                "{} takes `State<{state}>`, and the app has no such state\n    fix: call `.state(..)` with a `{state}` where the app is made",
                who(route),
            ));
        }
    }
    problems
}

fn who(route: &Route) -> String {
    if route.is_fallback {
        return format!("the fallback `{}` ({})", route.handler, route.source);
    }
    format!("the handler `{}` of {} ({})", route.handler, route.path, route.source)
}

fn duplicate_fallback(routes: &[Route]) -> Option<String> {
    let mut fallbacks = routes.iter().filter(|route| route.is_fallback);
    let (first, second) = (fallbacks.next()?, fallbacks.next()?);
    Some(format!(
        "the app has two fallbacks\n    `{}` at {}\n    `{}` at {}",
        first.handler, first.source, second.handler, second.source
    ))
}

fn path_problem(route: &Route) -> Option<String> {
    if route.is_fallback {
        return None;
    }
    let why = if !route.path.starts_with('/') {
        "a path begins with `/`".to_owned()
    } else if let Some(old) = path_encoding::find_foreign_parameter(&route.path) {
        format!(
            "`{old}` is another framework's way to write a parameter: here it is `{{name}}` or `{{*rest}}`"
        )
    } else if let Err(why) = path_encoding::encode_route_path(&route.path) {
        why
    } else if let Some(why) = path_encoding::parameter_problem(&route.path) {
        why
    } else {
        matchit::Router::new().insert(route.path.as_ref(), ()).err()?.to_string()
    };
    Some(format!("the path `{}` does not parse: {why}\n    at {}", route.path, route.source))
}

/// Returns the path without the names of its parameters, by which paths do not differ.
fn shape(path: &str) -> String {
    path.split('/')
        .map(|segment| match segment {
            _ if segment.starts_with("{*") => "{*}",
            _ if segment.starts_with('{')
                && segment.ends_with('}')
                && !segment.starts_with("{{") =>
            {
                "{}"
            }
            plain => plain,
        })
        .collect::<Vec<_>>()
        .join("/")
}

fn duplicates(routes: &[Route]) -> Vec<String> {
    let mut seen: HashMap<(String, &http::Method), &Route> = HashMap::new();
    let mut problems = Vec::new();
    for route in routes {
        for method in &route.methods {
            if let Some(first) = seen.insert((shape(&route.path), method), route) {
                problems.push(format!(
                    "{method} {} is routed twice\n    by `{}` at {}\n    by `{}` at {}",
                    route.path, first.handler, first.source, route.handler, route.source
                ));
            }
        }
    }
    problems
}

/// Returns the conflicts between paths that one router cannot hold, such as `/a/{id}` and `/a/{name}`.
fn conflicts(routes: &[Route]) -> Vec<String> {
    let mut matcher = matchit::Router::new();
    let mut seen: HashMap<&str, &Route> = HashMap::new();
    let mut problems = Vec::new();
    let is_placed = |route: &&Route| !route.is_fallback && path_problem(route).is_none();
    for route in routes.iter().filter(is_placed) {
        if seen.contains_key(route.path.as_ref()) {
            continue;
        }
        if let Err(matchit::InsertError::Conflict { with }) =
            matcher.insert(route.path.as_ref(), ())
        {
            let other = seen
                .get(with.as_str())
                .map_or(String::new(), |other| format!(" at {}", other.source));
            problems.push(format!(
                "the paths `{}` at {} and `{with}`{other} cannot stand side by side: give the parameter one name",
                route.path, route.source
            ));
        }
        seen.insert(&route.path, route);
    }
    problems
}

/// Returns the list of the routes, in the order of their paths.
pub(crate) fn infos(routes: &[Route]) -> Vec<RouteInfo> {
    let mut infos: Vec<RouteInfo> = routes.iter().flat_map(Route::infos).collect();
    sort(&mut infos);
    infos
}

/// Sorts routes by their paths, then by their methods.
pub(crate) fn sort(infos: &mut [RouteInfo]) {
    infos
        .sort_by(|a, b| a.path.cmp(&b.path).then_with(|| a.method.as_str().cmp(b.method.as_str())));
}

/// The routes of an app, ready to be served.
pub(crate) struct RoutingTable {
    pub router: Router<Handle>,
    /// The list of the routes, in the order of their paths.
    pub infos: Vec<RouteInfo>,
    pub fallback: Option<AppFallback>,
}

/// Puts the routes, which have been found free of problems, into one router. Each path gets its metrics series.
pub(crate) fn router(
    mut routes: Vec<Route>,
    metrics: &RequestMetrics,
    config: &Config,
) -> RoutingTable {
    let mut paths: Vec<String> = Vec::new();
    routes.iter_mut().for_each(|route| route.post_guard(config));
    let fallback = routes.iter().position(|route| route.is_fallback).map(|at| routes.remove(at));
    for route in &routes {
        let known = paths.iter().position(|path| *path == route.path);
        let number = known.unwrap_or_else(|| {
            paths.push(route.path.to_string());
            paths.len() - 1
        });
        route.count_as(PathIndex::try_from(number).unwrap_or(UNMATCHED));
    }
    metrics.prepare(paths);
    let infos = infos(&routes);
    let router = routes
        .into_iter()
        .fold(Router::new(), |router, route| router.route(&route.path, route.endpoint));
    let fallback =
        fallback.map(|route| AppFallback { endpoint: route.endpoint, source: route.source });
    RoutingTable { router, infos, fallback }
}

/// Counts the requests of a plain router by the paths that it matches.
pub(crate) fn counted(router: Router<Handle>, metrics: Arc<RequestMetrics>) -> Router<Handle> {
    router.layer(map_request(move |request: Request| {
        if let Some(path) = request.extensions().get::<MatchedPath>() {
            context::matched(metrics.find(path.as_str()));
        }
        std::future::ready(request)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{get, post};

    async fn handler() {}

    #[test]
    fn the_same_method_and_path_twice_is_refused_with_both_lines() {
        let routes = [get("/a/{id}", handler), get("/a/{name}", handler), post("/a/{id}", handler)];
        let problems = problems(&routes, |_| true);
        assert_eq!(problems.iter().filter(|problem| problem.contains("routed twice")).count(), 1);
        assert_eq!(problems[0].matches("routing_table.rs").count(), 2, "{problems:?}");
    }

    #[test]
    fn a_path_that_does_not_parse_is_refused_with_its_line() {
        for path in ["a", "/{", "/a/{*rest}/b", "/users/<id>", "/users/:id"] {
            let problems = problems(&[get(path, handler)], |_| true);
            assert!(
                problems[0].contains("does not parse") && problems[0].contains("routing_table.rs"),
                "{path}: {problems:?}"
            );
        }
    }

    #[test]
    fn paths_that_cross_are_refused_and_not_panicked_about() {
        let problems = problems(&[get("/a/{id}", handler), post("/a/{name}", handler)], |_| true);
        assert!(problems[0].contains("side by side"), "{problems:?}");
    }

    #[test]
    fn a_path_is_the_same_however_it_is_encoded() {
        for (one, other) in [("/straße", "/stra%c3%9fe"), ("/a b", "/a%20b"), ("/a", "/%61")] {
            let problems = problems(&[get(one, handler), get(other, handler)], |_| true);
            assert!(problems[0].contains("routed twice"), "{one} {other}: {problems:?}");
        }
    }

    #[test]
    fn a_path_that_no_client_sends_is_refused_with_the_fix_and_the_line() {
        for (path, fix) in [("/a?b={b}", "`Query<..>`"), ("/a#b", "`%23`"), ("/a//b", "one `/`")] {
            let problems = problems(&[get(path, handler)], |_| true);
            assert!(
                problems[0].contains(fix) && problems[0].contains("routing_table.rs"),
                "{path}: {problems:?}"
            );
        }
    }

    #[test]
    fn good_routes_have_no_problems() {
        let routes = || {
            [
                get("/", handler),
                post("/", handler),
                get("/a/{id}", handler),
                get("/a/list", handler),
            ]
        };
        assert!(problems(&routes(), |_| true).is_empty());
        let config = Config::loader("").load(&[]).0;
        assert_eq!(router(routes().into(), &RequestMetrics::default(), &config).infos.len(), 4);
    }

    #[test]
    fn a_module_is_meant_by_its_name_alone_and_by_its_whole_path() {
        assert!(is_named("app::user::apis", "app", "user"));
        assert!(is_named("app::user", "app", "app::user"));
        assert!(is_named("app::user", "app", "app.user"));
        assert!(!is_named("app::users", "app", "user"));
        assert!(is_within("app", "app") && !is_within("apple", "app"));
    }
}
