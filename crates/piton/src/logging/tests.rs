//! Lines as they are written, through the macros of `tracing`.

use std::error::Error;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeZone, Utc};
use serde_json::{Value, json};
use tracing::{Event, Subscriber, debug, error, info, trace, warn};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry;

use super::layer::{Layer, Rules};
use super::line::{Buffers, LONGEST_BYTES, Line, Style};
use super::moment::Moment;
use super::*;
use crate::config::{Config, Problems, Setting};

/// Collects what the layer writes at a level.
fn lines(level: LogLevel, style: Style, work: impl FnOnce(&'static Rules)) -> Vec<String> {
    let rules: &'static Rules = Box::leak(Box::new(Rules::new()));
    rules.set_level(level);
    rules.set_style(style);
    let written = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&written);
    let layer = Layer::new(rules, move |line: &str| {
        sink.lock().expect("no test panics with the lock").push(line.to_owned());
    });
    tracing::subscriber::with_default(registry().with(layer), || work(rules));
    let lines = written.lock().expect("no test panics with the lock");
    lines.clone()
}

fn json(work: impl FnOnce()) -> Value {
    let lines = lines(LogLevel::Trace, Style::Json, |_| work());
    assert_eq!(lines.len(), 1);
    assert!(lines[0].ends_with("}\n"));
    serde_json::from_str(&lines[0]).expect("the line is JSON")
}

/// Formats at a known time with a known request.
struct Fixed<W>(Style, Option<&'static str>, W);

impl<S: Subscriber, W: Fn(&str) + 'static> tracing_subscriber::Layer<S> for Fixed<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut buffers = Buffers::new();
        Line::begin(&mut buffers, self.0, self.1).write(Moment::of(&time()), event);
        self.2(buffers.line());
    }
}

fn time() -> DateTime<Utc> {
    Utc.timestamp_opt(1_531_150_906, 420_000_000).single().expect("a time")
}

fn fixed(style: Style, request_id: Option<&'static str>, work: impl FnOnce()) -> String {
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
    let line = fixed(Style::Human, None, work);
    let (_, message) = line.split_once("   ").expect("three spaces stand before the message");
    let (_, message) = message.split_once("   ").unwrap_or(("", message));
    message.to_owned()
}

#[test]
fn a_human_line_is_gnars() {
    let line =
        fixed(Style::Human, None, || info!(target: "gear::gnar_app", "Logging at {}", "INFO"));
    let number = line!() - 1;
    let expected =
        format!("2018-07-09 15:41:46.420 INFO     gear.gnar_app:{number}   Logging at INFO\n");
    assert_eq!(line, expected);
}

#[test]
fn the_level_is_padded_to_eight_and_has_pythons_name() {
    let line = fixed(Style::Human, None, || warn!(target: "a", "b"));
    assert!(line.contains(" WARNING  a:"), "{line}");
    let line = fixed(Style::Human, None, || error!(target: "a", "b"));
    assert!(line.contains(" ERROR    a:"), "{line}");
}

#[test]
fn fields_follow_the_message_and_the_request_id_comes_last() {
    let line = fixed(Style::Human, Some("r-1"), || {
        info!(path = "/x y", status = 200, ok = true, ratio = 0.5, who = ?Some(1), "Answered");
    });
    let expected =
        "   Answered path=\"/x y\" status=200 ok=true ratio=0.5 who=Some(1) request_id=r-1\n";
    assert!(line.ends_with(expected), "{line}");
}

#[test]
fn a_json_line_has_time_level_logger_line_message_fields_and_request_id() {
    let line = fixed(Style::Json, Some("r-1"), || {
        warn!(target: "a::b", path = "/\"x\"", status = 200_u64, delta = -1, ok = false, part = 0.25, "Odd");
    });
    let value: Value = serde_json::from_str(&line).expect("the line is JSON");
    let number = line!() - 3;
    let expected = json!({
        "time": "2018-07-09T15:41:46.420Z", "level": "WARNING", "logger": "a.b", "line": number,
        "message": "Odd", "path": "/\"x\"", "status": 200, "delta": -1, "ok": false, "part": 0.25,
        "request_id": "r-1",
    });
    assert_eq!(value, expected);
    assert!(line.starts_with("{\"time\":"));
}

#[test]
fn a_field_with_a_reserved_name_is_renamed_in_json() {
    let value = json(|| info!(level = "high", line = 3, logger = "x", time = "now", "hi"));
    assert_eq!(value["field_level"], "high");
    assert_eq!(value["field_line"], 3);
    assert_eq!(value["field_logger"], "x");
    assert_eq!(value["field_time"], "now");
    assert_eq!(value["level"], "INFO");
}

