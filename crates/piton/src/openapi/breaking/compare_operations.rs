//! Compares the operations of two documents: parameters, bodies, responses, security.

use std::collections::BTreeMap;

use serde_json::Value;

use super::found_changes::{ApiChange, Diff, members};

/// Returns the changes from `before` to `now`, in the order of the paths.
pub(in crate::openapi) fn changes(before: &Value, now: &Value) -> Vec<ApiChange> {
    let mut diff = Diff { before, now, place: String::new(), changes: Vec::new() };
    let (old, new) = (operations(before), operations(now));
    for (key, (name, operation)) in &old {
        diff.place.clone_from(name);
        match new.get(key) {
            Some((_, now)) => diff.operation(operation, now),
            None => diff.breaks("removed"),
        }
    }
    for (name, _) in new.iter().filter(|(key, _)| !old.contains_key(*key)).map(|(_, one)| one) {
        diff.place.clone_from(name);
        diff.allows("added");
    }
    diff.security_schemes(&old.into_values().map(|(_, operation)| operation).collect::<Vec<_>>());
    diff.changes
}

/// Returns the operations by path and method. Parameters of a path count by their position, because their names
/// do not appear in URLs.
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

impl<'a> Diff<'a> {
    /// Compares the security schemes that some operation uses.
    fn security_schemes(&mut self, operations: &[&Value]) {
        let (old, new) = (security_schemes(self.before), security_schemes(self.now));
        let is_used = |name: &str| {
            operations.iter().any(|it| {
                requirements(&it["security"]).iter().any(|requirement| requirement.contains(&name))
            })
        };
        for (name, scheme) in members(old).into_iter().filter(|(name, _)| is_used(name)) {
            let Some(now) = new.get(name) else { continue };
            let differs = |key: &&str| scheme[*key] != now[*key];
            let changed: Vec<_> =
                ["type", "in", "name", "scheme"].into_iter().filter(differs).collect();
            if !changed.is_empty() {
                self.place = format!("security scheme `{name}`");
                self.breaks(&format!(
                    "credentials are sent differently: changed `{}`",
                    changed.join("`, `")
                ));
            }
        }
    }

    fn operation(&mut self, before: &'a Value, now: &'a Value) {
        self.parameters(before, now);
        self.body(&before["requestBody"], &now["requestBody"]);
        self.responses(&before["responses"], &now["responses"]);
        self.security(&before["security"], &now["security"]);
        if before["operationId"] != now["operationId"] {
            let (old, new) = (&before["operationId"], &now["operationId"]);
            self.allows(&format!("generated clients name it {new} instead of {old}"));
        }
        if now["deprecated"] == true && before["deprecated"] != true {
            self.allows("deprecated");
        }
    }

