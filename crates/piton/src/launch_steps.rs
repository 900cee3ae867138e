//! The launch steps and their order: what happens between `App::run` and the first request.
//!
//! The list is Gnar Gear's contract, kept so that a service which overrode a step there
//! finds the same step here. `configure_http` succeeds `configure_flask`, and
//! `configure_password`, `configure_routes` are `configure_argon2`, `configure_blueprints`.

use std::fmt;

/// One named launch step. Steps run in the order of [`Step::ALL`].
///
/// A [`Part`](crate::part::Part) attaches to a step with its `STEP` constant: it is started
/// when that step runs. A service replaces a step with the builder method of the step's name
/// (`App::configure_logger(..)`) and extends one with `App::before` and `App::after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Does nothing by default. Runs first, for changes of the app.
    Preconfig,
    /// Reads the settings of the listener and of every part; all wrong ones are reported at once.
    ConfigureHttp,
    /// Starts the log.
    ConfigureLogger,
    /// Starts the parts that hash passwords.
    ConfigurePassword,
    /// Starts the database.
    ConfigureDatabase,
    /// Makes the running app reachable from anywhere as `piton::app()`.
    AttachInstance,
    /// Joins prefixes and routes into one router.
    ConfigureRoutes,
    /// Puts the one error format around the router.
    ConfigureErrorhandler,
    /// Starts the parts that authenticate callers.
    ConfigureJwt,
    /// Starts the parts that read queues.
    ConfigureSqsPolls,
    /// Does nothing by default but start the parts that name this step.
    ConfigureAfterRequest,
    /// Starts the parts that name no other step. Runs last before the first request.
    Postconfig,
}

impl Step {
    /// Every step, in the order in which they run.
    pub const ALL: [Self; 12] = [
        Self::Preconfig,
        Self::ConfigureHttp,
        Self::ConfigureLogger,
        Self::ConfigurePassword,
        Self::ConfigureDatabase,
        Self::AttachInstance,
        Self::ConfigureRoutes,
        Self::ConfigureErrorhandler,
        Self::ConfigureJwt,
        Self::ConfigureSqsPolls,
        Self::ConfigureAfterRequest,
        Self::Postconfig,
    ];

    /// Returns the name of the step, such as `configure_logger`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preconfig => "preconfig",
            Self::ConfigureHttp => "configure_http",
            Self::ConfigureLogger => "configure_logger",
            Self::ConfigurePassword => "configure_password",
            Self::ConfigureDatabase => "configure_database",
            Self::AttachInstance => "attach_instance",
            Self::ConfigureRoutes => "configure_routes",
            Self::ConfigureErrorhandler => "configure_errorhandler",
            Self::ConfigureJwt => "configure_jwt",
            Self::ConfigureSqsPolls => "configure_sqs_polls",
            Self::ConfigureAfterRequest => "configure_after_request",
            Self::Postconfig => "postconfig",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
