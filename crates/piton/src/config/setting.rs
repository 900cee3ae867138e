//! The type of one setting: how its text is read, what it expects, how it is shown.

use std::borrow::Cow;
use std::fmt::Display;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::redact;

/// The type of one setting. Implement it to have settings of a type of your own; for a choice
/// between names use [`setting_enum!`](crate::setting_enum!).
pub trait Setting: Sized {
    /// Whether the value must never be shown.
    const SECRET: bool = false;

    /// Whether the environment may name a file that holds the value: `<variable>_FILE`.
    const FROM_FILE: bool = Self::SECRET;

    /// Whether a value may be shown even if the setting's name ends with a secret's word: yes or no
    /// gives nothing away.
    const HARMLESS: bool = false;

    /// Whether the value is an address. A refused address is shown as its scheme, host and port alone:
    /// what does not parse may be a password anywhere.
    const ADDRESS: bool = false;

    /// What to write, such as "a duration with its unit, such as `30s`".
    fn expects() -> Cow<'static, str>;

    /// What to write for one entry, where the value is a table whose entries are looked for in every
    /// layer.
    #[must_use]
    fn expects_of_entry() -> Option<Cow<'static, str>> {
        None
    }

    /// Reads a value. From the environment and from flags it arrives as text.
    ///
    /// # Errors
    /// Why the value is refused, for people. Where the message ends with "write \`x\`" or "did you
    /// mean \`x\`", the report proposes `x` as the fix; otherwise it proposes the default.
    fn parse(value: &Value) -> Result<Self, String>;

    /// The value as people may see it, in the form in which it could be written.
    fn show(&self) -> Value;

    /// The JSON Schema of the value.
    fn schema() -> Value;

    /// Returns the smallest and the largest value within `bounds`, for ordered types: numbers,
    /// durations, sizes, and lists and tables of them.
    #[must_use]
    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        let _ = bounds;
        None
    }

    /// Refuses a value out of `bounds`.
    ///
    /// # Errors
    /// The expected values, as text for people.
    fn within(&self, bounds: Bounds) -> Result<(), String> {
        let _ = bounds;
        Ok(())
    }

    /// Describes the values to write within `bounds`.
    #[must_use]
    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        let _ = bounds;
        Self::expects()
    }

    /// Returns the JSON Schema of a value within `bounds`.
    #[must_use]
    fn schema_within(bounds: Bounds) -> Value {
        let _ = bounds;
        Self::schema()
    }
}

/// The smallest and the largest value of a setting, in the form of its values: `1`, `1ms`, `2MiB`.
/// A missing one is the type's own: a duration is at most `36500days`, a size at most `1024TiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The smallest value.
    pub min: Option<&'static str>,
    /// The largest value.
    pub max: Option<&'static str>,
}

impl Bounds {
    /// Returns whether the value is within the bounds; `None` if a bound in the code cannot be
    /// parsed.
    pub(crate) fn hold<T: Setting + PartialOrd>(self, value: &T, own: [&str; 2]) -> Option<bool> {
        let read = |bound: &str| T::parse(&Value::from(bound)).ok();
        let least = read(self.min.unwrap_or(own[0]))?;
        let largest = read(self.max.unwrap_or(own[1]))?;
        Some(*value >= least && *value <= largest)
    }

