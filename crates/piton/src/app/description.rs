//! The app as it has been put together, before anything of it starts: for verbs that only look.

use std::any::Any;
use std::panic::Location;

use super::scan::{ScanResult, scan};
use super::steps::{self, LaunchSources};
use super::{App, LaunchError};
use crate::config::Config;
use crate::http::{self, RouteInfo};

/// The app as it has been put together: its routes found, its settings read, nothing started.
///
/// ```
/// use piton::prelude::*;
///
/// let app = App::new("my_service").command(
///     Command::new("count", "Say how many routes there are").inspect(|app, _| {
///         println!("{} has {} routes", app.name(), app.routes().len());
///     }),
/// );
/// ```
pub struct AppDescription<'a> {
    app: &'a App,
    routes: Vec<RouteInfo>,
    config: Config,
}

impl<'a> AppDescription<'a> {
    /// Settings that are wrong are left at their defaults: who looks at one asks for its problems.
    pub(super) fn of(app: &'a App, sources: &LaunchSources) -> Result<Self, LaunchError> {
        let ScanResult { routes, notes, problem } = scan(app);
        notes.iter().for_each(|note| eprintln!("note: {note}"));
        let mut infos = http::infos(&routes);
        infos.extend(http::infos(&app.routes));
        let mut reasons: Vec<String> = problem.into_iter().collect();
        reasons.extend(http::problems(&app.routes, |id| app.has_state(id)));
        reasons.extend(http::problems(&routes, |id| app.has_state(id)));
        if !reasons.is_empty() {
            return Err(LaunchError::Refused(reasons));
        }
        http::sort(&mut infos);
        let (config, _) = steps::load(app, sources, &[]);
        Ok(Self { app, routes: infos, config })
    }

    /// The app's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.app.name
    }

    /// Its version, as given to `App::version`.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.app.version.as_deref()
    }

    /// Its routes, in the order of their paths.
    #[must_use]
    pub fn routes(&self) -> &[RouteInfo] {
        &self.routes
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was attached with `App::provide`, in the order given.
    pub fn provided<T: Any + Send + Sync>(&self) -> impl Iterator<Item = &T> {
        self.app.provided.iter::<T>()
    }

    /// The lines of code that mount a plain router, of whose routes nothing is known.
    pub fn mounts(&self) -> impl Iterator<Item = &'static Location<'static>> {
        self.app.mounts.iter().map(|mount| mount.location)
    }
}

impl App {
    /// The app as it has been put together, with the settings that stand in its code.
    ///
    /// # Errors
    /// What is wrong with its routes.
    pub fn describe(&self) -> Result<AppDescription<'_>, LaunchError> {
        AppDescription::of(self, &LaunchSources::for_test())
    }
}

impl std::fmt::Debug for AppDescription<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppDescription").field("name", &self.name()).finish_non_exhaustive()
    }
}
