//! OSIA `3rdparty` 1.2.0, for relying parties: verify, and read a variable set of attributes.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::super::subject::Subject;
use super::attributes::{self, Given};
use super::call::{Call, forbidden, subject, unfit};
use super::dataaccess::{nobody, tested};
use super::{Code, told};
use crate::web::Problem;

/// What is put to the test. Anything but biographic data is refused: the register compares none of it here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AttributeSet {
    #[serde(default)]
    biographic_data: Option<Given>,
    #[serde(default)]
    biometric_data: Option<Value>,
    #[serde(default)]
    credential_data: Option<Value>,
    #[serde(default)]
    contact_data: Option<Value>,
    #[serde(default)]
    encryption: Option<Value>,
    #[serde(default)]
    integrity: Option<Value>,
}

/// Whether all attributes are a person's. An unknown identifier is answered as one that does not match.
#[utoipa::path(post, path = "/osia/3rdparty/v1/verify/{identifier}", tag = "osia", operation_id = "verify",
    responses((status = 200)))]
pub(super) async fn verify(call: Call) -> Result<Response, Problem> {
    let transaction = transaction(&call)?;
    let set: AttributeSet = call.json()?;
    let others = [&set.biometric_data, &set.credential_data, &set.contact_data, &set.encryption, &set.integrity];
    if others.iter().any(|other| other.is_some()) {
        return Err(forbidden(ONLY_BIOGRAPHIC));
    }
    let given = set.biographic_data.unwrap_or(Given(Vec::new()));
    if given.0.is_empty() {
        return Err(unfit("biographicData: no attribute is named"));
    }
    if given.0.iter().any(|(name, _)| attributes::named(name).is_none()) {
        return Ok(told(StatusCode::BAD_REQUEST, Code::AttributeUnknown as i32, "Unknown attribute name"));
    }
    let subject = tested(identified(&call)?, &given, &[])?;
    let (asked, _) = call.question(subject, None, Some(&transaction)).await?;
    let answer = call.ask(asked).await?;
    let (code, message) = if answer.text("outcome") == "confirmed" { (1, "verified") } else { (0, "not verified") };
    call.write(&answer, &json!({"verificationCode": code, "verificationMessage": message}))
}

/// The attributes that are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OutputAttributeSet {
    #[serde(default)]
    output_biographic_data: Vec<String>,
    #[serde(default)]
    output_biometric_data: Vec<Value>,
    #[serde(default)]
    output_credential_data: Vec<Value>,
    #[serde(default)]
    output_contact_data: Vec<Value>,
}

/// The attributes of a person that are named, as far as the agreement goes and the register has values.
#[utoipa::path(post, path = "/osia/3rdparty/v1/attributes/{identifier}", tag = "osia", operation_id = "readAttributes",
    responses((status = 200)))]
pub(super) async fn read_attributes(call: Call) -> Result<Response, Problem> {
    let transaction = transaction(&call)?;
    let wanted: OutputAttributeSet = call.json()?;
    let others = [&wanted.output_biometric_data, &wanted.output_credential_data, &wanted.output_contact_data];
    if others.iter().any(|other| !other.is_empty()) {
        return Err(forbidden(ONLY_BIOGRAPHIC));
    }
    let names = wanted.output_biographic_data;
    if names.is_empty() || names.len() > attributes::MOST {
        return Err(unfit(format!("outputBiographicData: 1 to {} attributes", attributes::MOST)));
    }
    if names.iter().any(|name| attributes::named(name).is_none()) {
        return Ok(told(StatusCode::BAD_REQUEST, Code::AttributeUnknown as i32, "Unknown attribute name"));
    }
    let fields = attributes::fields(&names);
    let (asked, _) = call.question(identified(&call)?, Some(fields), Some(&transaction)).await?;
    let answer = call.ask(asked).await?;
    if answer.text("outcome") != "found" {
        return Err(nobody());
    }
    let mut written = attributes::written(&names, answer.member("record"));
    written.retain(|_, value| value.is_string());
    call.write(&answer, &Map::from_iter([("biographicData".to_owned(), Value::Object(written))]))
}

const ONLY_BIOGRAPHIC: &str = "biographic data alone is asked for and put to the test here";

fn transaction(call: &Call) -> Result<String, Problem> {
    Ok(call.one("transactionId")?.ok_or_else(|| unfit("transactionId is needed"))?.to_owned())
}

/// Returns whom the path names. A `token` is the partner's own name for the person.
fn identified(call: &Call) -> Result<Subject, Problem> {
    let named = subject(&call.named);
    let is_token = !named.pseudonym.as_str().is_empty();
    match call.one("identifierType")? {
        None | Some("uin") => Ok(named),
        Some("token") if is_token => Ok(named),
        // What cannot be a token is one that no person has.
        Some("token") => Ok(subject(&"0".repeat(32))),
        Some(_) => Err(unfit("identifierType: uin or token")),
    }
}
