//! The routes of users: signup, activation, login, and the current user.
//!
//! Errors are `plain`: with `http.error_style` `gnar` their text is the whole `error`, because clients
//! of the service in Python compare it.

use piton::aws::ses::Ses;
use piton::axum::http::Method;
use piton::prelude::*;
use piton::uuid::Uuid;

use crate::activation_mail::{self, ActivationSettings};
use crate::email_address::{self, LoginAddress};
use crate::repositories::users::{self, NewUser};

piton::blueprint!("/user", tag = "users");

/// The status of the service.
#[derive(Serialize, JsonSchema)]
pub struct Status {
    /// Always `ok`.
    pub status: &'static str,
}

/// The request for an account.
#[derive(Deserialize, JsonSchema)]
pub struct Signup {
    /// The email address, which identifies the user.
    // Optional here although the document requires it, because a missing member is refused with a text
    // that clients of the service in Python compare.
    #[schemars(required, length(min = 1), example = &"ana@example.org")]
    pub email: Option<String>,
    /// The password.
    #[schemars(required, length(min = 1), example = &"a long and secret sentence")]
    pub password: Option<String>,
    /// The user's name.
    #[schemars(example = &"Ana Souza")]
    pub name: Option<String>,
}

/// A new or activated account.
#[derive(Serialize, JsonSchema)]
pub struct Account {
    /// The email address.
    pub email: String,
}

/// The credentials of a login.
#[derive(Deserialize, JsonSchema)]
pub struct Login {
    /// The email address.
    #[schemars(required, example = &"ana@example.org")]
    pub email: Option<String>,
    /// The password.
    #[schemars(required, example = &"a long and secret sentence")]
    pub password: Option<String>,
}

/// The result of a login.
#[derive(Serialize, JsonSchema)]
pub struct Token {
    /// The access token, for the header `Authorization: Bearer`.
    pub token: String,
}

/// The current user.
#[derive(Serialize, JsonSchema)]
pub struct Me {
    /// The email address.
    pub email: String,
    /// The user's name, if they entered one.
    pub name: Option<String>,
    /// Set once the user has followed the activation link.
    pub active: bool,
}

/// Shows that the service is running.
///
/// Responds as long as the service accepts requests, also without its database.
#[get("/get")]
pub async fn status() -> Json<Status> {
    Json(Status { status: "ok" })
}

/// Creates an account, and sends the email that activates it.
///
/// Addresses that differ in the case of their domain are equal. Responds with 409 if the address has an
/// account, and with 422 if it is not valid. If the email cannot be sent no account is created, so that
/// the client can try again.
#[post("/signup")]
#[errors(
    409 = "The email address has an account already.",
    422 = "Email or password are missing, or the email is not a valid address."
)]
pub async fn signup(
    db: Db,
    passwords: Passwords,
    ses: Ses,
    State(activation): State<ActivationSettings>,
    Json(signup): Json<Signup>,
) -> Result<Json<Account>> {
    let not_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (Some(email), Some(password)) = (not_empty(signup.email), not_empty(signup.password))
    else {
        return Err(Error::unprocessable("Email and password are required").plain());
    };
    let login = LoginAddress::new(&email);
    let email = email_address::of_signup(&email);
    let email = email.ok_or_else(|| Error::unprocessable("Email is not an address").plain())?;
    if signup.name.as_ref().is_some_and(|name| name.contains(char::is_control)) {
        return Err(Error::unprocessable("Name has characters that cannot be shown").plain());
    }
    let taken = || Error::conflict("Email is taken").plain();
    if let Some(login) = &login
        && users::find_by_login(&db, login).await?.is_some()
    {
        return Err(taken());
    }
    let hash = passwords.hash(&password).await?;
    let new = NewUser::new(email, hash, signup.name);
    // The email is sent first, because a cancelled request then leaves a link without an account,
    // instead of an account that can neither be activated nor created again.
    activation_mail::send_activation(&ses, &activation, &new).await?;
    if !users::add(&db, &new).await? {
        return Err(taken());
    }
    Ok(Json(Account { email: new.email }))
}

/// Activates an account, by the link in the email.
///
/// Following the link again gives the same response. `HEAD`, by which mail programs check links,
/// activates nothing.
#[get("/activate/{token}")]
#[errors(404 = "No account has this activation token.")]
pub async fn activate(db: Db, method: Method, Path(token): Path<String>) -> Result<Json<Account>> {
    // Checked first, so that a text that is not one of our tokens costs no statement.
    let email = match Uuid::try_parse(&token) {
        Ok(_) if method == Method::HEAD => users::find_by_token(&db, &token).await?,
        Ok(_) => users::activate(&db, &token).await?,
        Err(_) => None,
    };
    let email = email.ok_or_else(|| Error::not_found("Invalid activation token").plain())?;
    Ok(Json(Account { email }))
}

/// Logs a user in.
///
/// A wrong address and a wrong password have the same response, after the same time. A hash with
/// weaker parameters than today's is replaced.
#[post("/login")]
#[errors(401 = "The email address or the password is wrong.", 403 = "The account is not active.")]
pub async fn login(
    db: Db,
    passwords: Passwords,
    tokens: Tokens,
    Json(login): Json<Login>,
) -> Result<Json<Token>> {
    let wrong = || Error::unauthorized("Invalid email or password").plain();
    // Checked before the user is looked up, because the response must not reveal which users exist.
    let password = login.password.ok_or_else(|| Error::unprocessable("a password is missing"))?;
    // Not checked by the rules of today's signup, because accounts of the Python service log in by
    // the address that they have.
    let user = match login.email.as_deref().and_then(LoginAddress::new) {
        Some(login) => users::find_by_login(&db, &login).await?,
        None => None,
    };
    let hash = user.as_ref().map(|user| &*user.password_hash);
    match passwords.login(hash, &password).await {
        Ok(()) => {}
        Err(error) if error.is_wrong_password() => return Err(wrong()),
        Err(error) => return Err(error.into()),
    }
    let user = user.ok_or_else(wrong)?;
    if !user.active {
        return Err(Error::forbidden("Account is not active").plain());
    }
    if passwords.needs_rehash(&user.password_hash) {
        // In the background, so that the login neither waits for it nor fails with it.
        piton::spawn(rehash(db, passwords, user.email.clone(), user.password_hash, password));
    }
    let token = tokens.access(user.email).fresh().sign()?;
    Ok(Json(Token { token }))
}

/// Replaces the hash of a password by one with today's parameters.
async fn rehash(db: Db, passwords: Passwords, email: String, before: String, password: String) {
    let done = async {
        let hash = passwords.hash(&password).await?;
        users::set_password(&db, &email, &before, &hash).await
    };
    if let Err(error) = done.await {
        warn!("Could not replace an outdated password hash; the next login tries again: {error}");
    }
}

/// Shows the current user.
///
/// The user is identified by the token in the header `Authorization: Bearer`.
#[get("/me")]
#[errors(
    404 = "The user does not exist any more.",
    422 = "The token does not name its user by an email address."
)]
pub async fn me(identity: Identity, db: Db) -> Result<Json<Me>> {
    let email = match identity.text() {
        // A NUL is treated as an unknown user, because PostgreSQL cannot compare text that has one.
        Some(email) if !email.contains('\0') => email,
        Some(_) => "",
        None if identity.value().is_null() => "",
        None => return Err(Error::unprocessable("the token does not name its user by email")),
    };
    let user = users::find(&db, email).await?;
    let user = user.ok_or_else(|| Error::not_found("User not found").plain())?;
    Ok(Json(Me { email: user.email, name: user.name, active: user.active }))
}
