//! The OpenAPI document: what types, doc comments and guards come to in it, and how it is served.

use piton::http::{Guard, GuardFuture, Operation};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::TestApp;

mod shop {
    use std::collections::BTreeMap;

    use super::*;

    piton::blueprint!("/shop", tag = "orders");

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    pub struct Search {
        /// What is looked for.
        pub q: String,
        /// Which page.
        #[serde(default = "one")]
        pub page: u32,
        pub state: Option<State>,
        #[schemars(with = "Vec<String>")]
        #[serde(default)]
        pub tags: String,
    }

    fn one() -> u32 {
        1
    }

    /// How far it is.
    #[derive(Clone, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    pub enum State {
        /// Not yet sent.
        Open,
        /// On its way.
        Sent,
    }

    #[derive(Deserialize, Serialize, JsonSchema)]
    pub struct Order {
        pub id: u32,
        /// Where it goes.
        pub address: Option<Address>,
        #[serde(default)]
        pub count: u8,
    }

    #[derive(Deserialize, Serialize, JsonSchema)]
    pub struct Address {
        pub street: String,
    }

    #[derive(Deserialize, JsonSchema)]
    pub struct Place {
        pub shelf: u8,
        pub row: String,
    }

    /// Finds orders.
    ///
    /// All of them, \
    /// or some.
    #[get("/orders")]
    async fn list(Query(search): Query<Search>) -> Json<Vec<Order>> {
        let _ = (search.q, search.page, search.state, search.tags);
        Json(Vec::new())
    }

    /// Orders something.
    #[post("/orders")]
    async fn create(Json(order): Json<Order>) -> Created<Json<Order>> {
        Created::at(format!("/shop/orders/{}", order.id), Json(order))
    }

    #[get("/orders/{id}")]
    async fn show(Path(id): Path<u32>) -> Result<Json<Order>> {
        Err(Error::not_found(format!("there is no {id}")))
    }

    #[delete("/orders/{id}")]
    async fn cancel(Path(id): Path<u32>) -> NoContent {
        let _ = id;
        NoContent
    }

    #[get("/stock/{shelf}/{row}")]
    async fn stock(Path(place): Path<Place>) -> String {
        format!("{}{}", place.shelf, place.row)
    }

    #[get("/pairs/{left}/{right}")]
    async fn pairs(Path((left, right)): Path<(u8, String)>) -> Json<BTreeMap<String, u8>> {
        Json(BTreeMap::from([(right, left)]))
    }

    #[get("/files/{*path}")]
    async fn files() -> &'static str {
        "a file"
    }

    #[get("/strange")]
    async fn strange() -> StatusCode {
        StatusCode::OK
    }
}

mod doors {
    use super::*;

    piton::blueprint!("/doors", guard = Badge);

    #[get("/in")]
    async fn enter() -> &'static str {
        "in"
    }

    #[get("/out")]
    #[public]
    async fn leave() -> &'static str {
        "out"
    }
}

/// A guard of the service's own, with a scheme of its own.
struct Badge;

impl Guard for Badge {
    fn describe(&self, operation: &mut Operation) {
        operation.security("it_badge");
    }

    fn check<'a>(
        &'a self,
        _: &'a mut piton::axum::http::request::Parts,
        _: &'a Handle,
    ) -> GuardFuture<'a> {
        Box::pin(std::future::ready(Ok(())))
    }
}

piton::__private::inventory::submit! {
    piton::http::SecuritySchemes {
        scheme: "it_badge",
        ways: |_| vec![("badge", json!({ "type": "apiKey", "in": "header", "name": "X-Badge" }))],
        open: |_| false,
    }
}

fn app(module: &str) -> App {
    App::new("it").blueprints([module]).openapi(OpenApi::new().title("The <shop>"))
}

fn document(module: &str) -> Value {
    app(module).openapi_document().unwrap()
}

