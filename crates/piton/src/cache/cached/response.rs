//! A response as it is cached: the headers that the handler set, and the body.

use axum::body::Body;
use axum::response::Response;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::response_etag::{self, IfNoneMatch};
use crate::cache::cached_value::CachedValue;

/// Version of the binary format. A version of this crate with another format has another number, and
/// reads none of the other's.
const FORMAT_VERSION: u8 = 1;

/// Headers that a 304 has too (RFC 9110, section 15.4.5).
const NOT_MODIFIED_HEADERS: [HeaderName; 6] = [
    header::CACHE_CONTROL,
    header::CONTENT_LOCATION,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::VARY,
];

/// Headers that are not cached: hop-by-hop headers (RFC 9110, section 7.6.1), and those that belong to
/// one exchange or are written anew for each.
const HOP_BY_HOP: [&str; 16] = [
    "age",
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "retry-after",
    "server-timing",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// A response that can be cached.
pub(super) struct CachedResponse {
    headers: HeaderMap,
    body: Bytes,
}

/// The rules of a route for what is cached, and the headers that it adds.
pub(super) struct StorageRules<'a> {
    pub vary: &'a [HeaderName],
    /// True if the response is for one caller, or only for callers that a guard admits.
    pub private: bool,
}

impl CachedResponse {
    /// Reads a handler's response whole, to cache it.
    ///
    /// # Errors
    /// The response itself, if it must not be cached.
    pub async fn capture(
        response: Response,
        rules: &StorageRules<'_>,
        limit: usize,
    ) -> Result<CachedValue, Response> {
        if !rules.may_store(&response) {
            return Err(response);
        }
        let size = response.body().size_hint().exact();
        if size.and_then(|size| usize::try_from(size).ok()).is_none_or(|size| size > limit) {
            return Err(response);
        }
        let (head, body) = response.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            // The client gets a body that breaks off, because it would have without a cache.
            Err(error) => {
                let broken = futures_util::stream::once(std::future::ready(Err::<Bytes, _>(error)));
                return Err(Response::from_parts(head, Body::from_stream(broken)));
            }
        };
        let mut headers = head.headers;
        HOP_BY_HOP.iter().for_each(|name| {
            headers.remove(*name);
        });
        rules.complete(&mut headers, &body);
        let response = Self { headers, body };
        Ok(CachedValue::with_parsed(response.to_bytes(), response))
    }

    /// Returns the response in a cached value; `None` if its format is unknown.
    pub fn from_value(cached: &CachedValue) -> Option<&Self> {
        cached.parsed(Self::from_bytes)
    }

    /// Returns the response, or 304 for a client that has it already.
    pub fn respond(&self, condition: &IfNoneMatch) -> Response {
        let is_known = condition.knows(self.headers.get(header::ETAG));
        let mut response = Response::new(Body::empty());
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            let headers =
                self.headers.iter().filter(|(name, _)| NOT_MODIFIED_HEADERS.contains(name));
            let headers = headers.map(|(name, value)| (name.clone(), value.clone()));
            response.headers_mut().extend(headers);
        } else {
            *response.headers_mut() = self.headers.clone();
            *response.body_mut() = Body::from(self.body.clone());
        }
        response
    }

    fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(256 + self.body.len());
        bytes.put_u8(FORMAT_VERSION);
        bytes.put_u32(u32::try_from(self.headers.len()).unwrap_or(u32::MAX));
        for (name, value) in &self.headers {
            for piece in [name.as_str().as_bytes(), value.as_bytes()] {
                bytes.put_u32(u32::try_from(piece.len()).unwrap_or(u32::MAX));
                bytes.put_slice(piece);
            }
        }
        bytes.put_slice(&self.body);
        bytes.freeze()
    }

    fn from_bytes(bytes: &Bytes) -> Option<Self> {
        let mut rest = bytes.clone();
        if rest.try_get_u8().ok()? != FORMAT_VERSION {
            return None;
        }
        let mut headers = HeaderMap::new();
        for _ in 0..rest.try_get_u32().ok()? {
            let name = HeaderName::from_bytes(&read_piece(&mut rest)?).ok()?;
            headers.append(name, HeaderValue::from_maybe_shared(read_piece(&mut rest)?).ok()?);
        }
        Some(Self { headers, body: rest })
    }
}

