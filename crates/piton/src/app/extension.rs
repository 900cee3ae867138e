//! Additions to an app that attributes and macros register where a function is: `#[sqs("queue")]` above a
//! function has the same effect as `App::sqs(..)`.

use super::App;
use crate::http;
use crate::part::Dependencies;

/// A change of the app that an attribute registers, as if the call was made where the app is created.
/// Macros of other crates may register one as well:
///
/// ```
/// # fn main() {}
/// # use piton::App;
/// piton::__private::inventory::submit! {
///     piton::AppExtension { module: module_path!(), add: |app: App| app.set("log.level", "warning") }
/// }
/// ```
///
/// An extension applies to the app that has the name of its crate, as routes do.
pub struct AppExtension {
    /// The module of the attribute: `module_path!()`.
    pub module: &'static str,
    /// Applies the extension.
    pub add: fn(App) -> App,
}

inventory::collect!(AppExtension);

/// The call that an [`AppExtension`] makes, as text for `routes --explain`.
pub struct AppExtensionCall {
    /// The module of the attribute: `module_path!()`.
    pub module: &'static str,
    /// The call, such as `.sqs(piton::aws::sqs::Poll::new("orders", shop::take))`.
    pub call: &'static str,
}

inventory::collect!(AppExtensionCall);

impl App {
    /// Enables the parts that `collect` adds, as [`App::enable`] does for one: for macros and modules that know
    /// them only from the types of a function.
    #[must_use]
    pub fn enable_dependencies(mut self, collect: impl FnOnce(&mut Dependencies)) -> Self {
        collect(&mut self.enabled);
        self
    }

    /// Applies the app's extensions. A command gets what they provide, such as the schedules to list, and starts none
    /// of their parts.
    pub(super) fn with_extensions(mut self) -> Self {
        if self.for_command {
            self.provided.append(Self::new(self.name.clone()).with_extensions().provided);
            return self;
        }
        let all = inventory::iter::<AppExtension>();
        let root = self.root_module();
        all.filter(|extension| http::is_within(extension.module, &root))
            .fold(self, |app, extension| (extension.add)(app))
    }

    /// Returns the calls of this app's extensions, as text.
    pub(super) fn extension_calls(&self) -> impl Iterator<Item = &'static str> {
        let root = self.root_module();
        let all = inventory::iter::<AppExtensionCall>();
        all.filter(move |call| http::is_within(call.module, &root)).map(|call| call.call)
    }

    /// Returns the parts that extensions enable.
    pub(super) fn dependencies_of_extensions(&self) -> Dependencies {
        Self::new(self.name.clone()).with_extensions().enabled
    }

    /// Returns the module that the app's routes and extensions are in: its name, as an identifier.
    fn root_module(&self) -> String {
        self.name.replace('-', "_")
    }
}

/// Returns the modules of all extensions in this binary.
pub(super) fn extension_modules() -> impl Iterator<Item = &'static str> {
    inventory::iter::<AppExtension>().map(|extension| extension.module)
}
