//! Stores and reads users.

use piton::prelude::*;
use piton::uuid::Uuid;

use crate::email_address::LoginAddress;

/// A stored user.
#[derive(Debug, FromRow)]
pub struct User {
    /// The email address, which identifies the user.
    pub email: String,
    /// The hash of the password.
    pub password_hash: String,
    /// The user's name.
    pub name: Option<String>,
    /// Set once the user has followed the activation link.
    pub active: bool,
}

/// A user who is not active yet.
#[derive(Debug)]
pub struct NewUser {
    /// The email address.
    pub email: String,
    /// The hash of the password.
    pub password_hash: String,
    /// The user's name.
    pub name: Option<String>,
    /// The token that activates the account.
    pub activation_token: String,
}

impl NewUser {
    /// Creates a user with a new activation token.
    #[must_use]
    pub fn new(email: String, password_hash: String, name: Option<String>) -> Self {
        Self { email, password_hash, name, activation_token: Uuid::new_v4().to_string() }
    }
}

/// Returns the user with this address, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &Db, email: &str) -> Result<Option<User>> {
    let sql = "SELECT email, password_hash, name, active FROM users WHERE email = $1";
    Ok(db.one(sql, (email,)).await?)
}

/// Returns the user whom the address of a login belongs to: the one with exactly this address, or
/// else with another spelling of its domain.
///
/// # Errors
/// Those of the database.
pub async fn find_by_login(db: &Db, login: &LoginAddress<'_>) -> Result<Option<User>> {
    // One statement for both, so that the response time does not reveal which one has matched.
    let sql = "SELECT email, password_hash, name, active FROM users
        WHERE email = $1
        OR lower(email) IN (lower($4), lower($5), lower($6), lower($7), lower($8), lower($9), lower($10),
            lower($11)) AND substr(email, 1, $2) = $3
        ORDER BY (email = $1) DESC, id LIMIT 1";
    let LoginAddress { exact, spellings: [a, b, c, d, e, f, g, h], name } = login;
    let length = i32::try_from(name.chars().count()).unwrap_or(i32::MAX);
    Ok(db.one(sql, (*exact, length, name, a, b, c, d, e, f, g, h)).await?)
}

/// Adds a user. Returns `false` if the address is taken.
///
/// # Errors
/// Those of the database.
pub async fn add(db: &Db, new: &NewUser) -> Result<bool> {
    let sql =
        "INSERT INTO users (email, password_hash, name, activation_token) VALUES ($1, $2, $3, $4)
        ON CONFLICT (email) DO NOTHING RETURNING email";
    let NewUser { email, password_hash, name, activation_token } = new;
    let added: Option<(String,)> =
        db.one(sql, (email, password_hash, name, activation_token)).await?;
    Ok(added.is_some())
}

/// The prefix of a used token. Used tokens stay stored, so that their link can report success again.
/// No token begins like this, and the Python service does not accept it as one.
const USED_PREFIX: &str = "used:";

/// Activates the account of a token, once. Returns its address; `None` if there is no such token. A
/// used token changes nothing and returns the address again, as long as the account is active.
///
/// # Errors
/// Those of the database.
pub async fn activate(db: &Db, token: &str) -> Result<Option<String>> {
    let sql = "UPDATE users SET active = TRUE, activation_token = $2 WHERE activation_token = $1
        RETURNING email";
    let used = format!("{USED_PREFIX}{token}");
    match db.one(sql, (token, &used)).await? {
        Some(email) => Ok(Some(email)),
        None => find_activated(db, &used).await,
    }
}

/// Returns the same address as [`activate`], and changes nothing.
///
/// # Errors
/// Those of the database.
pub async fn find_by_token(db: &Db, token: &str) -> Result<Option<String>> {
    match db.one("SELECT email FROM users WHERE activation_token = $1", (token,)).await? {
        Some(email) => Ok(Some(email)),
        None => find_activated(db, &format!("{USED_PREFIX}{token}")).await,
    }
}

async fn find_activated(db: &Db, used: &str) -> Result<Option<String>> {
    let sql = "SELECT email FROM users WHERE activation_token = $1 AND active";
    Ok(db.one(sql, (used,)).await?)
}

/// Replaces the hash of a password, unless it was changed in the meantime.
///
/// # Errors
/// Those of the database.
pub async fn set_password(db: &Db, email: &str, before: &str, hash: &str) -> Result<()> {
    let sql = "UPDATE users SET password_hash = $3 WHERE email = $1 AND password_hash = $2";
    db.run(sql, (email, before, hash)).await?;
    Ok(())
}
