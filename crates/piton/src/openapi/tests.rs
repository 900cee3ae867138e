//! Changes that break clients and changes that do not; examples that their schemas allow.

use serde_json::{Value, json};

use super::breaking;
use super::document::example_of;

/// Returns the breaking and the other changes that `change` makes to a document with one operation.
#[track_caller]
fn changes(change: impl FnOnce(&mut Value)) -> (Vec<String>, Vec<String>) {
    let before = json!({
        "paths": { "/things/{id}": { "put": {
            "operationId": "things_put",
            "security": [{ "key": [] }],
            "parameters": [
                { "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } },
                { "name": "q", "in": "query", "required": false, "schema": { "type": "string", "maxLength": 9 } },
            ],
            "requestBody": { "required": true, "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Thing" },
            } } },
            "responses": { "200": {
                "description": "OK",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Thing" } } },
            } },
        } } },
        "components": { "securitySchemes": {
            "key": { "type": "apiKey", "in": "header", "name": "X-Key" },
        }, "schemas": { "Thing": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": { "type": "string" },
                "kind": { "enum": ["a", "b"] },
                "parts": { "type": ["array", "null"], "items": { "$ref": "#/components/schemas/Thing" } },
            },
        } } },
    });
    let mut now = before.clone();
    change(&mut now);
    let (bad, good): (Vec<_>, Vec<_>) =
        breaking::changes(&before, &now).into_iter().partition(|change| change.breaking);
    let texts = |changes: Vec<breaking::ApiChange>| {
        changes.into_iter().map(|change| change.text).collect::<Vec<_>>()
    };
    (texts(bad), texts(good))
}

fn operation(document: &mut Value) -> &mut Value {
    &mut document["paths"]["/things/{id}"]["put"]
}

fn thing(document: &mut Value) -> &mut Value {
    &mut document["components"]["schemas"]["Thing"]
}

const PUT: &str = "PUT /things/{id}";

#[test]
fn equal_documents_have_no_changes() {
    assert_eq!(changes(|_| {}), (vec![], vec![]));
}

#[test]
fn removals_are_breaking() {
    let (bad, _) = changes(|now| now["paths"] = json!({}));
    assert_eq!(bad, [format!("{PUT}: removed")]);
    let (bad, _) = changes(|now| operation(now)["responses"] = json!({ "204": {} }));
    assert_eq!(bad, [format!("{PUT} response 200: removed")]);
    let (bad, _) = changes(|now| {
        thing(now)["properties"].as_object_mut().unwrap().remove("parts");
    });
    assert_eq!(
        bad,
        [format!("{PUT} body/parts: removed"), format!("{PUT} response 200/parts: removed")]
    );
}

#[test]
fn renaming_a_path_parameter_is_no_change() {
    let renamed = |now: &mut Value| {
        let mut item = now["paths"]["/things/{id}"].take();
        item["put"]["parameters"][0]["name"] = "number".into();
        now["paths"] = json!({ "/things/{number}": item });
    };
    assert_eq!(changes(renamed), (vec![], vec![]));
}

#[test]
fn newly_required_members_are_breaking_and_optional_ones_are_not() {
    let parameter = |required: bool| {
        move |now: &mut Value| {
            let new = json!({ "name": "new", "in": "query", "required": required, "schema": {} });
            operation(now)["parameters"].as_array_mut().unwrap().push(new);
        }
    };
    let place = format!("{PUT} query parameter `new`");
    assert_eq!(changes(parameter(true)).0, [format!("{place}: added as required")]);
    assert_eq!(changes(parameter(false)), (vec![], vec![format!("{place}: added")]));
    let property = |now: &mut Value| {
        thing(now)["required"] = json!(["name", "size"]);
        thing(now)["properties"]["size"] = json!({ "type": "integer" });
    };
    let (bad, good) = changes(property);
    assert_eq!(bad, [format!("{PUT} body/size: added as required")]);
    assert_eq!(good, [format!("{PUT} response 200/size: added")]);
}

