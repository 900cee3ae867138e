//! Variables of the environment that are no settings: which of them are kept, and those that the code
//! gives in the environment's stead.

use std::ffi::OsString;
use std::sync::Arc;

use super::App;
use crate::config::{Config, KeptNames};

/// What the app says of variables.
#[derive(Default)]
pub(super) struct Variables {
    pub keep: Vec<KeptNames>,
    pub given: Vec<(OsString, OsString)>,
}

impl App {
    /// Keeps variables of the environment and of `.env` that are no settings, so that
    /// [`Config::kept_variable`] knows them. Of all others nothing is remembered. `names` is asked once,
    /// when the settings have been read: the names may stand in those. Settings that are wrong are at
    /// their defaults then, and are reported as ever.
    ///
    /// ```
    /// use piton::prelude::*;
    ///
    /// #[piton::test]
    /// async fn the_service_knows_its_region() {
    ///     let app = App::new("my_service").keep_variables(|_| vec!["REGION".into()]);
    ///     let app = TestApp::new(app.variable("REGION", "sa-east-1")).await;
    ///     let region = app.handle().config().kept_variable("REGION").expect("it is given");
    ///     assert_eq!(region.text.as_deref(), Some("sa-east-1"));
    /// }
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn keep_variables(
        mut self,
        names: impl Fn(&Config) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        self.variables.keep.push(Arc::new(names));
        self
    }

    /// A variable, as though the environment had it: settings are read from it, and it outranks the
    /// variable of that name of the process. For tests, which read no environment.
    #[must_use]
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.given.push((name.into(), value.into()));
        self
    }
}
