use super::*;

/// Returns the name of the first rejected path parameter, and the message.
fn first_path_error<T: DeserializeOwned + Debug>(values: [&str; 2]) -> (String, String) {
    let Err(PathError::Parameters(mut wrong)) = parse_path::<T>(["a", "b"].into_iter().zip(values))
    else {
        panic!("{values:?}")
    };
    let (name, what) = wrong.remove(0);
    (name.unwrap_or_default(), what)
}

#[test]
fn a_float_in_a_path_is_finite_by_position_and_by_name() {
    let not_finite = |name: &str| (name.to_owned(), "is not a finite number".to_owned());
    assert_eq!(first_path_error::<(f64, String)>(["inf", "nan"]), not_finite("a"));
    assert_eq!(first_path_error::<(String, f32)>(["inf", "1e39"]), not_finite("b"));
    assert_eq!(first_path_error::<BTreeMap<String, f64>>(["1", "NaN"]), not_finite("b"));
    assert!(parse_path::<(String, f64)>([("a", "inf"), ("b", "1e39")].into_iter()).is_ok());
    assert!(parse_path::<f64>([("ratio", "-inf")].into_iter()).is_err());
    assert!(parse_path::<String>([("ratio", "-inf")].into_iter()).is_ok());
}

#[derive(Debug, Deserialize, Serialize)]
struct InPath {
    kind: Direction,
    #[serde(flatten)]
    page: PageOf,
}

#[test]
fn path_parameters_are_read_by_position_and_by_name() {
    assert_eq!(read_path::<InPath>(&[("kind", "up"), ("page", "5")]).unwrap()["page"], 5);
    assert_eq!(
        read_path::<InPath>(&[("kind", "up"), ("page", "x")]).unwrap_err()[0].0.as_deref(),
        Some("page")
    );
    assert_eq!(read_path::<Id>(&[("id", "5")]).unwrap(), 5);
    assert_eq!(read_path::<Id>(&[("id", "x")]).unwrap(), "x");
    assert_eq!(read_path::<Tagged>(&[("kind", "nothing")]).unwrap()["kind"], "nothing");
    assert_eq!(read_path::<Tagged>(&[("kind", "page"), ("page", "5")]).unwrap()["page"], 5);
    let odd = read_path::<Tagged>(&[("kind", "odd")]).unwrap_err();
    assert!(odd[0].0.as_deref() == Some("kind") && odd[0].1.contains("`nothing`"), "{odd:?}");
    assert_eq!(
        read_path::<(Direction, Vec<u8>)>(&[("a", "down"), ("b", "1,2")]).unwrap(),
        json!(["down", [1, 2]])
    );
    assert_eq!(
        read_path::<Vec<(String, String)>>(&[("a", "1"), ("b", "x")]).unwrap(),
        json!([["a", "1"], ["b", "x"]])
    );
    assert_eq!(read_path::<Vec<u8>>(&[("a", "1"), ("b", "2")]).unwrap(), json!([1, 2]));
    assert_eq!(read_path::<i8>(&[("n", "-5")]).unwrap(), -5);
    for text in ["+5", "5.0", "-0", "0x5", " 5", "129"] {
        assert_eq!(
            read_path::<i8>(&[("n", text)]).unwrap_err()[0].0.as_deref(),
            Some("n"),
            "{text}"
        );
    }
    for count in [0, 2] {
        let parameters = [("a", "1"), ("b", "2")];
        let refused = parse_path::<u8>(parameters.into_iter().take(count));
        assert!(matches!(refused, Err(PathError::Route(_))), "{count}");
    }
    assert!(matches!(parse_path::<PageOf>([("a", "1")].into_iter()), Err(PathError::Route(_))));
}

#[test]
fn a_list_in_the_only_path_parameter_is_separated_by_commas() {
    assert_eq!(read_path::<Vec<u8>>(&[("ids", "1,2,3")]).unwrap(), json!([1, 2, 3]));
    assert_eq!(read_path::<Vec<u8>>(&[("ids", "1")]).unwrap(), json!([1]));
    assert_eq!(read_path::<BTreeSet<String>>(&[("ids", "b,a")]).unwrap(), json!(["a", "b"]));
    assert_eq!(read_path::<Vec<Id>>(&[("ids", "1,x")]).unwrap(), json!([1, "x"]));
    let pairs = read_path::<Vec<(String, String)>>(&[("a", "b,c")]).unwrap();
    assert_eq!(pairs, json!([["a", "b,c"]]));
    let wrong = read_path::<Vec<u8>>(&[("ids", "1,x")]).unwrap_err();
    assert_eq!(wrong[0].0.as_deref(), Some("ids"));
    assert!(wrong[0].1.starts_with("value 2 of the list: is not a valid"), "{wrong:?}");
}
