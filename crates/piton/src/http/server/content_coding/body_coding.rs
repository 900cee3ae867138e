//! Refuses requests whose body is compressed, or decodes them within the limit of bodies.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};

use super::decoding;
use super::encoded_requests::{EncodedRequests, codings};
use crate::error::{BoxError, Error};
use crate::http::server::request_body_limit;
use crate::http::server::stack_config::StackConfig;
use crate::request::body_state::{BodyRefusal, BodyState};

impl StackConfig {
    /// Limits the body of a request to `max_size` bytes and charges it, after decoding it if that is configured.
    ///
    /// # Errors
    /// The body is too large, there is no room for it, or its coding is not supported.
    pub(in crate::http::server) fn limit_body<B>(
        &self,
        request: Request<B>,
        max_size: usize,
    ) -> Result<(Request<Body>, Option<Arc<BodyState>>), BodyRefusal>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let budget = &self.handle.inner().memory;
        let is_encoded = !request.body().is_end_stream()
            && self.encoded_requests != EncodedRequests::Forward
            && is_encoded(request.headers());
        if !is_encoded {
            return request_body_limit::limit(request, max_size, budget, &self.body_waits);
        }
        if self.encoded_requests == EncodedRequests::Refuse {
            return Err(BodyRefusal::UnsupportedCoding);
        }
        let decoded = decoding::decode(request, max_size)?;
        request_body_limit::limit(decoded, max_size, budget, &self.body_waits)
    }
}

/// Returns whether the body has a coding other than `identity`.
fn is_encoded(headers: &HeaderMap) -> bool {
    codings(headers).any(|coding| !coding.eq_ignore_ascii_case("identity"))
}

/// Returns 415 for a body with a coding that is not decoded. The header `Accept-Encoding` lists those
/// that are (RFC 9110, section 15.5.16).
#[cold]
pub(in crate::http::server) fn unsupported_coding(setting: EncodedRequests) -> Error {
    let (detail, supported) = match setting {
        EncodedRequests::Decode => (
            "the body's `content-encoding` is not supported: send one that `accept-encoding` lists, \
             or the body without one",
            decoding::DECODED,
        ),
        _ => (
            "the body has a `content-encoding`, and this service takes plain bodies only: send it \
             without one",
            "identity",
        ),
    };
    Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
        .header(header::ACCEPT_ENCODING, HeaderValue::from_static(supported))
}
