//! `cargo xtask voice`: how the sources read, in numbers. A mirror and no gate: it always ends with 0.
//!
//! The counters are those by which the project was compared with dropshot, axum, crates_io and ripgrep. A number is
//! only as good as its pattern: look at the lines (`--lines`) before believing one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;

use regex_lite::Regex;

use crate::command::{self, Result, bold};
use crate::rust_source::{self, SourceFile};

const HELP: &str = "\
Measures how the sources read: a mirror and no gate, the exit code is always 0.

Usage: cargo xtask voice [--lines] [FOLDER]...

  FOLDER     the `src` folder of a crate; without any, all crates of the workspace that are not tests
  --lines    also lists what was counted, as file:line

Per module, worst first:
  doc clauses     doc comments that open with a clause (What, Who, Whether, How, Of, As …)
                  instead of a verb or the noun they define
  with reason     `//` comments that give a reason (because, so that, otherwise, RFC …)
  gates inside    `#[cfg(feature = …)]` inside code instead of on a `mod` or `use` line
Per crate:
  type names that are defined in two modules; circles of files that name each other
";

/// Names that several modules may define, because a path always stands before them.
const SHARED_NAMES: [&str; 5] = ["Error", "Kind", "Settings", "Store", "Inner"];

/// Most circles and files of a circle that are printed.
const MAX_SHOWN: usize = 14;

/// `cargo xtask voice`.
///
/// # Errors
/// On an unknown option, or a folder that cannot be read.
pub fn main(args: &[String]) -> Result<ExitCode> {
    let mut with_lines = false;
    let mut folders = Vec::new();
    for arg in args {
        match arg.as_str() {
            "-h" | "--help" => {
                print!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            "--lines" => with_lines = true,
            option if option.starts_with('-') => {
                return Err(format!("no option `{option}`\n\n{HELP}").into());
            }
            folder => folders.push(PathBuf::from(folder)),
        }
    }
    if folders.is_empty() {
        folders = workspace_sources()?;
    }
    for folder in &folders {
        print!("{}", Report::of(folder, &rust_source::read_crate(folder)?).text(with_lines));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the `src` folders of the workspace's crates, the framework first.
fn workspace_sources() -> Result<Vec<PathBuf>> {
    let mut folders = vec![PathBuf::from("crates/piton/src")];
    for parent in ["crates", "services"] {
        let mut found: Vec<PathBuf> = std::fs::read_dir(command::root().join(parent))?
            .flatten()
            .map(|entry| Path::new(parent).join(entry.file_name()).join("src"))
            .filter(|folder| folder.is_dir() && !folders.contains(folder))
            .collect();
        found.sort();
        folders.append(&mut found);
    }
    folders.push("xtask/src".into());
    Ok(folders)
}

/// The counters of one module, or of a whole crate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counts {
    doc_comments: usize,
    doc_clauses: usize,
    comments: usize,
    comments_with_reason: usize,
    gates_on_items: usize,
    gates_inside: usize,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.doc_comments += other.doc_comments;
        self.doc_clauses += other.doc_clauses;
        self.comments += other.comments;
        self.comments_with_reason += other.comments_with_reason;
        self.gates_on_items += other.gates_on_items;
        self.gates_inside += other.gates_inside;
    }

    /// Returns how much there is to mend: the order of the modules.
    fn badness(&self) -> usize {
        self.doc_clauses + self.comments - self.comments_with_reason + self.gates_inside
    }

    fn row(&self, name: &str) -> String {
        format!(
            "  {name:<24} {:>5} of {:>5} {:>6}   {:>4} of {:>4} {:>6}   {:>4}\n",
            self.doc_clauses,
            self.doc_comments,
            percent(self.doc_clauses, self.doc_comments),
            self.comments_with_reason,
            self.comments,
            percent(self.comments_with_reason, self.comments),
            self.gates_inside,
        )
    }
}

/// Returns the share in percent, or `-` of nothing.
#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 comments")]
fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}

