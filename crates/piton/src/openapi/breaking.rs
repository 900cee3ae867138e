//! What has changed between two documents, and whether clients that were made for the older one still
//! work: of what they send nothing may be refused that was taken, in what they get nothing may be
//! missing or new in kind.

mod schema;

use std::collections::BTreeMap;

use serde_json::Value;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Whether it breaks clients.
    pub breaking: bool,
    /// Where, and what.
    pub text: String,
}

/// The changes from `before` to `now`, in the order of the paths.
pub(super) fn changes(before: &Value, now: &Value) -> Vec<Change> {
    let mut found = Found { before, now, place: String::new(), changes: Vec::new() };
    let (old, new) = (operations(before), operations(now));
    for (key, (name, operation)) in &old {
        found.place.clone_from(name);
        match new.get(key) {
            Some((_, now)) => found.operation(operation, now),
            None => found.breaks("removed"),
        }
    }
    for (name, _) in new.iter().filter(|(key, _)| !old.contains_key(*key)).map(|(_, one)| one) {
        found.place.clone_from(name);
        found.allows("added");
    }
    found.schemes(&old.into_values().map(|(_, operation)| operation).collect::<Vec<_>>());
    found.changes
}

/// By method and path; what the parameters of a path are called is nobody's business.
fn operations(document: &Value) -> BTreeMap<(String, String), (String, &Value)> {
    let mut all = BTreeMap::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let shape: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect();
        for (method, operation) in item.as_object().into_iter().flatten() {
            let name = format!("{} {path}", method.to_ascii_uppercase());
            all.insert((shape.join("/"), method.clone()), (name, operation));
        }
    }
    all
}

/// The changes found so far, and where one is looking.
struct Found<'a> {
    before: &'a Value,
    now: &'a Value,
    place: String,
    changes: Vec<Change>,
}

impl<'a> Found<'a> {
    fn breaks(&mut self, what: &str) {
        self.add(true, what);
    }

    fn allows(&mut self, what: &str) {
        self.add(false, what);
    }

    fn add(&mut self, breaking: bool, what: &str) {
        let change = Change { breaking, text: format!("{}: {what}", self.place) };
        // A type that is used twice changes twice in the same place.
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    /// Looks at something inside, by its name.
    fn within(&mut self, name: &str, look: impl FnOnce(&mut Self)) {
        let length = self.place.len();
        self.place += name;
        look(self);
        self.place.truncate(length);
    }

    /// What is shown to be let in, wherever that is asked for.
    fn schemes(&mut self, operations: &[&Value]) {
        let (old, new) = (schemes(self.before), schemes(self.now));
        let is_asked = |name: &str| {
            operations.iter().any(|it| ways(&it["security"]).iter().any(|way| way.contains(&name)))
        };
        for (name, scheme) in members(old).into_iter().filter(|(name, _)| is_asked(name)) {
            let Some(now) = new.get(name) else { continue };
            let differs = |key: &&str| scheme[*key] != now[*key];
            let changed: Vec<_> =
                ["type", "in", "name", "scheme"].into_iter().filter(differs).collect();
            if !changed.is_empty() {
                self.place = format!("security scheme `{name}`");
                self.breaks(&format!(
                    "shown in another way now: another `{}`",
                    changed.join("`, `")
                ));
            }
        }
    }

    fn operation(&mut self, before: &'a Value, now: &'a Value) {
        self.parameters(before, now);
        self.body(&before["requestBody"], &now["requestBody"]);
        self.answers(&before["responses"], &now["responses"]);
        self.security(&before["security"], &now["security"]);
        if before["operationId"] != now["operationId"] {
            let (old, new) = (&before["operationId"], &now["operationId"]);
            self.allows(&format!("generated clients call it {new} instead of {old}"));
        }
        if now["deprecated"] == true && before["deprecated"] != true {
            self.allows("deprecated");
        }
    }

    fn parameters(&mut self, before: &'a Value, now: &'a Value) {
        let (old, new) = (parameters(before), parameters(now));
        for ((place, name), parameter) in &old {
            self.within(&format!(" {place} parameter `{name}`"), |found| {
                let Some(now) = new.get(&(*place, name.clone())) else {
                    return found.breaks("removed");
                };
                match (parameter["required"] == true, now["required"] == true) {
                    (false, true) => found.breaks("must be there now"),
                    (true, false) => found.allows("need not be there any more"),
                    _ => {}
                }
                if is_written_otherwise(place, parameter, now) {
                    found.breaks("written in another way now (style, explode)");
                }
                found.request_schema(&parameter["schema"], &now["schema"]);
            });
        }
        for ((place, name), parameter) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
            self.within(&format!(" {place} parameter `{name}`"), |found| {
                match parameter["required"] == true {
                    true => found.breaks("added, and must be there"),
                    false => found.allows("added"),
                }
            });
        }
    }

    fn body(&mut self, before: &'a Value, now: &'a Value) {
        self.within(" body", |found| match (before.is_null(), now.is_null()) {
            (true, true) => {}
            (false, true) => found.breaks("not read any more"),
            (true, false) if now["required"] == true => found.breaks("must be there now"),
            (true, false) => found.allows("read now"),
            (false, false) => {
                if before["required"] != true && now["required"] == true {
                    found.breaks("must be there now");
                }
                for (media_type, content) in members(&before["content"]) {
                    match now["content"].get(media_type) {
                        Some(now) => found.request_schema(&content["schema"], &now["schema"]),
                        None => found.breaks(&format!("not taken as `{media_type}` any more")),
                    }
                }
                for (media_type, _) in members(&now["content"]) {
                    if before["content"].get(media_type).is_none() {
                        found.allows(&format!("taken as `{media_type}`, too"));
                    }
                }
            }
        });
    }

