//! The checked-in document with its collections.

use std::fs;
use std::path::Path;

/// Where they are checked in.
const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dist");

#[test]
fn the_checked_in_files_are_what_the_program_writes() {
    for file in piste::app().openapi_files().unwrap() {
        let path = Path::new(DIST).join(&file.name);
        let checked_in = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            checked_in == file.text,
            "{} is not up to date; to see what would break clients:\n\
             cargo run -p piste -- openapi --check --out services/piste/dist\n\
             and to correct it:\ncargo xtask generate",
            path.display()
        );
    }
}
