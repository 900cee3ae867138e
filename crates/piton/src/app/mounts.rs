//! Adds plain axum routers to the app's routes: those of `App::mount`, and the admin set.
//!
//! axum panics where two routers overlap. Each merge is tried without the panic's output, and its reason becomes a
//! message with both lines of code.

use std::sync::Arc;

use axum::Router;

use super::{LaunchError, MountedRouter};
use crate::handle::Handle;
use crate::http::{self, RouteInfo};
use crate::metrics::RequestMetrics;

/// The routers mounted so far, for messages about the next.
pub(super) struct Mounts<'a> {
    routes: &'a [RouteInfo],
    metrics: &'a Arc<RequestMetrics>,
    mounted: Vec<MountedPaths>,
}

/// A mounted router as its `Debug` form, which lists its paths. axum has no other list of them.
struct MountedPaths {
    router: String,
    location: String,
}

impl MountedPaths {
    fn has(&self, path: &str) -> bool {
        self.router.contains(&format!("{path:?}"))
    }
}

impl<'a> Mounts<'a> {
    pub fn new(routes: &'a [RouteInfo], metrics: &'a Arc<RequestMetrics>) -> Self {
        Self { routes, metrics, mounted: Vec::new() }
    }

    /// Returns the line of the mounted router that has a fallback of its own, if there is one.
    pub fn fallback(&self) -> Option<&str> {
        self.mounted.iter().find(|one| has_own_fallback(&one.router)).map(|one| &*one.location)
    }

    /// Adds a router of `App::mount`.
    ///
    /// # Errors
    /// One of its paths overlaps with a path that is there already, or both have a fallback.
    pub fn mount(
        &mut self,
        router: Router<Handle>,
        mount: MountedRouter,
    ) -> Result<Router<Handle>, LaunchError> {
        let (location, text) = (mount.location.to_string(), format!("{:?}", mount.router));
        if let Some(other) = self.fallback().filter(|_| has_own_fallback(&text)) {
            return Err(LaunchError::Refused(vec![format!(
                "the routers mounted at {other} and at {location} both have a fallback\n    \
                 fix: remove one, such as by `Router::reset_fallback`"
            )]));
        }
        let merged = self.merge(router, mount.router).map_err(|why| {
            let why = self.describe(&why);
            LaunchError::Refused(vec![format!(
                "the router mounted at {location} does not fit: {why}\n    \
                 fix: remove one of the two, or give the router a prefix: \
                 `.mount(axum::Router::new().nest(\"/prefix\", router))`"
            )])
        })?;
        self.mounted.push(MountedPaths { router: text, location });
        Ok(merged)
    }

    /// Adds the routers of the admin set.
    ///
    /// # Errors
    /// A mounted router has one of their paths.
    pub fn admin(
        &self,
        router: Router<Handle>,
        admin: Router<Handle>,
    ) -> Result<Router<Handle>, LaunchError> {
        self.merge(router, admin).map_err(|why| {
            let path = paths_in(&why).next().unwrap_or_default();
            let of = self.mounted.iter().find(|one| one.has(path));
            let location = of.map_or("an unknown line", |one| &one.location);
            LaunchError::Refused(vec![format!(
                "the router mounted at {location} has the path {path}, which the admin set of the service has\n    \
                 fix: take that path out of the router, or serve it by a route of `App::route`, which replaces \
                 the admin set's"
            )])
        })
    }

    /// Merges two routers.
    ///
    /// # Errors
    /// The message with which axum panics.
    fn merge(
        &self,
        router: Router<Handle>,
        other: Router<Handle>,
    ) -> Result<Router<Handle>, String> {
        let other = http::counted(other, self.metrics.clone());
        http::catch_quietly(|| router.merge(other))
    }

    /// Returns axum's message with the lines of the paths that it names.
    fn describe(&self, why: &str) -> String {
        let mut text = why.lines().next().unwrap_or("its paths overlap").to_owned();
        for path in paths_in(why) {
            for route in self.routes.iter().filter(|route| route.path == path) {
                text += &format!(
                    "\n    {} {path} is `{}` at {}",
                    route.method, route.handler, route.source
                );
            }
            for one in self.mounted.iter().filter(|one| one.has(path)) {
                text += &format!("\n    {path} is in the router mounted at {}", one.location);
            }
        }
        text
    }
}

/// Returns whether the router of this `Debug` form has a fallback of its own. axum has no method that tells. If
/// another version writes it otherwise, the app's 404 takes the place of such a fallback.
fn has_own_fallback(router: &str) -> bool {
    router.rsplit("default_fallback: ").next().is_some_and(|rest| rest.starts_with("false"))
}

/// Returns the paths in a message of axum: words that begin with `/`, without quotes.
fn paths_in(message: &str) -> impl Iterator<Item = &str> {
    let words =
        message.split([' ', '`', '"', '\n']).map(|word| word.trim_end_matches([':', ',', '.']));
    let mut seen: Vec<&str> = Vec::new();
    words.filter(move |word| {
        let is_new = word.starts_with('/') && !seen.contains(word);
        seen.push(word);
        is_new
    })
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    #[test]
    fn a_fallback_of_its_own_shows_in_the_debug_form_of_this_version_of_axum() {
        let router = || Router::<()>::new().route("/a", get(async || "a"));
        let layer = || axum::Extension(1_u8);
        let nested = || Router::new().nest("/b", router().fallback(async || "b"));
        for (router, expected) in [
            (router(), false),
            (router().layer(layer()), false),
            (nested(), false),
            (router().fallback(async || "x"), true),
            (nested().fallback(async || "x").layer(layer()), true),
            (router().fallback(async || "x").reset_fallback(), false),
        ] {
            assert_eq!(has_own_fallback(&format!("{router:?}")), expected, "{router:?}");
        }
    }

    #[test]
    fn the_paths_of_a_message_are_found_once() {
        let message = "Invalid route \"/a/{b}\": Insertion failed due to conflict with previously registered route: /a/{c}";
        assert_eq!(paths_in(message).collect::<Vec<_>>(), ["/a/{b}", "/a/{c}"]);
        let message = "Overlapping method route. Handler for `GET /a` already exists";
        assert_eq!(paths_in(message).collect::<Vec<_>>(), ["/a"]);
    }
}
