//! Tests that the OpenAPI document matches the lists and converters.

use piton::serde_json::{Value, json};

fn document() -> Value {
    registry::app().openapi_document().unwrap()
}

#[test]
fn every_parameter_of_a_list_is_in_the_document_with_its_bounds() {
    let document = document();
    let list = &document["paths"]["/api/companies"]["get"];
    let parameters = list["parameters"].as_array().unwrap();
    let named = |name: &str| parameters.iter().find(|p| p["name"] == name).unwrap();
    for name in ["state", "q", "updated_since", "sort", "page", "per_page"] {
        let parameter = named(name);
        let says = (&parameter["required"], &parameter["allowEmptyValue"], &parameter["in"]);
        assert_eq!(says, (&json!(false), &json!(true), &json!("query")), "{name}");
    }
    assert_eq!(parameters.iter().filter(|p| p["in"] == "query").count(), 6);
    for name in ["state", "sort"] {
        let written = (&named(name)["style"], &named(name)["explode"]);
        assert_eq!(written, (&json!("form"), &json!(true)), "{name}");
    }
    let per_page = &named("per_page")["schema"];
    assert_eq!((&per_page["maximum"], &per_page["default"]), (&json!(100), &json!(20)));
    let answer = &list["responses"]["200"];
    assert!(answer["headers"]["Link"].is_object(), "{answer}");
    assert!(!document.to_string().contains("x-allow-empty-value"));
}

#[test]
fn a_number_has_its_format_and_its_pattern_wherever_it_stands() {
    let document = document();
    let show = &document["paths"]["/api/companies/{cnpj}"]["get"];
    assert_eq!(show["parameters"][0]["schema"]["format"], "cnpj");
    let text = document.to_string();
    for said in [r#""format":"cpf""#, r#""format":"uf""#, r"^ *[0-9]{3}\\.?[0-9]{3}"] {
        assert!(text.contains(said), "{said}");
    }
}
