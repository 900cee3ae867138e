//! `#[sqs(..)]` above a function is all that is needed.

use piton::aws::sqs::{Message, Sqs};
use piton::prelude::*;
use piton::serde_json::json;
use piton::testing::TestApp;
use test_support::moto::Moto;

use crate::{Boto3, app, named, numbered};

/// Passes messages on.
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
async fn a_marked_function_is_found_and_started_with_what_it_takes() {
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
async fn a_marked_function_of_another_app_is_not() {
    let moto = Moto::start();
    let app = TestApp::new(app(&moto)).await;
    assert!(app.handle().snapshots().is_empty());
    app.stop().await;
}
