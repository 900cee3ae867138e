//! Facts about the crate that stand in several files are the same in all of them.

/// Reads a file of the repository. Not by `include_str!`, which could not be compiled outside of it.
fn repository_file(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    std::fs::read_to_string(format!("{root}{path}"))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_feature_table_of_the_docs_and_the_readme_names_the_features_of_the_manifest() {
    let rows = |path: &str| -> Vec<String> {
        let text = repository_file(path);
        let lines = text.lines().map(|line| line.trim_start_matches("//!").trim().to_owned());
        lines.filter(|line| line.starts_with("| ") && line.matches('|').count() == 5).collect()
    };
    let (docs, readme) = (rows("crates/piton/src/lib.rs"), rows("README.md"));
    assert!(!docs.is_empty());
    assert_eq!(
        docs, readme,
        "copy the table of crates/piton/src/lib.rs into README.md, or the reverse"
    );
    let manifest = repository_file("crates/piton/Cargo.toml");
    let features = manifest.split("[features]").nth(1).and_then(|rest| rest.split("\n[").next());
    for line in features.unwrap_or_default().lines().filter(|line| line.contains(" = ")) {
        let name = line.split(" = ").next().unwrap_or_default();
        let row = docs.iter().find(|row| row.contains(&format!("`{name}`")));
        assert!(name == "default" || row.is_some_and(|row| !row.contains("planned")), "{name}");
    }
}

/// Every build and test runs with the minimum version, so that it cannot be wrong.
#[test]
fn the_minimum_rust_version_is_that_of_the_pinned_toolchain() {
    let value = |path: &str, key: &str| -> String {
        let text = repository_file(path);
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split('"').nth(1).unwrap_or_default().to_owned()
    };
    let minimum = value("Cargo.toml", "rust-version");
    assert!(!minimum.is_empty());
    assert_eq!(value("rust-toolchain.toml", "channel"), format!("{minimum}.0"));
}

#[test]
fn each_published_crate_has_both_licences_and_what_a_registry_shows() {
    for name in ["piton", "piton-macros"] {
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let own = repository_file(&format!("crates/{name}/{licence}"));
            assert_eq!(own, repository_file(licence), "{name} {licence}");
        }
        let manifest = repository_file(&format!("crates/{name}/Cargo.toml"));
        for key in ["description", "keywords", "categories", "readme", "[package.metadata.docs.rs]"]
        {
            assert!(manifest.contains(key), "{name} {key}");
        }
    }
}
