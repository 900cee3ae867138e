//! The setting `worker.defer`.

use std::borrow::Cow;
use std::time::Duration;

use piton::config::Setting;
use piton::serde_json::{Value, json};

/// Maximum duration after which evidence is deferred.
const MAX_DELAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The moment at which evidence is deferred: stored as a task, and reported later as metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeferSetting {
    /// Never.
    #[default]
    Off,
    /// At once, without processing it first.
    Always,
    /// After its request has waited for this time, and when the worker has to stop.
    After(Duration),
}

impl DeferSetting {
    /// Returns the time that a request waits for the result, or `None` if nothing is deferred.
    pub(crate) fn after(self) -> Option<Duration> {
        match self {
            Self::Off => None,
            Self::Always => Some(Duration::ZERO),
            Self::After(delay) => Some(delay),
        }
    }
}

impl Setting for DeferSetting {
    fn expects() -> Cow<'static, str> {
        "`off`, `always`, or a duration with its unit, such as `30s`, up to `1day`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value.as_str().map(|text| text.trim().to_ascii_lowercase()).as_deref() {
            Some("off") => return Ok(Self::Off),
            Some("always") => return Ok(Self::Always),
            _ => {}
        }
        match Duration::parse(value) {
            Ok(delay) if delay.is_zero() => Err("no time to process it: write `always`".into()),
            Ok(delay) if delay <= MAX_DELAY => Ok(Self::After(delay)),
            _ => Err(format!("expected {}", Self::expects())),
        }
    }

    fn show(&self) -> Value {
        match self {
            Self::Off => "off".into(),
            Self::Always => "always".into(),
            Self::After(delay) => delay.show(),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": ["off", "always", "30s"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_or_a_duration_says_when_evidence_is_deferred() {
        let after = |seconds| DeferSetting::After(Duration::from_secs(seconds));
        for (text, setting) in
            [("off", DeferSetting::Off), ("Always", DeferSetting::Always), ("30s", after(30))]
        {
            assert_eq!(DeferSetting::parse(&json!(text)), Ok(setting), "{text}");
            assert_eq!(DeferSetting::parse(&setting.show()), Ok(setting), "{text}");
        }
        for wrong in [json!("maybe"), json!("0s"), json!("2days"), json!(30), json!(true)] {
            assert!(DeferSetting::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
