//! The files of requests send tokens where a service looks for them.

use piton::openapi::OpenApi;
use piton::prelude::*;
use piton::serde_json::{Value, json};

#[derive(Deserialize, JsonSchema)]
struct Note {
    #[expect(dead_code, reason = "only the document is looked at")]
    text: String,
}

async fn write(_: Identity, _: Json<Note>) -> NoContent {
    NoContent
}

/// Returns the document, the Postman collection and the `.http` file.
fn files(settings: &[(&'static str, Value)]) -> [String; 3] {
    let route = piton::http::post("/notes", write).describe(piton::describe!(write));
    let app = App::new("it").no_scan().route(route).openapi(OpenApi::new());
    let app = settings.iter().fold(app, |app, (key, value)| app.set(*key, value.clone()));
    app.openapi_files().unwrap().map(|file| file.text)
}

#[test]
fn requests_have_the_token_where_the_settings_look_for_it() {
    let (location, header) = ("jwt.location", "jwt.header_name");
    for (settings, line) in [
        (vec![(location, json!(["cookies"]))], "Cookie: access_token_cookie={{token}}"),
        (vec![(location, json!(["query_string"]))], "POST {{baseUrl}}/notes?jwt={{token}}"),
        (vec![(location, json!(["json"]))], "  \"access_token\": \"{{token}}\""),
        (vec![(header, json!("X-Token"))], "X-Token: Bearer {{token}}"),
        (vec![(header, json!("X-Token")), ("jwt.header_type", json!(""))], "X-Token: {{token}}"),
    ] {
        let [_, postman, http] = files(&settings);
        assert!(http.lines().any(|it| it.trim_end_matches(',') == line), "{line}: {http}");
        assert!(http.contains("@token = "), "{http}");
        assert!(!http.contains("Authorization") && !http.contains("apiKey"), "{http}");
        assert!(postman.contains("{{token}}") && !postman.contains("\"bearer\""), "{postman}");
    }
    let [document, _, http] = files(&[]);
    assert!(http.contains("Authorization: Bearer {{token}}"), "{http}");
    assert!(!document.contains("x-value"), "{document}");
}
