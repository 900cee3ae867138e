//! Configuration files in TOML, YAML and JSON, distinguished by their extension. Each value has its line.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::file_syntax::{FileFields, FileNode, FileSyntaxError};
use super::origin::Origin;
use super::raw_value::RawValue;
use super::setting_problem::{Problem, Problems};
use super::variable_names::join;
use super::{json, toml, yaml};

/// The values of one file.
#[derive(Default)]
pub(crate) struct ConfigFile {
    /// Every key, with dots. Tables are in it as well, because a setting may be a whole table.
    pub values: BTreeMap<String, RawValue>,
    /// The keys whose values are not tables, and empty tables, in the order of the file.
    pub leaves: Vec<String>,
}

/// Reads a file. One that cannot be read is a problem, and has no values.
pub(crate) fn read(path: &Path, problems: &mut Problems) -> ConfigFile {
    let parse: fn(&str) -> Result<FileFields, FileSyntaxError> =
        match path.extension().and_then(|it| it.to_str()) {
            Some("toml") => toml::parse,
            Some("yaml" | "yml") => yaml::parse,
            Some("json") => json::parse,
            _ => {
                let fix = "write it as `.toml`, `.yaml` or `.json`";
                problems.push(Problem::in_file(path, None, "unknown file format", fix));
                return ConfigFile::default();
            }
        };
    let text = match read_bounded(path) {
        Ok(text) => text,
        Err(why) => {
            problems.push(Problem::in_file(path, None, why, "make it readable, or do not name it"));
            return ConfigFile::default();
        }
    };
    // Removed, because editors on Windows write a byte order mark, and the parsers would refuse it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match parse(text) {
        Ok(fields) => flatten(path, fields, problems),
        Err(syntax) => {
            problems.push(Problem::in_file(path, syntax.line, syntax.why, "correct the line"));
            ConfigFile::default()
        }
    }
}

/// Reads a file of at most 4 MiB, so that a log or a dump that is named by mistake is not read to its end.
fn read_bounded(path: &Path) -> Result<String, String> {
    const MAX_BYTES: u64 = 4 * 1024 * 1024;
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(cannot)?;
    let fits = text.len() as u64 <= MAX_BYTES;
    fits.then_some(text).ok_or_else(|| "is larger than 4MiB".to_owned())
}

fn flatten(path: &Path, fields: FileFields, problems: &mut Problems) -> ConfigFile {
    let mut file = ConfigFile::default();
    Flattener { path, file: &mut file, problems }.fields("", fields);
    file
}

struct Flattener<'a> {
    path: &'a Path,
    file: &'a mut ConfigFile,
    problems: &'a mut Problems,
}

