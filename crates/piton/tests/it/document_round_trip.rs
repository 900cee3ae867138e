//! Random values, sent as the OpenAPI document describes the parameters, are read as the same values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use piton::convert::{Bounded, Date, Slug, Timestamp};
use piton::http::{Listing, SortBy, get, post};
use piton::prelude::*;
use piton::serde_json::{Map, Value, json};
use piton::testing::TestApp;

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Everything {
    must_be: String,
    whole: Option<u64>,
    #[serde(default)]
    small: i8,
    wide: Option<i64>,
    ratio: Option<f64>,
    flag: Option<bool>,
    letters: Option<Letters>,
    kind: Option<Kind>,
    day: Option<Date>,
    at: Option<Timestamp>,
    slug: Option<Slug>,
    level: Option<Bounded<-5, 5>>,
    #[serde(default)]
    tags: Vec<String>,
    numbers: Option<BTreeSet<u16>>,
    kinds: Option<Vec<Kind>>,
    days: Option<Vec<Date>>,
    pair: Option<(u8, String)>,
    three: Option<[i32; 3]>,
    range: Option<Range>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Letters(String);

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    OneWord,
    Other,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Range {
    min: i32,
    max: Option<i32>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Flattened {
    name: Option<String>,
    range: Option<Range>,
    #[serde(flatten)]
    first: First,
    #[serde(flatten)]
    perhaps: Option<Perhaps>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct First {
    whole: u32,
    text: String,
    #[serde(flatten)]
    second: Second,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Second {
    #[serde(default)]
    flag: bool,
    ratio: Option<f64>,
    small: Option<i8>,
    day: Option<Date>,
    kind: Option<Kind>,
    level: Option<Bounded<1, 5>>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    numbers: Vec<i64>,
    flags: Option<Vec<bool>>,
    pair: Option<(u8, String)>,
    between: Option<Range>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Perhaps {
    copies: u64,
    title: Option<String>,
}

struct Order;

impl SortBy for Order {
    const FIELDS: &'static [(&'static str, &'static str)] = &[("title", "title")];
    const DEFAULT: &'static str = "title";
    const UNIQUE: &'static str = "id";
}

async fn query(Query(it): Query<Everything>) -> Json<Everything> {
    Json(it)
}

async fn flattened(Query(it): Query<Flattened>) -> Json<Flattened> {
    Json(it)
}

async fn listed(listing: Listing<Flattened, Order>) -> Json<Flattened> {
    Json(listing.filter)
}

async fn form(Form(it): Form<Everything>) -> Json<Everything> {
    Json(it)
}

async fn flattened_form(Form(it): Form<Flattened>) -> Json<Flattened> {
    Json(it)
}

async fn path(Path(it): Path<InPath>) -> Json<InPath> {
    Json(it)
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct InPath {
    text: String,
    #[serde(flatten)]
    rest: PathFields,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct PathFields {
    whole: i16,
    kind: Kind,
    day: Date,
    flag: bool,
}

fn app() -> App {
    App::new("documented")
        .blueprints(["none"])
        .set("log.level", "critical")
        .openapi(OpenApi::new())
        .route(get("/query", query).describe(piton::describe!(query)))
        .route(get("/flattened", flattened).describe(piton::describe!(flattened)))
        .route(get("/listed", listed).describe(piton::describe!(listed)))
        .route(post("/form", form).describe(piton::describe!(form)))
        .route(post("/flattened-form", flattened_form).describe(piton::describe!(flattened_form)))
        .route(
            get("/path/{text}/{whole}/{kind}/{day}/{flag}", path).describe(piton::describe!(path)),
        )
}

/// A xorshift generator, which gives the same values in each run.
struct Random(u64);

impl Random {
    /// Returns a number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    /// Returns one of `values`.
    fn choose<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())].clone()
    }
}

/// A generator of values that a schema allows.
struct ValueGenerator<'a> {
    document: &'a Value,
    random: Random,
}

impl ValueGenerator<'_> {
    /// Follows `$ref`.
    fn resolve(&self, schema: &Value) -> Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                self.resolve(self.document.pointer(reference.trim_start_matches('#')).unwrap())
            }
            None => schema.clone(),
        }
    }

    /// Returns a value that `schema` allows.
    fn value(&mut self, schema: &Value) -> Value {
        let schema = self.resolve(schema);
        for key in ["oneOf", "anyOf"] {
            if let Some(parts) = schema[key].as_array() {
                let parts: Vec<Value> =
                    parts.iter().filter(|part| part["type"] != "null").cloned().collect();
                let part = self.random.choose(&parts);
                return self.value(&part);
            }
        }
        if let Some(words) = schema["enum"].as_array() {
            return self.random.choose(words);
        }
        if !schema["const"].is_null() {
            return schema["const"].clone();
        }
        let kinds = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let kind = schema["type"].as_str().or(kinds.into_iter().find(|kind| *kind != "null"));
        match kind.unwrap_or_default() {
            "integer" => self.whole(&schema),
            "number" => self.random.choose(&[json!(0.5), json!(-1.5e300), json!(7.0), json!(1e-7)]),
            "boolean" => self.random.choose(&[json!(true), json!(false)]),
            "array" => self.list(&schema),
            "object" => self.object(&schema),
            _ => self.text(&schema),
        }
    }

    fn whole(&mut self, schema: &Value) -> Value {
        let (min, max) = match schema["format"].as_str().unwrap_or_default() {
            "uint8" => (0, i128::from(u8::MAX)),
            "uint16" => (0, i128::from(u16::MAX)),
            "uint32" => (0, i128::from(u32::MAX)),
            "uint64" => (0, i128::from(u64::MAX)),
            "int8" => (i128::from(i8::MIN), i128::from(i8::MAX)),
            "int16" => (i128::from(i16::MIN), i128::from(i16::MAX)),
            "int32" => (i128::from(i32::MIN), i128::from(i32::MAX)),
            _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
        };
        let bound = |key: &str| schema[key].as_i64().map(i128::from);
        let min = bound("minimum").unwrap_or(min).max(min);
        let max = bound("maximum").unwrap_or(max).min(max);
        let values = [min, max, 0, 1, 5, -1].map(|number| number.clamp(min, max));
        let number = self.random.choose(&values);
        u64::try_from(number).map_or_else(|_| json!(i64::try_from(number).unwrap()), Value::from)
    }

    fn text(&mut self, schema: &Value) -> Value {
        let values: &[&str] = match schema["format"].as_str().unwrap_or_default() {
            "date" => &["2026-01-31", "0001-01-01"],
            "date-time" => &["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.500Z"],
            "slug" => &["open-source", "5"],
            _ => &[
                "5", "true", "a,b", "a&b=c", "1+1", "50%", "é 日", "a/b", "x", "-0", "null", "[a]",
                "%2C", ";",
            ],
        };
        self.random.choose(values).into()
    }

    fn list(&mut self, schema: &Value) -> Value {
        if let Some(items) = schema["prefixItems"].as_array() {
            return items.iter().map(|item| self.value(item)).collect();
        }
        let min = schema["minItems"].as_u64().unwrap_or(1);
        let max = schema["maxItems"].as_u64().unwrap_or(4);
        let count = min as usize + self.random.below((max - min + 1) as usize);
        let mut items: Vec<Value> = (0..count).map(|_| self.value(&schema["items"])).collect();
        if schema["uniqueItems"] == true {
            items.sort_by_key(|item| item.as_u64());
            items.dedup();
        }
        items.into()
    }

    fn object(&mut self, schema: &Value) -> Value {
        let mut object = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            object.insert(name.clone(), self.value(property));
        }
        if let Some(more) = schema.get("additionalProperties").filter(|more| more.is_object()) {
            object.insert("a-b".into(), self.value(more));
        }
        object.into()
    }
}

