//! ASHIRT's backend as a part of the worker: made at the start, looked after, counted.

use std::sync::{Arc, Mutex, PoisonError};

use piton::axum::http::{HeaderMap, HeaderValue};
use piton::http::TRACEPARENT;
use piton::metrics::Metrics;
use piton::part::{self, Health, Launch, Part};
use piton::prelude::*;
use piton::{Stop, tokio};

use super::AshirtSettings;
use super::settings::chain;
use crate::ashirt::{Attempt, Client, Kind};
use crate::figures::Calls;

/// The backend, by the one client that everybody shares. Cheap to clone.
#[derive(Clone)]
pub struct Backend(Arc<Inner>);

struct Inner {
    client: Client,
    calls: Calls,
    /// Why it cannot be worked with, as far as that is known.
    trouble: Arc<Trouble>,
}

#[derive(Default)]
struct Trouble(Mutex<Option<String>>);

/// The client of ASHIRT, from anywhere in the worker.
///
/// # Panics
/// Outside of the running worker.
#[must_use]
pub fn svc() -> Client {
    piton::app().part::<Backend>().client().clone()
}

impl Backend {
    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// Asks whether the backend is there and knows us.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn check(&self) -> Result<(), String> {
        let checked = self.0.client.check_connection().await.map_err(|error| chain(&error));
        self.0.trouble.note(checked.clone().err());
        checked
    }
}

impl Part for Backend {
    const NAME: &'static str = "ashirt";

    type Settings = AshirtSettings;

    async fn start(settings: AshirtSettings, launch: &Launch) -> Result<Self, part::Error> {
        let name = format!("{}/{}", launch.name(), env!("CARGO_PKG_VERSION"));
        let settings = settings.client(name).ok_or("the settings of `ashirt` have been checked");
        let (calls, trouble) = (Calls::default(), Arc::new(Trouble::default()));
        let (counted, noted) = (calls.clone(), trouble.clone());
        let client = Client::new(settings.map_err(std::io::Error::other)?)?
            .with_headers(of_the_trace)
            .with_observer(move |attempt| {
                counted.count(attempt);
                noted.seen(attempt);
            });
        Ok(Self(Arc::new(Inner { client, calls, trouble })))
    }

    /// Asks once, so that wrong keys are told at the start. It keeps nobody waiting: ASHIRT may start
    /// after its workers.
    async fn run(&self, stop: Stop) {
        let checked = tokio::select! {
            checked = self.check() => checked,
            () = stop.stopped() => return,
        };
        match checked {
            Ok(()) => info!("ASHIRT is there, and takes the worker's keys"),
            Err(why) => warn!("ASHIRT cannot be worked with: {why}"),
        }
    }

    async fn health(&self) -> Health {
        match self.0.trouble.told() {
            None => Health::Up,
            // Whoever calls the worker is ASHIRT: then it is there again.
            Some(why) => Health::Degraded(why),
        }
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.calls.register(metrics);
    }
}

piton::part!(Backend);

impl Trouble {
    fn note(&self, trouble: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn told(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What an attempt says of the backend as a whole: an answer is one, whatever it says of what was
    /// asked for.
    fn seen(&self, attempt: &Attempt) {
        match attempt.error {
            None => self.note(None),
            Some(Kind::Connect | Kind::Timeout | Kind::Interrupted | Kind::Server) => {
                let why = format!("the last request ({}) failed", attempt.call);
                self.note(Some(why));
            }
            Some(_) => {}
        }
    }
}

/// The trace of the request that is being worked on goes along.
fn of_the_trace() -> HeaderMap {
    let trace =
        piton::trace().and_then(|trace| HeaderValue::try_from(trace.child().to_string()).ok());
    trace.into_iter().map(|trace| (TRACEPARENT, trace)).collect()
}
