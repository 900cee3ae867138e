//! The database as a part of the app: its start, health, metrics and stop.

use super::database::Db;
use super::error::Error;
use super::metrics::DbMetrics;
use super::migrations::embedded::Migrations;
use super::migrations::folder::warn_of_differences;
use super::settings::DbSettings;
use crate::app::App;
use crate::handle::Handle;
use crate::launch_steps::Step;
use crate::metrics::Metrics;
use crate::part::{self, BoxError, Health, Launch, Part, Permanent};
use crate::stop_signal::Stop;

impl Part for Db {
    const NAME: &'static str = "db";
    const STEP: Step = Step::ConfigureDatabase;
    const CRITICAL: bool = true;

    type Settings = DbSettings;

    async fn start(mut settings: DbSettings, launch: &Launch) -> Result<Self, part::Error> {
        settings.fit_request(launch);
        let migrations = launch.provided::<Migrations>().copied().collect();
        let in_development = !launch.production();
        let (name, data_dir) = (launch.name(), launch.data_dir());
        Ok(Self::new(&settings, name, data_dir, in_development, migrations)?)
    }

    async fn connect(&self) -> Result<(), BoxError> {
        if self.log.in_development() {
            warn_of_differences(self.migrations().lists()).await;
        }
        self.store.connect().await.map_err(connect_error)
    }

    async fn run(&self, stop: Stop) {
        self.store.watch(stop).await;
    }

    async fn health(&self) -> Health {
        self.store.health().await
    }

    fn details(&self) -> serde_json::Value {
        self.migrations().details()
    }

    fn snapshot(&self) -> serde_json::Value {
        self.store.snapshot()
    }

    fn metrics(&self, metrics: &Metrics) {
        metrics.collect(DbMetrics(self.clone()));
    }

    async fn stop(&self) {
        self.store.close().await;
    }
}

crate::part!(Db);

/// Tells the app whether to try again, how soon, or to end.
fn connect_error(error: Error) -> BoxError {
    if error.is_permanent() {
        Permanent::new(error).into()
    } else if error.is_refusal() {
        part::Refused(error.into()).into()
    } else {
        error.into()
    }
}

impl App {
    /// Disables the database, as [`App::disable`] does: Gnar Gear's `no_db`.
    #[must_use]
    pub fn no_db(self) -> Self {
        self.disable::<Db>()
    }

    /// Adds the service's migrations: `.migrations(piton::migrations!())`. They run when the
    /// database is first reached, before any request that needs it. Several lists are merged in the
    /// order of their numbers.
    #[must_use]
    pub fn migrations(self, migrations: Migrations) -> Self {
        self.provide(migrations)
    }
}

impl Handle {
    /// Returns the database, as a handler's argument `db: Db` does.
    ///
    /// # Panics
    /// If nothing requires the database; see [`Handle::part`].
    #[must_use]
    #[track_caller]
    pub fn db(&self) -> Db {
        self.part::<Db>()
    }
}
