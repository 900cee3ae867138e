//! What is sent and what comes back. What ASHIRT leaves out, or sends as `null`, is empty here; what it adds
//! in later versions is ignored.

use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::Error;
use super::multipart::{File, Form};

/// A collection of evidence.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Operation {
    /// By which it is named in paths.
    pub slug: String,
    /// By which people know it.
    pub name: String,
    /// How many users take part.
    pub num_users: i64,
    /// How many pieces of evidence it has.
    pub num_evidence: i64,
    /// How many tags it has.
    pub num_tags: i64,
    /// Whether the user of the keys has marked it.
    pub favorite: bool,
    /// Who contributed most.
    pub top_contribs: Vec<Contributor>,
    /// How many pieces of each kind it has.
    pub evidence_count: EvidenceCount,
}

/// Somebody who contributed to an operation.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
#[non_exhaustive]
pub struct Contributor {
    /// The user's slug.
    pub slug: String,
    /// How many pieces of evidence are theirs.
    pub count: i64,
}

/// How many pieces of evidence there are of each kind.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "these are ASHIRT's names")]
#[non_exhaustive]
pub struct EvidenceCount {
    /// Of `image`.
    pub image_count: i64,
    /// Of `codeblock`.
    pub codeblock_count: i64,
    /// Of `terminal-recording`.
    pub recording_count: i64,
    /// Of `event`.
    pub event_count: i64,
    /// Of `http-request-cycle`.
    pub har_count: i64,
}

/// A piece of evidence, without its content.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Evidence {
    /// By which it is named in paths; any text.
    pub uuid: String,
    /// The notes of whoever collected it.
    pub description: String,
    /// When it was collected, RFC 3339.
    pub occurred_at: String,
    /// When it was collected, as somebody corrected it, RFC 3339.
    pub adjusted_at: Option<String>,
    /// Who collected it.
    pub operator: Operator,
    /// Its tags; none in the answer to its creation.
    pub tags: Vec<Tag>,
    /// Such as `image`; empty in the answer to its creation.
    pub content_type: String,
}

/// Who collected a piece of evidence.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Operator {
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// The user's slug.
    pub slug: String,
}

/// A tag of an operation.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Tag {
    /// By which evidence refers to it.
    pub id: i64,
    /// Its text.
    pub name: String,
    /// The name of its colour, such as `lightRed`.
    pub color_name: String,
    /// What it is for.
    pub description: Option<String>,
    /// How much evidence has it; zero where ASHIRT does not say.
    pub evidence_count: i64,
}

/// An operation to be made.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NewOperation {
    /// The backend writes it in lower case, and `-` for all but letters and digits.
    pub slug: String,
    /// By which people will know it.
    pub name: String,
}

/// A tag to be made.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewTag {
    /// Its text.
    pub name: String,
    /// The name of its colour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_name: Option<String>,
    /// What it is for; backends of 2024 ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Evidence to be made. **The backend tells all its workers about it, the one that made it too.**
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewEvidence {
    /// What it is.
    pub notes: String,
    /// Such as `codeblock`; `image` if it is not said.
    pub content_type: Option<String>,
    /// The ids of its tags.
    pub tag_ids: Vec<i64>,
    /// Its content.
    pub file: Option<File>,
    /// When it was collected; now if it is not said.
    pub occurred_at: Option<SystemTime>,
    /// A corrected time, RFC 3339; backends of 2024 ignore it.
    pub adjusted_at: Option<String>,
}

/// What to change of evidence; what is not said stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvidenceChange {
    /// New notes.
    pub notes: Option<String>,
    /// The backend takes it and ignores it.
    pub content_type: Option<String>,
    /// The ids of tags that it gets.
    pub tags_to_add: Vec<i64>,
    /// The ids of tags that it loses.
    pub tags_to_remove: Vec<i64>,
    /// New content, for `http-request-cycle`, `codeblock` and `terminal-recording` only.
    pub file: Option<File>,
    /// A corrected time, RFC 3339; backends of 2024 ignore it.
    pub adjusted_at: Option<String>,
}

impl NewEvidence {
    pub(super) fn form(&self) -> Result<Form, Error> {
        let occurred_at = self.occurred_at.map(nanoseconds).transpose()?;
        Form::new()?
            .field("notes", Some(&self.notes))
            .field("contentType", self.content_type.as_deref())
            .field("tagIds", ids(&self.tag_ids).as_deref())
            .field("occurred_at", occurred_at.as_deref())
            .field("adjusted_at", self.adjusted_at.as_deref())
            .file("file", self.file.as_ref())
    }
}

impl EvidenceChange {
    pub(super) fn form(&self) -> Result<Form, Error> {
        Form::new()?
            .field("notes", self.notes.as_deref())
            .field("contentType", self.content_type.as_deref())
            .field("tagsToAdd", ids(&self.tags_to_add).as_deref())
            .field("tagsToRemove", ids(&self.tags_to_remove).as_deref())
            .field("adjusted_at", self.adjusted_at.as_deref())
            .file("file", self.file.as_ref())
    }
}

/// Nanoseconds since 1970, which is how the backend reads the time of new evidence.
fn nanoseconds(time: SystemTime) -> Result<String, Error> {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|error| Error::invalid("evidence was not collected before 1970").because(error))?;
    // The backend has 63 bits for it.
    if since > Duration::from_nanos(i64::MAX.cast_unsigned()) {
        return Err(Error::invalid("evidence was not collected after 2262"));
    }
    Ok(since.as_nanos().to_string())
}

/// A list of ids as forms have it.
fn ids(ids: &[i64]) -> Option<String> {
    (!ids.is_empty()).then(|| Value::from(ids).to_string())
}

/// Reads an answer; `null` is as good as absent, everywhere.
pub(super) fn read<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    let mut value: Value = serde_json::from_slice(json)?;
    remove_nulls(&mut value);
    serde_json::from_value(value)
}

/// As [`read`], for a list, which may be `null` itself.
pub(super) fn read_list<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<Vec<T>> {
    read::<Option<Vec<T>>>(json).map(Option::unwrap_or_default)
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ashirt_leaves_out_or_adds_is_no_error() {
        let evidence: Evidence =
            read(br#"{"uuid":"u","tags":null,"operator":{"slug":null},"new":{"x":[null,1]}}"#)
                .unwrap();
        assert_eq!(evidence, Evidence { uuid: "u".to_owned(), ..Evidence::default() });
        let operation: Operation =
            read(br#"{"slug":"op","topContribs":null,"evidenceCount":{"harCount":3}}"#).unwrap();
        assert_eq!((operation.slug.as_str(), operation.evidence_count.har_count), ("op", 3));
        assert!(read_list::<Tag>(b"null").unwrap().is_empty());
        assert!(read_list::<Tag>(br#"{"error":"Not Found"}"#).is_err());
        assert!(read::<Tag>(br#"{"id":"one"}"#).is_err());
    }

    #[test]
    fn times_are_nanoseconds() {
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_708_105_805, 7);
        assert_eq!(nanoseconds(time).unwrap(), "1708105805000000007");
        assert!(nanoseconds(SystemTime::UNIX_EPOCH - Duration::from_secs(1)).is_err());
        assert!(nanoseconds(SystemTime::UNIX_EPOCH + Duration::from_secs(10_000_000_000)).is_err());
    }
}
