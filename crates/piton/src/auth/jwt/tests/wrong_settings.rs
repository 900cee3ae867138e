//! Settings that cannot work are refused at launch.

use super::*;
use crate::config::{Config, Section};

#[test]
fn boolean_settings_are_not_hidden_as_secrets() {
    let section = Section::of::<JwtSettings>("jwt");
    let (config, _) = Config::loader("PITON")
        .env([("PITON_JWT_CLAIMS_IN_REFRESH_TOKEN", "true"), ("JWT_SECRET_KEY", "hunter2")])
        .load(&[&section]);
    let described = config.describe(&[&section]);
    let of = |key: &str| described.iter().find(|it| it.key == key).unwrap();
    let switch = of("jwt.claims_in_refresh_token");
    assert_eq!((&switch.value, switch.secret), (&json!(true), false));
    assert_eq!(of("jwt.secret_key").value, json!("***"));
}

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
    let sources = crate::app::LaunchSources::for_test();
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
        let sources = crate::app::LaunchSources::for_test();
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
        let sources = crate::app::LaunchSources::for_test();
        let app = app().set(key, value.clone());
        let app = if said.starts_with("jwt.") { app.set(said, "x") } else { app };
        let report = app.launch(sources).await.err().unwrap().report("piste");
        assert!(report.contains(said) && report.contains(key), "{key} {value}: {report}");
        assert!(!report.contains("AAAA"), "{report}");
    }
}

async fn report(settings: &[(&'static str, Value)]) -> Option<String> {
    let app = settings.iter().fold(app(), |app, (key, value)| app.set(*key, value.clone()));
    let sources = crate::app::LaunchSources::for_test();
    Some(app.launch(sources).await.err()?.report("piste"))
}

#[crate::test]
async fn required_claims_that_no_own_token_has_are_refused() {
    let required = |name: &str| ("jwt.required_claims", json!(["jti", name]));
    for (name, more, refused) in [
        ("exp", ("jwt.access_token_expires", json!("never")), true),
        ("exp", ("jwt.refresh_token_expires", json!(false)), true),
        ("exp", ("jwt.encode_nbf", json!(false)), false),
        ("iss", ("jwt.encode_nbf", json!(true)), true),
        ("iss", ("jwt.issuer", json!("us")), false),
        ("iss", ("jwt.encode_issuer", json!("us")), false),
        ("aud", ("jwt.encode_nbf", json!(true)), true),
        ("aud", ("jwt.audience", json!(["us"])), false),
        ("aud", ("jwt.encode_audience", json!(["us"])), false),
        ("nbf", ("jwt.encode_nbf", json!(false)), true),
        ("nbf", ("jwt.encode_nbf", json!(true)), false),
        ("csrf", ("jwt.cookie_csrf_protect", json!(false)), true),
        ("piton_family", ("jwt.encode_nbf", json!(true)), true),
        ("role", ("jwt.encode_nbf", json!(true)), false),
    ] {
        let report = report(&[required(name), more.clone()]).await;
        assert_eq!(report.is_some(), refused, "{name} {more:?}: {report:?}");
        if let Some(report) = report {
            assert!(report.contains("jwt.required_claims"), "{report}");
            assert!(report.contains("refuse its own tokens"), "{report}");
        }
    }
}

#[crate::test]
async fn the_protection_against_cross_site_requests_is_switched_off_only_by_its_switch() {
    for methods in
        [json!(["PSOT"]), json!(["POST", "Psot"]), json!("POST,PSOT"), json!(["POST", ""])]
    {
        let report = report(&[("jwt.csrf_methods", methods.clone())]).await.unwrap();
        assert!(report.contains("is not a method of HTTP"), "{methods}: {report}");
    }
    let none = report(&[("jwt.csrf_methods", json!([]))]).await.unwrap();
    assert!(none.contains("jwt.cookie_csrf_protect=false"), "{none}");
    assert!(none.contains("_JWT_COOKIE_CSRF_PROTECT=false"), "{none}");
    let off = [("jwt.csrf_methods", json!([])), ("jwt.cookie_csrf_protect", json!(false))];
    assert_eq!(report(&off).await, None);
    for empty in ["", "  "] {
        let app = app().set("jwt.location", json!(["cookies"])).set("jwt.csrf_methods", empty);
        let app = TestApp::new(app).await;
        let token = app.handle().tokens().access("ada").sign().unwrap();
        let cookie = format!("access_token_cookie={token}");
        assert_eq!(app.get("/me").header("cookie", &cookie).await.status(), 200);
        let answer = app.post("/me").header("cookie", &cookie).await;
        assert_eq!(answer.json::<Value>()["detail"], "Missing CSRF token");
    }
}

#[crate::test]
async fn names_that_mean_something_else_are_refused() {
    for (key, value) in [
        ("jwt.identity_claim", "Both"),
        ("jwt.identity_claim", "BOTH"),
        ("jwt.cookie_domain", "None"),
        ("jwt.cookie_domain", "none"),
        ("jwt.cookie_domain", "null"),
        ("jwt.header_name", "Cookie"),
        ("jwt.header_name", "host"),
        ("jwt.header_name", "CONTENT-LENGTH"),
        ("jwt.access_csrf_header_name", "Transfer-Encoding"),
        ("jwt.refresh_csrf_header_name", "connection"),
        ("jwt.user_claims", "sub"),
        ("jwt.user_claims", "identity"),
        ("jwt.user_claims", "piton_family"),
    ] {
        let report = report(&[(key, json!(value))]).await.unwrap_or_default();
        assert!(report.contains(key), "{key} {value}: {report}");
    }
    let named = [("jwt.identity_claim", json!("uid")), ("jwt.user_claims", json!("uid"))];
    assert!(report(&named).await.unwrap().contains("jwt.user_claims"));
}

#[crate::test]
async fn prefixes_of_cookies_count_in_any_case() {
    for name in ["__host-a", "__HOST-a", "__Host-a"] {
        let named = ("jwt.access_cookie_name", json!(name));
        let in_path = [named.clone(), ("jwt.access_cookie_path", json!("/api"))];
        assert!(report(&in_path).await.unwrap().contains("jwt.access_cookie_name"), "{name}");
        let open = [named, ("jwt.cookie_secure", json!(false))];
        assert!(report(&open).await.unwrap().contains("must be Secure"), "{name}");
    }
    let open =
        [("jwt.access_csrf_cookie_name", json!("__secure-a")), ("jwt.cookie_secure", json!(false))];
    assert!(report(&open).await.unwrap().contains("must be Secure"));
}
