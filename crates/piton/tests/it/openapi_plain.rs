//! The document in the forms that generators of clients read as they are meant.

use std::collections::{BTreeMap, HashMap};

use piton::http::{Guard, GuardFuture, Operation, Page, Paging};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::TestApp;

mod numbers {
    use super::*;

    piton::blueprint!("/numbers", tag = "numbers");

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Numbers {
        a_u8: u8,
        a_u16: u16,
        a_u32: u32,
        a_u64: u64,
        a_usize: usize,
        a_u128: u128,
        an_i8: i8,
        an_i16: i16,
        an_i32: i32,
        an_i64: i64,
        an_isize: isize,
        an_i128: i128,
        an_f32: f32,
        an_f64: f64,
        #[schemars(range(min = 1, max = 100))]
        few: u32,
        #[schemars(range(min = 1))]
        some: std::num::NonZeroU64,
        maybe: Option<u32>,
        #[schemars(length(min = 1, max = usize::MAX))]
        list: Vec<u64>,
        #[schemars(extend("enum" = [1, 2, 3]))]
        one_of: i64,
        map: HashMap<String, u32>,
        by_number: BTreeMap<u32, u64>,
        pair: (u32, String),
        twins: (u64, u64),
        inner: Wrapper<u64>,
        /// A member that is called as a keyword is.
        format: u32,
        r#const: u16,
        default: Option<String>,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Wrapper<T> {
        value: T,
    }

    #[derive(Deserialize, JsonSchema)]
    pub struct Asked {
        after: Option<u64>,
        count: Option<u32>,
        shelf: Option<u8>,
    }

    /// Counts.
    #[post("/{id}")]
    async fn count(
        Path(id): Path<u32>,
        Query(asked): Query<Asked>,
        Json(numbers): Json<Numbers>,
    ) -> Json<Numbers> {
        let _ = (id, asked.after, asked.count, asked.shelf);
        Json(numbers)
    }

    #[get("/pages")]
    async fn pages() -> Page<Wrapper<u8>> {
        Page::new(Paging { page: 1, per_page: 1 }, vec![Wrapper { value: 1 }], 1)
    }
}

mod unions {
    use super::*;

