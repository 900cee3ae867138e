//! Shows environment variables: as a page for people, as JSON for programs.
//!
//! If a container does not start, the first question is often whether a secret has reached it, and the
//! answer is in three places: the environment, `.env`, and files that an orchestrator mounts. A [`Panel`]
//! names variables in groups, [`Panel::read`] reads each from these places, and the [`PanelSnapshot`] has
//! what may be shown of them: no secret, unless the mask says so.
//!
//! ```
//! use piton::axum::http::HeaderMap;
//! use piton::axum::response::Response;
//! use piton::panel::{Group, Panel, VariableSources};
//! use piton::prelude::*;
//!
//! fn panel() -> Panel {
//!     Panel::new("My service")
//!         .about("The variables that it has received.")
//!         .group(Group::new("Redis", "Address of the cache", ["REDIS_HOST", "REDIS_PASSWORD"]))
//! }
//!
//! #[get("/panel")]
//! async fn show(headers: HeaderMap) -> Response {
//!     let sources = VariableSources::of(&piton::app()).folder("/etc/secrets");
//!     panel().read(&sources).await.respond(&headers)
//! }
//!
//! fn app() -> App {
//!     App::new("my_service").expose_env(|_| panel().variables())
//! }
//! # fn main() {}
//! ```
//!
//! See `docs/panel.md` for all of it.

mod allowed_hosts;
mod content_negotiation;
mod group;
mod groups_setting;
mod mask;
mod page;
#[expect(clippy::module_inception, reason = "the type that the module is named after")]
mod panel;
mod response;
mod snapshot;
mod variable_sources;
mod visible_text;

#[cfg(test)]
#[cfg(unix)]
mod tests;

pub use allowed_hosts::AllowedHosts;
pub use group::Group;
pub use groups_setting::Groups;
pub use mask::Mask;
pub use panel::Panel;
pub use snapshot::{GroupSnapshot, PanelSnapshot, ValueSource, VariableSnapshot, VariableState};
pub use variable_sources::VariableSources;
