//! Types of requests and responses. Members that ASHIRT omits, or sends as `null`, are empty here;
//! unknown members are ignored.

use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::Error;
use super::multipart::{File, Form};

/// An operation: a collection of evidence.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Operation {
    /// Identifier in paths.
    pub slug: String,
    /// Display name.
    pub name: String,
    /// Number of users.
    pub num_users: i64,
    /// Number of pieces of evidence.
    pub num_evidence: i64,
    /// Number of tags.
    pub num_tags: i64,
    /// Set if the user of the keys has marked it as favourite.
    pub favorite: bool,
    /// Users with the most contributions.
    pub top_contribs: Vec<Contributor>,
    /// Number of pieces of evidence by kind.
    pub evidence_count: EvidenceCount,
}

/// A user who contributed to an operation.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
#[non_exhaustive]
pub struct Contributor {
    /// The user's slug.
    pub slug: String,
    /// Number of pieces of evidence.
    pub count: i64,
}

/// Number of pieces of evidence by kind.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "these are ASHIRT's names")]
#[non_exhaustive]
pub struct EvidenceCount {
    /// Number of `image`.
    pub image_count: i64,
    /// Number of `codeblock`.
    pub codeblock_count: i64,
    /// Number of `terminal-recording`.
    pub recording_count: i64,
    /// Number of `event`.
    pub event_count: i64,
    /// Number of `http-request-cycle`.
    pub har_count: i64,
}

/// A piece of evidence, without its content.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Evidence {
    /// Identifier in paths: any text.
    pub uuid: String,
    /// Notes of the user who collected it.
    pub description: String,
    /// Time of collection, RFC 3339.
    pub occurred_at: String,
    /// Time of collection as corrected by a user, RFC 3339.
    pub adjusted_at: Option<String>,
    /// User who collected it.
    pub operator: Operator,
    /// Tags. Empty in the response to its creation.
    pub tags: Vec<Tag>,
    /// Content type, such as `image`. Empty in the response to its creation.
    pub content_type: String,
}

/// The user who collected a piece of evidence.
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
    /// Identifier by which evidence refers to the tag.
    pub id: i64,
    /// Its text.
    pub name: String,
    /// The name of its colour, such as `lightRed`.
    pub color_name: String,
    /// Purpose of the tag.
    pub description: Option<String>,
    /// Number of pieces of evidence with the tag. Zero where ASHIRT does not report it.
    pub evidence_count: i64,
}

/// An operation to create.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NewOperation {
    /// Requested identifier. The backend converts it to lower case, and everything but letters and
    /// digits to `-`.
    pub slug: String,
    /// Display name.
    pub name: String,
}

/// A tag to create.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewTag {
    /// Its text.
    pub name: String,
    /// The name of its colour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_name: Option<String>,
    /// Purpose of the tag. Backends of 2024 ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Evidence to create. **The backend notifies all its workers, including the one that creates it.**
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewEvidence {
    /// Description of the evidence.
    pub notes: String,
    /// Content type, such as `codeblock`. `None` means `image`.
    pub content_type: Option<String>,
    /// Ids of its tags.
    pub tag_ids: Vec<i64>,
    /// Content of the evidence.
    pub file: Option<File>,
    /// Time of collection. `None` means now.
    pub occurred_at: Option<SystemTime>,
    /// Corrected time, RFC 3339. Backends of 2024 ignore it.
    pub adjusted_at: Option<String>,
}

/// Changes to evidence. What is `None` or empty stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvidenceChange {
    /// New description.
    pub notes: Option<String>,
    /// Content type. The backend accepts and ignores it.
    pub content_type: Option<String>,
    /// Ids of tags to add.
    pub tags_to_add: Vec<i64>,
    /// Ids of tags to remove.
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

/// Formats a time as nanoseconds since 1970, the format in which the backend reads it.
fn nanoseconds(time: SystemTime) -> Result<String, Error> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|error| {
        Error::invalid("the time of evidence is before 1970").with_source(error)
    })?;
    // Rejected instead of wrapped around, because the backend has 63 bits for it.
    if since > Duration::from_nanos(i64::MAX.cast_unsigned()) {
        return Err(Error::invalid("the time of evidence is after 2262"));
    }
    Ok(since.as_nanos().to_string())
}

/// Formats a list of ids for a form. Returns `None` for an empty list.
fn ids(ids: &[i64]) -> Option<String> {
    (!ids.is_empty()).then(|| Value::from(ids).to_string())
}

/// Parses a response. `null` is treated as absent everywhere.
pub(super) fn read<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    let mut value: Value = serde_json::from_slice(json)?;
    remove_nulls(&mut value);
    serde_json::from_value(value)
}

/// Parses a response that is a list, or `null`.
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
