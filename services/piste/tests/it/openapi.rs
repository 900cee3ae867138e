//! Tests of the checked-in OpenAPI document and collections.

use std::path::Path;

use piton::testing::assert_generated;

/// Where they are checked in.
const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dist");

#[test]
fn the_checked_in_files_are_up_to_date() {
    for file in piste::app().openapi_files().unwrap() {
        let fix = "cargo xtask generate\nand to see what would break clients:\n\
                   cargo run -p piste -- openapi --check --out services/piste/dist";
        assert_generated(Path::new(DIST).join(&file.name), &file.text, fix);
    }
}

#[test]
fn the_document_has_the_bodies_of_signup_and_login() {
    use piton::serde_json::{Value, json};

    let document = piste::app().openapi_document().unwrap();
    for name in ["Signup", "Login"] {
        let schema = &document["components"]["schemas"][name];
        assert_eq!(schema["required"], json!(["email", "password"]), "{name}");
        for member in ["email", "password"] {
            assert_eq!(schema["properties"][member]["type"], "string", "{name} {member}");
        }
    }
    // The handler's own 401 names no scheme; that of the token's check does.
    let challenge = |path: &str, method: &str| {
        let answer = document["paths"][path][method]["responses"]["401"].clone();
        let path = answer["$ref"].as_str().unwrap_or_default().trim_start_matches('#').to_owned();
        let answer = if path.is_empty() { &answer } else { document.pointer(&path).unwrap() };
        answer["headers"]["WWW-Authenticate"].clone()
    };
    assert_eq!(challenge("/user/login", "post"), Value::Null);
    assert!(challenge("/user/me", "get").is_object());
    let [_, _, requests] = piste::app().openapi_files().unwrap();
    let at = |text: &str| requests.text.find(text).unwrap();
    assert!(at("POST {{baseUrl}}/user/signup") < at("POST {{baseUrl}}/user/login"));
}
