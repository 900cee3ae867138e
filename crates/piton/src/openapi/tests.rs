//! What breaks clients, and what does not; examples that their schemas allow.

use serde_json::{Value, json};

use super::{breaking, examples};

/// A document with one operation, and what `change` makes of it.
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
    let texts = |changes: Vec<breaking::Change>| {
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
fn nothing_has_changed_in_the_same_document() {
    assert_eq!(changes(|_| {}), (vec![], vec![]));
}

#[test]
fn what_is_gone_breaks() {
    let (bad, _) = changes(|now| now["paths"] = json!({}));
    assert_eq!(bad, [format!("{PUT}: removed")]);
    let (bad, _) = changes(|now| operation(now)["responses"] = json!({ "204": {} }));
    assert_eq!(bad, [format!("{PUT} answer 200: removed")]);
    let (bad, _) = changes(|now| {
        thing(now)["properties"].as_object_mut().unwrap().remove("parts");
    });
    assert_eq!(
        bad,
        [format!("{PUT} body/parts: removed"), format!("{PUT} answer 200/parts: removed")]
    );
}

#[test]
fn another_name_of_a_parameter_of_the_path_is_nobodys_business() {
    let renamed = |now: &mut Value| {
        let mut item = now["paths"]["/things/{id}"].take();
        item["put"]["parameters"][0]["name"] = "number".into();
        now["paths"] = json!({ "/things/{number}": item });
    };
    assert_eq!(changes(renamed), (vec![], vec![]));
}

#[test]
fn what_must_be_there_now_breaks_and_what_may_be_does_not() {
    let parameter = |required: bool| {
        move |now: &mut Value| {
            let new = json!({ "name": "new", "in": "query", "required": required, "schema": {} });
            operation(now)["parameters"].as_array_mut().unwrap().push(new);
        }
    };
    let place = format!("{PUT} query parameter `new`");
    assert_eq!(changes(parameter(true)).0, [format!("{place}: added, and must be there")]);
    assert_eq!(changes(parameter(false)), (vec![], vec![format!("{place}: added")]));
    let property = |now: &mut Value| {
        thing(now)["required"] = json!(["name", "size"]);
        thing(now)["properties"]["size"] = json!({ "type": "integer" });
    };
    let (bad, good) = changes(property);
    assert_eq!(bad, [format!("{PUT} body/size: added, and must be there")]);
    assert_eq!(good, [format!("{PUT} answer 200/size: added")]);
}

#[test]
fn what_is_narrowed_breaks_those_who_send_and_what_is_widened_those_who_get() {
    let limit = |most: u8| {
        move |now: &mut Value| operation(now)["parameters"][1]["schema"]["maxLength"] = most.into()
    };
    assert_eq!(changes(limit(8)).0.len(), 1);
    assert_eq!(changes(limit(10)).0.len(), 0);
    let values =
        |values: Value| move |now: &mut Value| thing(now)["properties"]["kind"]["enum"] = values;
    let (bad, good) = changes(values(json!(["a"])));
    assert_eq!(bad, [format!("{PUT} body/kind: the value \"b\" removed")]);
    assert_eq!(good, [format!("{PUT} answer 200/kind: the value \"b\" removed")]);
    let (bad, _) = changes(values(json!(["a", "b", "c"])));
    assert_eq!(bad, [format!("{PUT} answer 200/kind: the value \"c\" added")]);
    let (bad, _) = changes(|now| thing(now)["properties"]["parts"]["type"] = "array".into());
    assert_eq!(bad, [format!("{PUT} body/parts: array instead of array or null")]);
    let (bad, good) = changes(|now| thing(now)["required"] = json!([]));
    assert_eq!(bad, [format!("{PUT} answer 200/name: may be missing now")]);
    assert_eq!(good, [format!("{PUT} body/name: need not be there any more")]);
}

#[test]
fn asking_who_is_calling_breaks_and_asking_nobody_does_not() {
    let security = |security: Value| move |now: &mut Value| operation(now)["security"] = security;
    let (bad, _) = changes(security(json!([{ "token": [] }])));
    assert_eq!(bad, [format!("{PUT}: asks who is calling in another way: `token`")]);
    let (bad, good) = changes(security(json!([{ "key": [] }, { "token": [] }])));
    assert_eq!((bad.len(), good), (0, vec![format!("{PUT}: lets more callers in")]));
    assert!(changes(security(json!([]))).0.is_empty());
    assert_eq!(changes(security(json!([{ "key": [], "token": [] }]))).0.len(), 1);
}

#[test]
fn another_way_to_show_who_is_calling_breaks_everybody() {
    let header = |now: &mut Value| {
        now["components"]["securitySchemes"]["key"] =
            json!({ "type": "apiKey", "in": "header", "name": "X-Other" });
    };
    let (bad, _) = changes(header);
    assert_eq!(bad.len(), 1, "{bad:?}");
    assert!(bad[0].starts_with("security scheme `key`: shown in another way now"), "{bad:?}");
}

#[test]
fn one_more_condition_allows_less_and_another_form_of_a_list_or_a_moment_is_another() {
    let schema = |now: &mut Value, what: Value| {
        operation(now)["parameters"][1]["schema"]["allOf"] = what;
    };
    let (bad, _) = changes(|now| schema(now, json!([{ "maxLength": 3 }])));
    assert!(bad.len() == 1 && bad[0].ends_with("a condition added"), "{bad:?}");
    let (bad, _) = changes(|now| operation(now)["parameters"][1]["explode"] = false.into());
    assert!(bad.len() == 1 && bad[0].contains("written in another way"), "{bad:?}");
}

/// The texts of what breaks when the schema of the body's and answer's `name` becomes another.
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
fn plainer_words_for_the_same_break_nobody() {
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
fn a_number_that_is_wider_than_clients_keep_it_breaks_them() {
    let integer = |format: &str| json!({ "type": "integer", "format": format });
    let wider = name_changes(&integer("int32"), &integer("int64"));
    assert_eq!(wider, ["PUT /things answer 200: of the format \"int64\" now, and was \"int32\""]);
    let narrower = name_changes(&integer("int64"), &integer("int32"));
    assert_eq!(narrower, ["PUT /things body: `format` is \"int32\" instead of \"int64\""]);
    let moment =
        name_changes(&json!({ "type": "string" }), &json!({ "type": "string", "format": "date" }));
    assert_eq!(moment, ["PUT /things body: `format` is \"date\" now"]);
}

#[test]
fn lists_of_a_query_are_read_in_both_forms_and_headers_in_any_case() {
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
        assert_eq!(examples::of(&schema, &Value::Null), Some(example), "{schema}");
    }
    let unknown = json!({ "type": "string", "pattern": "^[A-Z]{3}$" });
    assert_eq!(examples::of(&unknown, &Value::Null), None);
    let holder = json!({ "type": "object", "required": ["x"], "properties": { "x": unknown } });
    assert_eq!(examples::of(&holder, &Value::Null), None, "half an example is none");
}

#[test]
fn a_type_that_holds_itself_has_an_example_with_an_end() {
    let schemas = json!({ "Node": {
        "type": "object",
        "properties": { "next": { "anyOf": [{ "$ref": "#/components/schemas/Node" }, { "type": "null" }] } },
    } });
    let example = examples::of(&json!({ "$ref": "#/components/schemas/Node" }), &schemas);
    assert!(example.is_some_and(|example| example["next"].is_object()));
}
