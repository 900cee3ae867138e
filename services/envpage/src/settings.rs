//! What the page shows, and where it looks.

use std::path::PathBuf;

use piton::config::Reader;
use piton::panel::{Group, Groups, Hosts, Mask};
use piton::prelude::*;

/// What the page shows, and where it looks.
#[derive(Clone, Debug, Settings)]
#[setting(check = Self::check)]
pub struct PageSettings {
    /// The page's title and heading. **Default: `Lab Mock Server`.**
    pub title: String,
    /// The groups of variables, in the order of the page. In a file each is a table with `name`,
    /// `description` and `vars`, the names of its variables.
    /// **Default: `PostgreSQL`, `Redis` and `App` of the lab.**
    pub groups: Groups,
    /// Which values are hidden: none, those that look like secrets by their name or by themselves, or
    /// all. **Default: `none` in development, `secrets` in production.**
    pub mask: Option<Mask>,
    /// Folders in which a file has the name and the value of a variable, as Kubernetes mounts secrets;
    /// the first is the strongest, the environment outranks them. They are read at each request.
    /// **Default: `/etc/secrets`.**
    pub secret_folders: Vec<PathBuf>,
    /// Names, without ports, by which the page may be asked for beside `localhost` and addresses, where it
    /// listens on this machine alone (as in development). Add that of a proxy; others are refused, as a
    /// stranger's page in a browser could otherwise read this one. **Default: none.**
    pub hosts: Vec<String>,
    /// Whether it starts in production all the same. **Default: `false`.**
    pub force_production: bool,
}

impl Default for PageSettings {
    fn default() -> Self {
        Self {
            title: "Lab Mock Server".into(),
            groups: Groups(groups()),
            mask: None,
            secret_folders: vec!["/etc/secrets".into()],
            hosts: Vec::new(),
            force_production: false,
        }
    }
}

impl PageSettings {
    fn check(&self, reader: &mut Reader<'_>) {
        if self.title.trim().is_empty() {
            reader.refuse(
                "title",
                "a page without a title cannot be told",
                "title = \"Lab Mock Server\"",
            );
        }
        if let Some(fix) = bare_names(&self.hosts) {
            reader.refuse(
                "hosts",
                "what is no bare name, or a pattern, can never be asked for",
                fix,
            );
        }
    }
}

/// The names that were meant, as they must be written, unless they are written so.
fn bare_names(hosts: &[String]) -> Option<String> {
    let is_bare = |host: &String| Hosts::bare_name(host) == Some(host);
    if hosts.iter().all(is_bare) {
        return None;
    }
    let names: Vec<&str> = hosts.iter().filter_map(|host| Hosts::bare_name(host)).collect();
    let names = if names.is_empty() { vec!["lab.internal"] } else { names };
    Some(format!("hosts = {names:?}"))
}

/// Those of the Terraform lab that the page was made for.
fn groups() -> Vec<Group> {
    let postgres =
        ["POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB"];
    vec![
        Group::new("PostgreSQL", "Postgres database credentials", postgres),
        Group::new("Redis", "Redis database credentials", ["REDIS_HOST", "REDIS_PORT"]),
        Group::new("App", "Application credentials", ["CSRF_SECRET"]),
    ]
}
