//! Whole answers of routes, remembered: `#[cached(ttl = "60s", tags = ["companies"])]`.

mod answer;
mod etag;
mod key;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::request::Parts as Head;
use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::entry::Said;
use super::key::tag_of_key;
use super::turn::Turn;
use super::{Cache, Inner};
use crate::handle::Handle;
use crate::http::{Answering, Around, Next, Operation, Surroundings, credential_headers};

use answer::{Answer, Headers};
use key::{Parameters, Template};

/// Remembers the answers of a route, as `#[cached]` over it says.
///
/// ```
/// use std::time::Duration;
/// use piton::prelude::*;
/// use piton::cache::Cached;
/// use piton::http::get;
///
/// async fn states() -> Json<Vec<&'static str>> { Json(vec!["SP"]) }
///
/// let cached = Cached::new().ttl(Duration::from_secs(60)).tags(["companies"]);
/// let app = App::new("registry").route(get("/states", states).around(cached));
/// ```
///
/// - An answer belongs to its path and query, and to the values of the headers that
///   [`vary`](Self::vary) names. With a [`key`](Self::key) it belongs to that instead of path and
///   query.
/// - The route's guard is asked first, always. An answer to a request that shows credentials
///   (`Authorization`, `Cookie`, the API key's header) is kept for that caller alone, unless the route
///   says [`shared`](Self::shared). Behind a guard, a request that shows none of these is not
///   remembered; nor is one with `Authorization: Basic`, as a password could be guessed from what is
///   kept of it.
///   A guard that accepts credentials elsewhere, such as a token in the query or the body, makes the
///   route remember nothing, unless it is `shared`.
/// - Kept are answers with 200, without `Set-Cookie` and without `Cache-Control: no-store` or
///   `private`, whose body is whole and not larger than `cache.max_value_size`, and whose `Vary` names
///   nothing that the route does not.
/// - Of many requests for the same answer one runs the handler.
/// - Answers get an `ETag` and `Cache-Control: no-cache` unless the handler said its own, so that a
///   client asks again with `If-None-Match` and gets 304. What a client says in `Cache-Control` is not
///   heard: it would be a way around the cache for everybody.
#[derive(Debug, Default)]
pub struct Cached {
    ttl: Option<Duration>,
    tags: Vec<Template>,
    key: Option<Template>,
    vary: Vec<HeaderName>,
    shared: bool,
    /// What is wrong with what was said.
    wrong: Option<String>,
    credentials: OnceLock<Vec<HeaderName>>,
}

