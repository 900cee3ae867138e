//! `#[cached]` and `#[piton::memoize]` through `TestApp`.

use std::sync::atomic::{AtomicU32, Ordering};

use piton::cache::Cached;
use piton::http::get;
use piton::prelude::*;
use piton::testing::TestApp;

/// Counts the runs of a handler, for each test by its own name in the path.
static RUNS: AtomicU32 = AtomicU32::new(0);

fn run() -> u32 {
    RUNS.fetch_add(1, Ordering::SeqCst)
}

mod inside {
    use piton::http::Json;

    use super::*;

    piton::blueprint!("/cached", tag = "cached");

    #[get("/numbers/{name}")]
    #[cached(ttl = "60s", tags = ["numbers", "number:{name}"])]
    async fn number(Path(name): Path<String>) -> Json<(String, u32)> {
        Json((name, run()))
    }

    #[cached(key = "page:{name}")]
    #[get("/pages/{name}")]
    async fn page(Path(_): Path<String>) -> String {
        run().to_string()
    }

    #[cached(key = "k:{a}-{b}")]
    #[get("/pairs/{a}/{b}")]
    async fn pair(Path((a, b)): Path<(String, String)>) -> String {
        format!("{a} and {b} {}", run())
    }

    #[cached(key = "{a}{b}")]
    #[get("/joined/{a}/{b}")]
    async fn joined(Path((a, b)): Path<(String, String)>) -> String {
        format!("{a} and {b}")
    }

    #[cached(key = "bytes:{any}", tags = ["bytes:{any}"])]
    #[get("/bytes/{any}")]
    async fn bytes(uri: piton::axum::http::Uri) -> String {
        uri.path().to_owned()
    }

    #[derive(Deserialize, JsonSchema)]
    struct Two {
        a: String,
        b: String,
    }

    #[piton::memoize(key = "pair:{a}-{b}")]
    pub async fn pair_of(a: &str, b: &str) -> (String, String, u32) {
        (a.to_owned(), b.to_owned(), run())
    }

    #[piton::memoize(key = "perhaps:{a:?}{b:?}")]
    pub async fn perhaps(a: Option<&str>, b: Option<&str>) -> (Option<String>, Option<String>) {
        (a.map(str::to_owned), b.map(str::to_owned))
    }

    #[piton::memoize(key = "default")]
    pub async fn default_of<T>() -> T
    where
        T: Default + serde::Serialize + serde::de::DeserializeOwned,
    {
        T::default()
    }

    pub struct States;
    pub struct Cities;

    impl States {
        #[piton::memoize]
        pub async fn all() -> Vec<String> {
            vec!["SP".to_owned()]
        }
    }

    impl Cities {
        #[piton::memoize]
        pub async fn all() -> Vec<String> {
            vec!["Santos".to_owned()]
        }
    }

    #[get("/pair-of")]
    async fn pairs_of(Query(two): Query<Two>) -> Json<(String, String, u32)> {
        Json(pair_of(&two.a, &two.b).await)
    }

    #[get("/languages")]
    #[cached(vary = ["accept-language"])]
    async fn language(headers: piton::axum::http::HeaderMap) -> String {
        let language = headers.get("accept-language").and_then(|value| value.to_str().ok());
        format!("{} {}", language.unwrap_or("none"), run())
    }

    #[get("/failing")]
    #[cached]
    async fn failing() -> Result<String> {
        Err(Error::not_found(format!("number {}", run())))
    }

    #[get("/cookie")]
    #[cached]
    async fn cookie() -> impl piton::axum::response::IntoResponse {
        ([("set-cookie", "a=b")], run().to_string())
    }

    #[get("/headers")]
    #[cached]
    async fn headers() -> impl piton::axum::response::IntoResponse {
        run();
        ([("cache-control", "max-age=5"), ("etag", "\"mine\""), ("x-total", "7")], "body")
    }

    #[get("/panics")]
    #[cached]
    async fn panics() -> String {
        assert!(run() == u32::MAX, "on purpose");
        String::new()
    }

    #[post("/numbers")]
    async fn change(cache: Cache) -> NoContent {
        cache.invalidate(["number:a"]).await;
        NoContent
    }

    #[piton::memoize(ttl = "60s", tags = ["double:{number}"], key = "double:{number}")]
    async fn double(_db: &str, mut number: u32) -> Result<u32> {
        if number == 0 {
            return Err(Error::bad_request("zero"));
        }
        run();
        number *= 2;
        Ok(number)
    }

