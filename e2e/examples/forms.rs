//! A service that echoes what it has read, for generated clients: Rust types in queries, paths, forms and
//! bodies.

use std::collections::BTreeMap;

use piton::chrono::{DateTime, NaiveDate, Utc};
use piton::convert::Timestamp;
use piton::prelude::*;
use piton::uuid::Uuid;

piton::blueprint!("/forms", tag = "forms");

/// A choice of a few words.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The first.
    Plain,
    /// A word with a hyphen.
    RatherFancy,
}

/// Single values.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Scalars {
    text: String,
    wide: u64,
    kind: Kind,
    small: Option<i16>,
    count: Option<u32>,
    ratio: Option<f64>,
    flag: Option<bool>,
    id: Option<Uuid>,
    day: Option<NaiveDate>,
    moment: Option<Timestamp>,
}

/// Lists.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Lists {
    #[serde(default)]
    tags: Vec<String>,
    numbers: Option<Vec<u32>>,
    #[serde(default)]
    kinds: Vec<Kind>,
}

/// Members of other structs as if they were its own.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Flat {
    q: Option<String>,
    #[serde(flatten)]
    paging: Paging,
    #[serde(flatten)]
    span: Option<Span>,
}

/// The page to read.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Paging {
    page: Option<u32>,
    after: Option<u64>,
}

/// A period of time.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Span {
    since: NaiveDate,
    finished: Option<bool>,
}

/// A choice of several structs, distinguished by a member.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "shape", rename_all = "lowercase")]
pub enum Shape {
    /// Round.
    Circle {
        /// In metres.
        radius: f64,
    },
    /// A shape with four sides.
    Square {
        /// In metres.
        side: u32,
        /// Turned by 45 degrees.
        tilted: Option<bool>,
    },
}

/// A form.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Filled {
    name: String,
    #[serde(default)]
    amounts: Vec<u64>,
    kind: Kind,
    when: Option<Timestamp>,
}

/// A body.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Document {
    id: u64,
    counts: BTreeMap<String, u64>,
    shape: Shape,
    inner: Option<Inner>,
    list: Vec<Inner>,
    when: DateTime<Utc>,
    day: Option<NaiveDate>,
    kind: Kind,
}

/// A part of a body.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Inner {
    key: Uuid,
    note: Option<String>,
}

/// The parameters of the path.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct PathParameters {
    day: NaiveDate,
    kind: Kind,
    name: String,
    number: i32,
}

#[get("/scalars")]
async fn scalars(Query(read): Query<Scalars>) -> Json<Scalars> {
    Json(read)
}

#[get("/lists")]
async fn lists(Query(read): Query<Lists>) -> Json<Lists> {
    Json(read)
}

#[get("/flat")]
async fn flat(Query(read): Query<Flat>) -> Json<Flat> {
    Json(read)
}

#[get("/shape")]
async fn shape(Query(read): Query<Shape>) -> Json<Shape> {
    Json(read)
}

#[get("/path/{day}/{kind}/{name}/{number}")]
async fn path(Path(read): Path<PathParameters>) -> Json<PathParameters> {
    Json(read)
}

#[post("/form")]
async fn form(Form(read): Form<Filled>) -> Json<Filled> {
    Json(read)
}

#[post("/body")]
async fn body(Json(read): Json<Document>) -> Json<Document> {
    Json(read)
}

fn main() -> piton::Exit {
    App::new("forms").openapi(OpenApi::new().tag("forms", "Echoes what it has read.")).run()
}
