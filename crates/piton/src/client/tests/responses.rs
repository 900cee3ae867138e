//! Reading a response, up to its maximum size.

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::config::ByteSize;

#[piton::test]
async fn a_response_is_read_as_text_bytes_json_or_chunks() {
    let server = Scripted::new(&[&ok("[1]")]).await;
    let app = caller(app()).await;
    let get = || app.handle().external().get(&server.url("/")).send();
    let answer = get().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.header("content-length")), (200, Some("3")));
    assert_eq!(answer.text().await.unwrap(), "[1]");
    assert_eq!(&get().await.unwrap().bytes().await.unwrap()[..], b"[1]");
    assert_eq!(get().await.unwrap().json::<Vec<u8>>().await.unwrap(), [1]);
    let (mut answer, mut all) = (get().await.unwrap(), Vec::new());
    while let Some(chunk) = answer.chunk().await.unwrap() {
        all.extend_from_slice(&chunk);
    }
    assert_eq!(all, b"[1]");
}

#[piton::test]
async fn a_status_is_an_error_only_with_error_for_status() {
    let answers = [answer("404 Not Found", "", "nothing"), answer("500 Oops", "", r#"{"a":1}"#)];
    let server = Scripted::new(&[&answers[0], &answers[0], &answers[1]]).await;
    let app = caller(app()).await;
    let get = || app.handle().external().get(&server.url("/")).send();
    let error = get().await.unwrap().error_for_status().unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (Kind::Status, 404));
    assert_eq!(error.to_string(), "host 127.0.0.1: answered 404");
    // The status is the error, because it says more than a body of another shape.
    let error = get().await.unwrap().json::<Value>().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Status);
    assert_eq!(get().await.unwrap().json::<Value>().await.unwrap()["a"], 1);
}

#[piton::test]
async fn an_error_in_json_names_the_place_and_not_the_text() {
    let server = Scripted::new(&[&ok(r#"["hunter2"]"#), &ok("hunter2")]).await;
    let app = caller(app()).await;
    for what in ["the JSON has another shape than expected", "the response is not JSON"] {
        let answer = app.handle().external().get(&server.url("/")).send().await.unwrap();
        let error = answer.json::<Vec<u8>>().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Decode);
        assert!(error.to_string().contains(what), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[piton::test]
async fn a_response_above_the_limit_is_refused_with_and_without_its_length() {
    let body = "x".repeat(2000);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
         3e8\r\n{0}\r\n3e8\r\n{0}\r\n0\r\n\r\n",
        "x".repeat(1000)
    );
    let until_close = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}");
    for sent in [ok(&body), chunked, until_close] {
        let server = Scripted::new(&[&sent]).await;
        let app = caller(app().set("client.answer_limit", "1999B")).await;
        let get = || app.handle().external().get(&server.url("/"));
        let error = get().send().await.unwrap().bytes().await.unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge);
        assert_eq!(error.to_string(), "host 127.0.0.1: the response is larger than 1999B");
        let more = get().answer_limit(ByteSize::bytes(2000)).send().await.unwrap();
        assert_eq!(more.bytes().await.unwrap().len(), 2000);
    }
}

#[piton::test]
async fn the_limit_counts_the_decompressed_size() {
    use crate::http::get;
    use crate::testing::TestServer;
    use axum::response::IntoResponse;

    /// 1 MiB of zeros, compressed with `gzip -9n`.
    async fn bomb() -> axum::response::Response {
        let packed: &[u8] = include_bytes!("zeros.gz");
        ([("content-encoding", "gzip")], packed).into_response()
    }

    let server = TestServer::start(App::new("bomber").route(get("/", bomb))).await;
    let app = caller(app().set("client.answer_limit", "512KiB")).await;
    let get = || app.handle().external().get(&server.url("/"));
    let error = get().send().await.unwrap().bytes().await.unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    let whole = get().answer_limit(ByteSize::mib(1)).send().await.unwrap().bytes().await.unwrap();
    assert!(whole.len() == 1 << 20 && whole.iter().all(|byte| *byte == 0));
}

#[piton::test]
async fn a_body_that_stalls_fails_at_the_calls_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        std::future::pending::<()>().await;
    });
    let app = caller(app()).await;
    let call = app.handle().external().get(&format!("http://{address}/"));
    let answer = call.timeout(Duration::from_secs(1)).send().await.unwrap();
    let error = answer.text().await.unwrap_err();
    assert_eq!(error.to_string(), "host 127.0.0.1: no response within 1s");
    assert_eq!(error.kind(), Kind::Timeout);
    server.abort();
}

#[piton::test]
async fn a_body_that_breaks_off_or_cannot_be_decompressed_is_an_error() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
    let no_gzip = answer("200 OK", "content-encoding: gzip\r\n", "hunter2 hunter2");
    let server = Scripted::new(&[half, &no_gzip]).await;
    let app = caller(app()).await;
    for kind in [Kind::ConnectionLost, Kind::Decode] {
        let answer = app.handle().external().get(&server.url("/")).send().await.unwrap();
        let error = answer.bytes().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
