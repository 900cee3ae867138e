//! Responses of the worker, in the form that ASHIRT records correctly.

use std::borrow::Cow;

use serde::Serialize;

use crate::ashirt::{Metadata, Status, storable};

/// Result of processing a piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerResponse {
    /// The text that describes the evidence. ASHIRT shows it below the evidence and includes it in
    /// searches.
    Processed(String),
    /// The worker cannot process this evidence, and the reason. Trying again would not help.
    Rejected(Cow<'static, str>),
    /// The text follows later, as metadata of the evidence. The action that returns this has to
    /// send it.
    Deferred,
    /// Processing failed, and the reason. Trying again may help.
    Error(Cow<'static, str>),
}

/// Kind of a [`WorkerResponse`], for the log and for metrics.
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
    /// Returns ASHIRT's name for it, such as `processed`.
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
    /// Returns the kind of the response.
    #[must_use]
    pub const fn outcome(&self) -> ResponseKind {
        match self {
            Self::Processed(_) => ResponseKind::Processed,
            Self::Rejected(_) => ResponseKind::Rejected,
            Self::Deferred => ResponseKind::Deferred,
            Self::Error(_) => ResponseKind::Error,
        }
    }

    /// Returns the text, or the reason.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        match self {
            Self::Processed(text) => Some(text),
            Self::Rejected(reason) | Self::Error(reason) => Some(reason),
            Self::Deferred => None,
        }
    }

    /// Returns the response's body, to be sent with status 200 in every case: under any other,
    /// ASHIRT ignores the reason. The content is cut to what ASHIRT can store.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let action = Some(self.outcome().as_str());
        bytes(&Body { action, content: self.content().map(storable), ..Body::default() })
    }

    /// Returns the metadata by which ASHIRT records the same as it does of the response, under the
    /// name `source`. `None` if the result follows later.
    #[must_use]
    pub fn metadata(&self, source: String) -> Option<Metadata> {
        let (status, can_process) = match self {
            Self::Processed(_) => (Status::Completed, Some(true)),
            Self::Rejected(_) => (Status::Completed, Some(false)),
            Self::Error(_) => (Status::Error, None),
            Self::Deferred => return None,
        };
        let content = self.content().map(|content| storable(content).into_owned());
        let (body, message) = match self {
            Self::Processed(_) => (content.unwrap_or_default(), None),
            _ => (String::new(), content),
        };
        Some(Metadata { source, body, status, message, can_process })
    }
}

/// Returns the body of the response to a connection test: success, or the reason why the worker
/// cannot work.
#[must_use]
pub fn liveness(trouble: Option<&str>) -> Vec<u8> {
    let status = Some(if trouble.is_some() { "error" } else { "ok" });
    bytes(&Body { status, message: trouble.map(storable), ..Body::default() })
}

/// Returns the body of the response to an unreadable message. It serves both kinds: ASHIRT reads
/// `status` and `message` after a test, `action` and `content` after evidence.
#[must_use]
pub fn failure(reason: &str) -> Vec<u8> {
    let reason = Some(storable(reason));
    let error = Some("error");
    bytes(&Body { action: error, content: reason.clone(), status: error, message: reason })
}

/// All members that ASHIRT reads from a response.
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
    fn metadata_is_cut_to_what_ashirt_stores() {
        let long = "\u{1f600}".repeat(100_000);
        for response in
            [WorkerResponse::Processed(long.clone()), WorkerResponse::Error(long.into())]
        {
            let metadata = response.metadata("ocr".into()).unwrap();
            let texts = [Some(metadata.body), metadata.message];
            assert!(texts.iter().flatten().all(|text| storable(text) == *text));
        }
        assert_eq!(WorkerResponse::Deferred.metadata("ocr".into()), None);
    }

    #[test]
    fn reasons_are_cut_as_content_is() {
        let reason = "\u{1f600}".repeat(100_000);
        let answer: piton::serde_json::Value =
            piton::serde_json::from_slice(&WorkerResponse::Error(reason.into()).body()).unwrap();
        assert!(answer["content"].as_str().unwrap().len() <= crate::ashirt::MAX_TEXT_BYTES);
    }
}
