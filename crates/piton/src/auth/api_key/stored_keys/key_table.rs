//! The table of keys and its SQL statements. One text serves every backend, so that times and lists
//! are stored as text.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use piton_macros::FromRow;
use serde::Serialize;

use super::error::{KeyError, KeyErrorKind};
use crate::auth::api_key::key::KeyDigest;
use crate::db::{AsJson, Db, Error, Kind, Tx};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS piton_api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    replaced_at TEXT,
    revoked_at TEXT,
    last_used_at TEXT
)";

/// Allows one key in use for each name.
const NAME_INDEX: &str = "CREATE UNIQUE INDEX IF NOT EXISTS piton_api_keys_name
    ON piton_api_keys (name) WHERE replaced_at IS NULL AND revoked_at IS NULL";

/// The public information about a key. Its secret is not stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// Id of the key.
    pub id: String,
    /// Name of the key. A replaced key has the same name as its successor.
    pub name: String,
    /// Scopes of the key; `*` is every scope.
    pub scopes: Vec<String>,
    /// State of the key now.
    pub state: KeyState,
    /// Time of creation.
    pub created_at: DateTime<Utc>,
    /// Time of expiry.
    pub expires_at: Option<DateTime<Utc>>,
    /// Time at which another key replaced it.
    pub replaced_at: Option<DateTime<Utc>>,
    /// Time of revocation.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Time of the last use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The states of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Valid.
    Active,
    /// Valid until its grace period ends: another key has replaced it.
    Replaced,
    /// Not valid: its lifetime is over.
    Expired,
    /// Not valid: it was revoked.
    Revoked,
}

/// A row of the table.
#[derive(FromRow)]
pub(super) struct KeyRow {
    pub id: String,
    pub name: String,
    secret_sha256: String,
    #[row(json)]
    pub scopes: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    replaced_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A row to insert.
#[derive(Clone, Copy)]
pub(super) struct NewKeyRow<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub digest: KeyDigest,
    pub scopes: &'a [String],
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl KeyRow {
    /// Returns the stored digest; `None` if the column holds something else.
    pub fn digest(&self) -> Option<KeyDigest> {
        KeyDigest::from_hex(&self.secret_sha256)
    }

    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        matches!(self.state(now), KeyState::Active | KeyState::Replaced)
    }

    fn state(&self, now: DateTime<Utc>) -> KeyState {
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyState::Expired
        } else if self.replaced_at.is_some() {
            KeyState::Replaced
        } else {
            KeyState::Active
        }
    }

    pub fn info(self, now: DateTime<Utc>) -> KeyInfo {
        KeyInfo {
            state: self.state(now),
            id: self.id,
            name: self.name,
            scopes: self.scopes,
            created_at: self.created_at,
            expires_at: self.expires_at,
            replaced_at: self.replaced_at,
            revoked_at: self.revoked_at,
            last_used_at: self.last_used_at,
        }
    }
}

