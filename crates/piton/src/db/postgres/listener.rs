//! Listens to notifications of the server (`LISTEN`), on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::timeout;

use super::error::{of_sqlx, unreachable};
use super::session_probe::Pooling;
use super::store::Store;
use crate::db::error::Error;

/// Time without a notification after which the connection is tested: a server that vanished from the network, or
/// is frozen, closes nothing.
const TEST_INTERVAL: Duration = Duration::from_secs(5);

/// Timeout of the test.
const TEST_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that receives notifications of one channel.
pub(crate) struct ChannelListener {
    store: Arc<Store>,
    listener: PgListener,
    /// Changes when the connections to the server in use are to be replaced.
    renewals: tokio::sync::watch::Receiver<u64>,
}

impl ChannelListener {
    /// Connects to the server that is in use. Returns `None` behind a pooler that assigns a session to each
    /// transaction, where listening is not possible.
    ///
    /// # Errors
    /// The server is unavailable. The watch of the database checks it then.
    pub(super) async fn open(store: Arc<Store>, channel: &str) -> Result<Option<Self>, Error> {
        if store.state.pooling() == Pooling::Transaction {
            return Ok(None);
        }
        let renewals = store.state.renewals.subscribe();
        let opened = timeout(store.server.connect_timeout, connect(&store, channel)).await;
        let opened = opened.unwrap_or_else(|_| Err(unreachable("no answer in time")));
        let listener = opened.map_err(|error| store.record_fault(error))?;
        Ok(Some(Self { store, listener, renewals }))
    }

    /// Waits for a notification, and returns its text.
    ///
    /// # Errors
    /// The connection is lost, does not answer, or is to be replaced: notifications may have been missed.
    pub async fn notified(&mut self) -> Result<String, Error> {
        loop {
            tokio::select! {
                received = self.listener.try_recv() => return match received {
                    Ok(Some(notification)) => Ok(notification.payload().to_owned()),
                    Ok(None) => Err(self.store.record_fault(unreachable("the connection was lost"))),
                    Err(error) => Err(self.store.record_fault(of_sqlx(error, true))),
                },
                _ = self.renewals.changed() => {
                    return Err(unreachable("the connections to the server are being replaced"));
                }
                () = tokio::time::sleep(TEST_INTERVAL) => {}
            }
            self.test().await?;
        }
    }

    async fn test(&mut self) -> Result<(), Error> {
        let answer = sqlx::Executor::execute(&mut self.listener, "SELECT 1");
        match timeout(TEST_TIMEOUT, answer).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.store.record_fault(of_sqlx(error, true))),
            Err(_) => Err(self.store.record_fault(unreachable("the server does not answer"))),
        }
    }
}

/// Connects through a pool of one connection, because sqlx listens with a pool's connections only.
async fn connect(store: &Store, channel: &str) -> Result<PgListener, Error> {
    let endpoint = &store.server.endpoints[store.endpoint.index()];
    let is_pooled = store.state.pooling().is_pooled();
    let options = store.server.connect_options(endpoint, &store.app, is_pooled);
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(store.server.connect_timeout)
        .test_before_acquire(false)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options);
    let connected = async {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(channel).await?;
        Ok(listener)
    };
    connected.await.map_err(|error| of_sqlx(error, true))
}