    /// Returns the bounds as written, with those of `own` for missing ones.
    pub(crate) fn or(self, own: [&'static str; 2]) -> [Cow<'static, str>; 2] {
        [self.min.unwrap_or(own[0]).into(), self.max.unwrap_or(own[1]).into()]
    }
}

/// Converts the result of [`Bounds::hold`] into the error of the setting.
pub(crate) fn held<T: Setting>(holds: Option<bool>, bounds: Bounds) -> Result<(), String> {
    match holds {
        Some(true) => Ok(()),
        Some(false) => Err(format!("expected {}", T::expects_within(bounds))),
        None => Err("its bounds in the code are not values of its type".into()),
    }
}

/// "expected ..", the reason that suits most wrong values.
pub(crate) fn expected<T: Setting>() -> String {
    format!("expected {}", T::expects())
}

/// Reads text by way of `FromStr`.
fn from_text<T: Setting + FromStr>(value: &Value) -> Result<T, String> {
    let text = value.as_str().ok_or_else(expected::<T>)?;
    text.trim().parse().map_err(|_| expected::<T>())
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Setting for $number {
            fn expects() -> Cow<'static, str> {
                format!("a whole number from {} to {}", <$number>::MIN, <$number>::MAX).into()
            }

            fn parse(value: &Value) -> Result<Self, String> {
                match value {
                    Value::Number(number) => number
                        .as_i64().and_then(|number| number.try_into().ok())
                        .or_else(|| number.as_u64().and_then(|number| number.try_into().ok()))
                        .ok_or_else(expected::<Self>),
                    text => from_text(text),
                }
            }

            fn show(&self) -> Value {
                Value::from(*self)
            }

            fn schema() -> Value {
                integer_schema(<$number>::MIN as i128, <$number>::MAX as i128)
            }

            fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
                let or = |bound: Option<&'static str>, own: $number| {
                    bound.map_or_else(|| own.to_string().into(), Cow::Borrowed)
                };
                Some([or(bounds.min, <$number>::MIN), or(bounds.max, <$number>::MAX)])
            }

            fn within(&self, bounds: Bounds) -> Result<(), String> {
                let own = [&*<$number>::MIN.to_string(), &*<$number>::MAX.to_string()];
                held::<Self>(bounds.hold(self, own), bounds)
            }

            fn expects_within(bounds: Bounds) -> Cow<'static, str> {
                let [min, max] = Self::range(bounds).unwrap_or_default();
                format!("a whole number from {min} to {max}").into()
            }

            fn schema_within(bounds: Bounds) -> Value {
                let read = |bound: Option<&str>, own| bound.map_or(Ok(own), str::parse::<i128>);
                let min = read(bounds.min, <$number>::MIN as i128);
                let max = read(bounds.max, <$number>::MAX as i128);
                match (min, max) {
                    (Ok(min), Ok(max)) => integer_schema(min, max),
                    _ => Self::schema(),
                }
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, usize, i32, i64);

/// Without the bounds that a JSON number does not hold exactly: editors would round them.
fn integer_schema(min: i128, max: i128) -> Value {
    const EXACT: i128 = 1 << 53;
    let mut schema = json!({ "type": "integer" });
    for (name, bound) in [("minimum", min), ("maximum", max)] {
        if let Some(bound) = i64::try_from(bound).ok().filter(|_| bound.abs() <= EXACT) {
            schema[name] = bound.into();
        }
    }
    schema
}

impl Setting for f64 {
    fn expects() -> Cow<'static, str> {
        "a number, such as `0.5`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let number = match value {
            Value::Number(number) => number.as_f64().ok_or_else(expected::<Self>)?,
            text => from_text(text)?,
        };
        if number.is_finite() { Ok(number) } else { Err(expected::<Self>()) }
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }

    fn schema() -> Value {
        json!({ "type": "number" })
    }

    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        Some(bounds.or(FRACTIONS))
    }

    fn within(&self, bounds: Bounds) -> Result<(), String> {
        held::<Self>(bounds.hold(self, FRACTIONS), bounds)
    }

    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        if bounds == Bounds::default() {
            return Self::expects();
        }
        let [min, max] = bounds.or(FRACTIONS);
        format!("a number from {min} to {max}").into()
    }

    fn schema_within(bounds: Bounds) -> Value {
        let mut schema = Self::schema();
        for (name, bound) in [("minimum", bounds.min), ("maximum", bounds.max)] {
            if let Some(Ok(bound)) = bound.map(str::parse::<f64>) {
                schema[name] = bound.into();
            }
        }
        schema
    }
}

/// All finite numbers of `f64`.
const FRACTIONS: [&str; 2] = ["-1.7976931348623157e308", "1.7976931348623157e308"];

impl Setting for bool {
    const HARMLESS: bool = true;

    fn expects() -> Cow<'static, str> {
        "`true` or `false`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bool(yes) => Ok(*yes),
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(true),
                "false" | "0" | "no" | "off" => Ok(false),
                _ => Err(expected::<Self>()),
            },
            _ => Err(expected::<Self>()),
        }
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }

    fn schema() -> Value {
        json!({ "type": "boolean" })
    }
}