impl KeyDigest {
    fn hex(&self) -> String {
        self.0.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    fn from_hex(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// Creates the table unless it exists. Several processes may do so at the same time.
pub(super) async fn create_table(db: &Db) -> Result<(), Error> {
    if table_exists(db).await.is_ok() {
        return Ok(());
    }
    let made = db
        .transaction(async |tx| -> Result<(), Error> {
            tx.run(TABLE, ()).await?;
            tx.run(NAME_INDEX, ()).await?;
            Ok(())
        })
        .await;
    match made {
        // PostgreSQL's `IF NOT EXISTS` fails instead of waiting when another session creates the table at
        // the same time. The error counts only if the table is still missing.
        Err(error) => table_exists(db).await.map_err(|_| error),
        Ok(()) => Ok(()),
    }
}

async fn table_exists(db: &Db) -> Result<(), Error> {
    db.one::<String>("SELECT id FROM piton_api_keys WHERE 1 = 0", ()).await.map(|_| ())
}

pub(super) async fn find(db: &Db, id: &str) -> Result<Option<KeyRow>, Error> {
    db.one("SELECT * FROM piton_api_keys WHERE id = $1", (id,)).await
}

pub(super) async fn any_exist(db: &Db) -> Result<bool, Error> {
    let found: Option<i64> = db.one("SELECT 1 FROM piton_api_keys LIMIT 1", ()).await?;
    Ok(found.is_some())
}

pub(super) async fn all(db: &Db) -> Result<Vec<KeyRow>, Error> {
    db.all("SELECT * FROM piton_api_keys ORDER BY name, created_at, id", ()).await
}

pub(super) async fn create(db: &Db, row: &NewKeyRow<'_>) -> Result<(), KeyError> {
    db.transaction(async |tx| -> Result<(), KeyError> {
        // Expired keys leave the index of names, so that their name can be used again.
        let over = "UPDATE piton_api_keys SET replaced_at = $2 WHERE name = $1 \
            AND expires_at <= $2 AND replaced_at IS NULL AND revoked_at IS NULL";
        tx.run(over, (row.name, row.created_at)).await?;
        insert(tx, row).await
    })
    .await
}

async fn insert(tx: &mut Tx, row: &NewKeyRow<'_>) -> Result<(), KeyError> {
    let sql = "INSERT INTO piton_api_keys (id, name, secret_sha256, scopes, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    let scopes = AsJson(row.scopes);
    let values = (row.id, row.name, row.digest.hex(), scopes, row.created_at, row.expires_at);
    match tx.run(sql, values).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == Kind::Unique => {
            let why = format!("a key named `{}` is in use: rotate or revoke it", row.name);
            Err(KeyError::new(KeyErrorKind::NameTaken, why))
        }
        Err(error) => Err(error.into()),
    }
}

/// Replaces the key in use by `next`. The old key expires at `ends` at the latest. Returns the scopes and
/// the expiry of the new key.
pub(super) async fn replace(
    db: &Db,
    next: NewKeyRow<'_>,
    ends: DateTime<Utc>,
) -> Result<(Vec<String>, Option<DateTime<Utc>>), KeyError> {
    db.transaction(async |tx| -> Result<_, KeyError> {
        let now = next.created_at;
        let find = "SELECT * FROM piton_api_keys WHERE name = $1 \
            AND replaced_at IS NULL AND revoked_at IS NULL";
        let Some(old) = tx.one::<KeyRow>(find, (next.name,)).await? else {
            return Err(KeyError::unknown(next.name));
        };
        if old.expires_at.is_some_and(|end| end <= now) {
            return Err(KeyError::unknown(next.name));
        }
        let end = old.expires_at.map_or(ends, |end| end.min(ends));
        let over = "UPDATE piton_api_keys SET replaced_at = $2, expires_at = $3 WHERE id = $1 \
            AND replaced_at IS NULL AND revoked_at IS NULL";
        if tx.run(over, (&*old.id, now, end)).await? == 0 {
            // Another request has replaced or revoked the key since it was read.
            return Err(KeyError::unknown(next.name));
        }
        let lifetime = old.expires_at.map(|end| end - old.created_at);
        let expires_at = next.expires_at.or_else(|| Some(now + lifetime?));
        insert(tx, &NewKeyRow { scopes: &old.scopes, expires_at, ..next }).await?;
        Ok((old.scopes, expires_at))
    })
    .await
}

pub(super) async fn revoke(db: &Db, name_or_id: &str, now: DateTime<Utc>) -> Result<u64, KeyError> {
    let sql = "UPDATE piton_api_keys SET revoked_at = $2 \
        WHERE (id = $1 OR name = $1) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)";
    Ok(db.run(sql, (name_or_id, now)).await?)
}

pub(super) async fn note_use(db: &Db, id: &str, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = "UPDATE piton_api_keys SET last_used_at = $2 WHERE id = $1";
    db.run(sql, (id, now)).await.map(|_| ())
}