/// Percent-encodes all but unreserved characters.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}

/// Returns a scalar as text.
fn to_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the pairs of a value; a list has commas, or several pairs if it `explodes`.
fn pairs(name: &str, value: &Value, explodes: bool) -> Vec<String> {
    let name = percent_encode(name);
    let text = |value: &Value| percent_encode(&to_text(value));
    match value {
        Value::Array(items) if explodes => {
            items.iter().map(|item| format!("{name}={}", text(item))).collect()
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            vec![format!("{name}={}", items.join(","))]
        }
        Value::Object(members) => members
            .iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(member, value)| format!("{name}[{}]={}", percent_encode(member), text(value)))
            .collect(),
        other => vec![format!("{name}={}", text(other))],
    }
}

/// Sends random values of the parameters, and compares them with those that the handler reads.
async fn check_round_trip(
    app: &TestApp,
    route: &str,
    named: &[(String, Value, bool)],
    random: u64,
) {
    let document: Value = app.get("/api/openapi.json").await.json();
    let mut values = ValueGenerator { document: &document, random: Random(random) };
    for round in 0..60 {
        let mut expected = Map::new();
        let mut sent = Vec::new();
        for (name, schema, required) in named {
            if *required || values.random.below(3) > 0 {
                let value = values.value(schema);
                sent.extend(pairs(name, &value, round % 2 == 1));
                expected.insert(name.clone(), value);
            }
        }
        let text = sent.join("&");
        let response = match route.ends_with("form") {
            true => {
                let form = "application/x-www-form-urlencoded";
                app.post(route).header("content-type", form).body(text.clone()).await
            }
            false => app.get(&format!("{route}?{text}")).await,
        };
        assert_eq!(response.status(), 200, "{route} {text}: {}", response.text());
        let read: Value = response.json();
        for (name, value) in &expected {
            let is_page = matches!(&**name, "page" | "per_page" | "sort");
            assert!(is_page || read[name] == *value, "{name} of {text}: {}", read[name]);
        }
    }
}

