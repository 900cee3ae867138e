//! What is sent, as boto3 receives it.

use piton::aws::Kind;
use piton::aws::sqs::{Attribute, Sqs};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::TestApp;
use test_support::moto::Moto;

use crate::{Boto3, app};

#[piton::test]
async fn boto3_receives_what_was_sent_with_all_its_attributes() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("gnar-queue", json!({}));
    let app = TestApp::new(app(&moto).enable::<Sqs>()).await;
    let body = "The gnarliest gear in the world 🤙";
    let sent = app
        .handle()
        .send_sqs_message("gnar-queue", body)
        .attribute("text", "größer")
        .attribute("number", 7.5)
        .attribute("bytes", Attribute::Binary(vec![0, 255]))
        .await
        .unwrap();
    let received = boto3.ask(&json!({ "op": "receive", "queue": "gnar-queue", "delete": true }));
    let message = &received["messages"][0];
    assert_eq!(message["Body"], body);
    assert_eq!(message["MessageId"], sent.message_id);
    assert_eq!(message["MD5OfBody"], sent.md5_of_message_body);
    assert_eq!(message["MD5OfMessageAttributes"], json!(sent.md5_of_message_attributes));
    let attributes = &message["MessageAttributes"];
    assert_eq!(attributes["text"], json!({ "DataType": "String", "StringValue": "größer" }));
    assert_eq!(attributes["number"], json!({ "DataType": "Number", "StringValue": "7.5" }));
    assert_eq!(attributes["bytes"], json!({ "DataType": "Binary", "BinaryValue": [0, 255] }));
    assert_eq!(sent.sequence_number, None);
    let figures = app.handle().metrics().text();
    assert!(figures.contains(r#"sqs_sent_messages_total{queue="gnar-queue"} 1"#), "{figures}");
    app.stop().await;
}

#[piton::test]
async fn a_fifo_queue_returns_sequence_numbers_and_deduplicates() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("ordered.fifo", json!({ "FifoQueue": "true" }));
    let app = TestApp::new(app(&moto).enable::<Sqs>()).await;
    let sqs = app.handle().sqs();
    for _ in 0..2 {
        let sent = sqs.send("ordered.fifo", "x").group_id("g").deduplication_id("1").await.unwrap();
        assert!(sent.sequence_number.is_some());
    }
    assert_eq!(boto3.count("ordered.fifo"), (1, 0));
    app.stop().await;
}

#[piton::test]
async fn a_delayed_message_is_not_delivered_yet() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("later", json!({}));
    let app = TestApp::new(app(&moto).enable::<Sqs>()).await;
    let sqs = app.handle().sqs();
    let url = sqs.queue_url("later").await.unwrap();
    sqs.send(url, "x").delay_seconds(900).await.unwrap();
    let received = boto3.ask(&json!({ "op": "receive", "queue": "later" }));
    assert_eq!(received["messages"], Value::Array(vec![]));
    app.stop().await;
}

#[piton::post("/send")]
async fn send(sqs: Sqs) -> Result<NoContent> {
    sqs.send("missing", "x").await?;
    Ok(NoContent)
}

#[piton::test]
async fn a_missing_queue_becomes_500_and_an_unavailable_server_503() {
    let mut moto = Moto::start();
    let route = piton::http::post("/send", send);
    let app = TestApp::new(app(&moto).set("sqs.timeout", "2s").route(route)).await;
    assert_eq!(app.post("/send").await.status(), 500);
    let error = app.handle().sqs().queue_url("missing").await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    moto.stop();
    let answer = app.post("/send").await;
    assert_eq!((answer.status().as_u16(), answer.header("retry-after")), (503, "1"));
    app.stop().await;
}
