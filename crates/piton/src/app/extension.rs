//! What attributes add to the app beside routes: `#[sqs("queue")]` over a function is
//! `App::sqs(..)`, said where the function stands.

use super::App;
use crate::http;
use crate::part::Dependencies;

/// Something to do with the app that the module belongs to, as if it had been said where the app is
/// made. Attributes register it, and so may a third party's macro:
///
/// ```
/// # fn main() {}
/// # use piton::App;
/// piton::__private::inventory::submit! {
///     piton::AppExtension { module: module_path!(), add: |app: App| app.set("log.level", "warning") }
/// }
/// ```
///
/// Which app a module belongs to is decided as for routes: the one that has the name of the crate, and
/// where no extension lies in a module of the app's name, any app that does not name its
/// blueprints.
pub struct AppExtension {
    /// Where it stands: `module_path!()`.
    pub module: &'static str,
    /// What is said of the app.
    pub add: fn(App) -> App,
}

inventory::collect!(AppExtension);

/// The call that an [`AppExtension`] makes, as text: `routes --explain` prints it.
pub struct AppExtensionCall {
    /// The module of the attribute: `module_path!()`.
    pub module: &'static str,
    /// The call, such as `.sqs(piton::aws::sqs::Poll::new("orders", shop::take))`.
    pub call: &'static str,
}

inventory::collect!(AppExtensionCall);

impl App {
    /// Starts the parts that `ask` names, as [`App::enable`] does for one: for rooms that know them
    /// only from the types of a function.
    #[must_use]
    pub fn enable_dependencies(mut self, ask: impl FnOnce(&mut Dependencies)) -> Self {
        ask(&mut self.enabled);
        self
    }

    /// The app with what attributes add to it, unless it is launched for a verb.
    pub(super) fn with_extensions(self) -> Self {
        if self.for_command {
            return self;
        }
        let extensions = extensions(&self.name, self.modules.is_none());
        extensions.into_iter().fold(self, |app, extension| (extension.add)(app))
    }

    /// Returns the calls that this app's attributes stand for, as text.
    pub(super) fn calls_of_attributes(&self) -> impl Iterator<Item = &'static str> {
        let all = inventory::iter::<AppExtensionCall>().map(|it| (it.module, it.call));
        of_app(&self.name, self.modules.is_none(), all.collect()).into_iter().map(|(_, call)| call)
    }

    /// The parts that extensions ask for.
    pub(super) fn dependencies_of_extensions(&self) -> Dependencies {
        let mut like = Self::new(self.name.clone());
        like.modules.clone_from(&self.modules);
        like.with_extensions().enabled
    }
}

fn extensions(name: &str, may_take_all: bool) -> Vec<&'static AppExtension> {
    let all =
        inventory::iter::<AppExtension>().map(|extension| (extension.module, extension)).collect();
    of_app(name, may_take_all, all).into_iter().map(|(_, extension)| extension).collect()
}

/// Returns the entries whose module lies in the crate of this app, or all of them if none does and
/// `may_take_all` is set.
fn of_app<'a, T: Copy>(
    name: &str,
    may_take_all: bool,
    all: Vec<(&'a str, T)>,
) -> Vec<(&'a str, T)> {
    let root = name.replace('-', "_");
    let own = all.iter().copied().filter(|(module, _)| http::is_within(module, &root));
    let own: Vec<(&'a str, T)> = own.collect();
    if own.is_empty() && may_take_all { all } else { own }
}
