//! The endpoint `/log-level`: shows, overrides and resets the log level.

use std::time::Duration;

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::answer;
use super::guard::is_local;
use crate::config::Setting;
use crate::http::{Error, FieldError, Result};
use crate::logging::{self, LogLevel};

/// The body of a change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    level: serde_json::Value,
    /// Duration of the override. Default: `log.revert_after`.
    #[serde(default)]
    r#for: Option<serde_json::Value>,
}

pub(super) async fn show() -> Response {
    answer(StatusCode::OK, &logging::level_state())
}

/// Overrides the level. Parses the body without `Json`, so that `curl -d` works without a `Content-Type`.
/// media type.
pub(super) async fn set(headers: HeaderMap, body: Bytes) -> Result<Response> {
    only_from_here(&headers)?;
    let (level, how_long) = wanted(&body)?;
    Ok(answer(StatusCode::OK, &logging::set_level_for(level, how_long)))
}

pub(super) async fn revert(headers: HeaderMap) -> Result<Response> {
    only_from_here(&headers)?;
    Ok(answer(StatusCode::OK, &logging::revert_level()).into_response())
}

/// Rejects a change from another machine. Reading needs the admin address only.
fn only_from_here(headers: &HeaderMap) -> Result<()> {
    if is_local(headers) {
        return Ok(());
    }
    Err(Error::forbidden("only from this machine: run it there, or by `kubectl port-forward`"))
}

fn wanted(body: &[u8]) -> Result<(LogLevel, Duration)> {
    const EXAMPLE: &str = r#"send `{"level":"DEBUG","for":"10m"}`"#;
    let wanted: Wanted = serde_json::from_slice(body).map_err(|_| Error::unprocessable(EXAMPLE))?;
    let refused = |pointer: &str, why: String| {
        Error::unprocessable(EXAMPLE).field_error(FieldError::at(pointer, why))
    };
    let level = LogLevel::parse(&wanted.level).map_err(|why| refused("/level", why))?;
    let how_long = match &wanted.r#for {
        Some(text) => Duration::parse(text).map_err(|why| refused("/for", why))?,
        None => logging::revert_after(),
    };
    if how_long.is_zero() {
        return Err(refused("/for", "longer than nothing".into()));
    }
    Ok((level, how_long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_and_a_time_are_read_and_wrong_ones_refused_with_their_place() {
        let read = wanted(br#"{"level":"debug","for":"10m"}"#).unwrap();
        assert_eq!(read, (LogLevel::Debug, Duration::from_secs(600)));
        assert!(wanted(br#"{"level":"10"}"#).is_ok());
        for (body, place) in [
            (r#"{"level":"loud"}"#, Some("#/level")),
            (r#"{"level":"DEBUG","for":10}"#, Some("#/for")),
            (r#"{"level":"DEBUG","for":"0s"}"#, Some("#/for")),
            ("DEBUG", None),
            (r#"{"level":"DEBUG","until":"x"}"#, None),
        ] {
            let error = wanted(body.as_bytes()).unwrap_err();
            let fault = error.field_errors().first().and_then(|fault| fault.pointer.as_deref());
            assert_eq!(fault, place, "{body}");
        }
    }
}
