use super::*;

#[test]
fn very_many_buffered_values_are_read_in_few_passes() {
    #[derive(Debug, Deserialize)]
    struct AnyNames {
        #[serde(flatten)]
        rest: HashMap<String, u32>,
    }

    let query: Vec<String> = (0..20_000).map(|number| format!("n{number}={number}")).collect();
    let begun = std::time::Instant::now();
    let read = parse::<AnyNames>(query.join("&").as_bytes()).unwrap();
    assert_eq!(read.rest.len(), 20_000);
    assert_eq!(read.rest["n19999"], 19_999);
    // One pass a parameter would take minutes.
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Recursive {
    value: Option<u32>,
    inner: Option<Box<Recursive>>,
}

#[derive(Debug, Deserialize, Serialize)]
struct FlatRecursive {
    #[serde(flatten)]
    it: Recursive,
}

#[test]
fn a_name_has_a_limited_depth_of_brackets() {
    for levels in [17, 100_000] {
        for part in ["[]", "[inner]"] {
            let query = format!("inner{}=1&value=1", part.repeat(levels));
            for wrong in [
                errors::<Recursive>(&query),
                errors::<FlatRecursive>(&query),
                errors::<HashMap<String, String>>(&query),
                errors::<PageAndSize>(&query),
            ] {
                let [(name, what)] = &wrong[..] else { panic!("{}", wrong.len()) };
                assert!(name.starts_with("inner[") && name.len() < 80, "{name}");
                assert_eq!(what, "has more than 16 levels of brackets");
            }
        }
    }
    let query = format!("inner{}[value]=1", "[inner]".repeat(15));
    assert!(read::<Recursive>(&query).unwrap().to_string().contains("\"value\":1"));
    assert!(read::<FlatRecursive>(&query).unwrap().to_string().contains("\"value\":1"));
}

thread_local! {
    static PASSES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A `T` that counts how many times it is read.
#[derive(Debug, Serialize)]
struct Counted<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Counted<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PASSES.set(PASSES.get() + 1);
        T::deserialize(deserializer).map(Self)
    }
}

/// Returns the result and how many times `query` is read as a `T`.
fn passes<T: DeserializeOwned + Serialize>(
    query: &str,
) -> (Result<Value, Vec<ParameterError>>, usize) {
    PASSES.set(0);
    (read::<Counted<T>>(query), PASSES.get())
}

#[test]
fn many_names_with_brackets_are_read_in_few_passes() {
    let many = |count: usize, part: &str| -> String {
        (0..count).map(|n| format!("&{}=1", part.replace('N', &n.to_string()))).collect()
    };
    let query = format!("q=x&age=1{}", many(3_000, "oN[a]"));
    let (read, count) = passes::<Flat>(&query);
    assert_eq!(read.unwrap_err()[0].1, "is one of more than 16 names with brackets");
    assert!(count < 100, "{count} passes");
    let (read, count) = passes::<HashMap<String, String>>(&many(3_000, "aN[]"));
    assert_eq!(read.unwrap().as_object().map(serde_json::Map::len), Some(3_000));
    assert!(count < 5, "{count} passes");
    let query = format!("q=x&age=1{}", many(3_000, "age[aN][b]"));
    let (read, count) = passes::<Flat>(&query);
    assert!(read.is_err());
    assert!(count < 1_000, "{count} passes");
    // With more parameters, fewer passes are made.
    let query = format!("q=x&age=x&signed=x{}", many(50_000, "oN"));
    let (read, count) = passes::<Flat>(&query);
    assert_eq!(read.unwrap_err()[0].0.as_deref(), Some("age"));
    assert!(count < 60, "{count} passes");
}
