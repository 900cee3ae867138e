//! HAR files, as browsers and proxies export them.
//!
//! <http://www.softwareishard.com/blog/har-12-spec/>. A file is read entry by entry, whatever of an entry is missing
//! or of another type is left open, and bodies pass by unseen.

mod entry;
mod summary;
#[cfg(test)]
mod tests;
mod url;

pub(super) use url::Url;

use std::io::Read;

use self::entry::Entry;
use self::summary::Summary;
use super::Fault;
use super::json::{Broken, Json};

const WHAT: &str = "a HAR file";

pub(super) fn describe(media: &mut dyn Read) -> Result<String, Fault> {
    let mut json = Json::of(media, WHAT)?;
    let mut har = Har::default();
    let end = json.object(|json, key| match key {
        "log" => json.object(|json, key| har.member(json, key)).map(drop),
        _ => json.skip(),
    });
    match end {
        Err(Broken::Read(error)) => return Err(Fault::Read(error)),
        Err(Broken::Cut) => har.summary.broken = Some("breaks off".to_owned()),
        Err(Broken::Syntax) => {
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
    Err(Fault::Unfit(format!("not {WHAT}: {why}")))
}

#[derive(Default)]
struct Har {
    has_entries: bool,
    summary: Summary,
}

impl Har {
    /// A member of `log`.
    fn member(&mut self, json: &mut Json<'_>, key: &str) -> Result<(), Broken> {
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

    fn entry(&mut self, json: &mut Json<'_>) -> Result<(), Broken> {
        let mut entry = Entry::default();
        let end = entry.read(json);
        match entry.is_one() {
            true => self.summary.add(entry),
            false => self.summary.unreadable += 1,
        }
        end
    }
}

/// `name` and `version`.
fn program(json: &mut Json<'_>) -> Result<Option<String>, Broken> {
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