    piton::blueprint!("/unions", tag = "unions");

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    pub enum Shape {
        /// Round.
        Circle {
            radius: f64,
        },
        FromCorner(Corner),
        Point,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Corner {
        pub left: u32,
        pub top: u32,
    }

    /// Closed, and with a variant that holds an enum of its own.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "kind", deny_unknown_fields)]
    pub enum Closed {
        #[deprecated]
        Old {
            name: String,
            inside: Option<Box<Closed>>,
        },
        Corner(Corner),
        Shape(Shape),
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "t", content = "c")]
    pub enum Adjacent {
        Number(u32),
        Word(String),
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub enum External {
        Number(u32),
        Nothing,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(untagged)]
    pub enum Untagged {
        Number(u32),
        Word(String),
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Holder {
        pub id: u32,
        #[serde(flatten)]
        pub shape: Shape,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Parcel {
        pub id: u32,
        #[serde(flatten)]
        pub content: Content,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub enum Content {
        Book { pages: u16 },
        Corner(Corner),
    }

    /// The distance.
    #[derive(Serialize, Deserialize, JsonSchema)]
    pub enum Level {
        /// At the bottom.
        Low,
        /// At the top.
        High,
        Elsewhere,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[schemars(rename = "Página <x>")]
    pub struct Strange {
        pub level: Level,
        pub maybe: Option<Level>,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct All {
        shape: Shape,
        adjacent: Adjacent,
        external: External,
        untagged: Untagged,
        holder: Holder,
        strange: Option<Strange>,
        closed: Vec<Closed>,
        parcel: Parcel,
        any: Value,
        anything: Vec<Value>,
    }

    #[post("/")]
    async fn all(Json(all): Json<All>) -> Json<All> {
        Json(all)
    }
}

mod shop {
    use super::*;

    piton::blueprint!("/shop", tag = "shop");

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Order {
        pub id: u32,
    }

    /// Two routes whose paths differ in their punctuation alone.
    #[get("/a-b")]
    async fn r#move() -> NoContent {
        NoContent
    }

    #[get("/a_b")]
    async fn r#type() -> NoContent {
        NoContent
    }

    #[post("/user-orders")]
    #[errors(409 = "The order is there already.", 418)]
    async fn create(Json(order): Json<Order>) -> Created<Json<Order>> {
        Created::at(format!("/shop/user-orders/{}", order.id), Json(order))
    }

    #[get("/user-orders/{id}")]
    #[protected]
    #[errors(404 = "There is no such order.")]
    #[cached(ttl = "5s", shared)]
    async fn show(Path(id): Path<u32>) -> Result<Json<Order>> {
        Ok(Json(Order { id }))
    }

    #[get("/user-orders/{id}/name")]
    async fn name(Path(id): Path<String>) -> String {
        id
    }

    #[post("/text")]
    async fn text(body: String) -> Result<piton::axum::response::Redirect> {
        Ok(piton::axum::response::Redirect::to(&body))
    }

    #[derive(Deserialize, JsonSchema)]
    pub struct Asked {
        pub range: Range,
        pub tag: Vec<String>,
    }

    #[derive(Deserialize, JsonSchema)]
    pub struct Range {
        #[schemars(example = 3)]
        pub min: u8,
        pub max: Option<u8>,
    }

    #[get("/asked")]
    async fn asked(Query(asked): Query<Asked>) -> String {
        format!("{} {:?} {:?}", asked.range.min, asked.range.max, asked.tag)
    }

    #[post("/asked")]
    async fn form(Form(asked): Form<Asked>) -> String {
        format!("{} {:?} {:?}", asked.range.min, asked.range.max, asked.tag)
    }

    #[get("/bytes")]
    async fn bytes() -> piton::bytes::Bytes {
        piton::bytes::Bytes::new()
    }

    #[get("/now")]
    #[protected(guard = Closed)]
    async fn now() -> &'static str {
        "now"
    }
}

/// A guard that documents an error of its own.
struct Closed;

impl Guard for Closed {
    fn describe(&self, operation: &mut Operation) {
        operation.error(StatusCode::LOCKED, "The shop is closed.");
    }

