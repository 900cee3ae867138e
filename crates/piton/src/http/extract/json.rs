//! The argument and response `Json`.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::handler_error::{Error, FieldError, max_field_errors};
use crate::http::extract::body_errors::{BodyError, body_errors, without_line};
use crate::http::extract::deref_macro::deref_to_contents;
use crate::http::extract::finite_numbers::may_overflow_f32;
use crate::http::extract::missing_fields::add_missing_fields;
use crate::http::extract::request_body::{media_type, read_body, unsupported_media_type};
use crate::http::extract::serde_messages::to_json_terms;
use crate::http::extract::urlencoded::is_object;
use crate::http::routing::operation::{Input, Operation, Output};
use crate::http::server::body_limit_errors::budget_exhausted;
use crate::memory::SMALL;
use crate::{context, json_scanner};

/// The media type of JSON.
const JSON: &str = "application/json";

/// JSON in the body of a request or a response.
///
/// # Errors
/// As an argument: 415 if `Content-Type` is not JSON, 413 if the body is too large, 400 if it is not JSON, 422 with the
/// JSON Pointers of all errors if it does not match `T`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

deref_to_contents!(Json);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(unsupported_media_type(&parts.headers, JSON));
        }
        let bytes = read_body(body).await?;
        charge_values(&bytes)?;
        parse_json(&bytes).map(Self).map_err(|error| add_missing_fields(error, &parts, &bytes))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: JsonSchema> Input for Json<T> {
    fn describe(operation: &mut Operation) {
        operation.body::<T>(JSON);
    }
}

impl<T: JsonSchema> Output for Json<T> {
    fn describe(operation: &mut Operation) {
        operation.response::<T>(StatusCode::OK, JSON);
    }
}

/// Returns whether the body is `application/json`, or of a type that ends in `+json` (RFC 6839, section 3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(media_type) = media_type(headers) else { return false };
    let suffix = media_type.rsplit_once('+').map(|(_, suffix)| suffix);
    media_type.eq_ignore_ascii_case(JSON)
        || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("json"))
}

/// Charges the memory budget for the parsed values, because a body of nothing but `[0,0,..` grows to sixteen times its
/// size. The service's own types take less, but how much is not known before they are read.
fn charge_values(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() as u64 <= SMALL {
        return Ok(());
    }
    let is_next_value = |byte: &&u8| matches!(**byte, b',' | b'[' | b'{');
    let values = bytes.iter().filter(is_next_value).count() as u64;
    let estimate = values * size_of::<serde_json::Value>() as u64;
    context::hold_estimate(estimate, bytes.len() as u64).map_err(|_| budget_exhausted())
}

/// Reads a body as a `T`.
fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // Lists are rejected here because serde would read a struct from a list of its fields' values, which the schema
    // does not allow.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') && is_object::<T>() {
        return Err(whole_body_error("invalid type: a list, expected an object"));
    }
    // Pointers are determined only on failure, because that needs a second pass.
    let value = serde_json::from_slice(bytes).map_err(|error| json_error::<T>(bytes, &error))?;
    if json_scanner::has_private_name(bytes) {
        return Err(private_name_error());
    }
    if may_overflow_f32(bytes) {
        require_finite_f32::<T>(bytes)?;
    }
    Ok(value)
}

/// Returns 422 for a name that serde_json would read as a value of its own, such as `RawValue`.
#[cold]
fn private_name_error() -> Error {
    whole_body_error("names of members that begin with `$serde_json::private::` are reserved")
}

/// Returns 422 with an error of the body as a whole.
#[cold]
fn whole_body_error(message: &str) -> Error {
    Error::unprocessable(MISMATCH).field_error(FieldError::at("", message))
}

/// Rejects a body with a number that is infinite as an `f32`, with 422. Reads the body again.
#[cold]
fn require_finite_f32<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), Error> {
    let errors = body_errors::<T>(bytes);
    if errors.is_empty() { Ok(()) } else { Err(mismatch_error(bytes, errors)) }
}

/// Returns 400 if the body is not JSON, and 422 with all errors if it is not a `T`.
#[cold]
fn json_error<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Error {
    let not_json =
        |error: &serde_json::Error| Error::bad_request(format!("the body is not JSON: {error}"));
    // The body is read without a type to learn whether it is JSON. The error does not tell, because a mismatch may
    // come before the position where the body stops being JSON, and because serde_json reports an invalid name of a
    // map as an error of syntax.
    match serde_json::from_slice::<IgnoredAny>(bytes) {
        Ok(_) if is_invalid_in_any_type(error) => return not_json(error),
        Ok(_) => {}
        Err(_) if bytes.iter().all(u8::is_ascii_whitespace) => {
            return Error::bad_request("the body is empty; JSON was expected");
        }
        Err(error) => return not_json(&error),
    }
    let mut errors = body_errors::<T>(bytes);
    if errors.is_empty() {
        errors.push((String::new(), to_json_terms(without_line(error))));
    }
    mismatch_error(bytes, errors)
}