impl Setting for String {
    fn expects() -> Cow<'static, str> {
        "text".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Bool(_) | Value::Number(_) => {
                Err(format!("expected text, in quotes: write `{value}`"))
            }
            _ => Err(expected::<Self>()),
        }
    }

    fn show(&self) -> Value {
        Value::from(self.as_str())
    }

    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

impl Setting for SecretString {
    const SECRET: bool = true;

    fn expects() -> Cow<'static, str> {
        "a secret text".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        // Not the words of `String`: they repeat the value.
        value.as_str().map(Self::from).ok_or_else(expected::<Self>)
    }

    fn show(&self) -> Value {
        redact::shown(true, &Value::from(self.expose_secret()))
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "password", "writeOnly": true })
    }
}

impl Setting for PathBuf {
    fn expects() -> Cow<'static, str> {
        "a path".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value.as_str() {
            Some(path) if !path.is_empty() => Ok(Self::from(path)),
            _ => Err(expected::<Self>()),
        }
    }

    fn show(&self) -> Value {
        Value::from(self.to_string_lossy())
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 1 })
    }
}

/// Types whose text is read by `FromStr` and shown by `Display`.
macro_rules! addresses {
    ($($address:ty: $expects:literal, $schema:tt;)*) => {$(
        impl Setting for $address {
            fn expects() -> Cow<'static, str> {
                $expects.into()
            }

            fn parse(value: &Value) -> Result<Self, String> {
                from_text(value)
            }

            fn show(&self) -> Value {
                text(self)
            }

            fn schema() -> Value {
                json!($schema)
            }
        }
    )*};
}

addresses! {
    IpAddr: "an IP address, such as `127.0.0.1` or `::1`",
        { "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] };
    SocketAddr: "an IP address with a port, such as `127.0.0.1:9000`", { "type": "string" };
}

pub(crate) fn text(value: &impl Display) -> Value {
    Value::from(value.to_string())
}

/// Empty text and `null` are `None`.
impl<T: Setting> Setting for Option<T> {
    const SECRET: bool = T::SECRET;
    const HARMLESS: bool = T::HARMLESS;
    const FROM_FILE: bool = T::FROM_FILE;
    const ADDRESS: bool = T::ADDRESS;

    fn expects() -> Cow<'static, str> {
        format!("{}, or nothing", T::expects()).into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if text.trim().is_empty() => Ok(None),
            value => T::parse(value).map(Some),
        }
    }

    fn show(&self) -> Value {
        self.as_ref().map_or(Value::Null, Setting::show)
    }

    fn schema() -> Value {
        Self::schema_within(Bounds::default())
    }

    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        T::range(bounds)
    }

    fn within(&self, bounds: Bounds) -> Result<(), String> {
        self.as_ref().map_or(Ok(()), |value| value.within(bounds))
    }

    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        format!("{}, or nothing", T::expects_within(bounds)).into()
    }

    fn schema_within(bounds: Bounds) -> Value {
        json!({ "anyOf": [T::schema_within(bounds), { "type": "null" }, { "const": "" }] })
    }
}

const NO_JSON_ARRAY: &str = "a list in brackets is a JSON array, such as `[\"a\", \"b\"]`; without brackets its items are separated by commas";

const MIXED_LIST: &str = "a list has either an item on each line, or commas between its items: with both, write a JSON array, such as `[\"a\", \"b\"]`";

/// The messages that never repeat the value, so that they are shown of secrets too.
pub(super) const PLAIN_MESSAGES: [&str; 2] = [NO_JSON_ARRAY, MIXED_LIST];

/// Splits a text at its commas, or, as in the file of `<variable>_FILE`, at its line ends.
fn separated(text: &str) -> Result<Vec<&str>, String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    if text.lines().nth(1).is_none() {
        return Ok(text.split(',').map(str::trim).collect());
    }
    let lines = lines.by_ref().map(|line| line.strip_suffix(',').unwrap_or(line).trim_end());
    let lines: Vec<&str> = lines.collect();
    match lines.as_slice() {
        [one] => Ok(one.split(',').map(str::trim).collect()),
        // A comma may be part of an item, or separate two.
        several if several.iter().any(|line| line.contains(',')) => Err(MIXED_LIST.to_owned()),
        _ => Ok(lines),
    }
}