/// Returns the name, the schema and whether it is required of each parameter of an operation.
fn parameters(operation: &Value) -> Vec<(String, Value, bool)> {
    let all = operation["parameters"].as_array().unwrap().iter();
    all.map(|it| {
        (it["name"].as_str().unwrap().into(), it["schema"].clone(), it["required"] == true)
    })
    .collect()
}

#[piton::test]
async fn documented_query_parameters_are_read_as_the_values_sent() {
    let app = TestApp::new(app()).await;
    let document: Value = app.get("/api/openapi.json").await.json();
    for (route, seed) in [("/query", 7), ("/flattened", 11), ("/listed", 13)] {
        // `copies` belongs to an `Option` of a struct, which needs it.
        let named = parameters(&document["paths"][route]["get"]);
        let named: Vec<_> = named
            .into_iter()
            .map(|(name, schema, required)| {
                let required = required || name == "copies";
                (name, schema, required)
            })
            .collect();
        assert!(named.len() > 10, "{route}: {named:?}");
        check_round_trip(&app, route, &named, seed).await;
    }
}

#[piton::test]
async fn documented_form_fields_are_read_as_the_values_sent() {
    let app = TestApp::new(app()).await;
    let document: Value = app.get("/api/openapi.json").await.json();
    for (route, seed) in [("/form", 3), ("/flattened-form", 5)] {
        let body = &document["paths"][route]["post"]["requestBody"];
        let schema = &body["content"]["application/x-www-form-urlencoded"]["schema"];
        let values = ValueGenerator { document: &document, random: Random(1) };
        let schema = values.resolve(schema);
        let required = |name: &str| {
            let mut required = schema["required"].as_array().into_iter().flatten();
            name == "copies" || required.any(|one| one == name)
        };
        let properties = schema["properties"].as_object().unwrap().iter();
        let named: Vec<_> = properties
            .map(|(name, schema)| (name.clone(), schema.clone(), required(name)))
            .collect();
        assert!(named.len() > 10, "{route}: {named:?}");
        check_round_trip(&app, route, &named, seed).await;
    }
}

#[piton::test]
async fn documented_path_parameters_are_read_as_the_values_sent() {
    let app = TestApp::new(app()).await;
    let document: Value = app.get("/api/openapi.json").await.json();
    let template = "/path/{text}/{whole}/{kind}/{day}/{flag}";
    let named = parameters(&document["paths"][template]["get"]);
    assert_eq!(named.len(), 5);
    let mut values = ValueGenerator { document: &document, random: Random(17) };
    for _ in 0..60 {
        let (mut path, mut expected) = (template.to_owned(), Map::new());
        for (name, schema, _) in &named {
            let value = values.value(schema);
            path = path.replace(&format!("{{{name}}}"), &percent_encode(&to_text(&value)));
            expected.insert(name.clone(), value);
        }
        let response = app.get(&path).await;
        assert_eq!(response.status(), 200, "{path}: {}", response.text());
        assert_eq!(response.json::<Value>(), Value::Object(expected), "{path}");
    }
}

#[test]
fn the_document_has_the_styles_of_lists_and_objects_and_what_may_be_empty() {
    let document = app().openapi_document().unwrap();
    let all = document["paths"]["/query"]["get"]["parameters"].as_array().unwrap();
    let parameter = |name: &str| all.iter().find(|it| it["name"] == name).unwrap();
    for name in ["tags", "numbers", "kinds", "days", "pair", "three"] {
        let it = parameter(name);
        assert_eq!((&it["style"], &it["explode"]), (&json!("form"), &json!(true)), "{name}");
    }
    for name in ["range", "labels"] {
        let it = parameter(name);
        assert_eq!((&it["style"], &it["explode"]), (&json!("deepObject"), &json!(true)), "{name}");
    }
    for (name, allowed) in [("whole", json!(true)), ("day", json!(true)), ("letters", json!(null))]
    {
        assert_eq!(parameter(name)["allowEmptyValue"], allowed, "{name}");
    }
    assert_eq!(parameter("mustBe")["required"], true);
}

mod variants {
    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Search {
        /// By name.
        Name {
            value: String,
            exact: Option<bool>,
        },
        Number {
            value: u32,
            limit: u8,
        },
    }

    async fn search(Query(_): Query<Search>) {}

