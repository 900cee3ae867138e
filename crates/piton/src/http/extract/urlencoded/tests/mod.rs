//! Tests of the deserializer, and the types that several of them read.

mod enums;
mod errors;
mod flattened;
mod limits;
mod lists;
mod objects;
mod paths;
mod values;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::convert::{Bounded, Date, List, Timestamp, Uuid};

/// Reads `query` as a `T` and returns it as JSON, or the errors.
fn read<T: DeserializeOwned + Serialize>(query: &str) -> Result<Value, Vec<ParameterError>> {
    parse::<T>(query.as_bytes()).map(|value| serde_json::to_value(value).unwrap())
}

/// Returns the names of the rejected parameters, with the messages.
fn errors<T: DeserializeOwned + Serialize>(query: &str) -> Vec<(String, String)> {
    let wrong = read::<T>(query).expect_err(query);
    wrong.into_iter().map(|(name, what)| (name.unwrap_or_default(), what)).collect()
}

/// Reads path parameters as a `T` and returns it as JSON, or the errors.
fn read_path<T: DeserializeOwned + Serialize>(
    parameters: &[(&str, &str)],
) -> Result<Value, Vec<ParameterError>> {
    match parse_path::<T>(parameters.iter().copied()) {
        Ok(value) => Ok(serde_json::to_value(value).unwrap()),
        Err(PathError::Parameters(wrong)) => Err(wrong),
        Err(PathError::Route(what)) => panic!("{what}"),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by Debug alone")]
struct Page {
    page: Option<u32>,
    #[serde(alias = "by")]
    order: Order,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Up,
    Down,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Up,
    Down,
}

#[derive(Debug, Deserialize, Serialize)]
struct PageAndSize {
    page: u32,
    size: Option<u8>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct PageOf {
    page: u32,
}

#[derive(Debug, Deserialize, Serialize)]
struct Inner {
    age: u32,
    #[serde(default)]
    ratio: Option<f64>,
    #[serde(default)]
    open: bool,
    #[serde(default, rename = "family-name")]
    name: String,
    #[serde(default)]
    signed: i8,
    #[serde(default)]
    letter: Option<char>,
    #[serde(default)]
    boxed: Box<Option<u64>>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    numbers: Option<BTreeSet<u16>>,
    #[serde(default)]
    pair: Option<(u8, String)>,
    #[serde(default)]
    day: Option<Date>,
    #[serde(default)]
    level: Option<Bounded<1, 5>>,
    #[serde(default)]
    order: Option<Direction>,
    #[serde(default)]
    id: Option<Wrapped>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Wrapped(u64);

#[derive(Debug, Deserialize, Serialize)]
struct Flat {
    q: String,
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Tagged {
    Number { value: u32, exact: bool },
    Text { value: String },
    List { value: Vec<u8> },
    Nothing,
    Page(PageOf),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Number(u32),
    Text(String),
    List(Vec<u8>),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Untagged {
    Number { n: u32, x: u32, flag: bool },
    Mixed { n: u32, x: String, y: u32 },
    Name { name: String },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Id {
    Number(u32),
    Flag(bool),
    Name(String),
}

#[derive(Debug, Deserialize, Serialize)]
enum External {
    Number(u32),
    Pair(u8, bool),
    Nothing,
}

#[derive(Debug, Deserialize, Serialize)]
struct Range {
    min: u32,
    max: Option<u32>,
    #[serde(default)]
    list: Vec<u8>,
}
