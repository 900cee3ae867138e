//! Verbs: what a service can do from the command line beside serving.

use std::future::Future;
use std::pin::Pin;

use clap::{Arg, ArgMatches, Command};

use super::{LaunchError, Outline, StepResult};
use crate::handle::Handle;
use crate::part::{Needs, Part};

/// The arguments a verb was called with.
pub type Arguments = ArgMatches;

type Run = Box<
    dyn FnOnce(Handle, ArgMatches) -> Pin<Box<dyn Future<Output = Result<(), LaunchError>> + Send>>
        + Send,
>;

type Look = Box<dyn FnOnce(&Outline<'_>, &ArgMatches) -> Result<(), LaunchError> + Send>;

/// One verb. Only the parts it names are started for it, and they are connected when it runs.
///
/// ```
/// use piton::prelude::*;
///
/// let app = App::new("my_service").verb(
///     Verb::new("greet", "Say hello to somebody")
///         .arg(piton::clap::Arg::new("name").required(true))
///         .run(|_, arguments| async move {
///             println!("Hello, {}", arguments.get_one::<String>("name").expect("it is required"));
///         }),
/// );
/// ```
pub struct Verb {
    pub(super) command: Command,
    pub(super) needs: Needs,
    /// Whether the parts are connected before it runs.
    pub(super) connects: bool,
    pub(super) run: Option<Run>,
    pub(super) look: Option<Look>,
}

/// A verb that a room adds to every service that has it in its build.
pub struct RoomVerb(pub fn() -> Verb);

inventory::collect!(RoomVerb);

impl Verb {
    /// A verb and, in a line, what it does.
    #[must_use]
    pub fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            command: Command::new(name).about(about),
            needs: Needs::default(),
            connects: true,
            run: None,
            look: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: Arg) -> Self {
        self.command = self.command.arg(arg);
        self
    }

    /// Adds a verb below this one, such as `up` in `migrate up`. One of them must be given.
    #[must_use]
    pub fn subcommand(mut self, command: Command) -> Self {
        self.command = self.command.subcommand(command).subcommand_required(true);
        self.command = self.command.arg_required_else_help(true);
        self
    }

    /// Does not connect the parts: for a verb that looks at what connecting would change.
    #[must_use]
    pub fn unconnected(mut self) -> Self {
        self.connects = false;
        self
    }

    /// Starts the part `P` for the verb.
    #[must_use]
    pub fn needs<P: Part>(mut self) -> Self {
        self.needs.part::<P>();
        self
    }

    /// What the verb does with the app as it has been put together: nothing is started for it, and it
    /// needs no server.
    #[must_use]
    pub fn look<R: StepResult>(
        mut self,
        look: impl FnOnce(&Outline<'_>, &Arguments) -> R + Send + 'static,
    ) -> Self {
        self.look = Some(Box::new(move |app, arguments| look(app, arguments).into_result()));
        self
    }

    /// What the verb does.
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