/// The parameter of this name.
#[track_caller]
fn parameter<'a>(operation: &'a Value, name: &str) -> &'a Value {
    let mut all = operation["parameters"].as_array().unwrap().iter();
    all.find(|parameter| parameter["name"] == name).unwrap()
}

#[test]
fn a_query_is_a_parameter_a_field_and_says_which_must_be_there() {
    let document = document("openapi::shop");
    let list = &document["paths"]["/shop/orders"]["get"];
    let q = parameter(list, "q");
    assert_eq!((&q["required"], &q["description"]), (&json!(true), &json!("What is looked for.")));
    let page = parameter(list, "page");
    assert_eq!((&page["required"], &page["schema"]["default"]), (&json!(false), &json!(1)));
    assert_eq!(page["schema"]["maximum"], u32::MAX);
    let state = parameter(list, "state");
    assert_eq!(state["schema"], json!({ "$ref": "#/components/schemas/State" }), "nothing is null");
    let tags = parameter(list, "tags");
    assert_eq!((&tags["style"], &tags["explode"]), (&json!("form"), &json!(true)));
}

#[test]
fn parameters_of_a_path_take_its_names() {
    let paths = &document("openapi::shop")["paths"];
    let types = |path: &str, names: [&str; 2]| {
        names.map(|name| {
            let parameter = parameter(&paths[path]["get"], name);
            assert_eq!((&parameter["in"], &parameter["required"]), (&json!("path"), &json!(true)));
            parameter["schema"]["type"].as_str().unwrap().to_owned()
        })
    };
    assert_eq!(types("/shop/stock/{shelf}/{row}", ["shelf", "row"]), ["integer", "string"]);
    assert_eq!(types("/shop/pairs/{left}/{right}", ["left", "right"]), ["integer", "string"]);
    assert_eq!(parameter(&paths["/shop/files/{path}"]["get"], "path")["schema"]["type"], "string");
    assert_eq!(parameter(&paths["/shop/orders/{id}"]["get"], "id")["schema"]["minimum"], 0);
}

#[test]
fn a_type_that_is_taken_otherwise_than_it_is_given_has_two_schemas() {
    let document = document("openapi::shop");
    let orders = &document["paths"]["/shop/orders"]["post"];
    let taken = &orders["requestBody"]["content"]["application/json"];
    assert_eq!(taken["schema"]["$ref"], "#/components/schemas/OrderInput");
    let given = &orders["responses"]["201"];
    assert_eq!(
        given["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/Order"
    );
    assert!(given["headers"]["Location"].is_object());
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["OrderInput"]["required"], json!(["id"]));
    assert_eq!(schemas["Order"]["required"], json!(["id", "address", "count"]));
    assert!(schemas["Address"].is_object() && schemas["AddressInput"].is_null());
    assert!(schemas["Search"].is_null(), "what nothing refers to is not there");
    assert_eq!(taken["example"]["address"], json!({ "street": "text" }));
}

#[test]
fn words_come_from_the_doc_comment_and_names_from_the_code() {
    let document = document("openapi::shop");
    let list = &document["paths"]["/shop/orders"]["get"];
    assert_eq!((&list["summary"], &list["tags"]), (&json!("Finds orders"), &json!(["orders"])));
    assert_eq!(list["operationId"], "shop_list");
    assert!(list["description"].as_str().unwrap().starts_with("All of them"));
    let states = &document["components"]["schemas"]["State"];
    assert_eq!(states["enum"], json!(["open", "sent"]));
    assert!(states["description"].as_str().unwrap().contains("- `sent`: On its way."));
    assert_eq!(
        (&document["openapi"], &document["info"]["title"]),
        (&json!("3.1.0"), &json!("The <shop>"))
    );
}

#[test]
fn every_failure_is_a_problem_document_and_what_is_unknown_is_said_to_be() {
    let document = document("openapi::shop");
    let answers = &document["paths"]["/shop/orders/{id}"]["delete"]["responses"];
    assert_eq!(answers["default"]["$ref"], "#/components/responses/problem");
    assert_eq!(answers["204"], json!({ "description": "No Content" }));
    let strange = &document["paths"]["/shop/strange"]["get"]["responses"];
    assert!(strange["default"]["content"].is_null(), "{strange}");
}

