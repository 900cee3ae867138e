//! Metrics of requests, with the names and labels of OpenTelemetry's semantic conventions for HTTP
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>), so that stock dashboards fit.
//!
//! Every request passes here, so that observing one costs a few relaxed atomics and no lock. Cells are
//! created on first use, and found by the number of the route, which is known at launch
//! (`docs/decisions/0007-requests-are-counted-by-cells-known-at-launch.md`).

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Method, StatusCode};
use parking_lot::RwLock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The number of a route's series, given to the route at launch.
pub(crate) type PathIndex = u32;

/// The number of requests that no route has matched.
pub(crate) const UNMATCHED: PathIndex = PathIndex::MAX;

/// Maximum number of routes with series of their own. Later ones count as unmatched, so that the number
/// of series stays bounded.
const MAX_PATHS: usize = 10_000;

/// Upper bounds of the buckets in microseconds: those of OpenTelemetry's conventions, and three below
/// them, because many responses take less than a millisecond.
const BOUNDS_US: [u64; 17] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000,
    1_000_000, 2_500_000, 5_000_000, 7_500_000, 10_000_000,
];

/// Methods with a label of their own. All others are `_OTHER`, as the conventions ask.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
];

/// Statuses with a label of their own. All others are shown as their class, such as `4xx`, so that a
/// handler cannot create a series for every number.
const STATUSES: [u16; 29] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408,
    409, 410, 412, 413, 415, 422, 429, 500, 502, 503,
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The reasons why the body of a response ended early, as the label `reason` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AbortReason {
    /// The handler's stream gave an error.
    Error,
    /// The handler's stream panicked.
    Panic,
    /// The client has gone.
    ClientGone,
    /// The service stopped, and `http.drain_timeout` has passed.
    Stopped,
}

const ABORT_REASONS: [(AbortReason, &str); 4] = [
    (AbortReason::Error, "error"),
    (AbortReason::Panic, "panic"),
    (AbortReason::ClientGone, "client_gone"),
    (AbortReason::Stopped, "stopped"),
];

/// The metrics of all requests.
#[derive(Default)]
pub(crate) struct RequestMetrics {
    /// The series of the routes, by their number. Set once, at launch.
    routes: OnceLock<Vec<RouteSeries>>,
    /// The series of mounted routers, whose paths are known only once they are matched.
    mounted: RwLock<Vec<Arc<RouteSeries>>>,
    unmatched: SeriesByMethod,
    /// Requests in flight, by method.
    active_by_method: [AtomicI64; METHODS.len() + 1],
    /// Requests in flight. Their sum by method would cost eight reads for each request.
    active: AtomicI64,
    /// Requests cancelled by their clients before there was a response.
    cancelled: AtomicU64,
    /// Requests shed above `http.max_requests`.
    shed: AtomicU64,
    /// Responses whose body ended early, by reason.
    aborted: [AtomicU64; ABORT_REASONS.len()],
    /// Open connections.
    connections: AtomicI64,
}

/// The series of one route.
struct RouteSeries {
    path: String,
    by_method: SeriesByMethod,
}

#[derive(Default)]
struct SeriesByMethod([OnceLock<Box<SeriesByStatus>>; METHODS.len() + 1]);

struct SeriesByStatus([OnceLock<Box<DurationHistogram>>; STATUSES.len() + CLASSES.len()]);

impl Default for SeriesByStatus {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OnceLock::new()))
    }
}

#[derive(Default)]
struct DurationHistogram {
    /// Not cumulative, unlike Prometheus' own. The last counts durations above every bound.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_ns: AtomicU64,
}

impl DurationHistogram {
    fn observe(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let fits = |bound_us: &u64| ns <= bound_us * 1_000;
        let bucket = BOUNDS_US.iter().position(fits).unwrap_or(BOUNDS_US.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    fn encode(&self, metric: &mut prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result {
        let counts: Vec<u64> =
            self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let bounds = BOUNDS_US
            .iter()
            .map(|us| Duration::from_micros(*us).as_secs_f64())
            .chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let sum = Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)).as_secs_f64();
        metric.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }
}

fn method_index(method: &Method) -> usize {
    METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len())
}

