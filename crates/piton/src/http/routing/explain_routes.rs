//! Prints routes as the plain calls that their attributes stand for: `routes --explain`.
//!
//! A printed call is complete, because people paste it: it includes what the route inherits from
//! its blueprint (prefix, tag, guard). An item that has no expression is printed as text that does
//! not compile, and is never left out.

use http::Method;

use crate::http::routing::route::{DescribedBy, Route, SourceText};

/// Returns the calls of `App::route` that make these routes, in the order of their paths.
pub(crate) fn explain<'a>(routes: impl Iterator<Item = &'a Route>) -> String {
    let mut routes: Vec<&Route> = routes.collect();
    let order = |route: &Route| (route.path.clone(), route.methods.first().map(Method::to_string));
    routes.sort_by_cached_key(|route| order(route));
    routes.into_iter().map(call).collect()
}

fn call(route: &Route) -> String {
    let mut text = format!("    // {}\n", route.source);
    if route.described != DescribedBy::Attribute {
        text.push_str("    // Made by hand there: keep one of the two calls.\n");
    }
    if route.is_fallback {
        return text + &format!("    .fallback({})\n", route.handler);
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
    let middleware = route.middleware.as_deref();
    let middleware = middleware.map(|it| it.explain().unwrap_or_else(|| it.type_name().to_owned()));
    let mut steps = Vec::new();
    steps.extend(guard(route));
    steps.extend(middleware.map(|middleware| format!(".middleware({middleware})")));
    steps.extend(route.tag.map(|tag| format!(".tag({tag:?})")));
    steps.extend((!route.listed).then(|| ".unlisted()".to_owned()));
    steps.extend(description(route));
    steps.extend(
        route
            .errors
            .iter()
            .map(|error| format!(".error({}, {:?})", error.status.as_u16(), error.description)),
    );
    let limits = route.operation.limits().explain();
    steps.extend(limits.map(|limits| format!(".limits({limits})")));
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

/// Returns the expression with the names of its module in scope.
fn in_scope(SourceText { module, text }: SourceText) -> String {
    let (text, is_absolute) = absolute(module, text);
    if is_absolute { text } else { format!("{{ use {module}::*; {text} }}") }
}

/// Returns the expression with `self::` and `super::` replaced by the modules that they stand for, since they would
/// stand for others where the call is pasted; and whether no name in it needs the module's scope.
fn absolute(module: &str, text: &str) -> (String, bool) {
    let of_name = |c: char| c.is_alphanumeric() || c == '_';
    let (mut out, mut rest, mut is_absolute) = (String::with_capacity(text.len()), text, true);
    while let Some(first) = rest.chars().next() {
        if let Some(length) = literal(rest) {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        if !of_name(first) {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (name, behind) = rest.split_at(rest.find(|c| !of_name(c)).unwrap_or(rest.len()));
        let before = out.trim_end();
        let goes_on = before.ends_with("::") || (before.ends_with('.') && !before.ends_with(".."));
        match relative(module, rest).filter(|_| !goes_on) {
            Some((path, behind)) => {
                out.push_str(&path);
                rest = behind;
            }
            None => {
                let is_root = matches!(name, "crate" | "piton" | "true" | "false" | "mut");
                is_absolute &= goes_on || is_root || first.is_ascii_digit();
                out.push_str(name);
                rest = behind;
            }
        }
    }
    (out, is_absolute)
}

/// Returns the module that `self::`, or a row of `super::`, stands for, with its `::`, and what follows.
fn relative<'a>(module: &str, text: &'a str) -> Option<(String, &'a str)> {
    let step = |text: &'a str, name: &str| {
        text.strip_prefix(name)?.trim_start().strip_prefix("::").map(str::trim_start)
    };
    let (mut module, mut rest) = (module, step(text, "self"));
    while let Some(behind) = step(rest.unwrap_or(text), "super") {
        module = module.rsplit_once("::")?.0;
        rest = Some(behind);
    }
    rest.map(|rest| (format!("{module}::"), rest))
}

/// Returns the length of the string or character that `text` begins with.
fn literal(text: &str) -> Option<usize> {
    let end_of = |opened: usize, quote: char| {
        let mut escaped = false;
        let end = text[opened..].find(|c| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        end.map(|end| opened + end + 1)
    };
    let raw = text.strip_prefix("br").or_else(|| text.strip_prefix('r'));
    let raw = raw.map(|raw| (raw, raw.len() - raw.trim_start_matches('#').len()));
    if let Some((raw, signs)) = raw.filter(|(raw, signs)| raw[*signs..].starts_with('"')) {
        let opened = text.len() - raw.len() + signs + 1;
        let close = format!("\"{}", "#".repeat(signs));
        return text[opened..].find(&close).map(|end| opened + end + close.len());
    }
    let bare = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let opened = text.len() - bare.len() + 1;
    if bare.starts_with('"') {
        return end_of(opened, '"');
    }
    // A quote that is not closed after one character, or an escape, is a lifetime's.
    let mut inside = bare.strip_prefix('\'')?.chars();
    let is_escape = inside.next()? == '\\';
    (is_escape || inside.next() == Some('\'')).then(|| end_of(opened, '\'')).flatten()
}

fn description(route: &Route) -> Option<String> {
    let opaque = route.operation.undocumented_types().iter().find(|name| name.starts_with("impl "));
    let opaque = opaque.map(|name| format!(", {name}")).unwrap_or_default();
    match route.described {
        DescribedBy::Nothing => None,
        DescribedBy::Hand => Some("// and `.describe(..)`, as it stands there".to_owned()),
        DescribedBy::Attribute => {
            Some(format!(".describe(piton::describe!({}{opaque}))", route.handler))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SourceText, in_scope};

    #[test]
    fn the_guard_of_a_module_means_the_same_wherever_it_is_pasted() {
        for (text, expected) in [
            ("self::X", "app::a::b::X"),
            ("super::X", "app::a::X"),
            ("super :: super :: X", "app::X"),
            ("self::super::X::new(\"super::y\")", "app::a::X::new(\"super::y\")"),
            ("crate::X::new(2, true)", "crate::X::new(2, true)"),
            ("piton::auth::X.min(3)", "piton::auth::X.min(3)"),
            ("::piton::auth::X", "::piton::auth::X"),
            ("X", "{ use app::a::b::*; X }"),
            ("crate::X::new(super::LIMIT)", "crate::X::new(app::a::LIMIT)"),
            ("crate::X::new(LIMIT)", "{ use app::a::b::*; crate::X::new(LIMIT) }"),
            ("X::new(self::LIMIT)", "{ use app::a::b::*; X::new(app::a::b::LIMIT) }"),
            ("myself::X", "{ use app::a::b::*; myself::X }"),
            ("crate::X::new(r#\"self::\"y\"#, ':')", "crate::X::new(r#\"self::\"y\"#, ':')"),
        ] {
            assert_eq!(in_scope(SourceText { module: "app::a::b", text }), expected);
        }
    }
}