#[test]
fn a_field_request_id_stands_for_itself_only_outside_a_request() {
    assert_eq!(json(|| info!(request_id = "own", "hi"))["request_id"], "own");
    let line = fixed(Style::Json, Some("r-1"), || info!(request_id = "own", "hi"));
    let value: Value = serde_json::from_str(&line).expect("the line is JSON");
    assert_eq!((&value["request_id"], &value["field_request_id"]), (&json!("r-1"), &json!("own")));
}

#[test]
fn an_event_without_a_message_has_an_empty_one() {
    assert_eq!(json(|| info!(a = 1))["message"], "");
    assert!(fixed(Style::Human, None, || info!(a = 1)).ends_with("    a=1\n"));
}

#[test]
fn dotted_and_raw_names_stay_what_they_are() {
    let value = json(|| info!(task.name = "x", r#type = "y", "hi"));
    assert_eq!((&value["task.name"], &value["type"]), (&json!("x"), &json!("y")));
}

#[test]
fn secrets_stand_in_no_line() {
    let work = || {
        info!(
            password = "hunter2",
            user_token = %"hunter2",
            headers.authorization = ?Some("hunter2"),
            url = "postgres://me:hunter2@db/x",
            token_count = 3,
            "Connects to {}", "redis://:hunter2@cache"
        );
    };
    let value = json(work);
    assert!(!value.to_string().contains("hunter2"), "{value}");
    assert_eq!((&value["password"], &value["token_count"]), (&json!("***"), &json!(3)));
    assert_eq!(value["url"], "postgres://***@db/x");
    assert_eq!(value["message"], "Connects to redis://***@cache");
    let line = human(work);
    assert!(!line.contains("hunter2") && line.contains("password=***"), "{line}");
}

#[test]
fn a_value_cannot_forge_a_line() {
    let work = || info!(path = "/\n2018-07-09 forged", "first\nsecond");
    let lines = lines(LogLevel::Info, Style::Human, |_| work());
    assert_eq!(lines[0].lines().count(), 2);
    assert!(
        lines[0].contains("first\n    second path=\"/\\n2018-07-09 forged\"\n"),
        "{}",
        lines[0]
    );
    let value = json(work);
    assert_eq!(value["path"], "/\n2018-07-09 forged");
}

#[test]
fn an_error_is_told_with_its_causes() {
    #[derive(Debug)]
    struct Outer(fmt::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let outer = Outer(fmt::Error);
    let value = json(|| info!(error = &outer as &(dyn Error + 'static), "hi"));
    assert_eq!(value["error"], format!("outer: {}", fmt::Error));
}

#[test]
fn numbers_that_json_does_not_know_are_null() {
    let value = json(|| info!(a = f64::NAN, b = f64::INFINITY, c = 1e300, d = u128::MAX, "hi"));
    assert_eq!((&value["a"], &value["b"]), (&Value::Null, &Value::Null));
    assert!(value["c"].is_number() && value["d"].is_number());
}

#[test]
fn a_field_that_logs_while_it_is_written_is_no_trouble() {
    struct Talks;
    impl fmt::Display for Talks {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!("inside");
            f.write_str("done")
        }
    }
    let lines = lines(LogLevel::Info, Style::Human, |_| info!(talks = %Talks, "outside"));
    // `tracing` does not pass on events from within an event.
    let last = lines.last().expect("the outer line is written");
    assert!(last.ends_with("outside talks=done\n"), "{lines:?}");
}

#[test]
fn below_the_level_nothing_is_written() {
    let all = |_: &'static Rules| {
        trace!("a");
        debug!("b");
        info!("c");
        warn!("d");
        error!("e");
    };
    let levels =
        [LogLevel::Error, LogLevel::Warning, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    for (index, level) in levels.into_iter().enumerate() {
        assert_eq!(lines(level, Style::Human, all).len(), index + 1, "{level}");
    }
}

#[test]
fn the_level_changes_while_the_service_runs() {
    let lines = lines(LogLevel::Info, Style::Human, |rules| {
        let speak = || debug!("speaks");
        speak();
        rules.set_level(LogLevel::Debug);
        speak();
        rules.set_level(LogLevel::Info);
        speak();
    });
    assert_eq!(lines.len(), 1);
}

#[test]
fn libraries_speak_from_warning_on_unless_a_fault_is_looked_for() {
    let all = |_: &'static Rules| {
        info!(target: "hyper::proto", "a");
        warn!(target: "sqlx::query", "b");
        info!(target: "hyperspace", "c");
        info!(target: "piton::http", "d");
    };
    assert_eq!(lines(LogLevel::Info, Style::Human, all).len(), 3);
    assert_eq!(lines(LogLevel::Debug, Style::Human, all).len(), 4);
    assert_eq!(lines(LogLevel::Error, Style::Human, all).len(), 0);
}

#[test]
fn colours_wrap_the_fixed_part_and_nothing_else_changes() {
    let work = || info!(target: "a", b = 1, "hi");
    let coloured = fixed(Style::Coloured, None, work);
    assert!(coloured.contains("\u{1b}[32mINFO    \u{1b}[0m"), "{coloured:?}");
    let mut plain = coloured;
    for code in ["\u{1b}[2m", "\u{1b}[32m", "\u{1b}[0m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, fixed(Style::Human, None, work));
}

#[test]
fn the_settings_of_the_log_have_their_variables_and_defaults() {
    let vars = [("PITON_LOG_LEVEL", "debug"), ("PITON_LOG_REQUESTS", "none")];
    let (config, problems) = Config::loader("PITON").env(vars).load(&[&SECTION]);
    assert!(problems.is_empty() && config.check(&[&SECTION], &[&SECTION]).is_empty());
    let settings: LogSettings = config.read("log", &mut Problems::new());
    assert_eq!(settings.level, LogLevel::Debug);
    assert_eq!((settings.format, settings.requests), (LogFormat::Auto, LogRequests::None));
}

#[test]
fn all_requests_are_logged_in_development_and_failures_in_production() {
    assert_eq!(LogRequests::Auto.resolve(false), LogRequests::All);
    assert_eq!(LogRequests::Auto.resolve(true), LogRequests::Failures);
    assert_eq!(LogRequests::None.resolve(false), LogRequests::None);
}

/// The other half of the next tests: logs for real, in a process of its own.
#[test]
#[expect(clippy::disallowed_methods, reason = "the exit code is what the parent looks for")]
fn child_process() {
    let Some(format) = std::env::var_os("PITON_TEST_LOG_CHILD") else { return };
    let format = LogFormat::parse(&json!(format.to_str())).expect("the parent knows the formats");
    let settings = LogSettings { format, ..LogSettings::default() };
    start(&settings);
    start(&settings);
    // More than a pipe holds, so that the parent's end is closed before the last line.
    for number in 0..20_000 {
        info!(number, "child speaks");
    }
    start(&LogSettings { level: LogLevel::Error, ..settings });
    info!("no longer said");
    assert_eq!(level(), LogLevel::Error);
    std::process::exit(7);
}

fn child(format: &str) -> std::process::Child {
    let name = concat!(module_path!(), "::child_process");
    let (_, name) = name.split_once("::").expect("a module path begins with the crate");
    Command::new(std::env::current_exe().expect("a test is a program"))
        .args(["--exact", name, "--nocapture"])
        .env("PITON_TEST_LOG_CHILD", format)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the test can be started again")
}

#[test]
fn a_reader_that_is_gone_does_not_panic() {
    let mut child = child("auto");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("child speaks") {
        line.clear();
        assert_ne!(output.read_line(&mut line).expect("the child writes text"), 0);
    }
    drop(output);
    assert_eq!(child.wait().expect("the child was started").code(), Some(7));
    // The output of the child is a pipe, so `auto` is JSON.
    assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
}

#[test]
fn every_line_is_written_once_and_a_second_start_only_changes_the_level() {
    let mut child = child("human");
    let mut output = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut output).expect("the child writes text");
    assert_eq!(child.wait().expect("the child was started").code(), Some(7));
    assert_eq!(output.matches("child speaks number=").count(), 20_000);
    assert!(!output.contains("no longer said") && !output.contains('\u{1b}'));
}

#[test]
fn lines_of_several_threads_do_not_mix() {
    let lines = lines(LogLevel::Info, Style::Json, |_| {
        let current = tracing::dispatcher::get_default(Clone::clone);
        std::thread::scope(|threads| {
            for thread in 0..4 {
                let current = current.clone();
                threads.spawn(move || {
                    tracing::dispatcher::with_default(&current, || {
                        (0..100).for_each(|number| info!(thread, number, "speaks"));
                    });
                });
            }
        });
    });
    assert_eq!(lines.len(), 400);
    assert!(lines.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

/// What a line costs: `cargo test --release -p piton --lib -- --ignored --nocapture a_line_costs`.
#[test]
#[ignore = "a measurement, for an optimized build"]
fn a_line_costs_less_than_ten_microseconds() {
    const LINES: u32 = 200_000;
    for (name, style) in [("human", Style::Human), ("json", Style::Json)] {
        let rules: &'static Rules = Box::leak(Box::new(Rules::new()));
        rules.set_style(style);
        let layer = Layer::new(rules, |line: &str| {
            std::hint::black_box(line);
        });
        tracing::subscriber::with_default(registry().with(layer), || {
            let speak = || {
                let path = std::hint::black_box("/api/companies/12345678000195");
                info!(status = 200, duration_ms = 1.25, user = "ada", "GET {path} 200");
            };
            (0..LINES / 10).for_each(|_| speak());
            let begin = std::time::Instant::now();
            (0..LINES).for_each(|_| speak());
            let cost = begin.elapsed() / LINES;
            println!("{name}: {cost:?} a line");
            assert!(cost < std::time::Duration::from_micros(10));
        });
    }
}
