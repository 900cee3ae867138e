//! The rules of the environment: what a service may go without on a developer's machine only.

use super::{App, AppSettings};
use crate::config::{Config, Origin, Problem, Problems, Requirement, Section};

impl App {
    /// Does not start outside of the environment `local` (the default) without what is said here.
    /// All that is missing is reported at once, with every other wrong setting, and the process
    /// exits with 2.
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
    /// A verb asks for what it uses: `migrate` for the database, and not for the key.
    #[must_use]
    pub fn require_outside_local(mut self, requirement: Requirement) -> Self {
        self.require_outside_local.push(requirement);
        self
    }

    /// Does not start in production without what is said here, wherever that is: the environment may
    /// be `local` and `--production` be said. As [`App::require_outside_local`] otherwise; what is said to both is
    /// asked for once.
    #[must_use]
    pub fn require_in_production(mut self, requirement: Requirement) -> Self {
        self.require_in_production.push(requirement);
        self
    }
}

/// What is missing where the app runs. `read` are the sections that it reads.
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
