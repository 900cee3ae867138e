//! Holds the walls of ARCHITECTURE.md: which module may name which, and which crate which.
//!
//! It reads the `use` lines and `crate::` paths of the sources, so it needs no build and also sees code behind feature
//! gates. What is allowed stands in [`allowed`] and nowhere else; a test keeps ARCHITECTURE.md's table equal to it.

mod allowed;
mod crates;

use std::path::Path;

use allowed::{MODULES, ModuleRow, is_allowed, row_of};

use crate::command::{Result, say};
use crate::rust_source::{self, Reference, SourceFile};
use crate::voice;

/// Sources of the framework.
const PITON: &str = "crates/piton/src";

/// A module of the ASHIRT worker that may become a crate of its own: it names nothing of the service and nothing of Piton.
const ASHIRT_CLIENT: &str = "services/ashirt-worker/src/ashirt";

/// Feature gates inside code, instead of on a `mod` or `use` line. Each is code that compiles in one build and not in
/// another; STYLE measured them as the best predictor of pain.
const MAX_GATES_INSIDE: usize = 9;

/// Files that can only be read together. More than this is no longer one idea.
const MAX_CIRCLE_FILES: usize = 3;

/// Fails on a forbidden reference with its file and line, on a circle that is too wide, and on too many gates in code.
///
/// # Errors
/// All that is wrong, and what is allowed instead.
pub fn check() -> Result<()> {
    let files = rust_source::read_crate(Path::new(PITON))?;
    let references = rust_source::references(&files);
    let mut problems = crates::check()?;
    problems.extend(unknown_modules(&files));
    problems.extend(forbidden(&files, &references));
    problems.extend(wide_circles(&files, &references));
    problems.extend(gates(&files));
    problems.extend(client_alone(&rust_source::read_crate(Path::new(ASHIRT_CLIENT))?));
    say(&format!("{} references between {} files of piton", references.len(), files.len()));
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n  ").into()) }
}

/// Reports modules that the table does not have: without a row nothing would hold them.
fn unknown_modules(files: &[SourceFile]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        let known = file.module.first().is_none_or(|top| MODULES.iter().any(|row| row.name == top));
        if !known && file.module.len() == 1 {
            let path = file.path.display();
            problems
                .push(format!("{path}: no row for this module in xtask/src/gate/walls/allowed.rs"));
        }
    }
    problems
}

fn forbidden(files: &[SourceFile], references: &[Reference]) -> Vec<String> {
    let exports = root_exports(files);
    let mut problems = Vec::new();
    for reference in references.iter().filter(|reference| !reference.in_macro) {
        let from = &files[reference.from];
        let Some(row) = row_of(&from.module) else { continue };
        let Some(target) = target_row(&files[reference.to].module, &reference.path, &exports)
        else {
            continue;
        };
        if !is_allowed(row, target) {
            problems.push(format!(
                "{}:{}: `{}` names `{}`; it may name {}",
                from.path.display(),
                reference.line,
                row.name,
                target.name,
                row.allowed_text(),
            ));
        }
    }
    problems.dedup();
    problems
}

/// Returns the row to which a reference leads. `crate::Handle` leads to the module from which the root takes `Handle`.
fn target_row(
    module: &[String],
    path: &[String],
    exports: &[(String, Vec<String>)],
) -> Option<&'static ModuleRow> {
    if !module.is_empty() {
        return row_of(module);
    }
    let source = |item: &String| exports.iter().find(|(name, _)| name == item);
    let (_, module) = source(path.first()?)?;
    // Resolved twice, because `lib.rs` may re-export from a module that it has itself re-exported under another
    // name.
    row_of(module).or_else(|| row_of(&source(module.first()?)?.1))
}

/// Returns what `lib.rs` takes from modules by `use` and `pub use`, each with its module.
fn root_exports(files: &[SourceFile]) -> Vec<(String, Vec<String>)> {
    let Some(root) = files.iter().find(|file| file.path.ends_with("lib.rs")) else {
        return Vec::new();
    };
    let pattern = regex_lite::Regex::new(
        r"(?m)^(?:pub )?use (?:crate::)?([a-z_]+(?:::[a-z_]+)*)::(\{[^}]*\}|\w+);",
    );
    let mut exports = Vec::new();
    for captures in pattern.expect("the pattern is written here").captures_iter(&root.text) {
        let module: Vec<String> = captures[1].split("::").map(str::to_owned).collect();
        let items = captures[2].trim_matches(['{', '}']).split(',');
        let name = |item: &str| item.rsplit(" as ").next().unwrap_or_default().trim().to_owned();
        exports.extend(items.map(|item| (name(item), module.clone())));
    }
    exports
}

