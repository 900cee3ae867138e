//! Compressed responses, and requests whose body is decoded.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_compression::tokio::bufread::{
    BrotliDecoder, BrotliEncoder, GzipDecoder, GzipEncoder, ZlibEncoder,
};
use piton::bytes::Bytes;
use piton::http::{ETag, Json, Preconditions, WithETag, get, post, put};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::{TestApp, TestResponse};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The codings of responses in this build, with their names.
const OFFERED: &[&str] =
    if cfg!(feature = "zstd") { &["zstd", "br", "gzip"] } else { &["br", "gzip"] };

async fn all_of(mut reader: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).await.unwrap();
    bytes
}

async fn decoded(answer: &TestResponse) -> String {
    let bytes = &answer.bytes()[..];
    let plain = match answer.header("content-encoding") {
        "" => bytes.to_vec(),
        "gzip" => all_of(GzipDecoder::new(bytes)).await,
        "br" => all_of(BrotliDecoder::new(bytes)).await,
        #[cfg(feature = "zstd")]
        "zstd" => all_of(async_compression::tokio::bufread::ZstdDecoder::new(bytes)).await,
        other => panic!("{other}"),
    };
    String::from_utf8(plain).unwrap()
}

async fn encoded(coding: &str, plain: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" | "x-gzip" => all_of(GzipEncoder::new(plain)).await,
        "deflate" => all_of(ZlibEncoder::new(plain)).await,
        "br" => all_of(BrotliEncoder::new(plain)).await,
        #[cfg(feature = "zstd")]
        "zstd" => all_of(async_compression::tokio::bufread::ZstdEncoder::new(plain)).await,
        other => panic!("{other}"),
    }
}

async fn long() -> String {
    "piton ".repeat(1000)
}

fn app() -> App {
    App::new("coded").no_scan().route(get("/long", long)).route(get("/short", async || "short"))
}

async fn compressing(app: App) -> TestApp {
    TestApp::new(app.set("http.compression", true)).await
}

#[piton::test]
async fn responses_are_compressed_for_those_who_ask_when_that_is_switched_on() {
    let on = compressing(app()).await;
    for coding in OFFERED {
        let answer = on.get("/long").header("accept-encoding", coding).await;
        assert_eq!(answer.header("content-encoding"), *coding);
        assert_eq!(answer.header("vary"), "accept-encoding");
        assert_eq!(answer.header("content-length"), "");
        assert!(answer.bytes().len() < 1000, "{coding}: {}", answer.bytes().len());
        assert_eq!(decoded(&answer).await, long().await);
    }
    let by_weight = on.get("/long").header("accept-encoding", "br;q=0.5, gzip").await;
    assert_eq!(by_weight.header("content-encoding"), "gzip");
    let plain = on.get("/long").await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
    let short = on.get("/short").header("accept-encoding", "gzip").await;
    assert_eq!((short.header("content-encoding"), short.header("vary")), ("", ""));
    let off = TestApp::new(app()).await;
    assert_eq!(off.get("/long").header("accept-encoding", "gzip").await.bytes().len(), 6000);
}

#[piton::test]
async fn a_client_that_accepts_nothing_gets_the_result_of_what_it_did() {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    async fn act() -> String {
        DONE.fetch_add(1, Ordering::Relaxed);
        long().await
    }
    let app = compressing(app().route(post("/act", act))).await;
    for (times, accepted) in (1..).zip(["identity;q=0", "*;q=0", "compress, *;q=0"]) {
        let answer = app.post("/act").header("accept-encoding", accepted).await;
        assert_eq!((answer.status().as_u16(), answer.bytes().len()), (200, 6000), "{accepted}");
        assert_eq!(answer.header("content-encoding"), "");
        assert_eq!(DONE.load(Ordering::Relaxed), times);
    }
}

async fn show(preconditions: Preconditions) -> WithETag<String> {
    WithETag::new(ETag::strong(7), long().await).or_not_modified(&preconditions)
}

async fn change(preconditions: Preconditions) -> Result<&'static str> {
    preconditions.check(Some(&ETag::strong(7)))?;
    Ok("changed")
}

