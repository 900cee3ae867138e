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
async fn me(who: Identity) -> Json<Caller> {
    Json(Caller { email: who.subject().to_owned(), service: "off-piste" })
}
