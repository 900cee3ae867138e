use super::*;

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
    inner: Option<PageAndSize>,
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
fn a_flattened_option_is_read_or_rejected_like_its_fields() {
    assert_eq!(read::<MaybeFlat>("").unwrap(), json!({ "q": null }));
    let page = json!({ "q": "7", "page": 7, "size": 2 });
    assert_eq!(read::<MaybeFlat>("page=7&q=7&size=2").unwrap(), page);
    assert_eq!(
        read::<MaybeFlat>("page=7&size=").unwrap(),
        json!({ "q": null, "page": 7, "size": null })
    );
    let [(name, what)] = &errors::<MaybeFlat>("page=x")[..] else { panic!("page is no number") };
    assert_eq!((&**name, what.contains("whole number")), ("page", true), "{what}");
}

#[test]
fn an_invalid_flattened_field_is_named() {
    let rejected = |query| errors::<Flat>(query);
    let number = "is not a valid whole number from 0 up, or is too large".to_owned();
    assert_eq!(rejected("q=x&age=x"), [("age".into(), number)]);
    assert_eq!(rejected("q=x&age="), [("age".into(), "is empty".into())]);
    assert_eq!(rejected("q=x&age=1&age=2"), [("age".into(), "is given twice".into())]);
    assert_eq!(rejected("q=1&q=2&age=1"), [("q".into(), "is given twice".into())]);
    assert_eq!(rejected("q=x"), [("age".into(), "missing field `age`".into())]);
    let names = |query| rejected(query).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(
        names("q=x&age=x&open=maybe&signed=128&day=2026-02-30&level=6&order=left&numbers=1,x"),
        ["age", "open", "signed", "day", "level", "order", "numbers"],
    );
    assert_eq!(names("q=x&age=4294967296"), ["age"]);
    assert_eq!(names("q=x&age=1.0"), ["age"]);
    assert_eq!(names("q=x&age=-1"), ["age"]);
    assert_eq!(names("q=x&age=1&pair=1"), ["pair"]);
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
fn an_invalid_value_is_rejected_within_a_flattened_option() {
    for (query, wrong) in [
        ("page_no=1&size=300", "size"),
        ("page_no=300&size=300", "size"),
        ("page_no=-1", "page_no"),
        ("page_no=1.5", "page_no"),
        ("page_no=1&size=1&sizes=1,300", "sizes"),
        ("page_no=1&size=1&sizes=1,x", "sizes"),
        ("page_no=1&open=maybe", "open"),
        ("page_no=1&open=2", "open"),
        ("page_no=1&day=2026-02-30", "day"),
        ("page_no=1&near=1e39", "near"),
        ("name=300&page_no=1&size=300", "size"),
    ] {
        let names = errors::<MaybeMany>(query);
        assert_eq!(names[0].0, wrong, "{query}: {names:?}");
        assert!(!names[0].1.ends_with("valid "), "{query}: {names:?}");
    }
    for query in
        ["", "name=300", "page_no=300&size=30&sizes=1,2&open=true&day=2026-02-28&near=1e38"]
    {
        let value = read::<MaybeMany>(query).unwrap();
        assert_eq!(value.get("page_no").is_some(), query.contains("page_no"), "{query}");
    }
    let wrong = errors::<MaybeFlat>("page=1&size=300");
    assert_eq!(wrong[0].0, "size", "{wrong:?}");
}

#[test]
fn an_infinite_float_is_rejected_within_flattened_fields() {
    #[derive(Debug, Deserialize, Serialize)]
    struct Wrapper {
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
        let wrong = errors::<Wrapper>(&format!("near={text}"));
        assert_eq!(wrong, [("near".into(), "is not a finite number".into())], "{text}");
        assert!(read::<Wrapper>(&format!("near=1&far={text}")).is_ok(), "{text}");
    }
}
