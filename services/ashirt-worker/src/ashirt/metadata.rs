//! Metadata: the findings of a worker, within the limits of ASHIRT's database.

use serde::Serialize;

use super::error::Error;
use super::storable_text::storable;

/// Progress of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Status {
    /// The worker will process the evidence later.
    Queued,
    /// The worker is processing.
    Processing,
    /// The worker is done.
    Completed,
    /// The worker failed.
    Error,
}

/// Findings of a worker about a piece of evidence.
///
/// The backend ignores the status of the first entry of a source, and stores it from the second on.
/// A worker that was notified of the evidence by a message has no first entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Name that the worker has *in ASHIRT*. Any other name creates a second entry next to the
    /// worker's.
    pub source: String,
    /// Findings. [`storable`] makes a text fit.
    pub body: String,
    /// Progress of the worker.
    pub status: Status,
    /// Explanation for people.
    pub message: Option<String>,
    /// Declares whether the worker supports this kind of evidence.
    pub can_process: Option<bool>,
}

impl Metadata {
    /// Checks what the backend does not: it loses texts that it cannot store, without an error.
    pub(super) fn check(&self) -> Result<(), Error> {
        if !is_source(&self.source) {
            return Err(Error::invalid(
                "the source of metadata is the worker's name in ashirt: 1 to 255 visible characters up to U+FFFF",
            ));
        }
        let message = self.message.as_deref().unwrap_or_default();
        if [&*self.body, message].into_iter().any(|text| storable(text) != text) {
            return Err(Error::invalid(
                "ashirt stores texts of at most 65535 bytes, without characters from U+10000 on, and those that are not \
                 seen mislead its readers: `storable` makes it fit",
            ));
        }
        Ok(())
    }
}

/// Returns whether `name` can be the name of a worker in ASHIRT.
#[must_use]
pub fn is_source(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= 255 && storable(name) == name
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