#[test]
fn a_guard_is_a_requirement_and_the_public_have_none() {
    let document = document("openapi::doors");
    let paths = &document["paths"];
    assert_eq!(paths["/doors/in"]["get"]["security"], json!([{ "badge": [] }]));
    assert!(paths["/doors/in"]["get"]["responses"]["401"].is_object());
    assert_eq!(paths["/doors/out"]["get"]["security"], json!([]));
    assert_eq!(document["components"]["securitySchemes"]["badge"]["name"], "X-Badge");
}

#[test]
fn the_files_are_the_same_each_time_and_the_requests_in_an_order_that_works() {
    let files = || app("openapi::shop").openapi_files().unwrap();
    let [document, postman, http] = files();
    assert_eq!([document, postman.clone(), http.clone()], files());
    assert_eq!(http.name, "it.http");
    let collection: Value = piton::serde_json::from_str(&postman.text).unwrap();
    let orders = collection["item"][0]["item"].as_array().unwrap();
    assert_eq!(orders[0]["request"]["method"], "POST", "what creates goes first");
    assert_eq!(orders.last().unwrap()["request"]["method"], "DELETE", "what deletes goes last");
    let create = http.text.find("POST {{baseUrl}}/shop/orders\n").unwrap();
    let show = http.text.find("GET {{baseUrl}}/shop/orders/{{orders_id}}\n").unwrap();
    assert!(create < show);
}

#[piton::test]
async fn the_document_and_the_page_are_served_and_not_listed() {
    let app = TestApp::new(app("openapi::shop")).await;
    let answer = app.get("/api/openapi.json").await;
    let served: Value = answer.json();
    assert_eq!(served, app.handle().openapi_document());
    let paths = served["paths"].as_object().unwrap();
    assert!(!paths.keys().any(|path| path.starts_with("/api")), "{paths:?}");
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let again = app.get("/api/openapi.json").header("if-none-match", &etag).await;
    assert_eq!((again.status().as_u16(), again.text()), (304, String::new()));
    let page = app.get("/api/doc").await;
    assert!(page.text().contains("<title>The &lt;shop&gt;</title>"), "{}", page.text());
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let redirect = app.get("/api/doc/").await;
    assert_eq!(
        (redirect.status().as_u16(), redirect.headers()["location"].as_bytes()),
        (308, b"../doc".as_slice())
    );
    let script = app.get("/api/doc/init.js").header("accept-encoding", "gzip").await;
    assert_eq!(script.headers()["content-encoding"], "gzip");
}

#[piton::test]
async fn it_is_served_where_the_settings_say_and_when() {
    let served = app("openapi::shop").set("openapi.ui_path", "/help").production(true);
    let served = TestApp::new(served).await;
    assert_eq!(served.get("/help").await.status(), 200);
    assert_eq!(served.get("/api/doc").await.status(), 404);
    let never = TestApp::new(app("openapi::shop").set("openapi.serve", "never")).await;
    let development = app("openapi::shop").set("openapi.serve", "development").production(true);
    let development = TestApp::new(development).await;
    for app in [never, development] {
        for path in ["/api/doc", "/api/openapi.json"] {
            assert_eq!(app.get(path).await.status(), 404, "{path}");
        }
    }
}

#[piton::test]
async fn failures_in_gnars_envelope_are_described_as_what_they_are() {
    let app = TestApp::new(app("openapi::shop").set("http.error_style", "gnar")).await;
    let document = app.handle().openapi_document();
    let answers = &document["paths"]["/shop/orders/{id}"]["get"]["responses"];
    assert!(answers["default"].is_null());
    let schema = &answers["200"]["content"]["application/json"]["schema"];
    assert_eq!(schema["anyOf"][1]["$ref"], "#/components/schemas/failure");
}
