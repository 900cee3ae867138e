//! What garde checks is what the document says, where JSON Schema has a word for it.

use piton::garde::{self, Validate};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::TestApp;

piton::blueprint!("/rules");

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Rules {
    #[garde(length(chars, min = 2, max = 5))]
    text: String,
    #[garde(range(min = 1, max = 10))]
    number: u16,
    #[garde(length(min = 1), inner(length(chars, max = 3)))]
    list: Vec<String>,
    #[garde(contains("x"))]
    word: String,
    #[garde(length(chars, max = 4), custom(never_looked_at))]
    #[schemars(extend("format" = "ours"))]
    maybe: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn never_looked_at(_: &Option<String>, _: &()) -> garde::Result {
    Ok(())
}

// A handler may be called what the macro once called a function of its own.
#[post("/")]
async fn check(Valid(Json(rules)): Valid<Json<Rules>>) -> String {
    let Rules { text, number, list, word, maybe } = rules;
    format!("{text}{number}{list:?}{word}{maybe:?}")
}

fn app() -> App {
    App::new("it").blueprints(["openapi_rules"]).openapi(OpenApi::new())
}

#[test]
fn the_rules_stand_in_the_schema() {
    let document = app().openapi_document().unwrap();
    let body = &document["paths"]["/rules"]["post"]["requestBody"]["content"]["application/json"];
    assert_eq!(body["schema"]["$ref"], "#/components/schemas/Rules");
    let rules = &document["components"]["schemas"]["Rules"];
    assert_eq!(rules["additionalProperties"], false);
    assert_eq!(rules["required"], json!(["text", "number", "list", "word"]));
    let of = |name: &str| rules["properties"][name].clone();
    let limits = |schema: &Value, names: [&str; 2]| names.map(|name| schema[name].clone());
    assert_eq!(limits(&of("text"), ["minLength", "maxLength"]), [json!(2), json!(5)]);
    assert_eq!(limits(&of("number"), ["minimum", "maximum"]), [json!(1), json!(10)]);
    assert_eq!(of("list")["minItems"], 1);
    assert_eq!(of("list")["items"]["maxLength"], 3);
    assert_eq!(of("word")["pattern"], "x");
    assert_eq!(of("maybe")["type"], json!(["string", "null"]));
    assert_eq!(limits(&of("maybe"), ["maxLength", "format"]), [json!(4), json!("ours")]);
}

#[piton::test]
async fn what_the_schema_forbids_is_refused() {
    let app = TestApp::new(app()).await;
    let fine = json!({ "text": "çãé", "number": 1, "list": ["a"], "word": "x" });
    assert_eq!(app.post("/rules").json(&fine).await.status(), 200);
    for (name, wrong) in [
        ("text", json!("x")),
        ("number", json!(11)),
        ("list", json!([])),
        ("list", json!(["long"])),
        ("word", json!("X")),
        ("maybe", json!("longer")),
        ("other", json!(1)),
    ] {
        let mut body = fine.clone();
        body[name] = wrong;
        assert_eq!(app.post("/rules").json(&body).await.status(), 422, "{body}");
    }
}

#[piton::test]
async fn all_that_a_body_lacks_is_told_at_once() {
    let app = TestApp::new(app()).await;
    let problem: Value = app.post("/rules").json(&json!({ "number": "x" })).await.json();
    let faults = problem["errors"].as_array().unwrap();
    let places: Vec<&str> = faults.iter().filter_map(|fault| fault["pointer"].as_str()).collect();
    assert_eq!(places, ["#/number", "#/text", "#/list", "#/word"]);
}
