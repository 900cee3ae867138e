//! The middleware behind `#[cached]`: answers from the cache, or runs the handler and stores its response.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::request::Parts as Head;
use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::response::{CachedResponse, StorageRules};
use super::response_etag::IfNoneMatch;
use super::response_key::{self, PathParameters, ResponseKey, Template};
use crate::cache::cache_handle::Cache;
use crate::cache::key::tag_of_key;
use crate::cache::shared_state::{EntrySpec, Inner};
use crate::cache::single_flight::HitOrCompute;
use crate::handle::Handle;
use crate::http::{Middleware, Next, Operation, ResponseFuture, RouteContext, credential_headers};

/// Caches the responses of a route, as `#[cached]` above it does.
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
/// let app = App::new("registry").route(get("/states", states).middleware(cached));
/// ```
///
/// - The cache key of a response is its path and query, and the values of the headers that
///   [`vary`](Self::vary) names. A [`key`](Self::key) replaces path and query.
/// - The route's guard always runs first. The response to a request with credentials
///   (`Authorization`, `Cookie`, the API key's header) is cached for that caller alone, unless the route
///   is [`shared`](Self::shared). Behind a guard, a request without any of these is not cached; nor is
///   one with `Authorization: Basic`, as the password could be guessed from the hash in the key.
///   A guard that accepts credentials elsewhere, such as a token in the query or the body, makes the
///   route cache nothing, unless it is `shared`.
/// - Cached are responses with 200, without `Set-Cookie` and without `Cache-Control: no-store` or
///   `private`, whose body is whole and not larger than `cache.max_value_size`, and whose `Vary` names
///   nothing that the route does not.
/// - Of many concurrent requests for the same response one runs the handler.
/// - Responses get an `ETag` and `Cache-Control: no-cache` unless the handler set its own, so that a
///   client revalidates with `If-None-Match` and gets 304. `Cache-Control` of a request is ignored:
///   otherwise every client could bypass the cache.
#[derive(Debug, Default)]
pub struct Cached {
    ttl: Option<Duration>,
    tags: Vec<Template>,
    key: Option<Template>,
    vary: Vec<HeaderName>,
    shared: bool,
    /// The reason why an option is not valid.
    invalid: Option<String>,
    credentials: OnceLock<Vec<HeaderName>>,
}

impl Cached {
    /// Creates the middleware with a time to live of `cache.ttl`, without tags.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum time that a response is cached.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    /// Adds tags by which [`Cache::invalidate`] reaches the responses. `{name}` stands for the value of the
    /// path parameter: `company:{cnpj}`.
    #[must_use]
    pub fn tags<'a>(mut self, tags: impl IntoIterator<Item = &'a str>) -> Self {
        for tag in tags {
            match Template::parse(tag) {
                Ok(tag) => self.tags.push(tag),
                Err(why) => self.invalid = Some(why),
            }
        }
        self
    }

    /// Identifies a response by this key instead of path and query: requests with the same key get
    /// the same response. `{name}` stands for the value of the path parameter, escaped as by
    /// [`key!`](crate::cache::key!), so that distinct values have distinct keys. [`Cache::delete`] with
    /// the same key invalidates the responses.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        match Template::parse(key) {
            Ok(key) => self.key = Some(key),
            Err(why) => self.invalid = Some(why),
        }
        self
    }

    /// Adds request headers on which the response depends. They are listed in its `Vary`.
    #[must_use]
    pub fn vary<'a>(mut self, headers: impl IntoIterator<Item = &'a str>) -> Self {
        for header in headers {
            match header.parse() {
                Ok(name) => self.vary.push(name),
                Err(_) => self.invalid = Some(format!("`{header}` is not a valid header name")),
            }
        }
        self
    }

    /// Gives all callers that the guard admits the same response.
    #[must_use]
    pub fn shared(self) -> Self {
        Self { shared: true, ..self }
    }

    /// Returns the cache key of the response to a request; `None` if it must not be cached.
    fn key_of(&self, head: &Head, audience: &Audience, own_key: Option<&str>) -> Option<String> {
        let key = ResponseKey {
            own_key,
            head,
            vary: &self.vary,
            credentials: match audience {
                Audience::Private => self.credentials.get().map_or(&[], Vec::as_slice),
                Audience::Public | Audience::Shared => &[],
                Audience::Uncacheable => return None,
            },
            is_secret: !matches!(audience, Audience::Public),
        };
        Some(key.key())
    }

    /// Returns the tags of the response to a request.
    fn tags_of(&self, parameters: &PathParameters, key: RouteKey) -> Arc<[String]> {
        let mut tags: Vec<String> = self.tags.iter().map(|tag| tag.fill(parameters)).collect();
        tags.extend(key.escaped.iter().chain(&key.plain).map(|key| tag_of_key(key)));
        tags.sort_unstable();
        tags.dedup();
        tags.into()
    }

    /// Returns whether all requests with the same key have the same tags.
    fn key_determines_tags(&self) -> bool {
        let is_in_key = |name| self.key.as_ref().is_none_or(|key| key.names().any(|it| it == name));
        self.tags.iter().flat_map(Template::names).all(is_in_key)
    }

    /// Returns which callers may get the response.
    fn audience(&self, headers: &HeaderMap, app: &Handle, guarded: bool) -> Audience {
        let known = self.credentials.get_or_init(|| credential_headers(app));
        let has_credentials = known.iter().any(|name| headers.contains_key(name));
        match (self.shared, has_credentials, guarded) {
            (true, _, true) | (true, true, false) => Audience::Shared,
            (false, true, _) if response_key::is_basic(headers) => Audience::Uncacheable,
            (false, true, _) => Audience::Private,
            (_, false, false) => Audience::Public,
            (false, false, true) => Audience::Uncacheable,
        }
    }

    /// Answers from the cache, or runs the handler and stores its response.
    async fn respond_cached(
        &self,
        cache: Cache,
        spec: EntrySpec,
        mut request: Request,
        rules: StorageRules<'_>,
        next: Next<'_>,
    ) -> Response {
        let condition = IfNoneMatch::from_headers(request.headers());
        let cached = match Inner::hit_or_compute(&cache.0, &spec).await {
            HitOrCompute::Hit(cached) => cached,
            HitOrCompute::Compute(guard) => {
                if request.method() == Method::HEAD {
                    // The cached response has to have a body, because it also answers GET.
                    *request.method_mut() = Method::GET;
                }
                let response = next.run(request).await;
                match CachedResponse::capture(response, &rules, cache.0.max_value_size).await {
                    Err(response) => {
                        guard.fail();
                        return response;
                    }
                    Ok(cached) => {
                        let cached = Arc::new(cached);
                        let response =
                            CachedResponse::from_value(&cached).map(|it| it.respond(&condition));
                        guard.store(cached).await;
                        return response.unwrap_or_default();
                    }
                }
            }
        };
        match CachedResponse::from_value(&cached) {
            Some(response) => response.respond(&condition),
            // Stored by a version of this crate with another format.
            None => {
                cache.delete(&spec.key).await;
                next.run(request).await
            }
        }
    }
}

