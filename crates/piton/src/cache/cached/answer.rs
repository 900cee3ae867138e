//! An answer as it is kept: the headers that the handler said, and the body.

use axum::body::Body;
use axum::response::Response;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::etag::{self, IfNoneMatch};
use crate::cache::held::Held;

/// The form of what is kept. Another version of this crate that keeps another form says another number.
const FORM: u8 = 1;

/// What 304 says too (RFC 9110, section 15.4.5), and what tells nothing of the body.
const OF_304: [HeaderName; 6] = [
    header::CACHE_CONTROL,
    header::CONTENT_LOCATION,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::VARY,
];

/// What belongs to one exchange, to one connection, or is made anew.
const NOT_KEPT: [&str; 16] = [
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

pub(super) struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

/// What the route adds to the headers.
pub(super) struct Headers<'a> {
    pub vary: &'a [HeaderName],
    /// Whether it is for one caller, or for those alone whom a guard lets in.
    pub private: bool,
}

impl Answer {
    /// Takes a handler's answer to keep it.
    ///
    /// # Errors
    /// The answer itself, if it is not to be kept.
    pub async fn take(
        response: Response,
        rules: &Headers<'_>,
        limit: usize,
    ) -> Result<Held, Response> {
        if !rules.may_keep(&response) {
            return Err(response);
        }
        let size = response.body().size_hint().exact();
        if size.and_then(|size| usize::try_from(size).ok()).is_none_or(|size| size > limit) {
            return Err(response);
        }
        let (head, body) = response.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            // It breaks off, as it would have without a cache.
            Err(error) => {
                let broken = futures_util::stream::once(std::future::ready(Err::<Bytes, _>(error)));
                return Err(Response::from_parts(head, Body::from_stream(broken)));
            }
        };
        let mut headers = head.headers;
        NOT_KEPT.iter().for_each(|name| {
            headers.remove(*name);
        });
        rules.complete(&mut headers, &body);
        let answer = Self { headers, body };
        Ok(Held::with_form(answer.write(), answer))
    }

    /// The answer that is kept; `None` if it is in a form that nobody here knows.
    pub fn of(held: &Held) -> Option<&Self> {
        held.form(Self::read)
    }

    /// The answer for a client that knows what it says it knows.
    pub fn respond(&self, condition: &IfNoneMatch) -> Response {
        let knows = condition.knows(self.headers.get(header::ETAG));
        let mut response = Response::new(Body::empty());
        if knows {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            let kept = self.headers.iter().filter(|(name, _)| OF_304.contains(name));
            let kept = kept.map(|(name, value)| (name.clone(), value.clone()));
            response.headers_mut().extend(kept);
        } else {
            *response.headers_mut() = self.headers.clone();
            *response.body_mut() = Body::from(self.body.clone());
        }
        response
    }

    fn write(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(256 + self.body.len());
        bytes.put_u8(FORM);
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

    fn read(bytes: &Bytes) -> Option<Self> {
        let mut rest = bytes.clone();
        if rest.try_get_u8().ok()? != FORM {
            return None;
        }
        let mut headers = HeaderMap::new();
        for _ in 0..rest.try_get_u32().ok()? {
            let name = HeaderName::from_bytes(&piece(&mut rest)?).ok()?;
            headers.append(name, HeaderValue::from_maybe_shared(piece(&mut rest)?).ok()?);
        }
        Some(Self { headers, body: rest })
    }
}

fn piece(rest: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(rest.try_get_u32().ok()?).ok()?;
    (length <= rest.len()).then(|| rest.split_to(length))
}

impl Headers<'_> {
    fn may_keep(&self, response: &Response) -> bool {
        let headers = response.headers();
        response.status() == StatusCode::OK
            && !headers.contains_key(header::SET_COOKIE)
            && !words(headers, header::CACHE_CONTROL)
                .any(|word| ["no-store", "private"].contains(&&*word))
            && words(headers, header::VARY)
                .all(|name| self.vary.iter().any(|known| *known == *name))
    }

    /// Adds what the handler has not said.
    fn complete(&self, headers: &mut HeaderMap, body: &[u8]) {
        if !headers.contains_key(header::ETAG) {
            let etag = etag::of(headers.get(header::CONTENT_TYPE), body);
            headers.insert(header::ETAG, etag);
        }
        if !headers.contains_key(header::CACHE_CONTROL) {
            let said = if self.private { "private, no-cache" } else { "no-cache" };
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(said));
        }
        let said: Vec<String> = words(headers, header::VARY).collect();
        for name in self.vary.iter().filter(|name| !said.iter().any(|said| said == name.as_str())) {
            headers.append(header::VARY, name.clone().into());
        }
    }
}

/// The words of a list, without what is assigned to them.
fn words(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = String> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(|word| word.split('=').next().unwrap_or_default().trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    const PUBLIC: Headers<'_> = Headers { vary: &[], private: false };

    async fn kept(response: impl IntoResponse) -> bool {
        Answer::take(response.into_response(), &PUBLIC, 10).await.is_ok()
    }

    #[tokio::test]
    async fn what_is_whole_small_and_for_everybody_is_kept() {
        assert!(kept("0123456789").await);
        assert!(kept(([("cache-control", "max-age=5")], "x")).await);
        assert!(!kept("0123456789a").await);
        assert!(!kept((StatusCode::NOT_FOUND, "x")).await);
        assert!(!kept((StatusCode::CREATED, "x")).await);
        assert!(!kept(([("set-cookie", "a=b")], "x")).await);
        assert!(!kept(([("cache-control", "max-age=5, No-Store")], "x")).await);
        assert!(!kept(([("cache-control", "private=\"x\"")], "x")).await);
        assert!(!kept(([("vary", "accept")], "x")).await && !kept(([("vary", "*")], "x")).await);
        let stream = futures_util::stream::iter([Ok::<_, std::io::Error>("x")]);
        assert!(!kept(Body::from_stream(stream)).await);
    }

    #[tokio::test]
    async fn what_is_read_again_is_what_was_written() {
        let vary = [header::ACCEPT_LANGUAGE];
        let rules = Headers { vary: &vary, private: true };
        let response = ([("x-total", "7"), ("date", "x"), ("vary", "Accept-Language")], "body");
        let held = Answer::take(response.into_response(), &rules, 100).await.ok().unwrap();
        let read = Answer::read(held.bytes()).unwrap();
        let response = read.respond(&IfNoneMatch::of(&HeaderMap::new()));
        let headers = response.headers().clone();
        assert_eq!(headers["x-total"], "7");
        assert_eq!(headers["cache-control"], "private, no-cache");
        assert_eq!(headers.get_all("vary").iter().count(), 1);
        assert!(!headers.contains_key("date") && headers.contains_key("etag"));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "body");
        let mut known = HeaderMap::new();
        known.insert("if-none-match", headers["etag"].clone());
        let response = read.respond(&IfNoneMatch::of(&known));
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        let mut names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cache-control", "etag", "vary"]);
    }

    #[test]
    fn bytes_of_another_form_are_no_answer() {
        for bytes in [&b""[..], b"\x02\0\0\0\0", b"\x01\0\0\0\x01\0\0\0\xff", b"\x01\0\0"] {
            assert!(Answer::read(&Bytes::from_static(bytes)).is_none());
        }
    }
}
