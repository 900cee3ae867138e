//! [`Watcher`]: waits until keys change, on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection, SendError};
use redis::{PushInfo, PushKind};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

use crate::redis_client::{RedisFailure, RedisServer};

/// Waits until keys change, however many there are and whichever program changes them.
///
/// It reads them on a connection with client-side caching: the server remembers what was read there, and sends a message
/// when it is changed for the first time. Nothing is polled, no message of a queue is taken out by waiting for it, and one
/// connection serves all waiters. Where a proxy does not pass client-side caching on, nothing is reported, and callers look
/// again after their own interval.
pub(super) struct Watcher {
    server: RedisServer,
    timeout: Duration,
    live: Mutex<Option<Live>>,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    /// Changes with each message of the server, and with the end of the connection.
    changes: watch::Receiver<Changes>,
}

#[derive(Clone, Copy, Default)]
struct Changes {
    is_closed: bool,
}

/// Receives the messages of the server.
#[derive(Clone)]
struct Sender(Arc<watch::Sender<Changes>>);

impl AsyncPushSender for Sender {
    fn send(&self, info: PushInfo) -> Result<(), SendError> {
        match info.kind {
            PushKind::Invalidate => self.0.send_modify(|_| {}),
            PushKind::Disconnection => self.0.send_modify(|changes| changes.is_closed = true),
            _ => {}
        }
        Ok(())
    }
}

impl Watcher {
    pub fn new(server: RedisServer, timeout: Duration) -> Self {
        Self { server, timeout, live: Mutex::default() }
    }

    /// Waits until one of `lists` has a message, unless `queues` are all in the set `paused`. Waits indefinitely if the
    /// server does not answer.
    pub async fn filled(&self, lists: Vec<String>, paused: &str, queues: &[String]) {
        let mut pipeline = redis::pipe();
        for queue in queues {
            pipeline.cmd("SISMEMBER").arg(paused).arg(queue);
        }
        for list in &lists {
            pipeline.cmd("LLEN").arg(list);
        }
        let per_queue = lists.len() / queues.len().max(1);
        loop {
            let Some(mut live) = self.open().await else { return std::future::pending().await };
            live.changes.borrow_and_update();
            let Some(replies) = self.ask::<Vec<u64>>(&mut live, &pipeline).await else {
                return std::future::pending().await;
            };
            let (paused, lengths) = replies.split_at(queues.len().min(replies.len()));
            let mut lengths = lengths.chunks(per_queue.max(1)).zip(paused);
            if lengths.any(|(lengths, paused)| *paused == 0 && lengths.iter().any(|it| *it > 0)) {
                return;
            }
            let _ = live.changes.changed().await;
            if !live.changes.borrow().is_closed {
                return;
            }
        }
    }

    /// Waits until the value of `key` changes, or another key that is waited for. Returns at once if `is_wanted` accepts the
    /// present value. Waits indefinitely if the server does not answer.
    pub async fn changed(&self, key: &str, is_wanted: impl Fn(&[u8]) -> bool) {
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(key);
        let Some(mut live) = self.open().await else { return std::future::pending().await };
        live.changes.borrow_and_update();
        match self.ask::<(Option<Vec<u8>>,)>(&mut live, &pipeline).await {
            None => std::future::pending().await,
            Some((Some(value),)) if is_wanted(&value) => {}
            Some(_) => drop(live.changes.changed().await),
        }
    }

    async fn ask<T: redis::FromRedisValue>(
        &self,
        live: &mut Live,
        pipeline: &redis::Pipeline,
    ) -> Option<T> {
        let asked = timeout(self.timeout, pipeline.query_async(&mut live.connection)).await;
        if let Ok(Ok(reply)) = asked {
            return Some(reply);
        }
        *self.live.lock().await = None;
        None
    }

    async fn open(&self) -> Option<Live> {
        let mut live = self.live.lock().await;
        if let Some(live) = live.as_ref().filter(|live| !live.changes.borrow().is_closed) {
            return Some(live.clone());
        }
        let (sender, changes) = watch::channel(Changes::default());
        let sender = Sender(Arc::new(sender));
        let connected = self.server.connect_for_pushes(sender, async |mut connection| {
            redis::cmd("CLIENT")
                .arg("TRACKING")
                .arg("ON")
                .query_async::<()>(&mut connection)
                .await?;
            Ok::<_, RedisFailure>(connection)
        });
        // Of a failure the other connection to the server tells.
        let connection = connected.await.ok()?;
        *live = Some(Live { connection, changes });
        live.clone()
    }
}
