//! Prints routes as the plain calls that their attributes stand for: `routes --explain`.
//!
//! A printed call is complete, because people paste it: it includes what the route inherits from
//! its blueprint (prefix, tag, guard). An item that has no expression is printed as text that does
//! not compile, and is never left out.

use http::Method;

use super::route::{Described, Route, SourceText};

/// Returns the calls of `App::route` that make these routes, in the order of their paths.
pub(crate) fn explain<'a>(routes: impl Iterator<Item = &'a Route>) -> String {
    let mut routes: Vec<&Route> = routes.collect();
    let order = |route: &Route| (route.path.clone(), route.methods.first().map(Method::to_string));
    routes.sort_by_cached_key(|route| order(route));
    routes.into_iter().map(call).collect()
}

fn call(route: &Route) -> String {
    let mut text = format!("    // {}\n", route.source);
    if route.described != Described::ByAttribute {
        text.push_str("    // Made by hand there: keep one of the two calls.\n");
    }
    text += &format!("    .route({}", constructor(route));
    for step in steps(route) {
        text += &format!("\n        {step}");
    }
    text + ")\n"
}

/// Returns the call that makes the route: `piton::http::get("/path", handler)`.
fn constructor(route: &Route) -> String {
    let (path, handler) = (&route.path, route.handler);
    if let [method] = &*route.methods
        && [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
    {
        return format!("piton::http::{}({path:?}, {handler})", method.as_str().to_lowercase());
    }
    let methods = route.methods.iter().map(|method| format!("piton::axum::http::Method::{method}"));
    let methods = methods.collect::<Vec<_>>().join(", ");
    format!("piton::http::route(&[{methods}], {path:?}, {handler})")
}

/// Returns the calls of the route's methods, the guard first.
fn steps(route: &Route) -> Vec<String> {
    let around = route.around.as_deref();
    let around = around.map(|it| it.explain().unwrap_or_else(|| it.type_name().to_owned()));
    let mut steps = Vec::new();
    steps.extend(guard(route));
    steps.extend(around.map(|around| format!(".around({around})")));
    steps.extend(route.tag.map(|tag| format!(".tag({tag:?})")));
    steps.extend((!route.listed).then(|| ".unlisted()".to_owned()));
    steps.extend(description(route));
    steps.extend((!route.doc.is_empty()).then(|| format!(".doc({:?})", route.doc)));
    steps
}

fn guard(route: &Route) -> Option<String> {
    if route.public {
        return Some(".public()".to_owned());
    }
    let guard = route.guard.as_deref()?;
    let written = || match route.guard_source {
        Some(source) => in_scope(source),
        None => guard.type_name().to_owned(),
    };
    Some(format!(".guard({})", guard.explain().unwrap_or_else(written)))
}

/// Returns the expression in a block that imports the names of its module.
fn in_scope(SourceText { module, text }: SourceText) -> String {
    let absolute = ["::", "piton::", "crate::"].iter().any(|root| text.starts_with(root));
    if absolute { text.to_owned() } else { format!("{{ use {module}::*; {text} }}") }
}

fn description(route: &Route) -> Option<String> {
    let opaque = route.operation.undocumented_types().iter().find(|name| name.starts_with("impl "));
    let opaque = opaque.map(|name| format!(", {name}")).unwrap_or_default();
    match route.described {
        Described::Not => None,
        Described::ByHand => Some("// and `.describe(..)`, as it stands there".to_owned()),
        Described::ByAttribute => {
            Some(format!(".describe(piton::describe!({}{opaque}))", route.handler))
        }
    }
}
