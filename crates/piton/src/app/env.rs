//! Variables of the environment that are no settings: which of them are kept, and those that the code
//! gives in the environment's stead.

use std::ffi::OsString;
use std::sync::Arc;

use super::App;
use crate::config::{Config, ExposedNames};

/// What the app says of variables.
#[derive(Default)]
pub(super) struct EnvVariables {
    pub keep: Vec<ExposedNames>,
    pub given: Vec<(OsString, OsString)>,
}

impl App {
    /// Keeps variables of the environment and of `.env` that are no settings, so that
    /// [`Config::exposed_env`] knows them. Of all others nothing is remembered. `names` is asked once,
    /// when the settings have been read: the names may stand in those. Settings that are wrong are at
    /// their defaults then, and are reported as ever.
    ///
    /// ```
    /// use piton::prelude::*;
    /// use piton::testing::TestApp;
    ///
    /// #[piton::test]
    /// async fn the_service_knows_its_region() {
    ///     let app = App::new("my_service").expose_env(|_| vec!["REGION".into()]);
    ///     let app = TestApp::new(app.env_for_test("REGION", "sa-east-1")).await;
    ///     let region = app.handle().config().exposed_env("REGION").expect("it is given");
    ///     assert_eq!(region.text.as_deref(), Some("sa-east-1"));
    /// }
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn expose_env(
        mut self,
        names: impl Fn(&Config) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        self.env.keep.push(Arc::new(names));
        self
    }

    /// A variable, as though the environment had it: settings are read from it, and it outranks the
    /// variable of that name of the process. For tests, which read no environment.
    #[must_use]
    pub fn env_for_test(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.given.push((name.into(), value.into()));
        self
    }
}