/// The detail of 422.
const MISMATCH: &str = "the body does not match its schema";

/// Returns 422 with the errors of a body.
fn mismatch_error(bytes: &[u8], errors: Vec<BodyError>) -> Error {
    let error = Error::unprocessable(MISMATCH);
    let field_errors =
        errors.into_iter().map(|(pointer, message)| FieldError::at(pointer, message));
    error.with_field_errors(max_field_errors(bytes.len()), field_errors)
}

/// Returns whether `error` is about invalid Unicode or too many levels, which serde_json does not check in values that
/// are read without a type.
fn is_invalid_in_any_type(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    let reasons = [
        "lone leading surrogate",
        "unexpected end of hex escape",
        "invalid unicode code point",
        "recursion limit exceeded",
    ];
    error.is_syntax() && reasons.iter().any(|reason| text.starts_with(reason))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use http::header;
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Company {
        name: String,
        partners: Vec<Partner>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Partner {
        #[serde(rename = "a/b")]
        share: u8,
    }

    fn rejected(body: &str) -> Error {
        parse_json::<Company>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn an_invalid_value_is_named_by_its_pointer() {
        let error = rejected(r#"{"name":"x","partners":[{"a/b":1},{"a/b":"much"}]}"#);
        assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(error.field_errors()[0].pointer.as_deref(), Some("#/partners/1/a~1b"));
        assert_eq!(
            error.field_errors()[0].detail,
            r#"invalid type: the string "much", expected a whole number from 0 to 255"#
        );
    }

    #[test]
    fn a_body_that_is_not_json_is_400_and_a_missing_member_is_422() {
        assert_eq!(rejected("{").status(), StatusCode::BAD_REQUEST);
        assert_eq!(rejected(r#"{"name":7,"#).status(), StatusCode::BAD_REQUEST);
        assert_eq!(rejected("").detail(), Some("the body is empty; JSON was expected"));
        let missing = rejected(r#"{"name":"x"}"#);
        assert_eq!(missing.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(missing.field_errors()[0].detail, "missing field `partners`");
        assert_eq!(missing.field_errors()[0].pointer.as_deref(), Some("#/partners"));
    }

    /// Returns the sorted pointers of the errors of `body`, which is JSON.
    fn pointers<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> Vec<String> {
        let error = parse_json::<T>(body.as_bytes()).unwrap_err();
        assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY, "{body}: {error:?}");
        let mut places: Vec<String> =
            error.field_errors().iter().filter_map(|error| error.pointer.clone()).collect();
        places.sort();
        places
    }

    #[derive(Debug, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        Red,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Maps {
        #[serde(default)]
        map: HashMap<u32, u8>,
        #[serde(default)]
        list: Vec<BTreeMap<i64, Option<HashMap<u8, String>>>>,
        #[serde(default)]
        flags: BTreeMap<bool, u8>,
        #[serde(default)]
        colors: BTreeMap<Color, u8>,
        #[serde(default)]
        days: BTreeMap<crate::convert::Date, u8>,
        #[serde(default)]
        large: BTreeMap<u128, u8>,
    }

    #[test]
    fn an_invalid_map_key_is_named_by_its_pointer() {
        for (body, wanted) in [
            (r#"{"map":{"x":1}}"#, &["#/map/x"][..]),
            (
                r#"{"map":{"1":1,"2x":2,"-":3,"":4,"-1":5,"1.5":6,"4294967296":7,"01":8,"1e400":9}}"#,
                &[
                    "#/map/",
                    "#/map/-",
                    "#/map/-1",
                    "#/map/01",
                    "#/map/1.5",
                    "#/map/1e400",
                    "#/map/2x",
                    "#/map/4294967296",
                ],
            ),
            ("{\n \"map\" : {\n \"1\": 1, \"a/b\" : 2\n}\n}", &["#/map/a~1b"]),
            (r#"{"map":{"x":"y"}}"#, &["#/map/x"]),
            (r#"{"flags":{"a\"b":1,"b":1}}"#, &["#/flags/a\"b", "#/flags/b"]),
            (r#"{"map":{"a\"b":1,"b":1}}"#, &["#/map/a\"b", "#/map/b"]),
            (
                r#"{"list":[{"1":null},{"é":null,"-9223372036854775809":null,"2":{"256":"x","y":"z"}}]}"#,
                &["#/list/1/-9223372036854775809", "#/list/1/2/256", "#/list/1/2/y", "#/list/1/é"],
            ),
            (
                r#"{"flags":{"true":1,"yes":1,"tru":2,"FALSE":3}}"#,
                &["#/flags/FALSE", "#/flags/tru", "#/flags/yes"],
            ),
            (r#"{"colors":{"red":1,"blue":2}}"#, &["#/colors/blue"]),
            (r#"{"days":{"2026-01-01":1,"2026-02-30":2}}"#, &["#/days/2026-02-30"]),
            (
                r#"{"large":{"340282366920938463463374607431768211456":1,"x":2}}"#,
                &["#/large/340282366920938463463374607431768211456", "#/large/x"],
            ),
            (
                r#"{"map":{"x":1},"flags":{"x":1},"colors":7}"#,
                &["#/colors", "#/flags/x", "#/map/x"],
            ),
        ] {
            assert_eq!(pointers::<Maps>(body), wanted, "{body}");
        }
        assert_eq!(pointers::<HashMap<u32, u8>>(r#"{"x":1}"#), ["#/x"]);
        let not_json = parse_json::<Maps>(br#"{"map":{"x":1}"#).unwrap_err();
        assert_eq!(not_json.status(), StatusCode::BAD_REQUEST);
        let read = parse_json::<Maps>(br#"{"map":{"1":1},"flags":{"true":1}}"#).unwrap();
        assert_eq!(read.map[&1], 1);
    }

    /// Returns the pointer and the message of the first error of `body`, which is JSON.
    fn first_error<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> (String, String) {
        let error = parse_json::<T>(body.as_bytes()).unwrap_err();
        assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY, "{body}: {error:?}");
        let first = &error.field_errors()[0];
        (first.pointer.clone().unwrap_or_default(), first.detail.clone())
    }

    #[test]
    fn an_invalid_map_key_is_named_regardless_of_the_rest_of_the_body() {
        let no_number = "the name is not a number";
        for (body, pointer, message) in [
            (r#"{"map":{"a":1},"share":1e400}"#, "#/map/a", no_number),
            (r#"{"map":{"a":1},"x":"\ud800"}"#, "#/map/a", no_number),
            (r#"{"share":1e400,"list":[{},{"1":null,"-":{"2":"x"}}]}"#, "#/list/1/-", no_number),
            (
                "{\"x\":[-1e400,{\"y\":[]}],\n\"map\" : {\"1\":2,\n\"2\\\"\" : 3}}",
                "#/map/2\"",
                no_number,
            ),
            (r#"{"flags":{"yes":1}}"#, "#/flags/yes", "the name is not `true` or `false`"),
            (r#"{"flags":{"true":1,"n":1}}"#, "#/flags/n", "the name is not `true` or `false`"),
            (r#"{"flags":{"":1}}"#, "#/flags/", "the name is not `true` or `false`"),
            (
                r#"{"flags":{"yes":1},"x":1e400}"#,
                "#/flags/yes",
                "the name is not `true` or `false`",
            ),
        ] {
            assert_eq!(first_error::<Maps>(body), (pointer.into(), message.into()), "{body}");
        }
        let error = parse_json::<Maps>(br#"{"flags":{"":1,"true":2,"no":3}}"#).unwrap_err();
        let places: Vec<_> =
            error.field_errors().iter().filter_map(|error| error.pointer.as_deref()).collect();
        assert_eq!(places, ["#/flags/", "#/flags/no"]);
    }

    #[test]
    fn a_syntax_error_is_reported_with_its_own_position() {
        for (body, reason) in [
            (&br#"{"map":{"a":1} oops"#[..], "expected `,` or `}` at line 1 column 16"),
            (br#"{"map":{"a":1},"x":}"#, "expected value at line 1 column 20"),
            (br#"{"flags":{"yes":1}"#, "EOF while parsing an object"),
            (br#"{"x":1e400,"map":{"a":1}"#, "EOF while parsing an object"),
        ] {
            let error = parse_json::<Maps>(body).unwrap_err();
            assert_eq!(error.status(), StatusCode::BAD_REQUEST);
            let detail = error.detail().unwrap_or_default();
            assert!(detail.contains(reason), "{detail}");
        }
        for body in
            [&br#"{"name":"\ud800","partners":[]}"#[..], b"{\"name\":\"\xff\",\"partners\":[]}"]
        {
            let error = parse_json::<Company>(body).unwrap_err();
            assert_eq!(error.status(), StatusCode::BAD_REQUEST, "{error:?}");
        }
        let deep = parse_json::<Value>(&[[b'['; 200], [b']'; 200]].concat()).unwrap_err();
        assert_eq!(deep.status(), StatusCode::BAD_REQUEST);
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Singles {
        one: Option<f32>,
        list: Vec<f32>,
        by_name: BTreeMap<String, f32>,
        pair: (f32, f64),
        kind: Single,
        wide: Option<f64>,
        text: String,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    enum Single {
        #[default]
        None,
        Newtype(f32),
        Struct {
            x: f32,
        },
        Tuple(u8, f32),
    }

    #[test]
    fn an_f32_is_finite() {
        for (body, pointer) in [
            (r#"{"one":1e39}"#.to_owned(), "#/one"),
            (r#"{"one":-1E+39}"#.into(), "#/one"),
            (r#"{"one":3.5e38}"#.into(), "#/one"),
            (format!(r#"{{"one":{}}}"#, "9".repeat(39)), "#/one"),
            (format!(r#"{{"one":-{}.5}}"#, "9".repeat(60)), "#/one"),
            (format!(r#"{{"one":{}e9}}"#, "9".repeat(30)), "#/one"),
            (r#"{"list":[1,1e39]}"#.into(), "#/list/1"),
            (r#"{"by_name":{"a/b":1e39}}"#.into(), "#/by_name/a~1b"),
            (r#"{"pair":[1e39,1e39]}"#.into(), "#/pair/0"),
            (r#"{"kind":{"Newtype":1e39}}"#.into(), "#/kind/Newtype"),
            (r#"{"kind":{"Struct":{"x":1e39}}}"#.into(), "#/kind/Struct/x"),
            (r#"{"kind":{"Tuple":[1,1e39]}}"#.into(), "#/kind/Tuple/1"),
        ] {
            let wanted = (pointer.to_owned(), "the number is out of range".to_owned());
            assert_eq!(first_error::<Singles>(&body), wanted, "{body}");
        }
        let mut all = pointers::<Singles>(r#"{"one":1e39,"text":7,"by_name":{"x":1e39}}"#);
        all.sort();
        assert_eq!(all, ["#/by_name/x", "#/one", "#/text"]);
        let body = r#"{"one":3.4e38,"wide":1e300,"text":"1e39","pair":[1,1e39],"list":[1e-50]}"#;
        let read = parse_json::<Singles>(body.as_bytes()).unwrap();
        assert_eq!((read.one, read.wide, &*read.text), (Some(3.4e38), Some(1e300), "1e39"));
        assert_eq!(parse_json::<Vec<f32>>(b"[1e39]").unwrap_err().field_errors().len(), 1);
        assert!(parse_json::<Value>(b"[1e39]").is_ok());
    }

    #[test]
    fn a_private_name_of_serde_json_is_rejected() {
        for body in [
            r#"{"$serde_json::private::RawValue":"{\"type\":\"test\"}"}"#,
            r#"[{"a":{"\u0024serde_json::private::RawValue":"1"}}]"#,
            r#"{"$serde_json::private::RawValue":"oops"}"#,
        ] {
            let error = parse_json::<Value>(body.as_bytes()).unwrap_err();
            assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY, "{body}: {error:?}");
        }
        assert!(parse_json::<Value>(br#"{"$ref":"$serde_json::private::RawValue"}"#).is_ok());
    }

    #[test]
    fn a_number_out_of_range_is_named_by_its_pointer() {
        let error = rejected(r#"{"name":"x","partners":[{"a/b":1e400}]}"#);
        assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(error.field_errors()[0].pointer.as_deref(), Some("#/partners/0/a~1b"));
        assert_eq!(error.field_errors()[0].detail, "the number is out of range");
        let error = rejected(r#"{"name":"x","partners":[{"a/b":1e400}"#);
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_list_is_read_as_a_list_and_not_as_an_object() {
        let error = rejected(r#" ["x", []]"#);
        assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(error.field_errors()[0].detail, "invalid type: a list, expected an object");
        assert_eq!(parse_json::<Vec<u8>>(b"[1, 2]").unwrap(), [1, 2]);
        assert_eq!(parse_json::<(u8, String)>(br#"[1, "x"]"#).unwrap(), (1, "x".into()));
    }

    #[test]
    fn json_is_recognised_by_its_media_type() {
        for (value, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/merge-patch+json", true),
            ("text/json", false),
            ("application/jsonx", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            assert_eq!(is_json(&headers), expected, "{value}");
        }
    }
}
