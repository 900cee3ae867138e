//! Variables that look like settings of a section and have no effect.

use std::collections::HashSet;

use super::kubernetes_variables::is_kubernetes;
use super::layers::Config;
use super::origin::Origin;
use super::raw_value::RawValue;
use super::section::Section;
use super::similar_names::suggest;
use super::variable_names::VariableNames;
use super::variable_value::value_of_variable;

/// A variable that no setting is read from.
pub(crate) struct UnusedVariable {
    pub name: String,
    pub origin: Origin,
    /// The variable that is probably meant.
    pub suggestion: Option<String>,
}

impl Config {
    /// Returns the variables that begin with `start` and that `section` is not read from.
    pub(crate) fn unused_variables(&self, section: &Section, start: &str) -> Vec<UnusedVariable> {
        let known: HashSet<String> =
            self.variable_names(&[section]).iter().flat_map(VariableNames::all).collect();
        let layers = &*self.0;
        let mut unused: Vec<_> = layers
            .dotenv
            .iter()
            .filter(|(name, _)| !layers.environment.contains_key(*name))
            .chain(&layers.environment)
            .filter_map(|(name, raw)| Some((name, name.strip_prefix(start)?, raw)))
            .filter(|(name, rest, raw)| !known.contains(*name) && !is_kubernetes(rest, &raw.value))
            .collect();
        unused.sort_by_key(|(name, ..)| *name);
        let suggestion = |name: &str, rest: &str| {
            let prefixed = format!("{}_{name}", self.prefix());
            if known.contains(&prefixed) {
                return Some(prefixed);
            }
            let candidates = known.iter().filter_map(|name| name.strip_prefix(start));
            let near = suggest(rest, candidates).map(|near| format!("{start}{near}"));
            // First by the same letters, because a missing or extra `_` is the most frequent mistake.
            let plain = |name: &str| name.replace('_', "");
            let same = known.iter().find(|it| plain(it) == plain(name)).cloned();
            same.or(near)
        };
        let variable = |(name, rest, raw): (&String, &str, &RawValue)| UnusedVariable {
            suggestion: suggestion(name, rest),
            name: name.clone(),
            origin: raw.origin.clone(),
        };
        unused.into_iter().map(variable).collect()
    }

    /// Returns the variables of `key` whose value differs from that of a stronger one in the same layer, each
    /// after the stronger one.
    pub(crate) fn outranked_variables(&self, section: &Section, key: &str) -> Vec<[String; 2]> {
        let names = self.variable_names(&[section]);
        let Some(names) = names.iter().find(|names| names.key == key) else { return Vec::new() };
        let name = |raw: &RawValue| raw.origin.variable().unwrap_or_default().to_owned();
        let mut outranked = Vec::new();
        for layer in [&self.0.environment, &self.0.dotenv] {
            let look = |variable| value_of_variable(layer, names, variable)?.ok();
            let mut raw = names.variables.iter().filter_map(look);
            let Some(first) = raw.next() else { continue };
            let others = raw.filter(|other| other.value != first.value);
            outranked.extend(others.map(|other| [name(&first), name(&other)]));
        }
        outranked
    }
}
