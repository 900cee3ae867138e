//! Flattened enums and maps in the document, and the requests that the `.http` file and the collection make
//! of it.

use std::collections::BTreeMap;

use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::TestApp;

mod flat {
    use super::*;

    piton::blueprint!("/flat", tag = "flat");

    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "kind")]
    pub enum Shape {
        Circle { radius: u32 },
        Square { side: u32 },
        Corner(Corner),
    }

    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    pub struct Corner {
        left: u32,
    }

    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    pub enum Paid {
        Card { number: String },
        Cash { amount: u32 },
        Later,
    }

    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "color", content = "shade")]
    pub enum Color {
        Red(u32),
        Blue(String),
    }

    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(untagged)]
    pub enum Contact {
        Mail { email: String },
        Phone { phone: String },
    }

    /// A struct with a member of its own and these flattened, and a handler that answers what it gets.
    macro_rules! flattened {
        ($($path:literal $handler:ident $name:ident { $($member:ident: $kind:ty),* })*) => {
            $(
                #[derive(Debug, Serialize, Deserialize, JsonSchema)]
                pub struct $name {
                    own: u32,
                    $(#[serde(flatten)] $member: $kind,)*
                }

                #[post($path)]
                async fn $handler(Json(body): Json<$name>) -> Json<$name> {
                    Json(body)
                }
            )*
        };
    }

    flattened! {
        "/Perhaps" perhaps Perhaps { shape: Option<Shape> }
        "/PerhapsPaid" perhaps_paid PerhapsPaid { paid: Option<Paid> }
        "/PerhapsContact" perhaps_contact PerhapsContact { contact: Option<Contact> }
        "/Twice" twice Twice { shape: Shape, color: Color }
        "/PerhapsTwice" perhaps_twice PerhapsTwice { shape: Option<Shape>, color: Option<Color> }
        "/PaidMap" paid_map PaidMap { paid: Paid, more: BTreeMap<String, u32> }
        "/ShapeMap" shape_map ShapeMap { shape: Shape, more: BTreeMap<String, u32> }
    }
}

mod notes {
    use super::*;

    piton::blueprint!("/notes", tag = "notes");

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Note {
        id: i64,
        /// Not what the path of the note says.
        #[schemars(example = "{{baseUrl}} {{{x}}}")]
        text: String,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Tag {
        /// A word, and no number.
        id: String,
    }

    #[derive(Deserialize, JsonSchema)]
    pub struct Asked {
        #[schemars(example = "{{baseUrl}}")]
        text: String,
    }

    #[derive(Serialize, JsonSchema)]
    pub struct Token {
        token: String,
    }

    #[post("/")]
    async fn new(Json(note): Json<Note>) -> Created<Json<Note>> {
        Created::at(format!("/notes/{}", note.id), Json(note))
    }

    #[put("/{id}")]
    async fn replace(Path(_): Path<i64>, Json(note): Json<Note>) -> Json<Note> {
        Json(note)
    }

    #[put("/{id}/tag")]
    async fn tag(Path(_): Path<i64>, Json(tag): Json<Tag>) -> Json<Tag> {
        Json(tag)
    }

    #[get("/found")]
    async fn found(Query(asked): Query<Asked>) -> String {
        asked.text
    }

    #[post("/form")]
    async fn form(Form(asked): Form<Asked>) -> String {
        asked.text
    }

    #[post("/enter")]
    #[errors(401 = "The word is wrong.")]
    async fn enter() -> Json<Token> {
        Json(Token { token: String::new() })
    }

    #[post("/join")]
    #[errors(401)]
    async fn join() -> NoContent {
        NoContent
    }

    #[post("/invite")]
    #[protected]
    #[errors(401 = "The key is wrong.")]
    async fn invite() -> NoContent {
        NoContent
    }

    /// An older one.
    #[deprecated]
    #[get("/old")]
    async fn old() -> NoContent {
        NoContent
    }

    #[get("/older")]
    #[deprecated(note = "ask for `/found`")]
    async fn older() -> NoContent {
        NoContent
    }
}

mod times {
    use super::*;

    piton::blueprint!("/times");

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Times {
        at: piton::chrono::NaiveDateTime,
        time: Option<piton::chrono::NaiveTime>,
    }

