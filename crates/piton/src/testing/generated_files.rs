//! Comparison of checked-in generated files with the text that the program generates now.

use std::path::Path;

use serde_json::Value;

/// Compares a generated file that is checked in, such as `config.example.toml`, with the text that the program
/// generates now.
///
/// ```no_run
/// # fn app() -> piton::App { piton::App::new("shop") }
/// use piton::testing::assert_generated;
///
/// let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
/// assert_generated(path, &app().config_example(), "cargo run -- config --example > config.example.toml");
/// ```
///
/// # Panics
/// If the file is missing or differs. The message shows the first line that differs, and `fix`, the command that
/// generates the file.
#[track_caller]
pub fn assert_generated(path: impl AsRef<Path>, generated: &str, fix: &str) {
    let path = path.as_ref();
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    if checked_in == generated {
        return;
    }
    let (mut old, mut new) = (checked_in.lines(), generated.lines());
    let differing = (1..).zip(std::iter::from_fn(|| match (old.next(), new.next()) {
        (None, None) => None,
        pair => Some(pair),
    }));
    let first = differing.into_iter().find(|(_, (old, new))| old != new);
    let difference = first.map_or_else(String::new, |(line, (old, new))| {
        let shown = |text: Option<&str>| text.unwrap_or("(end of file)").to_owned();
        format!("\nline {line} of the file: {}\nand generated now: {}", shown(old), shown(new))
    });
    panic!("{} is not up to date; to correct it:\n{fix}{difference}", path.display());
}

/// Compares a generated JSON file that is checked in with the value that the program generates now. The order of
/// keys does not count: a Cargo feature of `serde_json` changes it.
///
/// # Panics
/// As [`assert_generated`].
#[track_caller]
pub fn assert_generated_json(path: impl AsRef<Path>, generated: &Value, fix: &str) {
    let path = path.as_ref();
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    let checked_in = serde_json::from_str::<Value>(&checked_in).unwrap_or_default();
    assert!(
        checked_in == *generated,
        "{} is not up to date; to correct it:\n{fix}",
        path.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_up_to_date_file_passes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.toml");
        std::fs::write(&path, "a\nb\n").unwrap();
        assert_generated(&path, "a\nb\n", "make");
    }

    #[test]
    #[should_panic(
        expected = "is not up to date; to correct it:\nmake\nline 2 of the file: b\nand generated now: c"
    )]
    fn an_old_file_fails_with_the_first_difference_and_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.toml");
        std::fs::write(&path, "a\nb\n").unwrap();
        assert_generated(&path, "a\nc\n", "make");
    }

    #[test]
    #[should_panic(expected = "line 1 of the file: (end of file)")]
    fn a_missing_file_fails() {
        assert_generated("/nowhere/file.toml", "a\n", "make");
    }

    #[test]
    fn the_order_of_keys_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.json");
        std::fs::write(&path, r#"{"b": 1, "a": 2}"#).unwrap();
        assert_generated_json(&path, &serde_json::json!({ "a": 2, "b": 1 }), "make");
    }
}
