//! Settings that a service requires outside of a developer's machine, or in production.

use super::{App, AppSettings};
use crate::config::{Config, Origin, Problem, Problems, Requirement, Section};

impl App {
    /// Refuses to start outside of the environment `local` (the default) unless `requirement` is met. All
    /// unmet requirements are reported at once, with every other wrong setting, and the process exits with 2.
    ///
    /// ```
    /// # #[cfg(all(feature = "postgres", feature = "api-key"))] {
    /// use piton::prelude::*;
    ///
    /// let app = App::new("registry")
    ///     .env_alias("ENVIRONMENT", "environment")
    ///     .require_outside_local(piton::db::postgres_required())
    ///     .require_outside_local(piton::auth::api_key::key_required());
    /// # }
    /// ```
    ///
    /// A command checks those of the sections that it uses: `migrate` that of the database, and not that of the key.
    #[must_use]
    pub fn require_outside_local(mut self, requirement: Requirement) -> Self {
        self.require_outside_local.push(requirement);
        self
    }

    /// Refuses to start in production unless `requirement` is met, in whatever environment: `--production` counts in
    /// `local` as well. Otherwise as [`App::require_outside_local`]; a requirement of both is reported once.
    #[must_use]
    pub fn require_in_production(mut self, requirement: Requirement) -> Self {
        self.require_in_production.push(requirement);
        self
    }
}

/// Returns the unmet requirements. `read` are the sections that the app reads.
pub(super) fn problems(app: &App, config: &Config, read: &[&Section]) -> Problems {
    let settings = config.read::<AppSettings>("", &mut Problems::new());
    let environment = &settings.environment;
    let from = config.origin("environment");
    let elsewhere = format!("the environment is `{environment}`, from {from}");
    let because = match config.origin("production") {
        said if settings.in_production() && said != Origin::Default => {
            format!("it runs in production, says {said}")
        }
        _ => elsewhere.clone(),
    };
    let sections = || read.iter().map(|section| section.name());
    let asked = |it: &&Requirement| !app.for_command || it.needed_by_command(sections());
    let outside = app.require_outside_local.iter().filter(|_| !environment.is_local());
    let mut missing: Vec<_> =
        outside.filter(asked).filter_map(|it| it.problem(config, &elsewhere)).collect();
    let production = app.require_in_production.iter().filter(|_| settings.in_production());
    for problem in production.filter(asked).filter_map(|it| it.problem(config, &because)) {
        if missing.iter().all(|told: &Problem| told.key != problem.key) {
            missing.push(problem);
        }
    }
    Problems(missing)
}
