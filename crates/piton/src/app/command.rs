//! Commands of a service's command line, such as `migrate`.

use std::future::Future;
use std::pin::Pin;

use clap::{Arg, ArgMatches};

use super::{App, AppDescription, LaunchError, StepResult};
use crate::handle::Handle;
use crate::part::{Dependencies, Part};

/// The arguments of a command.
pub type Arguments = ArgMatches;

type RunCommand = Box<
    dyn FnOnce(Handle, ArgMatches) -> Pin<Box<dyn Future<Output = Result<(), LaunchError>> + Send>>
        + Send,
>;

type InspectApp =
    Box<dyn FnOnce(&AppDescription<'_>, &ArgMatches) -> Result<(), LaunchError> + Send>;

/// A command of a service's command line. Only the parts that it needs are started, and they are connected before
/// it runs.
///
/// ```
/// use piton::prelude::*;
///
/// let app = App::new("my_service").command(
///     Command::new("greet", "Say hello to somebody")
///         .arg(piton::clap::Arg::new("name").required(true))
///         .run(|_, arguments| async move {
///             println!("Hello, {}", arguments.get_one::<String>("name").expect("it is required"));
///         }),
/// );
/// ```
pub struct Command {
    pub(super) clap: clap::Command,
    pub(super) dependencies: Dependencies,
    /// Returns whether the parts are connected before it runs with these arguments.
    pub(super) connects: fn(&Arguments) -> bool,
    pub(super) run: Option<RunCommand>,
    pub(super) inspect: Option<InspectApp>,
    pub(super) background: Option<PrepareBackground>,
}

/// Changes an app before it does its background work.
type PrepareBackground = Box<dyn FnOnce(App, &ArgMatches) -> App + Send>;

/// A command that a module adds to every service that is built with it.
pub struct ModuleCommand(pub fn() -> Command);

inventory::collect!(ModuleCommand);

impl Command {
    /// Creates a command with its description of one line.
    #[must_use]
    pub fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            clap: clap::Command::new(name).about(about),
            dependencies: Dependencies::default(),
            connects: |_| true,
            run: None,
            inspect: None,
            background: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: Arg) -> Self {
        self.clap = self.clap.arg(arg);
        self
    }

    /// Adds a subcommand, such as `up` of `migrate up`. The command then requires one.
    #[must_use]
    pub fn subcommand(mut self, command: clap::Command) -> Self {
        self.clap = self.clap.subcommand(command).subcommand_required(true);
        self.clap = self.clap.arg_required_else_help(true);
        self
    }

    /// Leaves the parts unconnected: for a command that inspects or does what connecting would change.
    #[must_use]
    pub fn without_connecting(mut self) -> Self {
        self.connects = |_| false;
        self
    }

    /// Connects the parts only if `condition` holds for the arguments: for a command of which some verbs only inspect.
    #[must_use]
    pub fn connecting_if(mut self, condition: fn(&Arguments) -> bool) -> Self {
        self.connects = condition;
        self
    }

    /// Starts the part `P` for the command.
    #[must_use]
    pub fn needs<P: Part>(mut self) -> Self {
        self.dependencies.add::<P>();
        self
    }

    /// Sets the function of a command that starts nothing and needs no server: it gets the description of the app.
    #[must_use]
    pub fn inspect<R: StepResult>(
        mut self,
        inspect: impl FnOnce(&AppDescription<'_>, &Arguments) -> R + Send + 'static,
    ) -> Self {
        self.inspect = Some(Box::new(move |app, arguments| inspect(app, arguments).into_result()));
        self
    }

    /// Makes a command that does the background work of the service until Ctrl-C or SIGTERM, and serves nothing but the
    /// admin address: its parts start and run as they do next to a server. `prepare` may change the app before.
    #[must_use]
    pub fn background(
        mut self,
        prepare: impl FnOnce(App, &Arguments) -> App + Send + 'static,
    ) -> Self {
        self.background = Some(Box::new(prepare));
        self
    }

    /// Sets the function of a command, which gets the running app.
    #[must_use]
    pub fn run<F, Fut>(mut self, run: F) -> Self
    where
        F: FnOnce(Handle, Arguments) -> Fut + Send + 'static,
        Fut: Future<Output: StepResult> + Send + 'static,
    {
        self.run = Some(Box::new(move |handle, arguments| {
            let future = run(handle, arguments);
            Box::pin(async move { future.await.into_result() })
        }));
        self
    }
}
