//! Routes that carry their right: a route cannot be added without one, and gate, table of rights and
//! document are derived from it.

use std::collections::BTreeMap;

use axum::http::Method;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{Content, OpenApi, PathItem, Ref, RefOr, Required, ResponseBuilder};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::ground::Permission;

/// Who may call a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Right {
    /// Every caller, known or not.
    Anyone,
    /// Carriers of data exchange layers, by their client certificates.
    Carrier,
    /// Citizens whose card is at a reader and proved itself.
    Citizen,
    /// Officers with this permission.
    Officer(Permission),
    /// Systems of partners, by their client certificates.
    Partner,
    /// Any officer with a session.
    SignedIn,
    /// Enrolled stations.
    Station,
}

/// The routes of an office, each with its right, over the state `S` of the whole service.
pub struct Routes<S> {
    router: OpenApiRouter<S>,
    rights: BTreeMap<(String, String), Right>,
}

/// Shows how many routes there are.
impl<S> std::fmt::Debug for Routes<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Routes({})", self.rights.len())
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self { router: OpenApiRouter::new(), rights: BTreeMap::new() }
    }

    /// No routes, with this document's head.
    #[must_use]
    pub fn with_document(document: OpenApi) -> Self {
        Self { router: OpenApiRouter::with_openapi(document), rights: BTreeMap::new() }
    }

    /// Adds the handlers that `routes!` made, with the right to call them.
    ///
    /// # Panics
    /// If a method of a path is added twice: a fault of this program, seen at every start.
    #[must_use]
    pub fn add(mut self, right: Right, (schemas, mut paths, router): UtoipaMethodRouter<S>) -> Self {
        for (path, item) in &mut paths.paths {
            for (method, operation) in operations(item) {
                // The function's name alone (`read`) occurs in several offices.
                let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
                let name = operation.operation_id.clone().unwrap_or_default();
                operation.operation_id = Some(format!("{tag}_{name}"));
                complete(path, operation);
                let twice = self.rights.insert((method.to_string(), path.clone()), right);
                assert!(twice.is_none(), "{method} {path} stands twice among the routes");
            }
        }
        self.router = self.router.routes((schemas, paths, router));
        self
    }

    /// Adds the routes of another office.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.rights.extend(other.rights);
        self
    }

    /// Returns router, document and the right of each method and path.
    pub fn split(self) -> (axum::Router<S>, OpenApi, BTreeMap<(String, String), Right>) {
        let (router, document) = self.router.split_for_parts();
        (router, document, self.rights)
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes into the document what holds for every operation: the parameters that its path names, a description of each
/// answer, and that a refusal is a problem document.
fn complete(path: &str, operation: &mut Operation) {
    if operation.description.is_none() {
        operation.description.clone_from(&operation.summary);
    }
    let parameters = operation.parameters.get_or_insert_default();
    // The attribute of a handler may name a parameter; the path is what the router goes by.
    parameters.retain(|parameter| !matches!(parameter, RefOr::T(given) if given.parameter_in == ParameterIn::Path));
    for name in path.split(['{', '}']).skip(1).step_by(2) {
        let (description, schema) = in_path(name);
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        parameters.push(RefOr::T(parameter.description(Some(description)).schema(Some(schema)).build()));
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            "The answer.".clone_into(&mut response.description);
        }
    }
    for (range, description) in [
        ("4XX", "Refused: the code says why and `about` who can mend it; all codes stand in docs/failure-codes.md."),
        ("5XX", "The service cannot answer now; repeat the request with the same idempotency key."),
    ] {
        let body = Content::new(Some(Ref::from_schema_name("ProblemBody")));
        let response =
            ResponseBuilder::new().description(description).content("application/problem+json", body).build();
        operation.responses.responses.entry(range.to_owned()).or_insert(RefOr::T(response));
    }
}

/// Returns what a parameter of a path is, by its name.
fn in_path(name: &str) -> (&'static str, ObjectBuilder) {
    let text = ObjectBuilder::new().schema_type(Type::String);
    match name {
        "code" => ("Code of the unit.", text.pattern(Some("^[a-z0-9-]{1,16}$"))),
        "day" => ("The day.", text.format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))),
        "id" => ("Identifier.", text.format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))),
        "number" => ("Number of the booking, as the citizen has it: `LH-…`.", text),
        "finger" => ("The finger, as the ten-print card calls it.", text),
        "office" => ("Code of the office.", text.pattern(Some("^[a-z0-9-]{1,16}$"))),
        "purpose" => ("Code of the purpose.", text.pattern(Some("^[a-z0-9-]{2,40}$"))),
        "serial" => ("Serial of the chip.", text.pattern(Some("^[0-9A-Fa-f]{20}$"))),
        "sod_sha256" => {
            ("SHA-256 of the signed hash table of EF.SOD, hexadecimal.", text.pattern(Some("^[0-9A-Fa-f]{64}$")))
        }
        "table" => ("Name of the table.", text.enum_values(Some(TABLES))),
        _ => ("", text),
    }
}

/// The tables of codes.
const TABLES: [&str; 8] =
    ["communes", "countries", "districts", "ethnic-groups", "provinces", "reasons", "religions", "stages"];

/// Returns the operations of a path, with their methods.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}
