//! Lines as they are written, through the macros of `tracing`.

use std::error::Error;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

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

use super::format::{Around, Record};
use super::layer::{Layer, Rules};
use super::line::{Buffers, LONGEST_BYTES, Line, Style};
use super::moment::Moment;
use super::*;
use crate::config::{Config, Problems, Setting};
use crate::http::get;
use crate::testing::TestApp;
use crate::{App, StatusCode};

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

/// Lines in a format of Python's.
fn in_python(format: &str, work: impl FnOnce()) -> Vec<String> {
    let format = PythonFormat::new(format).expect("a format of Python's");
    lines(LogLevel::Info, Style::Human, |rules| {
        rules.set_python(format, MsecFormat::default());
        work();
    })
}

#[test]
fn in_a_format_of_ones_own_the_fields_follow_the_message() {
    let work = || info!(status = 200, path = "/x y", "Answered");
    let line = in_python("%(message)s [%(levelname)s]", work).concat();
    assert_eq!(line, "Answered status=200 path=\"/x y\" [INFO]\n");
    let line = in_python("%(levelname)-8s|", work).concat();
    assert_eq!(line, "INFO    | status=200 path=\"/x y\"\n");
    let line = in_python("%(message).3s %(message)s.", work).concat();
    assert_eq!(line, "Ans Answered status=200 path=\"/x y\".\n");
}

#[test]
fn a_format_of_ones_own_cannot_be_broken_by_a_message() {
    let lines = in_python("%(message)s|%(threadName)s", || info!("a\nb %(x)s\u{1b}[2J {}", "c"));
    assert!(lines[0].starts_with("a\n    b %(x)s\\u{1b}[2J c|"), "{lines:?}");
}

#[test]
fn what_python_knows_of_a_record_is_known_here() {
    let format = "%(name)s %(module)s %(filename)s %(process)d %(threadName)s %(taskName)s %(funcName)s %(message)s";
    let lines = in_python(format, || {
        info!("outside");
        tracing::info_span!("answer").in_scope(|| info!("inside"));
    });
    let thread = std::thread::current().name().expect("a test has a name").to_owned();
    let start = format!("piton.logging.tests tests tests.rs {} {thread} None", std::process::id());
    assert_eq!(lines[0], format!("{start} (unknown function) outside\n"));
    assert_eq!(lines[1], format!("{start} answer inside\n"));
}

#[test]
fn a_format_that_python_would_refuse_is_refused_with_the_format_that_was_meant() {
    let refused = |format: &str| {
        let vars = [("GNAR_LOG_FORMAT", format)];
        let (config, _) = Config::loader("GNAR").env(vars).load(&[&SECTION]);
        let problems = config.check(&[&SECTION], &[&SECTION]);
        assert_eq!(problems.len(), 1, "{format}");
        let problem = &problems[0];
        assert_eq!(problem.key, "log.format");
        format!("{} | {}", problem.why, problem.fix)
    };
    let report = refused("%(asctime)s %(mesage)s");
    assert!(report.contains("no field `mesage`, but `message`"), "{report}");
    assert!(report.ends_with("| GNAR_LOG_FORMAT=%(asctime)s %(message)s"), "{report}");
    for (format, part) in [
        ("%(message)d", "`message` is text and no number"),
        ("%(color)s %(message)s", "there are asctime, created,"),
        ("%(message)", "is not complete"),
        ("%(message)s %s", "names no field"),
        ("%(message)s 100%", "is not complete"),
        ("jsno", "did you mean `json`?"),
        ("{message}", "expected `auto`, `human`, `json` or `%(message)s`"),
    ] {
        let report = refused(format);
        assert!(report.contains(part), "{format}: {report}");
    }
    for format in ["%s", "%d.%03d", "%(asctime)s.%03d", "%s.%03d.%d", "100%"] {
        let why = MsecFormat::parse(&json!(format)).expect_err("no format");
        assert!(why.ends_with("write `%s.%03d`"), "{format}: {why}");
    }
}

#[test]
fn gnars_variables_work_unchanged() {
    let vars = [("GNAR_LOG_FORMAT", PythonFormat::GNAR), ("GNAR_LOG_FORMAT_MSEC", "%s,%03d")];
    let (config, _) = Config::loader("GNAR").env(vars).load(&[&SECTION]);
    assert!(config.check(&[&SECTION], &[&SECTION]).is_empty());
    let settings: LogSettings = config.read("log", &mut Problems::new());
    let written = lines(LogLevel::Info, Style::Human, |rules| {
        configure(rules, &settings);
        info!(target: "gear::gnar_app", "Logging at INFO");
    });
    let (time, rest) = written[0].split_at(23);
    assert!(time.as_bytes()[19] == b',', "{time}");
    assert!(rest.starts_with(" INFO     gear.gnar_app:"), "{rest}");
    assert!(rest.ends_with("   Logging at INFO\n"), "{rest}");
}