    #[post("/")]
    async fn times(Json(times): Json<Times>) -> Json<Times> {
        Json(times)
    }
}

fn app(module: &str) -> App {
    App::new("it").blueprints([format!("openapi_flat::{module}")]).openapi(OpenApi::new())
}

/// The variants of a schema, by name.
#[track_caller]
fn variants(document: &Value, name: &str, key: &str) -> BTreeMap<String, Value> {
    let schemas = &document["components"]["schemas"];
    let parts = schemas[name][key].as_array().unwrap_or_else(|| panic!("{}", schemas[name]));
    let names = parts.iter().map(|part| part["$ref"].as_str().unwrap().rsplit('/').next().unwrap());
    names.map(|name| (name.to_owned(), schemas[name].clone())).collect()
}

#[test]
fn each_flattened_enum_is_written_out_with_the_struct_and_the_map_around_it() {
    let document = app("flat").openapi_document().unwrap();
    let shapes = ["Circle", "Corner", "Square"];
    for (name, key, wanted) in [
        ("Perhaps", "anyOf", [&["Base"], &shapes[..]].concat()),
        ("PerhapsPaid", "anyOf", vec!["Base", "Card", "Cash", "Later"]),
        ("PerhapsContact", "anyOf", vec!["Base", "Email", "Phone"]),
        (
            "Twice",
            "oneOf",
            vec!["CircleBlue", "CircleRed", "CornerBlue", "CornerRed", "SquareBlue", "SquareRed"],
        ),
        (
            "PerhapsTwice",
            "anyOf",
            vec![
                "Base",
                "Blue",
                "Circle",
                "CircleBlue",
                "CircleRed",
                "Corner",
                "CornerBlue",
                "CornerRed",
                "Red",
                "Square",
                "SquareBlue",
                "SquareRed",
            ],
        ),
        ("PaidMap", "oneOf", vec!["Card", "Cash", "Later"]),
        ("ShapeMap", "oneOf", shapes.to_vec()),
    ] {
        let variants = variants(&document, name, key);
        let names: Vec<&str> = variants.keys().map(|full| &full[name.len()..]).collect();
        assert_eq!(names, wanted, "{name}");
        for (full, variant) in &variants {
            assert_eq!(variant["type"], "object", "{full}");
            assert_eq!(variant["properties"]["own"]["type"], "integer", "{full}");
            assert!(variant["required"].as_array().unwrap().contains(&json!("own")), "{full}");
            assert!(
                ["oneOf", "anyOf", "allOf", "unevaluatedProperties"]
                    .iter()
                    .all(|key| variant.get(*key).is_none())
            );
            let further = &variant["additionalProperties"]["type"];
            assert_eq!(*further == "integer", name.ends_with("Map"), "{full} {variant}");
        }
    }
    let both = &document["components"]["schemas"]["TwiceCornerRed"];
    assert_eq!(both["required"], json!(["left", "kind", "color", "shade", "own"]));
}

#[piton::test]
async fn examples_of_flattened_enums_are_taken() {
    let app = TestApp::new(app("flat")).await;
    let document = app.handle().openapi_document();
    // serde gives the tag of an enum to a flattened map as well, which refuses it if it holds numbers.
    let is_read = |path: &str| path != "/flat/ShapeMap";
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths.iter().filter(|(path, _)| is_read(path)) {
        let body = &item["post"]["requestBody"]["content"]["application/json"]["example"];
        let answer = app.post(path).json(body).await;
        assert_eq!(answer.status(), 200, "{path} {body} {}", answer.text());
        assert_eq!(answer.json::<Value>(), *body, "{path}");
    }
}

/// The lines of the request with this name in the `.http` file.
#[track_caller]
fn request<'a>(text: &'a str, name: &str) -> &'a str {
    let start = text.find(&format!("# @name {name}\n")).unwrap_or_else(|| panic!("{text}"));
    let end = text[start..].find("\n###").map_or(text.len(), |at| start + at);
    &text[start..end]
}