/// Measurements of one crate.
struct Report {
    folder: PathBuf,
    files: usize,
    modules: BTreeMap<String, Counts>,
    types: BTreeMap<String, BTreeSet<PathBuf>>,
    circles: Vec<Vec<PathBuf>>,
    lines: Vec<String>,
}

impl Report {
    fn of(folder: &Path, files: &[SourceFile]) -> Self {
        let mut report = Self {
            folder: folder.to_owned(),
            files: files.len(),
            modules: BTreeMap::new(),
            types: BTreeMap::new(),
            circles: Vec::new(),
            lines: Vec::new(),
        };
        for file in files {
            let counts = count(file, &mut report.lines);
            report.modules.entry(file.top_level(folder)).or_default().add(&counts);
            for name in defined_types(&file.text) {
                report.types.entry(name).or_default().insert(file.path.clone());
            }
        }
        let circles = rust_source::cycles(files, &rust_source::references(files));
        let path = |at: &usize| {
            let path = &files[*at].path;
            path.strip_prefix(folder).unwrap_or(path).to_owned()
        };
        report.circles = circles.iter().map(|circle| circle.iter().map(path).collect()).collect();
        report
    }

    fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.modules.values().for_each(|counts| total.add(counts));
        total
    }

    fn text(&self, with_lines: bool) -> String {
        let total = self.total();
        let mut modules: Vec<_> = self.modules.iter().collect();
        modules.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.badness()));
        let mut text = format!(
            "{}: {} files\n  {:<24} {:>21}   {:>19}   {}\n",
            bold(&self.folder.display().to_string()),
            self.files,
            "module",
            "doc clauses",
            "with reason",
            "gates inside"
        );
        modules.iter().for_each(|(name, counts)| text += &counts.row(name));
        text += &total.row("all");
        text += &format!("  feature gates on mod and use lines: {}\n", total.gates_on_items);
        text += &self.repeated_types();
        text += &self.circles();
        if with_lines {
            self.lines.iter().for_each(|line| text += &format!("  {line}\n"));
        }
        text + "\n"
    }

    fn repeated_types(&self) -> String {
        let mut repeated: Vec<_> = self.types.iter().filter(|(_, paths)| paths.len() > 1).collect();
        repeated.sort_by_key(|(_, paths)| std::cmp::Reverse(paths.len()));
        let names: Vec<_> =
            repeated.iter().map(|(name, paths)| format!(" {name} x{}", paths.len())).collect();
        let count = format!("{} of {}", repeated.len(), self.types.len());
        format!("  type names in more than one module: {count}:{}\n", names.join(","))
    }

    fn circles(&self) -> String {
        let mut text = format!("  circles of files: {}\n", self.circles.len());
        for circle in self.circles.iter().take(MAX_SHOWN) {
            let names: Vec<_> =
                circle.iter().take(MAX_SHOWN).map(|path| path.display().to_string()).collect();
            text += &format!("    {}: {}\n", circle.len(), names.join(", "));
        }
        text
    }
}

/// Words with which a doc comment opens a clause.
static CLAUSE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(What|Who|Whom|Whose|Whoever|Whether|Where|Which|That|How|Those|Of|As|Why|When|By|For whom)\b",
    )
});

/// Words with which a comment gives a reason.
static REASON: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(because|since|so that|otherwise|in order to|to avoid|avoid|ensure|prevent|note|workaround|instead of|rather than|we (?:need|can|must|want|use|don)|why|safe|RFC|must not|cannot)\b",
    )
});

/// A feature gate, and the word of the item that it stands on.
static GATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"#!?\[cfg(?:_attr)?\([^\]]*?feature[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?(\w+)",
    )
});

/// The definition of a type outside of functions and inline modules.
static TYPE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|type) (\w+)"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is written here")
}

