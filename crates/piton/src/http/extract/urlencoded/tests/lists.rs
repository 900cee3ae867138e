use super::*;

#[derive(Debug, Deserialize, Serialize)]
struct Lists {
    #[serde(default)]
    tag: Vec<String>,
    set: Option<HashSet<u8>>,
    #[serde(default)]
    sorted: BTreeSet<i64>,
    three: Option<[u8; 3]>,
    pair: Option<(u8, bool)>,
    state: Option<List<TwoLetters, 3>>,
    #[serde(default)]
    ids: Vec<Id>,
    kinds: Option<Vec<Direction>>,
    wrapped: Option<WrappedList>,
}

#[derive(Debug, Deserialize, Serialize)]
struct WrappedList(Vec<u32>);

#[derive(Debug, PartialEq, Serialize)]
struct TwoLetters(String);

impl std::fmt::Display for TwoLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for TwoLetters {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 2 { Ok(Self(text.into())) } else { Err("a state has two letters") }
    }
}

#[test]
fn a_list_is_read_with_commas_and_from_several_parameters() {
    for (query, name, wanted) in [
        ("tag=a,b", "tag", json!(["a", "b"])),
        ("tag=a&tag=b", "tag", json!(["a", "b"])),
        ("tag=a,b&set=1&tag=c", "tag", json!(["a", "b", "c"])),
        ("tag=a", "tag", json!(["a"])),
        ("tag=", "tag", json!([])),
        ("tag", "tag", json!([])),
        ("", "tag", json!([])),
        ("tag=a%2Cb,c", "tag", json!(["a,b", "c"])),
        ("tag=a%2cb&tag=c+d%2B", "tag", json!(["a,b", "c d+"])),
        ("tag=a,,b", "tag", json!(["a", "", "b"])),
        ("tag=&tag=a", "tag", json!(["", "a"])),
        ("set=7", "set", json!([7])),
        ("sorted=3,-1,3", "sorted", json!([-1, 3])),
        ("sorted=3%2C-1", "sorted", json!([-1, 3])),
        ("three=1,2,3", "three", json!([1, 2, 3])),
        ("three=1&three=2&three=3", "three", json!([1, 2, 3])),
        ("pair=1,true", "pair", json!([1, true])),
        ("state=SP,RJ", "state", json!("SP,RJ")),
        ("state=SP%2CRJ", "state", json!("SP,RJ")),
        ("state=SP&state=RJ", "state", json!("SP,RJ")),
        ("state=SP,RJ&state=MG", "state", json!("SP,RJ,MG")),
        ("ids=1,x,true", "ids", json!([1, "x", true])),
        ("kinds=up&kinds=down", "kinds", json!(["up", "down"])),
        ("wrapped=1,2", "wrapped", json!([1, 2])),
    ] {
        let value = read::<Lists>(query).unwrap_or_else(|wrong| panic!("{query}: {wrong:?}"));
        assert_eq!(value[name], wanted, "{query}");
    }
}

#[test]
fn an_invalid_list_is_rejected_with_its_name_and_position() {
    let rejected = |query| errors::<Lists>(query).remove(0);
    let (name, why) = rejected("set=1,x");
    assert_eq!(
        (&*name, why.starts_with("value 2 of the list: is not a valid")),
        ("set", true),
        "{why}"
    );
    assert_eq!(rejected("set=1&set="), ("set".into(), "value 2 of the list: is empty".into()));
    assert_eq!(rejected("three=1,2"), ("three".into(), "has 2 values, expected 3".into()));
    assert_eq!(rejected("three=1,2,3,4").0, "three");
    assert_eq!(rejected("state=SP&state=R").1, "value 2 of the list: a state has two letters");
    assert_eq!(rejected("state=SP,RJ&state=MG,ES").1, "at most 3 values are allowed");
}