    #[piton::memoize]
    async fn seven() -> u32 {
        run();
        7
    }

    #[get("/double/{number}")]
    async fn doubled(Path(number): Path<u32>) -> Result<Json<u32>> {
        Ok(Json(double("a database", number).await? + seven().await))
    }
}

async fn app() -> TestApp {
    TestApp::new(App::new("it").blueprints(["cached::inside"])).await
}

#[piton::test]
async fn a_response_is_cached_by_path_and_query_until_its_tag_is_invalidated() {
    let app = app().await;
    let first = app.get("/cached/numbers/a").await;
    let again = app.get("/cached/numbers/a").await;
    assert_eq!((first.status(), first.text()), (StatusCode::OK, again.text()));
    assert_ne!(app.get("/cached/numbers/a?x=1").await.text(), first.text());
    let other = app.get("/cached/numbers/b").await.text();
    assert_eq!(app.post("/cached/numbers").await.status(), 204);
    assert_ne!(app.get("/cached/numbers/a").await.text(), first.text());
    assert_eq!(app.get("/cached/numbers/b").await.text(), other);
    app.handle().cache().invalidate(["numbers"]).await;
    assert_ne!(app.get("/cached/numbers/b").await.text(), other);
}

#[piton::test]
async fn a_cached_response_equals_the_first_but_for_the_requests_headers() {
    let app = app().await;
    let (first, again) = (app.get("/cached/headers").await, app.get("/cached/headers").await);
    let headers = |answer: &piton::testing::TestResponse| {
        let mut headers = answer.headers().clone();
        headers.remove("x-request-id").expect("each has its own");
        headers
    };
    assert_eq!(headers(&first), headers(&again));
    assert_ne!(first.header("x-request-id"), again.header("x-request-id"));
    assert_eq!(again.header("x-total"), "7");
    assert_eq!(again.header("cache-control"), "max-age=5");
    assert_eq!(again.header("etag"), "\"mine\"");
    assert_eq!(again.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(again.header("content-length"), "4");
}

#[piton::test]
async fn a_client_that_has_the_response_gets_304() {
    let app = app().await;
    let first = app.get("/cached/numbers/a").await;
    let etag = first.header("etag");
    assert!(etag.starts_with("W/\""), "{etag}");
    assert_eq!(first.header("cache-control"), "no-cache");
    let same = app.get("/cached/numbers/a").header("if-none-match", etag).await;
    assert_eq!(same.status(), 304);
    assert_eq!((same.text().as_str(), same.header("etag")), ("", etag));
    assert_eq!(same.header("cache-control"), "no-cache");
    assert_eq!(same.header("content-type"), "");
    // Also for a response that is not cached yet, and not for one that has changed.
    app.handle().cache().clear().await;
    let changed = app.get("/cached/numbers/a").header("if-none-match", etag).await;
    assert_eq!(changed.status(), 200);
    app.handle().cache().clear().await;
    let fresh = app.get("/cached/headers").header("if-none-match", "\"mine\"").await;
    assert_eq!(fresh.status(), 304);
}

#[piton::test]
async fn head_and_get_share_a_response() {
    let app = app().await;
    let head = app.request(piton::axum::http::Method::HEAD, "/cached/numbers/a").await;
    let get = app.get("/cached/numbers/a").await;
    assert_eq!((head.status(), head.text().as_str()), (StatusCode::OK, ""));
    assert_eq!(head.header("etag"), get.header("etag"));
    assert_eq!(head.header("content-length"), get.text().len().to_string());
}

#[piton::test]
async fn a_routes_own_key_replaces_path_and_query_and_can_be_deleted() {
    let app = app().await;
    let first = app.get("/cached/pages/a?x=1").await.text();
    assert_eq!(app.get("/cached/pages/a?x=2").await.text(), first);
    assert_ne!(app.get("/cached/pages/b").await.text(), first);
    app.handle().cache().delete("page:a").await;
    assert_ne!(app.get("/cached/pages/a?x=1").await.text(), first);
}

#[piton::test]
async fn distinct_parameters_have_distinct_responses_whatever_text_is_between_them() {
    let app = app().await;
    let cache = app.handle().cache();
    for (one, other) in
        [("1-2/3", "1/2-3"), ("%25/%252D", "%25-/%25"), ("-/-", "--/%2D%2D"), ("a/-b", "a-/b")]
    {
        let (first, second) = (format!("/cached/pairs/{one}"), format!("/cached/pairs/{other}"));
        let (first, second) = (app.get(&first).await.text(), app.get(&second).await.text());
        let without_run = |text: &str| text.rsplit_once(' ').unwrap().0.to_owned();
        assert_ne!(without_run(&first), without_run(&second), "{one} and {other}");
        assert_eq!(app.get(&format!("/cached/pairs/{one}")).await.text(), first);
    }
    assert_eq!(app.get("/cached/joined/1/23").await.text(), "1 and 23");
    assert_eq!(app.get("/cached/joined/12/3").await.text(), "12 and 3");
    // `delete` finds the response by a key from `key!` and by one from `format!`.
    let first = app.get("/cached/pairs/1-2/3").await.text();
    let (a, b) = ("1-2", "3");
    cache.delete(&piton::cache::key!("k:{a}-{b}")).await;
    let second = app.get("/cached/pairs/1-2/3").await.text();
    assert_ne!(second, first);
    cache.delete("k:1-2-3").await;
    assert_ne!(app.get("/cached/pairs/1-2/3").await.text(), second);
    let long = "a-".repeat(300);
    let address = format!("/cached/pages/{long}");
    let first = app.get(&address).await.text();
    assert_eq!(app.get(&address).await.text(), first);
    cache.delete(&format!("page:{long}")).await;
    assert_ne!(app.get(&address).await.text(), first);
}

#[piton::test]
async fn a_path_that_is_not_utf8_is_not_mistaken_for_another() {
    let app = app().await;
    for address in ["/cached/bytes/%ff", "/cached/bytes/%fe", "/cached/bytes/a"] {
        assert_eq!(app.get(address).await.text(), address);
    }
}

#[piton::test]
async fn distinct_arguments_have_distinct_values() {
    let app = app().await;
    let of = async |a: &str, b: &str| {
        app.get(&format!("/cached/pair-of?a={a}&b={b}")).await.json::<(String, String, u32)>()
    };
    for (a, b) in [("1-2", "3"), ("1", "2-3"), ("", "-"), ("-", ""), ("1", "2"), ("%252D", "1")] {
        let (first, second, run) = of(a, b).await;
        assert_eq!((&*first, &*second), (&*a.replace("%25", "%"), b));
        assert_eq!(of(a, b).await.2, run, "{a} {b}");
    }
    let cache = app.handle().cache();
    let run = of("1-2", "3").await.2;
    cache.delete("pair:1-2-3").await;
    let again = of("1-2", "3").await.2;
    assert_ne!(again, run, "the text that `format!` makes forgets it, too");
    let (a, b) = ("1-2", "3");
    let kept: Option<(String, String, u32)> = cache.get(&piton::cache::key!("pair:{a}-{b}")).await;
    assert_eq!(kept.map(|kept| kept.2), Some(again));
    cache.delete(&piton::cache::key!("pair:{a}-{b}")).await;
    assert_ne!(of("1-2", "3").await.2, again);
}

#[piton::test]
async fn none_types_and_functions_of_one_name_have_distinct_keys() {
    async fn all() -> Json<Vec<String>> {
        let mut seen = Vec::new();
        for (a, b) in [(None, Some("None")), (Some("None"), None), (None, None)] {
            seen.push(format!("{:?}", inside::perhaps(a, b).await));
        }
        seen.push(format!("{:?}", inside::default_of::<u8>().await));
        seen.push(format!("{:?}", inside::default_of::<i64>().await));
        seen.push(format!("{:?}", inside::default_of::<String>().await));
        seen.push(format!("{:?}", inside::default_of::<Option<u8>>().await));
        seen.push(inside::States::all().await.concat());
        seen.push(inside::Cities::all().await.concat());
        Json(seen)
    }
    let app = App::new("it").blueprints(["cached::inside"]).route(get("/all", all));
    let app = TestApp::new(app).await;
    let seen = app.get("/all").await.json::<Vec<String>>();
    assert_eq!(
        seen,
        [
            r#"(None, Some("None"))"#,
            r#"(Some("None"), None)"#,
            "(None, None)",
            "0",
            "0",
            "\"\"",
            "None",
            "SP",
            "Santos"
        ]
    );
    assert_eq!(app.get("/all").await.json::<Vec<String>>(), seen);
}

#[piton::test]
async fn a_response_may_vary_by_headers_and_says_so() {
    let app = app().await;
    let of =
        |language: &'static str| app.get("/cached/languages").header("accept-language", language);
    let (pt, en) = (of("pt").await, of("en").await);
    assert!(pt.text().starts_with("pt") && en.text().starts_with("en"));
    assert_eq!(of("pt").await.text(), pt.text());
    assert_eq!(pt.header("vary"), "accept-language");
}

#[piton::test]
async fn errors_cookies_and_panics_are_not_cached() {
    let app = app().await;
    for path in ["/cached/failing", "/cached/cookie", "/cached/panics"] {
        let before = RUNS.load(Ordering::SeqCst);
        let (first, again) = (app.get(path).await, app.get(path).await);
        assert_eq!(first.status(), again.status(), "{path}");
        assert!(RUNS.load(Ordering::SeqCst) >= before + 2, "{path}");
        assert_eq!(first.header("etag"), "", "{path}");
    }
    assert!(app.get("/cached/failing").await.is_problem());
    assert_eq!(app.get("/cached/panics").await.status(), 500);
}

#[piton::test]
async fn a_function_is_memoized_by_its_key_and_its_errors_are_not() {
    let app = app().await;
    assert_eq!(app.get("/cached/double/21").await.json::<u32>(), 49);
    let cache = app.handle().cache();
    assert_eq!(cache.get::<u32>("double:21").await, Some(42));
    assert_eq!(cache.get::<u32>("it::cached::inside::seven").await, Some(7));
    cache.entry("double:21").tags(["double:21"]).set(&1).await;
    assert_eq!(app.get("/cached/double/21").await.json::<u32>(), 8);
    cache.delete("double:21").await;
    assert_eq!(app.get("/cached/double/21").await.json::<u32>(), 49);
    cache.invalidate(["double:21"]).await;
    assert_eq!(cache.get::<u32>("double:21").await, None);
    assert_eq!(app.get("/cached/double/0").await.status(), 400);
    assert_eq!(cache.get::<u32>("double:0").await, None);
}

async fn slow() -> String {
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    run().to_string()
}

#[piton::test]
async fn a_hundred_requests_are_one_run_of_the_handler() {
    let app = App::new("by_hand")
        .blueprints(["nothing"])
        .route(get("/slow", slow).middleware(Cached::new()));
    let app = TestApp::new(app).await;
    let requests = (0..100).map(|_| async { app.get("/slow").await.text() });
    let texts = futures_util::future::join_all(requests).await;
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
}

#[piton::test]
async fn a_key_without_a_parameter_of_the_tags_does_not_hide_a_tag() {
    async fn number(Path(_): Path<(String, String)>) -> String {
        run().to_string()
    }
    let cached = Cached::new().key("k:{a}").tags(["t:{b}"]);
    let app = App::new("by_hand").blueprints(["nothing"]);
    let app = TestApp::new(app.route(get("/k/{a}/{b}", number).middleware(cached))).await;
    let first = app.get("/k/1/x").await.text();
    assert_eq!(app.get("/k/1/x").await.text(), first);
    let other = app.get("/k/1/y").await.text();
    assert_eq!(app.get("/k/1/y").await.text(), other);
    app.handle().cache().invalidate(["t:y"]).await;
    assert_ne!(app.get("/k/1/y").await.text(), other);
}

/// Returns the error of an app that cannot be launched.
async fn refused(route: piton::http::Route) -> String {
    let app = App::new("by_hand").blueprints(["nothing"]).route(route);
    let launched = tokio::spawn(async move {
        TestApp::new(app).await;
    });
    let panic = launched.await.expect_err("it is refused").into_panic();
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[piton::test]
async fn a_route_that_cannot_be_cached_is_refused_at_launch() {
    async fn hello() -> &'static str {
        "hello"
    }
    let named = get("/{id}", hello).middleware(Cached::new().tags(["company:{cnpj}"]));
    assert!(refused(named).await.contains("`{cnpj}`, which is not a parameter of the path"));
    let braces = get("/", hello).middleware(Cached::new().key("a{"));
    assert!(refused(braces).await.contains("braces"));
    let header = get("/", hello).middleware(Cached::new().vary(["not a header"]));
    assert!(refused(header).await.contains("is not a valid header name"));
    let post = piton::http::post("/", hello).middleware(Cached::new());
    assert!(refused(post).await.contains("is for GET"));
}

/// Tests with Redis, also while it is unavailable.
#[cfg(feature = "redis")]
mod by_redis {
    use std::time::{Duration, Instant};

    use test_support::redis::Redis;

    use super::*;

    async fn app(server: &Redis) -> TestApp {
        let app = App::new("it")
            .blueprints(["cached::inside"])
            .set("cache.host", "127.0.0.1")
            .set("cache.timeout", "100ms")
            .set("cache.port", server.port());
        TestApp::new(app).await
    }

    #[piton::test]
    async fn two_processes_share_a_response_with_its_headers() {
        let server = Redis::start();
        let (one, other) = (app(&server).await, app(&server).await);
        let first = one.get("/cached/headers").await;
        let again = other.get("/cached/headers").await;
        assert_eq!(first.header("x-total"), again.header("x-total"));
        assert_eq!(first.header("etag"), again.header("etag"));
        let number = one.get("/cached/numbers/a").await.text();
        assert_eq!(other.get("/cached/numbers/a").await.text(), number);
        assert_eq!(other.post("/cached/numbers").await.status(), 204);
        assert_ne!(one.get("/cached/numbers/a").await.text(), number);
    }

    #[piton::test]
    async fn credentials_are_not_readable_in_redis() {
        let server = Redis::start();
        let app = app(&server).await;
        let hidden = app.get("/cached/numbers/a").header("authorization", "Bearer hunter2");
        assert_eq!(hidden.await.status(), 200);
        let keys = server.command(&["KEYS", "*"]);
        assert!(keys.contains("it-local:cache:d:#") && !keys.contains("hunter2"), "{keys}");
    }

    #[piton::test]
    async fn no_request_fails_while_redis_is_killed_paused_and_restarted() {
        let mut server = Redis::start();
        let app = app(&server).await;
        let up = async || {
            app.handle().health().await.iter().all(|part| part.health == piton::part::Health::Up)
        };
        let ask = async || {
            for number in 0..20 {
                let path = format!("/cached/numbers/{number}");
                assert_eq!(app.get(&path).await.status(), 200);
                assert_eq!(app.post("/cached/numbers").await.status(), 204);
            }
        };
        ask().await;
        server.kill();
        ask().await;
        assert_eq!(app.get("/readyz").await.status(), 200);
        server.start_again();
        ask().await;
        test_support::wait_for("the return", up).await;
        server.freeze();
        let begin = Instant::now();
        ask().await;
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?} for forty requests");
        server.thaw();
        test_support::wait_for("the return", up).await;
        ask().await;
    }
}