/// Counts one file, and adds what it counted against the file to `lines`.
fn count(file: &SourceFile, lines: &mut Vec<String>) -> Counts {
    let mut counts = Counts::default();
    let (mut after_doc, mut comment) = (false, String::new());
    for (number, line) in (1..).zip(file.text.lines().chain([""])) {
        let line = line.trim();
        let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        if let Some(text) = doc.filter(|_| !after_doc) {
            counts.doc_comments += 1;
            if CLAUSE.is_match(text.strip_prefix(' ').unwrap_or(text)) {
                counts.doc_clauses += 1;
                lines.push(format!("{}:{number}: {line}", file.path.display()));
            }
        }
        after_doc = doc.is_some();
        if doc.is_none() && line.starts_with("//") {
            comment = comment + " " + line;
        } else if !comment.is_empty() {
            counts.comments += 1;
            if REASON.is_match(&comment) {
                counts.comments_with_reason += 1;
            } else {
                lines.push(format!("{}:{}:{comment}", file.path.display(), number - 1));
            }
            comment.clear();
        }
    }
    let (on_items, inside) = gates(&file.text);
    counts.gates_on_items = on_items;
    counts.gates_inside = inside.len();
    lines.extend(inside.iter().map(|line| format!("{}:{line}: gate", file.path.display())));
    counts
}

/// Counts the feature gates on `mod` and `use` lines, and returns the lines of all others.
pub fn gates(text: &str) -> (usize, Vec<usize>) {
    let (mut on_items, mut inside) = (0, Vec::new());
    for captures in GATE.captures_iter(text) {
        match (captures.get(1).map(|word| word.as_str()), captures.get(0)) {
            (Some("mod" | "use"), _) => on_items += 1,
            (_, Some(whole)) => inside.push(text[..whole.start()].matches('\n').count() + 1),
            _ => {}
        }
    }
    (on_items, inside)
}

/// Returns the types that a file defines outside of functions and inline modules.
fn defined_types(text: &str) -> Vec<String> {
    let name = |line| Some(TYPE.captures(line)?.get(1)?.as_str().to_owned());
    text.lines().filter_map(name).filter(|name| !SHARED_NAMES.contains(&name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust_source::crate_of;

    fn counts(text: &str) -> Counts {
        count(&crate_of(&[("a.rs", text)])[0], &mut Vec::new())
    }

    #[test]
    fn a_doc_comment_counts_by_its_first_line() {
        let counts = counts(
            "/// Whether it is so.\n/// What more.\nfn a() {}\n\n/// Whatever.\nfn b() {}\n",
        );
        assert_eq!((counts.doc_comments, counts.doc_clauses), (2, 1));
    }

    #[test]
    fn a_comment_of_several_lines_is_one_and_needs_one_reason() {
        let counts =
            counts("// Sorted,\n// because the diff is read.\nx;\n// A loop.\ny;\n//! Why\n");
        assert_eq!((counts.comments, counts.comments_with_reason), (2, 1));
    }

    #[test]
    fn a_gate_on_a_mod_line_is_not_inside_code() {
        let text = "#[cfg(feature = \"x\")]\npub mod x;\n#[cfg(feature = \"x\")]\n#[doc(hidden)]\nfn y() {}\n";
        assert_eq!(gates(text), (1, vec![3]));
    }

    #[test]
    fn a_type_in_two_files_is_named_unless_the_name_is_shared() {
        let text = "pub(super) struct Twice;\nenum Kind {}\n";
        let files = crate_of(&[("a.rs", text), ("b.rs", text), ("c.rs", "trait Once {}\n")]);
        let report = Report::of(Path::new("src"), &files);
        assert_eq!(
            report.repeated_types(),
            "  type names in more than one module: 1 of 2: Twice x2\n"
        );
    }

    #[test]
    fn the_worst_module_stands_first() {
        let files = crate_of(&[("a.rs", "/// Fine.\n"), ("b/c.rs", "/// How it is.\n")]);
        let text = Report::of(Path::new("src"), &files).text(true);
        let (first, second) = (text.find("  b ").unwrap(), text.find("  a.rs ").unwrap());
        assert!(first < second, "{text}");
        assert!(text.contains("src/b/c.rs:1: /// How it is."), "{text}");
    }
}
