//! Summary of a HAR file.

use std::collections::HashMap;
use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};

use super::entry::HarEntry;
use crate::enhance::format::{
    FrequencyCount, count, duration, escape_invisible, grouped, size, table,
};

/// Maximum size of the list of requests; further ones are only counted.
const REQUESTS_BYTES: usize = 38 * 1024;
/// Maximum number of hosts that are distinguished; further ones share a line.
const MAX_HOSTS: usize = 500;
/// Number of hosts in the table.
const MAX_SHOWN_HOSTS: usize = 60;
const URL_CHARS: usize = 300;

/// Totals of all entries.
#[derive(Default)]
pub(super) struct HarSummary {
    pub(super) creator: Option<String>,
    pub(super) browser: Option<String>,
    /// Describes why reading stopped early.
    pub(super) broken: Option<String>,
    /// Entries without a URL.
    pub(super) unreadable: u64,
    requests: u64,
    hosts: HashMap<String, HostSummary>,
    /// Requests to hosts that are not distinguished.
    other_hosts: u64,
    methods: FrequencyCount,
    statuses: FrequencyCount,
    types: FrequencyCount,
    errors: FrequencyCount,
    first: Option<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
    sent_bytes: u64,
    received_bytes: u64,
    authorized: u64,
    with_cookie: u64,
    setting_cookie: u64,
    list: String,
    listed: u64,
}

/// Totals of one host.
#[derive(Default)]
struct HostSummary {
    requests: u64,
    /// Number of requests by status: failed, 1xx to 5xx, others.
    by_class: [u64; 7],
    received_bytes: u64,
    server: Option<String>,
}