#[test]
fn the_milliseconds_of_the_human_form_are_as_the_settings_say() {
    let msec = MsecFormat::new("").expect("nothing is a format");
    let settings =
        LogSettings { format: LogFormat::Human, format_msec: msec, ..LogSettings::default() };
    let written = lines(LogLevel::Info, Style::Json, |rules| {
        configure(rules, &settings);
        info!(a = 1, "hi");
    });
    assert_eq!(&written[0][19..25], " INFO ");
    assert!(written[0].ends_with("   hi a=1\n"), "{written:?}");
}

#[test]
fn one_logger_is_quieted_and_another_opened() {
    let written = lines(LogLevel::Info, Style::Human, |rules| {
        rules.set_levels(LogLevels::parse(&json!("a=ERROR,a.b=DEBUG,hyper=INFO")).expect("levels"));
        info!(target: "a::x", "1");
        debug!(target: "a::b::c", "2");
        trace!(target: "a::b", "3");
        info!(target: "hyper::proto", "4");
        info!(target: "tokio::task", "5");
        debug!(target: "c", "6");
        info!(target: "c", "7");
    });
    let said: String = written.iter().filter_map(|line| line.trim().chars().last()).collect();
    assert_eq!(said, "247");
}

#[test]
fn a_long_line_is_cut_at_64_kib_with_a_mark_and_stays_json() {
    let long = ["é\"\n🦀".repeat(40_000), "x".repeat(1 << 20), "\u{1}".repeat(1 << 17)];
    for text in &long {
        for style in [Style::Human, Style::Coloured, Style::Json] {
            let line = fixed(style, Some("r-1"), || {
                info!(text, other = ?text, number = 7, list = ?vec![text], "Says {text}");
            });
            assert!(line.len() <= LONGEST_BYTES, "{style:?}: {}", line.len());
            assert!(line.contains("…[cut]") && line.contains("r-1") && line.ends_with('\n'));
            if style == Style::Json {
                let value: Value = serde_json::from_str(&line).expect("a cut line is JSON");
                assert!(value["message"].as_str().is_some_and(|said| said.ends_with("…[cut]")));
                assert_eq!((&value["number"], &value["line_cut"]), (&json!(7), &Value::Null));
            }
        }
        let lines = in_python("%(message)s %(message)s %(levelname)s", || info!(text, "{text}"));
        assert!(lines[0].len() <= LONGEST_BYTES && lines[0].contains("…[cut]"));
    }
}

#[test]
fn a_long_field_leaves_room_for_the_others() {
    let long = "x".repeat(1 << 20);
    let value = json(|| info!(long, status = 200, "hi"));
    assert!(value["long"].as_str().is_some_and(|text| text.ends_with("x…[cut]")));
    assert_eq!((&value["status"], &value["line_cut"]), (&json!(200), &Value::Null));
}

#[test]
fn fields_without_room_are_left_out_and_the_line_says_so() {
    let long = "x".repeat(1 << 17);
    let l = long.as_str();
    let line = fixed(Style::Json, Some("r-1"), || {
        info!(
            a = l,
            b = l,
            c = l,
            d = l,
            e = l,
            f = l,
            g = l,
            h = l,
            i = l,
            j = l,
            k = l,
            m = l,
            "hi"
        );
    });
    let value: Value = serde_json::from_str(&line).expect("a cut line is JSON");
    assert!(line.len() <= LONGEST_BYTES && value["a"].is_string());
    assert_eq!((&value["line_cut"], &value["request_id"]), (&json!(true), &json!("r-1")));
    assert_eq!(value["m"], Value::Null);
}

#[test]
fn a_secret_is_hidden_by_its_type() {
    let secret = secrecy::SecretString::from("hunter22");
    let value = json(|| info!(?secret, wrapped = ?Some(&secret), "Has {secret:?}"));
    assert!(!value.to_string().contains("hunter22"), "{value}");
    assert!(value["message"].as_str().is_some_and(|said| said.contains("[REDACTED]")), "{value}");
    assert!(value["wrapped"].as_str().is_some_and(|said| said.contains("[REDACTED]")), "{value}");
}