    fn check<'a>(
        &'a self,
        _: &'a mut piton::axum::http::request::Parts,
        _: &'a Handle,
    ) -> GuardFuture<'a> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn app(module: &str) -> App {
    App::new("it").blueprints([module]).openapi(OpenApi::new())
}

fn document(module: &str) -> Value {
    app(module).openapi_document().unwrap()
}

/// Calls `look` with each schema-like object of the document, whatever it is part of.
fn each_object(value: &Value, look: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(map) => {
            look(value);
            let inner = map.iter().filter(|(key, _)| !key.starts_with("example"));
            inner.for_each(|(_, value)| each_object(value, look));
        }
        Value::Array(items) => items.iter().for_each(|item| each_object(item, look)),
        _ => {}
    }
}

/// Type, format, `minimum` and `maximum` of an integer.
fn integer(schema: &Value) -> (Value, Value, Value) {
    (schema["format"].clone(), schema["minimum"].clone(), schema["maximum"].clone())
}

#[test]
fn integers_have_a_format_that_generators_know_and_limits_that_compile() {
    let document = document("openapi_plain::numbers");
    let members = &document["components"]["schemas"]["Numbers"]["properties"];
    let none = Value::Null;
    for (name, format, minimum, maximum) in [
        ("a_u8", "int32", json!(0), json!(255)),
        ("a_u16", "int32", json!(0), json!(65535)),
        ("a_u32", "int64", json!(0), json!(u32::MAX)),
        ("a_u64", "int64", json!(0), none.clone()),
        ("a_usize", "int64", json!(0), none.clone()),
        ("a_u128", "int64", json!(0), none.clone()),
        ("an_i8", "int32", json!(-128), json!(127)),
        ("an_i16", "int32", json!(-32768), json!(32767)),
        ("an_i32", "int32", json!(i32::MIN), json!(i32::MAX)),
        ("an_i64", "int64", none.clone(), none.clone()),
        ("an_isize", "int64", none.clone(), none.clone()),
        ("an_i128", "int64", none.clone(), none.clone()),
        ("few", "int32", json!(1), json!(100)),
        ("some", "int64", json!(1), none.clone()),
        ("maybe", "int64", json!(0), json!(u32::MAX)),
        ("format", "int64", json!(0), json!(u32::MAX)),
        ("const", "int32", json!(0), json!(65535)),
    ] {
        assert_eq!(integer(&members[name]), (json!(format), minimum, maximum), "{name}");
    }
    assert_eq!(members["one_of"]["format"], "int64", "as its author has said");
    assert_eq!((&members["list"]["minItems"], &members["list"]["maxItems"]), (&json!(1), &none));
    assert_eq!(members["an_f32"], json!({ "type": "number", "format": "float" }));
    assert_eq!(members["an_f64"], json!({ "type": "number", "format": "double" }));
    let big = json!({ "type": "integer", "format": "int64", "minimum": 0 });
    assert_eq!(members["list"]["items"], big);
    assert_eq!(members["map"]["additionalProperties"]["maximum"], u32::MAX);
    assert_eq!(members["by_number"]["additionalProperties"], big);
    let page = &document["components"]["schemas"]["PageOfWrapper"]["properties"]["total"];
    assert_eq!(integer(page), (json!("int64"), json!(0), none));
    let parameters = document["paths"]["/numbers/{id}"]["post"]["parameters"].as_array().unwrap();
    let formats: Vec<_> = parameters
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["schema"]["format"].as_str().unwrap()))
        .collect();
    let wanted = [("id", "int64"), ("after", "int64"), ("count", "int64"), ("shelf", "int32")];
    assert_eq!(formats, wanted);
}

#[test]
fn no_integer_of_a_document_is_without_format_or_has_a_limit_at_the_end_of_64_bits() {
    for module in ["numbers", "unions", "shop"] {
        each_object(&document(&format!("openapi_plain::{module}")), &mut |object| {
            let kind = &object["type"];
            let is_integer = *kind == "integer"
                || kind.as_array().is_some_and(|all| all.contains(&json!("integer")));
            if is_integer {
                let format = object["format"].as_str();
                assert!(matches!(format, Some("int32" | "int64")), "{object}");
                let within = |limit: &Value| {
                    limit.as_i64().is_some_and(|limit| limit > i64::MIN && limit < i64::MAX)
                };
                for name in ["minimum", "maximum"] {
                    assert!(object.get(name).is_none_or(within), "{object}");
                }
            }
        });
    }
}

#[test]
fn maps_tuples_and_single_values_are_said_in_plain_words() {
    let document = document("openapi_plain::numbers");
    let members = &document["components"]["schemas"]["Numbers"]["properties"];
    assert_eq!(members["by_number"]["patternProperties"], Value::Null);
    assert_eq!(members["by_number"]["propertyNames"], json!({ "pattern": "^\\d+$" }));
    assert_eq!(members["twins"]["items"]["type"], "integer");
    assert_eq!(members["twins"]["maxItems"], 2);
    let kinds = members["pair"]["items"]["anyOf"].as_array().unwrap();
    assert_eq!((&kinds[0]["type"], &kinds[1]["type"]), (&json!("integer"), &json!("string")));
    for module in ["numbers", "unions", "shop"] {
        each_object(&self::document(&format!("openapi_plain::{module}")), &mut |object| {
            // A member may be called so.
            let is_keyword = object.get("const").is_some_and(|value| !value.is_object());
            assert!(!is_keyword, "{object}");
        });
    }
}

#[test]
fn what_may_be_anything_is_an_empty_schema_and_has_an_example() {
    let document = document("openapi_plain::unions");
    let members = &document["components"]["schemas"]["All"]["properties"];
    assert_eq!((&members["any"], &members["anything"]["items"]), (&json!({}), &json!({})));
    let body = &document["paths"]["/unions"]["post"]["requestBody"]["content"];
    assert_eq!(body["application/json"]["example"]["any"], json!({}));
}

