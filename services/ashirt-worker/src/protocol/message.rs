//! Messages from ASHIRT to its workers.

use std::collections::BTreeMap;

use piton::serde_json::{self, value::RawValue};
use serde::Deserialize;

/// Members of an object, unparsed, so that values which nobody reads cannot fail: numbers too large
/// for a float, and names that serde_json reserves.
type Members = BTreeMap<String, Box<RawValue>>;

/// Content types that ASHIRT's own pages know. The backend does not check them and stores others as
/// well.
pub mod content_type {
    /// A HAR file: requests of a browser or a proxy, with their responses.
    pub const HTTP_REQUEST_CYCLE: &str = "http-request-cycle";
    /// A recording of a terminal, by asciinema.
    pub const TERMINAL_RECORDING: &str = "terminal-recording";
    /// A piece of source code, in JSON.
    pub const CODEBLOCK: &str = "codeblock";
    /// An event: a moment, without a file.
    pub const EVENT: &str = "event";
    /// A picture.
    pub const IMAGE: &str = "image";
    /// A note without a file.
    pub const NONE: &str = "none";
}

/// Maximum length of names in bytes. ASHIRT's columns hold 255 characters, of at most four bytes
/// each.
const MAX_NAME_BYTES: usize = 1024;

/// A message from ASHIRT.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// An administrator tests the connection to the worker.
    Test,
    /// Evidence was collected, or is to be processed again.
    EvidenceCreated(EvidenceCreated),
    /// Evidence without a valid content type, and the reason: it is missing, empty or not text.
    Untyped(String),
    /// A message of a type that no known ASHIRT sends.
    Unknown(String),
}

/// A piece of evidence that is to be processed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EvidenceCreated {
    /// Identifier of the evidence: usually a UUID, but any text is allowed.
    pub evidence_uuid: String,
    /// Slug of its operation.
    pub operation_slug: String,
    /// Content type: see [`content_type`].
    pub content_type: String,
    /// Global variables of this ASHIRT. Versions before November 2023 send none.
    pub global_variables: Vec<GlobalVariable>,
    /// Variables of the operation.
    pub operation_variables: Vec<OperationVariable>,
}

/// A global variable of ASHIRT.
#[derive(Debug, PartialEq, Eq)]
pub struct GlobalVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A variable of one operation.
#[derive(Debug, PartialEq, Eq)]
pub struct OperationVariable {
    /// Slug of the operation.
    pub operation_slug: String,
    /// Identifier of the variable in URLs.
    pub var_slug: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Message {
    /// Parses a message: JSON in UTF-8, in which the last of several equal keys counts. Unknown
    /// members may have any shape.
    ///
    /// # Errors
    /// A description for the administrator of ASHIRT: the message is not a JSON object, it has no
    /// `type`, or evidence lacks its identifier or its operation.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let no_json = |error| format!("the message is not JSON: {error}");
        let message: &RawValue = serde_json::from_slice(body).map_err(no_json)?;
        if !message.get().starts_with('{') {
            return Err(format!("the message is {}, expected an object", kind(message)));
        }
        let mut message: Members = serde_json::from_str(message.get()).map_err(no_json)?;
        let mut faults = Vec::new();
        let message = match take_text(&mut message, "type", &mut faults).as_deref() {
            Some("test") => Self::Test,
            Some("evidence_created") => evidence(&mut message, &mut faults),
            Some(other) => Self::Unknown(other.to_owned()),
            None => Self::Test,
        };
        if faults.is_empty() { Ok(message) } else { Err(faults.join("; ")) }
    }
}

/// Parses evidence. An invalid content type is not an error of the message but rejects the
/// evidence, as an unknown content type does, because trying again would not help.
fn evidence(message: &mut Members, faults: &mut Vec<String>) -> Message {
    let mut text = |name| take_text(message, name, faults).unwrap_or_default();
    let (evidence_uuid, operation_slug) = (text("evidenceUuid"), text("operationSlug"));
    let mut untyped = Vec::new();
    let content_type = take_text(message, "contentType", &mut untyped).unwrap_or_default();
    if let Some(why) = untyped.pop() {
        if faults.is_empty() {
            return Message::Untyped(why);
        }
        faults.push(why);
    }
    Message::EvidenceCreated(EvidenceCreated {
        evidence_uuid,
        operation_slug,
        content_type,
        global_variables: variables(message.remove("globalVariables"), |fields| {
            Some(GlobalVariable { name: fields("name")?, value: fields("value")? })
        }),
        operation_variables: variables(message.remove("operationVariables"), |fields| {
            Some(OperationVariable {
                operation_slug: fields("operationSlug")?,
                var_slug: fields("varSlug")?,
                name: fields("name")?,
                value: fields("value")?,
            })
        }),
    })
}

