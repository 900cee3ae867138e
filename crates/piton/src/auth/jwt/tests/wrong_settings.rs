//! Settings that cannot work are refused at launch.

use super::*;

#[crate::test]
async fn names_paths_and_claims_that_cannot_work_are_refused_together() {
    let all = app()
        .set("jwt.header_name", "X Token")
        .set("jwt.header_type", "Bearer of")
        .set("jwt.access_cookie_name", "a;b")
        .set("jwt.refresh_cookie_name", "csrf_access_token")
        .set("jwt.access_cookie_path", "api")
        .set("jwt.refresh_csrf_cookie_path", "/;x")
        .set("jwt.cookie_domain", "x; Secure")
        .set("jwt.csrf_methods", json!(["PO ST"]))
        .set("jwt.json_key", "")
        .set("jwt.query_string_name", "a\nb")
        .set("jwt.error_message_key", "a\nb")
        .set("jwt.identity_claim", "exp")
        .set("jwt.user_claims", "iss")
        .set("jwt.location", json!(["headers", "headers"]))
        .set("jwt.previous_public_key_files", json!(["=x"]))
        .set("jwt.access_csrf_header_name", "é");
    let sources = crate::app::Sources { flags: Vec::new(), file: None, ambient: false };
    let report = all.launch(sources).await.err().unwrap().report("piste");
    for key in [
        "header_name",
        "header_type",
        "access_cookie_name",
        "access_csrf_cookie_name",
        "access_cookie_path",
        "refresh_csrf_cookie_path",
        "cookie_domain",
        "csrf_methods",
        "json_key",
        "query_string_name",
        "error_message_key",
        "identity_claim",
        "user_claims",
        "location",
        "previous_public_key_files",
        "access_csrf_header_name",
    ] {
        assert!(report.contains(&format!("jwt.{key}")), "{key}: {report}");
    }
}

#[crate::test]
async fn settings_by_their_former_names_are_refused_with_the_new_ones() {
    for (former, new) in [
        ("jwt.cookie_csrf", "jwt.cookie_csrf_protect"),
        ("jwt.cookie_session", "jwt.session_cookie"),
    ] {
        let sources = crate::app::Sources { flags: Vec::new(), file: None, ambient: false };
        let report = app().set(former, false).launch(sources).await.err().unwrap();
        let report = report.report("piste");
        assert!(report.contains(&format!("it is called `{new}` now")), "{report}");
    }
}

#[crate::test]
async fn single_settings_that_cannot_work_are_refused() {
    let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----";
    for (key, value, said) in [
        ("jwt.access_token_expires", json!("soon"), "a number of seconds, or `never`"),
        ("jwt.refresh_token_expires", json!(0), "expire at once"),
        ("jwt.leeway", json!("2days"), "at most `1day`"),
        ("jwt.location", json!(["body"]), "`query_string`"),
        ("jwt.location", json!("[headers]"), "JSON array"),
        ("jwt.secret_key", json!(pem), "whoever has the public key could sign"),
        ("jwt.previous_secret_keys", json!([pem]), "whoever has the public key could sign"),
        ("jwt.decode_algorithms", json!(["none"]), "`HS256`"),
        ("jwt.decode_algorithms", json!(["RS256"]), "RS256 needs an RSA key"),
        ("jwt.access_cookie_name", json!("__Host-a"), "jwt.access_cookie_path"),
        ("jwt.identity_claim", json!(""), "the name of a claim"),
    ] {
        let sources = crate::app::Sources { flags: Vec::new(), file: None, ambient: false };
        let app = app().set(key, value.clone());
        let app = if said.starts_with("jwt.") { app.set(said, "x") } else { app };
        let report = app.launch(sources).await.err().unwrap().report("piste");
        assert!(report.contains(said) && report.contains(key), "{key} {value}: {report}");
        assert!(!report.contains("AAAA"), "{report}");
    }
}