#[piton::test]
async fn a_strong_tag_becomes_weak_by_compression_and_conditions_know_it() {
    let app = compressing(app().route(get("/it", show)).route(put("/it", change))).await;
    let plain = app.get("/it").await.header("etag").to_owned();
    assert_eq!(plain, "\"7\"");
    for coding in OFFERED {
        let compressed = app.get("/it").header("accept-encoding", coding).await;
        let weak = compressed.header("etag");
        assert_eq!(weak, format!("W/\"7--{coding}\""));
        for tag in [&*plain, weak] {
            let known = app.get("/it").header("accept-encoding", coding);
            let known = known.header("if-none-match", tag).await;
            assert_eq!((known.status().as_u16(), known.header("etag")), (304, tag));
            assert_eq!(known.header("vary"), "accept-encoding");
            assert_eq!(app.put("/it").header("if-match", tag).await.status(), 200, "{tag}");
            let excluded = app.put("/it").header("if-none-match", tag).await;
            assert_eq!(excluded.status(), 412, "{tag}");
        }
    }
    // The last but one is what a proxy makes of the strong tag: nobody knows what it changed.
    for other in ["\"8\"", "W/\"8--gzip\"", "W/\"7\"", "\"7--gzip\""] {
        assert_eq!(app.put("/it").header("if-match", other).await.status(), 412, "{other}");
    }
}

#[piton::test]
async fn the_head_of_a_compressed_response_is_that_of_the_get() {
    let app = compressing(app().route(get("/it", show))).await;
    for accepted in ["gzip", "identity"] {
        let get = app.get("/it").header("accept-encoding", accepted).await;
        let head = app.request(piton::axum::http::Method::HEAD, "/it");
        let head = head.header("accept-encoding", accepted).await;
        assert!(head.bytes().is_empty());
        for name in ["content-encoding", "vary", "etag", "content-type"] {
            assert_eq!(head.header(name), get.header(name), "{accepted} {name}");
        }
        assert_eq!(head.header("content-length").is_empty(), accepted == "gzip");
    }
}

#[piton::test]
async fn a_failure_is_a_readable_problem_for_clients_that_accept_codings() {
    async fn fail() -> Result<&'static str> {
        Err(Error::not_found("nothing ".repeat(500)))
    }
    let app = compressing(app().route(get("/fail", fail))).await;
    let answer = app.get("/fail").header("accept-encoding", "gzip").await;
    assert_eq!((answer.status().as_u16(), answer.is_problem()), (404, true));
    assert!(answer.json::<Value>()["detail"].as_str().unwrap().starts_with("nothing nothing"));
}

#[cfg(feature = "cache")]
#[piton::test]
async fn a_cached_response_has_the_tag_of_its_form_each_time() {
    use piton::cache::Cached;

    async fn tagged() -> ([(&'static str, &'static str); 1], String) {
        ([("etag", "\"mine\"")], long().await)
    }
    let cached = |path| get(path, long).middleware(Cached::new());
    let app = app().route(cached("/own")).route(get("/tagged", tagged).middleware(Cached::new()));
    let app = compressing(app).await;
    for (path, weak) in [("/tagged", Some("W/\"mine--gzip\"")), ("/own", None)] {
        let first = app.get(path).header("accept-encoding", "gzip").await;
        let again = app.get(path).header("accept-encoding", "gzip").await;
        let tag = first.header("etag");
        assert!(tag.starts_with("W/\"") && weak.is_none_or(|weak| weak == tag), "{path} {tag}");
        assert_eq!(again.header("etag"), tag, "{path}");
        assert_eq!(decoded(&again).await, long().await);
        let known = app.get(path).header("accept-encoding", "gzip").header("if-none-match", tag);
        let known = known.await;
        assert_eq!((known.status().as_u16(), known.header("etag")), (304, tag), "{path}");
        assert!(known.header("vary").contains("accept-encoding"), "{path}");
    }
    assert_eq!(app.get("/tagged").await.header("etag"), "\"mine\"");
}

async fn echo(Json(value): Json<Value>) -> Json<Value> {
    Json(value)
}

async fn length(body: Bytes) -> String {
    body.len().to_string()
}

