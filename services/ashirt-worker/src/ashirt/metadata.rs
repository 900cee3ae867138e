//! What a worker found in a piece of evidence, as far as ASHIRT can hold it.

use serde::Serialize;

use super::error::Error;
use super::storable_text::storable;

/// How far a worker is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Status {
    /// It will look at the evidence later.
    Queued,
    /// It is looking.
    Processing,
    /// It has looked.
    Completed,
    /// It could not.
    Error,
}

/// What a worker found in a piece of evidence.
///
/// The first of a source has no status: the backend stores it from the second on. One that was told of the
/// evidence by an event has no first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The name that the worker has *in ASHIRT*; another name makes a second entry beside the worker's.
    pub source: String,
    /// What was found; [`storable`] makes it fit.
    pub body: String,
    /// How far the worker is.
    pub status: Status,
    /// Why, for people.
    pub message: Option<String>,
    /// Whether the worker can do anything with evidence like this.
    pub can_process: Option<bool>,
}

impl Metadata {
    /// The backend checks none of it, and loses what it cannot store.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.source.trim().is_empty() || self.source.chars().count() > 255 {
            return Err(Error::invalid(
                "the source of metadata is the worker's name in ashirt: 1 to 255 characters",
            ));
        }
        let message = self.message.as_deref().unwrap_or_default();
        if [&*self.source, &*self.body, message].into_iter().any(|text| storable(text) != text) {
            return Err(Error::invalid(
                "ashirt stores texts of at most 65535 bytes, without characters from U+10000 on, and those that are not \
                 seen mislead its readers: `storable` makes it fit",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(source: &str, body: &str) -> Metadata {
        Metadata {
            source: source.to_owned(),
            body: body.to_owned(),
            status: Status::Completed,
            message: None,
            can_process: Some(true),
        }
    }

    #[test]
    fn metadata_is_written_as_in_the_recorded_vector() {
        let body = serde_json::to_string(&metadata("ocr", "héllo")).unwrap();
        assert_eq!(
            body,
            r#"{"source":"ocr","body":"héllo","status":"Completed","message":null,"canProcess":true}"#
        );
    }

    #[test]
    fn metadata_that_ashirt_would_lose_is_refused() {
        for source in ["", " ", "\u{1F40D}", &"x".repeat(256)] {
            assert!(metadata(source, "x").check().is_err(), "{source}");
        }
        assert!(metadata("ocr", &"x".repeat(65_536)).check().is_err());
        assert!(metadata("ocr", "\u{1F40D}").check().is_err());
        assert!(metadata("ocr", "gpj\u{202e}.exe").check().is_err());
        assert!(metadata("ocr", &"x".repeat(65_535)).check().is_ok());
        assert!(metadata("ocr", "").check().is_ok());
    }
}