#[test]
fn a_body_repeats_the_path_only_where_the_type_is_the_same_and_numbers_stay_numbers() {
    let [_, postman, http] = app("notes").openapi_files().unwrap();
    let replace = request(&http.text, "notes_replace");
    assert!(replace.contains("PUT {{baseUrl}}/notes/{{notes_id}}\n"), "{replace}");
    assert!(replace.contains("\"id\": {{notes_id}},"), "{replace}");
    let tag = request(&http.text, "notes_tag");
    assert!(tag.contains("\"id\": \"text\""), "{tag}");
    assert!(postman.text.contains(r#"\"id\": {{notes_id}},"#), "{}", postman.text);
    assert!(postman.text.contains(r#"\"id\": \"text\""#));
    assert!(!postman.text.contains("\\u0000"));
}

#[test]
fn no_example_is_read_as_a_variable() {
    let [_, postman, http] = app("notes").openapi_files().unwrap();
    let known = ["baseUrl", "token", "apiKey", "notes_id"];
    for file in [&postman, &http] {
        let used = file.text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap());
        for name in used {
            assert!(known.contains(&name), "{} {name}", file.name);
        }
    }
    let new = request(&http.text, "notes_new");
    let body = new.split_once("\n\n").unwrap().1;
    let body: Value = piton::serde_json::from_str(body).unwrap();
    assert_eq!(body["text"], "{{baseUrl}} {{{x}}}", "the same text, written otherwise");
    let found = "/notes/found?text=%7B%7BbaseUrl%7D%7D";
    assert!(http.text.contains(found) && postman.text.contains(found));
    let form = "text=%7B%7BbaseUrl%7D%7D";
    assert!(request(&http.text, "notes_form").contains(form));
    let collection: Value = piton::serde_json::from_str(&postman.text).unwrap();
    let items = collection["item"][0]["item"].as_array().unwrap();
    let named = |path: &str| {
        let is_it =
            |item: &&Value| item["request"]["url"]["raw"] == format!("{{{{baseUrl}}}}{path}");
        items.iter().find(is_it).unwrap()
    };
    assert_eq!(named("/notes/form")["request"]["body"], json!({ "mode": "raw", "raw": form }));
}

#[test]
fn whoever_joins_enters_afterwards() {
    let [_, postman, http] = app("notes").openapi_files().unwrap();
    for text in [&postman.text, &http.text] {
        let at = |path: &str| text.find(&format!("/notes/{path}")).unwrap();
        assert!(at("join") < at("enter"));
    }
}

#[test]
fn only_who_asks_for_credentials_says_how_to_show_them() {
    let document = app("notes").openapi_document().unwrap();
    let answer = |path: &str| document["paths"][path]["post"]["responses"]["401"].clone();
    for (path, text) in [("/notes/enter", "The word is wrong."), ("/notes/join", "Unauthorized")] {
        let own = answer(path);
        assert_eq!((&own["description"], &own["headers"]), (&json!(text), &Value::Null), "{path}");
        assert!(own["content"]["application/problem+json"]["schema"].is_object());
    }
    assert!(answer("/notes/invite")["headers"]["WWW-Authenticate"].is_object());
}

#[test]
fn a_handler_that_is_deprecated_is_a_deprecated_operation() {
    let document = app("notes").openapi_document().unwrap();
    for (path, wanted) in [("/notes/old", true), ("/notes/older", true), ("/notes/found", false)] {
        let operation = &document["paths"][path]["get"];
        assert_eq!(operation["deprecated"] == true, wanted, "{path}");
    }
}

#[test]
fn moments_without_a_zone_have_a_pattern() {
    let document = app("times").openapi_document().unwrap();
    let members = &document["components"]["schemas"]["Times"]["properties"];
    let pattern = |name: &str| members[name]["pattern"].as_str().unwrap_or_default().to_owned();
    assert!(pattern("at").starts_with("^[0-9]{4}-") && pattern("at").contains('T'), "{members}");
    assert!(pattern("time").starts_with("^([01][0-9]|2[0-3]):"), "{members}");
    let body = &document["paths"]["/times"]["post"]["requestBody"]["content"]["application/json"];
    assert_eq!(body["example"], json!({ "at": "2026-01-31T12:00:00", "time": "12:00:00" }));
}

#[test]
fn addresses_that_make_a_wrong_document_are_refused_and_others_are_taken() {
    let report = |key: &str, value: &str| {
        let app = app("times").set(format!("openapi.{key}"), value.to_owned());
        app.openapi_document().map_err(|error| error.report("it"))
    };
    for value in [
        "example.org",
        "ftp://example.org",
        "https://",
        "https:///api",
        "https://:8080",
        "https://example.org:0",
        "https://example.org:65536",
        "https://example.org:",
        "https://example.org:80a",
        "https://exa mple.org",
        "https://example..org",
        "https://{host}/api",
        "https://example.org/{}",
        "https://[::1",
        "https://[fe80::zz]/",
        "https://example.org/api?x=1",
        "https://example.org/api#top",
        "https://ana:secret-word@example.org",
        "https://example.org/%zz",
        "//example.org",
        "/a b",
        "/api?x",
        "/{tenant}",
    ] {
        let report = report("servers", value).unwrap_err();
        assert!(report.contains("openapi.servers"), "{value} {report}");
    }
    for (value, wanted) in [
        ("https://example.org/", "https://example.org"),
        ("HTTPS://Example.org:8443/api/", "HTTPS://Example.org:8443/api"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("/api/", "/api"),
        ("/", "/"),
    ] {
        assert_eq!(report("servers", value).unwrap()["servers"][0]["url"], wanted);
    }
    for value in ["https://", "https://example.org/a b", "https://{}", "mailto:ana@example.org"] {
        assert!(
            report("contact_url", value).unwrap_err().contains("openapi.contact_url"),
            "{value}"
        );
    }
    report("contact_url", "Https://example.org/a?b#c").unwrap();
    for value in
        ["ana", "ana@", "@example.org", "a@b@c.org", "ana@exa mple.org", "a@b..org", "<a@b.org>"]
    {
        assert!(
            report("contact_email", value).unwrap_err().contains("openapi.contact_email"),
            "{value}"
        );
    }
    report("contact_email", "ana+shop@example.org").unwrap();
    for (license, is_spdx) in [
        ("MIT", true),
        ("MIT OR Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND BSD-3-Clause", true),
        ("GPL-2.0-or-later WITH Classpath-exception-2.0", true),
        ("Our own licence", false),
        ("MIT or Apache-2.0", false),
        ("MIT OR", false),
        ("see https://example.org", false),
    ] {
        let license_of = report("license", license).unwrap()["info"]["license"].clone();
        let identifier = if is_spdx { json!(license) } else { Value::Null };
        assert_eq!(
            (&license_of["name"], &license_of["identifier"]),
            (&json!(license), &identifier)
        );
    }
}

#[test]
fn the_password_in_an_address_is_not_repeated() {
    let app = app("times").set("openapi.servers", "https://ana:secret-word@example.org");
    let report = app.openapi_document().unwrap_err().report("it");
    assert!(!report.contains("secret-word"), "{report}");
}

#[piton::test]
async fn what_the_code_says_of_the_service_is_checked_as_the_settings_are() {
    let app = || {
        let said = OpenApi::new()
            .contact("Ana", "nobody")
            .contact_url("example.org")
            .server("https://example.org/v1/", "right")
            .server("https://example.org/{tenant}", "wrong");
        App::new("it").blueprints(["openapi_flat::times"]).openapi(said)
    };
    let launched = app().into_router().await.expect_err("the document would be wrong");
    for report in [app().openapi_document().unwrap_err().report("it"), launched.report("it")] {
        for name in ["contact_email", "contact_url", "servers"] {
            assert!(report.contains(&format!("openapi.{name}")), "{report}");
        }
        assert!(
            report.contains("number 2 of the list") && report.contains("openapi_flat.rs"),
            "{report}"
        );
    }
}

/// Two types of one name in the code: `Wrapper<u8>` and `Wrapper<bool>`.
#[derive(Serialize, JsonSchema)]
struct Wrapper<T> {
    value: T,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyedOf{K}And{V}")]
struct Keyed<K: Ord + JsonSchema, V> {
    members: BTreeMap<K, V>,
}

#[test]
fn names_of_types_do_not_depend_on_the_order_of_the_routes_in_the_code() {
    async fn one() -> Json<Wrapper<u8>> {
        Json(Wrapper { value: 1 })
    }
    async fn other() -> Json<Wrapper<bool>> {
        Json(Wrapper { value: true })
    }
    async fn keyed() -> Json<Keyed<String, bool>> {
        Json(Keyed { members: BTreeMap::new() })
    }
    let one = || piton::http::get("/one", one).describe(piton::describe!(one));
    let other = || piton::http::get("/other", other).describe(piton::describe!(other));
    let keyed = || piton::http::get("/keyed", keyed).describe(piton::describe!(keyed));
    let app = || App::new("it").no_scan().openapi(OpenApi::new());
    let first = app().route(one()).route(other()).route(keyed()).openapi_document().unwrap();
    let second = app().route(keyed()).route(other()).route(one()).openapi_document().unwrap();
    assert_eq!(first, second);
    let schemas = first["components"]["schemas"].as_object().unwrap();
    assert_eq!(schemas["Wrapper"]["properties"]["value"]["type"], "integer");
    assert_eq!(schemas["Wrapper2"]["properties"]["value"]["type"], "boolean");
    assert!(schemas.contains_key("KeyedOfstringAndboolean"), "{schemas:?}");
}
