//! Tests of which calls are retried.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::{
    Attempt, Client, ContentPart, Error, EvidenceChange, Kind, NewEvidence, NewTag,
};
use super::server::{self, Server, Then, answer};
use super::{client, metadata, settings};

/// The client, and what it tells of its attempts.
fn observed(client: Client) -> (Client, Arc<Mutex<Vec<Attempt>>>) {
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let seen = attempts.clone();
    (client.with_observer(move |attempt| seen.lock().unwrap().push(*attempt)), attempts)
}

/// The four ways of asking: a read, media, a repeatable write, and the other writes.
async fn ask_all(client: &Client) -> [Result<(), Error>; 6] {
    [
        client.operations().await.map(drop),
        client.evidence_content("op", "u", ContentPart::Media).await.map(drop),
        client.upsert_evidence_metadata("op", "u", &metadata()).await,
        client.update_evidence("op", "u", &EvidenceChange::default()).await,
        client.create_evidence("op", &NewEvidence::default()).await.map(drop),
        client.create_operation_tag("op", &NewTag::default()).await.map(drop),
    ]
}

/// Returns the number of attempts of each call, in the order of [`ask_all`].
fn counts(attempts: &[Attempt]) -> Vec<usize> {
    attempts
        .chunk_by(|one, other| one.call == other.call)
        .inspect(|same| {
            let numbers = same.iter().map(|attempt| attempt.number as usize);
            assert!(numbers.eq(1..=same.len()), "{same:?}");
        })
        .map(<[Attempt]>::len)
        .collect()
}

async fn assert_asked(client: Client, kind: Kind, expected: [usize; 6]) {
    let (client, attempts) = observed(client);
    for result in ask_all(&client).await {
        assert_eq!(result.unwrap_err().kind(), kind);
    }
    let attempts = attempts.lock().unwrap();
    assert_eq!(counts(&attempts), expected);
    assert!(attempts.iter().all(|attempt| attempt.error == Some(kind)));
}

#[tokio::test]
async fn reads_and_metadata_are_asked_again_when_a_proxy_has_no_backend() {
    for status in ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"] {
        let html = answer(status, "Content-Type: text/html\r\n", "<html>no</html>");
        let server = Server::always(html, Then::ReadOn).await;
        assert_asked(client(&server), Kind::Server, [3, 3, 3, 1, 1, 1]).await;
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn what_the_backend_says_itself_is_not_asked_again() {
    for (status, kind) in [
        ("500 Internal Server Error", Kind::Server),
        ("400 Bad Request", Kind::BadRequest),
        ("401 Unauthorized", Kind::Unauthorized),
        ("404 Not Found", Kind::NotFound),
        ("405 Method Not Allowed", Kind::BadRequest),
        ("307 Temporary Redirect", Kind::Redirect),
    ] {
        let server = Server::always(answer(status, "Location: /x\r\n", ""), Then::ReadOn).await;
        assert_asked(client(&server), kind, [1; 6]).await;
        assert_eq!(server.seen().len(), 6, "{status}: nothing is followed");
    }
}

#[tokio::test]
async fn without_a_connection_all_is_asked_again() {
    let nobody = server::nobody().await;
    let client = Client::new(settings(&nobody)).unwrap();
    assert_asked(client, Kind::Connect, [3; 6]).await;
}

#[tokio::test]
async fn after_a_connection_only_what_may_be_done_twice_is_asked_again() {
    let server = Server::always("", Then::Close).await;
    assert_asked(client(&server), Kind::Interrupted, [3, 3, 3, 1, 1, 1]).await;
    let server = Server::always("", Then::Hang).await;
    let mut settings = settings(&server.url());
    settings.timeout = Duration::from_millis(50);
    let client = Client::new(settings).unwrap();
    assert_asked(client, Kind::Timeout, [3, 3, 3, 1, 1, 1]).await;
}

#[tokio::test]
async fn a_second_answer_that_is_good_is_given() {
    let server = Server::start(|number, _| match number {
        0 => ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[".to_owned(), Then::Close),
        1 => (answer("503 Service Unavailable", "", ""), Then::Close),
        _ => (answer("200 OK", "", r#"[{"slug":"op"}]"#), Then::ReadOn),
    })
    .await;
    let (client, attempts) = observed(client(&server));
    assert_eq!(client.operations().await.unwrap()[0].slug, "op");
    let attempts = attempts.lock().unwrap();
    let statuses: Vec<_> = attempts.iter().map(|attempt| (attempt.status, attempt.error)).collect();
    let expected =
        [(None, Some(Kind::Interrupted)), (Some(503), Some(Kind::Server)), (Some(200), None)];
    assert_eq!(statuses, expected);
}

#[tokio::test]
async fn a_client_told_not_to_retry_asks_once() {
    let server = Server::always(answer("502 Bad Gateway", "", ""), Then::ReadOn).await;
    let mut settings = settings(&server.url());
    settings.retries = 0;
    Client::new(settings).unwrap().operations().await.unwrap_err();
    assert_eq!(server.seen().len(), 1);
}
