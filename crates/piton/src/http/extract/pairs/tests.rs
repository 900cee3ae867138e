use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::convert::{Bounded, Date, List, Timestamp, Uuid};

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

/// Returns the names of the wrong parameters, in order.
fn wrong(query: &str) -> Vec<String> {
    let wrong = parse::<Page>(query.as_bytes()).unwrap_err();
    wrong.into_iter().map(|(name, _)| name.unwrap_or_default()).collect()
}

#[test]
fn the_wrong_parameter_of_a_query_is_named() {
    assert_eq!(wrong("order=up&page=-1"), ["page"]);
    assert_eq!(wrong("page=1"), ["order"]);
    let wrong = parse::<Page>(b"page=1&order=sideways").unwrap_err();
    assert_eq!(wrong[0].0.as_deref(), Some("order"));
    assert!(wrong[0].1.contains("`up` or `down`"), "{wrong:?}");
    assert!(parse::<Page>(b"order=down&page=2").is_ok());
}

#[test]
fn all_that_is_wrong_is_named_at_once() {
    assert_eq!(wrong("page=x&order=sideways&odd=1"), ["page", "order", "odd"]);
    assert_eq!(wrong("page=x"), ["page", "order"]);
    assert_eq!(wrong("order=up&order=down"), ["order"]);
    let many: String = (0..1000).map(|n| format!("&x{n}=1")).collect();
    // One more than is reported, so that the response can say that there are more.
    assert_eq!(wrong(&many).len(), 101);
}

#[test]
fn bytes_that_are_no_text_are_named_by_their_parameter() {
    for text in ["", "a=b", "q=caf%C3%A9&x=%", "a=é", "a=%2", "a=%zz", "q=%EF%BF%BD"] {
        assert!(not_utf8(text.as_bytes()).is_empty(), "{text}");
    }
    assert_eq!(not_utf8(b"a=1&q=%ff&x=%C3&y=%C3%A9"), ["q", "x"]);
    assert_eq!(not_utf8(b"q=\xff"), ["q"]);
    assert_eq!(not_utf8(b"%ff=1"), ["\u{fffd}"]);
}

#[derive(Debug, Deserialize, PartialEq)]
struct Numbers {
    near: Option<f32>,
    far: Option<f64>,
    text: Option<String>,
    whole: Option<u128>,
}

#[test]
fn a_float_is_finite_and_text_and_large_numbers_are_what_they_are() {
    for text in
        ["NaN", "nan", "-nan", "inf", "-inf", "INFINITY", "1e400", "-1e400", "1%65400", "%6eaN"]
    {
        let query = format!("near=1&far={text}&text={text}");
        let wrong = parse::<Numbers>(query.as_bytes()).unwrap_err();
        assert_eq!(wrong, [(Some("far".into()), "is not a finite number".into())], "{text}");
    }
    let wrong = parse::<Numbers>(b"near=1e39&far=1e39").unwrap_err();
    assert_eq!(wrong, [(Some("near".into()), "is not a finite number".into())]);
    let read =
        parse::<Numbers>(b"text=inf&far=-0.5e3&whole=340282366920938463463374607431768211455");
    let Numbers { text, far, whole, .. } = read.unwrap();
    assert_eq!((text.as_deref(), far, whole), (Some("inf"), Some(-500.0), Some(u128::MAX)));
}

#[test]
fn a_list_of_pairs_is_read_whatever_a_value_looks_like() {
    let digits = "1".repeat(40);
    for value in ["Nan", "NaN", "Infinity", "-inf", "1e400", "%6ean", &digits] {
        let query = format!("name={value}&x=1");
        let value = value.replace("%6e", "n");
        let pairs = parse::<Vec<(String, String)>>(query.as_bytes()).unwrap();
        assert_eq!(pairs, [("name".into(), value.clone()), ("x".into(), "1".into())]);
        let named = parse::<Vec<Named>>(query.as_bytes()).unwrap();
        assert_eq!(named[0], Named(Name::Name, value.clone()));
        let map = parse::<BTreeMap<String, String>>(query.as_bytes()).unwrap();
        assert_eq!(map["name"], value);
        let set = parse::<BTreeSet<(String, String)>>(query.as_bytes()).unwrap();
        assert_eq!(set.len(), 2);
        let wrong = parse::<Vec<(String, f32)>>(query.as_bytes()).unwrap_err();
        assert_eq!(wrong, [(Some("name".into()), "is not a finite number".into())]);
        assert!(parse::<Vec<(String,)>>(query.as_bytes()).is_err());
        assert!(parse::<Vec<(String, String, String)>>(query.as_bytes()).is_err());
    }
    let wrong = parse::<Vec<(String, u8)>>(b"a=1&b=x&c=300").unwrap_err();
    let names: Vec<_> = wrong.iter().filter_map(|(name, _)| name.as_deref()).collect();
    assert_eq!(names, ["b", "c"]);
    assert_eq!(parse::<Vec<(String, f64)>>(b"a=1.5").unwrap(), [("a".into(), 1.5)]);

    #[derive(Debug, Deserialize, PartialEq)]
    struct Named(Name, String);

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Name {
        Name,
        X,
    }
}