/// Returns the items of a text in brackets, which is a JSON array. `None` for any other text.
///
/// # Errors
/// The text has brackets and is not a JSON array. Its content is not repeated, as it may be secret.
pub(crate) fn json_array(text: &str) -> Result<Option<Vec<Value>>, String> {
    let text = text.trim();
    if !(text.starts_with('[') && text.ends_with(']')) {
        return Ok(None);
    }
    // IPv6 addresses as hosts, such as `[::1],[::2]`, have brackets of their own.
    let hosts = text.split(',').map(str::trim);
    let mut hosts = hosts.map(|host| host.strip_prefix('[')?.strip_suffix(']'));
    if hosts.all(|host| host.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok())) {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|_| NO_JSON_ARRAY.to_owned())
}

/// Checks an item of a list whose items are separated by commas.
///
/// # Errors
/// It is empty, or has the quotes or a bracket of another way to write a list.
fn is_item(text: &str) -> Result<(), &'static str> {
    const JSON: &str =
        "write the list as a JSON array (`[\"a\",\"b\"]`), or without quotes and brackets";
    let is_host = text.rsplit_once(']').is_some_and(|(host, _)| host.starts_with('['));
    match text {
        "" => Err("it is empty: there is a comma too many"),
        _ if text.len() > 1 && text.starts_with('"') && text.ends_with('"') => Err(JSON),
        // An IPv6 address as a host has brackets of its own.
        _ if text.starts_with('[') && !is_host => Err(JSON),
        _ => Ok(()),
    }
}

/// A list in files; in the environment its items are separated by commas, or it is a JSON array.
impl<T: Setting> Setting for Vec<T> {
    const SECRET: bool = T::SECRET;
    const HARMLESS: bool = T::HARMLESS;
    const FROM_FILE: bool = T::FROM_FILE;
    const ADDRESS: bool = T::ADDRESS;

