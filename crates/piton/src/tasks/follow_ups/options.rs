//! [`Options`]: the options of a signature.

use std::time::Duration;

use chrono::{DateTime, Utc};
use piton_celery::{Exception, IsoDateTime, Signature};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Result;
use crate::tasks::brokers::records::GroupMember;
use crate::tasks::clock::millis;

/// The options of a signature.
pub(super) struct Options<'a>(pub &'a Map<String, Value>);

impl Options<'_> {
    /// Returns an option. Missing and null are the same.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let value = self.0.get(name).filter(|value| !value.is_null());
        let parsed = value.map(|value| T::deserialize(value)).transpose();
        parsed.map_err(|_| {
            Exception::builtin("ValueError", format!("the option `{name}` of a signature"))
        })
    }

    /// Returns signatures: a list, or one alone.
    pub fn signatures(&self, name: &str) -> Result<Vec<Signature>> {
        match self.0.get(name) {
            Some(Value::Object(_)) => Ok(self.get(name)?.into_iter().collect()),
            _ => Ok(self.get(name)?.unwrap_or_default()),
        }
    }

    pub fn seconds(&self, name: &str) -> Result<Option<Duration>> {
        let seconds: Option<f64> = self.get(name)?;
        Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
    }

    /// Returns the time of the start and the time of expiry, which is one in ISO 8601 or seconds after the start.
    pub fn times(&self, now_ms: i64) -> Result<(Option<i64>, Option<i64>)> {
        let in_seconds = |time: Duration| now_ms.saturating_add(millis(time));
        let countdown = self.seconds("countdown")?.map(in_seconds);
        let due_at_ms = countdown.or(self.get("eta")?.map(timestamp));
        let expires = match self.0.get("expires") {
            Some(Value::Number(_)) => self.seconds("expires")?.map(in_seconds),
            _ => self.get("expires")?.map(timestamp),
        };
        Ok((due_at_ms, expires))
    }

    pub fn group(&self) -> Result<Option<GroupMember>> {
        let (id, index) = (self.get("group_id")?, self.get("group_index")?);
        Ok(id.zip(index).map(|(id, index)| GroupMember { id, index }))
    }
}

fn timestamp(time: IsoDateTime) -> i64 {
    time.to_utc().timestamp_millis()
}

pub(super) fn iso(ms: i64) -> Option<IsoDateTime> {
    DateTime::<Utc>::from_timestamp_millis(ms).map(IsoDateTime::from)
}