#[test]
fn each_variant_of_a_tagged_enum_is_a_schema_with_all_its_members() {
    let document = document("openapi_plain::unions");
    let schemas = &document["components"]["schemas"];
    let shape = &schemas["Shape"];
    let names = ["ShapeCircle", "ShapeFromCorner", "ShapePoint"];
    let references = names.map(|name| json!({ "$ref": format!("#/components/schemas/{name}") }));
    assert_eq!(shape["oneOf"], json!(references));
    assert_eq!(shape["discriminator"]["propertyName"], "kind");
    assert_eq!(
        shape["discriminator"]["mapping"]["from_corner"],
        "#/components/schemas/ShapeFromCorner"
    );
    let corner = &schemas["ShapeFromCorner"];
    assert_eq!(corner["required"], json!(["left", "top", "kind"]));
    assert_eq!(corner["properties"]["kind"], json!({ "type": "string", "enum": ["from_corner"] }));
    assert_eq!(schemas["ShapeCircle"]["description"], "Round.");
    let external = schemas["External"]["oneOf"].as_array().unwrap();
    assert_eq!(external[1], json!({ "$ref": "#/components/schemas/ExternalNumber" }));
    assert_eq!(external[0]["enum"], json!(["Nothing"]));
    assert_eq!(schemas["ExternalNumber"]["required"], json!(["Number"]));
    let references = ["ParcelBook", "ParcelCorner"]
        .map(|name| json!({ "$ref": format!("#/components/schemas/{name}") }));
    assert_eq!(schemas["Parcel"], json!({ "oneOf": references }));
    assert_eq!(schemas["ParcelBook"]["required"], json!(["Book", "id"]));
    let old = &schemas["ClosedOld"];
    assert_eq!((&old["additionalProperties"], &old["deprecated"]), (&json!(false), &json!(true)));
    assert_eq!(old["required"], json!(["kind", "name", "inside"]));
    assert_eq!(schemas["ClosedOldInput"], Value::Null);
    assert_eq!(schemas["Adjacent"]["discriminator"]["propertyName"], "t");
    // What a struct that holds the enum flattened has is a member of each variant.
    let holder = &schemas["HolderPoint"];
    assert_eq!(holder["required"], json!(["kind", "id"]));
    assert_eq!(holder["properties"]["id"]["format"], "int64");
    let example = &document["paths"]["/unions"]["post"]["requestBody"]["content"];
    assert_eq!(example["application/json"]["example"]["shape"]["kind"], "circle");
}

#[test]
fn documented_values_are_one_enum_with_their_descriptions() {
    let document = document("openapi_plain::unions");
    let level = &document["components"]["schemas"]["Level"];
    assert_eq!(level["enum"], json!(["Elsewhere", "Low", "High"]));
    assert_eq!(level["x-enum-descriptions"], json!(["", "At the bottom.", "At the top."]));
    assert!(level["oneOf"].is_null());
}

#[test]
fn names_are_identifiers_and_none_is_there_twice() {
    for module in ["numbers", "unions", "shop"] {
        let document = document(&format!("openapi_plain::{module}"));
        let text = document.to_string();
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            let is_identifier = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            assert!(is_identifier, "{name}");
            assert!(text.contains(&format!("#/components/schemas/{name}\"")), "{name}");
        }
        each_object(&document, &mut |object| {
            if let Some(name) = object["$ref"].as_str() {
                let pointer = name.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{name}");
            }
        });
    }
    let document = document("openapi_plain::shop");
    let items = document["paths"].as_object().unwrap().values();
    let ids = items.flat_map(|item| item.as_object().unwrap().values());
    let mut ids: Vec<&str> = ids.map(|it| it["operationId"].as_str().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{ids:?}");
    let plain = |id: &&str| id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    assert!(ids.iter().all(plain), "{ids:?}");
}

