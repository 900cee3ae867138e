//! [`Call`]: builds a call and sends it.

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

use super::error::{Error, Kind, Target};
use super::multipart::Multipart;
use super::response::Response;
use super::retries;
use super::shared_state::Inner;
use crate::config::ByteSize;
use crate::secrets::field_is_secret;

/// Defines a method for each method of HTTP.
macro_rules! http_methods {
    ($of:ident; $($(#[$doc:meta])* $name:ident $method:ident)*) => {$(
        $(#[$doc])*
        pub fn $name(&self, $of: &str) -> Call {
            self.request(Method::$method, $of)
        }
    )*};
}
pub(super) use http_methods;

/// A call that has not been sent yet. Mistakes in it are reported by [`send`](Self::send).
#[must_use = "nothing is sent before `send`"]
pub struct Call {
    pub(super) client: Arc<Inner>,
    pub(super) target: Option<Target>,
    pub(super) method: Method,
    /// Without credentials.
    pub(super) url: Option<Url>,
    pub(super) headers: HeaderMap,
    pub(super) body: CallBody,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: Option<u32>,
    pub(super) idempotent: bool,
    pub(super) auto_auth: bool,
    pub(super) answer_limit: Option<ByteSize>,
    /// The first mistake in the call.
    pub(super) fault: Option<Error>,
}

pub(super) enum CallBody {
    Empty,
    Bytes(Bytes),
    Form(Box<Form>),
}

impl Call {
    pub(super) fn new(
        client: Arc<Inner>,
        target: Option<Target>,
        method: Method,
        url: Result<Url, Error>,
    ) -> Self {
        let (url, fault) = match url {
            Ok(url) => (Some(url), None),
            Err(fault) => (None, Some(fault)),
        };
        Self {
            client,
            target,
            method,
            url,
            headers: HeaderMap::new(),
            body: CallBody::Empty,
            timeout: None,
            retries: None,
            idempotent: false,
            auto_auth: false,
            answer_limit: None,
            fault,
        }
    }

    /// Adds parameters to the query: a struct, a map, or a list of pairs.
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
            (Err(_), _) => self.invalid("the query does not serialize"),
            _ => self,
        }
    }

    /// Sends `body` as JSON.
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.body_of_type("application/json", body),
            Err(_) => self.invalid("the body does not serialize as JSON"),
        }
    }

    /// Sends `body` as a form: a struct, a map, or a list of pairs.
    pub fn form<T: Serialize + ?Sized>(self, body: &T) -> Self {
        match serde_urlencoded::to_string(body) {
            Ok(body) => self.body_of_type("application/x-www-form-urlencoded", body.into_bytes()),
            Err(_) => self.invalid("the body does not serialize as a form"),
        }
    }

    /// Sends a form with files. The call is never retried.
    pub fn multipart(mut self, form: Multipart) -> Self {
        match form.fault {
            Some(fault) => self.invalid(fault),
            None => {
                self.body = CallBody::Form(Box::new(form.into_form()));
                self
            }
        }
    }

    /// Sends `body` as it is. Set its type by the header `Content-Type`.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = CallBody::Bytes(body.into());
        self
    }

    fn body_of_type(mut self, content_type: &'static str, body: Vec<u8>) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        self.headers.entry(header::CONTENT_TYPE).or_insert(content_type);
        self.body(body)
    }

    /// Sets a header, replacing any other of that name.
    pub fn header<N, V>(self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(value)) => self.set(name, value),
            (Err(_), _) => self.invalid("invalid header name"),
            (Ok(name), Err(_)) => self.invalid(format!("invalid value of the header `{name}`")),
        }
    }

    fn set(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        if field_is_secret(name.as_str()) {
            value.set_sensitive(true);
        }
        self.headers.insert(name, value);
        self
    }

    /// Sets the header `Authorization: Bearer <token>`.
    pub fn bearer(self, token: &str) -> Self {
        self.authorize(&format!("Bearer {token}"))
    }

    /// Sets the header `Authorization: Basic ..`.
    pub fn basic(self, user: &str, password: &str) -> Self {
        self.authorize(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    fn authorize(self, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.set(header::AUTHORIZATION, value),
            Err(_) => self.invalid("the token has characters that a header cannot have"),
        }
    }

    /// Forwards the `Authorization` of the request being handled, if it has one and the call has none of
    /// its own. The other side must accept the same tokens. Not for external hosts, which would get the
    /// caller's credentials.
    pub fn auto_auth(mut self) -> Self {
        self.auto_auth = true;
        self
    }

    /// Sets the timeout of the whole call, instead of `client.timeout`. Each attempt may use all of it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the maximum number of retries, instead of `client.retries`.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Declares that sending the call twice has the same effect as sending it once, so that it may be
    /// retried whatever its method.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Sets the maximum size of the response body, instead of `client.answer_limit`.
    pub fn answer_limit(mut self, limit: ByteSize) -> Self {
        self.answer_limit = Some(limit);
        self
    }

    /// Sends the call, and waits for the head of the response. A response with any status is `Ok`: see
    /// [`Response::error_for_status`]. Dropping the future cancels the call.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the call has a mistake; [`Kind::Connect`] and [`Kind::CircuitOpen`] if nothing
    /// was sent; [`Kind::Timeout`] and [`Kind::ConnectionLost`] if it may have been;
    /// [`Kind::PrivateAddress`] and [`Kind::Redirect`].
    pub async fn send(self) -> Result<Response, Error> {
        retries::send(self).await
    }

    fn invalid(mut self, why: impl Into<String>) -> Self {
        let target = self.target.clone();
        self.fault.get_or_insert_with(|| Error::new(Kind::Invalid, target, why));
        self
    }
}

/// Shows neither URL, headers nor body, because each may hold secrets.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("target", &self.target)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}
