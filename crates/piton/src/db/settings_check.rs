//! Refuses settings that parse but cannot work.

use std::time::Duration;

use super::settings::DbSettings;
use super::{postgres, sqlite, sqlite_url};
use crate::config::{ByteSize, Problems, Reader, Requirement};

impl DbSettings {
    pub(super) fn check(&self, from: &mut Reader<'_>) {
        for (name, why, fix) in self.problems() {
            from.refuse(name, why, fix);
        }
        if let Some(fault) = self.path.as_deref().and_then(sqlite_url::path_fault) {
            from.refuse("path", fault.why, fault.fix);
        }
        for (name, fault) in postgres::server_config::faults(self) {
            from.refuse(name, fault.why, fault.fix);
        }
    }

    /// Returns the settings that cannot work: the name, the reason, and the fix.
    fn problems(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        const MAX_BUSY_TIMEOUT: Duration = Duration::from_secs(3600);
        let mut problems = Vec::new();
        if self.max_connections == 0 {
            problems.push(("max_connections", "at least one connection is needed", "8"));
        }
        if self.max_page_size < ByteSize::kib(1) {
            problems.push(("max_page_size", "smaller than 1KiB", "1MiB"));
        }
        if self.acquire_timeout.is_zero() {
            problems.push(("acquire_timeout", "no request could get a connection", "5s"));
        }
        if self.connect_timeout.is_zero() {
            problems.push(("connect_timeout", "no server accepts a connection in no time", "5s"));
        }
        if self.busy_timeout > MAX_BUSY_TIMEOUT {
            problems.push(("busy_timeout", "longer than an hour", "5s"));
        }
        self.check_choice(&mut problems);
        problems
    }

    /// Checks that the settings choose one database, which this build supports.
    fn check_choice(&self, problems: &mut Vec<(&'static str, &'static str, &'static str)>) {
        let postgres = self.is_postgres();
        if postgres && !postgres::IS_AVAILABLE {
            let name = if self.host.is_some() { "host" } else { "url" };
            let fix = "give piton the feature `postgres` in Cargo.toml, or use SQLite";
            problems.push((name, "this build of piton does not support PostgreSQL", fix));
        }
        if !postgres && !sqlite::IS_AVAILABLE {
            let fix = "set db.url or db.host, or give piton the feature `sqlite` in Cargo.toml";
            problems.push(("host", "no database is named, and this build has no SQLite", fix));
        }
        if postgres && self.path.is_some() {
            let fix = "remove it, or db.host and db.url";
            problems.push(("path", "a SQLite file, although a PostgreSQL server is named", fix));
        }
        if self.host.is_some() && self.url.as_ref().is_some_and(|url| url.sqlite_file().is_some()) {
            let fix = "remove db.host, or the SQLite address in db.url";
            problems.push((
                "url",
                "the address of a SQLite file, although a PostgreSQL server is named",
                fix,
            ));
        }
        let named = [
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
            ("database", self.database.is_some()),
            ("port", self.port.is_some()),
        ];
        if !postgres {
            for (name, _) in named.iter().filter(|(_, given)| *given) {
                let fix = "set db.host or db.url too, or remove it";
                problems.push((
                    name,
                    "a parameter of a PostgreSQL server, and no server is named",
                    fix,
                ));
            }
        }
    }
}

/// Returns the requirement of a service that stores its data in PostgreSQL except on a developer's
/// machine, for [`App::require_outside_local`](crate::App::require_outside_local).
#[must_use]
pub const fn postgres_required() -> Requirement {
    const WHY: &str =
        "no PostgreSQL server is named, and the data would be stored in a file on this machine";
    const FIX: &str = "set POSTGRESQL_HOST, POSTGRESQL_USER, POSTGRESQL_PASSWORD and POSTGRESQL_DATABASE, or DATABASE_URL";
    Requirement::new("db.host", WHY, FIX, |config| {
        let mut problems = Problems::new();
        let settings: DbSettings = config.read("db", &mut problems);
        // Met if there are problems, because those are reported by themselves.
        settings.is_postgres() || !problems.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;
    use crate::db::database_url::DbUrl;

    #[test]
    fn settings_that_cannot_work_are_refused_all_at_once() {
        assert!(DbSettings::default().problems().is_empty());
        let wrong = DbSettings {
            max_connections: 0,
            acquire_timeout: Duration::ZERO,
            busy_timeout: Duration::MAX,
            ..DbSettings::default()
        };
        let names: Vec<_> = wrong.problems().iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, ["max_connections", "acquire_timeout", "busy_timeout"]);
    }

    #[test]
    fn a_server_must_be_named_completely_and_without_another_database() {
        let names = |settings: DbSettings| -> Vec<&'static str> {
            settings.problems().iter().map(|(name, ..)| *name).collect()
        };
        let none = DbSettings::default;
        assert_eq!(names(DbSettings { user: Some("me".into()), ..none() }), ["user"]);
        let url = DbUrl::parse(&serde_json::json!("sqlite:data/x.db")).ok();
        assert!(!DbSettings { url, ..none() }.is_postgres());
        let host = || Some("db".to_owned());
        let both = DbSettings { host: host(), path: Some("a.db".into()), ..none() };
        assert!(names(both).contains(&"path"));
    }
}
