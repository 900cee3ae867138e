use super::*;

#[derive(Debug, Deserialize, Serialize)]
struct WithObject {
    range: Option<Range>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(rename = "title[contains]")]
    title: Option<String>,
}

#[test]
fn an_object_is_read_from_members_in_brackets() {
    let query = "range[min]=1&title[contains]=x&range%5Blist%5D=1,2&labels[a]=b&labels[c]=5";
    let value = read::<WithObject>(query).unwrap();
    assert_eq!(value["range"], json!({ "min": 1, "max": null, "list": [1, 2] }));
    assert_eq!(value["labels"], json!({ "a": "b", "c": "5" }));
    assert_eq!(value["title[contains]"], "x");
    assert_eq!(errors::<WithObject>("range[min]=x")[0].0, "range[min]");
    assert_eq!(
        errors::<WithObject>("range[max]=1")[0],
        ("range[min]".into(), "missing field `range[min]`".into())
    );
    assert!(errors::<WithObject>("range=1")[0].1.contains("`range[name]=value`"));
}

#[test]
fn objects_are_read_next_to_and_within_flattened_fields() {
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
    assert_eq!(errors::<Outer>("must[min]=1&range[min]=x&size=4")[0].0, "range[min]");
    assert_eq!(errors::<Outer>("range[min]=1&size=4")[0].1, "missing field `must`");
}

#[derive(Debug, Deserialize, Serialize)]
struct WithRange {
    range: Option<PageAndSize>,
    age: Option<u8>,
}

#[test]
fn a_mistyped_member_name_is_rejected() {
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