    fn expects() -> Cow<'static, str> {
        format!("a list (in the environment separated by commas), each {}", T::expects()).into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let item = |(index, value): (usize, &Value)| {
            T::parse(value).map_err(|why| format!("item {}: {why}", index + 1))
        };
        match value {
            Value::Array(items) => items.iter().enumerate().map(item).collect(),
            Value::String(text) if text.trim().is_empty() => Ok(Self::new()),
            Value::String(text) => match json_array(text)? {
                Some(items) => items.iter().enumerate().map(item).collect(),
                None => {
                    let items = separated(text)?.into_iter().enumerate();
                    let listed = items.map(|(index, text)| {
                        if !T::SECRET {
                            is_item(text).map_err(|why| format!("item {}: {why}", index + 1))?;
                        }
                        item((index, &Value::from(text)))
                    });
                    listed.collect()
                }
            },
            _ => Err(expected::<Self>()),
        }
    }

    fn show(&self) -> Value {
        self.iter().map(Setting::show).collect()
    }

    fn schema() -> Value {
        Self::schema_within(Bounds::default())
    }

    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        T::range(bounds)
    }

    fn within(&self, bounds: Bounds) -> Result<(), String> {
        self.iter().enumerate().try_for_each(|(index, value)| {
            value.within(bounds).map_err(|why| format!("item {}: {why}", index + 1))
        })
    }

    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        let each = T::expects_within(bounds);
        format!("a list (in the environment separated by commas), each {each}").into()
    }

    fn schema_within(bounds: Bounds) -> Value {
        json!({ "type": "array", "items": T::schema_within(bounds) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: Setting>(value: impl Into<Value>) -> Result<T, String> {
        T::parse(&value.into())
    }

    #[test]
    fn a_whole_number_is_read_from_a_number_and_from_text() {
        assert_eq!(parse::<u16>(80), Ok(80));
        assert_eq!(parse::<u16>(" 80 "), Ok(80));
        assert_eq!(parse::<i32>("-3"), Ok(-3));
        assert_eq!(parse::<u64>(u64::MAX), Ok(u64::MAX));
        assert_eq!(parse::<i64>(i64::MIN), Ok(i64::MIN));
        assert_eq!(parse::<u8>(255), Ok(255));
        assert_eq!(parse::<usize>("7"), Ok(7));
        assert_eq!(parse::<u32>(9), Ok(9));
    }

    #[test]
    fn a_number_out_of_range_or_with_a_fraction_is_refused_with_the_range() {
        let why = Err("expected a whole number from 0 to 65535".to_owned());
        for value in [json!(65536), json!(-1), json!(1.5), json!("eighty"), json!(""), json!(true)]
        {
            assert_eq!(parse::<u16>(value.clone()), why, "{value}");
        }
    }

    #[test]
    fn a_fraction_is_read_and_what_is_no_number_is_refused() {
        assert_eq!(parse::<f64>("0.5"), Ok(0.5));
        assert_eq!(parse::<f64>(2), Ok(2.0));
        assert!(parse::<f64>("NaN").is_err());
        assert!(parse::<f64>("inf").is_err());
        assert!(parse::<f64>("half").is_err());
    }

    #[test]
    fn yes_and_no_have_four_spellings_each() {
        for yes in ["true", "1", "yes", "on", "TRUE", " Yes "] {
            assert_eq!(parse::<bool>(yes), Ok(true), "{yes}");
        }
        for no in ["false", "0", "no", "off", "OFF"] {
            assert_eq!(parse::<bool>(no), Ok(false), "{no}");
        }
        assert_eq!(parse::<bool>(true), Ok(true));
        for wrong in [json!("maybe"), json!(""), json!(1), json!(null)] {
            assert_eq!(parse::<bool>(wrong), Err("expected `true` or `false`".into()));
        }
    }

    #[test]
    fn text_without_quotes_is_refused_with_the_correction() {
        assert_eq!(parse::<String>(" a "), Ok(" a ".into()));
        assert_eq!(parse::<String>(5), Err("expected text, in quotes: write `5`".into()));
        assert!(parse::<String>(json!([])).is_err());
    }

    #[test]
    fn a_secret_shows_as_three_stars_and_its_refusal_does_not_repeat_it() {
        let secret = parse::<SecretString>("hunter2").expect("text is a secret");
        assert_eq!(secret.expose_secret(), "hunter2");
        assert_eq!(secret.show(), json!("***"));
        let refusal = parse::<SecretString>(1234).expect_err("no text");
        assert!(!refusal.contains("1234"), "{refusal}");
        const { assert!(<Option<SecretString> as Setting>::SECRET) };
        const { assert!(<Vec<SecretString> as Setting>::SECRET) };
        const { assert!(<Option<SecretString> as Setting>::FROM_FILE) };
        const { assert!(!<Option<String> as Setting>::FROM_FILE) };
        assert_eq!(Some(secret).show(), json!("***"));
    }

    #[test]
    fn addresses_and_paths_are_read_and_shown_alike() {
        assert_eq!(parse::<IpAddr>("::1").map(|ip| ip.show()), Ok(json!("::1")));
        assert_eq!(parse::<SocketAddr>("[::1]:80").map(|at| at.show()), Ok(json!("[::1]:80")));
        assert_eq!(parse::<PathBuf>("a/b").map(|path| path.show()), Ok(json!("a/b")));
        assert!(parse::<IpAddr>("localhost").expect_err("a name").contains("127.0.0.1"));
        assert!(parse::<PathBuf>("").is_err());
    }

    #[test]
    fn empty_text_and_null_are_nothing() {
        assert_eq!(parse::<Option<u16>>(""), Ok(None));
        assert_eq!(parse::<Option<u16>>(Value::Null), Ok(None));
        assert_eq!(parse::<Option<u16>>("80"), Ok(Some(80)));
        assert!(parse::<Option<u16>>("x").is_err());
        assert_eq!(None::<u16>.show(), Value::Null);
    }

    #[test]
    fn a_list_is_an_array_or_text_with_commas() {
        assert_eq!(parse::<Vec<u16>>(json!([1, 2])), Ok(vec![1, 2]));
        assert_eq!(parse::<Vec<u16>>("1, 2"), Ok(vec![1, 2]));
        assert_eq!(parse::<Vec<String>>(""), Ok(vec![]));
        assert_eq!(parse::<Vec<bool>>("on,x"), Err("item 2: expected `true` or `false`".into()));
        assert!(parse::<Vec<u16>>(json!([1, "x"])).expect_err("x").starts_with("item 2: "));
        assert!(parse::<Vec<u16>>(3).is_err());
        assert_eq!(vec![1_u16, 2].show(), json!([1, 2]));
    }

    #[test]
    fn text_in_brackets_is_a_json_array_and_brackets_alone_empty_a_list() {
        assert_eq!(parse::<Vec<String>>("[]"), Ok(vec![]));
        assert_eq!(parse::<Vec<u16>>(" [ ] "), Ok(vec![]));
        assert_eq!(parse::<Option<Vec<String>>>("[]"), Ok(Some(vec![])));
        assert_eq!(parse::<Option<Vec<String>>>(""), Ok(None));
        assert_eq!(parse::<Vec<String>>(r#"["a", "b,c"]"#), Ok(vec!["a".into(), "b,c".into()]));
        assert_eq!(parse::<Vec<u16>>("[1, 2]"), Ok(vec![1, 2]));
        assert_eq!(parse::<Vec<bool>>(r#"["on", false]"#), Ok(vec![true, false]));
        let wrong = parse::<Vec<String>>("[1]").expect_err("not text");
        assert_eq!(wrong, "item 1: expected text, in quotes: write `1`");
        for text in ["[a, b]", "[exp]", r#"["a",]"#, "['a']", "[[]"] {
            let wrong = parse::<Vec<String>>(text).expect_err(text);
            assert!(wrong.contains("a JSON array"), "{text}: {wrong}");
        }
        for (text, why) in [
            ("exp,", "item 2: it is empty"),
            ("a,,b", "item 2: it is empty"),
            (r#""a","b""#, "item 1: write the list as a JSON array"),
            ("[exp", "item 1: write the list as a JSON array"),
        ] {
            let wrong = parse::<Vec<String>>(text).expect_err(text);
            assert!(wrong.starts_with(why), "{text}: {wrong}");
        }
        let secrets = parse::<Vec<SecretString>>(r#"["one, with a comma", "two"]"#);
        assert_eq!(secrets.map(|all| all.len()).ok(), Some(2));
        let wrong = parse::<Vec<SecretString>>("[hunter2]").expect_err("not JSON");
        assert!(!wrong.contains("hunter2"), "{wrong}");
        assert_eq!(parse::<Vec<String>>("[::1],[::2]"), Ok(vec!["[::1]".into(), "[::2]".into()]));
        assert_eq!(parse::<Vec<SocketAddr>>("[::1]:80,[::1]:81").map(|all| all.len()), Ok(2));
    }

    #[test]
    fn every_shown_value_parses_again() {
        fn round<T: Setting>(value: T) {
            let shown = value.show();
            assert_eq!(T::parse(&shown).map(|again| again.show()), Ok(shown));
        }
        round(true);
        round(0.25);
        round(u64::MAX);
        round(String::from("x"));
        round(None::<u8>);
        round(vec![Some(1_i64)]);
    }

    #[test]
    fn a_schema_has_the_bounds_that_json_can_hold() {
        assert_eq!(u16::schema(), json!({"type": "integer", "minimum": 0, "maximum": 65535}));
        assert_eq!(u64::schema(), json!({"type": "integer", "minimum": 0}));
        assert_eq!(i64::schema(), json!({"type": "integer"}));
    }

    #[test]
    fn every_type_has_a_schema_and_says_what_it_expects() {
        fn check<T: Setting>() {
            assert!(T::schema().is_object());
            assert!(!T::expects().is_empty());
        }
        check::<bool>();
        check::<u8>();
        check::<f64>();
        check::<String>();
        check::<SecretString>();
        check::<PathBuf>();
        check::<IpAddr>();
        check::<SocketAddr>();
        check::<Option<Vec<u16>>>();
    }
}