#[test]
fn headers_and_tokens_are_masked_in_messages_and_fields() {
    let mut headers = ::http::HeaderMap::new();
    headers.insert("authorization", "Bearer hunter22".parse().expect("a header's value"));
    headers.insert("host", "example.org".parse().expect("a header's value"));
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJpZGVudGl0eSI6MX0.hunter22";
    let work = || info!(?headers, given = token, "Sent Basic aHVudGVyMjI= and {token}");
    for line in [json(work).to_string(), human(work)] {
        let secrets = ["hunter22", "aHVudGVyMjI", "eyJ"];
        assert!(!secrets.iter().any(|secret| line.contains(secret)), "{line}");
        assert!(line.contains("example.org") && line.contains("Sent Basic *** and ***"), "{line}");
    }
}

#[test]
fn a_secret_that_is_known_is_hidden_wherever_it_stands() {
    remember_secret(&secrecy::SecretString::from("known to the log"));
    let work = || info!(note = "it is known to the log!", list = ?["known to the log"], "known to the log");
    for line in [json(work).to_string(), human(work)] {
        assert!(!line.contains("known") && line.contains("it is ***!"), "{line}");
    }
}

#[test]
fn a_secret_where_a_long_text_is_cut_is_not_half_seen() {
    remember_secret(&secrecy::SecretString::from("0123456789-0123456789"));
    for length in (LONGEST_BYTES - 512..LONGEST_BYTES + 4608).step_by(19) {
        let text = "x".repeat(length) + "0123456789-0123456789" + &"y".repeat(9000);
        let line = fixed(Style::Human, None, || info!("{text}"));
        assert!(!line.contains("x0"), "{length}");
    }
}

/// What a line costs: `cargo test --release -p piton --lib -- --ignored --nocapture a_line_costs`.
#[test]
#[ignore = "a measurement, for an optimized build"]
fn a_line_costs_less_than_ten_microseconds() {
    const LINES: u32 = 200_000;
    let forms = [("human", Style::Human), ("json", Style::Json), ("with a secret", Style::Json)];
    for (name, style) in forms {
        if name == "with a secret" {
            remember_secret(&secrecy::SecretString::from("0123456789abcdef"));
        }
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

/// What Python's own `logging` made of the same formats: see `python/record.py`.
#[test]
fn a_format_of_pythons_makes_the_line_that_python_makes() {
    let recorded: Vec<Value> =
        serde_json::from_str(include_str!("python/recorded.json")).expect("the script wrote JSON");
    assert!(recorded.len() > 80);
    let around = Around {
        function: "run",
        process: 4711,
        thread: 1,
        thread_name: "MainThread".into(),
        task_name: "None".into(),
        began: 1_531_150_900.0,
    };
    for case in recorded {
        let text = |key: &str| case[key].as_str().expect("the script wrote text").to_owned();
        let format = PythonFormat::new(&text("format")).expect("Python took it");
        let msec = MsecFormat::new(&text("msec")).expect("Python took it");
        let millis = case["millis"].as_u64().expect("the script wrote a number");
        let nanos = u32::try_from(millis * 1_000_000).expect("below a second");
        let time = Utc.timestamp_opt(1_531_150_906, nanos).single().expect("a time");
        let written =
            record(&text("level"), &format, &msec, &around, Moment::of(&time), &text("message"));
        assert_eq!(written, text("output") + "\n", "{case}");
    }
}

#[test]
fn the_recorded_lines_are_those_that_the_script_records() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/logging/python");
    let Ok(output) = Command::new("python3").arg("record.py").current_dir(folder).output() else {
        eprintln!("not compared: there is no python3 here");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        output.stdout == include_bytes!("python/recorded.json"),
        "run `python3 record.py > recorded.json` in {folder}"
    );
}

/// The line of an event of Gnar Gear's at a level.
fn record(
    level: &str,
    format: &PythonFormat,
    msec: &MsecFormat,
    around: &Around,
    moment: Moment,
    message: &str,
) -> String {
    struct Place;
    impl Callsite for Place {
        fn set_interest(&self, _: Interest) {}
        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("nobody asks this place")
        }
    }
    let level = match level {
        "TRACE" => Level::TRACE,
        "DEBUG" => Level::DEBUG,
        "INFO" => Level::INFO,
        "WARNING" => Level::WARN,
        _ => Level::ERROR,
    };
    let file = Some("/srv/gear/gnar_app.rs");
    let fields = FieldSet::new(&["message"], tracing::callsite::Identifier(&Place));
    let target = "gear::gnar_app";
    let metadata = Metadata::new("event", target, level, file, Some(75), None, fields, Kind::EVENT);
    let mut line = String::new();
    let record = Record { moment, metadata: &metadata, message, fields: "", around, msec };
    format.write(&mut line, &record);
    line + "\n"
}

