//! W3C Trace Context: the header `traceparent`, by which a request is followed across services, and
//! `tracestate`, the vendor-specific data of a trace.
//!
//! <https://www.w3.org/TR/trace-context/>. Nothing is recorded or exported here: the ids are logged, and
//! forwarded with outbound calls.
//! log's lines and go on to whom the service calls.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::request_id::RequestId;

/// The header.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The header `tracestate`.
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Maximum length of a forwarded `tracestate` in bytes: the minimum that the recommendation asks for.
const MAX_STATE_BYTES: usize = 512;

/// The trace flags that are passed on: sampled, and random (level 2 of the recommendation).
const KNOWN_FLAGS: u8 = 0b11;

/// Maximum number of members in a `tracestate`.
const MAX_MEMBERS: usize = 32;

/// Returns the `tracestate`, its lines joined to one. `None` if it is empty, too long or not valid: the
/// recommendation has the whole of an invalid one dropped.
pub(crate) fn trace_state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(TRACESTATE).iter().filter(|line| !line.is_empty());
    let first = lines.next()?;
    if first.len() > MAX_STATE_BYTES {
        return None;
    }
    let mut joined: Option<Vec<u8>> = None;
    for line in lines {
        let joined = joined.get_or_insert_with(|| first.as_bytes().to_vec());
        joined.push(b',');
        joined.extend_from_slice(line.as_bytes());
        if joined.len() > MAX_STATE_BYTES {
            return None;
        }
    }
    let state = match joined {
        Some(joined) => HeaderValue::from_bytes(&joined).ok()?,
        None => first.clone(),
    };
    is_state(state.as_bytes()).then_some(state)
}

/// Returns whether a `tracestate` is valid (<https://www.w3.org/TR/trace-context/#tracestate-header>):
/// every member is `key=value`, no key stands twice, and there are from 1 to 32. Empty members are
/// allowed.
fn is_state(state: &[u8]) -> bool {
    let mut keys: [&[u8]; MAX_MEMBERS] = [&[]; MAX_MEMBERS];
    let mut count = 0;
    for member in state.split(|byte| *byte == b',').map(trim_blanks) {
        if member.is_empty() {
            continue;
        }
        let Some(sign) = member.iter().position(|byte| *byte == b'=') else { return false };
        let (key, value) = (&member[..sign], &member[sign + 1..]);
        if count == MAX_MEMBERS || !is_key(key) || !is_value(value) || keys[..count].contains(&key)
        {
            return false;
        }
        keys[count] = key;
        count += 1;
    }
    count > 0
}

fn trim_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

fn is_key(key: &[u8]) -> bool {
    let starts = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    key.len() <= 256
        && key.first().is_some_and(starts)
        && key.iter().all(|byte| starts(byte) || b"_-*/@".contains(byte))
}

fn is_value(value: &[u8]) -> bool {
    // Blanks at the end have been cut, and `,` ends a member.
    let plain = |byte: &u8| (b' '..=b'~').contains(byte) && *byte != b'=';
    (1..=256).contains(&value.len()) && value.iter().all(plain)
}

/// The trace that a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

impl TraceContext {
    /// Reads the `traceparent` header. `None` also if there are two, because it is not known which
    /// one is valid; the recommendation then requires a new trace.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(TRACEPARENT).iter();
        let line = lines.next()?;
        if lines.next().is_some() { None } else { Self::parse(line.as_bytes()) }
    }

    /// Reads the header's value. `None` if it is not one that the recommendation lets pass: then the
    /// trace begins anew.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?.trim();
        let mut parts = text.split('-');
        let version = hex(parts.next()?, 2)?;
        let trace_id = hex(parts.next()?, 32)?;
        let parent_id = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = u8::try_from(hex(parts.next()?, 2)?).ok()?;
        // Later versions may add parts; this one has four.
        let more = parts.next().is_some();
        let valid = version != 0xff && trace_id != 0 && parent_id != 0 && (version > 0 || !more);
        // The trace is passed on as version 00, in which all other flags are zero.
        valid.then_some(Self { trace_id, parent_id, flags: flags & KNOWN_FLAGS })
    }

    /// A trace that begins with a request: its id is the request's, where that has the form of one.
    pub(crate) fn of_request(id: &RequestId) -> Self {
        let trace_id = hex(id.as_str(), 32).filter(|id| *id != 0);
        let trace_id = trace_id.unwrap_or_else(|| fastrand::u128(1..));
        Self { trace_id, parent_id: fastrand::u64(1..), flags: 0 }
    }

    /// Returns the trace's id: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// Returns the caller's span: 16 hexadecimal digits.
    #[must_use]
    pub fn parent_id(&self) -> String {
        format!("{:016x}", self.parent_id)
    }

    /// Returns whether the caller records the trace.
    #[must_use]
    pub fn sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// Returns the same trace with a new span, to send to the services that this one calls.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { parent_id: fastrand::u64(1..), ..*self }
    }
}