fn read_piece(rest: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(rest.try_get_u32().ok()?).ok()?;
    (length <= rest.len()).then(|| rest.split_to(length))
}

impl StorageRules<'_> {
    fn may_store(&self, response: &Response) -> bool {
        let headers = response.headers();
        response.status() == StatusCode::OK
            && !headers.contains_key(header::SET_COOKIE)
            && !list_items(headers, header::CACHE_CONTROL)
                .any(|item| ["no-store", "private"].contains(&&*item))
            && list_items(headers, header::VARY)
                .all(|name| self.vary.iter().any(|known| *known == *name))
    }

    /// Adds the headers that the handler has not set.
    fn complete(&self, headers: &mut HeaderMap, body: &[u8]) {
        if !headers.contains_key(header::ETAG) {
            let etag = response_etag::weak_etag(headers.get(header::CONTENT_TYPE), body);
            headers.insert(header::ETAG, etag);
        }
        if !headers.contains_key(header::CACHE_CONTROL) {
            let value = if self.private { "private, no-cache" } else { "no-cache" };
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
        }
        let present: Vec<String> = list_items(headers, header::VARY).collect();
        for name in self.vary.iter().filter(|name| !present.iter().any(|it| it == name.as_str())) {
            headers.append(header::VARY, name.clone().into());
        }
    }
}

/// Returns the items of a list header in lower case, without their values (`max-age=5` is `max-age`).
fn list_items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = String> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(|item| item.split('=').next().unwrap_or_default().trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    const PUBLIC: StorageRules<'_> = StorageRules { vary: &[], private: false };

    async fn is_cached(response: impl IntoResponse) -> bool {
        CachedResponse::capture(response.into_response(), &PUBLIC, 10).await.is_ok()
    }

    #[tokio::test]
    async fn a_whole_small_and_public_response_is_cached() {
        assert!(is_cached("0123456789").await);
        assert!(is_cached(([("cache-control", "max-age=5")], "x")).await);
        assert!(!is_cached("0123456789a").await);
        assert!(!is_cached((StatusCode::NOT_FOUND, "x")).await);
        assert!(!is_cached((StatusCode::CREATED, "x")).await);
        assert!(!is_cached(([("set-cookie", "a=b")], "x")).await);
        assert!(!is_cached(([("cache-control", "max-age=5, No-Store")], "x")).await);
        assert!(!is_cached(([("cache-control", "private=\"x\"")], "x")).await);
        assert!(
            !is_cached(([("vary", "accept")], "x")).await
                && !is_cached(([("vary", "*")], "x")).await
        );
        let stream = futures_util::stream::iter([Ok::<_, std::io::Error>("x")]);
        assert!(!is_cached(Body::from_stream(stream)).await);
    }

    #[tokio::test]
    async fn a_cached_response_equals_the_original() {
        let vary = [header::ACCEPT_LANGUAGE];
        let rules = StorageRules { vary: &vary, private: true };
        let response = ([("x-total", "7"), ("date", "x"), ("vary", "Accept-Language")], "body");
        let cached =
            CachedResponse::capture(response.into_response(), &rules, 100).await.ok().unwrap();
        let read = CachedResponse::from_bytes(cached.bytes()).unwrap();
        let response = read.respond(&IfNoneMatch::from_headers(&HeaderMap::new()));
        let headers = response.headers().clone();
        assert_eq!(headers["x-total"], "7");
        assert_eq!(headers["cache-control"], "private, no-cache");
        assert_eq!(headers.get_all("vary").iter().count(), 1);
        assert!(!headers.contains_key("date") && headers.contains_key("etag"));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "body");
        let mut known = HeaderMap::new();
        known.insert("if-none-match", headers["etag"].clone());
        let response = read.respond(&IfNoneMatch::from_headers(&known));
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        let mut names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cache-control", "etag", "vary"]);
    }

    #[test]
    fn bytes_in_another_format_are_not_a_response() {
        for bytes in [&b""[..], b"\x02\0\0\0\0", b"\x01\0\0\0\x01\0\0\0\xff", b"\x01\0\0"] {
            assert!(CachedResponse::from_bytes(&Bytes::from_static(bytes)).is_none());
        }
    }
}