fn take_text(message: &mut Members, name: &str, faults: &mut Vec<String>) -> Option<String> {
    let why = match message.remove(name).map(|value| (read::<String>(&value), value)) {
        Some((Some(text), _)) if text.trim().is_empty() => "is empty".to_owned(),
        Some((Some(text), _)) if text.len() > MAX_NAME_BYTES => {
            format!("is longer than {MAX_NAME_BYTES} bytes")
        }
        Some((Some(text), _)) => return Some(text),
        Some((None, value)) if kind(&value) == "text" => "has half a character".to_owned(),
        Some((None, value)) => format!("is {}, expected text", kind(&value)),
        None => "is missing".to_owned(),
    };
    faults.push(format!("`{name}` of the message {why}"));
    None
}

/// Parses the variables that are valid and skips the others, so that no evidence fails because of a
/// variable.
fn variables<T>(
    list: Option<Box<RawValue>>,
    make: impl Fn(&mut dyn FnMut(&str) -> Option<String>) -> Option<T>,
) -> Vec<T> {
    let list = list.and_then(|list| read::<Vec<Box<RawValue>>>(&list)).unwrap_or_default();
    let make = |item: Box<RawValue>| {
        let mut fields: Members = read(&item)?;
        make(&mut |name| read(&fields.remove(name)?))
    };
    list.into_iter().filter_map(make).collect()
}

