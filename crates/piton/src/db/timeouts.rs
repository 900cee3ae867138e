//! Keeps the timeouts of this module shorter than `http.timeout`, so that the client receives the
//! database's 503 with its `Retry-After` instead of the response for a timed-out request.

use std::time::Duration;

use tracing::warn;

use super::settings::DbSettings;
use crate::config::{Origin, Problems};
use crate::http::HttpSettings;
use crate::part::Launch;

impl DbSettings {
    /// Shortens the default timeouts to fit `http.timeout`, and warns of configured ones that do not.
    pub(super) fn fit_request(&mut self, launch: &Launch) {
        let config = launch.handle.config();
        // Problems are dropped, because the app reports them when it reads these settings.
        let http: HttpSettings = config.read("http", &mut Problems::new());
        let is_default = |name: &str| config.origin(name) == Origin::Default;
        for warning in self.fit(http.timeout, is_default) {
            if launch.serves() {
                warn!("{warning}");
            }
        }
    }

    fn fit(&mut self, request: Duration, is_default: impl Fn(&str) -> bool) -> Vec<String> {
        let is_postgres = self.is_postgres();
        let mut warnings = Vec::new();
        let mut fit = |name: &str, limit: &mut Duration, share: Duration| {
            if is_default(name) {
                *limit = share.min(*limit);
            } else if *limit >= request {
                let [limit, request, share] =
                    [*limit, request, share].map(humantime::format_duration);
                warnings.push(format!(
                    "{name} ({limit}) is not below http.timeout ({request}), which ends the request first: set {name} to \
                     {share}, or raise http.timeout"
                ));
            }
        };
        if request.is_zero() {
            return warnings;
        }
        fit("db.acquire_timeout", &mut self.acquire_timeout, request / 2);
        if is_postgres {
            fit("db.statement_timeout", &mut self.statement_timeout, request * 2 / 3);
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(statement: u64, acquire: u64) -> DbSettings {
        DbSettings {
            host: Some("db".into()),
            statement_timeout: Duration::from_secs(statement),
            acquire_timeout: Duration::from_secs(acquire),
            ..DbSettings::default()
        }
    }

    #[test]
    fn defaults_stay_below_the_request_timeout() {
        let own = DbSettings { host: Some("db".into()), ..DbSettings::default() };
        for request in [1, 3, 10, 20, 30, 600] {
            let request = Duration::from_secs(request);
            let mut settings = own.clone();
            assert!(settings.fit(request, |_| true).is_empty());
            assert!(settings.statement_timeout < request && settings.acquire_timeout < request);
        }
        let mut usual = own.clone();
        assert!(usual.fit(Duration::from_secs(30), |_| true).is_empty());
        assert_eq!(usual.statement_timeout, own.statement_timeout);
        assert_eq!(usual.acquire_timeout, own.acquire_timeout);
    }

    #[test]
    fn a_configured_limit_is_unchanged_and_warned_of_if_requests_time_out_before() {
        let request = Duration::from_secs(10);
        let mut contradicting = settings(30, 10);
        let warnings = contradicting.fit(request, |_| false);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[1].contains("db.statement_timeout (30s)"), "{warnings:?}");
        assert_eq!(contradicting.statement_timeout, Duration::from_secs(30));
        assert!(settings(9, 9).fit(request, |_| false).is_empty());
        assert!(settings(0, 5).fit(request, |_| false).is_empty());
    }
}
