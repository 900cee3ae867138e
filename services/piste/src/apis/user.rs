//! Users: signing up, activating, logging in, and who one is.
//!
//! Refusals are `plain`: with `http.error_style` `gnar` their words are the whole `error`, which is
//! what clients of the service in Python look at.

use piton::aws::ses::Ses;
use piton::axum::http::Method;
use piton::prelude::*;
use piton::uuid::Uuid;

use crate::address::{self, Typed};
use crate::mail::{self, ActivationSettings};
use crate::repositories::users::{self, NewUser};

piton::blueprint!("/user", tag = "users");

/// That the service is there.
#[derive(Serialize, JsonSchema)]
pub struct Status {
    /// Always `ok`.
    pub status: &'static str,
}

/// Who wants an account.
#[derive(Deserialize, JsonSchema)]
pub struct Signup {
    /// The email address, which is who they are.
    // `required` in the document alone: a member that is missing is read, and refused in words that
    // clients of the service in Python look at.
    #[schemars(required, length(min = 1), example = &"ana@example.org")]
    pub email: Option<String>,
    /// The password.
    #[schemars(required, length(min = 1), example = &"a long and secret sentence")]
    pub password: Option<String>,
    /// What they are called.
    #[schemars(example = &"Ana Souza")]
    pub name: Option<String>,
}

/// Whose account it is.
#[derive(Serialize, JsonSchema)]
pub struct Account {
    /// The email address.
    pub email: String,
}

/// Who wants to come in.
#[derive(Deserialize, JsonSchema)]
pub struct Login {
    /// The email address.
    #[schemars(required, example = &"ana@example.org")]
    pub email: Option<String>,
    /// The password.
    #[schemars(required, example = &"a long and secret sentence")]
    pub password: Option<String>,
}

/// What lets them in.
#[derive(Serialize, JsonSchema)]
pub struct Token {
    /// The access token, for the header `Authorization: Bearer`.
    pub token: String,
}

/// A user, as they see themselves.
#[derive(Serialize, JsonSchema)]
pub struct Me {
    /// The email address.
    pub email: String,
    /// What they are called, if they said it.
    pub name: Option<String>,
    /// Whether they have shown that the address is theirs.
    pub active: bool,
}

/// Says that the service is there.
///
/// It answers as long as the service takes requests, whatever becomes of its database.
#[get("/get")]
pub async fn status() -> Json<Status> {
    Json(Status { status: "ok" })
}

/// Makes an account, and sends the letter that activates it.
///
/// Addresses that differ in the capitals of their domain are one. Answers 409 if the address has one, 422 if it is no address. If the letter cannot be sent there is
/// no account either, and one can try again.
#[post("/signup")]
#[errors(
    409 = "The email address has an account already.",
    422 = "Email or password are missing, or the email is no address."
)]
pub async fn signup(
    db: Db,
    passwords: Passwords,
    ses: Ses,
    State(activation): State<ActivationSettings>,
    Json(signup): Json<Signup>,
) -> Result<Json<Account>> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (Some(email), Some(password)) = (given(signup.email), given(signup.password)) else {
        return Err(Error::unprocessable("Email and password are required").plain());
    };
    let typed = Typed::new(&email);
    let email = address::of_signup(&email);
    let email = email.ok_or_else(|| Error::unprocessable("Email is not an address").plain())?;
    if signup.name.as_ref().is_some_and(|name| name.contains(char::is_control)) {
        return Err(Error::unprocessable("Name has characters that cannot be shown").plain());
    }
    let taken = || Error::conflict("Email is taken").plain();
    if let Some(typed) = &typed
        && users::find_typed(&db, typed).await?.is_some()
    {
        return Err(taken());
    }
    let hash = passwords.hash(&password).await?;
    let new = NewUser::new(email, hash, signup.name);
    // The letter goes first: should this end here, because the client leaves or the service is killed,
    // there is a link that leads nowhere, and not an account that nobody can activate or make anew.
    mail::send_activation(&ses, &activation, &new).await?;
    if !users::add(&db, &new).await? {
        return Err(taken());
    }
    Ok(Json(Account { email: new.email }))
}

/// Activates an account: where the letter leads.
///
/// A link that is followed again says the same again. `HEAD`, with which programs look where links in
/// letters lead, activates nothing.
#[get("/activate/{token}")]
#[errors(404 = "No account has this activation token.")]
pub async fn activate(db: Db, method: Method, Path(token): Path<String>) -> Result<Json<Account>> {
    // What is no token of ours is asked of nobody.
    let email = match Uuid::try_parse(&token) {
        Ok(_) if method == Method::HEAD => users::would_activate(&db, &token).await?,
        Ok(_) => users::activate(&db, &token).await?,
        Err(_) => None,
    };
    let email = email.ok_or_else(|| Error::not_found("Invalid activation token").plain())?;
    Ok(Json(Account { email }))
}

/// Lets a user in.
///
/// A wrong address and a wrong password cannot be told apart, by the time it takes either. A hash
/// made with weaker parameters than today's is made anew.
#[post("/login")]
#[errors(401 = "The email address or the password is wrong.", 403 = "The account is not active.")]
pub async fn login(
    db: Db,
    passwords: Passwords,
    tokens: Tokens,
    Json(login): Json<Login>,
) -> Result<Json<Token>> {
    let wrong = || Error::unauthorized("Invalid email or password").plain();
    // Before anybody is looked for: whether there is such a user is nobody's business.
    let password = login.password.ok_or_else(|| Error::unprocessable("a password is missing"))?;
    // Not checked by the rules of today's signup, because accounts of the Python service log in by
    // the address that they have.
    let user = match login.email.as_deref().and_then(Typed::new) {
        Some(typed) => users::find_typed(&db, &typed).await?,
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
        // Nobody waits for it, and a login does not fail because it does.
        piton::spawn(hash_anew(db, passwords, user.email.clone(), user.password_hash, password));
    }
    let token = tokens.access(user.email).fresh().sign()?;
    Ok(Json(Token { token }))
}

/// Keeps the password by a hash made with the costs of today.
async fn hash_anew(db: Db, passwords: Passwords, email: String, before: String, password: String) {
    let done = async {
        let hash = passwords.hash(&password).await?;
        users::set_password(&db, &email, &before, &hash).await
    };
    if let Err(error) = done.await {
        warn!("A password keeps its old hash until the next login: {error}");
    }
}

/// Says who one is.
///
/// By the token in the header `Authorization: Bearer`.
#[get("/me")]
#[errors(
    404 = "There is no such user any more.",
    422 = "The token does not name its user by an email address."
)]
pub async fn me(who: Identity, db: Db) -> Result<Json<Me>> {
    let email = match who.text() {
        // PostgreSQL has no text with a NUL in it.
        Some(email) if !email.contains('\0') => email,
        Some(_) => "",
        None if who.value().is_null() => "",
        None => return Err(Error::unprocessable("the token does not name its user by email")),
    };
    let user = users::find(&db, email).await?;
    let user = user.ok_or_else(|| Error::not_found("User not found").plain())?;
    Ok(Json(Me { email: user.email, name: user.name, active: user.active }))
}