impl Cached {
    /// For as long as `cache.ttl` says, without tags.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long an answer is kept at most.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    /// The tags by which [`Cache::invalidate`] reaches the answers. `{name}` stands for the value of the
    /// path's parameter: `company:{cnpj}`.
    #[must_use]
    pub fn tags<'a>(mut self, tags: impl IntoIterator<Item = &'a str>) -> Self {
        for tag in tags {
            match Template::parse(tag) {
                Ok(tag) => self.tags.push(tag),
                Err(why) => self.wrong = Some(why),
            }
        }
        self
    }

    /// Identifies a response by this key instead of path and query: requests with the same key get
    /// the same response. `{name}` stands for the value of the path's parameter, escaped as by
    /// [`key!`](super::key!), so that distinct values have distinct keys. [`Cache::delete`] with
    /// the same key invalidates the responses.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        match Template::parse(key) {
            Ok(key) => self.key = Some(key),
            Err(why) => self.wrong = Some(why),
        }
        self
    }

    /// Headers of the request on which the answer depends. The answer says so in `Vary`.
    #[must_use]
    pub fn vary<'a>(mut self, headers: impl IntoIterator<Item = &'a str>) -> Self {
        for header in headers {
            match header.parse() {
                Ok(name) => self.vary.push(name),
                Err(_) => self.wrong = Some(format!("`{header}` is not the name of a header")),
            }
        }
        self
    }

    /// Whoever the guard lets in gets the same answer.
    #[must_use]
    pub fn shared(self) -> Self {
        Self { shared: true, ..self }
    }

    /// What the answer to a request is kept under; `None` if it is not to be remembered.
    fn key_of(&self, head: &Head, caller: &Caller, said: Option<&str>) -> Option<String> {
        let key = key::Parts {
            said,
            head,
            vary: &self.vary,
            credentials: match caller {
                Caller::One => self.credentials.get().map_or(&[], Vec::as_slice),
                Caller::Any | Caller::Whoever => &[],
                Caller::Unknown => return None,
            },
            secret: !matches!(caller, Caller::Any),
        };
        Some(key.key())
    }

    /// The tags of the answer to a request.
    fn tags_of(&self, parameters: &Parameters, keys: Keys) -> Arc<[String]> {
        let mut tags: Vec<String> = self.tags.iter().map(|tag| tag.fill(parameters)).collect();
        tags.extend(keys.said.iter().chain(&keys.plain).map(|key| tag_of_key(key)));
        tags.sort_unstable();
        tags.dedup();
        tags.into()
    }

    /// Whether two requests with the same key have the same tags, too.
    fn key_says_tags(&self) -> bool {
        let said = |name| self.key.as_ref().is_none_or(|key| key.names().any(|it| it == name));
        self.tags.iter().flat_map(Template::names).all(said)
    }

    /// For whom the answer is.
    fn caller(&self, headers: &HeaderMap, app: &Handle, guarded: bool) -> Caller {
        let known = self.credentials.get_or_init(|| credential_headers(app));
        let shows = known.iter().any(|name| headers.contains_key(name));
        match (self.shared, shows, guarded) {
            (true, _, true) | (true, true, false) => Caller::Whoever,
            (false, true, _) if key::is_basic(headers) => Caller::Unknown,
            (false, true, _) => Caller::One,
            (_, false, false) => Caller::Any,
            (false, false, true) => Caller::Unknown,
        }
    }

    async fn remembered(
        &self,
        cache: Cache,
        said: Said,
        mut request: Request,
        headers: Headers<'_>,
        next: Next<'_>,
    ) -> Response {
        let condition = etag::IfNoneMatch::of(request.headers());
        let held = match Inner::turn(&cache.0, &said).await {
            Turn::Have(held) => held,
            Turn::Work(work) => {
                if request.method() == Method::HEAD {
                    // The same handler answers both, and what is kept is for both.
                    *request.method_mut() = Method::GET;
                }
                let response = next.run(request).await;
                match Answer::take(response, &headers, cache.0.max_value_size).await {
                    Err(response) => {
                        work.fail();
                        return response;
                    }
                    Ok(held) => {
                        let held = Arc::new(held);
                        let answer = Answer::of(&held).map(|answer| answer.respond(&condition));
                        work.keep(held).await;
                        return answer.unwrap_or_default();
                    }
                }
            }
        };
        match Answer::of(&held) {
            Some(answer) => answer.respond(&condition),
            // Written by another version of this crate.
            None => {
                cache.delete(&said.key).await;
                next.run(request).await
            }
        }
    }
}

/// The key of the route, and the same with unescaped values where that is another text.
#[derive(Default)]
struct Keys {
    said: Option<String>,
    plain: Option<String>,
}

/// For whom an answer is.
enum Caller {
    /// For everybody.
    Any,
    /// For whoever the guard lets in.
    Whoever,
    /// For the one who shows these credentials.
    One,
    /// For one of whom nothing is known that could tell them apart.
    Unknown,
}

impl Around for Cached {
    fn describe(&self, operation: &mut Operation) {
        operation.needs::<Cache>();
        operation.optionally(|operation| {
            operation.header_of::<String>(
                "If-None-Match",
                "The `ETag` of the answer that the client has: 304 if it is still the same.",
            );
        });
        self.vary.iter().for_each(|name| operation.header(name.as_str().to_owned()));
        operation.answer_empty(StatusCode::NOT_MODIFIED);
        for status in [StatusCode::OK, StatusCode::NOT_MODIFIED] {
            let etag = "Changes with the answer; for `If-None-Match`.";
            operation.answer_header(status, "ETag", etag);
            operation.answer_header(
                status,
                "Cache-Control",
                "How long caches may keep the answer.",
            );
        }
    }

