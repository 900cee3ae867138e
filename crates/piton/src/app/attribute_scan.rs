//! Finds the routes and extensions that attributes registered for an app.
//!
//! Attributes register themselves for the whole binary, which may hold several crates: a library and
//! its `main`, or the services of an integration test. An app takes those of the module with its name,
//! the crate's. Nothing else may decide: an app that took all routes of the binary would serve routes
//! of another service, and a wrong name would show in no test that starts the service alone.

use super::extension::extension_modules;
use super::{App, LaunchError};
use crate::http::{self, Route};

/// The routes that attributes registered for an app.
pub(super) struct ScanResult {
    pub routes: Vec<Route>,
    /// Remarks for the developer, such as a blueprint module without routes.
    pub notes: Vec<String>,
    /// The reason why the app must not start: everything that attributes registered belongs to other modules.
    pub problem: Option<String>,
}

/// Returns the routes of the app's module, or of its blueprints.
pub(super) fn scan(app: &App) -> ScanResult {
    let (routes, notes) = http::scan(&app.name, app.modules.as_deref());
    // Not checked with `App::blueprints` or `App::no_scan`, because such an app may have no routes of its
    // module on purpose.
    let problem = if app.modules.is_none() && routes.is_empty() {
        let mut modules: Vec<&str> =
            http::registered_modules().chain(extension_modules()).collect();
        modules.sort_unstable();
        modules.dedup();
        foreign_modules_problem(&app.name, &modules)
    } else {
        None
    };
    ScanResult { routes, notes, problem }
}

/// Returns the problem if `modules` have registered something, and none of them is the app's.
fn foreign_modules_problem(name: &str, modules: &[&str]) -> Option<String> {
    let root = name.replace('-', "_");
    if modules.is_empty() || modules.iter().any(|module| http::is_within(module, &root)) {
        return None;
    }
    let mut crates: Vec<&str> =
        modules.iter().map(|module| module.split("::").next().unwrap_or(module)).collect();
    crates.dedup();
    let listed = crates.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let example = crates[0];
    Some(format!(
        "no attribute such as `#[get(..)]` is in a module `{root}`, as the app's name says; this binary has routes of: {listed}\n    \
         fix: name the app after the crate of its routes, `piton::new_app!()` there or `App::new(\"{example}\")`; \
         or choose modules with `.blueprints([\"{example}\"])`; or call `.no_scan()` for routes made by hand alone"
    ))
}

/// Returns an error if an app that serves has no route at all, and nothing else to do.
pub(super) fn require_routes(app: &App, routes: &[Route]) -> Result<(), LaunchError> {
    let has_other_work = app.for_command
        || app.modules.is_some()
        || !app.mounts.is_empty()
        || !app.file_mounts.is_empty()
        || !app.enabled.0.is_empty();
    if !routes.is_empty() || has_other_work {
        return Ok(());
    }
    // Both reasons leave no trace at run time: a module that is not declared is not compiled, and the
    // linker drops a library of which the binary uses nothing.
    Err(LaunchError::Refused(vec![format!(
        "the app `{}` has no routes\n    \
         fix: declare the module of the handlers (`mod user;`); if they are in the package's library, call a \
         function of it in `main`, such as `my_library::app().run()`; or call `.no_scan()` for a service without routes",
        app.name
    )]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_other_crates_alone_are_a_problem_with_the_fix() {
        let problem = foreign_modules_problem("my-shop", &["shop::orders", "shop::users"]).unwrap();
        for part in ["`my_shop`", "routes of: `shop`\n", "App::new(\"shop\")", "piton::new_app!()"]
        {
            assert!(problem.contains(part), "{part}: {problem}");
        }
    }

    #[test]
    fn a_binary_without_attributes_or_with_those_of_the_app_has_no_such_problem() {
        assert_eq!(foreign_modules_problem("shop", &[]), None);
        assert_eq!(foreign_modules_problem("my-shop", &["my_shop", "other"]), None);
        assert_eq!(foreign_modules_problem("it::shop", &["it::shop::orders"]), None);
        assert!(foreign_modules_problem("shop", &["shopping"]).is_some());
    }

    #[test]
    fn a_service_without_routes_says_so_or_is_refused() {
        let refused = require_routes(&App::new("empty"), &[]).unwrap_err().report("empty");
        for part in ["the app `empty` has no routes", "mod user;", ".no_scan()"] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        assert!(require_routes(&App::new("empty").no_scan(), &[]).is_ok());
        assert!(require_routes(&App::new("mounted").mount(axum::Router::new()), &[]).is_ok());
        let route = http::get("/", async || "ok");
        assert!(require_routes(&App::new("by_hand"), &[route]).is_ok());
    }
}