fn method_label(index: usize) -> &'static str {
    METHODS.get(index).map_or("_OTHER", Method::as_str)
}

fn status_index(status: StatusCode) -> usize {
    let code = status.as_u16();
    STATUSES.iter().position(|known| *known == code).unwrap_or_else(|| {
        let class = usize::from(code / 100).clamp(1, CLASSES.len());
        STATUSES.len() + class - 1
    })
}

fn status_label(index: usize) -> String {
    match STATUSES.get(index) {
        Some(code) => code.to_string(),
        None => CLASSES[index - STATUSES.len()].to_owned(),
    }
}

impl SeriesByMethod {
    fn observe(&self, method: &Method, status: StatusCode, duration: Duration) {
        let by_status = self.0[method_index(method)].get_or_init(Box::default);
        by_status.0[status_index(status)].get_or_init(Box::default).observe(duration);
    }

    /// Returns every histogram with its method and status.
    fn each(&self) -> impl Iterator<Item = (&'static str, String, &DurationHistogram)> {
        let made = self.0.iter().enumerate().filter_map(|(at, cell)| Some((at, cell.get()?)));
        made.flat_map(|(method, by_status)| {
            let made =
                by_status.0.iter().enumerate().filter_map(|(at, cell)| Some((at, cell.get()?)));
            made.map(move |(status, histogram)| {
                (method_label(method), status_label(status), &**histogram)
            })
        })
    }
}

impl RequestMetrics {
    /// Creates the series of the routes. A route's number is its index in `paths`.
    pub fn prepare(&self, paths: impl IntoIterator<Item = String>) {
        let paths = paths
            .into_iter()
            .map(|path| RouteSeries { path, by_method: SeriesByMethod::default() });
        let _ = self.routes.set(paths.collect());
    }