impl Flattener<'_> {
    fn fields(&mut self, section: &str, fields: FileFields) {
        for field in fields {
            self.field(join(section, &field.key), field.line, field.node);
        }
    }

    fn field(&mut self, key: String, line: Option<usize>, node: FileNode) {
        let origin = Origin::File { path: self.path.to_owned(), line };
        if let Some(before) = self.file.values.get(&key) {
            let why = format!("written twice: at {} too", before.origin);
            self.problems.push(Problem::new(key, why, "remove one").at(origin));
            return;
        }
        self.file.values.insert(key.clone(), RawValue { value: node.to_value(), origin });
        match node {
            FileNode::Table(fields) if !fields.is_empty() => self.fields(&key, fields),
            _ => self.file.leaves.push(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_text(name: &str, text: &str) -> (ConfigFile, Problems) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("the folder is ours");
        let mut problems = Problems::new();
        (read(&path, &mut problems), problems)
    }

    fn lines(file: &ConfigFile) -> Vec<(&str, Option<usize>)> {
        let line = |key: &String| match file.values[key].origin {
            Origin::File { line, .. } => line,
            _ => None,
        };
        file.leaves.iter().map(|key| (key.as_str(), line(key))).collect()
    }

    #[test]
    fn toml_keys_have_their_lines_and_keep_the_order_of_the_file() {
        let text = "production = true\n\n[http]\n# a comment\nport = 80\ntimeout = '30s'\n\n[db.pool]\nsize = 0x10\n";
        let (file, problems) = read_text("c.toml", text);
        assert!(problems.is_empty(), "{problems}");
        let expected = [
            ("production", Some(1)),
            ("http.port", Some(5)),
            ("http.timeout", Some(6)),
            ("db.pool.size", Some(9)),
        ];
        assert_eq!(lines(&file), expected);
        assert_eq!(file.values["db.pool.size"].value, json!(16));
        assert_eq!(file.values["db"].value, json!({"pool": {"size": 16}}));
    }

    #[test]
    fn json_keys_have_their_lines_and_keep_the_order_of_the_file() {
        let text = "{\n  \"z\": [1, {\"a\": null}],\n  \"http\": {\n    \"port\": 80\n  },\n  \"\\u0061\": 1.5\n}";
        let (file, problems) = read_text("c.json", text);
        assert!(problems.is_empty(), "{problems}");
        assert_eq!(lines(&file), [("z", Some(2)), ("http.port", Some(4)), ("a", None)]);
        assert_eq!(file.values["z"].value, json!([1, {"a": null}]));
        assert_eq!(file.values["http"].value, json!({"port": 80}));
    }

    #[test]
    fn every_kind_of_toml_value_is_read() {
        let text = "t = 2018-07-09T15:41:46Z\nf = 1.5\nn = -3\nl = [1, 'a', {b = true}]\nu = 18446744073709551615\n";
        let (file, problems) = read_text("c.toml", text);
        assert!(problems.is_empty(), "{problems}");
        assert_eq!(file.values["t"].value, json!("2018-07-09T15:41:46Z"));
        assert_eq!(file.values["f"].value, json!(1.5));
        assert_eq!(file.values["n"].value, json!(-3));
        assert_eq!(file.values["l"].value, json!([1, "a", {"b": true}]));
        assert_eq!(file.values["u"].value, json!(u64::MAX));
    }

    #[test]
    fn a_key_written_twice_is_refused_in_both_formats() {
        let (_, problems) = read_text("c.json", "{\"a\": 1,\n \"a\": 2}");
        assert!(problems[0].why.starts_with("written twice: at "), "{problems}");
        assert!(problems[0].why.contains("c.json:1"), "{problems}");
        let (_, problems) = read_text("c.toml", "a = 1\na = 2\n");
        assert!(problems[0].why.contains("duplicate"), "{problems}");
        let (_, problems) = read_text("c.toml", "'http.port' = 1\n[http]\nport = 2\n");
        assert!(problems[0].why.starts_with("written twice"), "{problems}");
    }

    #[test]
    fn a_syntax_error_has_its_line_and_not_the_text_of_the_line() {
        let (file, problems) = read_text("c.toml", "a = 1\npassword = hunter2\n");
        assert!(matches!(problems[0].origin, Origin::File { line: Some(2), .. }), "{problems}");
        assert!(!problems.report("x").contains("hunter2"), "{problems}");
        assert!(file.values.is_empty());
        let (_, problems) = read_text("c.json", "{\n\"password\": hunter2}");
        assert!(matches!(problems[0].origin, Origin::File { line: Some(2), .. }), "{problems}");
        assert!(!problems.report("x").contains("hunter2"), "{problems}");
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_refused() {
        for text in ["a = 99999999999999999999", "a = inf", "a = [nan]"] {
            let (_, problems) = read_text("c.toml", text);
            assert_eq!(problems.len(), 1, "{text}");
        }
    }

    #[test]
    fn json_without_an_object_is_refused() {
        for text in ["[]", "3", "", "{} {}"] {
            let (_, problems) = read_text("c.json", text);
            assert_eq!(problems.len(), 1, "{text}");
        }
    }

    #[test]
    fn yaml_keys_have_their_lines_and_a_key_written_twice_is_refused() {
        let text = "# first\nproduction: true\n\nhttp:\n  port: 80\n  timeout: 30s\ndb: {pool: {size: 0x10}}\n";
        let (file, problems) = read_text("c.yaml", text);
        assert!(problems.is_empty(), "{problems}");
        let expected = [
            ("production", Some(2)),
            ("http.port", Some(5)),
            ("http.timeout", Some(6)),
            ("db.pool.size", Some(7)),
        ];
        assert_eq!(lines(&file), expected);
        assert_eq!(file.values["db"].value, json!({"pool": {"size": 16}}));
        let (_, problems) = read_text("c.yml", "a: 1\nb: 2\na: 3\n");
        assert_eq!(problems.len(), 1, "{problems}");
        assert!(problems[0].why.contains("c.yml:1 too"), "{problems}");
        assert!(matches!(problems[0].origin, Origin::File { line: Some(3), .. }), "{problems}");
    }

    #[test]
    fn a_file_that_is_larger_than_any_configuration_is_refused() {
        let (_, problems) = read_text("c.yaml", &"# a comment\n".repeat(400_000));
        assert_eq!(problems[0].why, "is larger than 4MiB");
    }

    #[test]
    fn an_absent_file_and_another_kind_of_file_are_refused() {
        let mut problems = Problems::new();
        read(Path::new("/nowhere/config.toml"), &mut problems);
        read(Path::new("config.ini"), &mut problems);
        assert!(problems[0].why.starts_with("cannot be read: "), "{problems}");
        assert_eq!(problems[1].fix, "write it as `.toml`, `.yaml` or `.json`");
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_are_no_trouble() {
        let (file, problems) = read_text("c.toml", "\u{feff}a = 1\r\nb = 2\r\n");
        assert!(problems.is_empty(), "{problems}");
        assert_eq!(lines(&file), [("a", Some(1)), ("b", Some(2))]);
    }
}
