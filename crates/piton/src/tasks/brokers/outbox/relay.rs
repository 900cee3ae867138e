//! The relay: sends entries to the broker, and removes them.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use super::entry::Refusal;
use super::store::Batch;
use super::{Destination, Lease, OutboxBroker, Shared};
use crate::stop_signal::Stop;
use crate::support::backoff::{Backoff, JITTER, with_jitter};
use crate::tasks::error::BrokerError;

/// The interval in which the outbox is measured.
const MEASURE_INTERVAL: Duration = Duration::from_secs(1);

/// The interval in which the lease is renewed, a third of it.
const RENEW_INTERVAL: Duration = Duration::from_secs(1);

/// Delays after a failure.
const FAILURE_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(100), Duration::from_secs(10), JITTER);

/// Delays while another process relays.
const BUSY_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(2), Duration::from_millis(100), JITTER);

/// The time that the last attempt has when the service stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

impl<B: Destination> OutboxBroker<B> {
    /// Relays entries until `stop`, and then what has been committed by then.
    pub(super) async fn relay_until(&self, stop: &Stop) {
        let mut backoff = FAILURE_BACKOFF;
        while !stop.is_stopped() {
            let relayed = tokio::select! {
                relayed = self.relay_all() => relayed,
                () = stop.stopped() => break,
            };
            self.shared.record(&relayed);
            let pause = async {
                match &relayed {
                    Ok(()) => {
                        backoff = FAILURE_BACKOFF;
                        self.shared.committed.notified().await;
                    }
                    Err(error) => {
                        if error.lacks_tables() {
                            let _ = self.shared.store.prepare().await;
                        }
                        sleep(backoff.next_delay()).await;
                    }
                }
            };
            tokio::select! {
                () = pause => {}
                () = stop.stopped() => {}
            }
        }
        let _ = timeout(STOP_GRACE, self.relay_all()).await;
    }

    /// Relays all entries that are committed, those of other processes as well.
    pub(super) async fn relay_all(&self) -> Result<(), BrokerError> {
        let shared = &self.shared;
        let mut lease = shared.lease.lock().await;
        let relayed = self.relay_batches(&mut lease).await;
        if std::mem::take(&mut lease.is_held) {
            // After a failure too: another process may reach the broker, and would wait until the lease has expired.
            let _ = shared.store.finish(&[], &[], Some(&shared.process)).await;
        }
        relayed
    }

    async fn relay_batches(&self, lease: &mut Lease) -> Result<(), BrokerError> {
        let shared = &self.shared;
        let mut backoff = BUSY_BACKOFF;
        loop {
            let after = shared.oldest_id.lock().after(Instant::now());
            if !shared.store.has_entries(after).await? {
                return Ok(());
            }
            let Some(batch) = shared.store.next_batch(&shared.process, after).await? else {
                sleep(backoff.next_delay()).await;
                continue;
            };
            lease.is_held = true;
            let is_last = batch.is_last;
            self.relay_batch(batch).await?;
            if is_last {
                lease.is_held = false;
                return Ok(());
            }
        }
    }

    /// Relays the entries of one batch. Ends the lease if it is the last one.
    async fn relay_batch(&self, batch: Batch) -> Result<(), BrokerError> {
        let shared = &self.shared;
        let mut refusals = self.send(&batch).await?;
        let refused: HashSet<i64> = refusals.iter().map(|refusal| refusal.id).collect();
        let ids = batch.entries.iter().map(|entry| entry.id);
        let relayed: Vec<i64> = ids.filter(|id| !refused.contains(id)).collect();
        refusals.extend(batch.unreadable);
        let releases = batch.is_last.then_some(shared.process.as_str());
        shared.store.finish(&relayed, &refusals, releases).await?;
        shared.record_batch(&relayed, &refusals);
        Ok(())
    }

    /// Sends the entries of a batch, and renews the lease meanwhile.
    async fn send(&self, batch: &Batch) -> Result<Vec<Refusal>, BrokerError> {
        let mut sending = self.broker.relay(&batch.outbox, &batch.entries);
        loop {
            if let Ok(sent) = timeout(RENEW_INTERVAL, &mut sending).await {
                return sent;
            }
            // If it fails, another process may send the same entries, and the broker recognizes them.
            let _ = self.shared.store.renew(&self.shared.process).await;
        }
    }

    /// Measures the outbox until `stop`. Wakes the relay for entries of other processes, which may have ended before they
    /// relayed them.
    pub(super) async fn measure_until(&self, stop: &Stop) {
        while !stop.is_stopped() {
            self.shared.measure().await;
            let pause = with_jitter(MEASURE_INTERVAL, &(0.75..1.25));
            let _ = timeout(pause, stop.stopped()).await;
        }
    }
}

impl Shared {
    pub(super) async fn measure(&self) {
        let after = self.oldest_id.lock().measure_after(Instant::now());
        // A failure is one of the relay, too, which reports it.
        let Ok((stats, first_id)) = self.store.measure(after).await else { return };
        if let Some(id) = first_id {
            self.oldest_id.lock().record_found(id);
            self.committed.notify_one();
        }
        let is_full = stats.waiting + stats.refused > u64::from(self.settings.max_entries);
        self.is_full.store(is_full, Ordering::Relaxed);
        self.metrics.set_outbox(&stats);
        self.state.set_outbox(stats, &self.settings, is_full);
    }

    fn record_batch(&self, relayed: &[i64], refusals: &[Refusal]) {
        if let Some(greatest) = relayed.iter().max() {
            self.oldest_id.lock().record_relayed(Instant::now(), *greatest);
        }
        self.metrics.relayed.inc_by(relayed.len() as u64);
        self.metrics.refused.inc_by(refusals.len() as u64);
        for Refusal { id, reason } in refusals {
            error!("Entry {id} of the outbox cannot be sent, `tasks outbox` lists it: {reason}");
        }
    }

    /// Records whether the last attempt succeeded. Logs the first failure, and the success after it.
    fn record(&self, relayed: &Result<(), BrokerError>) {
        let fault = relayed.as_ref().err().map(crate::tasks::health::chain);
        let had_fault = self.state.set_outbox_fault(fault.clone());
        match (had_fault, fault) {
            (false, Some(why)) => {
                warn!("The outbox cannot be relayed, trying again until it can: {why}");
            }
            (true, None) => info!("The outbox is relayed again"),
            _ => {}
        }
    }
}
