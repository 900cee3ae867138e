//! Requests by method, matched path and status: how many, and how long they took.
//!
//! This is on the way of every request, so a request touches three counters and no lock. Cells are
//! made when they are first needed, a path's from the routes known at launch.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Which path a request matched: a number that a route learns at launch.
pub(crate) type PathIndex = u32;

/// No path at all.
pub(crate) const UNMATCHED: PathIndex = PathIndex::MAX;

/// More paths than any program writes by hand; what comes after is lumped with the unmatched.
const MOST_PATHS: usize = 10_000;

/// Upper bounds in microseconds, those of OpenTelemetry's conventions and two below them: many
/// answers take less than a millisecond.
const BOUNDS_US: [u64; 16] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// Methods with a label of their own; all others are `other`.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
];

/// Statuses with a label of their own; all others are their class, such as `4xx`.
const STATUSES: [u16; 29] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408,
    409, 410, 412, 413, 415, 422, 429, 500, 502, 503,
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What is counted of requests.
#[derive(Default)]
pub(crate) struct RequestMetrics {
    /// Those of the routes, in their order. Set once, at launch.
    routes: OnceLock<Vec<Path>>,
    /// Those of mounted routers, found when they are first matched.
    found: RwLock<Vec<Arc<Path>>>,
    unmatched: ByMethod,
    /// Being answered now.
    active: AtomicI64,
    /// Given up by their clients before there was an answer.
    cancelled: AtomicU64,
    /// Turned away because there were too many.
    shed: AtomicU64,
    /// Open connections.
    connections: AtomicI64,
}

struct Path {
    path: String,
    by_method: ByMethod,
}

#[derive(Default)]
struct ByMethod([OnceLock<Box<ByStatus>>; METHODS.len() + 1]);

struct ByStatus([OnceLock<Box<Histogram>>; STATUSES.len() + CLASSES.len()]);

impl Default for ByStatus {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OnceLock::new()))
    }
}

#[derive(Default)]
struct Histogram {
    /// Not cumulative; the last counts what is above every bound.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_ns: AtomicU64,
}

impl Histogram {
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
    METHODS.get(index).map_or("other", Method::as_str)
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

impl ByMethod {
    fn observe(&self, method: &Method, status: StatusCode, duration: Duration) {
        let by_status = self.0[method_index(method)].get_or_init(Box::default);
        by_status.0[status_index(status)].get_or_init(Box::default).observe(duration);
    }

    /// Every histogram there is, with its method and status.
    fn each(&self) -> impl Iterator<Item = (&'static str, String, &Histogram)> {
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
    /// Makes room for the routes' paths. Their numbers are their places in `paths`.
    pub fn prepare(&self, paths: impl IntoIterator<Item = String>) {
        let paths = paths.into_iter().map(|path| Path { path, by_method: ByMethod::default() });
        let _ = self.routes.set(paths.collect());
    }

    /// The path of a route, as the route says it: `/user/{id}`.
    pub fn pattern(&self, number: PathIndex) -> Option<Cow<'_, str>> {
        let (routes, at) = (self.routes.get()?, usize::try_from(number).ok()?);
        if let Some(known) = routes.get(at) {
            return Some(Cow::Borrowed(&known.path));
        }
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        found.get(at - routes.len()).map(|found| Cow::Owned(found.path.clone()))
    }

    /// Calls `see` with the path of each route that is known.
    pub fn each_pattern(&self, mut see: impl FnMut(&str)) {
        self.routes.get().into_iter().flatten().for_each(|known| see(&known.path));
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        found.iter().for_each(|found| see(&found.path));
    }

