//! Users.

use piton::prelude::*;
use piton::uuid::Uuid;

/// A user as stored.
#[derive(Debug, FromRow)]
pub struct User {
    /// The email address, which is who they are.
    pub email: String,
    /// The hash of the password.
    pub password_hash: String,
    /// What they are called.
    pub name: Option<String>,
    /// Whether they have shown that the address is theirs.
    pub active: bool,
}

/// A user who is not active yet.
#[derive(Debug)]
pub struct NewUser {
    /// The email address.
    pub email: String,
    /// The hash of the password.
    pub password_hash: String,
    /// What they are called.
    pub name: Option<String>,
    /// What activates the account.
    pub activation_token: String,
}

impl NewUser {
    /// Somebody with a token of their own.
    #[must_use]
    pub fn new(email: String, password_hash: String, name: Option<String>) -> Self {
        Self { email, password_hash, name, activation_token: Uuid::new_v4().to_string() }
    }
}

/// The user with this address, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &Db, email: &str) -> Result<Option<User>> {
    let sql = "SELECT email, password_hash, name, active FROM users WHERE email = $1";
    Ok(db.one(sql, (email,)).await?)
}

/// Adds a user; `false` if the address is taken.
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

/// Activates the account that the token is for, once; its address, or `None`.
///
/// # Errors
/// Those of the database.
pub async fn activate(db: &Db, token: &str) -> Result<Option<String>> {
    let sql = "UPDATE users SET active = TRUE, activation_token = NULL WHERE activation_token = $1
        RETURNING email";
    Ok(db.one(sql, (token,)).await?)
}

/// Replaces a password's hash, unless somebody else has in the meantime.
///
/// # Errors
/// Those of the database.
pub async fn set_password(db: &Db, email: &str, before: &str, hash: &str) -> Result<()> {
    let sql = "UPDATE users SET password_hash = $3 WHERE email = $1 AND password_hash = $2";
    db.run(sql, (email, before, hash)).await?;
    Ok(())
}
