//! HTTP client: calls to peers (the services of the same system) and to external hosts.
//!
//! A call carries the id and the trace of the request that caused it, has a deadline, is retried where
//! that is safe, and fails at once while the other side is known to be unavailable (a circuit breaker).
//!
//! ```
//! use piton::prelude::*;
//! use piton::client::{External, Peers};
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct User { name: String }
//!
//! /// Returns the caller, as the service `off-piste` knows them.
//! #[get("/skier")]
//! async fn skier(peers: Peers) -> Result<Json<User>> {
//!     let response = peers.peer("off-piste")?.get("user/me").auto_auth().send().await?;
//!     Ok(Json(response.error_for_status()?.json().await?))
//! }
//!
//! /// Returns how deep the snow is.
//! #[get("/snow")]
//! async fn snow(external: External) -> Result<String> {
//!     let call = external.get("https://snow.example.com/api").query(&[("unit", "cm")]);
//!     Ok(call.send().await?.error_for_status()?.text().await?)
//! }
//! # fn main() {}
//! ```
//!
//! # Addresses of peers
//!
//! The address of `off-piste` is the setting `client.peers.off-piste`, or the variable `OFF_PISTE_SERVICE_PORT`
//! that Kubernetes sets; in development `PITON_OFF_PISTE_SERVICE_PORT` takes precedence. The value is
//! `host:port`, `tcp://host:port`, or a port alone together with `OFF_PISTE_SERVICE_HOST`.
//!
//! # Retries
//!
//! | failure | `GET`, `HEAD`, `OPTIONS`, and calls that are [`idempotent`](Call::idempotent) | others |
//! |---|---|---|
//! | no connection | yes | yes |
//! | no response in time, the connection broke | yes | no |
//! | 429, 502, 503, 504 | yes, after `Retry-After` if it is 5 s or less | no |
//! | anything else | no | no |
//!
//! A call with a [`Multipart`] is never retried, and no call is once the head of its response has arrived:
//! a failure while the body is read is an error. The circuit breaker counts it all the same.

mod call;
mod circuit_breaker;
mod error;
mod external_calls;
mod metrics;
mod multipart;
mod peer_calls;
mod peers;
mod private_addresses;
mod redirects;
mod response;
mod retries;
mod retry_after;
mod service_variables;
mod settings;
mod shared_state;
#[cfg(test)]
mod tests;
mod transport;

pub use call::Call;
pub use error::{Error, Kind};
pub use external_calls::External;
pub use multipart::Multipart;
pub use peer_calls::{Peer, Peers};
pub use peers::PeerAddress;
pub use response::Response;
pub use settings::{ClientSettings, ProxyUrl};
