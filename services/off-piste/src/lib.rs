//! The service beside piste: it knows nobody but who is calling, by a token that piste has made.

use piton::prelude::*;

piton::blueprint!("/user", tag = "users");

/// The service: `main` runs it, tests launch it.
#[must_use]
pub fn app() -> App {
    App::new("off_piste").version(env!("CARGO_PKG_VERSION")).env_prefix("GNAR")
}

/// That the service is there.
#[derive(Serialize, JsonSchema)]
pub struct Status {
    /// Always `ok`.
    pub status: &'static str,
}

/// Who is calling.
#[derive(Serialize, JsonSchema)]
pub struct Caller {
    /// The email address that the token was made for.
    pub email: String,
    /// The service that answers.
    pub service: &'static str,
}

/// Says that the service is there.
#[get("/get")]
async fn status() -> Json<Status> {
    Json(Status { status: "ok" })
}

/// Says who is calling.
#[get("/me")]
async fn me(who: Identity) -> Result<Json<Caller>> {
    // A number is not the user whose address has the same digits.
    let email = match who.text() {
        Some(email) => email,
        None if who.value().is_null() => "",
        None => return Err(Error::unprocessable("the token does not name its user by email")),
    };
    Ok(Json(Caller { email: email.to_owned(), service: "off-piste" }))
}
