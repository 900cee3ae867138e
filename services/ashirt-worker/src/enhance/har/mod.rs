//! HAR files, as browsers and proxies export them.
//!
//! <http://www.softwareishard.com/blog/har-12-spec/>. A file is read entry by entry, whatever of an entry is missing
//! or of another type is left open, and bodies pass by unseen.

mod entry;
mod redacted_url;
mod summary;
#[cfg(test)]
mod tests;

pub(super) use redacted_url::RedactedUrl;

use std::io::Read;

use self::entry::HarEntry;
use self::summary::HarSummary;
use super::EnhanceError;
use super::json_reader::{JsonReader, ReadError};

const WHAT: &str = "a HAR file";

pub(super) fn describe(media: &mut dyn Read) -> Result<String, EnhanceError> {
    let mut json = JsonReader::start(media, WHAT)?;
    let mut har = HarReader::default();
    let end = json.object(|json, key| match key {
        "log" => json.object(|json, key| har.member(json, key)).map(drop),
        _ => json.skip(),
    });
    match end {
        Err(ReadError::Read(error)) => return Err(EnhanceError::Read(error)),
        Err(ReadError::Truncated) => har.summary.broken = Some("breaks off".to_owned()),
        Err(ReadError::Syntax) => {
            har.summary.broken = Some(format!("is no longer JSON at byte {}", json.position()));
        }
        Ok(_) => {}
    }
    if har.has_entries {
        return Ok(har.summary.text());
    }
    let why = har
        .summary
        .broken
        .map_or_else(|| "it has no log.entries".to_owned(), |how| format!("it {how}"));
    Err(EnhanceError::Unsupported(format!("not {WHAT}: {why}")))
}

#[derive(Default)]
struct HarReader {
    has_entries: bool,
    summary: HarSummary,
}

impl HarReader {
    /// A member of `log`.
    fn member(&mut self, json: &mut JsonReader<'_>, key: &str) -> Result<(), ReadError> {
        match key {
            "entries" => {
                self.has_entries |= json.peek()? == Some(b'[');
                json.array(|json| self.entry(json))?;
            }
            "creator" => self.summary.creator = program(json)?,
            "browser" => self.summary.browser = program(json)?,
            _ => json.skip()?,
        }
        Ok(())
    }

    fn entry(&mut self, json: &mut JsonReader<'_>) -> Result<(), ReadError> {
        let mut entry = HarEntry::default();
        let end = entry.read(json);
        match entry.has_url() {
            true => self.summary.add(entry),
            false => self.summary.unreadable += 1,
        }
        end
    }
}

/// `name` and `version`.
fn program(json: &mut JsonReader<'_>) -> Result<Option<String>, ReadError> {
    let (mut name, mut version) = (None, None);
    json.object(|json, key| {
        match key {
            "name" => name = json.text(60)?,
            "version" => version = json.text(30)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok(name.map(|name| name + " " + version.as_deref().unwrap_or_default()))
}
