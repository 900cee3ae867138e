//! References to results of other tasks, as Celery stores them: `[[id, parent], members]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A reference to the result of a task, or to those of a group.
///
/// Saved groups are `{"result": [[id, null], [..]]}` under the key `celery-taskset-meta-<id>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResultTuple {
    /// The id of the task or the group.
    pub id: String,
    /// The result that came before it in a chain.
    pub parent: Option<Box<Self>>,
    /// The members of the group. `None` for a task.
    pub members: Option<Vec<Self>>,
}

impl ResultTuple {
    /// Returns the reference to the result of a task.
    #[must_use]
    pub fn task(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// Returns the reference to the results of a group.
    #[must_use]
    pub fn group(id: impl Into<String>, members: Vec<Self>) -> Self {
        Self { members: Some(members), ..Self::task(id) }
    }
}

/// The first half of a reference. Python reads an id without a parent, too.
#[derive(Deserialize)]
#[serde(untagged)]
enum IdAndParent {
    Id(String),
    Pair(String, Option<Box<ResultTuple>>),
}

impl Serialize for ResultTuple {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ((&self.id, &self.parent), &self.members).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ResultTuple {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (first, members) = Deserialize::deserialize(deserializer)?;
        Ok(match first {
            IdAndParent::Id(id) => Self { id, parent: None, members },
            IdAndParent::Pair(id, parent) => Self { id, parent, members },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_nested_tuples() {
        let parent = Some(Box::new(ResultTuple::task("p")));
        let group = ResultTuple { parent, ..ResultTuple::group("g", vec![ResultTuple::task("a")]) };
        let expected = json!([["g", [["p", null], null]], [[["a", null], null]]]);
        assert_eq!(json!(group), expected);
        assert_eq!(serde_json::from_value::<ResultTuple>(expected).unwrap(), group);
        let id_alone: ResultTuple = serde_json::from_value(json!(["a", null])).unwrap();
        assert_eq!(id_alone, ResultTuple::task("a"));
    }
}
