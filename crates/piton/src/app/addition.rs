//! What attributes add to the app beside routes: `#[sqs("queue")]` over a function is
//! `App::sqs(..)`, said where the function stands.

use super::App;
use crate::http;
use crate::part::Needs;

/// Something to do with the app that the module belongs to, as if it had been said where the app is
/// made. Attributes register it, and so may a third party's macro:
///
/// ```
/// # fn main() {}
/// # use piton::App;
/// piton::__private::inventory::submit! {
///     piton::Addition { module: module_path!(), add: |app: App| app.set("log.level", "warning") }
/// }
/// ```
///
/// Which app a module belongs to is decided as for routes: the one that has the name of the crate, and
/// where no addition lies in a module of the app's name, any app that does not name its
/// blueprints.
pub struct Addition {
    /// Where it stands: `module_path!()`.
    pub module: &'static str,
    /// What is said of the app.
    pub add: fn(App) -> App,
}

inventory::collect!(Addition);

impl App {
    /// Starts the parts that `ask` names, as [`App::with`] does for one: for rooms that know them
    /// only from the types of a function.
    #[must_use]
    pub fn with_needs(mut self, ask: impl FnOnce(&mut Needs)) -> Self {
        ask(&mut self.needs);
        self
    }

    /// The app with what attributes add to it, unless it is launched for a verb.
    pub(super) fn with_additions(self) -> Self {
        if self.for_verb {
            return self;
        }
        let additions = additions(&self.name, self.modules.is_none());
        additions.into_iter().fold(self, |app, addition| (addition.add)(app))
    }

    /// The parts that additions ask for.
    pub(super) fn needed_by_additions(&self) -> Needs {
        let mut like = Self::new(self.name.clone());
        like.modules.clone_from(&self.modules);
        like.with_additions().needs
    }
}

fn additions(name: &str, may_take_all: bool) -> Vec<&'static Addition> {
    let root = name.replace('-', "_");
    let all: Vec<&Addition> = inventory::iter::<Addition>().collect();
    let own: Vec<&Addition> =
        all.iter().copied().filter(|addition| http::is_within(addition.module, &root)).collect();
    if own.is_empty() && may_take_all { all } else { own }
}
