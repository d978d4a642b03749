//! The document as a page for people: `GET /docs`, off by default. Made from the document of the running program; no
//! script, and nothing is fetched from elsewhere.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use crypto::perso::problem::ProblemCode;
use serde_json::Value;

use super::Offices;
use super::router::document;
use crate::web::Problem;

/// The document as a page, where `web.docs` is set.
#[utoipa::path(get, path = "/docs", tag = "service", responses((status = 200, description = "HTML", content_type = "text/html", body = String)))]
pub(super) async fn docs(State(offices): State<Offices>) -> Result<Response, Problem> {
    served(&offices, "text/html; charset=utf-8", PAGE.clone())
}

/// The style of the page, where `web.docs` is set.
#[utoipa::path(get, path = "/docs/style.css", tag = "service", responses((status = 200, description = "CSS", content_type = "text/css", body = String)))]
pub(super) async fn docs_style(State(offices): State<Offices>) -> Result<Response, Problem> {
    served(&offices, "text/css; charset=utf-8", Bytes::from_static(STYLE.as_bytes()))
}

fn served(offices: &Offices, kind: &'static str, body: Bytes) -> Result<Response, Problem> {
    if !offices.web.docs {
        return Err(Problem::new(ProblemCode::NoSuchPath));
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    Ok((headers, body).into_response())
}

/// The page shows text and one style sheet of its own, and does nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = include_str!("docs.css");

/// Made once.
static PAGE: LazyLock<Bytes> = LazyLock::new(|| {
    let document = serde_json::to_value(document()).expect("the document becomes JSON");
    page(&document).into()
});

/// Writes into a text, which takes everything.
macro_rules! put {
    ($page:expr, $($what:tt)*) => { _ = write!($page, $($what)*) };
}

fn page(document: &Value) -> String {
    let mut page = String::with_capacity(1 << 19);
    let info = &document["info"];
    let title = escaped(text(&info["title"]));
    put!(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    put!(page, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    put!(page, "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n");
    put!(page, "<link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n");
    put!(page, "<a class=\"skip\" href=\"#content\">Skip to the operations</a>\n<header>\n<h1>{title}</h1>\n");
    put!(page, "<p>{}</p>\n", worded(text(&info["description"])));
    put!(
        page,
        "<p>Version {}. For programs: <a href=\"/openapi.json\">/openapi.json</a>",
        escaped(text(&info["version"]))
    );
    put!(page, " (OpenAPI {}).</p>\n</header>\n", escaped(text(&document["openapi"])));
    contents(&mut page, document);
    put!(page, "<main id=\"content\">\n");
    for tag in list(&document["tags"]) {
        let name = text(&tag["name"]);
        put!(
            page,
            "<section>\n<h2 id=\"tag-{0}\">{0}</h2>\n<p>{1}</p>\n",
            escaped(name),
            worded(text(&tag["description"]))
        );
        for (method, path, operation) in operations(document, name) {
            one(&mut page, method, path, operation);
        }
        put!(page, "</section>\n");
    }
    put!(page, "<section>\n<h2 id=\"schemas\">Schemas</h2>\n");
    for (name, schema) in members(&document["components"]["schemas"]) {
        put!(page, "<article>\n<h3 id=\"schema-{0}\">{0}</h3>\n", escaped(name));
        described(&mut page, schema);
        put!(page, "</article>\n");
    }
    put!(page, "</section>\n</main>\n</body>\n</html>\n");
    page
}

fn contents(page: &mut String, document: &Value) {
    put!(page, "<nav aria-label=\"Operations\">\n");
    for tag in list(&document["tags"]) {
        let name = text(&tag["name"]);
        put!(page, "<h2><a href=\"#tag-{0}\">{0}</a></h2>\n<ul>\n", escaped(name));
        for (method, path, operation) in operations(document, name) {
            let (id, method) = (escaped(text(&operation["operationId"])), method.to_uppercase());
            put!(page, "<li><a href=\"#{id}\"><b>{method}</b> {}</a></li>\n", breakable(path));
        }
        put!(page, "</ul>\n");
    }
    put!(page, "<h2><a href=\"#schemas\">Schemas</a></h2>\n</nav>\n");
}

/// The operations of a tag: method, path, operation.
fn operations<'a>(document: &'a Value, tag: &'a str) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
    members(&document["paths"])
        .flat_map(|(path, item)| members(item).map(move |(method, operation)| (method, path, operation)))
        .filter(move |(_, _, operation)| list(&operation["tags"]).any(|its| text(its) == tag))
}

fn one(page: &mut String, method: &str, path: &str, operation: &Value) {
    let id = escaped(text(&operation["operationId"]));
    put!(page, "<article>\n<h3 id=\"{id}\"><b>{}</b> {}</h3>\n", method.to_uppercase(), breakable(path));
    let (summary, description) = (text(&operation["summary"]), text(&operation["description"]));
    put!(page, "<p>{}</p>\n", worded(summary));
    if description != summary && !description.is_empty() {
        put!(page, "<p>{}</p>\n", worded(description));
    }
    put!(page, "<p class=\"who\">{}</p>\n", escaped(&who(operation)));
    let mut parameters = list(&operation["parameters"]).peekable();
    if parameters.peek().is_some() {
        put!(
            page,
            "<h4>Parameters</h4>\n<table>\n<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">In</th><th scope=\"col\">Type</th><th scope=\"col\">Meaning</th></tr></thead>\n<tbody>\n"
        );
        for parameter in parameters {
            let needed = if parameter["required"] == true { " <span class=\"needed\">required</span>" } else { "" };
            put!(
                page,
                "<tr><th scope=\"row\"><code>{}</code>{needed}</th><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                escaped(text(&parameter["name"])),
                escaped(text(&parameter["in"])),
                kind(&parameter["schema"]),
                worded(text(&parameter["description"]))
            );
        }
        put!(page, "</tbody>\n</table>\n");
    }
    content(page, "Request", &operation["requestBody"]["content"]);
    for (status, response) in members(&operation["responses"]).filter(|(status, _)| !status.ends_with("XX")) {
        put!(page, "<h4>Answer {}</h4>\n<p>{}</p>\n", escaped(status), worded(text(&response["description"])));
        content(page, "", &response["content"]);
    }
    let codes: Vec<_> =
        list(&operation["x-problem-codes"]).map(|code| format!("<code>{}</code>", escaped(text(code)))).collect();
    if !codes.is_empty() {
        put!(
            page,
            "<details>\n<summary>{} problem codes</summary>\n<p>{}</p>\n</details>\n",
            codes.len(),
            codes.join(" ")
        );
    }
    put!(page, "</article>\n");
}

/// A body, with its example.
fn content(page: &mut String, title: &str, content: &Value) {
    for (media, body) in members(content) {
        if !title.is_empty() {
            put!(page, "<h4>{}</h4>\n", escaped(title));
        }
        put!(page, "<p>{} <code>{}</code></p>\n", kind(&body["schema"]), escaped(media));
        if !body["example"].is_null() {
            let example = serde_json::to_string_pretty(&body["example"]).unwrap_or_default();
            put!(
                page,
                "<details>\n<summary>Example</summary>\n<pre tabindex=\"0\">{}</pre>\n</details>\n",
                escaped(&example)
            );
        }
    }
}

/// Who may call an operation.
fn who(operation: &Value) -> String {
    let Some(security) = list(&operation["security"]).next() else { return "For everybody.".to_owned() };
    let Some((scheme, scopes)) = members(security).next() else { return "For everybody.".to_owned() };
    let roles: Vec<_> = list(scopes).map(text).collect();
    match (scheme, roles.is_empty()) {
        ("partner", _) => "For systems of partners, by client certificate.".to_owned(),
        ("station", _) => "For stations, by client certificate.".to_owned(),
        (_, true) => "For every officer with a session.".to_owned(),
        (_, false) => format!("For officers: {}.", roles.join(", ")),
    }
}

/// What a schema says of its members or values.
fn described(page: &mut String, schema: &Value) {
    let description = text(&schema["description"]);
    if !description.is_empty() {
        put!(page, "<p>{}</p>\n", worded(description));
    }
    let required: Vec<_> = list(&schema["required"]).map(text).collect();
    let mut known = members(&schema["properties"]).peekable();
    if known.peek().is_none() {
        put!(page, "<p>{}</p>\n", kind(schema));
        return;
    }
    put!(
        page,
        "<table>\n<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Type</th><th scope=\"col\">Meaning</th></tr></thead>\n<tbody>\n"
    );
    for (name, member) in known {
        let needed = if required.contains(&name) { " <span class=\"needed\">required</span>" } else { "" };
        put!(
            page,
            "<tr><th scope=\"row\"><code>{}</code>{needed}</th><td>{}</td><td>{}</td></tr>\n",
            escaped(name),
            kind(member),
            worded(text(&member["description"]))
        );
    }
    put!(page, "</tbody>\n</table>\n");
}

/// The type of a value, as HTML.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escaped(name));
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        if schema[word].is_array() {
            let ways: Vec<_> = list(&schema[word]).map(kind).collect();
            return ways.join(if word == "allOf" { " and " } else { " or " });
        }
    }
    if schema["enum"].is_array() {
        let words: Vec<_> =
            list(&schema["enum"]).map(|word| format!("<code>{}</code>", escaped(&plain(word)))).collect();
        return words.join(" ");
    }
    let mut names: Vec<_> = match &schema["type"] {
        Value::Array(names) => names.iter().map(|name| escaped(text(name))).collect(),
        name => vec![escaped(text(name))],
    };
    if schema["items"].is_object() {
        names[0] = format!("list of {}", kind(&schema["items"]));
    }
    let more = ["format", "pattern"].into_iter().filter_map(|word| schema[word].as_str());
    let more = more.map(|more| format!(" <code>{}</code>", escaped(more)));
    names.join(" or ") + &more.collect::<Vec<_>>().concat()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, member)| (name.as_str(), member))
}

