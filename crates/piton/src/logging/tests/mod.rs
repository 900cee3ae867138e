//! Lines as they are written, through the macros of `tracing`.

mod levels;
mod lines;
mod long_lines;
mod process;
mod python_formats;
mod requests;
mod secrets;

use std::error::Error;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use chrono::{DateTime, TimeZone, Utc};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tracing::callsite::Callsite;
use tracing::field::FieldSet;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber, debug, error, info, trace, warn};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry;

use super::filter::LogRules;
use super::layer::LineLayer;
use super::line_writer::{LineBuffers, LineStyle, LineWriter, MAX_LINE_BYTES};
use super::python_format::{PythonRecord, RecordContext};
use super::timestamp::LogTime;
use super::*;
use crate::config::{Config, Problems, Setting, Settings};
use crate::http::{get, post};
use crate::testing::{TestApp, TestServer};
use crate::{App, StatusCode};

/// Collects what the layer writes at a level.
fn lines(level: LogLevel, style: LineStyle, work: impl FnOnce(&'static LogRules)) -> Vec<String> {
    let rules: &'static LogRules = Box::leak(Box::new(LogRules::new()));
    rules.set_level(level);
    rules.set_style(style);
    let written = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&written);
    let layer = LineLayer::new(rules, move |line: &str| {
        sink.lock().expect("no test panics with the lock").push(line.to_owned());
    });
    tracing::subscriber::with_default(registry().with(layer), || work(rules));
    let lines = written.lock().expect("no test panics with the lock");
    lines.clone()
}

fn json(work: impl FnOnce()) -> Value {
    let lines = lines(LogLevel::Trace, LineStyle::Json, |_| work());
    assert_eq!(lines.len(), 1);
    assert!(lines[0].ends_with("}\n"));
    serde_json::from_str(&lines[0]).expect("the line is JSON")
}

/// Formats at a known time with a known request.
struct Fixed<W>(LineStyle, Option<&'static str>, W);

impl<S: Subscriber, W: Fn(&str) + 'static> tracing_subscriber::Layer<S> for Fixed<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut buffers = LineBuffers::new();
        LineWriter::begin(&mut buffers, self.0, self.1).write(LogTime::of(&time()), event);
        self.2(buffers.line());
    }
}

fn time() -> DateTime<Utc> {
    Utc.timestamp_opt(1_531_150_906, 420_000_000).single().expect("a time")
}

fn fixed(style: LineStyle, request_id: Option<&'static str>, work: impl FnOnce()) -> String {
    let written = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&written);
    let layer = Fixed(style, request_id, move |line: &str| {
        sink.lock().expect("no test panics with the lock").push_str(line);
    });
    tracing::subscriber::with_default(registry().with(layer), work);
    let line = written.lock().expect("no test panics with the lock");
    line.clone()
}

fn human(work: impl FnOnce()) -> String {
    let line = fixed(LineStyle::Human, None, work);
    let (_, message) = line.split_once("   ").expect("three spaces stand before the message");
    let (_, message) = message.split_once("   ").unwrap_or(("", message));
    message.to_owned()
}

/// Runs an app whose lines are collected, on this thread only.
fn lines_of(level: LogLevel, app: App, work: impl AsyncFnOnce(&TestApp)) -> Vec<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a test may make a runtime");
    let lines = lines(level, LineStyle::Json, |_| {
        runtime.block_on(async {
            let app = TestApp::new(app).await;
            work(&app).await;
            app.stop().await;
        });
    });
    let parsed = lines.iter().map(|line| serde_json::from_str(line).expect("the line is JSON"));
    parsed.collect()
}

fn said<'a>(lines: &'a [Value], message: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["message"] == message).collect()
}

/// Lines in a format of Python's.
fn in_python(format: &str, work: impl FnOnce()) -> Vec<String> {
    let format = PythonFormat::new(format).expect("a format of Python's");
    lines(LogLevel::Info, LineStyle::Human, |rules| {
        rules.set_python(format, MsecFormat::default());
        work();
    })
}
