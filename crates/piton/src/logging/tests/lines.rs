//! Lines for people and as JSON.

use super::*;

#[test]
fn a_human_line_has_the_format_of_gnar_gear() {
    let line =
        fixed(LineStyle::Human, None, || info!(target: "gear::gnar_app", "Logging at {}", "INFO"));
    let number = line!() - 1;
    let expected =
        format!("2018-07-09 15:41:46.420 INFO     gear.gnar_app:{number}   Logging at INFO\n");
    assert_eq!(line, expected);
}

#[test]
fn the_level_is_padded_to_eight_and_has_pythons_name() {
    let line = fixed(LineStyle::Human, None, || warn!(target: "a", "b"));
    assert!(line.contains(" WARNING  a:"), "{line}");
    let line = fixed(LineStyle::Human, None, || error!(target: "a", "b"));
    assert!(line.contains(" ERROR    a:"), "{line}");
}

#[test]
fn fields_follow_the_message_and_the_request_id_comes_last() {
    let line = fixed(LineStyle::Human, Some("r-1"), || {
        info!(path = "/x y", status = 200, ok = true, ratio = 0.5, who = ?Some(1), "Answered");
    });
    let expected =
        "   Answered path=\"/x y\" status=200 ok=true ratio=0.5 who=Some(1) request_id=r-1\n";
    assert!(line.ends_with(expected), "{line}");
}

#[test]
fn a_json_line_has_time_level_logger_line_message_fields_and_request_id() {
    let line = fixed(LineStyle::Json, Some("r-1"), || {
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
fn a_field_named_request_id_is_kept_only_outside_a_request() {
    assert_eq!(json(|| info!(request_id = "own", "hi"))["request_id"], "own");
    let line = fixed(LineStyle::Json, Some("r-1"), || info!(request_id = "own", "hi"));
    let value: Value = serde_json::from_str(&line).expect("the line is JSON");
    assert_eq!((&value["request_id"], &value["field_request_id"]), (&json!("r-1"), &json!("own")));
}

#[test]
fn an_event_without_a_message_has_an_empty_one() {
    assert_eq!(json(|| info!(a = 1))["message"], "");
    assert!(fixed(LineStyle::Human, None, || info!(a = 1)).ends_with("    a=1\n"));
}

#[test]
fn dotted_and_raw_names_stay_what_they_are() {
    let value = json(|| info!(task.name = "x", r#type = "y", "hi"));
    assert_eq!((&value["task.name"], &value["type"]), (&json!("x"), &json!("y")));
}

#[test]
fn a_value_cannot_forge_a_line() {
    let work = || info!(path = "/\n2018-07-09 forged", "first\nsecond");
    let lines = lines(LogLevel::Info, LineStyle::Human, |_| work());
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
fn an_error_is_logged_with_its_causes() {
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
fn a_field_whose_debug_logs_does_not_deadlock() {
    struct Talks;
    impl fmt::Display for Talks {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!("inside");
            f.write_str("done")
        }
    }
    let lines = lines(LogLevel::Info, LineStyle::Human, |_| info!(talks = %Talks, "outside"));
    // `tracing` does not pass on events from within an event.
    let last = lines.last().expect("the outer line is written");
    assert!(last.ends_with("outside talks=done\n"), "{lines:?}");
}

#[test]
fn colours_wrap_the_fixed_part_and_nothing_else_changes() {
    let work = || info!(target: "a", b = 1, "hi");
    let coloured = fixed(LineStyle::Coloured, None, work);
    assert!(coloured.contains("\u{1b}[32mINFO    \u{1b}[0m"), "{coloured:?}");
    let mut plain = coloured;
    for code in ["\u{1b}[2m", "\u{1b}[32m", "\u{1b}[0m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, fixed(LineStyle::Human, None, work));
}

#[test]
fn lines_of_several_threads_do_not_mix() {
    let lines = lines(LogLevel::Info, LineStyle::Json, |_| {
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

/// Measures the cost of a line: `cargo test --release -p piton --lib -- --ignored --nocapture a_line_costs`.
#[test]
#[ignore = "a measurement, for an optimized build"]
fn a_line_costs_less_than_ten_microseconds() {
    const LINES: u32 = 200_000;
    let forms = [
        ("human", LineStyle::Human),
        ("json", LineStyle::Json),
        ("with a secret", LineStyle::Json),
    ];
    for (name, style) in forms {
        if name == "with a secret" {
            remember_secret(&secrecy::SecretString::from("0123456789abcdef"));
        }
        let rules: &'static LogRules = Box::leak(Box::new(LogRules::new()));
        rules.set_style(style);
        let layer = LineLayer::new(rules, |line: &str| {
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
