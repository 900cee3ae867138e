//! Configuration files: TOML, YAML and JSON, told apart by their extension, each value with its
//! line.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Given;
use super::problem::{Origin, Problem, Problems};

/// What one file says.
#[derive(Default)]
pub(crate) struct File {
    /// Every key with dots, tables too, as a setting may be a whole table.
    pub values: BTreeMap<String, Given>,
    /// The keys whose values are no tables, in the order of the file; and empty tables.
    pub leaves: Vec<String>,
}

/// Reads a file. What cannot be read is a problem, and says nothing.
pub(crate) fn read(path: &Path, problems: &mut Problems) -> File {
    let parse: fn(&str) -> Result<Fields, Syntax> =
        match path.extension().and_then(|it| it.to_str()) {
            Some("toml") => parse_toml,
            Some("yaml" | "yml") => super::yaml::parse,
            Some("json") => parse_json,
            _ => {
                let fix = "write it as `.toml`, `.yaml` or `.json`";
                problems.push(Problem::in_file(path, None, "not a kind of file that is read", fix));
                return File::default();
            }
        };
    let text = match read_bounded(path) {
        Ok(text) => text,
        Err(why) => {
            problems.push(Problem::in_file(path, None, why, "make it readable, or do not name it"));
            return File::default();
        }
    };
    // Editors on Windows begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match parse(text) {
        Ok(fields) => flatten(path, fields, problems),
        Err(syntax) => {
            problems.push(Problem::in_file(path, syntax.line, syntax.why, "correct the line"));
            File::default()
        }
    }
}

/// No configuration is larger; a log or a dump named by mistake is not read to its end.
fn read_bounded(path: &Path) -> Result<String, String> {
    const LARGEST_BYTES: u64 = 4 * 1024 * 1024;
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(LARGEST_BYTES + 1).read_to_string(&mut text).map_err(cannot)?;
    let fits = text.len() as u64 <= LARGEST_BYTES;
    fits.then_some(text).ok_or_else(|| "is larger than 4MiB".to_owned())
}

/// A syntax error. Never with the text of the line: a secret may stand there.
pub(crate) struct Syntax {
    pub line: Option<usize>,
    pub why: String,
}

pub(crate) type Fields = Vec<Field>;

/// A key of a file with its line, counted from 1, and its value.
pub(crate) struct Field {
    pub key: String,
    pub line: Option<usize>,
    pub node: Node,
}

pub(crate) enum Node {
    Value(Value),
    Table(Fields),
}

impl Node {
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Table(fields) => {
                let field = |field: &Field| (field.key.clone(), field.node.to_value());
                Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
            }
        }
    }
}

fn flatten(path: &Path, fields: Fields, problems: &mut Problems) -> File {
    let mut file = File::default();
    Flattener { path, file: &mut file, problems }.fields("", fields);
    file
}

struct Flattener<'a> {
    path: &'a Path,
    file: &'a mut File,
    problems: &'a mut Problems,
}

impl Flattener<'_> {
    fn fields(&mut self, section: &str, fields: Fields) {
        for field in fields {
            self.field(super::join(section, &field.key), field.line, field.node);
        }
    }

    fn field(&mut self, key: String, line: Option<usize>, node: Node) {
        let origin = Origin::File { path: self.path.to_owned(), line };
        if let Some(before) = self.file.values.get(&key) {
            let why = format!("written twice: at {} too", before.origin);
            self.problems.push(Problem::new(key, why, "remove one").at(origin));
            return;
        }
        self.file.values.insert(key.clone(), Given { value: node.to_value(), origin });
        match node {
            Node::Table(fields) if !fields.is_empty() => self.fields(&key, fields),
            _ => self.file.leaves.push(key),
        }
    }
}

/// Counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

fn parse_toml(text: &str) -> Result<Fields, Syntax> {
    let table = toml::de::DeTable::parse(text).map_err(|error| Syntax {
        line: error.span().map(|Range { start, .. }| line_of(text, start)),
        why: format!("is not TOML: {}", error.message()),
    })?;
    toml_fields(text, table.get_ref()).map_err(|(at, why)| Syntax {
        line: Some(line_of(text, at)),
        why: format!("is not read: {why}"),
    })
}

