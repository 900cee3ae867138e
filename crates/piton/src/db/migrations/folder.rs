//! Compares migration folders with the embedded files, for development.

use tracing::warn;

use super::embedded::Migrations;

/// Returns the differences between the folders of `lists` and the embedded files.
pub(in crate::db) async fn differences(lists: &[Migrations]) -> Vec<String> {
    let lists = lists.to_vec();
    let look = move || lists.iter().flat_map(Migrations::differences).collect();
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// Warns of differences, because a macro cannot see that a file was added to a folder.
pub(in crate::db) async fn warn_of_differences(lists: &[Migrations]) {
    for difference in differences(lists).await {
        warn!("The migration {difference}: build again. {BUILD_SCRIPT_HINT}");
    }
}

/// Explains how to make cargo notice new files.
pub(in crate::db) const BUILD_SCRIPT_HINT: &str = "A `build.rs` with `println!(\"cargo:rerun-if-changed=migrations\");` makes cargo notice new files";