#[test]
fn narrower_requests_and_wider_responses_are_breaking() {
    let limit = |most: u8| {
        move |now: &mut Value| operation(now)["parameters"][1]["schema"]["maxLength"] = most.into()
    };
    assert_eq!(changes(limit(8)).0.len(), 1);
    assert_eq!(changes(limit(10)).0.len(), 0);
    let values =
        |values: Value| move |now: &mut Value| thing(now)["properties"]["kind"]["enum"] = values;
    let (bad, good) = changes(values(json!(["a"])));
    assert_eq!(bad, [format!("{PUT} body/kind: the value \"b\" removed")]);
    assert_eq!(good, [format!("{PUT} response 200/kind: the value \"b\" removed")]);
    let (bad, _) = changes(values(json!(["a", "b", "c"])));
    assert_eq!(bad, [format!("{PUT} response 200/kind: the value \"c\" added")]);
    let (bad, _) = changes(|now| thing(now)["properties"]["parts"]["type"] = "array".into());
    assert_eq!(bad, [format!("{PUT} body/parts: array instead of array or null")]);
    let (bad, good) = changes(|now| thing(now)["required"] = json!([]));
    assert_eq!(bad, [format!("{PUT} response 200/name: may be absent now")]);
    assert_eq!(good, [format!("{PUT} body/name: optional now")]);
}

#[test]
fn requiring_other_credentials_is_breaking_and_accepting_more_is_not() {
    let security = |security: Value| move |now: &mut Value| operation(now)["security"] = security;
    let (bad, _) = changes(security(json!([{ "token": [] }])));
    assert_eq!(bad, [format!("{PUT}: requires other credentials: `token`")]);
    let (bad, good) = changes(security(json!([{ "key": [] }, { "token": [] }])));
    assert_eq!((bad.len(), good), (0, vec![format!("{PUT}: accepts more kinds of credentials")]));
    assert!(changes(security(json!([]))).0.is_empty());
    assert_eq!(changes(security(json!([{ "key": [], "token": [] }]))).0.len(), 1);
}

#[test]
fn changing_a_security_scheme_is_breaking() {
    let header = |now: &mut Value| {
        now["components"]["securitySchemes"]["key"] =
            json!({ "type": "apiKey", "in": "header", "name": "X-Other" });
    };
    let (bad, _) = changes(header);
    assert_eq!(bad.len(), 1, "{bad:?}");
    assert!(
        bad[0].starts_with("security scheme `key`: credentials are sent differently"),
        "{bad:?}"
    );
}

#[test]
fn one_more_condition_and_another_serialization_are_breaking() {
    let schema = |now: &mut Value, what: Value| {
        operation(now)["parameters"][1]["schema"]["allOf"] = what;
    };
    let (bad, _) = changes(|now| schema(now, json!([{ "maxLength": 3 }])));
    assert!(bad.len() == 1 && bad[0].ends_with("a condition added"), "{bad:?}");
    let (bad, _) = changes(|now| operation(now)["parameters"][1]["explode"] = false.into());
    assert!(bad.len() == 1 && bad[0].contains("serialized differently"), "{bad:?}");
}

/// Returns the breaking changes between two schemas of `name` in body and response.
#[track_caller]
fn name_changes(before: &Value, after: &Value) -> Vec<String> {
    let thing = |schema: &Value| {
        json!({
            "paths": { "/things": { "put": {
                "requestBody": { "content": { "application/json": { "schema": schema } } },
                "responses": { "200": { "content": { "application/json": { "schema": schema } } } },
            } } },
            "components": { "schemas": {
                "Corner": { "type": "object", "required": ["left"], "properties": { "left": { "type": "integer" } } },
                "Tagged": {
                    "type": "object",
                    "required": ["left", "kind"],
                    "properties": {
                        "left": { "type": "integer" },
                        "kind": { "type": "string", "enum": ["corner"] },
                    },
                },
            } },
        })
    };
    let changes = breaking::changes(&thing(before), &thing(after));
    changes.into_iter().filter(|change| change.breaking).map(|change| change.text).collect()
}