/// The statuses that an operation of the shop documents, and the answer of one of them.
#[track_caller]
fn statuses(document: &Value, path: &str, method: &str) -> Vec<String> {
    let answers = document["paths"][path][method]["responses"].as_object().unwrap();
    let mut statuses: Vec<String> = answers.keys().cloned().collect();
    statuses.sort();
    statuses
}

#[test]
fn an_operation_documents_the_errors_it_can_answer() {
    let document = document("openapi_plain::shop");
    for (path, method, wanted) in [
        ("/shop/a-b", "get", "204 503 default"),
        ("/shop/user-orders", "post", "201 400 409 413 415 418 422 503 default"),
        ("/shop/user-orders/{id}", "get", "200 304 400 401 403 404 422 503 default"),
        ("/shop/user-orders/{id}/name", "get", "200 400 503 default"),
        ("/shop/text", "post", "303 400 413 503 default"),
        ("/shop/now", "get", "200 423 503 default"),
        ("/shop/bytes", "get", "200 503 default"),
    ] {
        assert_eq!(statuses(&document, path, method).join(" "), wanted, "{method} {path}");
    }
    let answers = &document["paths"]["/shop/user-orders"]["post"]["responses"];
    assert_eq!(answers["422"]["$ref"], "#/components/responses/unprocessable_content");
    assert_eq!(answers["409"]["description"], "The order is there already.");
    let schema = json!({ "$ref": "#/components/schemas/problem" });
    for status in ["409", "418"] {
        let problem = &answers[status]["content"]["application/problem+json"];
        assert_eq!(problem["schema"], schema, "{status}");
        assert_eq!(problem["example"]["status"].to_string(), status);
    }
    let components = document["components"]["responses"].as_object().unwrap();
    for (name, answer) in components {
        assert_eq!(answer["content"]["application/problem+json"]["schema"], schema, "{name}");
    }
    assert!(!components.contains_key("conflict"), "what nothing refers to is not there");
}

#[test]
fn failures_in_a_format_of_the_services_own_are_not_called_problems() {
    use piton::axum::response::IntoResponse;

    let app = app("openapi_plain::shop");
    let app = app.error_renderer("/shop/user-orders", |failed| failed.status().into_response());
    let document = app.openapi_document().unwrap();
    let own = json!({ "description": "Any failure, in the format of this path." });
    for (path, method) in [("/shop/user-orders", "post"), ("/shop/user-orders/{id}", "get")] {
        let answers = &document["paths"][path][method]["responses"];
        assert_eq!((&answers["default"], &answers["422"]), (&own, &Value::Null), "{path}");
    }
    let other = &document["paths"]["/shop/text"]["post"]["responses"];
    assert_eq!(other["default"]["$ref"], "#/components/responses/problem");
}

#[test]
fn headers_are_documented_where_they_are_sent() {
    let document = document("openapi_plain::shop");
    let show = &document["paths"]["/shop/user-orders/{id}"]["get"];
    for status in ["200", "304"] {
        assert!(show["responses"][status]["headers"]["ETag"].is_object(), "{status}");
    }
    let condition = &show["parameters"][1];
    assert_eq!(
        (&condition["name"], &condition["required"]),
        (&json!("If-None-Match"), &json!(false))
    );
    assert!(condition["description"].is_string());
    let created = &document["paths"]["/shop/user-orders"]["post"]["responses"]["201"];
    assert_eq!(created["headers"]["Location"]["schema"]["format"], "uri-reference");
    let moved = &document["paths"]["/shop/text"]["post"]["responses"]["303"];
    assert!(moved["headers"]["Location"].is_object());
    let components = &document["components"]["responses"];
    let wait = &components["service_unavailable"]["headers"]["Retry-After"]["schema"];
    assert_eq!((&wait["type"], &wait["format"]), (&json!("integer"), &json!("int64")));
    assert!(components["unauthorized"]["headers"]["WWW-Authenticate"].is_object());
}

