//! `#[sqs(..)]` above a function polls its queue.

use piton::aws::sqs::{Message, Sqs};
use piton::prelude::*;
use piton::serde_json::json;
use piton::testing::TestApp;
use test_support::moto::Moto;

use crate::{Boto3, app, named, numbered};

/// Forwards messages.
#[piton::sqs("marked", interval = "100ms", max_messages = 10, attribute_names = ["All"], message_attribute_names = ["All"])]
async fn pass_on(message: Message, sqs: Sqs) -> Result<bool> {
    if !message.attributes().contains_key("SentTimestamp") {
        return Ok(false);
    }
    let color = message.message_attributes()["color"].clone();
    sqs.send("passed", message.body()).attribute("color", color).await?;
    Ok(true)
}

#[piton::test]
async fn a_function_with_the_attribute_is_started_with_its_parts() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("marked", json!({}));
    boto3.create("passed", json!({}));
    let red = json!({ "color": { "DataType": "String", "StringValue": "red" } });
    boto3.ask(
        &json!({ "op": "send", "queue": "marked", "bodies": numbered("x", 1), "attributes": red }),
    );
    let app = TestApp::new(named("aws::attribute", &moto)).await;
    boto3.wait_until_empty("marked").await;
    let received = boto3.ask(&json!({ "op": "receive", "queue": "passed" }));
    assert_eq!(received["messages"][0]["MessageAttributes"], red);
    app.stop().await;
}

#[piton::test]
async fn a_function_with_the_attribute_of_another_app_is_not_started() {
    let moto = Moto::start();
    let app = TestApp::new(app(&moto)).await;
    assert!(app.handle().snapshots().is_empty());
    app.stop().await;
}
