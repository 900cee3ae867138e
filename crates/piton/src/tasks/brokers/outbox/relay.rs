//! The relay: sends entries to the broker, and removes them.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use super::entry::Refusal;
use super::store::{Batch, MAX_REFUSED};
use super::{Destination, OutboxBroker, RelayLease, Shared};
use crate::secrets::redact_text;
use crate::stop_signal::Stop;
use crate::support::backoff::{Backoff, JITTER, with_jitter};
use crate::tasks::error::BrokerError;
use crate::tasks::health::chain;

/// The interval in which the outbox is measured.
const MEASURE_INTERVAL: Duration = Duration::from_secs(1);

/// The interval in which the lease is renewed, a third of its time.
const RENEW_INTERVAL: Duration = Duration::from_secs(1);

/// The time for which a process holds the lease after its last entry, and the interval in which it looks for those of
/// others meanwhile.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_INTERVAL: Duration = Duration::from_millis(20);

/// Delays after a failure.
const FAILURE_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(100), Duration::from_secs(10), JITTER);

/// Delays while another process relays.
const BUSY_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(2), Duration::from_millis(100), JITTER);

/// The interval in which a call looks whether the relay of this process has done its work.
const BUSY_INTERVAL: Duration = Duration::from_millis(5);

/// Maximum time that a call waits for another process to relay.
const MAX_BUSY: Duration = Duration::from_secs(1);

/// Maximum duration of the final relay at shutdown.
const STOP_GRACE: Duration = Duration::from_secs(1);

