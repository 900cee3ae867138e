//! Warns of a certificate that expires soon, in the log and by a metric.

use chrono::{DateTime, Utc};
use prometheus_client::metrics::gauge::Gauge;
use tracing::{error, warn};

use super::acceptor::TlsAcceptor;
use crate::metrics::Metrics;

/// Number of days before a certificate expires from which on a warning is logged each day.
const WARNING_DAYS: i64 = 14;

impl TlsAcceptor {
    /// Returns the end of the current certificate's validity.
    pub(super) fn not_after(&self) -> Option<DateTime<Utc>> {
        self.inner().current.read().fields.as_ref().map(|fields| fields.not_after)
    }
}

/// Registers the metric of the end of the certificate's validity. It is 0 if that cannot be read.
pub(super) fn register_metric(metrics: &Metrics) -> Gauge {
    let (metric, help) = (Gauge::default(), "End of the TLS certificate's validity, as Unix time");
    metrics.register("http_tls_certificate_not_after_timestamp_seconds", help, metric.clone());
    metric
}

/// Logs that a certificate expires within [`WARNING_DAYS`], once for each number of days left. Returns
/// that number, which the next call takes as `warned_days`.
pub(super) fn warn_once_a_day(
    not_after: Option<DateTime<Utc>>,
    warned_days: Option<i64>,
) -> Option<i64> {
    let days = (not_after? - Utc::now()).num_days();
    if days >= WARNING_DAYS || warned_days == Some(days) {
        return warned_days.filter(|_| days < WARNING_DAYS);
    }
    let end = text(not_after);
    if not_after? <= Utc::now() {
        error!("The TLS certificate has expired: it was valid until {end}");
    } else {
        warn!("The TLS certificate expires in {days} days: it is valid until {end}");
    }
    Some(days)
}

/// Returns a time as the log shows it.
pub(super) fn text(not_after: Option<DateTime<Utc>>) -> String {
    not_after.map_or_else(String::new, |end| end.format("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn each_of_the_last_days_has_one_warning() {
        let in_days = |days| Some(Utc::now() + TimeDelta::days(days) + TimeDelta::hours(1));
        assert_eq!(warn_once_a_day(in_days(90), None), None);
        assert_eq!(warn_once_a_day(in_days(90), Some(3)), None);
        assert_eq!(warn_once_a_day(in_days(3), None), Some(3));
        assert_eq!(warn_once_a_day(in_days(3), Some(3)), Some(3));
        assert_eq!(warn_once_a_day(in_days(2), Some(3)), Some(2));
        assert_eq!(warn_once_a_day(None, Some(3)), None);
    }
}