    /// The number of a path that a mounted router matched.
    pub fn find(&self, path: &str) -> PathIndex {
        let known = self.routes.get().map_or(0, Vec::len);
        let number = |at: usize| PathIndex::try_from(known + at).unwrap_or(UNMATCHED);
        let at = |found: &[Arc<Path>]| found.iter().position(|known| known.path == path);
        if let Some(at) = at(&self.found.read().unwrap_or_else(PoisonError::into_inner)) {
            return number(at);
        }
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = at(&found) {
            return number(at);
        }
        if known + found.len() >= MOST_PATHS {
            return UNMATCHED;
        }
        found.push(Arc::new(Path { path: path.to_owned(), by_method: ByMethod::default() }));
        number(found.len() - 1)
    }

    /// Counts an answered request.
    pub fn observe(&self, path: PathIndex, method: &Method, status: StatusCode, took: Duration) {
        if path == UNMATCHED {
            return self.unmatched.observe(method, status, took);
        }
        let routes = self.routes.get().map_or(&[][..], Vec::as_slice);
        let index = path as usize;
        if let Some(path) = routes.get(index) {
            return path.by_method.observe(method, status, took);
        }
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        match found.get(index - routes.len()) {
            Some(path) => path.by_method.observe(method, status, took),
            None => self.unmatched.observe(method, status, took),
        }
    }

    /// A request has come; returns how many there are now.
    pub fn begin(&self) -> i64 {
        self.active.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A request has ended, perhaps without an answer.
    pub fn end(&self, answered: bool) {
        self.active.fetch_sub(1, Ordering::Relaxed);
        if !answered {
            self.cancelled.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A request was turned away.
    pub fn shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was opened (1) or closed (-1).
    pub fn connection(&self, change: i64) {
        self.connections.fetch_add(change, Ordering::Relaxed);
    }

    fn encode_durations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor(
            "http_server_request_duration_seconds",
            "How long requests took until the head of their answer, by matched path",
            None,
            MetricType::Histogram,
        )?;
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let routes = self.routes.get().map_or(&[][..], Vec::as_slice);
        let paths = routes.iter().chain(found.iter().map(|path| &**path));
        let all = paths.map(|path| (path.path.as_str(), &path.by_method));
        for (path, by_method) in all.chain([("unmatched", &self.unmatched)]) {
            for (method, status, histogram) in by_method.each() {
                let labels = [("method", method), ("path", path), ("status", &status)];
                histogram.encode(&mut family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl Collector for RequestMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.encode_durations(&mut encoder)?;
        for (name, help, value) in [
            ("http_server_active_requests", "Requests being answered", &self.active),
            ("http_server_connections", "Open connections of the public port", &self.connections),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value.load(Ordering::Relaxed)).encode(metric)?;
        }
        for (name, help, value) in [
            (
                "http_server_cancelled_requests",
                "Requests whose client went away before the answer",
                &self.cancelled,
            ),
            (
                "http_server_shed_requests",
                "Requests answered 503 because there were too many",
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
        f.write_str("Requests")
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
        let text = text(requests);
        let name = "http_server_request_duration_seconds";
        let labels = r#"method="GET",path="/b/{id}",status="200""#;
        for line in [
            format!(r#"{name}_bucket{{le="0.0005",{labels}}} 0"#),
            format!(r#"{name}_bucket{{le="0.001",{labels}}} 1"#),
            format!(r#"{name}_bucket{{le="10.0",{labels}}} 1"#),
            format!(r#"{name}_bucket{{le="+Inf",{labels}}} 2"#),
            format!("{name}_count{{{labels}}} 2"),
            format!("{name}_sum{{{labels}}} 60.001"),
            format!(r#"{name}_count{{method="POST",path="/a",status="4xx"}} 1"#),
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
                r#"http_server_request_duration_seconds_count{method="other",path="unmatched",status="404"} 1000"#
            ]
        );
    }

    #[test]
    fn paths_of_mounted_routers_are_found_once_and_bounded() {
        let requests = RequestMetrics::default();
        requests.prepare(["/a".to_owned()]);
        assert_eq!((requests.find("/x"), requests.find("/y"), requests.find("/x")), (1, 2, 1));
        for number in 0..2 * MOST_PATHS {
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
