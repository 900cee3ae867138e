//! One request of a HAR file with its response.

use chrono::{DateTime, Utc};

use super::redacted_url::RedactedUrl;
use crate::enhance::format::redact_if_secret;
use crate::enhance::json_reader::{JsonReader, ReadError};

/// Facts of an entry: no body, no value of a header.
#[derive(Default)]
pub(super) struct HarEntry {
    pub(super) began: Option<DateTime<Utc>>,
    pub(super) milliseconds: Option<f64>,
    pub(super) method: Option<String>,
    pub(super) url: Option<RedactedUrl>,
    pub(super) server: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) error: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) redirect: Option<RedactedUrl>,
    pub(super) sent_bytes: Option<u64>,
    /// Bytes of the response on the wire, as Chromium counts them.
    transfer_bytes: Option<u64>,
    header_bytes: Option<u64>,
    body_bytes: Option<u64>,
    /// Bytes of the decompressed body.
    pub(super) content_bytes: Option<u64>,
    pub(super) has_authorization: bool,
    pub(super) has_cookie: bool,
    pub(super) sets_cookie: bool,
}

impl HarEntry {
    pub(super) fn has_url(&self) -> bool {
        self.url.is_some()
    }

    /// Returns the bytes received on the wire, or the decompressed size if only that is known.
    pub(super) fn received_bytes(&self) -> u64 {
        let body_bytes = self.body_bytes.or(self.content_bytes).unwrap_or(0);
        self.transfer_bytes.unwrap_or(body_bytes.saturating_add(self.header_bytes.unwrap_or(0)))
    }

    pub(super) fn read(&mut self, json: &mut JsonReader<'_>) -> Result<(), ReadError> {
        json.object(|json, key| self.member(json, key)).map(drop)
    }

    fn member(&mut self, json: &mut JsonReader<'_>, key: &str) -> Result<(), ReadError> {
        match key {
            "startedDateTime" => self.began = json.text(40)?.and_then(|text| moment(&text)),
            "time" => self.milliseconds = json.number()?.filter(|time| *time >= 0.0),
            "serverIPAddress" => self.server = json.text(45)?.filter(|text| !text.is_empty()),
            "request" => drop(json.object(|json, key| self.request(json, key))?),
            "response" => drop(json.object(|json, key| self.response(json, key))?),
            _ => json.skip()?,
        }
        Ok(())
    }

    fn request(&mut self, json: &mut JsonReader<'_>, key: &str) -> Result<(), ReadError> {
        match key {
            "method" => self.method = json.text(20)?,
            "url" => self.url = json.text(2000)?.map(|text| RedactedUrl::of(&text)),
            "headersSize" | "bodySize" => add(&mut self.sent_bytes, json.number()?),
            "headers" => header_names(json, |name| {
                self.has_authorization |= name.eq_ignore_ascii_case("authorization");
                self.has_cookie |= name.eq_ignore_ascii_case("cookie");
            })?,
            "cookies" => header_names(json, |_| self.has_cookie = true)?,
            _ => json.skip()?,
        }
        Ok(())
    }

    fn response(&mut self, json: &mut JsonReader<'_>, key: &str) -> Result<(), ReadError> {
        match key {
            "status" => {
                self.status =
                    json.number()?.filter(|status| *status >= 100.0).map(|status| status as u16);
            }
            "_error" | "_failureText" => {
                self.error = json.text(80)?.filter(|text| !text.is_empty()).map(redact_if_secret);
            }
            "redirectURL" => {
                self.redirect = json
                    .text(500)?
                    .filter(|text| !text.is_empty())
                    .map(|text| RedactedUrl::of(&text));
            }
            "_transferSize" => add(&mut self.transfer_bytes, json.number()?),
            "headersSize" => add(&mut self.header_bytes, json.number()?),
            "bodySize" => add(&mut self.body_bytes, json.number()?),
            "headers" => {
                header_names(json, |name| {
                    self.sets_cookie |= name.eq_ignore_ascii_case("set-cookie");
                })?;
            }
            "cookies" => header_names(json, |_| self.sets_cookie = true)?,
            "content" => drop(json.object(|json, key| self.content(json, key))?),
            _ => json.skip()?,
        }
        Ok(())
    }

    fn content(&mut self, json: &mut JsonReader<'_>, key: &str) -> Result<(), ReadError> {
        match key {
            "size" => add(&mut self.content_bytes, json.number()?),
            "mimeType" => self.content_type = json.text(80)?.and_then(|text| essence(&text)),
            _ => json.skip()?,
        }
        Ok(())
    }
}

/// Returns `text/html` of `text/html; charset=utf-8`. Chromium writes `x-unknown` for a missing
/// type.
fn essence(text: &str) -> Option<String> {
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (!essence.is_empty() && essence != "x-unknown").then_some(essence)
}

/// Adds a size. Minus one means "not known", and implausibly large sizes are treated the same.
fn add(sum: &mut Option<u64>, bytes: Option<f64>) {
    const MAX_BYTES: f64 = (1_u64 << 40) as f64;
    if let Some(bytes) = bytes.filter(|bytes| (0.0..=MAX_BYTES).contains(bytes)) {
        *sum = Some(sum.unwrap_or(0).saturating_add(bytes as u64));
    }
}

/// Calls `each` with the `name` of each element. The values are skipped.
fn header_names(json: &mut JsonReader<'_>, mut each: impl FnMut(&str)) -> Result<(), ReadError> {
    let mut member = |json: &mut JsonReader<'_>, key: &str| {
        match key {
            "name" => each(&json.text(40)?.unwrap_or_default()),
            _ => json.skip()?,
        }
        Ok(())
    };
    json.array(|json| json.object(&mut member).map(drop)).map(drop)
}

/// Parses RFC 3339, also with an offset without its colon, which some programs write.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let moment =
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%+"));
    let moment = moment.or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    moment.ok().map(|moment| moment.to_utc())
}

#[cfg(test)]
mod tests {
    use super::add;

    #[test]
    fn a_size_that_cannot_be_is_unknown() {
        let mut sum = None;
        for bytes in [-1.0, 1_180_591_620_717_411_303_425.0, f64::INFINITY, f64::NAN] {
            add(&mut sum, Some(bytes));
        }
        assert_eq!(sum, None);
        add(&mut sum, Some(3.0));
        assert_eq!(sum, Some(3));
    }
}