/// Tests with guards: they run for hits too, and callers have separate responses.
#[cfg(feature = "api-key")]
mod guarded {
    use std::sync::atomic::AtomicBool;

    use piton::auth::api_key::ApiKeyGuard;

    use super::*;

    const KEY: &str = "a-key-of-24-characters!!";

    async fn mine() -> String {
        run().to_string()
    }

    async fn guarded(cached: Cached) -> TestApp {
        let route = get("/mine", mine).guard(ApiKeyGuard::new()).middleware(cached);
        TestApp::new(
            App::new("by_hand").blueprints(["nothing"]).route(route).set("api_key.key", KEY),
        )
        .await
    }

    #[piton::test]
    async fn the_guard_runs_first_also_for_cached_responses() {
        for cached in [Cached::new(), Cached::new().shared()] {
            let app = guarded(cached).await;
            let first = app.get("/mine").header("x-api-key", KEY).await;
            let again = app.get("/mine").header("x-api-key", KEY).await;
            assert_eq!(first.text(), again.text());
            assert_eq!(first.header("cache-control"), "private, no-cache");
            assert_eq!(app.get("/mine").await.status(), 401);
            assert_eq!(app.get("/mine").header("x-api-key", "wrong").await.status(), 401);
            let etag = first.header("etag");
            assert_eq!(app.get("/mine").header("if-none-match", etag).await.status(), 401);
        }
    }

