//! The cache as a part of the app: start, connect, health, metrics.

use super::cache_handle::Cache;
use super::prometheus_collector::CacheCollector;
use super::settings::CacheSettings;
use crate::handle::Handle;
use crate::metrics::Metrics;
use crate::part::{self, BoxError, Health, Launch, Part};
use crate::stop_signal::Stop;

impl Part for Cache {
    const NAME: &'static str = "cache";

    type Settings = CacheSettings;

    async fn start(settings: CacheSettings, launch: &Launch) -> Result<Self, part::Error> {
        // With the environment in the name, two environments that share a server share no values.
        let environment = launch.environment().as_str().to_ascii_lowercase();
        let name = format!("{}-{environment}", launch.name());
        Ok(Self::new(&settings, &name).map_err(|problem| *problem)?)
    }

    /// Never fails: without its server the cache stores nothing, and the service works.
    async fn connect(&self) -> Result<(), BoxError> {
        self.0.store.connect_once().await;
        Ok(())
    }

    async fn run(&self, stop: Stop) {
        self.0.store.keep_connected(stop).await;
    }

    async fn health(&self) -> Health {
        self.0.store.health().await
    }

    fn snapshot(&self) -> serde_json::Value {
        self.0.snapshot()
    }

    fn metrics(&self, metrics: &Metrics) {
        metrics.collect(CacheCollector(self.0.clone()));
    }
}

crate::part!(Cache);

impl Handle {
    /// Returns the cache, as a handler's argument `cache: Cache` does.
    ///
    /// ```
    /// # async fn f() {
    /// let visits: Option<u64> = piton::app().cache().get("visits").await;
    /// # }
    /// ```
    ///
    /// # Panics
    /// If no route or part needs [`Cache`]; see [`Handle::part`].
    #[must_use]
    #[track_caller]
    pub fn cache(&self) -> Cache {
        self.part::<Cache>()
    }
}