#[test]
fn equivalent_schemas_in_other_keywords_are_no_change() {
    let corner = json!({ "$ref": "#/components/schemas/Corner" });
    let tagged = json!({
        "$ref": "#/components/schemas/Corner",
        "required": ["kind"],
        "properties": { "kind": { "type": "string", "const": "corner" } },
    });
    for (before, after) in [
        // The width of a number, and limits that say no more.
        (json!({ "type": "integer" }), json!({ "type": "integer", "format": "int64" })),
        (json!({ "type": "number" }), json!({ "type": "number", "format": "double" })),
        (
            json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }),
            json!({ "type": "integer", "minimum": 0, "format": "int64" }),
        ),
        (json!({ "const": "a" }), json!({ "type": "string", "enum": ["a"] })),
        (tagged, json!({ "$ref": "#/components/schemas/Tagged" })),
        (
            json!({ "oneOf": [corner, { "type": "object" }] }),
            json!({ "oneOf": [corner, { "type": "object" }], "discriminator": { "propertyName": "kind" } }),
        ),
        (
            json!({ "type": "array", "prefixItems": [{ "type": "integer" }], "maxItems": 1 }),
            json!({
                "type": "array",
                "prefixItems": [{ "type": "integer" }],
                "items": { "type": "integer" },
                "maxItems": 1,
            }),
        ),
        (
            json!({
                "type": "object",
                "patternProperties": { "^\\d+$": { "type": "string" } },
                "additionalProperties": false,
            }),
            json!({
                "type": "object",
                "propertyNames": { "pattern": "^\\d+$" },
                "additionalProperties": { "type": "string" },
            }),
        ),
    ] {
        assert_eq!(name_changes(&before, &after), [""; 0], "{before} {after}");
    }
}

#[test]
fn a_wider_number_in_a_response_is_breaking() {
    let integer = |format: &str| json!({ "type": "integer", "format": format });
    let wider = name_changes(&integer("int32"), &integer("int64"));
    assert_eq!(wider, ["PUT /things response 200: format \"int64\" instead of \"int32\""]);
    let narrower = name_changes(&integer("int64"), &integer("int32"));
    assert_eq!(narrower, ["PUT /things body: `format` is \"int32\" instead of \"int64\""]);
    let moment =
        name_changes(&json!({ "type": "string" }), &json!({ "type": "string", "format": "date" }));
    assert_eq!(moment, ["PUT /things body: `format` is \"date\" now"]);
}

#[test]
fn query_lists_are_accepted_in_both_forms_and_header_names_in_any_case() {
    let list = |explode: bool| {
        let schema = json!({ "type": "array", "items": { "type": "string" } });
        json!({ "paths": { "/things": { "get": { "parameters": [
            { "name": "tag", "in": "query", "style": "form", "explode": explode, "schema": schema },
            { "name": if explode { "If-Match" } else { "if-match" }, "in": "header", "schema": {} },
        ] } } } })
    };
    assert_eq!(breaking::changes(&list(false), &list(true)), []);
}