    /// Returns the pattern of a route, such as `/user/{id}`.
    pub fn pattern(&self, number: PathIndex) -> Option<Cow<'_, str>> {
        let (routes, at) = (self.routes.get()?, usize::try_from(number).ok()?);
        if let Some(known) = routes.get(at) {
            return Some(Cow::Borrowed(&known.path));
        }
        let mounted = self.mounted.read();
        mounted.get(at - routes.len()).map(|series| Cow::Owned(series.path.clone()))
    }

    /// Calls `see` with the pattern of each route.
    pub fn each_pattern(&self, mut see: impl FnMut(&str)) {
        self.routes.get().into_iter().flatten().for_each(|known| see(&known.path));
        let mounted = self.mounted.read();
        mounted.iter().for_each(|series| see(&series.path));
    }

    /// Returns the number of a path that a mounted router has matched.
    pub fn find(&self, path: &str) -> PathIndex {
        let known = self.routes.get().map_or(0, Vec::len);
        let number = |at: usize| PathIndex::try_from(known + at).unwrap_or(UNMATCHED);
        let at = |mounted: &[Arc<RouteSeries>]| mounted.iter().position(|known| known.path == path);
        if let Some(at) = at(&self.mounted.read()) {
            return number(at);
        }
        let mut mounted = self.mounted.write();
        if let Some(at) = at(&mounted) {
            return number(at);
        }
        if known + mounted.len() >= MAX_PATHS {
            return UNMATCHED;
        }
        mounted.push(Arc::new(RouteSeries {
            path: path.to_owned(),
            by_method: SeriesByMethod::default(),
        }));
        number(mounted.len() - 1)
    }

    /// Records the duration of a request that has its response.
    pub fn observe(&self, path: PathIndex, method: &Method, status: StatusCode, took: Duration) {
        if path == UNMATCHED {
            return self.unmatched.observe(method, status, took);
        }
        let routes = self.routes.get().map_or(&[][..], Vec::as_slice);
        let index = path as usize;
        if let Some(path) = routes.get(index) {
            return path.by_method.observe(method, status, took);
        }
        let mounted = self.mounted.read();
        match mounted.get(index - routes.len()) {
            Some(path) => path.by_method.observe(method, status, took),
            None => self.unmatched.observe(method, status, took),
        }
    }

    /// Counts a request that has begun, until [`RequestMetrics::end`]. Returns the number of requests
    /// in flight, including this one, and the number of its method.
    pub fn begin(&self, method: &Method) -> (i64, MethodIndex) {
        let index = method_index(method);
        self.active_by_method[index].fetch_add(1, Ordering::Relaxed);
        (self.active.fetch_add(1, Ordering::Relaxed) + 1, MethodIndex(index))
    }

    /// Counts the end of a request, with or without a response.
    pub fn end(&self, method: MethodIndex, is_answered: bool) {
        self.active_by_method[method.0].fetch_sub(1, Ordering::Relaxed);
        self.active.fetch_sub(1, Ordering::Relaxed);
        if !is_answered {
            self.cancelled.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a shed request.
    pub fn shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a response whose body ended early.
    pub fn abort(&self, reason: AbortReason) {
        self.aborted[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that was opened (1) or closed (-1).
    pub fn connection(&self, change: i64) {
        self.connections.fetch_add(change, Ordering::Relaxed);
    }

    fn encode_durations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor(
            "http_server_request_duration_seconds",
            "Duration of requests until the head of their response, by route",
            None,
            MetricType::Histogram,
        )?;
        let mounted = self.mounted.read();
        let routes = self.routes.get().map_or(&[][..], Vec::as_slice);
        let matched = routes.iter().chain(mounted.iter().map(|series| &**series));
        let matched = matched.map(|series| (Some(series.path.as_str()), &series.by_method));
        for (route, by_method) in matched.chain([(None, &self.unmatched)]) {
            for (method, status, histogram) in by_method.each() {
                let labels = duration_labels(method, route, &status);
                histogram.encode(&mut family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn encode_aborted(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Streamed responses that ended before their end, by reason";
        let name = "http_server_aborted_responses";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (reason, label) in ABORT_REASONS {
            let count = self.aborted[reason as usize].load(Ordering::Relaxed);
            ConstCounter::new(count).encode(family.encode_family(&[("reason", label)])?)?;
        }
        Ok(())
    }

    fn encode_active(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (name, help) = ("http_server_active_requests", "Requests in flight, by method");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (index, active) in self.active_by_method.iter().enumerate() {
            let labels = [("http_request_method", method_label(index))];
            ConstGauge::new(active.load(Ordering::Relaxed))
                .encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// Returns the labels of a series. The conventions have no `http.route` where no route matched, and an
/// `error.type` for errors of the server only. `url.scheme` is left out: TLS ends at the proxy, so that
/// the service does not know it.
fn duration_labels<'a>(
    method: &'a str,
    route: Option<&'a str>,
    status: &'a str,
) -> Vec<(&'static str, &'a str)> {
    let mut labels = vec![("http_request_method", method)];
    labels.extend(route.map(|route| ("http_route", route)));
    labels.push(("http_response_status_code", status));
    labels.extend(status.starts_with('5').then_some(("error_type", status)));
    labels
}

/// The number of a method's series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MethodIndex(usize);

impl Collector for RequestMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.encode_durations(&mut encoder)?;
        self.encode_active(&mut encoder)?;
        self.encode_aborted(&mut encoder)?;
        let (name, help) = ("http_server_connections", "Open connections of the public port");
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(self.connections.load(Ordering::Relaxed)).encode(metric)?;
        for (name, help, value) in [
            (
                "http_server_cancelled_requests",
                "Requests cancelled by their client before the response",
                &self.cancelled,
            ),
            (
                "http_server_shed_requests",
                "Requests shed with 503 because more were in flight than http.max_requests",
                &self.shed,
            ),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value.load(Ordering::Relaxed)).encode(metric)?;
        }
        Ok(())
    }
}

impl fmt::Debug for RequestMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestMetrics")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    fn text(requests: Arc<RequestMetrics>) -> String {
        let metrics = Metrics::default();
        metrics.collect(requests);
        metrics.text()
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn each_request_is_in_one_bucket_of_its_path_method_and_status() {
        let requests = Arc::new(RequestMetrics::default());
        requests.prepare(["/a".to_owned(), "/b/{id}".to_owned()]);
        requests.observe(1, &Method::GET, StatusCode::OK, MS);
        requests.observe(1, &Method::GET, StatusCode::OK, Duration::from_secs(60));
        requests.observe(0, &Method::POST, StatusCode::IM_A_TEAPOT, MS);
        requests.observe(0, &Method::PUT, StatusCode::BAD_GATEWAY, MS);
        let text = text(requests);
        let name = "http_server_request_duration_seconds";
        let labels =
            r#"http_request_method="GET",http_route="/b/{id}",http_response_status_code="200""#;
        for line in [
            format!(r#"{name}_bucket{{le="0.0005",{labels}}} 0"#),
            format!(r#"{name}_bucket{{le="0.001",{labels}}} 1"#),
            format!(r#"{name}_bucket{{le="10.0",{labels}}} 1"#),
            format!(r#"{name}_bucket{{le="+Inf",{labels}}} 2"#),
            format!("{name}_count{{{labels}}} 2"),
            format!("{name}_sum{{{labels}}} 60.001"),
            format!(
                r#"{name}_count{{http_request_method="POST",http_route="/a",http_response_status_code="4xx"}} 1"#
            ),
            format!(
                r#"{name}_count{{http_request_method="PUT",http_route="/a",http_response_status_code="502",error_type="502"}} 1"#
            ),
        ] {
            assert!(text.lines().any(|there| there == line), "`{line}` is missing in\n{text}");
        }
    }

    #[test]
    fn paths_and_methods_that_nobody_knows_are_one_series() {
        let requests = Arc::new(RequestMetrics::default());
        for number in 0..1000 {
            let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
            requests.observe(UNMATCHED, &method, StatusCode::NOT_FOUND, MS);
        }
        let text = text(requests);
        let counts: Vec<&str> =
            text.lines().filter(|line| line.contains("_seconds_count")).collect();
        assert_eq!(
            counts,
            [
                r#"http_server_request_duration_seconds_count{http_request_method="_OTHER",http_response_status_code="404"} 1000"#
            ]
        );
    }

    #[test]
    fn requests_in_flight_are_counted_by_method_and_in_all() {
        let requests = Arc::new(RequestMetrics::default());
        let (count, get) = requests.begin(&Method::GET);
        assert_eq!(count, 1);
        let (count, trace) = requests.begin(&Method::TRACE);
        assert_eq!(count, 2);
        requests.end(get, true);
        let text = text(requests.clone());
        assert!(text.contains("http_server_active_requests{http_request_method=\"GET\"} 0\n"));
        assert!(text.contains("http_server_active_requests{http_request_method=\"_OTHER\"} 1\n"));
        requests.end(trace, false);
        assert_eq!(requests.cancelled.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn paths_of_mounted_routers_are_found_once_and_bounded() {
        let requests = RequestMetrics::default();
        requests.prepare(["/a".to_owned()]);
        assert_eq!((requests.find("/x"), requests.find("/y"), requests.find("/x")), (1, 2, 1));
        for number in 0..2 * MAX_PATHS {
            requests.find(&format!("/{number}"));
        }
        assert_eq!(requests.find("/one-too-many"), UNMATCHED);
        requests.observe(2, &Method::GET, StatusCode::OK, MS);
    }

    #[test]
    fn every_status_has_a_label() {
        assert_eq!(status_label(status_index(StatusCode::OK)), "200");
        assert_eq!(status_label(status_index(StatusCode::GATEWAY_TIMEOUT)), "5xx");
        assert_eq!(status_label(status_index(StatusCode::from_u16(999).unwrap())), "5xx");
    }
}
