//! Creates, rotates, revokes and lists keys.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::error::{KeyError, KeyErrorKind, is_name};
use super::key_table::{self, KeyInfo, NewKeyRow};
use super::lookup::{ID_LENGTH, KEY_PREFIX, parse};
use crate::auth::api_key::api_keys::ApiKeys;
use crate::auth::api_key::key::KeyDigest;

/// A key that has just been made. Its text cannot be had again.
#[derive(Debug)]
pub struct NewKey {
    /// The key as it is sent: `piton_<id>_<secret>`.
    pub key: SecretString,
    /// Its id, by which it can be revoked.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

impl ApiKeys {
    /// Makes a key that is valid for `lifetime`, or until it is revoked.
    ///
    /// A name has up to 64 letters, digits, `.`, `-` and `_`, the first a letter or a digit; a scope up to 64 visible ASCII characters
    /// without commas. A key without scopes is valid where none is asked for; `*` is every scope.
    ///
    /// # Errors
    /// [`KeyErrorKind::NameTaken`], [`KeyErrorKind::Invalid`], [`KeyErrorKind::Database`].
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
        tracing::info!(key_id = id, "Made the API key {name}");
        Ok(new_key(id, name, &secret, scopes.to_vec(), expires_at))
    }

    /// Makes a key of the same name and scopes, and lets the one in use go on for `grace`. The new one
    /// is valid for `lifetime`, or as long as the old one was.
    ///
    /// # Errors
    /// [`KeyErrorKind::Unknown`], [`KeyErrorKind::Invalid`], [`KeyErrorKind::Database`].
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

    /// Ends a key at once, by its id or its own text, or all keys of a name. Says how many were valid
    /// until now.
    ///
    /// # Errors
    /// [`KeyErrorKind::Unknown`] if there is none to be revoked; [`KeyErrorKind::Database`].
    pub async fn revoke(&self, name_or_id: &str) -> Result<u64, KeyError> {
        // Somebody who has found a key has all of it.
        let name_or_id = parse(name_or_id.as_bytes()).map_or(name_or_id, |(id, _)| id);
        let count = key_table::revoke(&self.0.stored.db, name_or_id, Utc::now()).await?;
        if count == 0 {
            return Err(KeyError::unknown(name_or_id));
        }
        tracing::info!("Revoked the API key {name_or_id}");
        Ok(count)
    }

    /// Every key there is or was, by name and age. Never what could be called with.
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

fn new_id() -> Result<String, KeyError> {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let digit = |byte: u8| char::from(DIGITS[usize::from(byte & 31)]);
    Ok(random::<ID_LENGTH>()?.into_iter().map(digit).collect())
}

fn new_secret() -> Result<String, KeyError> {
    Ok(BASE64URL.encode(random::<32>()?))
}

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            let why = format!("the system gives no random numbers: {error}");
            Err(KeyError::new(KeyErrorKind::Database, why))
        }
    }
}

fn after(now: DateTime<Utc>, time: Duration) -> Result<DateTime<Utc>, KeyError> {
    const MAX_DAYS: i64 = 365 * 100;
    let time = TimeDelta::from_std(time).ok().filter(|time| time.num_days() <= MAX_DAYS);
    let moment = time.and_then(|time| now.checked_add_signed(time));
    moment.ok_or_else(|| KeyError::new(KeyErrorKind::Invalid, "longer than a hundred years"))
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let why = "a name has 1 to 64 letters, digits, `.`, `-` and `_`, and begins with neither of these nor with `piton_`";
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