#[test]
fn examples_are_within_the_limits_of_their_schema() {
    for (schema, example) in [
        (json!({ "type": "integer", "minimum": 7 }), json!(7)),
        (json!({ "type": "integer", "maximum": -7 }), json!(-7)),
        (json!({ "type": "integer", "minimum": 3, "multipleOf": 5 }), json!(5)),
        (json!({ "type": "number", "exclusiveMinimum": 2.0 }), json!(2.5)),
        (json!({ "type": "string", "minLength": 6 }), json!("textte")),
        (json!({ "type": ["string", "null"], "maxLength": 2 }), json!("te")),
        (
            json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 2 }),
            json!([true, true]),
        ),
        (json!({ "anyOf": [{ "type": "null" }, { "const": "x" }] }), json!("x")),
        (json!({ "type": "string", "format": "date" }), json!("2026-01-31")),
        (json!({ "examples": ["said"], "type": "string" }), json!("said")),
    ] {
        assert_eq!(example_of(&schema, &Value::Null), Some(example), "{schema}");
    }
    let unknown = json!({ "type": "string", "pattern": "^[A-Z]{3}$" });
    assert_eq!(example_of(&unknown, &Value::Null), None);
    let holder = json!({ "type": "object", "required": ["x"], "properties": { "x": unknown } });
    assert_eq!(example_of(&holder, &Value::Null), None, "half an example is none");
}

#[test]
fn the_example_of_a_recursive_type_is_finite() {
    let schemas = json!({ "Node": {
        "type": "object",
        "properties": { "next": { "anyOf": [{ "$ref": "#/components/schemas/Node" }, { "type": "null" }] } },
    } });
    let example = example_of(&json!({ "$ref": "#/components/schemas/Node" }), &schemas);
    assert!(example.is_some_and(|example| example["next"].is_object()));
}

/// A document of an operation with `schema` in its body and its answer, and these named schemas.
fn document_of(schema: &Value, schemas: &Value) -> Value {
    json!({
        "paths": { "/things": { "put": {
            "requestBody": { "content": { "application/json": { "schema": schema } } },
            "responses": { "200": { "content": { "application/json": { "schema": schema } } } },
        } } },
        "components": { "schemas": schemas },
    })
}

/// The texts of what breaks between two documents.
fn broken(before: &Value, now: &Value) -> Vec<String> {
    let changes = breaking::changes(before, now);
    changes.into_iter().filter(|change| change.breaking).map(|change| change.text).collect()
}

#[test]
fn the_comparison_of_recursive_types_ends() {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let or_null = |name: &str| json!({ "anyOf": [reference(name), { "type": "null" }] });
    let node = |value: &str| {
        json!({
            "List": { "type": "object", "properties": { "next": or_null("List"), "value": { "type": value } } },
            "Tree": { "type": "object", "properties": {
                "left": { "oneOf": [{ "type": "null" }, reference("Tree")] },
                "right": or_null("Tree"),
                "children": { "type": ["array", "null"], "items": or_null("Tree") },
                "named": { "type": "object", "additionalProperties": reference("Tree") },
                "value": { "type": value },
            } },
            // Types of one member that is the type itself, in a box.
            "Itself": reference("Itself"),
            "Maybe": or_null("Maybe"),
            "Either": { "anyOf": [reference("Either"), { "type": value }] },
        })
    };
    for name in ["List", "Tree", "Itself", "Maybe", "Either"] {
        for schema in [reference(name), or_null(name)] {
            let before = document_of(&schema, &node("integer"));
            assert_eq!(broken(&before, &before), [""; 0], "{name}");
            let is_found = !broken(&before, &document_of(&schema, &node("string"))).is_empty();
            assert_eq!(is_found, !["Itself", "Maybe"].contains(&name), "{name}");
            example_of(&schema, &node("integer"));
        }
    }
    // One document spells out every second member of the list, the other one the others.
    let inline = |inner: Value| json!({ "type": "object", "properties": { "next": inner } });
    let one = json!({ "A": inline(inline(reference("A"))) });
    let other = json!({ "A": inline(reference("B")), "B": inline(inline(reference("B"))) });
    let (one, other) = (document_of(&reference("A"), &one), document_of(&reference("A"), &other));
    assert_eq!(broken(&one, &other), [""; 0]);
}

