//! The peer of piste: it identifies users by tokens that piste has issued.

use piton::prelude::*;

piton::blueprint!("/user", tag = "users");

/// Returns the service, which `main` runs and tests launch.
#[must_use]
pub fn app() -> App {
    piton::new_app!().env_prefix("GNAR")
}

/// The status of the service.
#[derive(Serialize, JsonSchema)]
pub struct Status {
    /// Always `ok`.
    pub status: &'static str,
}

/// The user who sent the request.
#[derive(Serialize, JsonSchema)]
pub struct Caller {
    /// The email address that the token was issued for.
    pub email: String,
    /// The service that responds.
    pub service: &'static str,
}

/// Shows that the service is running.
#[get("/get")]
async fn status() -> Json<Status> {
    Json(Status { status: "ok" })
}

/// Shows the user who sent the request.
#[get("/me")]
async fn me(identity: Identity) -> Result<Json<Caller>> {
    // A number is refused, because it is not the user whose address has the same digits.
    let email = match identity.text() {
        Some(email) => email,
        None if identity.value().is_null() => "",
        None => return Err(Error::unprocessable("the token does not name its user by email")),
    };
    Ok(Json(Caller { email: email.to_owned(), service: "off-piste" }))
}
