//! An app before it starts: its routes, settings and provided values, for commands that start nothing.

use std::any::Any;
use std::panic::Location;

use super::attribute_scan::{ScanResult, scan};
use super::load_settings::load_settings;
use super::settings_sources::LaunchSources;
use super::{App, LaunchError};
use crate::config::Config;
use crate::http::{self, RouteInfo};

/// An app before it starts: its routes are found and its settings read, and no part is started.
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
    /// Describes `app`. Wrong settings are at their defaults: the caller reads those it needs, with their problems.
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
        let (config, _) = load_settings(app, sources, &[]);
        Ok(Self { app, routes: infos, config })
    }

    /// Returns the app's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.app.name
    }

    /// Returns its version, as given to `App::version`.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.app.version.as_deref()
    }

    /// Returns its routes in the order of their paths.
    #[must_use]
    pub fn routes(&self) -> &[RouteInfo] {
        &self.routes
    }

    /// Returns its settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the values of type `T` of `App::provide`, in the order given.
    pub fn provided<T: Any + Send + Sync>(&self) -> impl Iterator<Item = &T> {
        self.app.provided.iter::<T>()
    }

    /// Returns the lines of code that mount a plain router, whose routes are not known.
    pub fn mounts(&self) -> impl Iterator<Item = &'static Location<'static>> {
        self.app.mounts.iter().map(|mount| mount.location)
    }
}

impl App {
    /// Describes the app with the settings of its code alone.
    ///
    /// # Errors
    /// All problems of its routes.
    pub fn describe(&self) -> Result<AppDescription<'_>, LaunchError> {
        AppDescription::of(self, &LaunchSources::for_test())
    }
}

impl std::fmt::Debug for AppDescription<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppDescription").field("name", &self.name()).finish_non_exhaustive()
    }
}
