//! The OpenAPI document: a programmer generates a client from it. Judged by the rules of OpenAPI
//! 3.1 that need no network.

use std::collections::BTreeSet;

use crypto::perso::problem::ProblemCode;
use issuance::server;
use serde_json::{Map, Value, json};

use crate::house::House;

fn document() -> Value {
    serde_json::to_value(server::document()).unwrap()
}

/// Each operation: method and path, the operation.
fn operations(document: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((format!("{method} {path}"), operation.clone()));
        }
    }
    assert!(all.len() > 60, "{}", all.len());
    all
}

/// Visits each value of a document with its pointer.
fn each(value: &Value, pointer: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(pointer, value);
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                each(member, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), visit);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each(item, &format!("{pointer}/{index}"), visit);
            }
        }
        _ => {}
    }
}

/// The names of the types of a source that become schemas.
fn schemas(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in source.split("#[derive(").skip(1) {
        let Some((_, rest)) = part.split_once(")]").filter(|(derived, _)| derived.contains("ToSchema")) else {
            continue;
        };
        let item = rest.lines().find(|line| line.contains("struct ") || line.contains("enum ")).unwrap_or_default();
        let after = item.split_once("struct ").or_else(|| item.split_once("enum ")).map_or("", |(_, after)| after);
        found.push(after.chars().take_while(|c| c.is_alphanumeric()).collect());
    }
    found
}

/// The document has one place for a name: of two types that are called alike, one would be described as the other.
#[test]
fn no_two_types_of_the_document_have_one_name() {
    let mut met = std::collections::BTreeMap::new();
    for source in crate::statements::sources() {
        for name in schemas(&source.text) {
            let before = met.insert(name.clone(), source.path.clone());
            assert_eq!(before, None, "{name} stands in {} too", source.path);
        }
    }
    assert!(met.len() > 100, "{}", met.len());
}

#[test]
fn operation_ids_are_unique_and_every_tag_is_described() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let tags: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone().to_string()).collect();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{name} has no id")).to_owned();
        assert!(ids.insert(id.clone()), "{id} stands twice");
        for tag in operation["tags"].as_array().unwrap() {
            assert!(tags.contains(&tag.to_string()), "{name}: {tag}");
        }
        assert!(operation["summary"].is_string(), "{name} says what it does");
    }
}

#[test]
fn the_parameters_of_a_path_are_declared_and_no_others() {
    let document = document();
    for (name, operation) in operations(&document) {
        let mut declared = BTreeSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let place = parameter["in"].as_str().unwrap();
            let unique = (place.to_owned(), parameter["name"].as_str().unwrap().to_owned());
            assert!(declared.insert(unique), "{name}: {parameter} stands twice");
            assert!(["path", "query", "header"].contains(&place), "{name}: {parameter}");
            assert!(parameter["schema"].is_object(), "{name}: {parameter}");
            assert!(parameter["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {parameter}");
            if place == "path" {
                assert_eq!(parameter["required"], json!(true), "{name}: {parameter}");
            }
        }
        let in_path = |(place, parameter): &(String, String)| (place == "path").then(|| parameter.clone());
        let declared: BTreeSet<_> = declared.iter().filter_map(in_path).collect();
        let named: BTreeSet<_> = name.split(['{', '}']).skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(declared, named, "{name}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_referred_to() {
    let document = document();
    let mut meant = BTreeSet::new();
    each(&document, "", &mut |pointer, value| {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            let target = target.strip_prefix('#').unwrap_or_else(|| panic!("{pointer}: {target}"));
            assert!(document.pointer(target).is_some(), "{pointer} refers to {target}");
            meant.insert(target.to_owned());
        }
    });
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(meant.contains(&format!("/components/schemas/{name}")), "{name} is used by no operation");
    }
}

#[test]
fn every_member_of_a_schema_is_described_and_those_that_are_required_exist() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let none = Map::new();
        let members = schema["properties"].as_object().unwrap_or(&none);
        for (member, described) in members {
            let told = |value: &Value| value["description"].as_str().is_some_and(|text| !text.is_empty());
            // A reference says what it is where it leads.
            let ends = described["$ref"].is_string() || described["oneOf"].is_array();
            assert!(told(described) || ends, "{name}.{member}: {described}");
        }
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(members.contains_key(required.as_str().unwrap()), "{name} requires {required}");
        }
    }
}