/// A path that may be broken at its slashes.
fn breakable(path: &str) -> String {
    escaped(path).replace('/', "/<wbr>")
}

/// A text for people: what stands between backticks is code.
fn worded(text: &str) -> String {
    let parts: Vec<_> = text.split('`').map(escaped).collect();
    if parts.len() % 2 == 0 {
        return escaped(text); // one stands alone
    }
    let mut worded = String::new();
    for (index, part) in parts.into_iter().enumerate() {
        let code = index % 2 == 1;
        worded.push_str(if code { "<code>" } else { "" });
        worded.push_str(&part);
        worded.push_str(if code { "</code>" } else { "" });
    }
    worded
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_document_says_is_text_and_never_markup() {
        let hostile = "<script>\"'&";
        let page = page(&json!({
            "openapi": hostile,
            "info": {"title": hostile, "description": hostile, "version": hostile},
            "tags": [{"name": hostile, "description": hostile}],
            "paths": {hostile: {"post": {
                "operationId": hostile, "summary": hostile, "description": format!("{hostile} more"), "tags": [hostile],
                "security": [{"officer": [hostile]}],
                "parameters": [{"name": hostile, "in": hostile, "required": true, "description": hostile,
                    "schema": {"type": hostile, "pattern": hostile}}],
                "requestBody": {"content": {hostile: {"schema": {"$ref": hostile}, "example": {hostile: hostile}}}},
                "responses": {hostile: {"description": hostile, "content": {}}},
                "x-problem-codes": [hostile],
            }}},
            "components": {"schemas": {
                hostile: {"description": hostile, "required": [hostile],
                    "properties": {hostile: {"enum": [hostile], "description": hostile}}},
                "Other": {"oneOf": [{"type": [hostile]}]},
            }},
        }));
        assert!(!page.contains("<script"), "{page}");
        assert!(page.matches("&lt;script&gt;&quot;&#39;&amp;").count() >= 20, "{page}");
    }

    #[test]
    fn backticks_mark_code_where_they_are_in_pairs() {
        assert_eq!(worded("`a<b` and `c`"), "<code>a&lt;b</code> and <code>c</code>");
        assert_eq!(worded("one ` alone"), "one ` alone");
    }

    #[test]
    fn every_link_of_the_page_leads_to_one_place() {
        let page = std::str::from_utf8(&PAGE).unwrap();
        let all = |mark: &str| page.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap()).collect::<Vec<_>>();
        let places = all("id=\"");
        let unique: std::collections::BTreeSet<_> = places.iter().copied().collect();
        assert_eq!(unique.len(), places.len(), "an id stands twice");
        let links = all("href=\"#");
        assert!(links.len() > 150, "{}", links.len());
        for link in links {
            assert!(unique.contains(link), "{link}");
        }
        assert!(!page.contains("href=\"http") && !page.contains(" src=\""), "nothing from elsewhere");
    }
}
