use super::*;

/// Returns the names of the invalid parameters, in order.
fn invalid_names(query: &str) -> Vec<String> {
    let wrong = parse::<Page>(query.as_bytes()).unwrap_err();
    wrong.into_iter().map(|(name, _)| name.unwrap_or_default()).collect()
}

#[test]
fn an_invalid_parameter_of_a_query_is_named() {
    assert_eq!(invalid_names("order=up&page=-1"), ["page"]);
    assert_eq!(invalid_names("page=1"), ["order"]);
    let wrong = parse::<Page>(b"page=1&order=sideways").unwrap_err();
    assert_eq!(wrong[0].0.as_deref(), Some("order"));
    assert!(wrong[0].1.contains("`up` or `down`"), "{wrong:?}");
    assert!(parse::<Page>(b"order=down&page=2").is_ok());
}

#[test]
fn all_invalid_parameters_are_named_at_once() {
    assert_eq!(invalid_names("page=x&order=sideways&odd=1"), ["page", "order", "odd"]);
    assert_eq!(invalid_names("page=x"), ["page", "order"]);
    assert_eq!(invalid_names("order=up&order=down"), ["order"]);
    let many: String = (0..1000).map(|n| format!("&x{n}=1")).collect();
    // One more than is reported, so that the response can say that there are more.
    assert_eq!(invalid_names(&many).len(), 101);
}

#[test]
fn parameters_that_are_not_utf8_are_named() {
    for text in ["", "a=b", "q=caf%C3%A9&x=%", "a=é", "a=%2", "a=%zz", "q=%EF%BF%BD"] {
        assert!(names_not_utf8(text.as_bytes()).is_empty(), "{text}");
    }
    assert_eq!(names_not_utf8(b"a=1&q=%ff&x=%C3&y=%C3%A9"), ["q", "x"]);
    assert_eq!(names_not_utf8(b"q=\xff"), ["q"]);
    assert_eq!(names_not_utf8(b"%ff=1"), ["\u{fffd}"]);
}

#[test]
fn an_unknown_field_next_to_a_flattened_one_is_named() {
    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Closed {
        #[serde(flatten)]
        page: PageOf,
    }

    assert_eq!(read::<Closed>("page=1").unwrap()["page"], 1);
    assert_eq!(errors::<Closed>("odd=1&page=1")[0].0, "odd");
    let wrong = errors::<Untagged>("n=1");
    assert_eq!(wrong[0].1, "matches none of the allowed forms");
}

#[test]
fn a_struct_announces_its_fields() {
    assert_eq!(field_names::<Page>(), Some(&["page", "by", "order"][..]));
    assert_eq!(field_names::<Vec<(String, String)>>(), None);
}

#[test]
fn an_internally_tagged_enum_is_an_object() {
    assert!(is_object::<Tagged>() && is_object::<Page>() && is_object::<Adjacent>());
    assert!(!is_object::<Vec<u8>>() && !is_object::<Untagged>() && !is_object::<Value>());
}

#[test]
fn filtered_pairs_keep_the_form_in_which_they_were_sent() {
    let query = "a=x,y&page=2&b=x%2Cy&c[d]=\u{e9}>&e=+%2B";
    assert_eq!(
        filter_pairs(query, |name, _| name != "page"),
        "a=x,y&b=x%2Cy&c%5Bd%5D=%C3%A9%3E&e=+%2B"
    );
}