/// Returns the name of the first refused parameter of the path, and the reason.
fn refused_in_path<T: DeserializeOwned + Debug>(values: [&str; 2]) -> (String, String) {
    let Err(PathRefusal::Parameters(mut wrong)) =
        parse_path::<T>(["a", "b"].into_iter().zip(values))
    else {
        panic!("{values:?}")
    };
    let (name, what) = wrong.remove(0);
    (name.unwrap_or_default(), what)
}

#[test]
fn a_float_of_a_path_is_finite_whether_it_is_read_by_its_place_or_its_name() {
    let not_finite = |name: &str| (name.to_owned(), "is not a finite number".to_owned());
    assert_eq!(refused_in_path::<(f64, String)>(["inf", "nan"]), not_finite("a"));
    assert_eq!(refused_in_path::<(String, f32)>(["inf", "1e39"]), not_finite("b"));
    assert_eq!(refused_in_path::<BTreeMap<String, f64>>(["1", "NaN"]), not_finite("b"));
    assert!(parse_path::<(String, f64)>([("a", "inf"), ("b", "1e39")].into_iter()).is_ok());
    assert!(parse_path::<f64>([("ratio", "-inf")].into_iter()).is_err());
    assert!(parse_path::<String>([("ratio", "-inf")].into_iter()).is_ok());
}

#[test]
fn a_struct_tells_its_fields() {
    assert_eq!(fields::<Page>(), Some(&["page", "by", "order"][..]));
    assert_eq!(fields::<Vec<(String, String)>>(), None);
}

/// Reads `query` as a `T` and returns it as JSON, or the faults.
fn read<T: DeserializeOwned + Serialize>(query: &str) -> Result<Value, Vec<FieldError>> {
    parse::<T>(query.as_bytes()).map(|value| serde_json::to_value(value).unwrap())
}

/// The names of the parameters that are refused, with the reasons.
fn refused<T: DeserializeOwned + Serialize>(query: &str) -> Vec<(String, String)> {
    let wrong = read::<T>(query).expect_err(query);
    wrong.into_iter().map(|(name, what)| (name.unwrap_or_default(), what)).collect()
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
#[serde(rename_all = "lowercase")]
enum Direction {
    Up,
    Down,
}

#[derive(Debug, Deserialize, Serialize)]
struct Wrapped(u64);

#[derive(Debug, Deserialize, Serialize)]
struct Flat {
    q: String,
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Debug, Deserialize, Serialize)]
struct Deep {
    #[serde(flatten)]
    flat: Flat,
    last: Option<i64>,
}

