//! piste in the place of the real Gnar Gear: the same requests, the same answers.

use std::collections::BTreeMap;

use serde_json::Value;
use test_support::free_port;
use test_support::gnar::{self, Mode};
use test_support::postgres::database;
use test_support::service::Service;

/// Requests that are answered differently on purpose, or by the servers and not by the services. Each has
/// its reason.
const APART: [(&str, &str); 22] = [
    ("echo", "piste has no such route"),
    ("double slash", "werkzeug sends the client to another address; here it is an unknown path"),
    ("encoded path", "the path of a route is compared as it was sent"),
    ("unknown method", "bjoern knows no such method and answers 400"),
    ("comma at", "Gnar Gear fails on an empty field of the header; here it is skipped"),
    ("BEARER in upper case", "the scheme of `Authorization` has no case (RFC 9110, section 11.1)"),
    ("bearer in lower case", "as in upper case"),
    ("sub_only", "a token of Flask-JWT-Extended 4, which piste takes too"),
    ("identity_and_sub", "a token of two names would be taken for one of them: it is refused"),
    ("sub_number", "as identity_and_sub"),
    ("no_exp", "what never expires is not renewed: the new token would be of another kind"),
    ("claims_twice", "as no_exp"),
    (
        "future_iat",
        "a renewed token is valid for as long as the one that was shown, from `iat` to `exp`",
    ),
    ("crit", "a token that demands what the reader does not know is refused (RFC 7515)"),
    ("exp_null", "Gnar Gear fails on a moment that is null or a list; here it is refused"),
    ("nbf_null", "as exp_null"),
    ("iat_null", "as exp_null"),
    ("exp_list", "as exp_null"),
    ("claims_nan", "Python takes it for JSON, and it is none"),
    ("claims_infinity", "as claims_nan"),
    ("user_claims", "Gnar Gear forgets them when it renews the token"),
    ("signature_strange_characters", "what is no base64 is skipped in Python, and refused here"),
];

/// The answers by the requests' names.
fn by_name(answers: Vec<Value>) -> BTreeMap<String, Value> {
    answers
        .into_iter()
        .map(|answer| (answer["name"].as_str().unwrap().to_owned(), answer))
        .collect()
}

/// Returns the compared parts of a response: the status, the body without the traceback, whether
/// the token is renewed, and the claims of the new one.
fn essence(answer: &Value) -> Value {
    let text = answer["body"].as_str().unwrap_or_default();
    let mut body = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    if let Some(fields) = body.as_object_mut() {
        fields.remove("traceback");
    }
    let mut claims = answer["authorization_claims"].clone();
    if let Some(claims) = claims.as_object_mut() {
        // The name under which Flask-JWT-Extended 4 looks for it, in addition to that of 3.
        claims.remove("sub");
        // By this a deny-list reaches renewed tokens.
        claims.remove("piton_family");
    }
    serde_json::json!({
        "status": answer["status"],
        "media_type": if text.is_empty() { Value::Null } else { answer["headers"]["content-type"].clone() },
        "authorization": answer["headers"]["authorization"],
        "body": body,
        "claims": claims,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn piste_answers_what_gnar_gear_answers() {
    let database = database();
    let (port, neighbour) = (free_port(), free_port());
    let environment = gnar::environment_for_piton(&database);
    let off_piste = format!("tcp://127.0.0.1:{neighbour}");
    let mut variables: Vec<_> = environment.iter().map(|(name, value)| (*name, &**value)).collect();
    variables.push(("OFF_PISTE_SERVICE_PORT", &off_piste));
    let style = ["--production", "--set", "http.error_style=gnar", "--set", "admin.address=off"];
    let mut services = Vec::new();
    for port in [neighbour, port] {
        let port_text = port.to_string();
        let arguments = [&style[..], &["--host", "127.0.0.1", "--port", &port_text]].concat();
        let service = Service::spawn("piste", port, &arguments, &variables, None);
        service.ready().await;
        services.push(service);
    }
    // That these are what the real one answers today is another test's claim.
    let expected = by_name(gnar::recorded(Mode::Production));
    let answers = by_name(gnar::record(port, &database));

    let (mut compared, mut different) = (0, Vec::new());
    for (name, theirs) in &expected {
        if APART.iter().any(|(apart, _)| name.contains(apart)) {
            continue;
        }
        compared += 1;
        let (theirs, ours) = (essence(theirs), essence(&answers[name]));
        if theirs != ours {
            different.push(format!("{name}\n  gnar  {theirs}\n  piste {ours}"));
        }
    }
    assert!(different.is_empty(), "{} of {compared}:\n{}", different.len(), different.join("\n"));
    assert!(compared >= 130, "{compared} requests are compared");
}
