//! The tree of objects that names with brackets describe: `range[min]=1&range[max]=2` (OpenAPI's style `deepObject`).

use std::collections::HashMap;

/// A parameter: a group of pairs of one name, by its index, or an object.
pub(super) enum ParameterNode<'de> {
    Group(usize),
    Object(Members<'de>),
}

/// The members of an object, by name.
pub(super) type Members<'de> = Vec<(&'de str, ParameterNode<'de>)>;

impl<'de> ParameterNode<'de> {
    /// Returns the index of the first group of the parameter.
    pub(super) fn group(&self) -> Option<usize> {
        match self {
            Self::Group(group) => Some(*group),
            Self::Object(members) => members.first()?.1.group(),
        }
    }
}

/// The objects while their members are collected. With the map this takes linear time.
pub(super) struct ObjectTree<'de> {
    /// The members of each object. The first object is that of all parameters.
    objects: Vec<Vec<(&'de str, TreeEntry)>>,
    /// The index of each object, by the index of the object that contains it and by its name.
    known: HashMap<(usize, &'de str), usize>,
}

/// A member: a group or an object, by its index.
enum TreeEntry {
    Group(usize),
    Object(usize),
}

impl<'de> ObjectTree<'de> {
    /// Makes a tree without parameters.
    pub(super) fn new() -> Self {
        Self { objects: vec![Vec::new()], known: HashMap::new() }
    }

    /// Adds the group whose name goes on with `rest`, such as `[min]` or `[a][b]`.
    pub(super) fn insert(&mut self, mut name: &'de str, rest: &'de str, group: usize) {
        let mut object = 0;
        let members = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        for member in members.into_iter().flat_map(|members| members.split("][")) {
            let next = self.objects.len();
            let inner = *self.known.entry((object, name)).or_insert(next);
            if inner == next {
                self.objects.push(Vec::new());
                self.objects[object].push((name, TreeEntry::Object(inner)));
            }
            (object, name) = (inner, member);
        }
        self.objects[object].push((name, TreeEntry::Group(group)));
    }

    /// Returns the parameters at the top.
    pub(super) fn into_members(mut self) -> Members<'de> {
        self.take(0)
    }

    /// Takes the members of an object. Recurses at most [`MAX_BRACKET_LEVELS`](super::limits::MAX_BRACKET_LEVELS) times.
    fn take(&mut self, object: usize) -> Members<'de> {
        let members = std::mem::take(&mut self.objects[object]);
        let node = |(name, entry)| match entry {
            TreeEntry::Group(group) => (name, ParameterNode::Group(group)),
            TreeEntry::Object(object) => (name, ParameterNode::Object(self.take(object))),
        };
        members.into_iter().map(node).collect()
    }
}
