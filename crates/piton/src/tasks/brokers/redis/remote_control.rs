//! Celery's remote control: `celery inspect`, `celery control`, and the buttons of Flower.
//!
//! Requests are published to all workers. They are received on a connection of their own, which is opened again for as
//! long as the worker runs.

use std::sync::Arc;
use std::time::Duration;

use piton_celery::{ControlReply, ControlRequest, Envelope, TaskInfo, TaskStage, queue_info};
use redis::aio::{AsyncPushSender, MultiplexedConnection, SendError};
use redis::{PushInfo, PushKind, Value};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::keys::REVOKED;
use super::{Inner, malformed};
use crate::redis_client::RedisFailure;
use crate::stop_signal::Stop;
use crate::support::backoff::{Backoff, JITTER};
use crate::tasks::error::BrokerError;
use crate::tasks::monitored_worker::{MonitoredWorker, now_seconds};

/// Delays between attempts to connect.
const CONNECT_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(100), Duration::from_secs(5), JITTER);

/// The interval in which the connection is tried, and the time for the response.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of requests that wait. Further ones are dropped, as they are while nobody listens.
const MAX_WAITING: usize = 1000;

/// Maximum size of a request.
const MAX_REQUEST_BYTES: usize = 1 << 20;

/// The time after which a reply that nobody has read is removed. Clients wait for a second.
const KEEP_REPLY_SECONDS: u64 = 60;

/// Receives what the server sends.
struct Sender(mpsc::Sender<Pushed>);

enum Pushed {
    Request(Vec<u8>),
    Closed,
}

impl AsyncPushSender for Sender {
    fn send(&self, info: PushInfo) -> Result<(), SendError> {
        let pushed = match (info.kind, info.data.into_iter().nth(1)) {
            (PushKind::Message, Some(Value::BulkString(request))) => Pushed::Request(request),
            (PushKind::Disconnection, _) => Pushed::Closed,
            _ => return Ok(()),
        };
        // One that finds no place is lost, as if nobody had listened.
        let _ = self.0.try_send(pushed);
        Ok(())
    }
}

impl Inner {
    /// Serves requests until `stop`.
    pub(super) async fn serve_control(&self, worker: &Arc<dyn MonitoredWorker>, stop: &Stop) {
        let started = Instant::now();
        let mut backoff = CONNECT_BACKOFF;
        while !stop.is_stopped() {
            let (sender, mut requests) = mpsc::channel(MAX_WAITING);
            let Ok(mut connection) = self.listen(sender).await else {
                tokio::select! {
                    () = sleep(backoff.next_delay()) => continue,
                    () = stop.stopped() => break,
                }
            };
            backoff = CONNECT_BACKOFF;
            loop {
                let pushed = tokio::select! {
                    pushed = requests.recv() => pushed,
                    () = sleep(PING_INTERVAL) => {
                        // Nothing is ever sent on it otherwise, so a connection that was dropped on the way would look idle.
                        let ping = redis::cmd("PING");
                        let answered = timeout(PING_TIMEOUT, ping.query_async::<()>(&mut connection));
                        if matches!(answered.await, Ok(Ok(()))) {
                            continue;
                        }
                        None
                    }
                    () = stop.stopped() => return,
                };
                match pushed {
                    Some(Pushed::Request(message)) => tokio::select! {
                        () = self.answer(worker, started, &message) => {}
                        () = stop.stopped() => return,
                    },
                    Some(Pushed::Closed) | None => break,
                }
            }
        }
    }

    async fn listen(
        &self,
        sender: mpsc::Sender<Pushed>,
    ) -> Result<MultiplexedConnection, RedisFailure> {
        let channel = self.keys.named(&format!("/{}.celery.pidbox", self.broker.server.db()));
        let connected =
            self.control_server.connect_for_pushes(Sender(sender), async |mut connection| {
                connection.subscribe(&channel).await?;
                Ok(connection)
            });
        connected.await.inspect_err(|error| debug!("No remote control: {error}"))
    }