impl<B: Destination + 'static> OutboxBroker<B> {
    /// Relays entries until `stop`, and then what has been committed by then.
    pub(super) async fn relay_until(&self, stop: &Stop) {
        let mut backoff = FAILURE_BACKOFF;
        while !stop.is_stopped() {
            let relayed = tokio::select! {
                relayed = self.relay_and_linger() => relayed,
                () = stop.stopped() => break,
            };
            if relayed.as_ref().is_err_and(BrokerError::lacks_tables) {
                self.shared.has_tables.store(false, Ordering::Relaxed);
            }
            self.shared.record(&relayed);
            let pause = async {
                match &relayed {
                    Ok(()) => {
                        backoff = FAILURE_BACKOFF;
                        self.shared.committed.notified().await;
                    }
                    Err(_) => sleep(backoff.next_delay()).await,
                }
            };
            tokio::select! {
                () = pause => {}
                () = stop.stopped() => {}
            }
        }
        let _ = timeout(STOP_GRACE, self.relay_all()).await;
    }

    /// Relays all entries that are committed, those of other processes as well. If another process relays, waits until it
    /// has, for a second at most.
    pub(super) async fn relay_all(&self) -> Result<(), BrokerError> {
        loop {
            if let Ok(mut lease) = self.shared.lease.try_lock() {
                let relayed = self.relay_batches(&mut lease).await;
                self.release(&mut lease).await;
                return relayed;
            }
            // The relay of this process is at work, or lingers.
            self.shared.committed.notify_one();
            if !self.has_entries().await? {
                return Ok(());
            }
            sleep(BUSY_INTERVAL).await;
        }
    }

    /// Relays as [`relay_all`](Self::relay_all), and holds the lease until nothing has come for a while: to take it and give it
    /// back for each entry would write its row twice.
    async fn relay_and_linger(&self) -> Result<(), BrokerError> {
        if !self.shared.has_tables.load(Ordering::Relaxed) {
            self.prepare_tables().await?;
        }
        let mut lease = self.shared.lease.lock().await;
        let mut relayed = self.relay_batches(&mut lease).await;
        let mut idle_since = Instant::now();
        while relayed.is_ok() && lease.renewed.is_some() && idle_since.elapsed() < LINGER {
            let _ = timeout(LINGER_INTERVAL, self.shared.committed.notified()).await;
            match self.has_entries().await {
                Ok(false) => continue,
                Ok(true) => relayed = self.relay_batches(&mut lease).await,
                Err(error) => relayed = Err(error),
            }
            idle_since = Instant::now();
        }
        self.release(&mut lease).await;
        relayed
    }

    /// Ends the lease if this process holds it. After a failure too: another process may reach the broker.
    async fn release(&self, lease: &mut RelayLease) {
        if lease.renewed.take().is_some() {
            // If it fails, the lease expires.
            let _ = self.shared.store.release(&self.shared.process).await;
        }
    }

    async fn relay_batches(&self, lease: &mut RelayLease) -> Result<(), BrokerError> {
        let (shared, started) = (&self.shared, Instant::now());
        let mut backoff = BUSY_BACKOFF;
        while self.has_entries().await? {
            let Some(outbox) = self.take_lease(lease).await? else {
                if started.elapsed() > MAX_BUSY {
                    return Ok(());
                }
                sleep(backoff.next_delay()).await;
                continue;
            };
            let after = shared.scan_start.lock().after(Instant::now());
            let batch = shared.store.next_batch(after).await?;
            let is_last = batch.is_last;
            self.relay_batch(&outbox, batch, lease).await?;
            if is_last {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn has_entries(&self) -> Result<bool, BrokerError> {
        let after = self.shared.scan_start.lock().after(Instant::now());
        self.shared.store.has_entries(after).await
    }

    /// Takes the lease, or renews it if that is due. Returns the id of the outbox, or `None` if another process holds it.
    async fn take_lease(&self, lease: &mut RelayLease) -> Result<Option<String>, BrokerError> {
        if let Some((renewed, outbox)) = &lease.renewed
            && renewed.elapsed() < RENEW_INTERVAL
        {
            return Ok(Some(outbox.clone()));
        }
        let now = Instant::now();
        let outbox = self.shared.store.lease(&self.shared.process).await?;
        lease.renewed = outbox.clone().map(|outbox| (now, outbox));
        Ok(outbox)
    }

    /// Relays the entries of one batch.
    async fn relay_batch(
        &self,
        outbox: &str,
        batch: Batch,
        lease: &mut RelayLease,
    ) -> Result<(), BrokerError> {
        let mut refusals = self.send(outbox, &batch, lease).await?;
        let refused: HashSet<i64> = refusals.iter().map(|refusal| refusal.id).collect();
        let ids = batch.entries.iter().map(|entry| entry.id);
        let relayed: Vec<i64> = ids.filter(|id| !refused.contains(id)).collect();
        refusals.extend(batch.unreadable);
        self.shared.store.remove(&relayed, &refusals).await?;
        self.shared.record_batch(&relayed, &refusals);
        Ok(())
    }

    /// Sends the entries of a batch, and renews the lease meanwhile.
    async fn send(
        &self,
        outbox: &str,
        batch: &Batch,
        lease: &mut RelayLease,
    ) -> Result<Vec<Refusal>, BrokerError> {
        let mut sending = self.broker.relay(outbox, &batch.entries);
        loop {
            if let Ok(sent) = timeout(RENEW_INTERVAL, &mut sending).await {
                return sent;
            }
            // If it fails, another process may send the same entries, and the broker remembers them.
            let _ = self.take_lease(lease).await;
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
        let after = self.scan_start.lock().measure_after(Instant::now());
        let (stats, first_id) = match self.store.measure(after).await {
            Ok(measured) => measured,
            // An outbox without entries has no other call that would find the fault.
            Err(error) => return self.record(&Err(error)),
        };
        if let Some(id) = first_id {
            self.scan_start.lock().record_found(Instant::now(), id);
        }
        if first_id.is_some() || self.state.has_outbox_fault() {
            self.committed.notify_one();
        }
        let is_full =
            stats.waiting > u64::from(self.settings.max_entries) || stats.refused >= MAX_REFUSED;
        self.is_full.store(is_full, Ordering::Relaxed);
        self.metrics.set_outbox(&stats);
        self.state.set_outbox(stats, &self.settings, is_full);
    }

    fn record_batch(&self, relayed: &[i64], refusals: &[Refusal]) {
        if let Some(greatest) = relayed.iter().max() {
            self.scan_start.lock().record_relayed(Instant::now(), *greatest);
        }
        self.metrics.relayed.inc_by(relayed.len() as u64);
        self.metrics.refused.inc_by(refusals.len() as u64);
        for Refusal { id, reason } in refusals {
            let reason = redact_text(reason);
            error!(outbox.entry = id, %reason, "Redis refused entry {id} of the outbox, see `tasks outbox`: {reason}");
        }
    }

    /// Records whether the last attempt succeeded. Logs the first failure, and the success after it.
    pub(super) fn record(&self, relayed: &Result<(), BrokerError>) {
        let fault = relayed.as_ref().err().map(chain);
        let had_fault = self.state.set_outbox_fault(fault.clone());
        match (had_fault, fault) {
            (false, Some(why)) => {
                warn!("The outbox of tasks that are sent in transactions fails, retrying: {why}");
            }
            (true, None) => info!("The outbox works again"),
            _ => {}
        }
    }
}
