//! Exchanges the certificate when its files change.
//!
//! Compares contents instead of times or events: Kubernetes exchanges a folder behind a symbolic link,
//! and three small files read every ten seconds cost nothing that could be measured.

use tracing::{error, info};

use super::acceptor::{CurrentCertificate, TlsAcceptor, describe};
use super::certificate_files::{FileContents, FileProblem};
use super::expiry;
use crate::metrics::Metrics;
use crate::reload_signal::Reload;

/// The outcome of one check of the files.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReloadOutcome {
    Unchanged,
    Exchanged,
    /// The files cannot be used, and the certificate stays.
    Kept(String),
}

impl TlsAcceptor {
    /// Checks the files for changes every `http.tls.reload_interval`, and whenever `reload` is given. Never
    /// returns.
    pub async fn follow_files(self, mut reload: Reload, metrics: Metrics) {
        let expiry_metric = expiry::register_metric(&metrics);
        let mut checks = tokio::time::interval(self.inner().settings.reload_interval);
        let mut last_failure = None;
        let mut warned_days = None;
        loop {
            tokio::select! {
                _ = checks.tick() => {}
                () = reload.requested() => {}
            }
            let acceptor = self.clone();
            let outcome = tokio::task::spawn_blocking(move || acceptor.reload()).await;
            last_failure = match outcome {
                Ok(ReloadOutcome::Kept(why)) => Some(log_failure(why, last_failure)),
                Ok(ReloadOutcome::Unchanged | ReloadOutcome::Exchanged) | Err(_) => None,
            };
            warned_days = expiry::warn_once_a_day(self.not_after(), warned_days);
            expiry_metric.set(self.not_after().map_or(0, |end| end.timestamp()));
        }
    }

    /// Reads the files, and takes them for new connections if they have changed.
    pub(super) fn reload(&self) -> ReloadOutcome {
        let kept = |problems: Vec<FileProblem>| ReloadOutcome::Kept(describe(&problems));
        let inner = self.inner();
        let contents = match FileContents::read(&inner.settings) {
            Ok(Some(contents)) => contents,
            Ok(None) => return ReloadOutcome::Unchanged,
            Err(problems) => return kept(problems),
        };
        if contents == inner.current.read().contents {
            return ReloadOutcome::Unchanged;
        }
        match CurrentCertificate::load(contents, &inner.settings, inner.speaks_http2) {
            Ok(current) => {
                *inner.current.write() = current;
                info!(not_after = %expiry::text(self.not_after()), "The TLS certificate was exchanged");
                ReloadOutcome::Exchanged
            }
            Err(problems) => kept(problems),
        }
    }
}

/// Logs a failure, unless it is the last one again.
fn log_failure(why: String, last: Option<String>) -> String {
    if last.as_deref() != Some(&*why) {
        error!("The changed TLS files cannot be used, and the certificate stays as it was: {why}");
    }
    why
}
