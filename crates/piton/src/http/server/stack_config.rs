//! The settings of the stack, read once at launch.

use std::sync::Arc;
use std::time::Duration;

use http::Request;

use super::content_coding::encoded_requests::EncodedRequests;
use super::cors::Cors;
use super::in_flight::BodyWaits;
use super::probe_paths::ExemptPaths;
use crate::compat::error_envelope;
use crate::compat::error_style::ErrorStyle;
use crate::handle::Handle;
use crate::http::routing::request_hooks::RequestHooks;
use crate::http::routing::route_info::RouteInfo;
use crate::http::routing::route_limit_table::{RequestLimits, RouteLimitTable};
use crate::http::settings::{HeaderLine, HttpSettings};
use crate::http::streams::registry::StreamRegistry;
use crate::logging::{LogRequests, LogSettings};
use crate::metrics::RequestMetrics;
use crate::request::trusted_proxies::TrustedProxies;
use crate::support::log_throttle::LogThrottle;

/// Everything that the stack needs for a request, prepared for all requests.
pub(crate) struct StackConfig {
    pub handle: Handle,
    limits: RequestLimits,
    /// The routes, if some have limits of their own.
    route_limits: Option<RouteLimitTable>,
    pub(super) encoded_requests: EncodedRequests,
    pub(super) max_requests: i64,
    pub(super) body_waits: Arc<BodyWaits>,
    pub(super) proxies: TrustedProxies,
    pub(super) cors: Option<Cors>,
    pub(super) headers: Vec<HeaderLine>,
    pub(super) error_style: ErrorStyle,
    /// The title of every failure in Gnar Gear's envelope.
    pub(super) envelope_title: String,
    /// Set if responses show causes and lines of code.
    pub(super) shows_debug_info: bool,
    pub(super) hooks: RequestHooks,
    pub(super) exempt_paths: ExemptPaths,
    pub(super) metrics: Arc<RequestMetrics>,
    pub(super) logs_all: bool,
    pub(super) logs_failures: bool,
    /// Requests that take at least as long are logged as slow. `None` if slow requests are not
    /// logged.
    pub(super) slow_threshold: Option<Duration>,
    /// Limits the log lines about shed requests.
    pub(super) shed_log: LogThrottle,
    /// Limits the log lines about 503s: while a database is unavailable, every request fails.
    pub(super) unavailable_log: LogThrottle,
    /// Limits the log lines about requests refused for lack of memory.
    pub(super) memory_log: LogThrottle,
}

impl StackConfig {
    /// Returns the configuration of the public listener.
    pub fn new(
        handle: Handle,
        http: &HttpSettings,
        log: &LogSettings,
        hooks: RequestHooks,
        exempt_paths: ExemptPaths,
    ) -> Self {
        let production = handle.production();
        StreamRegistry::install(&handle, http);
        let requests = log.requests.resolve(production);
        let logs_failures = requests != LogRequests::None;
        Self {
            limits: RequestLimits::of_settings(http),
            route_limits: None,
            encoded_requests: http.encoded_requests,
            max_requests: http.max_requests.into(),
            body_waits: Arc::default(),
            proxies: http.proxies(),
            cors: Cors::new(&http.cors, production),
            headers: http.headers.clone(),
            error_style: http.error_style,
            envelope_title: error_envelope::title(handle.name()),
            shows_debug_info: http.traceback.shown(production),
            hooks,
            exempt_paths,
            metrics: handle.metrics().requests().clone(),
            logs_all: requests == LogRequests::All,
            logs_failures,
            slow_threshold: (logs_failures && !log.slow.is_zero()).then_some(log.slow),
            shed_log: LogThrottle::default(),
            unavailable_log: LogThrottle::default(),
            memory_log: LogThrottle::default(),
            handle,
        }
    }

    /// Applies the limits that some of these routes have of their own.
    #[must_use]
    pub fn with_limits_of(self, routes: &[RouteInfo]) -> Self {
        Self { route_limits: RouteLimitTable::of(routes), ..self }
    }

    /// Returns the limits of a request: those of its route, else those of the settings.
    #[inline]
    pub(super) fn limits_of<B>(&self, request: &Request<B>) -> RequestLimits {
        match &self.route_limits {
            None => self.limits,
            Some(table) => table.find(request.method(), request.uri().path(), self.limits),
        }
    }

    /// Returns the configuration of the admin address: the same limits and error format, without
    /// CORS, hooks, metrics and access log, which are for public requests only.
    pub fn of_admin(handle: Handle, http: &HttpSettings, exempt_paths: ExemptPaths) -> Self {
        let log = LogSettings { requests: LogRequests::None, ..LogSettings::default() };
        Self {
            cors: None,
            error_style: ErrorStyle::Problem,
            metrics: Arc::default(),
            ..Self::new(handle, http, &log, RequestHooks::default(), exempt_paths)
        }
    }
}
