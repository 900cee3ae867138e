//! Counts and times statements, and logs the slow ones.
//!
//! The log line has the statement's text, which is the program's own, and never a parameter. In
//! development the database is asked afterwards for its plan.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::{debug, enabled, warn};

use super::backend::Store;
use super::error::Error;
use super::placeholders::excerpt;
use super::sql_builder::BoundStatement;

/// The counters of all statements of a database, and the log of slow ones.
#[derive(Clone)]
pub(super) struct StatementLog {
    /// Minimum duration of a slow statement.
    slow: Duration,
    in_development: bool,
    counts: Arc<StatementCounts>,
}

/// Numbers of statements since the start.
#[derive(Default)]
pub(super) struct StatementCounts {
    pub run: AtomicU64,
    pub failed: AtomicU64,
    pub slow: AtomicU64,
    pub spent_ns: AtomicU64,
}

/// The timer of a statement that is being run.
pub(super) struct StatementTimer {
    started: Instant,
    text: Cow<'static, str>,
    /// A copy for its plan, in development.
    statement: Option<BoundStatement>,
}

impl StatementLog {
    pub fn new(slow: Duration, in_development: bool) -> Self {
        Self { slow, in_development, counts: Arc::default() }
    }

    pub fn counts(&self) -> &StatementCounts {
        &self.counts
    }

    /// Returns whether the service runs in development.
    pub fn in_development(&self) -> bool {
        self.in_development
    }

    /// Starts the timer of `statement`.
    pub fn start(&self, statement: &BoundStatement) -> StatementTimer {
        StatementTimer {
            started: Instant::now(),
            text: statement.text.clone(),
            statement: self.in_development.then(|| statement.clone()),
        }
    }

    /// Records a statement, and in development logs the plan of a slow one.
    pub async fn finish<T>(
        &self,
        timer: StatementTimer,
        outcome: &Result<T, Error>,
        rows: impl FnOnce(&T) -> u64,
        store: &Store,
    ) {
        let slow = match self.record(timer, outcome, rows) {
            Some(slow) if outcome.is_ok() && enabled!(tracing::Level::WARN) => slow,
            _ => return,
        };
        let text = slow.text.clone();
        match store.plan(slow).await {
            Ok(plan) => {
                let (text, plan) = (excerpt(&text), plan.join("\n    "));
                warn!("The plan of `{text}`:\n    {plan}");
            }
            // Not a warning, because some statements have no plan, such as those that change the
            // schema.
            Err(error) => debug!(%error, "The slow statement has no plan"),
        }
    }

    /// Counts a statement, and logs it if it was slow or `DEBUG` is enabled. Returns a slow
    /// statement for its plan. Statements in a transaction end here, because their plan would be
    /// made on another connection, which does not see the transaction's rows.
    pub fn record<T>(
        &self,
        timer: StatementTimer,
        outcome: &Result<T, Error>,
        rows: impl FnOnce(&T) -> u64,
    ) -> Option<BoundStatement> {
        let elapsed = timer.started.elapsed();
        self.counts.run.fetch_add(1, Ordering::Relaxed);
        let ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.counts.spent_ns.fetch_add(ns, Ordering::Relaxed);
        if outcome.is_err() {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        let is_slow = elapsed >= self.slow;
        if !is_slow && !enabled!(tracing::Level::DEBUG) {
            return None;
        }
        let duration_ms = (elapsed.as_secs_f64() * 100_000.0).round() / 100.0;
        let rows = outcome.as_ref().ok().map(rows);
        let text = excerpt(&timer.text);
        if !is_slow {
            debug!(duration_ms, rows, "Ran `{text}`");
            return None;
        }
        self.counts.slow.fetch_add(1, Ordering::Relaxed);
        warn!(duration_ms, rows, "Slow statement: `{text}`");
        timer.statement
    }
}
