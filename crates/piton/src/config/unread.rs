//! Variables that look like settings of a section and have no effect.

use std::collections::HashSet;

use super::check::is_kubernetes;
use super::loader::look;
use super::names::Names;
use super::nearest::nearest;
use super::problem::Origin;
use super::{Config, Given, Section};

/// A variable that no setting is read from.
pub(crate) struct UnreadVariable {
    pub name: String,
    pub origin: Origin,
    /// The variable that was probably meant.
    pub suggestion: Option<String>,
}

impl Config {
    /// Returns the variables that begin with `start` and that `section` is not read from.
    pub(crate) fn unread_variables(&self, section: &Section, start: &str) -> Vec<UnreadVariable> {
        let known: HashSet<String> = self.names(&[section]).iter().flat_map(Names::all).collect();
        let layers = &*self.0;
        let mut unread: Vec<_> = layers
            .dotenv
            .iter()
            .filter(|(name, _)| !layers.environment.contains_key(*name))
            .chain(&layers.environment)
            .filter_map(|(name, given)| Some((name, name.strip_prefix(start)?, given)))
            .filter(|(name, rest, given)| {
                !known.contains(*name) && !is_kubernetes(rest, &given.value)
            })
            .collect();
        unread.sort_by_key(|(name, ..)| *name);
        let suggestion = |name: &str, rest: &str| {
            let prefixed = format!("{}_{name}", self.prefix());
            if known.contains(&prefixed) {
                return Some(prefixed);
            }
            let candidates = known.iter().filter_map(|name| name.strip_prefix(start));
            let near = nearest(rest, candidates).map(|near| format!("{start}{near}"));
            // A word set apart by `_` or not is the most frequent difference.
            let plain = |name: &str| name.replace('_', "");
            let same = known.iter().find(|it| plain(it) == plain(name)).cloned();
            same.or(near)
        };
        let variable = |(name, rest, given): (&String, &str, &Given)| UnreadVariable {
            suggestion: suggestion(name, rest),
            name: name.clone(),
            origin: given.origin.clone(),
        };
        unread.into_iter().map(variable).collect()
    }

    /// Returns the variables of `key` that have another value than a stronger one in the same place, each
    /// after that one.
    pub(crate) fn outranked_variables(&self, section: &Section, key: &str) -> Vec<[String; 2]> {
        let names = self.names(&[section]);
        let Some(names) = names.iter().find(|names| names.key == key) else { return Vec::new() };
        let name = |given: &Given| given.origin.variable().unwrap_or_default().to_owned();
        let mut outranked = Vec::new();
        for layer in [&self.0.environment, &self.0.dotenv] {
            let look = |variable| look(layer, names, variable)?.ok();
            let mut given = names.variables.iter().filter_map(look);
            let Some(first) = given.next() else { continue };
            let others = given.filter(|other| other.value != first.value);
            outranked.extend(others.map(|other| [name(&first), name(&other)]));
        }
        outranked
    }
}
