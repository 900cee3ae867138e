//! Answers that lie, never end, or are another's.

use std::time::{Duration, Instant, SystemTime};

use super::super::{Client, ContentPart, Error, EvidenceChange, EvidenceContent, Kind};
use super::server::{self, Server, Then, answer};
use super::{SECRET, client, everything_of, metadata, settings};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

async fn media(client: &Client) -> Result<EvidenceContent, Error> {
    client.evidence_content("op", "u", ContentPart::Media).await
}

/// A client with small limits: 1000 bytes of media, 100 of any other answer.
fn strict(server: &Server) -> Client {
    let mut settings = settings(&server.url());
    settings.media_limit = 1000;
    settings.answer_limit = 100;
    settings.media_timeout = Duration::from_secs(5);
    settings.timeout = Duration::from_secs(5);
    settings.retries = 0;
    Client::new(settings).unwrap()
}

/// A client that waits for `idle` for the next bytes, and for `whole` for the whole.
fn impatient(server: &Server, idle: Duration, whole: Duration) -> Client {
    let mut settings = settings(&server.url());
    settings.idle_timeout = idle;
    settings.media_timeout = whole;
    settings.timeout = whole;
    settings.retries = 0;
    Client::new(settings).unwrap()
}

#[tokio::test]
async fn media_come_in_chunks_with_their_length_and_type() {
    let body = "x".repeat(1000);
    let server =
        Server::always(answer("200 OK", "Content-Type: image/png\r\n", &body), Then::ReadOn).await;
    let mut content = media(&strict(&server)).await.unwrap();
    assert_eq!((content.length(), content.media_type()), (Some(1000), Some("image/png")));
    let mut read = 0;
    while let Some(chunk) = content.chunk().await.unwrap() {
        read += chunk.len();
    }
    assert_eq!(read, 1000);
    assert_eq!(server.seen()[0].target, "/api/operations/op/evidence/u/media");
    let client = client(&server);
    let preview = client.evidence_content("op", "u", ContentPart::Preview).await.unwrap();
    assert_eq!(preview.bytes().await.unwrap(), body);
    assert_eq!(server.seen()[1].target, "/api/operations/op/evidence/u/preview");
}

#[tokio::test]
async fn a_refusal_is_never_taken_for_media() {
    let refusal = answer("404 Not Found", "", r#"{"error":"Not Found"}"#);
    let server = Server::always(refusal, Then::ReadOn).await;
    let error = media(&client(&server)).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::NotFound, Some(404)));
    assert_eq!(error.reason(), Some("Not Found"));
}

#[tokio::test]
async fn too_much_is_refused_when_it_is_announced_and_when_it_comes() {
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
    let server = Server::always(announced, Then::Hang).await;
    assert_eq!(media(&strict(&server)).await.unwrap_err().kind(), Kind::TooLarge);
    assert_eq!(strict(&server).operations().await.unwrap_err().kind(), Kind::TooLarge);

    let server = Server::always(CHUNKED, Then::Repeat("10\r\n0123456789abcdef\r\n")).await;
    let content = media(&strict(&server)).await.unwrap();
    assert_eq!(content.length(), None);
    assert_eq!(content.bytes().await.unwrap_err().kind(), Kind::TooLarge);
    assert_eq!(strict(&server).operations().await.unwrap_err().kind(), Kind::TooLarge);

    let until_it_closes = "HTTP/1.1 200 OK\r\n\r\n";
    let server = Server::always(until_it_closes, Then::Repeat("0123456789abcdef")).await;
    let content = media(&strict(&server)).await.unwrap();
    assert_eq!(content.bytes().await.unwrap_err().kind(), Kind::TooLarge);
}

#[tokio::test]
async fn a_refusal_without_end_is_a_refusal_still() {
    let endless = "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = Server::always(endless, Then::Repeat("4\r\noops\r\n")).await;
    assert_eq!(strict(&server).operations().await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn media_that_break_off_are_not_whole() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this";
    let server = Server::always(short, Then::Close).await;
    let error = media(&client(&server)).await.unwrap().bytes().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);

    let server = Server::always(format!("{CHUNKED}5\r\nhello\r\n"), Then::Close).await;
    let mut content = media(&client(&server)).await.unwrap();
    assert_eq!(content.chunk().await.unwrap().unwrap(), "hello");
    assert_eq!(content.chunk().await.unwrap_err().kind(), Kind::Interrupted);
}

#[tokio::test]
async fn media_that_stop_or_only_trickle_are_given_up() {
    let (short, long) = (Duration::from_millis(50), Duration::from_secs(10));
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin";
    let server = Server::always(begun, Then::Hang).await;
    let start = Instant::now();
    let content = media(&impatient(&server, short, long)).await.unwrap();
    assert_eq!(content.bytes().await.unwrap_err().kind(), Kind::Timeout);
    assert!(start.elapsed() < long, "it waited for the whole, and not for the next bytes");

    // The rest would take more than a second, and comes without a pause that would be too long.
    let server = Server::always(begun, Then::Trickle).await;
    let hasty = impatient(&server, long, short);
    let content = media(&hasty).await.unwrap();
    assert_eq!(content.bytes().await.unwrap_err().kind(), Kind::Timeout);
    assert_eq!(hasty.operations().await.unwrap_err().kind(), Kind::Timeout);
}

