//! `App::static_files`: folders that the app serves as they are.

use std::panic::Location;

use super::App;
use crate::http::{StaticFiles, StaticMount};

impl App {
    /// Serves the files of a folder below `prefix`, at paths that have no route: routes always win. `"/"` is every
    /// path. Of several folders with a file for a path, the one with the longest prefix wins.
    ///
    /// Clients get `ETag`, `Last-Modified`, ranges, a precompressed sibling (`app.js.br`, `.zst`, `.gz`) if there is one
    /// that they accept, and `index.html` for its folder. No list of a folder, nothing hidden (`.git`), and nothing
    /// outside of the folder is served, also not by a symbolic link. [`StaticFiles`] has more options;
    /// [`piton::embed!`](crate::embed!) puts the files into the program of a release.
    ///
    /// ```
    /// use piton::prelude::*;
    ///
    /// let app = App::new("shop").static_files("/", "static");
    /// ```
    ///
    /// The launch is refused if there is no such folder.
    #[must_use]
    #[track_caller]
    pub fn static_files(mut self, prefix: impl AsRef<str>, files: impl Into<StaticFiles>) -> Self {
        self.file_mounts.push(StaticMount::new(prefix.as_ref(), files.into(), Location::caller()));
        self
    }
}
