//! The header `Retry-After` (RFC 9110, section 10.2.3).

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, header};

/// Returns the time to wait. The header is a number of seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some((at.to_utc() - Utc::now()).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, text.parse().expect("a header"));
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_time() {
        assert_eq!(after("3"), Some(Duration::from_secs(3)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = (Utc::now() + Duration::from_secs(100)).format("%a, %d %b %Y %H:%M:%S GMT");
        let wait = after(&soon.to_string()).expect("a time");
        assert!(wait > Duration::from_secs(90) && wait <= Duration::from_secs(100), "{wait:?}");
        assert_eq!((after("soon"), after("-1")), (None, None));
    }
}