    #[piton::test]
    async fn a_response_is_cached_per_caller_unless_it_is_shared() {
        let app = guarded(Cached::new()).await;
        let of = |cookie: &'static str| {
            let request = app.get("/mine").header("x-api-key", KEY).header("cookie", cookie);
            async { request.await.text() }
        };
        let one = of("who=one").await;
        assert_eq!(of("who=one").await, one);
        assert_ne!(of("who=other").await, one);
        let app = guarded(Cached::new().shared()).await;
        let of = |cookie: &'static str| {
            let request = app.get("/mine").header("x-api-key", KEY).header("cookie", cookie);
            async { request.await.text() }
        };
        assert_eq!(of("who=one").await, of("who=other").await);
    }

    #[piton::test]
    async fn a_response_to_credentials_is_private_without_a_guard_too() {
        let route = get("/mine", mine).middleware(Cached::new());
        let app = TestApp::new(App::new("by_hand").blueprints(["nothing"]).route(route)).await;
        let of = |value: &'static str| {
            let request = app.get("/mine").header("authorization", value);
            async { request.await.text() }
        };
        let one = of("Bearer one").await;
        assert_eq!(of("Bearer one").await, one);
        assert_ne!(of("Bearer other").await, one);
        assert_ne!(app.get("/mine").await.text(), one);
        // Not cached, because the password could be guessed from the hash in the key.
        assert_ne!(of("Basic b25lOnR3bw==").await, of("Basic b25lOnR3bw==").await);
    }

    static OPEN: AtomicBool = AtomicBool::new(true);

    /// A custom guard that reads credentials of its own.
    struct Tenant;

    impl piton::http::Guard for Tenant {
        fn describe(&self, _: &mut piton::http::Operation) {}

        fn check<'a>(
            &'a self,
            _: &'a mut piton::axum::http::request::Parts,
            _: &'a Handle,
        ) -> piton::http::GuardFuture<'a> {
            let open = OPEN.load(Ordering::SeqCst);
            Box::pin(async move {
                open.then_some(()).ok_or_else(|| Error::forbidden("not this tenant"))
            })
        }
    }

    #[piton::test]
    async fn behind_a_guard_a_caller_without_credentials_is_not_cached() {
        let route = |path: &'static str, cached| get(path, mine).guard(Tenant).middleware(cached);
        let app = App::new("by_hand")
            .blueprints(["nothing"])
            .route(route("/own", Cached::new()))
            .route(route("/shared", Cached::new().shared()));
        let app = TestApp::new(app).await;
        assert_ne!(app.get("/own").await.text(), app.get("/own").await.text());
        assert_eq!(app.get("/shared").await.text(), app.get("/shared").await.text());
        OPEN.store(false, Ordering::SeqCst);
        assert_eq!(app.get("/shared").await.status(), 403);
    }

    mod asks_itself {
        use super::*;

        piton::blueprint!("/asks-itself");

        #[get("/")]
        #[cached]
        async fn who(key: piton::auth::api_key::ApiKey) -> String {
            key.name().unwrap_or("the one key").to_owned()
        }
    }

    #[piton::test]
    async fn a_handler_that_authenticates_by_itself_is_refused_at_launch() {
        let app =
            App::new("it").blueprints(["guarded::asks_itself", "cached::guarded::asks_itself"]);
        let app = app.set("api_key.key", KEY);
        let launched = tokio::spawn(async move {
            TestApp::new(app).await;
        });
        let panic = launched.await.expect_err("it is refused").into_panic();
        let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(said.contains("write `#[protected]`"), "{said}");
    }
}

