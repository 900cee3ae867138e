//! The section `[db]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Reader;

/// The database.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct DbSettings {
    /// The file that holds the data. Beside it SQLite keeps two more while the service runs
    /// (`-wal` and `-shm`); they belong together. Set it when the data has a disk of its own; the
    /// disk must be a local one, as SQLite's locks do not work over a network.
    /// **Default: `<name of the app>.db` in the data folder.**
    pub path: Option<PathBuf>,

    /// How many connections there are at most. Each reads on its own, and costs a thread and up
    /// to 2 MiB of cache; only one at a time writes, so more of them do not make writing faster.
    /// Raise it when many long reads run at once. **Default: `8`.**
    pub max_connections: u32,

    /// How long a request waits for a free connection, or for its turn to write, before it is
    /// answered 503. Keep it below the time a request may take. **Default: `5s`.**
    pub acquire_timeout: Duration,

    /// How long a statement waits for another *process* that is writing to the same file, before
    /// it is answered 503. Raise it when a backup or a second service holds the file for longer.
    /// **Default: `5s`.**
    pub busy_timeout: Duration,
}

impl Default for DbSettings {
    fn default() -> Self {
        Self {
            path: None,
            max_connections: 8,
            acquire_timeout: Duration::from_secs(5),
            busy_timeout: Duration::from_secs(5),
        }
    }
}

impl DbSettings {
    fn check(&self, from: &mut Reader<'_>) {
        for (name, why, fix) in self.problems() {
            from.refuse(name, why, fix);
        }
    }

    /// What parses but cannot work: the setting, why, and what to write.
    fn problems(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        const LONGEST: Duration = Duration::from_secs(3600);
        let mut problems = Vec::new();
        if self.max_connections == 0 {
            problems.push(("max_connections", "without a connection nothing can be read", "8"));
        }
        if self.acquire_timeout.is_zero() {
            problems.push(("acquire_timeout", "no request could ever get a connection", "5s"));
        }
        if self.busy_timeout > LONGEST {
            problems.push(("busy_timeout", "longer than an hour", "5s"));
        }
        if !self.path.as_deref().is_none_or(is_file) {
            problems.push(("path", "not the path of a file", "data/service.db"));
        }
        problems
    }

    /// The file that holds the data.
    pub(super) fn file(&self, app: &str, data_dir: &Path) -> PathBuf {
        match &self.path {
            Some(path) => path.clone(),
            None => data_dir.join(format!("{}.db", app.replace(['/', '\\'], "_"))),
        }
    }
}

/// SQLite would read `file:` as a URL, and give each connection a `:memory:` of its own.
fn is_file(path: &Path) -> bool {
    path.to_str().is_some_and(|text| {
        !text.contains(":memory:") && !text.starts_with("file:") && !text.contains('\0')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_named_after_the_app() {
        let file = |app| DbSettings::default().file(app, Path::new("data"));
        assert_eq!(file("registry"), Path::new("data/registry.db"));
        assert_eq!(file("../a"), Path::new("data/.._a.db"));
    }

    #[test]
    fn settings_that_cannot_work_are_refused_all_at_once() {
        assert!(DbSettings::default().problems().is_empty());
        let wrong = DbSettings {
            path: Some(":memory:".into()),
            max_connections: 0,
            acquire_timeout: Duration::ZERO,
            busy_timeout: Duration::MAX,
        };
        let names: Vec<_> = wrong.problems().iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, ["max_connections", "acquire_timeout", "busy_timeout", "path"]);
        let url = DbSettings { path: Some("file:a.db?mode=ro".into()), ..DbSettings::default() };
        assert_eq!(url.problems().len(), 1);
    }
}
