//! Formats of Python's `logging`, compared with lines that Python made.

use super::super::process_log::configure;
use super::*;

#[test]
fn in_a_custom_format_the_fields_follow_the_message() {
    let work = || info!(status = 200, path = "/x y", "Answered");
    let line = in_python("%(message)s [%(levelname)s]", work).concat();
    assert_eq!(line, "Answered status=200 path=\"/x y\" [INFO]\n");
    let line = in_python("%(levelname)-8s|", work).concat();
    assert_eq!(line, "INFO    | status=200 path=\"/x y\"\n");
    let line = in_python("%(message).3s %(message)s.", work).concat();
    assert_eq!(line, "Ans Answered status=200 path=\"/x y\".\n");
}

#[test]
fn a_message_cannot_break_a_custom_format() {
    let lines = in_python("%(message)s|%(threadName)s", || info!("a\nb %(x)s\u{1b}[2J {}", "c"));
    assert!(lines[0].starts_with("a\n    b %(x)s\\u{1b}[2J c|"), "{lines:?}");
}

#[test]
fn all_attributes_of_a_python_record_are_supported() {
    let format = "%(name)s %(module)s %(filename)s %(process)d %(threadName)s %(taskName)s %(funcName)s %(message)s";
    let lines = in_python(format, || {
        info!("outside");
        tracing::info_span!("answer").in_scope(|| info!("inside"));
    });
    let thread = std::thread::current().name().expect("a test has a name").to_owned();
    let start = format!(
        "piton.logging.tests.python_formats python_formats python_formats.rs {} {thread} None",
        std::process::id()
    );
    assert_eq!(lines[0], format!("{start} (unknown function) outside\n"));
    assert_eq!(lines[1], format!("{start} answer inside\n"));
}

#[test]
fn a_format_that_python_would_refuse_is_refused_with_a_correction() {
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
    assert!(
        report.contains("unknown field `mesage`: did you mean `%(asctime)s %(message)s`?"),
        "{report}"
    );
    assert!(report.ends_with("| GNAR_LOG_FORMAT=%(asctime)s %(message)s"), "{report}");
    for (format, part) in [
        ("%(message)d", "`message` is text, not a number"),
        ("%(color)s %(message)s", "expected one of asctime, created,"),
        ("%(message)", "is not complete"),
        ("%(message)s %s", "without a field"),
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
    let written = lines(LogLevel::Info, LineStyle::Human, |rules| {
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
    let written = lines(LogLevel::Info, LineStyle::Json, |rules| {
        configure(rules, &settings);
        info!(a = 1, "hi");
    });
    assert_eq!(&written[0][19..25], " INFO ");
    assert!(written[0].ends_with("   hi a=1\n"), "{written:?}");
}

/// Compares with the lines that Python's own `logging` made: see `python/record.py`.
#[test]
fn python_formats_produce_the_lines_that_python_recorded() {
    let recorded: Vec<Value> = serde_json::from_str(include_str!("../python/recorded.json"))
        .expect("the script wrote JSON");
    assert!(recorded.len() > 80);
    let context = RecordContext {
        function: "run",
        process: 4711,
        thread: 1,
        thread_name: "MainThread".into(),
        task_name: "None".into(),
        started_at: 1_531_150_900.0,
    };
    for case in recorded {
        let text = |key: &str| case[key].as_str().expect("the script wrote text").to_owned();
        let format = PythonFormat::new(&text("format")).expect("Python took it");
        let msec = MsecFormat::new(&text("msec")).expect("Python took it");
        let millis = case["millis"].as_u64().expect("the script wrote a number");
        let nanos = u32::try_from(millis * 1_000_000).expect("below a second");
        let time = Utc.timestamp_opt(1_531_150_906, nanos).single().expect("a time");
        let written =
            record(&text("level"), &format, &msec, &context, LogTime::of(&time), &text("message"));
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
        output.stdout == include_bytes!("../python/recorded.json"),
        "run `python3 record.py > recorded.json` in {folder}"
    );
}

/// The line of an event of Gnar Gear's at a level.
fn record(
    level: &str,
    format: &PythonFormat,
    msec: &MsecFormat,
    context: &RecordContext,
    moment: LogTime,
    message: &str,
) -> String {
    struct TestCallsite;
    impl Callsite for TestCallsite {
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
    let fields = FieldSet::new(&["message"], tracing::callsite::Identifier(&TestCallsite));
    let target = "gear::gnar_app";
    let metadata = Metadata::new("event", target, level, file, Some(75), None, fields, Kind::EVENT);
    let mut line = String::new();
    let record = PythonRecord { moment, metadata: &metadata, message, fields: "", context, msec };
    format.write(&mut line, &record);
    line + "\n"
}