    fn parameters(&mut self, before: &'a Value, now: &'a Value) {
        let (old, new) = (parameters(before), parameters(now));
        for ((place, name), parameter) in &old {
            self.within(&format!(" {place} parameter `{name}`"), |diff| {
                let Some(now) = new.get(&(*place, name.clone())) else {
                    return diff.breaks("removed");
                };
                match (parameter["required"] == true, now["required"] == true) {
                    (false, true) => diff.breaks("required now"),
                    (true, false) => diff.allows("optional now"),
                    _ => {}
                }
                if is_serialized_differently(place, parameter, now) {
                    diff.breaks("serialized differently now (style, explode)");
                }
                diff.request_schema(&parameter["schema"], &now["schema"]);
            });
        }
        for ((place, name), parameter) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
            self.within(&format!(" {place} parameter `{name}`"), |diff| {
                match parameter["required"] == true {
                    true => diff.breaks("added as required"),
                    false => diff.allows("added"),
                }
            });
        }
    }

    fn body(&mut self, before: &'a Value, now: &'a Value) {
        self.within(" body", |diff| match (before.is_null(), now.is_null()) {
            (true, true) => {}
            (false, true) => diff.breaks("no longer read"),
            (true, false) if now["required"] == true => diff.breaks("required now"),
            (true, false) => diff.allows("read now"),
            (false, false) => {
                if before["required"] != true && now["required"] == true {
                    diff.breaks("required now");
                }
                for (media_type, content) in members(&before["content"]) {
                    match now["content"].get(media_type) {
                        Some(now) => diff.request_schema(&content["schema"], &now["schema"]),
                        None => diff.breaks(&format!("`{media_type}` no longer accepted")),
                    }
                }
                for (media_type, _) in members(&now["content"]) {
                    if before["content"].get(media_type).is_none() {
                        diff.allows(&format!("`{media_type}` accepted as well"));
                    }
                }
            }
        });
    }

    fn responses(&mut self, before: &'a Value, now: &'a Value) {
        let success = |status: &str| status.starts_with('2') || status.starts_with('3');
        for (status, answer) in members(before).into_iter().filter(|(status, _)| success(status)) {
            self.within(&format!(" response {status}"), |diff| match now.get(status) {
                Some(now) => {
                    diff.response(resolved(diff.before, answer), resolved(diff.now, now));
                }
                None => diff.breaks("removed"),
            });
        }
        if let (Some(before), Some(now)) = (before.get("default"), now.get("default")) {
            self.within(" response default", |diff| {
                diff.response(resolved(diff.before, before), resolved(diff.now, now));
            });
        }
        let failure = |status: &str| !success(status) && status != "default";
        for (status, answer) in members(before).into_iter().filter(|(status, _)| failure(status)) {
            let Some(now) = now.get(status) else {
                self.allows(&format!("response {status} no longer documented"));
                continue;
            };
            self.within(&format!(" response {status}"), |diff| {
                diff.response(resolved(diff.before, answer), resolved(diff.now, now));
            });
        }
        for (status, _) in members(now).into_iter().filter(|(status, _)| success(status)) {
            if before.get(status).is_none() {
                self.allows(&format!("response {status} added"));
            }
        }
    }

    fn response(&mut self, before: &'a Value, now: &'a Value) {
        for (media_type, content) in members(&before["content"]) {
            match now["content"].get(media_type) {
                Some(now) => self.response_schema(&content["schema"], &now["schema"]),
                None => self.breaks(&format!("`{media_type}` no longer sent")),
            }
        }
        for (header, said) in members(&before["headers"]) {
            let same = |(name, _): &(&str, &Value)| name.eq_ignore_ascii_case(header);
            match members(&now["headers"]).into_iter().find(same) {
                None => self.breaks(&format!("header `{header}` removed")),
                Some((_, now)) => self.within(&format!(" header `{header}`"), |diff| {
                    diff.response_schema(&said["schema"], &now["schema"]);
                }),
            }
        }
    }

    /// Compares security requirements: each that sufficed before has to suffice now.
    fn security(&mut self, before: &'a Value, now: &'a Value) {
        let (old, new) = (requirements(before), requirements(now));
        let suffices = |sent: &Vec<&str>| {
            new.iter().any(|required| required.iter().all(|scheme| sent.contains(scheme)))
        };
        let rejected = old.iter().filter(|requirement| !suffices(requirement)).count();
        if rejected > 0 {
            let required: Vec<String> = new
                .iter()
                .map(|requirement| format!("`{}`", requirement.join("` and `")))
                .collect();
            self.breaks(&format!("requires other credentials: {}", required.join(" or ")));
        } else if old != new {
            self.allows("accepts more kinds of credentials");
        }
    }
}

/// Returns whether clients have to serialize the parameter differently. Lists in a query are accepted with
/// commas and as repeated parameters, whichever of the two the document names.
fn is_serialized_differently(place: &str, before: &Value, now: &Value) -> bool {
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

fn security_schemes(document: &Value) -> &Value {
    &document["components"]["securitySchemes"]
}

/// Returns the response behind a reference to `components.responses`, or `answer` itself.
fn resolved<'a>(document: &'a Value, answer: &'a Value) -> &'a Value {
    let name =
        answer["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/responses/"));
    name.map_or(answer, |name| &document["components"]["responses"][name])
}

/// Returns the alternatives that suffice, each a set of schemes. An empty set allows anonymous callers.
fn requirements(security: &Value) -> Vec<Vec<&str>> {
    let all = security.as_array().into_iter().flatten();
    let all: Vec<Vec<&str>> = all
        .map(|requirement| members(requirement).into_iter().map(|(name, _)| name).collect())
        .collect();
    if all.is_empty() { vec![Vec::new()] } else { all }
}

/// Returns the parameters by location and name; those of a path by their position.
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
            // Header names are case-insensitive (RFC 9110, section 5.1).
            "header" => name.make_ascii_lowercase(),
            _ => {}
        }
        all.insert((place, name), parameter);
    }
    all
}
