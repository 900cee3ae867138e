//! Named keys, in the service's database.
//!
//! A key is `piton_<id>_<secret>`: the id finds the row, the secret's SHA-256 is compared with what is
//! there. The table is made by the room itself, in words that every database understands, and safely
//! however many replicas start at one time.

mod error;
mod store;
#[cfg(test)]
mod tests;
mod used;
mod verb;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::Serialize;

use super::key::Digest;
use super::{ApiKey, ApiKeys, Known};
use crate::db::Db;
use crate::http::Error;
use crate::part::{BoxError, Launch, Needs};
use crate::stop::Stop;

use store::{NewRow, Row};
use used::Used;

pub use error::{KeyError, KeyErrorKind};

/// What each key begins with, so that it is known for one wherever somebody finds it.
const PREFIX: &str = "piton_";
const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 43;

/// The named keys.
#[derive(Clone)]
pub(super) struct Named {
    db: Db,
    used: Used,
    /// What a key is compared with that nobody knows.
    nobody: Digest,
}

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

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// Its id.
    pub id: String,
    /// Its name. A key that was replaced has the name of the one that came after it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Whether it is valid now.
    pub state: KeyState,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends, or ended, by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When another took its place.
    pub replaced_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Whether a key is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It is.
    Active,
    /// It is, but another has taken its place.
    Replaced,
    /// Not any more: its time is over.
    Expired,
    /// Not any more: somebody took it back.
    Revoked,
}

impl Named {
    pub const THERE: bool = true;

    pub fn needs(needs: &mut Needs) {
        needs.part::<Db>();
    }

    pub fn new(launch: &Launch) -> Self {
        let db = launch.part::<Db>();
        Self { used: Used::new(db.clone()), db, nobody: Digest::of(b"") }
    }

    pub async fn connect(&self) -> Result<(), BoxError> {
        wait_for_database().await;
        Ok(store::make_table(&self.db).await?)
    }

    pub async fn run(&self, stop: Stop) {
        self.used.run(stop).await;
    }

    /// Whether a key was ever made.
    pub async fn exist(&self) -> Result<bool, Error> {
        match store::any(&self.db).await {
            Ok(any) => Ok(any),
            Err(error) => {
                self.mend(error).await?;
                store::any(&self.db).await.map_err(unchecked)
            }
        }
    }

    /// Where the database has only just come nobody may have made the table yet. Then it is made.
    #[cold]
    async fn mend(&self, error: crate::db::Error) -> Result<(), Error> {
        if error.kind() != crate::db::Kind::Statement {
            return Err(unchecked(error));
        }
        store::make_table(&self.db).await.map_err(unchecked)
    }

    /// The key of that text, if it is valid.
    pub async fn find(&self, text: &[u8]) -> Result<Option<ApiKey>, Error> {
        let Some((id, secret)) = parse(text) else { return Ok(None) };
        let row = match store::find(&self.db, id).await {
            Ok(row) => row,
            Err(error) => {
                self.mend(error).await?;
                store::find(&self.db, id).await.map_err(unchecked)?
            }
        };
        // Somebody who tries ids learns nothing from the time that takes.
        let known = row.as_ref().and_then(Row::digest);
        let same = known.unwrap_or(self.nobody).is(&Digest::of(secret.as_bytes()));
        let now = Utc::now();
        let Some(row) = row.filter(|row| same && known.is_some() && row.is_valid(now)) else {
            return Ok(None);
        };
        self.used.note(&row, now);
        Ok(Some(ApiKey(std::sync::Arc::new(Known {
            named: Some((row.id, row.name)),
            scopes: row.scopes,
        }))))
    }
}

#[cold]
fn unchecked(error: crate::db::Error) -> Error {
    Error::unavailable("API keys cannot be checked at the moment")
        .caused_by(error)
        .retry_after(Duration::from_secs(1))
}

/// Until then nothing could be made, and trying would only fill the log.
async fn wait_for_database() {
    let Some(app) = crate::try_app() else { return };
    while app.try_part::<Db>().is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The id and the secret in the text of a key.
fn parse(text: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(text).ok()?;
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (id.len() == ID_LENGTH && id.bytes().all(plain) && secret.len() == SECRET_LENGTH)
        .then_some((id, secret))
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
        let row = NewRow {
            id: &id,
            name,
            digest: Digest::of(secret.as_bytes()),
            scopes,
            created_at: now,
            expires_at,
        };
        store::create(&self.0.named.db, &row).await?;
        tracing::info!(key_id = id, "Made the API key {name}");
        Ok(made(id, name, &secret, scopes.to_vec(), expires_at))
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
        let digest = Digest::of(secret.as_bytes());
        let next =
            NewRow { id: &id, name, digest, scopes: &[], created_at: now, expires_at: given };
        let (scopes, expires_at) = store::replace(&self.0.named.db, next, ends).await?;
        tracing::info!(key_id = id, "Replaced the API key {name}");
        Ok(made(id, name, &secret, scopes, expires_at))
    }

    /// Ends a key at once, by its id or its own text, or all keys of a name. Says how many were valid
    /// until now.
    ///
    /// # Errors
    /// [`KeyErrorKind::Unknown`] if there is none to be revoked; [`KeyErrorKind::Database`].
    pub async fn revoke(&self, name_or_id: &str) -> Result<u64, KeyError> {
        // Somebody who has found a key has all of it.
        let name_or_id = parse(name_or_id.as_bytes()).map_or(name_or_id, |(id, _)| id);
        let count = store::revoke(&self.0.named.db, name_or_id, Utc::now()).await?;
        if count == 0 {
            return Err(unknown(name_or_id));
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
        let rows = store::all(&self.0.named.db).await?;
        Ok(rows.into_iter().map(|row| row.info(now)).collect())
    }
}

fn unknown(name_or_id: &str) -> KeyError {
    let what = if is_name(name_or_id) { format!(" `{name_or_id}`") } else { String::new() };
    KeyError::new(KeyErrorKind::Unknown, format!("there is no key{what} in use"))
}

fn made(
    id: String,
    name: &str,
    secret: &str,
    scopes: Vec<String>,
    expires_at: Option<DateTime<Utc>>,
) -> NewKey {
    let key = format!("{PREFIX}{id}_{secret}").into();
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
    const LONGEST_DAYS: i64 = 365 * 100;
    let time = TimeDelta::from_std(time).ok().filter(|time| time.num_days() <= LONGEST_DAYS);
    let moment = time.and_then(|time| now.checked_add_signed(time));
    moment.ok_or_else(|| KeyError::new(KeyErrorKind::Invalid, "longer than a hundred years"))
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    // What begins as a key may be one, put in the wrong place: it must not become a name, nor be said.
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !name.starts_with(PREFIX);
    begins && name.len() <= 64 && name.bytes().all(plain)
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