async fn decoding() -> TestApp {
    let app = app().route(post("/json", echo)).route(post("/length", length));
    let app = app.set("http.encoded_requests", "decode").set("http.body_limit", "64KiB");
    TestApp::new(app).await
}

#[piton::test]
async fn the_body_of_a_request_is_decoded_when_that_is_switched_on() {
    let app = decoding().await;
    let value = json!({ "text": "x".repeat(10_000) });
    let plain = value.to_string();
    let send = |coding: &str, body: Vec<u8>| {
        let request = app.post("/json").header("content-type", "application/json");
        request.header("content-encoding", coding).body(body)
    };
    for coding in OFFERED.iter().chain(&["deflate", "x-gzip"]) {
        let body = encoded(coding, plain.as_bytes()).await;
        assert!(body.len() < 1000);
        for name in [coding.to_string(), coding.to_uppercase(), format!("identity, {coding}")] {
            let answer = send(&name, body.clone()).await;
            assert_eq!(answer.status(), 200, "{name}: {}", answer.text());
            assert_eq!(answer.json::<Value>(), value, "{name}");
        }
    }
    let members = [encoded("gzip", b"{\"a\":").await, encoded("gzip", b"1}").await].concat();
    assert_eq!(send("gzip", members).await.text(), r#"{"a":1}"#);
}

#[piton::test]
async fn a_coding_that_is_not_supported_is_415_with_those_that_are() {
    let app = decoding().await;
    for coding in ["compress", "gzip, x", "gzip, gzip", "gzip;q=1"] {
        let answer = app.post("/length").header("content-encoding", coding).body("x").await;
        assert_eq!((answer.status().as_u16(), answer.is_problem()), (415, true), "{coding}");
        let supported = answer.header("accept-encoding");
        assert!(supported.starts_with("gzip, deflate, br"), "{supported}");
        assert_eq!(supported.ends_with("zstd"), cfg!(feature = "zstd"));
    }
}

#[piton::test]
async fn a_small_body_that_decodes_to_a_large_one_is_413() {
    let app = decoding().await;
    for coding in OFFERED.iter().chain(&["deflate"]) {
        for (size, expected) in [(64 << 10, 200), ((64 << 10) + 1, 413), (32 << 20, 413)] {
            let bomb = encoded(coding, &vec![0; size]).await;
            assert!(bomb.len() < 64 << 10, "{coding}: {}", bomb.len());
            let answer = app.post("/length").header("content-encoding", coding).body(bomb).await;
            assert_eq!(answer.status(), expected, "{coding} {size}: {}", answer.text());
        }
    }
    let large = app.post("/length").header("content-encoding", "gzip").body(vec![0; 65 << 10]);
    assert_eq!(large.await.status(), 413, "the compressed body is limited, too");
}

/// Returns a series of empty gzip members of about `size` bytes.
async fn empty_members(size: usize) -> Vec<u8> {
    let member = encoded("gzip", b"").await;
    member.repeat(size / member.len())
}

#[piton::test]
async fn other_tasks_run_while_a_body_without_content_is_decoded() {
    let app = decoding().await;
    let body = empty_members(60 << 10).await;
    let mut polls = 0;
    let request = app.post("/length").header("content-encoding", "gzip").body(body);
    let mut request = std::pin::pin!(request.into_future());
    let answer = std::future::poll_fn(|cx| {
        polls += 1;
        request.as_mut().poll(cx)
    })
    .await;
    assert_eq!(answer.text(), "0");
    assert!(polls >= 10, "it was decoded in {polls} polls");
}

#[piton::test]
async fn a_body_that_is_not_what_it_says_is_400() {
    let app = decoding().await;
    let text = json!("text ".repeat(500)).to_string();
    for coding in OFFERED.iter().chain(&["deflate"]) {
        let whole = encoded(coding, text.as_bytes()).await;
        let truncated = whole[..whole.len() - 5].to_vec();
        for body in [b"{\"a\":1}".to_vec(), truncated] {
            let request = app.post("/json").header("content-type", "application/json");
            let answer = request.header("content-encoding", coding).body(body).await;
            assert_eq!((answer.status().as_u16(), answer.is_problem()), (400, true), "{coding}");
            assert!(answer.text().contains("content-encoding"), "{coding}: {}", answer.text());
        }
    }
}