#[derive(Debug, Deserialize, Serialize)]
struct MaybeFlat {
    q: Option<String>,
    #[serde(flatten)]
    inner: Option<Page2>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Page2 {
    page: u32,
    size: Option<u8>,
}

#[test]
fn a_flattened_field_is_read_as_its_type() {
    for query in [
        "q=5&age=5",
        "age=5&q=5",
        "q=5&age=5&family-name=5&letter=5&boxed=5&id=5",
        "q=true&age=1&open=true&family-name=true",
        "q=x&age=0&ratio=1&signed=-128&pair=1,2&numbers=3,1,3&tags=1,2",
        "q=x&age=0&ratio=-1.5e3&tags=1&tags=true&numbers=1&numbers=2",
        "q=&age=1&day=2026-01-31&level=5&order=down&family-name=",
    ] {
        let value = read::<Flat>(query).unwrap_or_else(|wrong| panic!("{query}: {wrong:?}"));
        for pair in query.split('&').filter(|pair| !pair.contains(',') && !pair.contains("tags")) {
            let (name, text) = pair.split_once('=').unwrap();
            let read = match &value[name] {
                Value::String(read) => read.clone(),
                Value::Number(read) if name == "ratio" => {
                    assert_eq!(read.as_f64(), text.parse().ok(), "{query}");
                    continue;
                }
                Value::Array(_) => continue,
                other => other.to_string(),
            };
            assert_eq!(read, text, "{name} of {query}");
        }
    }
    let lists = read::<Flat>("q=x&age=0&pair=1,2&numbers=3,1,3&tags=1,2").unwrap();
    assert_eq!(lists["pair"], json!([1, "2"]));
    assert_eq!(lists["numbers"], json!([1, 3]));
    assert_eq!(lists["tags"], json!(["1", "2"]));
    let lists = read::<Deep>("q=x&age=0&numbers=3&tags=a%2Cb&tags=1&last=-7").unwrap();
    assert_eq!(lists["numbers"], json!([3]));
    assert_eq!(lists["tags"], json!(["a,b", "1"]));
    assert_eq!(lists["last"], -7);
}

#[test]
fn a_flattened_option_is_read_and_refused_as_its_fields_are() {
    assert_eq!(read::<MaybeFlat>("").unwrap(), json!({ "q": null }));
    let page = json!({ "q": "7", "page": 7, "size": 2 });
    assert_eq!(read::<MaybeFlat>("page=7&q=7&size=2").unwrap(), page);
    assert_eq!(
        read::<MaybeFlat>("page=7&size=").unwrap(),
        json!({ "q": null, "page": 7, "size": null })
    );
    let [(name, what)] = &refused::<MaybeFlat>("page=x")[..] else { panic!("page is no number") };
    assert_eq!((&**name, what.contains("whole number")), ("page", true), "{what}");
}

#[test]
fn what_is_wrong_with_a_flattened_field_is_said_by_its_name() {
    let what = |query| refused::<Flat>(query);
    let number = "is not a valid whole number from 0 up, or is too large".to_owned();
    assert_eq!(what("q=x&age=x"), [("age".into(), number)]);
    assert_eq!(what("q=x&age="), [("age".into(), "is empty".into())]);
    assert_eq!(what("q=x&age=1&age=2"), [("age".into(), "is given twice".into())]);
    assert_eq!(what("q=1&q=2&age=1"), [("q".into(), "is given twice".into())]);
    assert_eq!(what("q=x"), [("age".into(), "missing field `age`".into())]);
    let names = |query| what(query).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(
        names("q=x&age=x&open=yes&signed=128&day=2026-02-30&level=6&order=left&numbers=1,x"),
        ["age", "open", "signed", "day", "level", "order", "numbers"],
    );
    assert_eq!(names("q=x&age=4294967296"), ["age"]);
    assert_eq!(names("q=x&age=1.0"), ["age"]);
    assert_eq!(names("q=x&age=-1"), ["age"]);
    assert_eq!(names("q=x&age=1&pair=1"), ["pair"]);
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

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct PageOf {
    page: u32,
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
struct Fields {
    id: Option<Id>,
    #[serde(flatten)]
    tagged: Option<Tagged>,
    #[serde(flatten)]
    rest: BTreeMap<String, Id>,
}

#[derive(Debug, Deserialize, Serialize)]
enum External {
    Number(u32),
    Pair(u8, bool),
    Nothing,
}

#[test]
fn enums_are_read_as_they_are_documented() {
    let tagged = |query: &str| read::<Tagged>(query).unwrap_or_else(|it| panic!("{query}: {it:?}"));
    assert_eq!(
        tagged("kind=number&value=5&exact=true"),
        json!({ "kind": "number", "value": 5, "exact": true })
    );
    assert_eq!(tagged("value=5&kind=text"), json!({ "kind": "text", "value": "5" }));
    assert_eq!(tagged("value=5,6&kind=list")["value"], json!([5, 6]));
    assert_eq!(tagged("value=5&kind=list&value=6")["value"], json!([5, 6]));
    assert_eq!(tagged("kind=nothing"), json!({ "kind": "nothing" }));
    assert_eq!(tagged("kind=page&page=3")["page"], 3);
    assert_eq!(refused::<Tagged>("kind=number&value=x&exact=true")[0].0, "value");
    assert_eq!(refused::<Tagged>("kind=odd")[0].0, "kind");
    assert_eq!(refused::<Tagged>("value=1")[0], ("kind".into(), "missing field `kind`".into()));

    assert_eq!(read::<Adjacent>("t=Number&c=5").unwrap()["c"], 5);
    assert_eq!(read::<Adjacent>("c=5&t=Text").unwrap()["c"], "5");
    assert_eq!(read::<Adjacent>("c=5,6&t=List").unwrap()["c"], json!([5, 6]));

    assert_eq!(read::<Untagged>("n=1&x=2&flag=true").unwrap()["x"], 2);
    assert_eq!(read::<Untagged>("n=1&x=2&y=3").unwrap()["x"], "2");
    assert_eq!(read::<Untagged>("n=1&x=1&y=1").unwrap()["x"], "1");
    assert_eq!(read::<Untagged>("name=5").unwrap()["name"], "5");
    assert!(read::<Untagged>("n=1").is_err());

    let fields = read::<Fields>("id=7&kind=page&page=7&a=7&b=true&c=x").unwrap();
    let wanted = json!({ "id": 7, "kind": "page", "page": 7, "a": 7, "b": true, "c": "x" });
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(fields[name], *value, "{fields}");
    }
    assert_eq!(read::<Fields>("id=x").unwrap()["id"], "x");

    assert_eq!(read::<External>("Number=5").unwrap(), json!({ "Number": 5 }));
    assert_eq!(read::<External>("Pair=5,true").unwrap(), json!({ "Pair": [5, true] }));
    assert_eq!(read::<External>("Nothing").unwrap(), "Nothing");
    assert_eq!(refused::<External>("Number=x")[0].0, "Number");
    assert!(read::<External>("").is_err() && read::<External>("Number=1&Nothing=").is_err());
}

#[derive(Debug, Deserialize, Serialize)]
struct Lists {
    #[serde(default)]
    tag: Vec<String>,
    set: Option<HashSet<u8>>,
    #[serde(default)]
    sorted: BTreeSet<i64>,
    three: Option<[u8; 3]>,
    pair: Option<(u8, bool)>,
    state: Option<List<Direction2, 3>>,
    #[serde(default)]
    ids: Vec<Id>,
    kinds: Option<Vec<Direction>>,
    wrapped: Option<WrappedList>,
}

#[derive(Debug, Deserialize, Serialize)]
struct WrappedList(Vec<u32>);

#[derive(Debug, PartialEq, Serialize)]
struct Direction2(String);

impl std::fmt::Display for Direction2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Direction2 {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 2 { Ok(Self(text.into())) } else { Err("a state has two letters") }
    }
}

#[test]
fn a_list_is_read_with_commas_and_from_several_parameters() {
    for (query, name, wanted) in [
        ("tag=a,b", "tag", json!(["a", "b"])),
        ("tag=a&tag=b", "tag", json!(["a", "b"])),
        ("tag=a,b&set=1&tag=c", "tag", json!(["a", "b", "c"])),
        ("tag=a", "tag", json!(["a"])),
        ("tag=", "tag", json!([])),
        ("tag", "tag", json!([])),
        ("", "tag", json!([])),
        ("tag=a%2Cb,c", "tag", json!(["a,b", "c"])),
        ("tag=a%2cb&tag=c+d%2B", "tag", json!(["a,b", "c d+"])),
        ("tag=a,,b", "tag", json!(["a", "", "b"])),
        ("tag=&tag=a", "tag", json!(["", "a"])),
        ("set=7", "set", json!([7])),
        ("sorted=3,-1,3", "sorted", json!([-1, 3])),
        ("sorted=3%2C-1", "sorted", json!([-1, 3])),
        ("three=1,2,3", "three", json!([1, 2, 3])),
        ("three=1&three=2&three=3", "three", json!([1, 2, 3])),
        ("pair=1,true", "pair", json!([1, true])),
        ("state=SP,RJ", "state", json!("SP,RJ")),
        ("state=SP%2CRJ", "state", json!("SP,RJ")),
        ("state=SP&state=RJ", "state", json!("SP,RJ")),
        ("state=SP,RJ&state=MG", "state", json!("SP,RJ,MG")),
        ("ids=1,x,true", "ids", json!([1, "x", true])),
        ("kinds=up&kinds=down", "kinds", json!(["up", "down"])),
        ("wrapped=1,2", "wrapped", json!([1, 2])),
    ] {
        let value = read::<Lists>(query).unwrap_or_else(|wrong| panic!("{query}: {wrong:?}"));
        assert_eq!(value[name], wanted, "{query}");
    }
}

#[test]
fn a_list_that_is_wrong_is_refused_by_its_name_and_place() {
    let what = |query| refused::<Lists>(query).remove(0);
    let (name, why) = what("set=1,x");
    assert_eq!(
        (&*name, why.starts_with("value 2 of the list: is not a valid")),
        ("set", true),
        "{why}"
    );
    assert_eq!(what("set=1&set="), ("set".into(), "value 2 of the list: is empty".into()));
    assert_eq!(what("three=1,2"), ("three".into(), "has 2 values, and 3 are expected".into()));
    assert_eq!(what("three=1,2,3,4").0, "three");
    assert_eq!(what("state=SP&state=R").1, "value 2 of the list: a state has two letters");
    assert_eq!(what("state=SP,RJ&state=MG,ES").1, "at most 3 values are allowed");
}

#[derive(Debug, Deserialize, Serialize)]
struct Optional {
    age: Option<u32>,
    ratio: Option<f64>,
    open: Option<bool>,
    day: Option<Date>,
    at: Option<Timestamp>,
    id: Option<Uuid>,
    kind: Option<Direction>,
    letter: Option<char>,
    name: Option<String>,
    #[serde(default = "seven")]
    size: u8,
    #[serde(default)]
    text: Cow<'static, str>,
}

fn seven() -> u8 {
    7
}

#[test]
fn a_parameter_without_a_value_is_as_one_that_is_not_given_unless_it_is_text() {
    let without = read::<Optional>("").unwrap();
    for query in [
        "age=",
        "age",
        "ratio=",
        "open=",
        "day=",
        "at=",
        "id=",
        "kind=",
        "letter=",
        "size=",
        "text=",
        "age=&ratio=&open=&day=&at=&id=&kind=&letter=&size=",
    ] {
        assert_eq!(read::<Optional>(query).unwrap(), without, "{query}");
    }
    assert_eq!(read::<Optional>("name=").unwrap()["name"], "");
    assert_eq!(refused::<Optional>("age=&ratio=x").len(), 1);
    assert_eq!(refused::<Optional>("age=&age=")[0].1, "is given twice");
    assert_eq!(refused::<PageOf>("page="), [("page".into(), "is empty".into())]);
}

#[test]
fn a_number_is_written_as_json_writes_it() {
    #[derive(Debug, Deserialize, Serialize)]
    struct Numbers {
        small: Option<u8>,
        long: Option<u64>,
        signed: Option<i64>,
        wide: Option<i128>,
    }

    for (query, wanted) in [
        ("small=255", json!(255)),
        ("long=18446744073709551615", json!(u64::MAX)),
        ("signed=-9223372036854775808", json!(i64::MIN)),
        ("signed=9223372036854775807", json!(i64::MAX)),
        ("wide=-7", json!(-7)),
        ("small=0", json!(0)),
    ] {
        let name = query.split('=').next().unwrap();
        assert_eq!(read::<Numbers>(query).unwrap()[name], wanted, "{query}");
    }
    for name in ["small", "long", "signed", "wide"] {
        for text in [
            "-0",
            "1.0",
            "1e3",
            "%2B5",
            "+5",
            "%205",
            "5+",
            "0x10",
            "1_0",
            "5,",
            "%D9%A5",
            "-",
            "--1",
            "x",
            "340282366920938463463374607431768211456",
        ] {
            let wrong = refused::<Numbers>(&format!("{name}={text}"));
            assert_eq!(wrong[0].0, name, "{text}");
            assert!(wrong[0].1.starts_with("is not a valid whole number"), "{text}: {wrong:?}");
        }
    }
    for query in
        ["small=256", "small=-1", "long=18446744073709551616", "signed=9223372036854775808"]
    {
        assert_eq!(refused::<Numbers>(query).len(), 1, "{query}");
    }
}

#[derive(Debug, Deserialize, Serialize)]
struct WithObject {
    range: Option<Range>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(rename = "title[contains]")]
    title: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Range {
    min: u32,
    max: Option<u32>,
    #[serde(default)]
    list: Vec<u8>,
}

#[test]
fn an_object_is_read_by_its_members_in_brackets() {
    let query = "range[min]=1&title[contains]=x&range%5Blist%5D=1,2&labels[a]=b&labels[c]=5";
    let value = read::<WithObject>(query).unwrap();
    assert_eq!(value["range"], json!({ "min": 1, "max": null, "list": [1, 2] }));
    assert_eq!(value["labels"], json!({ "a": "b", "c": "5" }));
    assert_eq!(value["title[contains]"], "x");
    assert_eq!(refused::<WithObject>("range[min]=x")[0].0, "range[min]");
    assert_eq!(
        refused::<WithObject>("range[max]=1")[0],
        ("range[min]".into(), "missing field `range[min]`".into())
    );
    assert!(refused::<WithObject>("range=1")[0].1.contains("`range[name]=value`"));
}

#[test]
fn an_object_is_read_beside_and_within_flattened_fields() {
    #[derive(Debug, Deserialize, Serialize)]
    struct Outer {
        range: Option<Range>,
        must: Range,
        #[serde(rename = "title[contains]")]
        title: Option<String>,
        #[serde(flatten)]
        inner: Nested,
    }

    #[derive(Debug, Deserialize, Serialize)]
    struct Nested {
        other: Option<Range>,
        size: u8,
        #[serde(rename = "size[max]")]
        max: Option<u8>,
    }

    let query = "must[min]=1&range[min]=2&title[contains]=5&other[min]=3&other[list]=1,2&size=4&size[max]=5";
    let value = read::<Outer>(query).unwrap();
    assert_eq!((&value["must"]["min"], &value["range"]["min"]), (&json!(1), &json!(2)));
    assert_eq!(value["other"], json!({ "min": 3, "max": null, "list": [1, 2] }));
    assert_eq!((&value["title[contains]"], &value["size[max]"]), (&json!("5"), &json!(5)));
    assert_eq!(refused::<Outer>("must[min]=1&range[min]=x&size=4")[0].0, "range[min]");
    assert_eq!(refused::<Outer>("range[min]=1&size=4")[0].1, "missing field `must`");
}

#[test]
fn whole_types_that_are_no_structs_are_read() {
    #[derive(Debug, Deserialize, Serialize)]
    struct Around(PageOf);

    assert_eq!(read::<Around>("page=5").unwrap(), json!({ "page": 5 }));
    assert_eq!(read::<Option<PageOf>>("page=5").unwrap(), json!({ "page": 5 }));
    assert_eq!(read::<Option<PageOf>>("").unwrap(), json!(null));
    assert_eq!(read::<HashMap<String, u8>>("a=1").unwrap(), json!({ "a": 1 }));
    assert_eq!(
        read::<HashMap<String, Vec<u8>>>("a=1&b=2,3&a=4").unwrap(),
        json!({ "a": [1, 4], "b": [2, 3] })
    );
    assert_eq!(refused::<HashMap<String, u8>>("a=1&a=2")[0].1, "is given twice");
    assert_eq!(read::<()>("").unwrap(), json!(null));
    assert_eq!(refused::<()>("a=1")[0].0, "a");
}

#[derive(Debug, Deserialize, Serialize)]
struct InPath {
    kind: Direction,
    #[serde(flatten)]
    page: PageOf,
}

/// Reads the parameters of a path as a `T` and returns it as JSON, or the faults.
fn path<T: DeserializeOwned + Serialize>(
    parameters: &[(&str, &str)],
) -> Result<Value, Vec<FieldError>> {
    match parse_path::<T>(parameters.iter().copied()) {
        Ok(value) => Ok(serde_json::to_value(value).unwrap()),
        Err(PathRefusal::Parameters(wrong)) => Err(wrong),
        Err(PathRefusal::Route(what)) => panic!("{what}"),
    }
}

#[test]
fn the_parameters_of_a_path_are_read_as_they_are_documented() {
    assert_eq!(path::<InPath>(&[("kind", "up"), ("page", "5")]).unwrap()["page"], 5);
    assert_eq!(
        path::<InPath>(&[("kind", "up"), ("page", "x")]).unwrap_err()[0].0.as_deref(),
        Some("page")
    );
    assert_eq!(path::<Id>(&[("id", "5")]).unwrap(), 5);
    assert_eq!(path::<Id>(&[("id", "x")]).unwrap(), "x");
    assert_eq!(path::<Tagged>(&[("kind", "nothing")]).unwrap()["kind"], "nothing");
    assert_eq!(path::<Tagged>(&[("kind", "page"), ("page", "5")]).unwrap()["page"], 5);
    let odd = path::<Tagged>(&[("kind", "odd")]).unwrap_err();
    assert!(odd[0].0.as_deref() == Some("kind") && odd[0].1.contains("`nothing`"), "{odd:?}");
    assert_eq!(
        path::<(Direction, Vec<u8>)>(&[("a", "down"), ("b", "1,2")]).unwrap(),
        json!(["down", [1, 2]])
    );
    assert_eq!(
        path::<Vec<(String, String)>>(&[("a", "1"), ("b", "x")]).unwrap(),
        json!([["a", "1"], ["b", "x"]])
    );
    assert_eq!(path::<Vec<u8>>(&[("a", "1"), ("b", "2")]).unwrap(), json!([1, 2]));
    assert_eq!(path::<i8>(&[("n", "-5")]).unwrap(), -5);
    for text in ["+5", "5.0", "-0", "0x5", " 5", "129"] {
        assert_eq!(path::<i8>(&[("n", text)]).unwrap_err()[0].0.as_deref(), Some("n"), "{text}");
    }
    for count in [0, 2] {
        let parameters = [("a", "1"), ("b", "2")];
        let refused = parse_path::<u8>(parameters.into_iter().take(count));
        assert!(matches!(refused, Err(PathRefusal::Route(_))), "{count}");
    }
    assert!(matches!(parse_path::<PageOf>([("a", "1")].into_iter()), Err(PathRefusal::Route(_))));
}

#[test]
fn an_unknown_field_beside_a_flattened_one_is_named() {
    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Closed {
        #[serde(flatten)]
        page: PageOf,
    }

    assert_eq!(read::<Closed>("page=1").unwrap()["page"], 1);
    assert_eq!(refused::<Closed>("odd=1&page=1")[0].0, "odd");
    let wrong = refused::<Untagged>("n=1");
    assert_eq!(wrong[0].1, "is of none of the shapes that are accepted here");
}

#[test]
fn very_many_buffered_values_are_read_in_few_passes() {
    #[derive(Debug, Deserialize)]
    struct AnyNames {
        #[serde(flatten)]
        rest: HashMap<String, u32>,
    }

    let query: Vec<String> = (0..20_000).map(|number| format!("n{number}={number}")).collect();
    let begun = std::time::Instant::now();
    let read = parse::<AnyNames>(query.join("&").as_bytes()).unwrap();
    assert_eq!(read.rest.len(), 20_000);
    assert_eq!(read.rest["n19999"], 19_999);
    // One pass a parameter would take minutes.
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn the_pairs_that_are_kept_are_kept_as_they_are_written() {
    let query = "a=x,y&page=2&b=x%2Cy&c[d]=\u{e9}>&e=+%2B";
    assert_eq!(
        filtered(query, |name, _| name != "page"),
        "a=x,y&b=x%2Cy&c%5Bd%5D=%C3%A9%3E&e=+%2B"
    );
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Recursive {
    value: Option<u32>,
    inner: Option<Box<Recursive>>,
}

#[derive(Debug, Deserialize, Serialize)]
struct FlatRecursive {
    #[serde(flatten)]
    it: Recursive,
}

#[test]
fn a_name_has_a_limited_depth_of_brackets() {
    for levels in [17, 100_000] {
        for part in ["[]", "[inner]"] {
            let query = format!("inner{}=1&value=1", part.repeat(levels));
            for wrong in [
                refused::<Recursive>(&query),
                refused::<FlatRecursive>(&query),
                refused::<HashMap<String, String>>(&query),
                refused::<Page2>(&query),
            ] {
                let [(name, what)] = &wrong[..] else { panic!("{}", wrong.len()) };
                assert!(name.starts_with("inner[") && name.len() < 80, "{name}");
                assert_eq!(what, "has more than 16 levels of brackets");
            }
        }
    }
    let query = format!("inner{}[value]=1", "[inner]".repeat(15));
    assert!(read::<Recursive>(&query).unwrap().to_string().contains("\"value\":1"));
    assert!(read::<FlatRecursive>(&query).unwrap().to_string().contains("\"value\":1"));
}

thread_local! {
    static PASSES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A `T` that counts how many times it is read.
#[derive(Debug, Serialize)]
struct Counted<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Counted<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PASSES.set(PASSES.get() + 1);
        T::deserialize(deserializer).map(Self)
    }
}

/// Returns the result and how many times `query` is read as a `T`.
fn passes<T: DeserializeOwned + Serialize>(query: &str) -> (Result<Value, Vec<FieldError>>, usize) {
    PASSES.set(0);
    (read::<Counted<T>>(query), PASSES.get())
}

#[test]
fn many_names_with_brackets_are_read_in_few_passes() {
    let many = |count: usize, part: &str| -> String {
        (0..count).map(|n| format!("&{}=1", part.replace('N', &n.to_string()))).collect()
    };
    let query = format!("q=x&age=1{}", many(3_000, "oN[a]"));
    let (read, count) = passes::<Flat>(&query);
    assert_eq!(read.unwrap_err()[0].1, "is one of more than 16 names with brackets");
    assert!(count < 100, "{count} passes");
    let (read, count) = passes::<HashMap<String, String>>(&many(3_000, "aN[]"));
    assert_eq!(read.unwrap().as_object().map(serde_json::Map::len), Some(3_000));
    assert!(count < 5, "{count} passes");
    let query = format!("q=x&age=1{}", many(3_000, "age[aN][b]"));
    let (read, count) = passes::<Flat>(&query);
    assert!(read.is_err());
    assert!(count < 1_000, "{count} passes");
    // With more parameters, fewer passes are made.
    let query = format!("q=x&age=x&signed=x{}", many(50_000, "oN"));
    let (read, count) = passes::<Flat>(&query);
    assert_eq!(read.unwrap_err()[0].0.as_deref(), Some("age"));
    assert!(count < 60, "{count} passes");
}

#[derive(Debug, Deserialize, Serialize)]
struct WithRange {
    range: Option<Page2>,
    age: Option<u8>,
}

#[test]
fn a_mistyped_name_of_a_member_is_refused() {
    for name in [
        "range[page]junk",
        "range[page",
        "range[",
        "range]page[",
        "range[page][",
        "range[[page]]",
        "age[min",
    ] {
        let read = read::<WithRange>(&format!("{name}=1"));
        match name.starts_with("range]") {
            true => assert!(read.is_ok()),
            false => assert_eq!(read.unwrap_err()[0].0.as_deref(), Some(name)),
        }
    }
}

#[test]
fn a_refused_form_of_one_value_does_not_undo_those_of_others() {
    #[derive(Debug, Deserialize, Serialize)]
    struct WithTagged {
        id: Option<Id>,
        #[serde(flatten)]
        which: Option<Tagged>,
        #[serde(default)]
        ids: Vec<Id>,
    }

    let value = read::<WithTagged>("id=-1&kind=number&value=2&exact=true").unwrap();
    assert_eq!((&value["id"], &value["value"]), (&json!("-1"), &json!(2)), "{value}");
    let value = read::<WithTagged>("ids=-1,1,true,x&kind=number&value=2&exact=true").unwrap();
    assert_eq!((&value["ids"], &value["value"]), (&json!(["-1", 1, true, "x"]), &json!(2)));
    for (query, wanted) in [
        ("ids=1", json!([1])),
        ("ids=true", json!([true])),
        ("ids=x", json!(["x"])),
        ("ids=1&ids=x", json!([1, "x"])),
        ("ids=", json!([])),
    ] {
        assert_eq!(read::<WithTagged>(query).unwrap()["ids"], wanted, "{query}");
    }
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct MaybeMany {
    name: Option<String>,
    #[serde(flatten)]
    inner: Option<Many>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Many {
    page_no: u32,
    size: Option<u8>,
    #[serde(default)]
    sizes: Vec<u8>,
    open: Option<bool>,
    day: Option<Date>,
    near: Option<f32>,
}

#[test]
fn a_wrong_value_is_refused_within_a_flattened_option() {
    for (query, wrong) in [
        ("page_no=1&size=300", "size"),
        ("page_no=300&size=300", "size"),
        ("page_no=-1", "page_no"),
        ("page_no=1.5", "page_no"),
        ("page_no=1&size=1&sizes=1,300", "sizes"),
        ("page_no=1&size=1&sizes=1,x", "sizes"),
        ("page_no=1&open=yes", "open"),
        ("page_no=1&open=1", "open"),
        ("page_no=1&day=2026-02-30", "day"),
        ("page_no=1&near=1e39", "near"),
        ("name=300&page_no=1&size=300", "size"),
    ] {
        let names = refused::<MaybeMany>(query);
        assert_eq!(names[0].0, wrong, "{query}: {names:?}");
        assert!(!names[0].1.ends_with("valid "), "{query}: {names:?}");
    }
    for query in
        ["", "name=300", "page_no=300&size=30&sizes=1,2&open=true&day=2026-02-28&near=1e38"]
    {
        let value = read::<MaybeMany>(query).unwrap();
        assert_eq!(value.get("page_no").is_some(), query.contains("page_no"), "{query}");
    }
    let wrong = refused::<MaybeFlat>("page=1&size=300");
    assert_eq!(wrong[0].0, "size", "{wrong:?}");
}

#[test]
fn an_infinite_float_is_refused_within_flattened_fields() {
    #[derive(Debug, Deserialize, Serialize)]
    struct Around {
        #[serde(flatten)]
        numbers: Floats,
    }

    #[derive(Debug, Deserialize, Serialize)]
    struct Floats {
        near: Option<f32>,
        far: Option<f64>,
    }

    let large = "1".to_owned() + &"0".repeat(40);
    for text in ["1e39", "-1e39", &large] {
        let wrong = refused::<Around>(&format!("near={text}"));
        assert_eq!(wrong, [("near".into(), "is not a finite number".into())], "{text}");
        assert!(read::<Around>(&format!("near=1&far={text}")).is_ok(), "{text}");
    }
}

#[test]
fn an_enum_in_a_field_is_read_with_its_variant_in_brackets() {
    #[derive(Debug, Deserialize, Serialize)]
    struct WithEnum {
        ext: Option<External>,
    }

    assert_eq!(read::<WithEnum>("ext[Number]=5").unwrap(), json!({ "ext": { "Number": 5 } }));
    assert_eq!(read::<WithEnum>("ext[Pair]=5,true").unwrap()["ext"]["Pair"], json!([5, true]));
    assert_eq!(read::<WithEnum>("ext=Nothing").unwrap(), json!({ "ext": "Nothing" }));
    assert_eq!(refused::<WithEnum>("ext[Number]=x")[0].0, "ext[Number]");
    assert!(refused::<WithEnum>("ext[Number]=1&ext[Pair]=1,true")[0].1.contains("alone"));
    assert!(!refused::<WithEnum>("ext=Number")[0].1.contains("variant,"));
}

#[test]
fn an_internally_tagged_enum_is_an_object() {
    assert!(is_object::<Tagged>() && is_object::<Page>() && is_object::<Adjacent>());
    assert!(!is_object::<Vec<u8>>() && !is_object::<Untagged>() && !is_object::<Value>());
}

#[test]
fn a_list_in_the_single_parameter_of_a_path_has_commas_as_it_is_documented() {
    assert_eq!(path::<Vec<u8>>(&[("ids", "1,2,3")]).unwrap(), json!([1, 2, 3]));
    assert_eq!(path::<Vec<u8>>(&[("ids", "1")]).unwrap(), json!([1]));
    assert_eq!(path::<BTreeSet<String>>(&[("ids", "b,a")]).unwrap(), json!(["a", "b"]));
    assert_eq!(path::<Vec<Id>>(&[("ids", "1,x")]).unwrap(), json!([1, "x"]));
    let pairs = path::<Vec<(String, String)>>(&[("a", "b,c")]).unwrap();
    assert_eq!(pairs, json!([["a", "b,c"]]));
    let wrong = path::<Vec<u8>>(&[("ids", "1,x")]).unwrap_err();
    assert_eq!(wrong[0].0.as_deref(), Some("ids"));
    assert!(wrong[0].1.starts_with("value 2 of the list: is not a valid"), "{wrong:?}");
}
