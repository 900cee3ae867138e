//! Celery's events: a worker's heartbeats, and what happens to its tasks. Flower shows them.

use std::sync::Arc;
use std::time::Duration;

use chrono::Offset;
use piton_celery::{Event, EventKind, EventSource, WorkerStatus};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::{Inner, malformed};
use crate::stop_signal::Stop;
use crate::tasks::error::BrokerError;
use crate::tasks::monitored_worker::{MonitoredWorker, RecordedEvent, now_seconds};

/// The interval of heartbeats, which they tell. A worker without one for twice as long counts as offline.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);

/// The time in which events of tasks gather before they are published together.
const GATHERING: Duration = Duration::from_millis(50);

/// Maximum number of events in one message.
const MAX_BATCH: usize = 100;

/// The time for the last event of a worker.
const OFFLINE_TIMEOUT: Duration = Duration::from_millis(500);

impl Inner {
    /// Publishes heartbeats and the events of tasks, until `stop`. What is not published because the server is away is lost:
    /// events are for those who watch.
    pub(super) async fn publish_events(&self, worker: &Arc<dyn MonitoredWorker>, stop: &Stop) {
        let published = async {
            tokio::join!(self.publish_heartbeats(worker), self.publish_task_events(worker));
        };
        tokio::select! {
            () = published => {}
            () = stop.stopped() => {}
        }
        let offline = self.publish(worker, EventKind::WorkerOffline(status(worker)));
        let _ = timeout(OFFLINE_TIMEOUT, offline).await;
    }

    async fn publish_heartbeats(&self, worker: &Arc<dyn MonitoredWorker>) {
        let mut is_online = false;
        loop {
            let kind = match is_online {
                false => EventKind::WorkerOnline(status(worker)),
                true => EventKind::WorkerHeartbeat(status(worker)),
            };
            let published = self.publish(worker, kind).await;
            is_online = published.inspect_err(|error| debug!("No heartbeat: {error}")).is_ok();
            sleep(HEARTBEAT_INTERVAL).await;
        }
    }

    pub(super) async fn publish_heartbeat(
        &self,
        worker: &Arc<dyn MonitoredWorker>,
    ) -> Result<(), BrokerError> {
        self.publish(worker, EventKind::WorkerHeartbeat(status(worker))).await
    }

    async fn publish_task_events(&self, worker: &Arc<dyn MonitoredWorker>) {
        loop {
            let events = worker.events().take().await;
            for events in events.chunks(MAX_BATCH) {
                if let Err(error) = self.publish_batch(worker, events).await {
                    debug!("{} events of tasks are lost: {error}", events.len());
                }
            }
            sleep(GATHERING).await;
        }
    }

    async fn publish_batch(
        &self,
        worker: &Arc<dyn MonitoredWorker>,
        events: &[RecordedEvent],
    ) -> Result<(), BrokerError> {
        let source = source(worker);
        let event = |event: &RecordedEvent| {
            source.event(event.kind.clone(), self.tick(0), event.at_seconds)
        };
        let events: Vec<Event> = events.iter().map(event).collect();
        let message = Event::batch(&events, tag()).map_err(malformed)?;
        let message = message.to_vec().map_err(malformed)?;
        self.publish_to("task.multi", message).await
    }

    async fn publish(
        &self,
        worker: &Arc<dyn MonitoredWorker>,
        kind: EventKind,
    ) -> Result<(), BrokerError> {
        let event = source(worker).event(kind, self.tick(0), now_seconds());
        let message = event.to_envelope(tag()).and_then(|envelope| envelope.to_vec());
        self.publish_to(&event.routing_key(), message.map_err(malformed)?).await
    }

    async fn publish_to(&self, routing_key: &str, message: Vec<u8>) -> Result<(), BrokerError> {
        let channel = format!("/{}.celeryev/{routing_key}", self.broker.server.db());
        let mut command = redis::cmd("PUBLISH");
        command.arg(self.keys.named(&channel)).arg(message);
        self.broker.query(&command).await
    }
}

fn tag() -> String {
    uuid::Uuid::from_u128(fastrand::u128(..)).to_string()
}

fn source(worker: &Arc<dyn MonitoredWorker>) -> EventSource {
    let mut source = EventSource::new(worker.info().name, std::process::id());
    let east_seconds = chrono::Local::now().offset().fix().local_minus_utc();
    // Celery counts hours to the west.
    source.utc_offset_hours = f64::from(-east_seconds) / 3600.0;
    source
}

fn status(worker: &Arc<dyn MonitoredWorker>) -> WorkerStatus {
    let mut status = WorkerStatus::new("piton", env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    status.interval = HEARTBEAT_INTERVAL;
    status.active = worker.active_count();
    status.processed = worker.totals().values().sum();
    status.load_average = load_average();
    status
}

/// Returns the load of the machine over 1, 5 and 15 minutes, rounded as Celery rounds it.
fn load_average() -> [f64; 3] {
    let loads = rustix::system::sysinfo().loads;
    #[expect(clippy::cast_precision_loss, reason = "loads are small")]
    loads.map(|load| (load as f64 / 65_536.0 * 100.0).round() / 100.0)
}
