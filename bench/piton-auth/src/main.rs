//! A Piton service with Gnar Gear's users: `GNAR_PG_ENDPOINT=.. piton-auth --port 5001` until SIGTERM.

use piton::prelude::*;

#[derive(Serialize, JsonSchema)]
struct Who {
    identity: String,
}

#[derive(Serialize, JsonSchema, FromRow)]
struct Me {
    email: String,
    name: Option<String>,
    active: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Login {
    email: String,
    password: String,
}

#[derive(Serialize, JsonSchema)]
struct Token {
    token: String,
}

#[get("/")]
async fn hello() -> &'static str {
    "Hello, world!"
}

#[get("/user/identity")]
async fn identity(who: Identity) -> Json<Who> {
    Json(Who { identity: who.subject().to_owned() })
}

#[get("/user/me")]
async fn me(who: Identity, db: Db) -> Result<Json<Me>> {
    let sql = "SELECT email, name, active FROM users WHERE email = $1";
    let me = db.one::<Me>(sql, (who.subject(),)).await?;
    me.map(Json).ok_or_else(|| Error::not_found("User not found"))
}

#[post("/user/login")]
async fn login(
    db: Db,
    passwords: Passwords,
    tokens: Tokens,
    Json(login): Json<Login>,
) -> Result<Json<Token>> {
    let sql = "SELECT password_hash FROM users WHERE email = $1";
    let hash: Option<String> = db.one(sql, (&*login.email,)).await?;
    let hash = hash.ok_or_else(|| Error::unauthorized("Invalid email or password"))?;
    passwords.verify(&hash, &login.password).await?;
    Ok(Json(Token { token: tokens.access(login.email).fresh().sign()? }))
}

fn main() -> piton::Exit {
    App::new("piton_auth").env_prefix("GNAR").production(true).set("admin.address", "off").run()
}