#[tokio::test]
async fn a_response_that_is_not_ashirts_is_recognized() {
    for (body, said) in [
        ("", "is empty"),
        ("<html>welcome s3cret</html>", "not JSON"),
        (r#"{"error":"s3cret"}"#, "not in ASHIRT's format"),
        (r#"[{"slug":["s3cret"]}]"#, "not in ASHIRT's format"),
    ] {
        let server = Server::always(answer("200 OK", "", body), Then::ReadOn).await;
        let error = client(&server).operations().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Decode);
        assert!(error.to_string().contains(said), "{error}");
        assert!(!everything_of(&error).contains("s3cret"), "{error:?}");
    }
    let server = Server::always("SSH-2.0-OpenSSH_9\r\n", Then::Close).await;
    assert_eq!(client(&server).operations().await.unwrap_err().kind(), Kind::Decode);
    let server = Server::always(answer("200 OK", "", r#"{"ok":false}"#), Then::ReadOn).await;
    assert_eq!(client(&server).check_connection().await.unwrap_err().kind(), Kind::Decode);
}

#[tokio::test]
async fn a_refusal_says_what_may_be_wrong() {
    for (status, body, said) in [
        ("404 Not Found", "404 page not found", "check the backend's address"),
        ("404 Not Found", r#"{"error":"Not Found"}"#, "no permission to read it (404): Not Found"),
        (
            "400 Bad Request",
            r#"{"error":"Missing required field: name"}"#,
            "(400): Missing required",
        ),
        ("302 Found", "", "a redirect"),
        ("500 Oops", r#"{"error":"Internal service error"}"#, "failed (500): Internal service"),
    ] {
        let server = Server::always(answer(status, "", body), Then::ReadOn).await;
        let error = client(&server).operations().await.unwrap_err().to_string();
        assert!(error.starts_with("call ASHIRT's `operations`: "), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_named_as_the_cause() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_708_105_805);
    for (theirs, read, written) in [
        (
            now + Duration::from_secs(7380),
            "the local clock is 123 minutes behind",
            "123 minutes behind",
        ),
        (
            now - Duration::from_secs(7380),
            "the local clock is 123 minutes ahead of",
            "123 minutes ahead of",
        ),
        (now + Duration::from_secs(200), "wrong keys", "no such operation or evidence"),
    ] {
        let date = format!("Date: {}\r\n", httpdate::fmt_http_date(theirs));
        let refusal = answer("401 Unauthorized", &date, r#"{"error":"Unauthorized"}"#);
        let server = Server::always(refusal, Then::ReadOn).await;
        let client = client(&server).with_clock(move || now);
        let error = client.operations().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unauthorized);
        assert!(error.to_string().contains(read), "{error}");
        assert!(!error.to_string().contains("no such operation"), "{error}");
        let error = client.upsert_evidence_metadata("op", "u", &metadata()).await.unwrap_err();
        assert!(error.to_string().contains(written), "{error}");
    }
}

#[tokio::test]
async fn one_connection_serves_all_calls_whatever_they_answer() {
    let server = Server::start(|number, _| match number % 4 {
        0 => (answer("200 OK", "", "null"), Then::ReadOn),
        1 => (answer("404 Not Found", "", r#"{"error":"Not Found"}"#), Then::ReadOn),
        2 => (answer("200 OK", "", &"x".repeat(100_000)), Then::ReadOn),
        _ => (answer("500 Oops", "", &"x".repeat(100_000)), Then::ReadOn),
    })
    .await;
    let client = client(&server);
    for _ in 0..10 {
        client.update_evidence("op", "u", &EvidenceChange::default()).await.unwrap();
        client.operation_tags("op").await.unwrap_err();
        media(&client).await.unwrap().bytes().await.unwrap();
        media(&client.clone()).await.unwrap_err();
    }
    assert_eq!((server.seen().len(), server.connections()), (40, 1));
}

#[tokio::test]
async fn nothing_shows_the_secret_or_a_signature() {
    let server = Server::always(answer("401 Unauthorized", "", ""), Then::ReadOn).await;
    let client = client(&server);
    let error = client.operations().await.unwrap_err();
    let authorization = server.seen()[0].headers["authorization"].clone();
    let signature = authorization.split_once(':').unwrap().1;
    let nobody = Client::new(settings(&server::nobody().await)).unwrap();
    let unreachable = nobody.operations().await.unwrap_err();
    let shown = format!("{client:?} {} {}", everything_of(&error), everything_of(&unreachable));
    assert!(!shown.contains(&SECRET[..8]) && !shown.contains(signature), "{shown}");
    assert!(shown.contains("no connection to 127.0.0.1"), "{shown}");
}

#[test]
fn a_client_that_can_never_work_is_not_made() {
    let mut settings = settings("https://backend");
    settings.authorities = b"no certificate".to_vec();
    assert_eq!(Client::new(settings.clone()).unwrap_err().kind(), Kind::Invalid);
    settings.url = "http://backend".parse().unwrap();
    settings.user_agent = "two\nlines".to_owned();
    assert_eq!(Client::new(settings).unwrap_err().kind(), Kind::Invalid);
}
