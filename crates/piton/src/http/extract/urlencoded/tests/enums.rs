use super::*;

#[derive(Debug, Deserialize, Serialize)]
struct Fields {
    id: Option<Id>,
    #[serde(flatten)]
    tagged: Option<Tagged>,
    #[serde(flatten)]
    rest: BTreeMap<String, Id>,
}

#[test]
fn enums_of_all_representations_are_read() {
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
    assert_eq!(errors::<Tagged>("kind=number&value=x&exact=true")[0].0, "value");
    assert_eq!(errors::<Tagged>("kind=odd")[0].0, "kind");
    assert_eq!(errors::<Tagged>("value=1")[0], ("kind".into(), "missing field `kind`".into()));

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
    assert_eq!(errors::<External>("Number=x")[0].0, "Number");
    assert!(read::<External>("").is_err() && read::<External>("Number=1&Nothing=").is_err());
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
    assert_eq!(errors::<WithEnum>("ext[Number]=x")[0].0, "ext[Number]");
    assert!(errors::<WithEnum>("ext[Number]=1&ext[Pair]=1,true")[0].1.contains("exactly one"));
    assert!(!errors::<WithEnum>("ext=Number")[0].1.contains("variant,"));
}

#[test]
fn a_rejected_type_of_one_value_does_not_undo_those_of_others() {
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
