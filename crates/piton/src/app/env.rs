//! Environment variables that are not settings: those that the app exposes, and values for tests.

use std::ffi::OsString;
use std::sync::Arc;

use super::App;
use crate::config::{Config, ExposedNames};

/// The environment variables that the app exposes, and values for tests.
#[derive(Default)]
pub(super) struct EnvVariables {
    pub keep: Vec<ExposedNames>,
    pub given: Vec<(OsString, OsString)>,
}

impl App {
    /// Exposes environment variables that are not settings, of the process and of `.env`, to
    /// [`Config::exposed_env`]. No others are stored. `names` is called once, after the settings have been read, so
    /// that the names may be settings; wrong settings are at their defaults then, and are reported as usual.
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

    /// Sets an environment variable for this app, with precedence over that of the process. Settings are read from it.
    /// For tests, which do not read the environment.
    #[must_use]
    pub fn env_for_test(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.given.push((name.into(), value.into()));
        self
    }
}
