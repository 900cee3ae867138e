//! What the worker answers, so that ASHIRT records what is meant.

use std::borrow::Cow;

use serde::Serialize;

use crate::ashirt::storable;

/// What came of a piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerResponse {
    /// This is in it: ASHIRT shows the text below the evidence, and finds it.
    Processed(String),
    /// Nothing can be said of such evidence, and why. Trying again would not help.
    Rejected(Cow<'static, str>),
    /// The text follows later, by the metadata of the evidence. Whoever answers this has to see to it.
    Deferred,
    /// It went wrong, and how. Trying again may help.
    Error(Cow<'static, str>),
}

/// How an [`WorkerResponse`] is called, for the log and the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResponseKind {
    /// See [`WorkerResponse::Processed`].
    Processed,
    /// See [`WorkerResponse::Rejected`].
    Rejected,
    /// See [`WorkerResponse::Deferred`].
    Deferred,
    /// See [`WorkerResponse::Error`].
    Error,
}

impl ResponseKind {
    /// As ASHIRT spells it: `processed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processed => "processed",
            Self::Rejected => "rejected",
            Self::Deferred => "deferred",
            Self::Error => "error",
        }
    }
}

impl WorkerResponse {
    /// How it is called.
    #[must_use]
    pub const fn outcome(&self) -> ResponseKind {
        match self {
            Self::Processed(_) => ResponseKind::Processed,
            Self::Rejected(_) => ResponseKind::Rejected,
            Self::Deferred => ResponseKind::Deferred,
            Self::Error(_) => ResponseKind::Error,
        }
    }

    /// The text, or the reason.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        match self {
            Self::Processed(text) => Some(text),
            Self::Rejected(reason) | Self::Error(reason) => Some(reason),
            Self::Deferred => None,
        }
    }

    /// The body of the answer, which has status 200 whatever the answer is: under any other, ASHIRT
    /// forgets the reason. The content is cut to what it can store.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let action = Some(self.outcome().as_str());
        bytes(&Body { action, content: self.content().map(storable), ..Body::default() })
    }
}

/// The answer to a test: that the worker is there, or why it could not do its work.
#[must_use]
pub fn liveness(trouble: Option<&str>) -> Vec<u8> {
    let status = Some(if trouble.is_some() { "error" } else { "ok" });
    bytes(&Body { status, message: trouble.map(storable), ..Body::default() })
}

/// The answer to what could not be read, whatever it was meant to be: a test takes `status` and
/// `message` out of it, evidence `action` and `content`.
#[must_use]
pub fn failure(reason: &str) -> Vec<u8> {
    let reason = Some(storable(reason));
    let error = Some("error");
    bytes(&Body { action: error, content: reason.clone(), status: error, message: reason })
}

/// All that ASHIRT looks for in an answer.
#[derive(Default, Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
}

fn bytes(body: &Body<'_>) -> Vec<u8> {
    piton::serde_json::to_vec(body).expect("it holds nothing but text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(answer: &WorkerResponse) -> String {
        String::from_utf8(answer.body()).unwrap()
    }

    #[test]
    fn bodies_are_those_that_ashirt_reads() {
        let processed = WorkerResponse::Processed("hi".into());
        assert_eq!(body(&processed), r#"{"action":"processed","content":"hi"}"#);
        assert_eq!(
            body(&WorkerResponse::Processed(String::new())),
            r#"{"action":"processed","content":""}"#,
            "without content it would be recorded as an error"
        );
        assert_eq!(
            body(&WorkerResponse::Rejected("why".into())),
            r#"{"action":"rejected","content":"why"}"#
        );
        assert_eq!(
            body(&WorkerResponse::Error("boom".into())),
            r#"{"action":"error","content":"boom"}"#
        );
        assert_eq!(body(&WorkerResponse::Deferred), r#"{"action":"deferred"}"#);
        assert_eq!(liveness(None), br#"{"status":"ok"}"#);
        assert_eq!(liveness(Some("db down")), br#"{"status":"error","message":"db down"}"#);
    }

    #[test]
    fn reasons_are_cut_as_content_is() {
        let reason = "\u{1f600}".repeat(100_000);
        let answer: piton::serde_json::Value =
            piton::serde_json::from_slice(&WorkerResponse::Error(reason.into()).body()).unwrap();
        assert!(answer["content"].as_str().unwrap().len() <= crate::ashirt::MAX_TEXT_BYTES);
    }
}