/// The route's own key, filled in. `plain` is the same with unescaped values, if that is another text.
#[derive(Default)]
struct RouteKey {
    escaped: Option<String>,
    plain: Option<String>,
}

/// The callers that may get a cached response.
enum Audience {
    /// Everybody.
    Public,
    /// All callers that the guard admits.
    Shared,
    /// The caller with the same credentials.
    Private,
    /// No caller: nothing in the request's headers distinguishes this caller from others.
    Uncacheable,
}

impl Middleware for Cached {
    fn describe(&self, operation: &mut Operation) {
        operation.needs::<Cache>();
        operation.optionally(|operation| {
            operation.header_of::<String>(
                "If-None-Match",
                "The `ETag` of the response that the client has: 304 if it is still the same.",
            );
        });
        self.vary.iter().for_each(|name| operation.header(name.as_str().to_owned()));
        operation.response_empty(StatusCode::NOT_MODIFIED);
        for status in [StatusCode::OK, StatusCode::NOT_MODIFIED] {
            let etag = "Changes with the response; for `If-None-Match`.";
            operation.response_header(status, "ETag", etag);
            operation.response_header(
                status,
                "Cache-Control",
                "How long caches may store the response.",
            );
        }
    }

    fn problem(&self, at: &RouteContext<'_>) -> Option<String> {
        let other = at.methods.iter().find(|it| !matches!(**it, Method::GET | Method::HEAD));
        if let Some(method) = other {
            return Some(format!("`cached` is for GET: responses to {method} are not cached"));
        }
        if !at.guarded && !at.operation.security_schemes().is_empty() {
            return Some(
                "under `cached` the handler does not always run, so it cannot authenticate the caller\n    fix: write `#[protected]` (or `#[protected(optional)]`, \
                 `#[protected(api_key)]`) over it"
                    .into(),
            );
        }
        let unknown = self.tags.iter().chain(&self.key).find_map(|it| it.unknown_in(at.path));
        let unknown = unknown.map(|name| {
            format!("`cached` names `{{{name}}}`, which is not a parameter of the path")
        });
        self.invalid.clone().or(unknown)
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

    fn call<'a>(&'a self, request: Request, app: &'a Handle, next: Next<'a>) -> ResponseFuture<'a> {
        Box::pin(async move {
            let Ok(cache) = app.try_part::<Cache>() else { return next.run(request).await };
            let audience = match self.shared || next.reads_headers_only(app) {
                true => self.audience(request.headers(), app, next.guarded()),
                // Not cached, because different callers may send the same headers: those of a proxy, a cookie of the
                // page.
                false => Audience::Uncacheable,
            };
            let (mut head, body) = request.into_parts();
            let mut parameters = PathParameters::new();
            if self.key.as_ref().is_some_and(Template::has_parameters) {
                let Some(found) = response_key::parameters(&mut head).await else {
                    return next.run(Request::from_parts(head, body)).await;
                };
                parameters = found;
            }
            let route_key = self.key.as_ref().map_or_else(RouteKey::default, |key| {
                let (escaped, plain) = key.key(&parameters).into_parts();
                RouteKey { escaped: Some(escaped), plain }
            });
            let Some(key) = self.key_of(&head, &audience, route_key.escaped.as_deref()) else {
                return next.run(Request::from_parts(head, body)).await;
            };
            // Looked up before the tags are put together, because a hit in memory, the most common case,
            // does not need them.
            if self.key_determines_tags()
                && let Some(cached) = cache.0.get_from_memory(&key)
                && let Some(response) = CachedResponse::from_value(&cached)
            {
                return response.respond(&IfNoneMatch::from_headers(&head.headers));
            }
            if parameters.is_empty() && self.tags.iter().any(Template::has_parameters) {
                let Some(found) = response_key::parameters(&mut head).await else {
                    return next.run(Request::from_parts(head, body)).await;
                };
                parameters = found;
            }
            let spec = EntrySpec { key, ttl: self.ttl, tags: self.tags_of(&parameters, route_key) };
            let private = !matches!(audience, Audience::Public);
            let rules = StorageRules { vary: &self.vary, private };
            self.respond_cached(cache, spec, Request::from_parts(head, body), rules, next).await
        })
    }
}