/// The header's value.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

/// Lower-case hexadecimal digits, exactly that many.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != digits || !text.bytes().all(lower) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_read_is_written_again() {
        let trace = TraceContext::parse(GIVEN.as_bytes()).unwrap();
        assert_eq!(trace.to_string(), GIVEN);
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(trace.sampled());
        let child = trace.child();
        assert!(child.trace_id() == trace.trace_id() && child.parent_id() != trace.parent_id());
    }

    #[test]
    fn what_the_recommendation_forbids_begins_a_new_trace() {
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(wrong.as_bytes()), None, "{wrong}");
        }
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(TraceContext::parse(later.as_bytes()).is_some());
        let glued = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more";
        assert!(TraceContext::parse(glued.as_bytes()).is_none());
    }

    #[test]
    fn flags_that_are_not_known_are_not_passed_on() {
        for (version, given, passed) in [
            ("00", "ff", "03"),
            ("00", "fd", "01"),
            ("00", "02", "02"),
            ("00", "80", "00"),
            ("cc", "ff", "03"),
        ] {
            let head = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
            let trace =
                TraceContext::parse(format!("{version}-{head}-{given}").as_bytes()).unwrap();
            assert_eq!(trace.to_string(), format!("00-{head}-{passed}"), "{given}");
            assert!(trace.child().to_string().ends_with(passed));
        }
    }

    #[test]
    fn two_parents_begin_a_new_trace() {
        let mut headers = HeaderMap::new();
        assert_eq!(TraceContext::of_headers(&headers), None);
        headers.append(TRACEPARENT, GIVEN.parse().unwrap());
        assert!(TraceContext::of_headers(&headers).is_some());
        headers.append(TRACEPARENT, GIVEN.parse().unwrap());
        assert_eq!(TraceContext::of_headers(&headers), None);
        let joined = format!("{GIVEN},{GIVEN}");
        headers.insert(TRACEPARENT, joined.parse().unwrap());
        assert_eq!(TraceContext::of_headers(&headers), None);
    }

    #[test]
    fn a_state_is_joined_and_has_a_bound() {
        let state = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(TRACESTATE, line.parse().unwrap());
            }
            trace_state(&headers).map(|state| state.to_str().unwrap().to_owned())
        };
        assert_eq!(state(&["a=1,b=2"]).unwrap(), "a=1,b=2");
        assert_eq!(state(&["a=1", "", "b=2"]).unwrap(), "a=1,b=2");
        assert_eq!((state(&[]), state(&[""])), (None, None));
        let half = format!("a={}", "x".repeat(254));
        let other = format!("b={}", "x".repeat(253));
        assert_eq!(state(&[&half, &other]).unwrap().len(), 512);
        assert_eq!(state(&[&half, &format!("{other}x")]), None);
        assert_eq!(state(&[&half.repeat(3)]), None);
    }

    #[test]
    fn a_state_that_is_not_valid_is_dropped_as_a_whole() {
        let state = |text: &str| is_state(text.as_bytes());
        let members = |count: usize| {
            let all: Vec<_> = (0..count).map(|it| format!("k{it}=1")).collect();
            all.join(",")
        };
        for good in [
            "a=1",
            "a=1, b=2 ,\tc=3",
            "a=1,,b=2,",
            "tenant@system=1",
            "0a_-*/=v v",
            "a= 1",
            &members(32),
        ] {
            assert!(state(good), "{good}");
        }
        for wrong in [
            "",
            ",",
            "a",
            "a=",
            "=1",
            "a=1,b",
            "A=1",
            "a =1",
            "a=1=2",
            "a=1,a=2",
            "a=1,b=2, a=1",
            "_a=1",
            "a.b=1",
            "a=\u{e9}",
            "a=1\t2",
            &format!("a={}", "x".repeat(257)),
            &format!("{}=1", "x".repeat(257)),
            &members(33),
        ] {
            assert!(!state(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_trace_of_its_own_has_the_requests_id() {
        let id = RequestId::new();
        assert_eq!(TraceContext::of_request(&id).trace_id(), id.as_str());
        let named = RequestId::from_proxy(b"by-a-proxy").unwrap();
        assert_eq!(TraceContext::of_request(&named).trace_id().len(), 32);
    }
}