#[test]
fn what_stands_around_a_route_documents_its_headers_whatever_was_said_first() {
    async fn here() -> &'static str {
        "here"
    }
    let route = piton::http::get("/here", here)
        .middleware(piton::cache::Cached::new())
        .describe(piton::describe!(here));
    let app = App::new("it").no_scan().route(route).openapi(OpenApi::new());
    let document = app.openapi_document().unwrap();
    let answers = &document["paths"]["/here"]["get"]["responses"];
    assert!(answers["200"]["headers"]["ETag"].is_object(), "{answers}");
}

#[test]
fn every_variable_of_the_http_file_has_a_value_and_a_name_without_operators() {
    let [_, postman, http] = app("openapi_plain::shop").openapi_files().unwrap();
    let variables: Vec<(&str, &str)> = http
        .text
        .lines()
        .filter_map(|line| line.strip_prefix('@')?.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    let names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["baseUrl", "token", "user_orders_id"]);
    assert!(variables.iter().all(|(_, value)| !value.is_empty()), "{variables:?}");
    assert!(http.text.contains("GET {{baseUrl}}/shop/user-orders/{{user_orders_id}}\n"));
    let requests = http.text.lines().filter_map(|line| line.strip_prefix("# @name "));
    for name in requests {
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
    }
    assert!(postman.text.contains("{{user_orders_id}}"));
}

#[test]
fn lists_and_objects_are_written_as_the_document_says() {
    let [document, _, http] = app("openapi_plain::shop").openapi_files().unwrap();
    let asked = http.text.lines().find(|line| line.contains("/shop/asked?")).unwrap();
    assert!(asked.ends_with("?range%5Bmax%5D=1&range%5Bmin%5D=3&tag=text"), "{asked}");
    assert!(http.text.contains("\nrange%5Bmax%5D=1&range%5Bmin%5D=3&tag=text\n"), "{}", http.text);
    let document: Value = piton::serde_json::from_str(&document.text).unwrap();
    let form = &document["paths"]["/shop/asked"]["post"]["requestBody"]["content"];
    let form = &form["application/x-www-form-urlencoded"];
    let encoding = json!({ "range": { "style": "deepObject", "explode": true } });
    assert_eq!(form["encoding"], encoding);
}

#[piton::test]
async fn the_settings_say_who_to_ask_and_where_the_service_is() {
    let code = OpenApi::new().title("The shop").contact("Ana", "ana@example.org");
    let app = App::new("it").blueprints(["openapi_plain::shop"]).openapi(code);
    let app = app
        .set("openapi.title", "The other shop")
        .set("openapi.description", "Sells.")
        .set("openapi.contact_email", "shop@example.org")
        .set("openapi.contact_url", "https://shop.example.org")
        .set("openapi.license", "MIT");
    let app = TestApp::new(app.set("openapi.servers", "https://shop.example.org/v1")).await;
    let document = app.handle().openapi_document();
    let info = &document["info"];
    assert_eq!(
        (&info["title"], &info["description"]),
        (&json!("The other shop"), &json!("Sells."))
    );
    let contact = json!({
        "name": "Ana", "email": "shop@example.org", "url": "https://shop.example.org",
    });
    assert_eq!(info["contact"], contact);
    assert_eq!(info["license"], json!({ "name": "MIT", "identifier": "MIT" }));
    assert_eq!(document["servers"], json!([{ "url": "https://shop.example.org/v1" }]));
    let page = app.get("/api/doc").await;
    assert!(page.text().contains("<title>The other shop</title>"), "{}", page.text());
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("https://shop.example.org"), "{policy}");
}

#[test]
fn settings_that_are_no_address_are_refused_all_at_once() {
    let app = app("openapi_plain::shop")
        .set("openapi.contact_email", "nobody")
        .set("openapi.contact_url", "example.org")
        .set("openapi.servers", "example.org");
    // The verb starts nothing, and refuses them all the same.
    let error = app.openapi_document().unwrap_err();
    assert!(matches!(error, piton::LaunchError::Settings(_)), "{error:?}");
    let error = error.report("it");
    for name in ["contact_email", "contact_url", "servers"] {
        assert!(error.contains(&format!("openapi.{name}")), "{error}");
    }
}
