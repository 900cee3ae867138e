//! Creates, rotates, revokes and lists keys.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::error::{KeyError, KeyErrorKind};
use super::key_format::{KEY_PREFIX, is_name, new_id, new_secret, parse};
use super::key_table::{self, KeyInfo, NewKeyRow};
use crate::auth::api_key::api_keys::ApiKeys;
use crate::auth::api_key::key::KeyDigest;

/// A new key. Its text is returned only here, because only its digest is stored.
#[derive(Debug)]
pub struct NewKey {
    /// Text of the key, as programs send it: `piton_<id>_<secret>`.
    pub key: SecretString,
    /// Id, by which the key can be revoked.
    pub id: String,
    /// Name of the key.
    pub name: String,
    /// Scopes of the key; `*` is every scope.
    pub scopes: Vec<String>,
    /// Time of expiry; `None` if the key is valid until it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
}

impl ApiKeys {
    /// Creates a key that is valid for `lifetime`, or until it is revoked.
    ///
    /// A name has up to 64 letters, digits, `.`, `-` and `_`, and begins with a letter or a digit. A scope
    /// has up to 64 visible ASCII characters without commas; `*` is every scope. A key without scopes
    /// opens only routes that require no scope.
    ///
    /// # Errors
    /// [`KeyErrorKind::NameTaken`] if a key of that name is in use; [`KeyErrorKind::Invalid`] if the name, a
    /// scope or the lifetime is not valid; [`KeyErrorKind::Database`].
    pub async fn create(
        &self,
        name: &str,
        scopes: &[String],
        lifetime: Option<Duration>,
    ) -> Result<NewKey, KeyError> {
        check_name(name)?;
        check_scopes(scopes)?;
        let now = Utc::now();
        let expires_at = lifetime.map(|lifetime| after(now, lifetime)).transpose()?;
        let (id, secret) = (new_id()?, new_secret()?);
        let row = NewKeyRow {
            id: &id,
            name,
            digest: KeyDigest::of(secret.as_bytes()),
            scopes,
            created_at: now,
            expires_at,
        };
        key_table::create(&self.0.stored.db, &row).await?;
        tracing::info!(key_id = id, "Created the API key {name}");
        Ok(new_key(id, name, &secret, scopes.to_vec(), expires_at))
    }

    /// Replaces the key in use by a new one with the same name and scopes. The old key remains valid for
    /// `grace`; the new one is valid for `lifetime`, by default as long as the old one was.
    ///
    /// # Errors
    /// [`KeyErrorKind::Unknown`] if no key of that name is in use; [`KeyErrorKind::Invalid`] if a duration is
    /// longer than a hundred years; [`KeyErrorKind::Database`].
    pub async fn rotate(
        &self,
        name: &str,
        grace: Duration,
        lifetime: Option<Duration>,
    ) -> Result<NewKey, KeyError> {
        let now = Utc::now();
        let ends = after(now, grace)?;
        let given = lifetime.map(|lifetime| after(now, lifetime)).transpose()?;
        let (id, secret) = (new_id()?, new_secret()?);
        let digest = KeyDigest::of(secret.as_bytes());
        let next =
            NewKeyRow { id: &id, name, digest, scopes: &[], created_at: now, expires_at: given };
        let (scopes, expires_at) = key_table::replace(&self.0.stored.db, next, ends).await?;
        tracing::info!(key_id = id, "Replaced the API key {name}");
        Ok(new_key(id, name, &secret, scopes, expires_at))
    }

    /// Revokes a key by its id or its own text, or all keys of a name. Returns the number of keys that
    /// were valid until now.
    ///
    /// # Errors
    /// [`KeyErrorKind::Unknown`] if there is no such key to revoke; [`KeyErrorKind::Database`].
    pub async fn revoke(&self, name_or_id: &str) -> Result<u64, KeyError> {
        // The text of a key is accepted, because whoever finds a leaked key has all of it.
        let name_or_id = parse(name_or_id.as_bytes()).map_or(name_or_id, |(id, _)| id);
        let count = key_table::revoke(&self.0.stored.db, name_or_id, Utc::now()).await?;
        if count == 0 {
            return Err(KeyError::unknown(name_or_id));
        }
        tracing::info!("Revoked the API key {name_or_id}");
        Ok(count)
    }

    /// Returns all keys, also expired and revoked ones, by name and age. Secrets are not included.
    ///
    /// # Errors
    /// [`KeyErrorKind::Database`].
    pub async fn list(&self) -> Result<Vec<KeyInfo>, KeyError> {
        let now = Utc::now();
        let rows = key_table::all(&self.0.stored.db).await?;
        Ok(rows.into_iter().map(|row| row.info(now)).collect())
    }
}

fn new_key(
    id: String,
    name: &str,
    secret: &str,
    scopes: Vec<String>,
    expires_at: Option<DateTime<Utc>>,
) -> NewKey {
    let key = format!("{KEY_PREFIX}{id}_{secret}").into();
    NewKey { key, id, name: name.to_owned(), scopes, expires_at }
}

fn after(now: DateTime<Utc>, time: Duration) -> Result<DateTime<Utc>, KeyError> {
    const MAX_DAYS: i64 = 365 * 100;
    let time = TimeDelta::from_std(time).ok().filter(|time| time.num_days() <= MAX_DAYS);
    let moment = time.and_then(|time| now.checked_add_signed(time));
    moment.ok_or_else(|| {
        KeyError::new(KeyErrorKind::Invalid, "a duration is longer than a hundred years")
    })
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let why = "a name has 1 to 64 letters, digits, `.`, `-` and `_`, and begins with a letter or a digit, but not with `piton_`";
    if is_name(name) { Ok(()) } else { Err(KeyError::new(KeyErrorKind::Invalid, why)) }
}

fn check_scopes(scopes: &[String]) -> Result<(), KeyError> {
    let plain = |scope: &String| {
        let visible = scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        !scope.is_empty() && scope.len() <= 64 && visible
    };
    let why = "at most 100 scopes, each of 1 to 64 visible ASCII characters without commas";
    if scopes.len() <= 100 && scopes.iter().all(plain) {
        Ok(())
    } else {
        Err(KeyError::new(KeyErrorKind::Invalid, why))
    }
}