    /// Does what a request asks, and replies if it wants a reply.
    async fn answer(&self, worker: &Arc<dyn MonitoredWorker>, started: Instant, message: &[u8]) {
        let request = Envelope::from_slice(message)
            .and_then(|envelope| ControlRequest::from_envelope(&envelope, MAX_REQUEST_BYTES));
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                warn!("A request to workers cannot be read: {error}");
                return;
            }
        };
        let name = worker.info().name;
        if !request.is_for(&name) {
            return;
        }
        let clock = self.tick(request.clock);
        let reply = self.control(worker, started, &request, clock).await;
        let reply = reply.unwrap_or_else(|error| ControlReply::error(error.to_string()));
        let is_late = request.is_expired(now_seconds());
        if !is_late && let Err(error) = self.reply(&name, &request, &reply, clock).await {
            debug!("A reply to `{}` was not sent: {error}", request.method);
        }
    }

    /// Advances the logical clock beyond that of another process, by which monitors sort events.
    pub(super) fn tick(&self, other: u64) -> u64 {
        use std::sync::atomic::Ordering::Relaxed;

        self.logical_clock.fetch_max(other, Relaxed);
        self.logical_clock.fetch_add(1, Relaxed) + 1
    }

    async fn reply(
        &self,
        name: &str,
        request: &ControlRequest,
        reply: &ControlReply,
        clock: u64,
    ) -> Result<(), BrokerError> {
        let tag = uuid::Uuid::from_u128(fastrand::u128(..)).to_string();
        let message = request.reply(name, reply, clock, tag).map_err(malformed)?;
        let (Some(message), Some(reply_to)) = (message, &request.reply_to) else { return Ok(()) };
        let message = message.to_vec().map_err(malformed)?;
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.keys.named(&reply_to.bindings_key()));
        let members: Vec<String> = self.broker.query(&command).await?;
        let mut pipeline = redis::pipe();
        for queue in reply_to.queues(members.iter().map(String::as_str)) {
            let queue = self.keys.named(queue);
            pipeline.cmd("LPUSH").arg(&queue).arg(&message).ignore();
            pipeline.cmd("EXPIRE").arg(&queue).arg(KEEP_REPLY_SECONDS).ignore();
        }
        self.broker.pipe(&pipeline).await
    }

    async fn control(
        &self,
        worker: &Arc<dyn MonitoredWorker>,
        started: Instant,
        request: &ControlRequest,
        clock: u64,
    ) -> Result<ControlReply, BrokerError> {
        let value = |value: serde_json::Value| Ok(ControlReply::Value(value));
        let events = |enabled: bool| {
            let changed = worker.events().enable(enabled);
            let already = if changed { "" } else { "already " };
            let state = if enabled { "enabled" } else { "disabled" };
            ControlReply::ok(format!("task events {already}{state}"))
        };
        match request.command() {
            "ping" => Ok(ControlReply::ok("pong")),
            "clock" => value(json!({ "clock": clock })),
            "hello" => self.hello(worker, request, clock).await,
            "active" => value(json!(worker.active())),
            "reserved" => value(json!(worker.reserved())),
            // Tasks that are due later wait in Redis, and in no worker.
            "scheduled" => value(json!([])),
            "query_task" => {
                let ids = request.ids().map_err(malformed)?;
                value(stages(&ids, &worker.active(), &worker.reserved()))
            }
            "revoked" => value(json!(self.revoked_ids().await?)),
            "registered" => value(json!(worker.registered())),
            "active_queues" => {
                value(worker.info().queues.iter().map(|queue| queue_info(queue)).collect())
            }
            "stats" => value(self.stats(worker, started, clock)),
            "conf" => value(self.conf(worker)),
            "report" => {
                let info = worker.info();
                let queues = info.queues.join(", ");
                Ok(ControlReply::ok(format!(
                    "software -> piton:{} rust\nworker -> {} queues:{queues} concurrency:{}",
                    env!("CARGO_PKG_VERSION"),
                    info.name,
                    info.concurrency
                )))
            }
            "revoke" => self.revoke_by_request(worker, request, request.terminate()).await,
            "terminate" => self.revoke_by_request(worker, request, true).await,
            "rate_limit" => rate_limit(worker, request),
            "time_limit" => {
                let task = request.task_name().map_err(malformed)?;
                let limit = request.time_limit().map_err(malformed)?;
                Ok(match worker.set_time_limit(task, limit) {
                    true => ControlReply::ok("time limits set successfully"),
                    false => ControlReply::error("unknown task"),
                })
            }
            "add_consumer" => {
                let queue = request.queue().map_err(malformed)?;
                worker.add_queue(queue);
                self.remember_queues(std::iter::once(queue)).await?;
                Ok(ControlReply::ok(format!("add consumer {queue}")))
            }
            "cancel_consumer" => {
                let queue = request.queue().map_err(malformed)?;
                worker.remove_queue(queue);
                Ok(ControlReply::ok(format!("no longer consuming from {queue}")))
            }
            "enable_events" => Ok(events(true)),
            "disable_events" => Ok(events(false)),
            "heartbeat" => {
                self.publish_heartbeat(worker).await?;
                value(serde_json::Value::Null)
            }
            "shutdown" => {
                worker.shut_down();
                Ok(ControlReply::ok("shutting down"))
            }
            "pool_grow" | "pool_shrink" | "pool_restart" | "autoscale" => Ok(ControlReply::error(
                "the number of tasks at a time is fixed: set tasks.concurrency and restart the worker",
            )),
            _ => Ok(ControlReply::unknown_command(&request.method)),
        }
    }

    async fn hello(
        &self,
        worker: &Arc<dyn MonitoredWorker>,
        request: &ControlRequest,
        clock: u64,
    ) -> Result<ControlReply, BrokerError> {
        if request.sender().is_ok_and(|sender| sender == worker.info().name) {
            return Ok(ControlReply::Value(serde_json::Value::Null));
        }
        if let Ok(ids) = request.revoked_ids() {
            self.remember(REVOKED, ids.into_iter()).await?;
        }
        let revoked = self.revoked_ids().await?;
        Ok(ControlReply::Value(json!({ "revoked": revoked, "clock": clock })))
    }

    async fn revoke_by_request(
        &self,
        worker: &Arc<dyn MonitoredWorker>,
        request: &ControlRequest,
        terminates: bool,
    ) -> Result<ControlReply, BrokerError> {
        let ids = request.task_ids().map_err(malformed)?;
        self.remember(REVOKED, ids.iter().copied()).await?;
        worker.revoke_waiting(&ids);
        let listed = ids.join(", ");
        if !terminates {
            return Ok(ControlReply::ok(format!("tasks {listed} flagged as revoked")));
        }
        worker.terminate(&ids);
        Ok(ControlReply::ok(format!("terminate: {listed}")))
    }

    /// Returns the ids of all revoked tasks.
    async fn revoked_ids(&self) -> Result<Vec<String>, BrokerError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.named(REVOKED)).arg(0).arg(-1);
        self.broker.query(&command).await
    }

    fn stats(
        &self,
        worker: &Arc<dyn MonitoredWorker>,
        started: Instant,
        clock: u64,
    ) -> serde_json::Value {
        let (info, server) = (worker.info(), &self.broker.server);
        json!({
            "total": worker.totals(),
            "pid": std::process::id(),
            "clock": clock.to_string(),
            "uptime": started.elapsed().as_secs(),
            "pool": {
                "implementation": "piton",
                "max-concurrency": info.concurrency,
                "processes": [std::process::id()],
                "max-tasks-per-child": "N/A",
                "timeouts": [0, 0],
            },
            "broker": {
                "hostname": server.address(),
                "transport": "redis",
                "virtual_host": server.db().to_string(),
            },
            "prefetch_count": 0,
            "rusage": {},
        })
    }

    /// Returns the options that Celery has, too. Without secrets.
    fn conf(&self, worker: &Arc<dyn MonitoredWorker>) -> serde_json::Value {
        let (info, server) = (worker.info(), &self.broker.server);
        json!({
            "broker_url": format!("redis://{}/{}", server.address(), server.db()),
            "result_backend": format!("redis://{}/{}", self.results().server.address(), self.results().server.db()),
            "task_queues": info.queues,
            "worker_concurrency": info.concurrency,
            "task_acks_late": true,
            "task_track_started": true,
            "result_expires": self.keep_results.as_secs(),
            "broker_transport_options": {
                "visibility_timeout": self.visibility_timeout.as_secs(),
                "global_keyprefix": self.keys.prefix(),
                "priority_steps": self.keys.steps(),
            },
        })
    }
}

