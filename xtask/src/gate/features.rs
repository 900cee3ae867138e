//! Checks piton with no feature and with each feature alone.
//!
//! A misplaced gate compiles with all features together and fails for a service with one of them.
//! Clippy includes `cargo check`, and can reject warnings (a function that only another feature
//! uses) without rebuilding all dependencies.

use serde_json::Value;

use super::gate_cargo;
use crate::command::{Cmd, Result};

const PACKAGE: &str = "piton";

pub fn check() -> Result<()> {
    alone(None)?;
    let metadata = Cmd::new("cargo metadata --format-version 1 --no-deps").read()?;
    for feature in of(&serde_json::from_str(&metadata)?, PACKAGE)? {
        alone(Some(&feature))?;
    }
    Ok(())
}

fn alone(feature: Option<&str>) -> Result<()> {
    let command = gate_cargo("cargo clippy --quiet --no-default-features --package").arg(PACKAGE);
    let command = match feature {
        Some(feature) => command.arg("--features").arg(feature),
        None => command,
    };
    command.arg("--").arg("-D").arg("warnings").run()
}

/// Returns the features of a package in `cargo metadata`, without `default`.
fn of(metadata: &Value, package: &str) -> Result<Vec<String>> {
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let found = packages
        .iter()
        .find(|found| found["name"] == package)
        .ok_or_else(|| format!("no package `{package}` in the workspace"))?;
    let features = found["features"].as_object().ok_or("cargo metadata lists no features")?;
    Ok(features.keys().filter(|name| *name != "default").cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_of_the_package_is_found_but_default() {
        let metadata = serde_json::json!({"packages": [
            {"name": "other", "features": {"x": []}},
            {"name": "piton", "features": {"default": [], "sqlite": ["dep:sqlx"], "validation": []}},
        ]});
        assert_eq!(of(&metadata, "piton").unwrap(), ["sqlite", "validation"]);
        assert!(of(&metadata, "absent").is_err());
    }
}