/// Runs an app whose lines are collected, on this thread only.
fn lines_of(level: LogLevel, app: App, work: impl AsyncFnOnce(&TestApp)) -> Vec<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a test may make a runtime");
    let lines = lines(level, Style::Json, |_| {
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

/// A part with a secret in its settings.
#[derive(Clone)]
struct Vault(secrecy::SecretString);

#[derive(Settings, Default)]
struct VaultSettings {
    /// What opens it.
    key: secrecy::SecretString,
}

impl crate::part::Part for Vault {
    const NAME: &'static str = "test-vault";
    type Settings = VaultSettings;

    async fn start(
        settings: VaultSettings,
        _: &crate::part::Launch,
    ) -> Result<Self, crate::part::Error> {
        Ok(Self(settings.key))
    }
}

crate::part!(Vault);

#[test]
fn a_secret_setting_stands_neither_in_the_log_nor_in_the_problem() {
    async fn fails(vault: Vault) -> crate::Result<&'static str> {
        let key = vault.0.expose_secret().to_owned();
        warn!(note = key, "The key is {key}, sent to http://vault/?key={key}");
        Err(crate::Error::internal(format!("the vault refused `{key}`: {:?}", [&key])))
    }
    let app = App::new("secrets")
        .blueprints(["none"])
        .set("test-vault.key", "open sesame, please")
        .route(get("/fails", fails));
    let lines = lines_of(LogLevel::Trace, app, async |app| {
        let answer = app.get("/fails").await;
        assert_eq!(answer.status(), 500);
        assert!(answer.text().contains("the vault refused `***`"), "{}", answer.text());
        assert!(!answer.text().contains("sesame"), "{}", answer.text());
    });
    let all: String = lines.iter().map(Value::to_string).collect();
    assert!(!all.contains("sesame"), "{all}");
    assert_eq!(said(&lines, "The key is ***, sent to http://vault/?key=***").len(), 1, "{all}");
    let failure = "GET /fails failed: the vault refused `***`: [\"***\"]";
    assert_eq!(said(&lines, failure).len(), 1, "{all}");
}

#[test]
fn a_slow_request_has_a_line_though_only_failures_are_logged() {
    async fn slow() -> &'static str {
        tokio::time::sleep(Duration::from_millis(5)).await;
        "done"
    }
    async fn fast() -> &'static str {
        "done"
    }
    let app = |slow_from: &str| {
        App::new("slow")
            .blueprints(["none"])
            .set("log.requests", "failures")
            .set("log.slow", slow_from)
            .route(get("/slow", slow))
            .route(get("/fast", fast))
    };
    let ask = async |app: &TestApp| {
        app.get("/slow").await;
        app.get("/fast").await;
    };
    let lines = lines_of(LogLevel::Info, app("5ms"), ask);
    let slow = said(&lines, "GET /slow 200");
    assert_eq!(slow.len(), 1, "{lines:?}");
    assert_eq!((&slow[0]["slow"], &slow[0]["level"]), (&json!(true), &json!("WARNING")));
    let lines = lines_of(LogLevel::Info, app("0s"), ask);
    assert!(said(&lines, "GET /slow 200").is_empty(), "{lines:?}");
}

#[test]
fn probes_are_logged_only_if_they_fail_or_a_fault_is_looked_for() {
    async fn broken() -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }
    let app = || {
        App::new("probes")
            .blueprints(["none"])
            .set("log.requests", "all")
            .route(get("/metrics", broken))
            .route(get("/other", async || "other"))
    };
    let ask = async |app: &TestApp| {
        for path in ["/livez", "/readyz", "/metrics", "/other"] {
            app.get(path).await;
        }
    };
    let paths = |level| {
        let lines = lines_of(level, app(), ask);
        let messages = lines.iter().filter_map(|line| line["message"].as_str());
        messages.filter(|message| message.starts_with("GET ")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(paths(LogLevel::Info), "GET /metrics 503, GET /other 200");
    assert_eq!(
        paths(LogLevel::Debug),
        "GET /livez 200, GET /readyz 200, GET /metrics 503, GET /other 200"
    );
}