/// Returns where tasks are, of those that are here: `{id: [stage, info]}`.
fn stages(ids: &[&str], active: &[TaskInfo], reserved: &[TaskInfo]) -> serde_json::Value {
    let staged = |stage: TaskStage| move |info: &TaskInfo| (info.id.clone(), json!([stage, info]));
    let active = active.iter().map(staged(TaskStage::Active));
    let all = active.chain(reserved.iter().map(staged(TaskStage::Reserved)));
    let asked = all.filter(|(id, _)| ids.contains(&id.as_str()));
    serde_json::Value::Object(asked.collect())
}

fn rate_limit(
    worker: &Arc<dyn MonitoredWorker>,
    request: &ControlRequest,
) -> Result<ControlReply, BrokerError> {
    let task = request.task_name().map_err(malformed)?;
    let limit = match request.rate_limit() {
        Ok(limit) => limit,
        Err(error) => {
            return Ok(ControlReply::error(format!("Invalid rate limit string: {error}")));
        }
    };
    Ok(match (worker.set_rate_limit(task, limit), limit) {
        (false, _) => ControlReply::error("unknown task"),
        (true, Some(_)) => ControlReply::ok("new rate limit set successfully"),
        (true, None) => ControlReply::ok("rate limit disabled successfully"),
    })
}
