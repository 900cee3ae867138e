//! Mails as MIME, and mails that are refused.

use aws_sdk_sesv2::types::EmailContent;

use super::*;
use crate::aws::Kind;

fn email() -> Email {
    Email::new().from("shop@example.com").to("a@example.com").subject("Hello").text("Hi")
}

fn refusal(email: Email) -> String {
    let error = email.into_parts(None).map(drop).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    error.to_string()
}

fn raw(content: &EmailContent) -> String {
    let raw = content.raw().expect("it is a whole mail");
    String::from_utf8(raw.data().as_ref().to_vec()).expect("a mail is ASCII")
}

#[test]
fn a_mail_without_sender_recipient_or_content_is_refused() {
    assert!(refusal(Email::new().to("a@example.com").text("x")).contains("ses.from"));
    assert!(refusal(Email::new().from("a@example.com").text("x")).contains("no recipients"));
    assert!(refusal(Email::new().from("a@example.com").to("b@example.com")).contains("is empty"));
    let many = (0..51).fold(email(), |email, n| email.bcc(format!("b{n}@example.com")));
    assert!(refusal(many).contains("50"));
}

#[test]
fn no_text_can_start_another_header() {
    assert!(refusal(email().subject("x\r\nBcc: c@example.com")).contains("subject"));
    assert!(refusal(email().header("X-A", "x\ny")).contains("header"));
    assert!(refusal(email().header("X-A: b\r\nX-C", "x")).contains("name of a header"));
    assert!(refusal(email().header("Bcc", "c@example.com")).contains("`bcc`"));
    assert!(refusal(email().attach(Attachment::new("a\nb", "text/plain", "x"))).contains("file"));
    assert!(refusal(email().attach(Attachment::new("a", "no type", "x"))).contains("type"));
}

#[test]
fn a_mail_that_is_too_large_is_refused_before_it_is_sent() {
    let file = Attachment::new("a", "text/plain", vec![0; 31 * 1024 * 1024]);
    assert!(refusal(email().attach(file)).contains("40 MiB"));
}

#[test]
fn a_mail_is_mime_with_its_parts_and_without_bcc() {
    let file = Attachment::new("año.csv", "text/csv", "a;b");
    let email = email().subject("Größe ✓").html("<p>Hi</p>").bcc("secret@example.com").attach(file);
    let email = email.header("List-Unsubscribe", "<mailto:u@example.com>");
    let (from, destination, content) = email.into_parts(None).unwrap();
    assert_eq!(from, "shop@example.com");
    assert_eq!(destination.bcc_addresses(), ["secret@example.com"]);
    let mime = raw(&content);
    assert!(mime.is_ascii() && !mime.contains("secret@example.com"), "{mime}");
    for part in [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "Content-Type: text/csv",
        "List-Unsubscribe: <mailto:u@example.com>",
    ] {
        assert!(mime.contains(part), "{part} in {mime}");
    }
}

#[test]
fn the_default_sender_is_that_of_the_settings() {
    let email = Email::new().to("a@example.com").text("x");
    let (from, _, content) = email.into_parts(Some("Shop <shop@example.com>")).unwrap();
    assert_eq!(from, "shop@example.com");
    assert!(raw(&content).contains("From: Shop <shop@example.com>"), "{}", raw(&content));
}

#[test]
fn a_template_has_its_data_and_no_text_of_its_own() {
    let data = serde_json::json!({ "name": "Ada" });
    let email = || Email::template("welcome", &data).from("a@example.com").to("b@example.com");
    let (_, _, content) = email().into_parts(None).unwrap();
    let template = content.template().expect("it is from a template");
    assert_eq!(template.template_data(), Some(r#"{"name":"Ada"}"#));
    assert!(refusal(email().subject("x")).contains("template"));
    let reply_to = email().reply_to(("Å", "c@example.com")).reply_to_addresses().unwrap();
    assert_eq!(reply_to.unwrap(), ["=?utf-8?B?w4U=?= <c@example.com>"]);
}

#[test]
fn debug_shows_neither_text_nor_addresses() {
    let shown = format!("{:?}", email());
    assert!(!shown.contains("example.com") && !shown.contains("Hi"), "{shown}");
}
