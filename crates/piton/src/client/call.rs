//! A call in the making: what is sent, and how patiently.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use reqwest::Url;
use reqwest::multipart::Form;
use serde::Serialize;

use super::answer::Answer;
use super::error::{Error, Kind, Who};
use super::{Multipart, Room};
use crate::config::ByteSize;
use crate::secrets::field_is_secret;

/// A call in the making. What is wrong with it is reported by [`send`](Self::send).
#[must_use = "nothing is sent before `send`"]
pub struct Call {
    pub(super) room: Arc<Room>,
    pub(super) who: Option<Who>,
    pub(super) method: Method,
    /// Without credentials.
    pub(super) url: Option<Url>,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: Option<u32>,
    pub(super) idempotent: bool,
    pub(super) auto_auth: bool,
    pub(super) answer_limit: Option<ByteSize>,
    /// The first thing that was wrong.
    pub(super) fault: Option<Error>,
}

pub(super) enum Body {
    Nothing,
    Bytes(Bytes),
    Form(Box<Form>),
}

impl Call {
    pub(super) fn new(
        room: Arc<Room>,
        who: Option<Who>,
        method: Method,
        url: Result<Url, Error>,
    ) -> Self {
        let (url, fault) = match url {
            Ok(url) => (Some(url), None),
            Err(fault) => (None, Some(fault)),
        };
        Self {
            room,
            who,
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::Nothing,
            timeout: None,
            retries: None,
            idempotent: false,
            auto_auth: false,
            answer_limit: None,
            fault,
        }
    }

    /// Adds to the query: a struct, a map, or a list of pairs.
    pub fn query<T: Serialize + ?Sized>(mut self, query: &T) -> Self {
        match (serde_urlencoded::to_string(query), &mut self.url) {
            (Ok(more), Some(url)) if !more.is_empty() => {
                let query = match url.query() {
                    Some(query) if !query.is_empty() => format!("{query}&{more}"),
                    _ => more,
                };
                url.set_query(Some(&query));
                self
            }
            (Err(_), _) => self.wrong("the query does not serialize"),
            _ => self,
        }
    }

    /// Sends `body` as JSON.
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.typed("application/json", body),
            Err(_) => self.wrong("the body does not serialize as JSON"),
        }
    }

    /// Sends `body` as a form: a struct, a map, or a list of pairs.
    pub fn form<T: Serialize + ?Sized>(self, body: &T) -> Self {
        match serde_urlencoded::to_string(body) {
            Ok(body) => self.typed("application/x-www-form-urlencoded", body.into_bytes()),
            Err(_) => self.wrong("the body does not serialize as a form"),
        }
    }

    /// Sends a form with files. The call is not made again.
    pub fn multipart(mut self, form: Multipart) -> Self {
        match form.fault {
            Some(fault) => self.wrong(fault),
            None => {
                self.body = Body::Form(Box::new(form.into_form()));
                self
            }
        }
    }

    /// Sends `body` as it is. Say its type by a header.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Body::Bytes(body.into());
        self
    }

    fn typed(mut self, content_type: &'static str, body: Vec<u8>) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        self.headers.entry(header::CONTENT_TYPE).or_insert(content_type);
        self.body(body)
    }

    /// Sets a header, in the place of one of that name.
    pub fn header<N, V>(self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(value)) => self.set(name, value),
            (Err(_), _) => self.wrong("the name of a header is none"),
            (Ok(name), Err(_)) => self.wrong(format!("the value of the header `{name}` is none")),
        }
    }

    fn set(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        if field_is_secret(name.as_str()) {
            value.set_sensitive(true);
        }
        self.headers.insert(name, value);
        self
    }

    /// `Authorization: Bearer <token>`.
    pub fn bearer(self, token: &str) -> Self {
        self.authorize(&format!("Bearer {token}"))
    }

    /// `Authorization: Basic ..`, from a user and their password.
    pub fn basic(self, user: &str, password: &str) -> Self {
        self.authorize(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    fn authorize(self, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.set(header::AUTHORIZATION, value),
            Err(_) => self.wrong("the token cannot stand in a header"),
        }
    }

    /// Calls in the name of whoever calls this service, where that is known and no other
    /// `Authorization` was given. The other side must believe the same tokens. Not for strangers.
    pub fn auto_auth(mut self) -> Self {
        self.auto_auth = true;
        self
    }

    /// How long the whole call may take, in the place of `client.timeout`; each attempt may use all
    /// of it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How often it is made again, in the place of `client.retries`.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Says that to make the call twice does no more than to make it once, so that it may be made
    /// again whatever its method.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// How large the answer may be, in the place of `client.answer_limit`.
    pub fn answer_limit(mut self, limit: ByteSize) -> Self {
        self.answer_limit = Some(limit);
        self
    }

    /// Sends it, and waits for the head of the answer. An answer with any status is `Ok`: see
    /// [`Answer::error_for_status`]. Dropping the future gives the call up.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where something is wrong with what was said before; [`Kind::Connect`] and
    /// [`Kind::Open`] if nothing was sent; [`Kind::Timeout`] and [`Kind::Lost`] if it may have been;
    /// [`Kind::Refused`] and [`Kind::Redirect`].
    pub async fn send(self) -> Result<Answer, Error> {
        super::send::send(self).await
    }

    fn wrong(mut self, why: impl Into<String>) -> Self {
        let who = self.who.clone();
        self.fault.get_or_insert_with(|| Error::new(Kind::Invalid, who, why));
        self
    }
}

/// Without URL, headers and body: there are secrets in each.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("who", &self.who)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}