    fn problem(&self, at: &Surroundings<'_>) -> Option<String> {
        let strange = at.methods.iter().find(|it| !matches!(**it, Method::GET | Method::HEAD));
        if let Some(method) = strange {
            return Some(format!("`cached` is for GET: an answer to {method} is not remembered"));
        }
        if !at.guarded && !at.operation.securities().is_empty() {
            return Some(
                "under `cached` the handler is not always run, so it cannot be the one who asks who is \
                 calling\n    fix: write `#[protected]` (or `#[protected(optional)]`, \
                 `#[protected(api_key)]`) over it"
                    .into(),
            );
        }
        let unknown = self.tags.iter().chain(&self.key).find_map(|it| it.unknown_in(at.path));
        let unknown = unknown
            .map(|name| format!("`cached` names `{{{name}}}`, which is no parameter of the path"));
        self.wrong.clone().or(unknown)
    }

    fn explain(&self) -> Option<String> {
        let mut call = "piton::cache::Cached::new()".to_owned();
        if let Some(ttl) = self.ttl {
            call += &format!(".ttl(std::time::Duration::from_millis({}))", ttl.as_millis());
        }
        if !self.tags.is_empty() {
            let tags: Vec<String> = self.tags.iter().map(Template::to_string).collect();
            call += &format!(".tags({tags:?})");
        }
        if let Some(key) = &self.key {
            call += &format!(".key({:?})", key.to_string());
        }
        if !self.vary.is_empty() {
            let vary: Vec<&str> = self.vary.iter().map(HeaderName::as_str).collect();
            call += &format!(".vary({vary:?})");
        }
        Some(if self.shared { call + ".shared()" } else { call })
    }

    fn answer<'a>(&'a self, request: Request, app: &'a Handle, next: Next<'a>) -> Answering<'a> {
        Box::pin(async move {
            let Ok(cache) = app.try_part::<Cache>() else { return next.run(request).await };
            let caller = match self.shared || next.reads_headers_only(app) {
                true => self.caller(request.headers(), app, next.guarded()),
                // Their headers may be the same, as those of a proxy or a cookie of the page.
                false => Caller::Unknown,
            };
            let (mut head, body) = request.into_parts();
            let mut parameters = Parameters::new();
            if self.key.as_ref().is_some_and(Template::has_parameters) {
                let Some(found) = key::parameters(&mut head).await else {
                    return next.run(Request::from_parts(head, body)).await;
                };
                parameters = found;
            }
            let keys = self.key.as_ref().map_or_else(Keys::default, |key| {
                let (said, plain) = key.key(&parameters).into_parts();
                Keys { said: Some(said), plain }
            });
            let Some(key) = self.key_of(&head, &caller, keys.said.as_deref()) else {
                return next.run(Request::from_parts(head, body)).await;
            };
            // Most requests end here, where that takes no round trip: before anything else is put
            // together.
            if self.key_says_tags()
                && let Some(held) = cache.0.in_memory(&key)
                && let Some(answer) = Answer::of(&held)
            {
                return answer.respond(&etag::IfNoneMatch::of(&head.headers));
            }
            if parameters.is_empty() && self.tags.iter().any(Template::has_parameters) {
                let Some(found) = key::parameters(&mut head).await else {
                    return next.run(Request::from_parts(head, body)).await;
                };
                parameters = found;
            }
            let said = Said { key, ttl: self.ttl, tags: self.tags_of(&parameters, keys) };
            let headers = Headers { vary: &self.vary, private: !matches!(caller, Caller::Any) };
            self.remembered(cache, said, Request::from_parts(head, body), headers, next).await
        })
    }
}
