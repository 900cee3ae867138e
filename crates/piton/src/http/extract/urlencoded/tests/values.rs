use super::*;

#[derive(Debug, Deserialize, PartialEq)]
struct Numbers {
    near: Option<f32>,
    far: Option<f64>,
    text: Option<String>,
    whole: Option<u128>,
}

#[test]
fn a_float_is_finite_and_text_and_large_integers_are_unchanged() {
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
fn a_list_of_pairs_has_the_values_as_they_were_sent() {
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
fn an_empty_value_counts_as_absent_unless_it_is_text() {
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
    assert_eq!(errors::<Optional>("age=&ratio=x").len(), 1);
    assert_eq!(errors::<Optional>("age=&age=")[0].1, "is given twice");
    assert_eq!(errors::<PageOf>("page="), [("page".into(), "is empty".into())]);
}

#[test]
fn whole_numbers_have_the_form_of_json() {
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
            let wrong = errors::<Numbers>(&format!("{name}={text}"));
            assert_eq!(wrong[0].0, name, "{text}");
            assert!(wrong[0].1.starts_with("is not a valid whole number"), "{text}: {wrong:?}");
        }
    }
    for query in
        ["small=256", "small=-1", "long=18446744073709551616", "signed=9223372036854775808"]
    {
        assert_eq!(errors::<Numbers>(query).len(), 1, "{query}");
    }
}

#[test]
fn types_other_than_structs_are_read() {
    #[derive(Debug, Deserialize, Serialize)]
    struct Wrapper(PageOf);

    assert_eq!(read::<Wrapper>("page=5").unwrap(), json!({ "page": 5 }));
    assert_eq!(read::<Option<PageOf>>("page=5").unwrap(), json!({ "page": 5 }));
    assert_eq!(read::<Option<PageOf>>("").unwrap(), json!(null));
    assert_eq!(read::<HashMap<String, u8>>("a=1").unwrap(), json!({ "a": 1 }));
    assert_eq!(
        read::<HashMap<String, Vec<u8>>>("a=1&b=2,3&a=4").unwrap(),
        json!({ "a": [1, 4], "b": [2, 3] })
    );
    assert_eq!(errors::<HashMap<String, u8>>("a=1&a=2")[0].1, "is given twice");
    assert_eq!(read::<()>("").unwrap(), json!(null));
    assert_eq!(errors::<()>("a=1")[0].0, "a");
}

#[test]
fn booleans_are_written_as_in_settings() {
    #[derive(Debug, Deserialize, Serialize)]
    struct Boxes {
        agree: bool,
        #[serde(default)]
        several: Vec<bool>,
    }

    #[derive(Debug, Deserialize, Serialize)]
    struct Flat {
        #[serde(flatten)]
        boxes: Boxes,
    }

    #[derive(Debug, Deserialize, Serialize)]
    #[serde(untagged)]
    enum Id {
        Flag(bool),
        Number(u32),
        Name(String),
    }

    for (texts, wanted) in [
        (["true", "on", "yes", "1", "True", "ON"], true),
        (["false", "off", "no", "0", "False", "Off"], false),
    ] {
        for text in texts {
            let query = format!("agree={text}");
            assert_eq!(read::<Boxes>(&query).unwrap()["agree"], wanted, "{text}");
            assert_eq!(read::<Flat>(&query).unwrap()["agree"], wanted, "{text}");
        }
    }
    assert_eq!(read::<Boxes>("agree=on&several=on,0").unwrap()["several"], json!([true, false]));
    assert_eq!(read::<HashMap<String, Id>>("a=1&b=on").unwrap(), json!({ "a": 1, "b": "on" }));
    for text in ["maybe", "2", "oui", "+on"] {
        let wrong = errors::<Boxes>(&format!("agree={text}"));
        assert_eq!(
            wrong,
            [(
                "agree".into(),
                "is not a valid boolean: write `true`, `on`, `yes` or `1`, or `false`, `off`, `no` or `0`"
                    .into()
            )]
        );
    }
}