fn wide_circles(files: &[SourceFile], references: &[Reference]) -> Vec<String> {
    let mut problems = Vec::new();
    for circle in rust_source::cycles(files, references) {
        let tops: Vec<_> = circle.iter().map(|file| files[*file].module.first()).collect();
        let crosses = tops.iter().any(|top| *top != tops[0]);
        if crosses || circle.len() > MAX_CIRCLE_FILES {
            let names: Vec<_> =
                circle.iter().map(|file| files[*file].path.display().to_string()).collect();
            let why = if crosses {
                "it crosses a module".to_owned()
            } else {
                format!("{MAX_CIRCLE_FILES} files are the most")
            };
            problems.push(format!(
                "a circle of {} files, {why}: {}",
                names.len(),
                names.join(", ")
            ));
        }
    }
    problems
}

fn gates(files: &[SourceFile]) -> Vec<String> {
    let lines = |file: &SourceFile| {
        let path = file.path.display().to_string();
        voice::gates(&file.text).1.into_iter().map(move |line| format!("{path}:{line}"))
    };
    let inside: Vec<String> = files.iter().flat_map(lines).collect();
    if inside.len() <= MAX_GATES_INSIDE {
        return Vec::new();
    }
    let (count, places) = (inside.len(), inside.join(", "));
    vec![format!(
        "{count} feature gates inside code, {MAX_GATES_INSIDE} are the most: put them on `mod` and `use` lines, with a \
         stub for what is absent: {places}"
    )]
}

/// Reports what the ASHIRT client names outside of its folder.
fn client_alone(files: &[SourceFile]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(file.text.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            let outside = code.contains("piton::")
                || code.contains("crate::") && !code.contains("crate::ashirt::");
            if outside {
                let path = file.path.display();
                problems.push(format!(
                    "{path}:{number}: the ASHIRT client names nothing but other crates"
                ));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust_source::{crate_of, references};

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let files = crate_of(files);
        forbidden(&files, &references(&files))
    }

    #[test]
    fn a_forbidden_reference_is_told_with_its_line_and_what_is_allowed() {
        let found = problems(&[
            ("stop_signal.rs", "\nuse crate::http::Error;\n"),
            ("http/mod.rs", "use crate::stop_signal::Stop;\n"),
        ]);
        assert_eq!(
            found,
            ["src/stop_signal.rs:2: `stop_signal` names `http`; it may name nothing"]
        );
    }

    #[test]
    fn a_name_of_the_root_leads_to_the_module_it_comes_from() {
        let found = problems(&[
            ("http/mod.rs", "use crate::Cache;\n"),
            ("cache/mod.rs", ""),
            ("lib.rs", "pub use cache::{Cache, CacheSettings as Settings};\n"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("src/http/mod.rs:1: `http` names `cache`; "), "{found:?}");
    }

    #[test]
    fn a_module_without_a_row_is_reported() {
        let files = crate_of(&[("http/mod.rs", ""), ("newcomer/mod.rs", ""), ("lib.rs", "")]);
        let found = unknown_modules(&files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("src/newcomer/mod.rs: no row"), "{found:?}");
    }

    #[test]
    fn a_circle_is_too_wide_by_its_files_or_by_its_modules() {
        let check = |files: &[(&str, &str)]| {
            let files = crate_of(files);
            wide_circles(&files, &references(&files)).len()
        };
        let pair = [("db/a.rs", "use super::b::B;"), ("db/b.rs", "use super::a::A;")];
        assert_eq!(check(&pair), 0);
        let crossing = [("db/a.rs", "use crate::aws::B;"), ("aws.rs", "use crate::db::a::A;")];
        assert_eq!(check(&crossing), 1);
        let four = [
            ("db/a.rs", "use super::b::B;"),
            ("db/b.rs", "use super::c::C;"),
            ("db/c.rs", "use super::d::D;"),
            ("db/d.rs", "use super::a::A;"),
        ];
        assert_eq!(check(&four), 1);
    }

    #[test]
    fn the_client_may_name_other_crates_alone() {
        let files =
            crate_of(&[("ashirt/a.rs", "use http::Uri;\nuse piton::tokio;\n// crate::x\n")]);
        let found = client_alone(&files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("src/ashirt/a.rs:2: "), "{found:?}");
    }
}
