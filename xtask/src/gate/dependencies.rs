//! Checks the dependencies: duplicates, their number, and TLS providers.
//!
//! Two versions of a crate slow down every build, and their types do not match. Inevitable ones are
//! listed in `xtask/duplicates.txt` with the reason.

use std::collections::BTreeSet;
use std::fs;

use crate::cargo_tree::{self, Crate, crates_with_several_versions};
use crate::command::{Cmd, Result, root, say};

/// Maximum number of crates of the core without a database, itself included.
const MAX_CRATES: usize = 200;

/// Crates that would be a second TLS or crypto provider in one process.
const REFUSED: [&str; 4] = ["ring", "openssl", "openssl-sys", "native-tls"];

const SKIPS: &str = "xtask/duplicates.txt";
const ALL: &str = "cargo tree --workspace --all-features --edges normal,build";
const DIRECT: &str = "cargo tree --workspace --all-features --edges normal,build,dev --depth 1";
const CORE: &str = "cargo tree --package piton --edges normal,build";

/// Fails on a crate in two versions, on a second TLS provider, and on a pre-release.
pub fn check() -> Result<()> {
    let crates = cargo_tree::crates(&Cmd::new(ALL))?;
    let skips = skips(&fs::read_to_string(root().join(SKIPS))?)?;
    let mut problems = duplicates(&crates, &skips);
    problems.extend(refused(&crates));
    problems.extend(unfinished(&cargo_tree::crates(&Cmd::new(DIRECT))?));
    say(&format!("{} crates, {} duplicates with a reason", crates.len(), skips.len()));
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n  ").into()) }
}

/// Fails if the core uses more crates than allowed.
pub fn count() -> Result<()> {
    let count = cargo_tree::crates(&Cmd::new(CORE))?.len();
    say(&format!("{count} crates in the core without a database; at most {MAX_CRATES}"));
    if count <= MAX_CRATES {
        return Ok(());
    }
    Err(format!("{count} crates, {MAX_CRATES} are the most: `{CORE} --prefix none`").into())
}

/// A version of a crate that may exist next to another one.
#[derive(Debug, PartialEq, Eq)]
struct Skip {
    name: String,
    version: String,
}

impl Skip {
    // Compared by components, so that `2` matches 2.0.119 and not 20.1.0.
    fn is(&self, name: &str, version: &str) -> bool {
        let rest = version.strip_prefix(&self.version);
        self.name == name && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

// A reason is required, so that nobody has to guess later: `name version reason...`. Lines starting
// with `#` are comments.
fn skips(text: &str) -> Result<Vec<Skip>> {
    let mut skips = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(name), Some(version), Some(_)) = (words.next(), words.next(), words.next())
        else {
            return Err(format!("{SKIPS}:{}: write `crate version reason`", at + 1).into());
        };
        skips.push(Skip { name: name.to_owned(), version: version.to_owned() });
    }
    Ok(skips)
}

fn duplicates(crates: &BTreeSet<Crate>, skips: &[Skip]) -> Vec<String> {
    let twice = crates_with_several_versions(crates);
    let mut problems = Vec::new();
    for (name, versions) in &twice {
        let known = |version: &&&str| skips.iter().any(|skip| skip.is(name, version));
        if versions.iter().filter(|version| !known(version)).count() > 1 {
            problems.push(format!(
                "{name} is there as {}: who brings it says `{ALL} --invert {name}@{}`; \
                 a reason to keep it goes into {SKIPS}",
                versions.join(" and "),
                versions[0],
            ));
        }
    }
    for skip in skips {
        let versions = twice.get(skip.name.as_str()).map_or(&[][..], Vec::as_slice);
        if !versions.iter().any(|version| skip.is(&skip.name, version)) {
            let Skip { name, version } = skip;
            problems
                .push(format!("{name} {version} is no duplicate any more: remove it from {SKIPS}"));
        }
    }
    problems
}

fn refused(crates: &BTreeSet<Crate>) -> Vec<String> {
    let bad = crates.iter().filter(|one| REFUSED.contains(&one.name.as_str()));
    let say = |one: &Crate| {
        let name = &one.name;
        format!("{name} is a second TLS provider: who brings it says `{ALL} --invert {name}`")
    };
    bad.map(say).collect()
}

fn unfinished(direct: &BTreeSet<Crate>) -> Vec<String> {
    // Cut at `+`, because build metadata is not a pre-release: 0.1.5+libz-1.2.
    let early = |one: &&Crate| one.version.split('+').next().is_some_and(|it| it.contains('-'));
    let say = |one: &Crate| format!("{} {} is a pre-release: pin a release", one.name, one.version);
    direct.iter().filter(early).map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(crates: &[(&str, &str)]) -> BTreeSet<Crate> {
        let one = |(name, version): &(&str, &str)| Crate {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
        };
        crates.iter().map(one).collect()
    }

    #[test]
    fn a_duplicate_without_a_reason_is_a_problem() {
        let problems = duplicates(&tree(&[("syn", "2.0.119"), ("syn", "3.0.3")]), &[]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("syn is there as 2.0.119 and 3.0.3: "), "{problems:?}");
    }

    #[test]
    fn a_duplicate_with_a_reason_passes() {
        let skips = skips("# why\n\nsyn 2 garde has not moved to 3\n").unwrap();
        assert!(duplicates(&tree(&[("syn", "2.0.119"), ("syn", "3.0.3")]), &skips).is_empty());
    }

    #[test]
    fn a_reason_that_nobody_needs_any_more_is_a_problem() {
        let skips = skips("syn 2 garde has not moved to 3").unwrap();
        let problems = duplicates(&tree(&[("syn", "3.0.3")]), &skips);
        assert_eq!(
            problems,
            ["syn 2 is no duplicate any more: remove it from xtask/duplicates.txt"]
        );
    }

    #[test]
    fn a_skip_names_whole_components_of_a_version() {
        let skips = skips("syn 2 reason").unwrap();
        assert!(skips[0].is("syn", "2.0.119"));
        assert!(!skips[0].is("syn", "20.1.0"));
    }

    #[test]
    fn a_skip_without_a_reason_is_refused_with_its_line() {
        let error = skips("# comment\nsyn 2\n").unwrap_err().to_string();
        assert_eq!(error, "xtask/duplicates.txt:2: write `crate version reason`");
    }

    #[test]
    fn a_second_tls_provider_is_a_problem() {
        assert_eq!(refused(&tree(&[("ring", "0.17.8"), ("rustls", "0.23.0")])).len(), 1);
    }

    #[test]
    fn a_pre_release_is_a_problem_and_build_metadata_is_not() {
        let problems = unfinished(&tree(&[("a", "1.0.0-rc.1"), ("b", "0.1.5+libz-1.2")]));
        assert_eq!(problems, ["a 1.0.0-rc.1 is a pre-release: pin a release"]);
    }
}
