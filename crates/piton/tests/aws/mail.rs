//! Mail, as moto received it.

use piton::aws::Kind;
use piton::aws::ses::{Attachment, Email, Ses};
use piton::serde_json::json;
use piton::testing::TestApp;
use test_support::moto::Moto;

use crate::{Boto3, app};

#[piton::test]
async fn text_html_and_a_file_arrive_with_all_characters() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.ask(&json!({ "op": "verify", "address": "shop@example.com" }));
    let from = "Läden <shop@example.com>";
    let app = TestApp::new(app(&moto).set("ses.from", from).enable::<Ses>()).await;
    let email = Email::new()
        .to(("Müller, Jürgen", "jm@example.com"))
        .cc("copy@example.com")
        .bcc("secret@example.com")
        .subject("Ihre Bestellung über 5 € ✓")
        .text("Grüße\nund Dank")
        .html("<p>Grüße</p>")
        .attach(Attachment::new("räume.bin", "application/octet-stream", vec![0, 13, 10, 255]));
    let id = app.handle().ses().send(email).await.unwrap();
    assert!(!id.is_empty());
    let mails = boto3.ask(&json!({ "op": "mails" }));
    let mail = &mails["mails"][0];
    assert_eq!(mail["source"], "shop@example.com");
    assert_eq!(mail["from"], from);
    assert_eq!(mail["to"], "\"Müller, Jürgen\" <jm@example.com>");
    assert_eq!(mail["subject"], "Ihre Bestellung über 5 € ✓");
    assert_eq!(mail["bcc"], json!(null));
    let destinations = mail["destinations"].to_string();
    assert!(destinations.contains("secret@example.com"), "{destinations}");
    assert_eq!(mail["type"], "multipart/mixed");
    let parts = mail["parts"].as_array().unwrap();
    let types: Vec<_> = parts.iter().map(|part| part["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["text/plain", "text/html", "application/octet-stream"]);
    assert_eq!(
        parts[0]["content"].as_str().unwrap().trim_end().replace('\r', ""),
        "Grüße\nund Dank"
    );
    assert_eq!(parts[1]["content"].as_str().unwrap().trim_end(), "<p>Grüße</p>");
    assert_eq!(
        (&parts[2]["name"], &parts[2]["content"]),
        (&json!("räume.bin"), &json!([0, 13, 10, 255]))
    );
    app.stop().await;
}

#[piton::test]
async fn a_sender_who_is_not_verified_is_an_error_that_names_it() {
    let moto = Moto::start();
    let app = TestApp::new(app(&moto).enable::<Ses>()).await;
    let email = Email::new().from("nobody@example.com").to("a@example.com").subject("x").text("x");
    let error = app.handle().ses().send(email).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, Some("MessageRejected")));
    app.stop().await;
}
