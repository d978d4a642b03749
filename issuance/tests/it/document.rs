//! Holds answers against the OpenAPI document: a small reader of its schemas, and no more of JSON Schema than the
//! document uses.

use std::sync::LazyLock;

use issuance::server;
use serde_json::{Map, Value};

/// The document of this program.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(server::document()).unwrap());

/// Returns the operation that answers this request, with its path; none for an address that the document does not name.
pub fn operation(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let path = path.split('?').next().unwrap();
    let asked: Vec<_> = path.split('/').collect();
    let fits = |pattern: &str| {
        let parts: Vec<_> = pattern.split('/').collect();
        parts.len() == asked.len() && parts.iter().zip(&asked).all(|(part, is)| part.starts_with('{') || part == is)
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    // An address without parameters stands before one with: `/sessions/current`.
    let exact = paths.get_key_value(path).into_iter();
    let (pattern, item) = exact.chain(paths).find(|(pattern, _)| fits(pattern))?;
    Some((pattern, item.get(method.to_lowercase())?))
}

/// Holds an answer against what the document says of the route. Panics where it says something else.
pub fn check(method: &str, path: &str, status: u16, body: &Value) {
    let method = if method == "HEAD" { return } else { method };
    let Some((pattern, operation)) = operation(method, path) else { return };
    let place = format!("{method} {pattern} {status}");
    let responses = operation["responses"].as_object().unwrap();
    if status >= 400 {
        let problem = &DOCUMENT["components"]["schemas"]["ProblemBody"];
        return fits(problem, body, &place).unwrap_or_else(|why| panic!("{place}: {why}\n{body}"));
    }
    let response = responses.get(&status.to_string()).unwrap_or_else(|| panic!("{place} is not in the document"));
    let schema = &response["content"]["application/json"]["schema"];
    if !schema.is_null() {
        fits(schema, body, &place).unwrap_or_else(|why| panic!("{place}: {why}\n{body}"));
    }
}

/// Says where a value does not fit a schema. A member that the schema does not name does not fit.
pub fn fits(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(target) = schema["$ref"].as_str() {
        let target = DOCUMENT.pointer(&target[1..]).ok_or_else(|| format!("{at}: no {target}"))?;
        return fits(target, value, at);
    }
    for all in schema["allOf"].as_array().into_iter().flatten() {
        fits(all, value, at)?;
    }
    for word in ["oneOf", "anyOf"] {
        let Some(ways) = schema[word].as_array() else { continue };
        let refusals: Vec<_> = ways.iter().filter_map(|way| fits(way, value, at).err()).collect();
        if refusals.len() == ways.len() {
            return Err(format!("{at}: none of {word}: {}", refusals.join("; ")));
        }
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        return Err(format!("{at}: {value} is none of {values:?}"));
    }
    let types: Vec<_> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |name: &&str| match *name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: type {other}"),
    };
    if !types.is_empty() && !types.iter().any(is) {
        return Err(format!("{at}: {value} is no {types:?}"));
    }
    match value {
        Value::Object(members) => fit_members(schema, members, at),
        Value::Array(items) if !schema["items"].is_null() => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| fits(&schema["items"], item, &format!("{at}/{index}"))),
        Value::String(text) => fits_format(schema, text, at),
        _ => Ok(()),
    }
}

fn fit_members(schema: &Value, members: &Map<String, Value>, at: &str) -> Result<(), String> {
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(required) {
            return Err(format!("{at}: {required} is missing"));
        }
    }
    let Some(known) = schema["properties"].as_object() else { return Ok(()) };
    for (name, member) in members {
        let at = format!("{at}/{name}");
        match known.get(name) {
            Some(schema) => fits(schema, member, &at)?,
            None if schema["additionalProperties"].is_object() => fits(&schema["additionalProperties"], member, &at)?,
            None => return Err(format!("{at} is not in the document")),
        }
    }
    Ok(())
}

fn fits_format(schema: &Value, text: &str, at: &str) -> Result<(), String> {
    let fits = match schema["format"].as_str() {
        Some("uuid") => text.parse::<uuid::Uuid>().is_ok(),
        Some("date-time") => time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).is_ok(),
        Some("date") => text.len() == 10 && text.split('-').map(str::len).eq([4, 2, 2]),
        _ => true,
    };
    if fits { Ok(()) } else { Err(format!("{at}: {text} is no {}", schema["format"])) }
}

#[test]
fn what_differs_from_the_document_is_found() {
    let me =
        DOCUMENT["paths"]["/api/v1/me"]["get"]["responses"]["200"]["content"]["application/json"]["schema"].clone();
    let session = serde_json::json!({"id": "018f2e6e-0000-7000-8000-000000000000", "opened_at": "2026-11-26T00:00:00Z",
        "seen_at": "2026-11-26T00:00:00Z", "expires_at": "2026-11-26T00:00:00Z", "idle_until": "2026-11-26T00:00:00Z",
        "factors": ["password"], "current": true});
    let right = serde_json::json!({"id": "018f2e6e-0000-7000-8000-000000000000", "username": "lan", "office": "o-1",
        "roles": ["capture"], "stands_in_for": null, "successor_of": [], "session": session, "factors_needed": 1});
    assert_eq!(fits(&me, &right, ""), Ok(()));
    let changed = |pointer: &str, value: Value| {
        let mut wrong = right.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        fits(&me, &wrong, "").unwrap_err()
    };
    assert!(changed("/id", "lan".into()).contains("/id: lan is no \"uuid\""));
    assert!(changed("/roles/0", "emperor".into()).contains("/roles/0"));
    assert!(changed("/factors_needed", "1".into()).contains("is no [\"integer\"]"));
    assert!(changed("/session", Value::Null).contains("/session"));
    assert!(changed("/session/opened_at", "today".into()).contains("date-time"));
    let mut more = right.clone();
    more["more"] = 1.into();
    assert!(fits(&me, &more, "").unwrap_err().contains("/more is not in the document"));
    let mut less = right;
    less.as_object_mut().unwrap().remove("office");
    assert!(fits(&me, &less, "").unwrap_err().contains("office is missing"));
    assert!(operation("GET", "/api/v1/quite/elsewhere").is_none());
    assert_eq!(operation("DELETE", "/api/v1/sessions/current").unwrap().0, "/api/v1/sessions/current");
    assert_eq!(operation("GET", "/api/v1/cards/0?purpose=x").unwrap().0, "/api/v1/cards/{id}");
}
