//! Shows variables of the environment: as a page for people, as JSON for programs.
//!
//! Whether a secret has reached a container is the first question when one does not start, and the
//! answer is hidden in three places: the environment, `.env`, and files that an orchestrator mounts. A
//! [`Panel`] names variables in groups, [`Panel::read`] looks for each where it may be, and a
//! [`Reading`] is what may be shown of it: unless told otherwise, no secret is.
//!
//! ```
//! use piton::axum::http::HeaderMap;
//! use piton::axum::response::Response;
//! use piton::panel::{Group, Panel, Sources};
//! use piton::prelude::*;
//!
//! fn panel() -> Panel {
//!     Panel::new("My service")
//!         .about("What it was given.")
//!         .group(Group::new("Redis", "Where the cache is", ["REDIS_HOST", "REDIS_PASSWORD"]))
//! }
//!
//! #[get("/panel")]
//! async fn show(headers: HeaderMap) -> Response {
//!     let sources = Sources::of(&piton::app()).folder("/etc/secrets");
//!     panel().read(&sources).await.answer(&headers)
//! }
//!
//! fn app() -> App {
//!     App::new("my_service").expose_env(|_| panel().variables())
//! }
//! # fn main() {}
//! ```
//!
//! `docs/panel.md` has the whole of it.

mod accept;
mod answer;
mod group;
mod groups;
mod hosts;
mod mask;
mod page;
mod pieces;
mod reading;
mod sources;

#[cfg(all(test, unix))]
mod tests;

use std::borrow::Cow;

pub use group::Group;
pub use groups::Groups;
pub use hosts::Hosts;
pub use mask::Mask;
pub use reading::{GroupReading, Place, Reading, State, VariableReading};
pub use sources::Sources;

/// Which variables are shown, and what is said above them. Cheap enough to make for each request.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    title: Cow<'static, str>,
    about: Option<Cow<'static, str>>,
    warning: Option<Cow<'static, str>>,
    alarm: Option<Cow<'static, str>>,
    json_at: Option<Cow<'static, str>>,
    groups: Vec<Group>,
    mask: Mask,
}

impl Panel {
    /// A panel without variables, that hides secrets.
    #[must_use]
    pub fn new(title: impl Into<Cow<'static, str>>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// What it is for, in a sentence or two.
    #[must_use]
    pub fn about(self, about: impl Into<Cow<'static, str>>) -> Self {
        Self { about: Some(about.into()), ..self }
    }

    /// What whoever sees it must be told, in red.
    #[must_use]
    pub fn warning(self, warning: impl Into<Cow<'static, str>>) -> Self {
        Self { warning: Some(warning.into()), ..self }
    }

    /// What is wrong at this moment, across the page, on red.
    #[must_use]
    pub fn alarm(self, alarm: impl Into<Cow<'static, str>>) -> Self {
        Self { alarm: Some(alarm.into()), ..self }
    }

    /// Where the same is to be had as JSON, relative to the page: the page links to it.
    #[must_use]
    pub fn json_at(self, path: impl Into<Cow<'static, str>>) -> Self {
        Self { json_at: Some(path.into()), ..self }
    }

    /// Adds a group.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self
    }

    /// Adds groups, such as those of a setting.
    #[must_use]
    pub fn groups(mut self, groups: impl IntoIterator<Item = Group>) -> Self {
        self.groups.extend(groups);
        self
    }

    /// Which values are hidden. **Default: [`Mask::Secrets`].**
    #[must_use]
    pub fn mask(self, mask: Mask) -> Self {
        Self { mask, ..self }
    }

    /// The variables that must be kept for it: of each name, and those that may name a file in its
    /// stead (`<NAME>_FILE`). For [`App::expose_env`](crate::App::expose_env).
    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        let names = self.groups.iter().flat_map(Group::variables);
        names.flat_map(|name| [name.to_owned(), sources::of_file(name)]).collect()
    }

    /// Looks for every variable where it may be, and hides what is to be hidden. Files are read anew at
    /// each call, on a thread that may wait: an orchestrator changes them under a running service.
    pub async fn read(&self, sources: &Sources) -> Reading {
        let (panel, sources) = (self.clone(), sources.clone());
        let reading = tokio::task::spawn_blocking(move || panel.read_now(&sources));
        reading.await.expect("a reading does not panic, and is not aborted")
    }

    fn read_now(&self, sources: &Sources) -> Reading {
        let text = |text: &Option<Cow<'static, str>>| text.as_deref().map(str::to_owned);
        Reading {
            title: self.title.clone().into_owned(),
            about: text(&self.about),
            warning: text(&self.warning),
            alarm: text(&self.alarm),
            mask: self.mask,
            groups: self.groups.iter().map(|group| group.read(sources, self.mask)).collect(),
            json_at: text(&self.json_at),
        }
    }
}
