//! Reads the output of `cargo tree --prefix none`: the crates that a build really uses.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::{Cmd, Result};

/// One crate of a dependency tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    pub name: String,
    pub version: String,
}

/// Returns the crates of `cargo tree <options>`, each once.
///
/// # Errors
/// When `cargo tree` fails.
pub fn crates(command: &Cmd) -> Result<BTreeSet<Crate>> {
    Ok(parse(&command.clone().arg("--prefix").arg("none").read()?))
}

/// Returns the crates with two versions or more, and these versions.
pub fn crates_with_several_versions(crates: &BTreeSet<Crate>) -> BTreeMap<&str, Vec<&str>> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in crates {
        versions.entry(&one.name).or_default().push(&one.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    versions
}

// Words after the version are ignored, because a line is `name v1.2.3` and perhaps `(proc-macro)`,
// `(/a/path)` or `(*)`.
fn parse(text: &str) -> BTreeSet<Crate> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        let version = words.next()?.strip_prefix('v')?.to_owned();
        Some(Crate { name, version })
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
piton v0.1.0 (/work/main/crates/piton)
axum v0.8.9
axum v0.8.9 (*)
garde_derive v0.23.0 (proc-macro)
syn v2.0.119
piton-macros v0.1.0 (proc-macro) (/work/main/crates/piton-macros)
syn v3.0.3

[build-dependencies]
cc v1.2.0+meta
";

    #[test]
    fn a_crate_is_counted_once_however_often_it_is_printed() {
        let crates = parse(TREE);
        assert_eq!(crates.len(), 7);
        assert_eq!(crates.iter().filter(|one| one.name == "axum").count(), 1);
    }

    #[test]
    fn a_crate_with_two_versions_is_found() {
        let crates = parse(TREE);
        assert_eq!(
            crates_with_several_versions(&crates),
            BTreeMap::from([("syn", vec!["2.0.119", "3.0.3"])])
        );
    }
}