#[test]
fn every_operation_tells_its_success_and_its_problems() {
    let document = document();
    let known: BTreeSet<_> = ProblemCode::ALL.iter().map(|code| code.word()).collect();
    for (name, operation) in operations(&document) {
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name}");
        for (status, response) in responses {
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{name} {status}");
            match status.as_str() {
                "201" => assert!(response["headers"]["Location"].is_object(), "{name}"),
                "204" | "304" => assert!(response["content"].is_null(), "{name} {status} has no body"),
                "4XX" | "5XX" => {
                    let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                    assert_eq!(schema, "#/components/schemas/ProblemBody", "{name} {status}");
                }
                _ => {}
            }
        }
        assert!(responses.contains_key("4XX") && responses.contains_key("5XX"), "{name}");
        let codes = operation["x-problem-codes"].as_array().unwrap();
        assert!(!codes.is_empty() && codes.iter().all(|code| known.contains(code.as_str().unwrap())), "{name}");
        if name.starts_with("post ") {
            assert!(operation["requestBody"]["content"]["application/json"]["schema"].is_object(), "{name}");
        }
    }
    let codes = &document["components"]["schemas"]["ProblemBody"]["properties"]["code"]["enum"];
    assert_eq!(codes.as_array().map(Vec::len), Some(ProblemCode::ALL.len()));
}

#[test]
fn every_list_has_the_one_shape() {
    let document = document();
    let mut lists = 0;
    for (name, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let names: Vec<_> = parameters.map(|parameter| parameter["name"].as_str().unwrap_or_default()).collect();
        if !names.contains(&"after") {
            continue;
        }
        lists += 1;
        assert!(
            names.contains(&"limit") && !names.contains(&"offset") && !names.contains(&"page"),
            "{name}: {names:?}"
        );
        let written = format!("`{}`", name.replacen("get ", "GET ", 1));
        assert!(API.contains(&written), "docs/api.md lacks the list {written}");
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        let schema = document.pointer(&schema.as_str().unwrap()[1..]).unwrap();
        assert_eq!(schema["properties"]["items"]["type"], "array", "{name}: {schema}");
        assert_eq!(schema["properties"]["next"]["type"], json!(["string", "null"]), "{name}: {schema}");
    }
    assert!(lists >= 9, "{lists}");
}

const API: &str = include_str!("../../../docs/api.md");

#[test]
fn every_answer_tells_of_the_header_that_it_has_while_glass_is_broken() {
    assert!(API.contains("`X-Break-Glass`"));
    for (name, operation) in operations(&document()) {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let header = &answer["headers"]["x-break-glass"]["description"];
            assert!(header.as_str().is_some_and(|words| words.contains("waits")), "{name} {status}: {answer}");
        }
    }
}

/// An example holds what its schema requires, and nothing that the schema does not know.
#[test]
fn examples_fit_their_schemas() {
    let document = document();
    let mut examples = 0;
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let Some(example) = schema["example"].as_object() else { continue };
        examples += 1;
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(example.contains_key(required.as_str().unwrap()), "{name} lacks {required}");
        }
        for member in example.keys() {
            assert!(schema["properties"][member].is_object(), "{name}.{member}");
        }
    }
    assert!(examples >= 4, "{examples}");
}

/// Off by default; where it is on, the page is one that a browser gives nothing to do.
#[tokio::test]
async fn the_page_for_people_is_off_by_default_and_takes_nothing_from_elsewhere() {
    let house = Box::pin(House::open(None)).await;
    for path in ["/docs", "/docs/style.css"] {
        assert_eq!(house.anyone().get(path).await.code(), "no-such-path", "{path}");
    }
    house.service.stop().await;
    let house = Box::pin(House::open_with(|settings| settings.web.docs = true)).await;
    for (path, kind) in [("/docs", "text/html; charset=utf-8"), ("/docs/style.css", "text/css; charset=utf-8")] {
        let anyone = house.anyone();
        let said = anyone.client.get(format!("{}{path}", anyone.address)).send().await.unwrap();
        assert_eq!((said.status().as_u16(), &said.headers()["content-type"]), (200, &kind.parse().unwrap()));
        let policy = said.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
        let text = said.text().await.unwrap();
        assert!(!text.contains("<script") && !text.contains("style=\"") && !text.contains("@import"), "{path}");
        if path == "/docs" {
            for (name, operation) in operations(&document()) {
                let id = operation["operationId"].as_str().unwrap();
                assert!(text.contains(&format!("<h3 id=\"{id}\">")), "{name}");
            }
        }
    }
    house.service.stop().await;
}