#[cfg(feature = "jwt")]
#[piton::test]
async fn a_caller_with_a_token_outside_the_headers_never_gets_anothers_response() {
    use piton::auth::jwt::TokenGuard;
    use piton::serde_json::json;

    async fn me(who: Option<Identity>) -> String {
        who.map_or_else(|| "nobody".to_owned(), |who| who.subject().to_owned())
    }

    for location in ["json", "query_string"] {
        let cached = || Cached::new().key("me");
        let app = App::new("app")
            .no_scan()
            .route(get("/me", me).guard(TokenGuard::new()).middleware(cached()))
            .route(get("/perhaps", me).guard(TokenGuard::new().optional()).middleware(cached()))
            .set("jwt.location", location)
            .set("log.level", "critical");
        let app = TestApp::new(app).await;
        let ask = async |path: &str, name: Option<&str>| {
            let token = name.map(|name| app.handle().tokens().access(name).sign().unwrap());
            let request = match (location, &token) {
                ("json", Some(token)) => app.get(path).json(&json!({ "access_token": token })),
                (_, Some(token)) => app.get(&format!("{path}?jwt={token}")),
                (_, None) => app.get(path),
            };
            // Sent by all callers: the cookie of a page, the credentials of a proxy.
            request.header("cookie", "theme=dark").header("authorization", "Proxy x").await.text()
        };
        assert_eq!(ask("/me", Some("ada")).await, "ada", "{location}");
        assert_eq!(ask("/me", Some("bob")).await, "bob", "{location}");
        assert_eq!(ask("/perhaps", None).await, "nobody", "{location}");
        assert_eq!(ask("/perhaps", Some("ada")).await, "ada", "{location}");
        assert_eq!(ask("/perhaps", None).await, "nobody", "{location}");
    }
}
