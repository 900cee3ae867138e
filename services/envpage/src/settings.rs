//! The section `[page]`: the variables of the page, and the folders of secrets.

use std::path::PathBuf;

use piton::config::Reader;
use piton::panel::{AllowedHosts, Group, Groups, Mask};
use piton::prelude::*;

/// The variables that the page shows, and the places where it looks for their values.
#[derive(Clone, Debug, Settings)]
#[setting(check = Self::check)]
pub struct PageSettings {
    /// The page's title and heading. **Default: `Lab Mock Server`.**
    pub title: String,
    /// Groups of variables, in the order of the page. In a file each is a table with `name`,
    /// `description` and `vars`, the names of its variables.
    /// **Default: `PostgreSQL`, `Redis` and `App` of the lab.**
    pub groups: Groups,
    /// Values that are hidden: `none`, `secrets` (recognised by the variable's name or by their form), or
    /// `all`. **Default: `none` in development, `secrets` in production.**
    pub mask: Option<Mask>,
    /// Folders in which a file has the name and the value of a variable, as Kubernetes mounts secrets.
    /// The first folder outranks the others, and the environment outranks them all. They are read at each
    /// request.
    /// **Default: `/etc/secrets`.**
    pub secret_folders: Vec<PathBuf>,
    /// Host names, without ports, that requests may have besides `localhost` and IP addresses, if the page
    /// listens on this machine alone (as in development). Add the name of a proxy. Other names are refused,
    /// because a page of another site in a browser could otherwise read this one. **Default: none.**
    pub hosts: Vec<String>,
    /// Starts in production, too. Set it only where nobody else reaches the page. **Default: `false`.**
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
            reader.refuse("title", "the title is empty", "title = \"Lab Mock Server\"");
        }
        if let Some(fix) = bare_names(&self.hosts) {
            reader.refuse(
                "hosts",
                "an entry is not a host name, or is a pattern, and no request would match it",
                fix,
            );
        }
    }
}

/// Returns the fix, with the host names of all entries, if some entry is not a bare name.
fn bare_names(hosts: &[String]) -> Option<String> {
    let is_bare = |host: &String| AllowedHosts::bare_name(host) == Some(host);
    if hosts.iter().all(is_bare) {
        return None;
    }
    let names: Vec<&str> = hosts.iter().filter_map(|host| AllowedHosts::bare_name(host)).collect();
    let names = if names.is_empty() { vec!["lab.internal"] } else { names };
    Some(format!("hosts = {names:?}"))
}

/// Returns the groups of the Terraform lab that the page was made for.
fn groups() -> Vec<Group> {
    let postgres =
        ["POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB"];
    vec![
        Group::new("PostgreSQL", "Postgres database credentials", postgres),
        Group::new("Redis", "Redis database credentials", ["REDIS_HOST", "REDIS_PORT"]),
        Group::new("App", "Application credentials", ["CSRF_SECRET"]),
    ]
}
