//! The letter to new users.

use serde_json::{Value, json};
use test_support::moto::{Boto3, Moto};
use test_support::postgres::database;

use super::{Deployment, PASSWORD, get, get_as, post, signup};

const SENDER: &str = "gnar@example.com";
const ADA: &str = "ada@example.org";

/// A piste that sends letters whose links lead to itself, and a moto that takes them from it.
fn with_letters(moto: &Moto) -> Deployment {
    let piste = Deployment::new(&database()).production().amazon(&moto.url());
    let url = format!("http://127.0.0.1:{}/user/activate/", piste.port);
    Boto3::of(moto).ask(&json!({ "op": "verify", "address": SENDER }));
    piste.with("GNAR_ACTIVATION_FROM", SENDER).with("GNAR_ACTIVATION_URL", &url)
}

fn mails(moto: &Moto) -> Vec<Value> {
    let mails = Boto3::of(moto).ask(&json!({ "op": "mails" }));
    mails["mails"].as_array().unwrap().clone()
}

/// The path of the first link in a text.
fn link(text: &str, port: u16) -> String {
    let begin = format!("http://127.0.0.1:{port}");
    let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("no link in {text}"));
    rest.split(|c: char| c.is_whitespace() || c == '"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_letter_is_sent_and_its_link_activates_the_account() {
    let moto = Moto::start();
    let piste = with_letters(&moto);
    let service = piste.start().await;
    assert_eq!(signup(piste.port, ADA).await.status, 200);

    let mails = mails(&moto);
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = &mails[0];
    assert_eq!((&mail["source"], &mail["to"]), (&json!(SENDER), &json!(ADA)));
    // moto has those of the envelope, and those of the mail's head once more.
    assert_eq!(mail["destinations"], json!([ADA, ADA]));
    assert_eq!(mail["type"], "multipart/alternative");
    let parts = mail["parts"].as_array().unwrap();
    let types: Vec<_> = parts.iter().map(|part| part["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["text/plain", "text/html"]);
    let links: Vec<_> =
        parts.iter().map(|part| link(part["content"].as_str().unwrap(), piste.port)).collect();
    assert_eq!(links[0], links[1]);

    let login = json!({ "email": ADA, "password": PASSWORD });
    assert_eq!(post(piste.port, "/user/login", &login).await.status, 403);
    assert_eq!(get(piste.port, &links[0], &[]).await.json(), json!({ "email": ADA }));
    // A double click, or a mail scanner that opened the link before, must not turn into an error.
    assert_eq!(get(piste.port, &links[0], &[]).await.json(), json!({ "email": ADA }));
    let answer = post(piste.port, "/user/login", &login).await.json();
    let me = get_as(piste.port, "/user/me", answer["token"].as_str().unwrap()).await;
    assert_eq!(me.json(), json!({ "email": ADA, "name": null, "active": true }));
    drop(service);
}

#[tokio::test]
async fn while_ses_is_away_nobody_has_an_account_and_afterwards_it_works() {
    let mut moto = Moto::start();
    let piste = with_letters(&moto);
    let service = piste.start().await;
    moto.stop();
    for _ in 0..2 {
        // 409 would be said to somebody who has an account.
        let answer = signup(piste.port, ADA).await;
        assert_eq!(answer.status, 503, "{}", answer.json());
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_ne!(answer.header("retry-after"), "");
    }
    moto.start_again();
    Boto3::of(&moto).ask(&json!({ "op": "verify", "address": SENDER }));
    assert_eq!(signup(piste.port, ADA).await.status, 200);
    assert_eq!(mails(&moto).len(), 1);
    assert_eq!(signup(piste.port, ADA).await.status, 409);
    drop(service);
}