type Unreadable = (usize, String);

fn toml_fields(text: &str, table: &toml::de::DeTable<'_>) -> Result<Fields, Unreadable> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let field = |(key, value): (&toml::Spanned<_>, &toml::Spanned<_>)| {
        let node = match value.get_ref() {
            toml::de::DeValue::Table(table) => Node::Table(toml_fields(text, table)?),
            _ => Node::Value(toml_value(text, value)?),
        };
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        let line = Some(line_of(text, key.span().start));
        Ok(Field { key: name.to_string(), line, node })
    };
    entries.into_iter().map(field).collect()
}

fn toml_value(
    text: &str,
    value: &toml::Spanned<toml::de::DeValue<'_>>,
) -> Result<Value, Unreadable> {
    use toml::de::DeValue;
    let unreadable = |why: &str| (value.span().start, why.to_owned());
    Ok(match value.get_ref() {
        DeValue::String(string) => Value::from(string.as_ref()),
        DeValue::Boolean(yes) => Value::from(*yes),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(Value::from)
            .or_else(|_| u64::from_str_radix(number.as_str(), number.radix()).map(Value::from))
            .map_err(|_| unreadable("the number is too large"))?,
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::from)
            .ok_or_else(|| unreadable("the number is not finite"))?,
        DeValue::Array(items) => {
            let items = items.iter().map(|item| toml_value(text, item));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => Node::Table(toml_fields(text, table)?).to_value(),
    })
}

fn parse_json(text: &str) -> Result<Fields, Syntax> {
    let start = text.as_ptr().addr();
    let node = serde_json::from_str::<Json<'_>>(text).map_err(|error| Syntax {
        line: Some(error.line()),
        why: format!("is not JSON: {error}"),
    })?;
    match node {
        Json::Table(fields) => Ok(json_fields(&|at| line_of(text, at.wrapping_sub(start)), fields)),
        Json::Value(_) => {
            let why = "holds no object: begin with `{`".to_owned();
            Err(Syntax { line: Some(1), why })
        }
    }
}

/// A JSON value with its keys as they stand in the text: a key's address tells its line, which
/// `serde_json` does not.
enum Json<'a> {
    Value(Value),
    Table(Vec<(Key<'a>, Json<'a>)>),
}

enum Key<'a> {
    InPlace(&'a str),
    /// With escapes, so that it stands elsewhere.
    Unescaped(String),
}

/// `line` tells the line of an address in the text.
fn json_fields(line: &dyn Fn(usize) -> usize, fields: Vec<(Key<'_>, Json<'_>)>) -> Fields {
    let field = |(key, value): (Key<'_>, Json<'_>)| {
        let (key, line_of_key) = match key {
            Key::InPlace(key) => (key.to_owned(), Some(line(key.as_ptr().addr()))),
            Key::Unescaped(key) => (key, None),
        };
        let node = match value {
            Json::Value(value) => Node::Value(value),
            Json::Table(fields) => Node::Table(json_fields(line, fields)),
        };
        Field { key, line: line_of_key, node }
    };
    fields.into_iter().map(field).collect()
}

impl Json<'_> {
    fn into_value(self) -> Value {
        match self {
            Self::Value(value) => value,
            Self::Table(fields) => Node::Table(json_fields(&|_| 0, fields)).to_value(),
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Json<'de>, E> {
        Ok(Json::Value(yes.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Value(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Value(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json<'de>, E> {
        Ok(Json::Value(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Value(text.into()))
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Value(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Json<'de>>()? {
            list.push(item.into_value());
        }
        Ok(Json::Value(Value::Array(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            fields.push(entry);
        }
        Ok(Json::Table(fields))
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key::InPlace(key))
            }

            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key::Unescaped(key.to_owned()))
            }
        }

        from.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_text(name: &str, text: &str) -> (File, Problems) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("the folder is ours");
        let mut problems = Problems::new();
        (read(&path, &mut problems), problems)
    }

    fn lines(file: &File) -> Vec<(&str, Option<usize>)> {
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
