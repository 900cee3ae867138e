//! The levels that decide about events, and the settings of the log.

use super::*;

#[test]
fn below_the_level_nothing_is_written() {
    let all = |_: &'static LogRules| {
        trace!("a");
        debug!("b");
        info!("c");
        warn!("d");
        error!("e");
    };
    let levels =
        [LogLevel::Error, LogLevel::Warning, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    for (index, level) in levels.into_iter().enumerate() {
        assert_eq!(lines(level, LineStyle::Human, all).len(), index + 1, "{level}");
    }
}

#[test]
fn the_level_changes_while_the_service_runs() {
    let lines = lines(LogLevel::Info, LineStyle::Human, |rules| {
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
fn libraries_log_warnings_only_unless_the_level_is_debug() {
    let all = |_: &'static LogRules| {
        info!(target: "hyper::proto", "a");
        warn!(target: "sqlx::query", "b");
        info!(target: "hyperspace", "c");
        info!(target: "piton::http", "d");
    };
    assert_eq!(lines(LogLevel::Info, LineStyle::Human, all).len(), 3);
    assert_eq!(lines(LogLevel::Debug, LineStyle::Human, all).len(), 4);
    assert_eq!(lines(LogLevel::Error, LineStyle::Human, all).len(), 0);
}

#[test]
fn a_client_cannot_write_the_log_by_the_warnings_of_a_library() {
    let all = || {
        warn!(target: "h2::proto::ping_pong", "recv PING ack that we never sent");
        warn!(target: "h2::proto::streams::recv", "remotely-reset streams reached limit");
        warn!(target: "hyper::proto::h2", "Connection header illegal in HTTP/2");
        error!(target: "h2::codec", "a fault of the library");
        warn!(target: "h2o", "another library, or the service");
    };
    assert_eq!(lines(LogLevel::Info, LineStyle::Human, |_| all()).len(), 2);
    assert_eq!(lines(LogLevel::Warning, LineStyle::Human, |_| all()).len(), 2);
    assert_eq!(lines(LogLevel::Debug, LineStyle::Human, |_| all()).len(), 5);
    let named = lines(LogLevel::Info, LineStyle::Human, |rules| {
        rules.set_levels(LogLevels::parse(&json!("h2=WARNING")).expect("levels"));
        all();
    });
    assert_eq!(named.len(), 4);
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

#[test]
fn single_loggers_have_levels_of_their_own() {
    let written = lines(LogLevel::Info, LineStyle::Human, |rules| {
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
