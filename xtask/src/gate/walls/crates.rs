//! Holds the arrows between the crates of the workspace, by the dependencies in their `Cargo.toml`.

use std::fs;

use serde_json::Value;

use crate::command::{Cmd, Result, root};

/// A crate of the workspace, and the crates of the workspace that its code and its build may use.
const ALLOWED: [(&str, &[&str]); 11] = [
    ("piton", &["piton-celery", "piton-macros"]),
    ("piton-celery", &[]),
    ("piton-macros", &[]),
    ("test-support", &[]),
    ("xtask", &[]),
    ("e2e", &[]),
    ("token-service", &["piton"]),
    ("ashirt-worker", &["piton"]),
    ("envpage", &["piton"]),
    ("off-piste", &["piton"]),
    ("piste", &["piton"]),
];

/// Services that are not listed may use the framework and nothing else.
const SERVICE_MAY_USE: &[&str] = &["piton"];

/// Returns what is wrong, with the `Cargo.toml`.
///
/// # Errors
/// When Cargo does not describe the workspace.
pub fn check() -> Result<Vec<String>> {
    let metadata = Cmd::new("cargo metadata --format-version 1 --no-deps").read()?;
    Ok(problems(&serde_json::from_str(&metadata)?))
}

/// Dependencies of tests do not count: a test may use whatever it tests with.
fn problems(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let members: Vec<String> = packages.iter().map(name).collect();
    let mut problems = Vec::new();
    for package in packages {
        let this = name(package);
        let allowed = ALLOWED.iter().find(|(known, _)| *known == this);
        let allowed = allowed.map_or(SERVICE_MAY_USE, |(_, allowed)| allowed);
        let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
        for dependency in dependencies.iter().filter(|one| one["kind"] != "dev") {
            let other = name(dependency);
            if members.contains(&other) && !allowed.contains(&other.as_str()) {
                let manifest = package["manifest_path"].as_str().unwrap_or_default();
                let line = line_of(manifest, &other);
                let manifest = manifest.trim_start_matches(&format!("{}/", root().display()));
                problems.push(format!(
                    "{manifest}:{line}: `{this}` depends on `{other}`; of the workspace it may use {}",
                    if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") },
                ));
            }
        }
    }
    problems
}

/// Returns the line of a manifest that names the dependency, or 1.
fn line_of(manifest: &str, dependency: &str) -> usize {
    let text = fs::read_to_string(manifest).unwrap_or_default();
    let names = |line: &str| line.trim_start().starts_with(dependency);
    text.lines().position(names).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_uses_the_framework_and_its_tests_what_they_want() {
        let metadata = serde_json::json!({"packages": [
            {"name": "piton", "dependencies": [{"name": "serde", "kind": null}]},
            {"name": "test-support", "dependencies": []},
            {"name": "new-service", "manifest_path": "new-service/Cargo.toml", "dependencies": [
                {"name": "piton", "kind": null},
                {"name": "test-support", "kind": "dev"},
            ]},
            {"name": "other", "manifest_path": "other/Cargo.toml", "dependencies": [
                {"name": "new-service", "kind": null},
            ]},
        ]});
        assert_eq!(
            problems(&metadata),
            [
                "other/Cargo.toml:1: `other` depends on `new-service`; of the workspace it may use piton"
            ]
        );
    }
}
