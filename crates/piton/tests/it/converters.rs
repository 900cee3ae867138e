//! Converters, lists and the deserializer of parameters, tested through an app.

use piton::convert::{Bounded, Date, List, Slug, Timestamp};
use piton::garde::{self, Validate};
use piton::http::{Listing, Page, Paging, SortBy, get, post};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::{TestApp, TestResponse};

async fn posts_of_day(Path((blog, day)): Path<(Slug, Date)>) -> String {
    format!("{blog} on {day}")
}

async fn several(Path(numbers): Path<List<Bounded<1, 9>, 3>>) -> String {
    numbers.to_string()
}

async fn text(Path(text): Path<String>) -> String {
    text
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Place {
    #[garde(custom(is_even))]
    row: u8,
    #[garde(length(chars, max = 2))]
    seat: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn is_even(row: &u8, _: &()) -> garde::Result {
    if row.is_multiple_of(2) { Ok(()) } else { Err(garde::Error::new("rows are even")) }
}

async fn seat(Valid(Path(place)): Valid<Path<Place>>) -> String {
    format!("{}{}", place.row, place.seat)
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    blog: Slug,
    day: Date,
    at: Option<Timestamp>,
    stars: Bounded<1, 5>,
}

async fn note(Json(note): Json<Note>) -> String {
    let at = note.at.map(|at| at.to_string());
    format!("{} {} {} {}", note.blog, note.day, at.unwrap_or_default(), note.stars)
}

#[derive(Default, Deserialize, JsonSchema, Validate)]
#[serde(default)]
struct Search {
    #[garde(skip)]
    year: Option<List<u16>>,
    #[garde(length(chars, max = 3))]
    q: Option<String>,
}

struct Order;

impl SortBy for Order {
    const FIELDS: &'static [(&'static str, &'static str)] = &[("title", "title"), ("year", "year")];
    const DEFAULT: &'static str = "title";
    const UNIQUE: &'static str = "id";
}

async fn books(Valid(listing): Valid<Listing<Search, Order>>) -> Page<String> {
    let Paging { page, per_page } = listing.paging;
    listing.page(vec![format!("{page} {per_page} {}", listing.sort)], 41)
}

/// A query with all the ways in which serde combines types.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Combined {
    #[serde(default)]
    tag: Vec<String>,
    age: Option<u32>,
    name: Option<String>,
    since: Option<Timestamp>,
    #[serde(flatten)]
    bounds: Bounds,
    #[serde(flatten)]
    kind: Kind,
    range: Option<Range>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Bounds {
    #[serde(default = "ten")]
    limit: u8,
    #[serde(default)]
    exact: bool,
    #[serde(default)]
    ids: std::collections::BTreeSet<u64>,
}

fn ten() -> u8 {
    10
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Kind {
    Number { value: i64 },
    Text { value: String },
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Range {
    from: u32,
    to: u32,
}

async fn search(Query(combined): Query<Combined>) -> Json<Combined> {
    Json(combined)
}

async fn send(Form(combined): Form<Combined>) -> Json<Combined> {
    Json(combined)
}

#[derive(Default, Deserialize, JsonSchema)]
struct Filter {
    #[serde(default)]
    state: Vec<String>,
    #[serde(flatten)]
    since: Since,
}

#[derive(Default, Deserialize, JsonSchema)]
struct Since {
    #[serde(default)]
    year: Option<u16>,
}

async fn list(listing: Listing<Filter, Order>) -> Page<String> {
    let filter = &listing.filter;
    listing.page(vec![format!("{:?} {:?} {}", filter.state, filter.since.year, listing.sort)], 41)
}

#[derive(Deserialize, JsonSchema)]
struct Shelf {
    #[serde(flatten)]
    at: At,
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct At {
    row: i16,
}

async fn shelf(Path(shelf): Path<Shelf>) -> String {
    format!("{} {}", shelf.at.row, shelf.name)
}

async fn app() -> TestApp {
    let app = App::new("converters")
        .blueprints(["none"])
        .set("log.level", "critical")
        .route(get("/blogs/{blog}/{day}", posts_of_day))
        .route(get("/several/{numbers}", several))
        .route(get("/text/{text}", text))
        .route(get("/rows/{row}/{seat}", seat))
        .route(get("/books", books))
        .route(get("/search", search).describe(piton::describe!(search)))
        .route(post("/send", send).describe(piton::describe!(send)))
        .route(get("/list", list))
        .route(get("/shelves/{row}/{name}", shelf))
        .route(post("/notes", note));
    TestApp::new(app).await
}

/// Returns the places of the errors, and the first message.
#[track_caller]
fn errors(response: &TestResponse, status: u16) -> (Vec<String>, String) {
    assert_eq!(response.status(), status, "{}", response.text());
    let problem: Value = response.json();
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let place = |error: &Value| {
        let place = error.get("pointer").or(error.get("parameter"));
        place.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let message = errors.first().and_then(|error| error["detail"].as_str()).unwrap_or_default();
    (errors.iter().map(place).collect(), message.to_owned())
}

#[piton::test]
async fn a_path_is_parsed_by_its_converters() {
    let app = app().await;
    assert_eq!(app.get("/blogs/open-source/2026-11-21").await.text(), "open-source on 2026-11-21");
    assert_eq!(app.get("/several/3,1,3").await.text(), "3,1,3");
    assert_eq!(app.get("/several/3%2C1").await.text(), "3,1");
    assert_eq!(app.get("/text/caf%C3%A9").await.text(), "café");
}

#[piton::test]
async fn an_invalid_parameter_is_named_with_the_reason() {
    let app = app().await;
    for (path, parameter, reason) in [
        ("/blogs/Open/2026-11-21", "blog", "a slug has lower-case letters and digits"),
        ("/blogs/open/2026-02-30", "day", "there is no such day in the calendar"),
        ("/blogs/open/+02026-11-21", "day", "a date is written as 2026-11-21"),
        ("/several/1,0", "numbers", "value 2 of the list: is not a whole number from 1 to 9"),
        ("/several/1,2,3,4", "numbers", "at most 3 values are allowed"),
        ("/several/,", "numbers", "value 1 of the list is empty"),
        ("/rows/x/a", "row", "is not a valid whole number"),
    ] {
        let (places, why) = errors(&app.get(path).await, 422);
        assert_eq!(places, [parameter], "{path}");
        assert!(why.starts_with(reason), "{path}: {why}");
    }
}

#[piton::test]
async fn path_bytes_that_are_not_utf8_are_400_and_never_500() {
    let app = app().await;
    assert_eq!(errors(&app.get("/text/%ff").await, 400).0, ["text"]);
    assert_eq!(errors(&app.get("/blogs/%ff/2026-11-21").await, 400).0, ["blog"]);
    assert_eq!(errors(&app.get("/blogs/%00/2026-11-21").await, 422).0, ["blog"]);
    assert_eq!(app.get("/text/%00").await.text(), "\0");
    let long = "x".repeat(5000);
    assert_eq!(app.get(&format!("/text/{long}")).await.text(), long);
    assert_eq!(errors(&app.get(&format!("/blogs/{long}/2026-11-21")).await, 422).0, ["blog"]);
}

#[piton::test]
async fn validation_applies_to_paths_and_counts_characters() {
    let app = app().await;
    assert_eq!(app.get("/rows/2/%C3%A9%C3%A9").await.text(), "2éé");
    let (mut places, _) = errors(&app.get("/rows/3/%C3%A9%C3%A9%C3%A9").await, 422);
    places.sort();
    assert_eq!(places, ["row", "seat"]);
}

#[piton::test]
async fn all_errors_of_a_body_are_reported() {
    let app = app().await;
    let right = json!({ "blog": "a-b", "day": "2026-11-21", "at": "2026-11-21T01:00:00+01:00", "stars": 5 });
    let response = app.post("/notes").json(&right).await;
    assert_eq!(response.text(), "a-b 2026-11-21 2026-11-21T00:00:00Z 5");
    let wrong = json!({ "blog": "A", "day": 7, "at": "now", "stars": 6 });
    let (mut places, _) = errors(&app.post("/notes").json(&wrong).await, 422);
    places.sort();
    assert_eq!(places, ["#/at", "#/blog", "#/day", "#/stars"]);
}

#[piton::test]
async fn a_list_is_filtered_sorted_and_paged() {
    let app = app().await;
    let response = app.get("/books?year=2024,2025&sort=-year&per_page=10&page=4&q=").await;
    assert_eq!(response.json::<Value>()["items"], json!(["4 10 -year"]));
    assert_eq!(response.json::<Value>()["pages"], 5);
    assert!(
        response.header("link").contains("page=5>; rel=\"next\""),
        "{}",
        response.header("link")
    );
    let wrong = app.get("/books?year=x&sort=size&page=0&odd=1").await;
    assert_eq!(errors(&wrong, 422).0, ["odd", "page", "sort", "year"]);
    assert_eq!(errors(&app.get("/books?q=%C3%A9%C3%A9%C3%A9%C3%A9").await, 422).0, ["q"]);
    assert_eq!(app.get("/books?q=%C3%A9%C3%A9%C3%A9").await.status(), 200);
}

#[piton::test]
async fn query_bytes_that_are_not_utf8_are_400_with_the_parameters_name() {
    let app = app().await;
    for path in ["/books?title=%ff&year=%C3", "/books?title=%e9&year=x%80"] {
        let (places, why) = errors(&app.get(path).await, 400);
        assert_eq!((places, &*why), (vec!["title".into(), "year".into()], "is not UTF-8"));
    }
}

#[piton::test]
async fn an_undocumented_handler_reports_the_first_missing_member() {
    let response = app().await.post("/notes").json(&json!({ "stars": 9 })).await;
    assert_eq!(errors(&response, 422).0, ["#/stars", "#/blog"]);
}

/// Returns queries, each with a field and the value that is read.
fn documented() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("kind=number&value=-5", "value", json!(-5)),
        ("value=-5&kind=text", "value", json!("-5")),
        ("kind=text&value=x&tag=a,b%2Cc", "tag", json!(["a", "b,c"])),
        ("kind=text&value=x&tag=a&tag=b%2Cc", "tag", json!(["a", "b,c"])),
        ("kind=text&value=x&tag=", "tag", json!([])),
        ("kind=text&value=x&age=7", "age", json!(7)),
        ("kind=text&value=x&age=", "age", json!(null)),
        ("kind=text&value=x&name=", "name", json!("")),
        ("kind=text&value=x&limit=255&exact=true", "limit", json!(255)),
        ("kind=text&value=x&limit=&exact=", "limit", json!(10)),
        ("kind=text&value=x&ids=3,1", "ids", json!([1, 3])),
        ("kind=text&value=x&ids=18446744073709551615&ids=1", "ids", json!([1, u64::MAX])),
        ("kind=text&value=x&since=2026-01-01T00:00+01:00", "since", json!("2025-12-31T23:00:00Z")),
        (
            "kind=text&value=x&since=2026-01-01T00:00:00%2B0100",
            "since",
            json!("2025-12-31T23:00:00Z"),
        ),
    ]
}

#[piton::test]
async fn fields_of_a_query_or_a_form_are_read_as_their_types() {
    let app = app().await;
    for (query, name, wanted) in documented() {
        let response = app.get(&format!("/search?{query}")).await;
        assert_eq!(response.status(), 200, "{query}: {}", response.text());
        assert_eq!(response.json::<Value>()[name], wanted, "{query}");
        let form = app.post("/send");
        let sent = form.header("content-type", "application/x-www-form-urlencoded").body(query);
        let sent = sent.await;
        assert_eq!(sent.status(), 200, "{query}: {}", sent.text());
        assert_eq!(sent.json::<Value>()[name], wanted, "{query}");
    }
}

#[piton::test]
async fn an_invalid_flattened_field_is_named() {
    let app = app().await;
    for (query, name) in [
        ("kind=number&value=x", "value"),
        ("kind=odd&value=1", "kind"),
        ("value=1", "kind"),
        ("kind=text&value=x&limit=256", "limit"),
        ("kind=text&value=x&limit=1&limit=2", "limit"),
        ("kind=text&value=x&exact=maybe", "exact"),
        ("kind=text&value=x&ids=1,x", "ids"),
        ("kind=text&value=x&age=x", "age"),
        ("kind=text&value=x&age=1&age=1", "age"),
    ] {
        assert_eq!(errors(&app.get(&format!("/search?{query}")).await, 422).0, [name], "{query}");
    }
    let (_, why) = errors(&app.get("/search?kind=text&value=x&limit=x").await, 422);
    assert_eq!(why, "is not a valid whole number from 0 up, or is too large");
}

#[piton::test]
async fn a_list_with_a_flattened_filter_rejects_unknown_parameters() {
    let app = app().await;
    let listed = app.get("/list?state=SP,RJ&state=MG&year=2026&sort=year&sort=-title").await;
    let page: Value = listed.json();
    assert_eq!(page["items"][0], r#"["SP", "RJ", "MG"] Some(2026) year,-title"#);
    let (places, why) = errors(&app.get("/list?yaer=2026&state=SP").await, 422);
    assert_eq!(places, ["yaer"]);
    assert!(why.contains("`year`") && why.contains("`state`") && why.contains("`page`"), "{why}");
}

#[piton::test]
async fn a_flattened_struct_reads_path_parameters() {
    let app = app().await;
    assert_eq!(app.get("/shelves/-5/a%2Fb").await.text(), "-5 a/b");
    for row in ["x", "+5", "5.0", "-0", "40000", "%205"] {
        assert_eq!(errors(&app.get(&format!("/shelves/{row}/a")).await, 422).0, ["row"], "{row}");
    }
}
