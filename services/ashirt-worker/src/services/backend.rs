//! ASHIRT's backend as a part of the worker, with health and metrics.

use std::sync::{Arc, Mutex, PoisonError};

use piton::axum::http::{HeaderMap, HeaderValue};
use piton::http::TRACEPARENT;
use piton::metrics::Metrics;
use piton::part::{self, Health, Launch, Part};
use piton::prelude::*;
use piton::{Stop, tokio};

use super::AshirtSettings;
use super::ashirt_settings::chain;
use crate::ashirt::{Attempt, Client, Kind};
use crate::metrics::RequestMetrics;

/// The backend with the client that all requests share. Cheap to clone.
#[derive(Clone)]
pub struct Backend(Arc<Inner>);

struct Inner {
    client: Client,
    calls: RequestMetrics,
    /// Failure of the last request or check, if it failed.
    last_error: Arc<LastError>,
}

#[derive(Default)]
struct LastError(Mutex<Option<String>>);

/// Returns the client of ASHIRT, from anywhere in the worker.
///
/// # Panics
/// Outside of the running worker.
#[must_use]
pub fn svc() -> Client {
    piton::app().part::<Backend>().client().clone()
}

impl Backend {
    /// Returns the client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// Checks that the backend is reachable and accepts the worker's keys.
    ///
    /// # Errors
    /// The reason as text.
    pub async fn check(&self) -> Result<(), String> {
        let checked = self.0.client.check_connection().await.map_err(|error| chain(&error));
        self.0.last_error.set(checked.clone().err());
        checked
    }
}

impl Part for Backend {
    const NAME: &'static str = "ashirt";

    type Settings = AshirtSettings;

    async fn start(settings: AshirtSettings, launch: &Launch) -> Result<Self, part::Error> {
        let name = format!("{}/{}", launch.name(), env!("CARGO_PKG_VERSION"));
        let settings = settings.client(name).ok_or("the settings of `ashirt` are checked before");
        let (calls, last_error) = (RequestMetrics::default(), Arc::new(LastError::default()));
        let (counted, recorded) = (calls.clone(), last_error.clone());
        let client = Client::new(settings.map_err(std::io::Error::other)?)?
            .with_headers(trace_headers)
            .with_observer(move |attempt| {
                counted.count(attempt);
                recorded.record(attempt);
            });
        Ok(Self(Arc::new(Inner { client, calls, last_error })))
    }

    /// Checks once, so that wrong keys are reported at launch. The launch does not wait for it,
    /// because ASHIRT may start after its workers.
    async fn run(&self, stop: Stop) {
        let checked = tokio::select! {
            checked = self.check() => checked,
            () = stop.stopped() => return,
        };
        match checked {
            Ok(()) => info!("ASHIRT is reachable and accepts the worker's keys"),
            Err(why) => warn!("ASHIRT is unavailable: {why}"),
        }
    }

    async fn health(&self) -> Health {
        match self.0.last_error.get() {
            None => Health::Up,
            // Degraded instead of down: a worker that gets no requests cannot notice that ASHIRT is
            // back, because ASHIRT is its only caller.
            Some(why) => Health::Degraded(why),
        }
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.calls.register(metrics);
    }
}

piton::part!(Backend);

impl LastError {
    fn set(&self, last_error: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last_error;
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records what an attempt says about the backend as a whole. Any response means that it works,
    /// whatever its status says about the request.
    fn record(&self, attempt: &Attempt) {
        match attempt.error {
            None => self.set(None),
            Some(Kind::Connect | Kind::Timeout | Kind::Interrupted | Kind::Server) => {
                let why = format!("the last request ({}) failed", attempt.call);
                self.set(Some(why));
            }
            Some(_) => {}
        }
    }
}

/// Returns the trace context of the current request as a header.
fn trace_headers() -> HeaderMap {
    let trace =
        piton::trace().and_then(|trace| HeaderValue::try_from(trace.child().to_string()).ok());
    trace.into_iter().map(|trace| (TRACEPARENT, trace)).collect()
}
