//! Finds the SQLite file that the settings name.

use std::path::Path;

use crate::db::database_url::DbUrl;
use crate::db::settings::DbSettings;
use crate::db::sqlite_url::SqliteFile;

/// Returns the file of `db.path`, or of `db.url`, or else one in the data folder that is named
/// after the app.
pub(super) fn file_of(settings: &DbSettings, app: &str, data_dir: &Path) -> SqliteFile {
    let of_url = settings.url.as_ref().and_then(DbUrl::sqlite_file);
    let path = match (&settings.path, of_url) {
        (Some(path), _) => path.clone(),
        (None, Some(file)) => return file,
        // Slashes are replaced, because the app's name must not lead out of the data folder.
        (None, None) => data_dir.join(format!("{}.db", app.replace(['/', '\\'], "_"))),
    };
    SqliteFile { path, create: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;

    #[test]
    fn the_file_is_named_after_the_app() {
        let file = |app| file_of(&DbSettings::default(), app, Path::new("data")).path;
        assert_eq!(file("registry"), Path::new("data/registry.db"));
        assert_eq!(file("../a"), Path::new("data/.._a.db"));
    }

    #[test]
    fn the_file_of_the_url_is_taken() {
        let url = DbUrl::parse(&serde_json::json!("sqlite:data/x.db")).ok();
        let settings = DbSettings { url, ..DbSettings::default() };
        assert_eq!(file_of(&settings, "app", Path::new("d")).path, Path::new("data/x.db"));
    }
}