    fn answers(&mut self, before: &'a Value, now: &'a Value) {
        let success = |status: &str| status.starts_with('2') || status.starts_with('3');
        for (status, answer) in members(before).into_iter().filter(|(status, _)| success(status)) {
            self.within(&format!(" answer {status}"), |found| match now.get(status) {
                Some(now) => {
                    found.answer(resolved(found.before, answer), resolved(found.now, now));
                }
                None => found.breaks("removed"),
            });
        }
        if let (Some(before), Some(now)) = (before.get("default"), now.get("default")) {
            self.within(" answer default", |found| {
                found.answer(resolved(found.before, before), resolved(found.now, now));
            });
        }
        let failure = |status: &str| !success(status) && status != "default";
        for (status, answer) in members(before).into_iter().filter(|(status, _)| failure(status)) {
            let Some(now) = now.get(status) else {
                self.allows(&format!("answer {status} is not told of any more"));
                continue;
            };
            self.within(&format!(" answer {status}"), |found| {
                found.answer(resolved(found.before, answer), resolved(found.now, now));
            });
        }
        for (status, _) in members(now).into_iter().filter(|(status, _)| success(status)) {
            if before.get(status).is_none() {
                self.allows(&format!("answers {status}, too"));
            }
        }
    }

    fn answer(&mut self, before: &'a Value, now: &'a Value) {
        for (media_type, content) in members(&before["content"]) {
            match now["content"].get(media_type) {
                Some(now) => self.answer_schema(&content["schema"], &now["schema"]),
                None => self.breaks(&format!("not given as `{media_type}` any more")),
            }
        }
        for (header, said) in members(&before["headers"]) {
            let same = |(name, _): &(&str, &Value)| name.eq_ignore_ascii_case(header);
            match members(&now["headers"]).into_iter().find(same) {
                None => self.breaks(&format!("header `{header}` removed")),
                Some((_, now)) => self.within(&format!(" header `{header}`"), |found| {
                    found.answer_schema(&said["schema"], &now["schema"]);
                }),
            }
        }
    }

    /// Whoever was let in is let in.
    fn security(&mut self, before: &'a Value, now: &'a Value) {
        let (old, new) = (ways(before), ways(now));
        let is_enough = |shown: &Vec<&str>| {
            new.iter().any(|wanted| wanted.iter().all(|scheme| shown.contains(scheme)))
        };
        let refused = old.iter().filter(|way| !is_enough(way)).count();
        if refused > 0 {
            let wanted: Vec<String> =
                new.iter().map(|way| format!("`{}`", way.join("` and `"))).collect();
            self.breaks(&format!("asks who is calling in another way: {}", wanted.join(" or ")));
        } else if old != new {
            self.allows("lets more callers in");
        }
    }
}

/// Returns whether what clients write is another text now. A list in a query is read with commas and
/// repeated, whichever of the two the document says.
fn is_written_otherwise(place: &str, before: &Value, now: &Value) -> bool {
    let is_list = |parameter: &Value| {
        let kind = &parameter["schema"]["type"];
        *kind == "array" || kind.as_array().is_some_and(|all| all.iter().any(|one| one == "array"))
    };
    let style = |parameter: &Value| parameter["style"].as_str().unwrap_or("form").to_owned();
    if place == "query" && is_list(before) && is_list(now) {
        return style(before) != style(now);
    }
    ["style", "explode"].iter().any(|key| before[*key] != now[*key])
}

fn schemes(document: &Value) -> &Value {
    &document["components"]["securitySchemes"]
}

/// An answer that stands among the components.
fn resolved<'a>(document: &'a Value, answer: &'a Value) -> &'a Value {
    let name =
        answer["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/responses/"));
    name.map_or(answer, |name| &document["components"]["responses"][name])
}

/// What is enough, each a set of schemes; one that is empty lets everybody in.
fn ways(security: &Value) -> Vec<Vec<&str>> {
    let all = security.as_array().into_iter().flatten();
    let all: Vec<Vec<&str>> =
        all.map(|way| members(way).into_iter().map(|(name, _)| name).collect()).collect();
    if all.is_empty() { vec![Vec::new()] } else { all }
}

/// By place and name; those of the path by their position, as their names do not matter.
fn parameters(operation: &Value) -> BTreeMap<(&str, String), &Value> {
    let mut all = BTreeMap::new();
    let mut in_path = 0;
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let place = parameter["in"].as_str().unwrap_or_default();
        let mut name = parameter["name"].as_str().unwrap_or_default().to_owned();
        match place {
            "path" => {
                in_path += 1;
                name = in_path.to_string();
            }
            // The names of headers have no case.
            "header" => name.make_ascii_lowercase(),
            _ => {}
        }
        all.insert((place, name), parameter);
    }
    all
}

/// In the order of their names.
fn members(value: &Value) -> Vec<(&str, &Value)> {
    let mut members: Vec<(&str, &Value)> =
        value.as_object().into_iter().flatten().map(|(key, value)| (&**key, value)).collect();
    members.sort_by_key(|(key, _)| *key);
    members
}