    #[test]
    fn the_variants_of_an_enum_are_parameters_with_each_name_once() {
        let app = App::new("documented").blueprints(["none"]).openapi(OpenApi::new());
        let route = get("/search", search).describe(piton::describe!(search));
        let document = app.route(route).openapi_document().unwrap();
        let all = document["paths"]["/search"]["get"]["parameters"].as_array().unwrap();
        let names: Vec<&str> = all.iter().filter_map(|it| it["name"].as_str()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        let parameter = |name: &str| all.iter().find(|it| it["name"] == name).unwrap();
        let kind = parameter("kind");
        assert_eq!(kind["schema"], json!({ "type": "string", "enum": ["name", "number"] }));
        assert_eq!(kind["required"], true);
        assert_eq!(parameter("value")["schema"]["anyOf"].as_array().unwrap().len(), 2);
        assert_eq!(parameter("value")["required"], true);
        assert_eq!(parameter("limit")["required"], false);
    }
}

mod structures {
    use super::*;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    #[expect(dead_code, reason = "read by Debug alone")]
    enum KindOrPage {
        Number { value: u32 },
        Page(Paged),
        Nothing,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Paged {
        page: u32,
        size: Option<u8>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Nested {
        range: Outer,
        lists: Option<Vec<Vec<u8>>>,
        objects: Option<Vec<Paged>>,
        pairs: Option<Vec<(u8, u8)>>,
        numbers: Option<Vec<u8>>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Outer {
        inner: Paged,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "read by Debug alone")]
    enum Expression {
        Both { left: Box<Expression>, right: Box<Expression> },
        Not(Box<Expression>),
        Maybe(Option<Box<Expression>>),
        Value { value: u8 },
    }

    async fn tagged(Query(it): Query<KindOrPage>) -> String {
        format!("{it:?}")
    }

    async fn nested(Query(it): Query<Nested>) -> String {
        format!("{it:?}")
    }

    async fn expression(Query(_): Query<Expression>) {}

    async fn list(Path(it): Path<Vec<u8>>) -> Json<Vec<u8>> {
        Json(it)
    }

    async fn body(Json(it): Json<KindOrPage>) -> String {
        format!("{it:?}")
    }

    fn app() -> App {
        App::new("documented")
            .blueprints(["none"])
            .set("log.level", "critical")
            .openapi(OpenApi::new())
            .route(get("/tagged", tagged).describe(piton::describe!(tagged)))
            .route(get("/nested", nested).describe(piton::describe!(nested)))
            .route(get("/expression", expression).describe(piton::describe!(expression)))
            .route(get("/list/{ids}", list).describe(piton::describe!(list)))
            .route(post("/body", body).describe(piton::describe!(body)))
    }

    #[test]
    fn only_parameters_that_can_be_sent_are_documented() {
        let document = app().openapi_document().unwrap();
        let all = |path: &str| {
            let all = document["paths"][path]["get"]["parameters"].as_array().unwrap();
            all.iter().map(|it| (it["name"].as_str().unwrap(), it)).collect::<BTreeMap<_, _>>()
        };
        let tagged = all("/tagged");
        assert_eq!(tagged["kind"]["required"], true);
        let mut kinds: Vec<_> = tagged["kind"]["schema"]["enum"].as_array().unwrap().clone();
        kinds.sort_by_key(ToString::to_string);
        assert_eq!(kinds, [json!("nothing"), json!("number"), json!("page")]);
        // Each is required in one of the variants, and may not be empty there.
        assert!(tagged["value"]["allowEmptyValue"].is_null(), "{tagged:?}");
        assert!(tagged["page"]["allowEmptyValue"].is_null(), "{tagged:?}");
        assert_eq!(tagged["size"]["allowEmptyValue"], true);
        let nested = all("/nested");
        assert_eq!(nested.keys().collect::<Vec<_>>(), [&"numbers", &"range"]);
        let [_, _, http] = app().openapi_files().unwrap();
        assert!(http.text.contains("range%5Binner%5D%5Bpage%5D="), "{}", http.text);
    }

    #[piton::test]
    async fn documented_structures_are_read() {
        let app = TestApp::new(app()).await;
        for path in ["/tagged?kind=page&page=1&size=", "/nested?range[inner][page]=1&numbers=1,2"] {
            let response = app.get(path).await;
            assert_eq!(response.status(), 200, "{path}: {}", response.text());
        }
        assert_eq!(app.get("/list/1,2").await.json::<Value>(), json!([1, 2]));
        assert_eq!(app.get("/list/1,x").await.status(), 422);
        let deep = format!("/nested?range{}=1", "[]".repeat(10_000));
        assert_eq!(app.get(&deep).await.status(), 422);
        for invalid in [json!(["number", 5]), json!([])] {
            assert_eq!(app.post("/body").json(&invalid).await.status(), 422, "{invalid}");
        }
        let read = app.post("/body").json(&json!({ "kind": "number", "value": 5 })).await;
        assert_eq!(read.status(), 200, "{}", read.text());
    }
}