/// Returns `None` if `value` is not a valid `T`.
fn read<'de, T: Deserialize<'de>>(value: &'de RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

fn kind(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "a boolean",
        Some(b'"') => "text",
        Some(b'[') => "a list",
        Some(b'{') => "an object",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as Go's encoder writes it.
    const EVIDENCE: &str = r#"{"type":"evidence_created","evidenceUuid":"u-1","operationSlug":"op","contentType":"image","globalVariables":[{"name":"g\u003c\u0026\u003e","value":"é\u2028"}],"operationVariables":[{"operationSlug":"op","varSlug":"v","name":"n","value":""}]}"#;

    fn evidence_of(text: &str) -> EvidenceCreated {
        match Message::parse(text.as_bytes()) {
            Ok(Message::EvidenceCreated(evidence)) => evidence,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_test_is_the_sixteen_bytes_that_ashirt_sends() {
        assert_eq!(Message::parse(br#"{"type": "test"}"#), Ok(Message::Test));
    }

    #[test]
    fn evidence_is_read_with_its_variables() {
        let evidence = evidence_of(EVIDENCE);
        assert_eq!(evidence.evidence_uuid, "u-1");
        assert_eq!((&*evidence.operation_slug, &*evidence.content_type), ("op", "image"));
        assert_eq!(evidence.global_variables[0].name, "g<&>");
        assert_eq!(evidence.global_variables[0].value, "é\u{2028}");
        assert_eq!(evidence.operation_variables[0].var_slug, "v");
    }

    #[test]
    fn variables_may_be_null_absent_or_of_any_shape() {
        let with = |variables: &str| {
            format!(
                r#"{{"type":"evidence_created","evidenceUuid":"u","operationSlug":"o","contentType":"none"{variables}}}"#
            )
        };
        for variables in [
            "",
            r#","globalVariables":null,"operationVariables":null"#,
            r#","globalVariables":5,"operationVariables":{"a":1}"#,
            r#","globalVariables":[1,{"name":2}],"extra":[[]],"contentType":"none""#,
        ] {
            let evidence = evidence_of(&with(variables));
            assert!(evidence.global_variables.is_empty(), "{variables}");
        }
        let some = r#","globalVariables":[7,{"name":"a","value":"b","more":1}]"#;
        assert_eq!(evidence_of(&with(some)).global_variables.len(), 1);
    }

    #[test]
    fn the_last_of_equal_keys_counts_and_a_byte_order_mark_does_no_harm() {
        let text = "\u{feff}{\"type\":\"x\",\"type\":\"test\"}";
        assert_eq!(Message::parse(text.as_bytes()), Ok(Message::Test));
    }

    #[test]
    fn what_nobody_reads_may_be_of_any_shape() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for more in [
            "1e400",
            r#"[1e400,{"a":-1e999}]"#,
            r#""\ud800""#,
            &deep,
            r#"{"$serde_json::private::RawValue":"oops"}"#,
        ] {
            let text = format!(r#"{{"type":"test","more":{more}}}"#);
            assert_eq!(Message::parse(text.as_bytes()), Ok(Message::Test), "{more:.60}");
            let variables =
                format!(r#""globalVariables":[{more},{{"name":"a","value":"b","more":{more}}}]"#);
            let names = r#""evidenceUuid":"u","operationSlug":"o","contentType":"none""#;
            let text = format!(r#"{{"type":"evidence_created",{names},{variables}}}"#);
            let evidence = evidence_of(&text);
            assert_eq!(evidence.global_variables.len(), 1, "{more:.60}");
        }
    }

    #[test]
    fn a_mark_of_serde_json_is_a_name_as_any_other() {
        let mark = |text: &str| format!(r#"{{"$serde_json::private::RawValue":{text:?}}}"#);
        let refused = Message::parse(mark(r#"{"type":"test"}"#).as_bytes()).unwrap_err();
        assert_eq!(refused, "`type` of the message is missing");
        let refused = Message::parse(format!(r#"{{"type":{}}}"#, mark("\"test\"")).as_bytes());
        assert_eq!(refused.unwrap_err(), "`type` of the message is an object, expected text");
        let refused = Message::parse(br#"{"type":1e400}"#).unwrap_err();
        assert_eq!(refused, "`type` of the message is a number, expected text");
        let refused = Message::parse(br#"{"type":"\ud800"}"#).unwrap_err();
        assert_eq!(refused, "`type` of the message has half a character");
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let text = r#"{"type":"evidence_created","operationSlug":7,"contentType":["image"]}"#;
        let why = Message::parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            why,
            "`evidenceUuid` of the message is missing; `operationSlug` of the message is a number, \
             expected text; `contentType` of the message is a list, expected text"
        );
    }

    #[test]
    fn evidence_without_a_content_type_is_no_error_of_the_message() {
        for (content_type, why) in [
            ("", "is missing"),
            (r#","contentType":"""#, "is empty"),
            (r#","contentType":" \t""#, "is empty"),
            (r#","contentType":null"#, "is null"),
            (r#","contentType":7"#, "is a number"),
            (r#","contentType":false"#, "is a boolean"),
            (r#","contentType":["image"]"#, "is a list"),
            (r#","contentType":{"a":1}"#, "is an object"),
        ] {
            let text = format!(
                r#"{{"type":"evidence_created","evidenceUuid":"u","operationSlug":"o"{content_type}}}"#
            );
            match Message::parse(text.as_bytes()) {
                Ok(Message::Untyped(found)) => {
                    assert!(found.contains("`contentType`") && found.contains(why), "{found}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_message_is_refused_in_words() {
        let deep = "[".repeat(100_000);
        for (text, why) in [
            ("", "not JSON"),
            ("<html>", "not JSON"),
            ("{\"type\": NaN}", "not JSON"),
            (&*deep, "not JSON"),
            ("null", "is null, expected an object"),
            ("[]", "is a list, expected an object"),
            ("\"test\"", "is text, expected an object"),
            ("5", "is a number, expected an object"),
            ("true", "is a boolean, expected an object"),
            ("{}", "`type` of the message is missing"),
            (r#"{"type":null}"#, "`type` of the message is null"),
            (&*format!(r#"{{"type":"{}"}}"#, "x".repeat(2000)), "`type` of the message is longer"),
            (r#"{"type":["test"]}"#, "`type` of the message is a list"),
        ] {
            let refused = Message::parse(text.as_bytes()).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        assert!(Message::parse(b"\xff\xfe").unwrap_err().contains("not JSON"));
        let unknown = Message::parse(br#"{"type":"evidence_deleted"}"#);
        assert_eq!(unknown, Ok(Message::Unknown("evidence_deleted".into())));
    }
}