#[test]
fn the_example_of_a_type_with_many_recursive_members_is_built_quickly() {
    let node = json!({ "anyOf": [{ "$ref": "#/components/schemas/Node" }, { "type": "null" }] });
    let list = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Node" } });
    let members = |schema: &Value| -> Value {
        (0..20)
            .map(|at| (format!("m{at}"), schema.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    for inner in [&node, &list] {
        let mut schema = json!({ "type": "object", "properties": members(inner) });
        for required in [json!([]), json!(["m1", "m2", "m3"])] {
            schema["required"] = required;
            let example = example_of(
                &json!({ "$ref": "#/components/schemas/Node" }),
                &json!({ "Node": schema }),
            );
            assert!(example.is_none_or(|example| example.to_string().len() < 1 << 20));
        }
    }
}

#[test]
fn every_narrower_request_and_wider_response_is_breaking() {
    let circle = json!({ "type": "object", "required": ["kind"], "properties": { "kind": { "type": "string", "enum": ["circle"] } } });
    let square = json!({ "type": "object", "required": ["kind"], "properties": { "kind": { "type": "string", "enum": ["square"] } } });
    let shape = json!({ "oneOf": [circle, square] });
    let or_null = json!({ "anyOf": [shape, { "type": "null" }] });
    let flat_or_null = json!({ "oneOf": [circle, square, { "type": "null" }] });
    let object = json!({ "type": "object" });
    let with = |key: &str, value: Value| {
        let mut object = object.clone();
        object[key] = value;
        object
    };
    let list = |more: Value| {
        let mut list = json!({ "type": "array", "items": { "type": "integer" } });
        list.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        list
    };
    for (wide, narrow) in [
        (&or_null, &shape),
        (&flat_or_null, &shape),
        (&object, &with("additionalProperties", json!({ "type": "integer" }))),
        (
            &with("additionalProperties", json!({ "type": ["integer", "null"] })),
            &with("additionalProperties", json!({ "type": "integer" })),
        ),
        (&object, &with("propertyNames", json!({ "enum": ["a"] }))),
        (
            &with("propertyNames", json!({ "enum": ["a", "b"] })),
            &with("propertyNames", json!({ "enum": ["a"] })),
        ),
        (&json!({ "type": "array" }), &list(json!({}))),
        (&json!({}), &shape),
    ] {
        let (wide, narrow) = (document_of(wide, &json!({})), document_of(narrow, &json!({})));
        let in_body = broken(&wide, &narrow);
        assert!(in_body.iter().any(|text| text.contains(" body")), "{wide} {narrow} {in_body:?}");
        assert!(!in_body.iter().any(|text| text.contains(" response")), "{in_body:?}");
        let in_answer = broken(&narrow, &wide);
        assert!(in_answer.iter().any(|text| text.contains(" response")), "{narrow} {wide}");
        assert!(!in_answer.iter().any(|text| text.contains(" body")), "{in_answer:?}");
    }
    for (wide, narrow) in [
        (list(json!({})), list(json!({ "uniqueItems": true }))),
        (object.clone(), with("minProperties", 1.into())),
        (object.clone(), with("maxProperties", 9.into())),
        (with("maxProperties", 9.into()), with("maxProperties", 8.into())),
        (object.clone(), with("additionalProperties", false.into())),
        (object.clone(), with("unevaluatedProperties", false.into())),
        (object.clone(), with("dependentRequired", json!({ "a": ["b"] }))),
        (list(json!({})), list(json!({ "contains": { "minimum": 1 } }))),
        (object.clone(), with("not", json!({ "required": ["a"] }))),
    ] {
        let (wide, narrow) = (document_of(&wide, &json!({})), document_of(&narrow, &json!({})));
        let found = broken(&wide, &narrow);
        assert!(
            !found.is_empty() && found.iter().all(|text| text.contains(" body")),
            "{narrow} {found:?}"
        );
        assert_eq!(broken(&narrow, &wide), [""; 0], "{narrow}");
    }
}

#[test]
fn reordered_alternatives_are_no_change_and_others_are_named() {
    let variant = |kind: &str, size: &str| {
        json!({ "type": "object", "required": ["kind", "size"], "properties": {
            "kind": { "type": "string", "enum": [kind] }, "size": { "type": size },
        } })
    };
    let schemas = |circle: &str| {
        json!({
            "Circle": variant("circle", circle),
            "Square": variant("square", "string"),
            "Line": variant("line", "boolean"),
        })
    };
    let union = |kinds: &[&str]| {
        let path = |kind: &str| format!("#/components/schemas/{kind}");
        let mapping = kinds.iter().map(|kind| (kind.to_lowercase(), path(kind).into()));
        json!({
            "oneOf": kinds.iter().map(|kind| json!({ "$ref": path(kind) })).collect::<Vec<_>>(),
            "discriminator": {
                "propertyName": "kind",
                "mapping": mapping.collect::<serde_json::Map<String, Value>>(),
            },
        })
    };
    let plain = |kinds: &[&str]| {
        let mut union = union(kinds);
        union.as_object_mut().unwrap().remove("discriminator");
        union
    };
    for of in [&union as &dyn Fn(&[&str]) -> Value, &plain] {
        let before = document_of(&of(&["Circle", "Square", "Line"]), &schemas("integer"));
        let reordered = document_of(&of(&["Line", "Circle", "Square"]), &schemas("integer"));
        assert_eq!(breaking::changes(&before, &reordered), []);
        let changed = document_of(&of(&["Line", "Circle", "Square"]), &schemas("number"));
        assert_eq!(
            broken(&before, &changed),
            ["PUT /things response 200/size: number instead of integer"]
        );
        let fewer = document_of(&of(&["Line", "Square"]), &schemas("integer"));
        assert_eq!(broken(&before, &fewer).len(), 1);
        assert!(broken(&before, &fewer)[0].contains(" body: "));
        assert!(broken(&fewer, &before)[0].contains(" response 200: "));
    }
    let before = document_of(&union(&["Circle", "Square"]), &schemas("integer"));
    let after = document_of(&union(&["Line", "Square"]), &schemas("integer"));
    assert_eq!(
        broken(&before, &after),
        [
            "PUT /things body: the alternative `circle` removed",
            "PUT /things response 200: the alternative `line` added",
        ]
    );
}

#[test]
fn headers_and_failures_are_compared() {
    let answer = |media_type: &str, header: &str, kind: &str| {
        json!({
            "content": { media_type: { "schema": {} } },
            "headers": { header: { "schema": { "type": kind } } },
        })
    };
    let document = |answer: &Value, status: &str| {
        json!({
            "paths": { "/things": { "get": { "responses": { status: {
                "$ref": "#/components/responses/one",
            } } } } },
            "components": { "responses": { "one": answer } },
        })
    };
    for status in ["200", "409", "default"] {
        let before =
            document(&answer("application/problem+json", "Retry-After", "integer"), status);
        for (now, text) in [
            (answer("application/json", "Retry-After", "integer"), "no longer sent"),
            (
                answer("application/problem+json", "X-Other", "integer"),
                "header `Retry-After` removed",
            ),
            (
                answer("application/problem+json", "retry-after", "string"),
                "header `Retry-After`: string instead of integer",
            ),
        ] {
            let found = broken(&before, &document(&now, status));
            assert!(found.len() == 1 && found[0].contains(text), "{status} {text} {found:?}");
        }
        assert_eq!(broken(&before, &before), [""; 0]);
    }
}

#[test]
fn renaming_a_type_is_reported_as_not_breaking() {
    let schemas = json!({ "One": { "type": "object" }, "Other": { "type": "object" } });
    let of = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let changes =
        breaking::changes(&document_of(&of("One"), &schemas), &document_of(&of("Other"), &schemas));
    assert!(changes.iter().all(|change| !change.breaking), "{changes:?}");
    let text = "PUT /things body: generated clients name the type `Other` instead of `One`";
    assert!(changes.iter().any(|change| change.text == text), "{changes:?}");
}
