//! Finds the paths by which files of a crate name each other: `use crate::…`, `super::…` and paths inside code.

use std::collections::BTreeMap;

use regex_lite::Regex;

use super::SourceFile;

/// A path in a file that leads into another file of the same crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Index of the file that contains the path.
    pub from: usize,
    /// Line of the path, the first being 1.
    pub line: usize,
    /// Index of the file to which the path leads: that of the longest prefix which is a module.
    pub to: usize,
    /// The path from the crate's root on, as far as it could be read: `["http", "Error"]`.
    pub path: Vec<String>,
    /// Set for `$crate::…` in the body of a macro: after expansion such a path stands in the caller's code.
    pub in_macro: bool,
}

/// Finds the references of all files, in the order of files and lines. A path that leads into the file itself is none.
pub fn references(files: &[SourceFile]) -> Vec<Reference> {
    // Backwards, so that of a crate with `lib.rs` and `main.rs` the former is the root.
    let modules: BTreeMap<&[String], usize> =
        files.iter().enumerate().rev().map(|(at, file)| (file.module.as_slice(), at)).collect();
    let uses =
        Regex::new(r"\buse\s+((?:crate|super|self)::[^;]+);").expect("the pattern is written here");
    // Outside of `use`, a path to an item ends at its capital letter: the module before it is what counts.
    let paths = Regex::new(r"\b((?:crate|super)::[a-z_0-9:]+|crate::[A-Z]\w*)")
        .expect("the pattern is written here");
    let mut found = Vec::new();
    for (from, file) in files.iter().enumerate() {
        let code = without_comments(&file.text);
        let matches = uses.captures_iter(&code).chain(paths.captures_iter(&code));
        for whole in matches.filter_map(|captures| captures.get(1)) {
            let line = code[..whole.start()].matches('\n').count() + 1;
            let in_macro = code[..whole.start()].ends_with('$');
            for path in use_tree(whole.as_str()) {
                let Some(path) = absolute(&file.module, &path) else { continue };
                let to = (0..=path.len()).rev().find_map(|end| modules.get(&path[..end]).copied());
                if let Some(to) = to.filter(|to| *to != from) {
                    found.push(Reference { from, line, to, path, in_macro });
                }
            }
        }
    }
    // A path in a `use` line is found by both patterns.
    found.sort();
    found.dedup();
    found
}

/// Cuts each line at the first `//`; lines stay where they are.
fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text.lines().map(code).collect()
}

/// Expands `a::{b, c::{d, e}}` into `a::b`, `a::c::d` and `a::c::e`.
fn use_tree(text: &str) -> Vec<Vec<String>> {
    let text = text.trim();
    let Some((before, inside)) = text.split_once('{') else {
        return vec![segments(text)];
    };
    let inside = inside.trim_end().strip_suffix('}').unwrap_or(inside);
    let before = segments(before);
    let expand = |item: &str| {
        use_tree(item).into_iter().map(|rest| [before.clone(), rest].concat()).collect::<Vec<_>>()
    };
    let items = split_at_top_level(inside);
    items.into_iter().filter(|item| !item.trim().is_empty()).flat_map(expand).collect()
}

fn segments(path: &str) -> Vec<String> {
    let name = |part: &str| part.split(" as ").next().unwrap_or_default().trim().to_owned();
    path.split("::").map(name).filter(|part| !part.is_empty()).collect()
}

/// Splits a list at its commas, except at those within braces.
fn split_at_top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0_u32, 0, Vec::new());
    for (at, char) in list.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&list[start..]);
    items
}

/// Resolves `crate`, `self` and `super` as seen from `module`. Returns `None` for a `super` above the root.
fn absolute(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let mut base = module.to_vec();
    let mut rest = path;
    match rest.first().map(String::as_str) {
        Some("crate") => (base, rest) = (Vec::new(), &rest[1..]),
        Some("self") => rest = &rest[1..],
        _ => {}
    }
    while rest.first().is_some_and(|part| part == "super") {
        base.pop()?;
        rest = &rest[1..];
    }
    Some([base, rest.to_vec()].concat())
}

#[cfg(test)]
mod tests {
    use super::super::crate_of;
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files = crate_of(files);
        let show = |one: Reference| {
            let (from, to) = (&files[one.from].path, &files[one.to].path);
            format!("{}:{} -> {}", from.display(), one.line, to.display())
        };
        references(&files).into_iter().map(show).collect()
    }

    #[test]
    fn a_use_tree_leads_to_each_file_it_names() {
        let text = "use std::fmt;\n\nuse crate::{\n    b::{Bee, c::Sea as S},\n    e::E,\n};\n";
        let files = [("a.rs", text), ("b/mod.rs", ""), ("b/c.rs", ""), ("e.rs", "")];
        assert_eq!(
            found(&files),
            ["src/a.rs:3 -> src/b/mod.rs", "src/a.rs:3 -> src/b/c.rs", "src/a.rs:3 -> src/e.rs"]
        );
    }

    #[test]
    fn super_and_paths_in_code_are_followed_and_comments_are_not() {
        let text = "// crate::d is better\nfn f() -> super::d::D { crate::e::make() }\n";
        let files = [("b/c.rs", text), ("b/d.rs", ""), ("e.rs", ""), ("d.rs", "")];
        assert_eq!(found(&files), ["src/b/c.rs:2 -> src/b/d.rs", "src/b/c.rs:2 -> src/e.rs"]);
    }

    #[test]
    fn an_item_of_the_root_leads_to_the_root() {
        assert_eq!(
            found(&[("a.rs", "use crate::Handle;"), ("lib.rs", "")]),
            ["src/a.rs:1 -> src/lib.rs"]
        );
    }
}
