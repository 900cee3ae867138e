//! `operationId`, the name of an operation in generated clients: the handler's module and name, such as
//! `companies_list`, so that it is stable as long as those are.

use std::collections::{BTreeMap, BTreeSet};

use super::names::free_name;
use crate::http::RouteInfo;

/// Returns an id for each route; all are different.
pub(super) fn for_routes(routes: &[&RouteInfo]) -> Vec<String> {
    let mut ids: Vec<String> = routes.iter().map(|info| id(info, 2)).collect();
    // Renamed in this order, because a handler of several methods is the commoner reason for equal ids than
    // modules of the same name.
    rename(&mut ids, |at| format!("{}_{}", id(routes[at], 2), method(routes[at])));
    rename(&mut ids, |at| format!("{}_{}", id(routes[at], 3), method(routes[at])));
    rename(&mut ids, |at| by_path(routes[at]));
    number(&mut ids);
    ids
}

/// Adds numbers to ids that are still equal: of paths that differ in punctuation alone.
fn number(ids: &mut [String]) {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for id in ids {
        // Compared without case and `_`, because generators convert `get_thing` and `getThing` to one name.
        let is_taken = |id: &str| taken.contains(&id.replace('_', "").to_ascii_lowercase());
        *id = free_name(id, is_taken);
        taken.insert(id.replace('_', "").to_ascii_lowercase());
    }
}

fn rename(ids: &mut [String], new: impl Fn(usize) -> String) {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for id in ids.iter() {
        *count.entry(id.clone()).or_default() += 1;
    }
    for (at, id) in ids.iter_mut().enumerate() {
        if count[id] > 1 {
            *id = new(at);
        }
    }
}

/// Returns the last `parts` segments of the handler's path in the code, without the crate.
fn id(info: &RouteInfo, parts: usize) -> String {
    if let Some(own) = info.operation.custom_id() {
        return own.to_owned();
    }
    let parts_of: Vec<&str> = info.handler.split("::").skip(1).collect();
    let plain = |part: &&str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if parts_of.is_empty() || !parts_of.iter().all(plain) {
        return by_path(info);
    }
    parts_of[parts_of.len().saturating_sub(parts)..].join("_")
}

fn by_path(info: &RouteInfo) -> String {
    let words =
        info.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(&*method(info)).chain(words).collect::<Vec<_>>().join("_")
}

fn method(info: &RouteInfo) -> String {
    info.method.as_str().to_ascii_lowercase()
}