impl HarSummary {
    pub(super) fn add(&mut self, entry: HarEntry) {
        self.requests += 1;
        self.time(&entry);
        self.list(&entry);
        self.sent_bytes = self.sent_bytes.saturating_add(entry.sent_bytes.unwrap_or(0));
        self.received_bytes = self.received_bytes.saturating_add(entry.received_bytes());
        self.authorized += u64::from(entry.has_authorization);
        self.with_cookie += u64::from(entry.has_cookie);
        self.setting_cookie += u64::from(entry.sets_cookie);
        self.methods.add(escape_invisible(entry.method.as_deref().unwrap_or("(no method)"), 20));
        self.statuses
            .add(entry.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string()));
        if let Some(kind) = &entry.content_type {
            self.types.add(escape_invisible(kind, 80));
        }
        if let Some(error) = &entry.error {
            self.errors.add(escape_invisible(error, 80));
        }
        self.host(entry);
    }

    fn time(&mut self, entry: &HarEntry) {
        let Some(began) = entry.began else { return };
        let lasted = TimeDelta::milliseconds(entry.milliseconds.unwrap_or(0.0).min(1e10) as i64);
        let ended = began.checked_add_signed(lasted).unwrap_or(began);
        self.first = Some(self.first.map_or(began, |first| first.min(began)));
        self.last = Some(self.last.map_or(ended, |last| last.max(ended)));
    }

    fn host(&mut self, entry: HarEntry) {
        let received_bytes = entry.received_bytes();
        let Some(name) = entry.url.map(|url| escape_invisible(&url.host, 80)) else { return };
        if self.hosts.len() >= MAX_HOSTS && !self.hosts.contains_key(&name) {
            self.other_hosts += 1;
            return;
        }
        let host = self.hosts.entry(name).or_default();
        host.requests += 1;
        host.by_class[entry.status.map_or(0, |status| usize::from(status / 100).min(6))] += 1;
        host.received_bytes = host.received_bytes.saturating_add(received_bytes);
        host.server = host.server.take().or(entry.server);
    }

    /// Adds a line for the request while there is room.
    fn list(&mut self, entry: &HarEntry) {
        let Some(url) = entry.url.as_ref().filter(|_| self.list.len() < REQUESTS_BYTES) else {
            return;
        };
        self.listed += 1;
        let began = entry
            .began
            .map_or_else(|| "        ".to_owned(), |at| at.format("%H:%M:%S").to_string());
        let method = escape_invisible(entry.method.as_deref().unwrap_or("?"), 20);
        let status = entry.status.map_or_else(|| "---".to_owned(), |status| status.to_string());
        let _ = write!(
            self.list,
            "  {began} {method} {status} {}",
            escape_invisible(&url.shown, URL_CHARS)
        );
        if let Some(to) = &entry.redirect {
            let _ = write!(self.list, " -> {}", escape_invisible(&to.shown, URL_CHARS));
        }
        let mut notes: Vec<String> =
            entry.error.iter().map(|error| escape_invisible(error, 80)).collect();
        notes.extend(entry.content_bytes.map(size));
        notes.extend(entry.milliseconds.map(|time| duration(time / 1000.0)));
        if !notes.is_empty() {
            let _ = write!(self.list, " ({})", notes.join(", "));
        }
        self.list.push('\n');
    }

    pub(super) fn text(&self) -> String {
        let mut out = self.first_line();
        if let Some(how) = &self.broken {
            let _ = writeln!(out, "the file {how}: what follows is what stands before");
        }
        if self.unreadable > 0 {
            let _ = writeln!(out, "not readable: {}", count(self.unreadable, "entry"));
        }
        self.figures(&mut out);
        self.hosts(&mut out);
        self.requests(&mut out);
        out
    }

    fn first_line(&self) -> String {
        if self.requests == 0 {
            return "no requests\n".to_owned();
        }
        let hosts = count(self.hosts.len() as u64, "host");
        let more = if self.other_hosts > 0 { "more than " } else { "" };
        let mut out = format!("{} to {more}{hosts}", count(self.requests, "request"));
        if let (Some(first), Some(last)) = (self.first, self.last) {
            let lasted = (last - first).as_seconds_f64();
            let until = if first.date_naive() == last.date_naive() {
                "%H:%M:%S"
            } else {
                "%Y-%m-%d %H:%M:%S"
            };
            let (first, last) = (first.format("%Y-%m-%d %H:%M:%S"), last.format(until));
            let _ = write!(out, ", {first} to {last} UTC ({})", duration(lasted));
        }
        let _ = write!(out, ", {} received", size(self.received_bytes));
        if self.sent_bytes > 0 {
            let _ = write!(out, ", {} sent", size(self.sent_bytes));
        }
        out + "\n"
    }

    fn figures(&self, out: &mut String) {
        let written = [&self.creator, &self.browser]
            .map(|program| program.as_deref().map(|name| escape_invisible(name, 90)));
        let credentials = [
            (self.authorized, "Authorization sent"),
            (self.with_cookie, "cookies sent"),
            (self.setting_cookie, "cookies set"),
        ];
        let credentials = credentials
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{what} ({})", grouped(*n)));
        for (name, line) in [
            ("methods", self.methods.line(12)),
            ("statuses", self.statuses.line(20)),
            ("failures", self.errors.line(10)),
            ("types", self.types.line(15)),
            ("credentials", credentials.collect::<Vec<_>>().join(", ")),
            ("written by", written.into_iter().flatten().collect::<Vec<_>>().join(", ")),
        ] {
            if !line.is_empty() {
                let _ = writeln!(out, "{name}: {line}");
            }
        }
    }

    fn hosts(&self, out: &mut String) {
        if self.hosts.is_empty() {
            return;
        }
        let mut hosts: Vec<_> = self.hosts.iter().collect();
        hosts.sort_by(|(a, x), (b, y)| y.requests.cmp(&x.requests).then_with(|| a.cmp(b)));
        let shown = hosts.iter().take(MAX_SHOWN_HOSTS);
        let rows: Vec<_> = shown.clone().map(|(name, host)| host.row(name)).collect();
        let _ = write!(out, "\nhosts:\n{}", table(&rows, &[false, true, false, true, false]));
        let left = (hosts.len() - rows.len()) as u64;
        if left + self.other_hosts > 0 {
            let more = if self.other_hosts > 0 { "or more " } else { "" };
            let requests = self.requests - shown.map(|(_, host)| host.requests).sum::<u64>();
            let _ = writeln!(out, "  and {left} {more}others ({})", count(requests, "request"));
        }
    }

    fn requests(&self, out: &mut String) {
        if self.requests > 0 {
            let _ = write!(out, "\nrequests:\n{}", self.list);
        }
        if self.requests > self.listed {
            let _ = writeln!(out, "  and {} more", grouped(self.requests - self.listed));
        }
    }
}

impl HostSummary {
    fn row(&self, name: &str) -> Vec<String> {
        let classes = ["failed", "1xx", "2xx", "3xx", "4xx", "5xx", "other"];
        let statuses = classes.iter().zip(self.by_class).filter(|(_, n)| *n > 0);
        let statuses: Vec<_> =
            statuses.map(|(class, n)| format!("{class} ({})", grouped(n))).collect();
        vec![
            name.to_owned(),
            count(self.requests, "request"),
            statuses.join(", "),
            size(self.received_bytes),
            escape_invisible(self.server.as_deref().unwrap_or_default(), 45),
        ]
    }
}
