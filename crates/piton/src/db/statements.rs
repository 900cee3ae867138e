//! Watches over statements: how many, how long, and a line in the log for those that take too long.
//!
//! The line has the statement's text, which is the program's own, and never a parameter. In
//! development the database is asked afterwards how it went about it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::{debug, enabled, warn};

use super::Db;
use super::error::Error;
use super::placeholders::excerpt;
use super::sql::Statement;

/// What is counted, and what is slow.
#[derive(Clone)]
pub(super) struct Statements {
    slow: Duration,
    development: bool,
    counts: Arc<Counts>,
}

#[derive(Default)]
pub(super) struct Counts {
    pub run: AtomicU64,
    pub failed: AtomicU64,
    pub slow: AtomicU64,
    pub spent_ns: AtomicU64,
}

/// A statement that is being run.
pub(super) struct Clock {
    began: Instant,
    text: Cow<'static, str>,
    /// Kept to ask for its plan.
    again: Option<Statement>,
}

impl Statements {
    pub fn new(slow: Duration, development: bool) -> Self {
        Self { slow, development, counts: Arc::default() }
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns whether the service runs in development.
    pub fn development(&self) -> bool {
        self.development
    }

    pub fn begin(&self, statement: Statement) -> (Statement, Clock) {
        let again = self.development.then(|| statement.clone());
        let clock = Clock { began: Instant::now(), text: statement.text.clone(), again };
        (statement, clock)
    }

    /// Counts it, tells of it, and asks `db` for its plan where it was slow.
    pub async fn end<T>(
        &self,
        clock: Clock,
        outcome: &Result<T, Error>,
        rows: impl FnOnce(&T) -> u64,
        db: &Db,
    ) {
        let again = match self.told(clock, outcome, rows) {
            Some(again) if outcome.is_ok() && enabled!(tracing::Level::WARN) => again,
            _ => return,
        };
        let text = again.text.clone();
        match db.plan(again).await {
            Ok(plan) => {
                let (text, plan) = (excerpt(&text), plan.join("\n    "));
                warn!("The plan of `{text}`:\n    {plan}");
            }
            // A statement that has no plan, such as one that changes the schema.
            Err(error) => debug!(%error, "The slow statement has no plan"),
        }
    }

    /// As [`end`](Self::end) without the plan: inside of a transaction nobody else sees its rows.
    /// Returns the statement if it was slow and can be asked about.
    pub fn told<T>(
        &self,
        clock: Clock,
        outcome: &Result<T, Error>,
        rows: impl FnOnce(&T) -> u64,
    ) -> Option<Statement> {
        let took = clock.began.elapsed();
        self.counts.run.fetch_add(1, Ordering::Relaxed);
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.counts.spent_ns.fetch_add(ns, Ordering::Relaxed);
        if outcome.is_err() {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        let slow = took >= self.slow;
        if !slow && !enabled!(tracing::Level::DEBUG) {
            return None;
        }
        let duration_ms = (took.as_secs_f64() * 100_000.0).round() / 100.0;
        let rows = outcome.as_ref().ok().map(rows);
        let text = excerpt(&clock.text);
        if !slow {
            debug!(duration_ms, rows, "Ran `{text}`");
            return None;
        }
        self.counts.slow.fetch_add(1, Ordering::Relaxed);
        warn!(duration_ms, rows, "Slow statement: `{text}`");
        clock.again
    }
}
