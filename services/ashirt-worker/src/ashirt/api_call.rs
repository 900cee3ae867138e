//! One API call before it is sent: its content, its signature, and when it may be retried.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::Full;
use serde::Serialize;

use super::error::{Error, Kind};
use super::multipart::Form;
use super::request_target;
use super::signature;
use super::{Client, Settings};

/// Content of a call, the same for each attempt.
pub(super) struct ApiCall {
    /// Name of the [`Client`] method.
    pub name: &'static str,
    pub method: Method,
    /// Path and query from `/api` on, exactly as sent.
    pub target: String,
    pub content_type: Option<String>,
    pub body: Bytes,
    /// Set if sending the call twice has the same effect as once.
    pub is_repeatable: bool,
}

impl ApiCall {
    /// # Errors
    /// `Invalid` if a segment is empty.
    pub(super) fn get(name: &'static str, segments: &[&str]) -> Result<Self, Error> {
        Self::new(name, Method::GET, segments)
    }

    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn post(name: &'static str, segments: &[&str]) -> Result<Self, Error> {
        Self::new(name, Method::POST, segments)
    }

    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn put(name: &'static str, segments: &[&str]) -> Result<Self, Error> {
        Self::new(name, Method::PUT, segments)
    }

    fn new(name: &'static str, method: Method, segments: &[&str]) -> Result<Self, Error> {
        let target = request_target::path(segments).map_err(|error| error.with_call(name))?;
        let is_repeatable = method == Method::GET;
        Ok(Self { name, method, target, content_type: None, body: Bytes::new(), is_repeatable })
    }

    pub(super) fn query(mut self, query: &str) -> Self {
        self.target.push_str("?query=");
        self.target.push_str(&request_target::query_value(query));
        self
    }

    pub(super) fn json<T: Serialize>(mut self, value: &T) -> Self {
        let json = serde_json::to_vec(value).expect("texts, flags and names are JSON");
        self.body = json.into();
        self.content_type = Some("application/json".to_owned());
        self
    }

    pub(super) fn form(mut self, form: Form) -> Self {
        let (content_type, body) = form.finish();
        self.body = body.into();
        self.content_type = Some(content_type);
        self
    }

    pub(super) fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// Returns whether the call may be retried after this error. A call that is not repeatable may
    /// be, as long as nothing was sent.
    pub(super) fn may_be_repeated(&self, error: &Error) -> bool {
        match error.kind() {
            Kind::Connect => true,
            Kind::Timeout | Kind::Interrupted => self.is_repeatable,
            Kind::Server => self.is_repeatable && matches!(error.status(), Some(502..=504)),
            _ => false,
        }
    }
}

impl Client {
    /// Builds the signed request of a call, with the current time.
    ///
    /// # Errors
    /// `Invalid` if no request can be made of it.
    pub(super) fn request(&self, call: &ApiCall) -> Result<Request<Full<Bytes>>, Error> {
        let Settings { url, access_key, secret_key, sign_prefix, .. } = &*self.settings;
        let uri = url.uri(&call.target)?;
        let target = match uri.path_and_query() {
            Some(whole) if *sign_prefix => whole.as_str(),
            _ => &call.target,
        };
        let now = (self.hooks.clock)();
        let signature =
            signature::sign(access_key, secret_key, &call.method, target, &call.body, now);
        let mut headers =
            self.hooks.headers.as_ref().map_or_else(HeaderMap::new, |headers| headers());
        let ours = [
            (header::DATE, Some(&signature.date)),
            (header::AUTHORIZATION, Some(&signature.authorization)),
            (header::USER_AGENT, Some(&self.settings.user_agent)),
            (header::CONTENT_TYPE, call.content_type.as_ref()),
        ];
        // Removed, because `Content-Length` and `Transfer-Encoding` are written by hyper, which
        // would otherwise believe foreign ones.
        for name in
            [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::HOST]
        {
            headers.remove(name);
        }
        for (name, value) in ours {
            let Some(value) = value else { continue };
            let mut value = HeaderValue::from_str(value)
                .map_err(|error| Error::invalid("a header is not text").with_source(error))?;
            value.set_sensitive(name == header::AUTHORIZATION);
            headers.insert(name, value);
        }
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}
