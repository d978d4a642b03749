//! OSIA `dataaccess` 1.3.0: query, read, match, verify, document.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use axum::response::Response;
use crypto::identity::Date;
use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::super::model::Field;
use super::super::super::subject::Subject;
use super::attributes::{self, Given};
use super::call::{Call, Told, forbidden, subject, unfit};
use super::{Code, told};
use crate::ground::text::Words;
use crate::web::Problem;

/// Persons by attributes: by a number, with full name and date of birth. Particulars alone find no person.
#[utoipa::path(get, path = "/osia/dataaccess/v1/persons", tag = "osia", operation_id = "queryPersonList",
    responses((status = 200)))]
pub(super) async fn query_person_list(call: Call) -> Result<Response, Problem> {
    let names = call.all("names")?;
    let number = |name: &str, usual: u32| match call.one(name)? {
        Some(text) => text.parse::<u32>().map_err(|_| unfit(format!("{name}: a number from 0 on"))),
        None => Ok(usual),
    };
    let (offset, limit) = (number("offset", 0)?, number("limit", 100)?);
    if limit == 0 {
        return Err(unfit("limit: at least 1"));
    }
    let asked: Vec<_> = call.query.iter().filter(|(name, _)| !NOT_ATTRIBUTES.contains(&name.as_str())).collect();
    let mut given = Given(Vec::new());
    for (name, value) in asked {
        if given.some(name).is_some() || given.0.len() == attributes::MOST {
            return Err(unfit("an attribute stands there twice, or there are too many"));
        }
        given.0.push((name.clone(), value.clone()));
    }
    if given.0.is_empty() {
        return Err(unfit("no attribute is named"));
    }
    let unknown = given.0.iter().any(|(name, _)| attributes::named(name).is_none());
    if unknown {
        return Ok(told(StatusCode::BAD_REQUEST, Code::AttributeUnknown as i32, "Unknown attribute name"));
    }
    let subject = match (given.some("uin"), given.some("oldIdNumber")) {
        (Some(uin), None) => subject(uin),
        (None, Some(old)) => Subject { old_id_number: short(old, "oldIdNumber")?, ..Subject::default() },
        (Some(_), Some(_)) => return Err(unfit("one of uin and oldIdNumber")),
        (None, None) => return Err(forbidden(NO_SEARCH)),
    };
    let subject = tested(subject, &given, &["uin", "oldIdNumber"])?;
    let fields = attributes::fields(&names);
    let (mut asked, grant) = call.question(subject, Some(fields), None).await?;
    // Without names the number is told where it is agreed, else the partner's own name for the person.
    let numbered = grant.is_some_and(|grant| grant.fields.contains(&Field::PersonalNumber));
    if names.is_empty() && numbered {
        asked.fields = Some(vec![Field::PersonalNumber]);
    }
    let told = call.ask(asked).await?;
    if told.text("outcome") != "found" || offset > 0 {
        return Err(nobody());
    }
    if names.is_empty() {
        let number = told.member("record")["personal_number"].as_str();
        let uin = number.unwrap_or_else(|| told.text("pseudonym"));
        return call.write(&told, &[uin]);
    }
    call.write(&told, &[attributes::written(&names, told.member("record"))])
}

/// Parameters of the query that are no attributes.
const NOT_ATTRIBUTES: [&str; 3] = ["names", "offset", "limit"];
const NO_SEARCH: &str =
    "a person is found by uin or oldIdNumber with full name and date of birth; particulars alone find none";

/// The attributes of a person, as far as the agreement goes.
#[utoipa::path(get, path = "/osia/dataaccess/v1/persons/{uin}", tag = "osia", operation_id = "readPersonAttributes",
    responses((status = 200)))]
pub(super) async fn read_person_attributes(call: Call) -> Result<Response, Problem> {
    let names = call.all("attributeNames")?;
    if names.is_empty() {
        return Err(unfit("attributeNames: none is named"));
    }
    if let Some((other, _)) = call.query.iter().find(|(name, _)| name != "attributeNames") {
        let known = attributes::named(other).map_or("", |attribute| attribute.name);
        return Err(unfit(format!("attributeNames is the only parameter {known}").trim_end()));
    }
    let fields = attributes::fields(&names);
    if fields.is_empty() {
        return Ok(told(StatusCode::BAD_REQUEST, Code::AttributeUnknown as i32, "Unknown attribute name"));
    }
    let (asked, _) = call.question(subject(&call.named), Some(fields), None).await?;
    let told = call.ask(asked).await?;
    if told.text("outcome") != "found" {
        return Err(nobody());
    }
    call.write(&told, &attributes::written(&names, told.member("record")))
}

/// What is found wrong with an attribute.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mismatch {
    attribute_name: String,
    /// 0: there is no such attribute; 1: it is not so.
    error_code: i32,
}

/// Whether attributes belong to a person. An unknown number is answered as one whose attributes are all another's.
#[utoipa::path(post, path = "/osia/dataaccess/v1/persons/{uin}/match", tag = "osia",
    operation_id = "matchPersonAttributes", responses((status = 200)))]
pub(super) async fn match_person_attributes(call: Call) -> Result<Response, Problem> {
    let given: Given = call.json()?;
    if given.0.is_empty() {
        return Err(unfit("no attribute is named"));
    }
    let (known, unknown): (Vec<_>, Vec<_>) = given.0.iter().partition(|(name, _)| attributes::named(name).is_some());
    let mismatch = |name: &str, error_code| Mismatch { attribute_name: name.to_owned(), error_code };
    let mut wrong: Vec<_> = unknown.iter().map(|(name, _)| mismatch(name, 0)).collect();
    if known.is_empty() {
        return Ok(Call::plain(wrong));
    }
    let subject = tested(subject(&call.named), &given, &[])?;
    let (asked, _) = call.question(subject, None, None).await?;
    let told = call.ask(asked).await?;
    let differ = differing(&told);
    for (name, _) in known {
        let field = attributes::named(name).map(|attribute| attribute.field);
        if differ.as_ref().is_none_or(|differ| field.is_some_and(|field| differ.contains(&field))) {
            wrong.push(mismatch(name, 1));
        }
    }
    call.write(&told, &wrong)
}

/// Returns the fields that are not so; nothing where that is not agreed: then all that was said counts as one.
fn differing(told: &Told) -> Option<BTreeSet<Field>> {
    if told.text("outcome") == "confirmed" {
        return Some(BTreeSet::new());
    }
    let words = told.member("differs").as_array()?;
    Some(words.iter().filter_map(|word| word.as_str()?.parse().ok()).collect())
}

/// An expression about an attribute.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expression {
    attribute_name: String,
    operator: String,
    value: Value,
}

/// Whether expressions are all true of a person. An unknown number is answered `false`.
#[utoipa::path(post, path = "/osia/dataaccess/v1/persons/{uin}/verify", tag = "osia",
    operation_id = "verifyPersonAttributes", responses((status = 200)))]
pub(super) async fn verify_person_attributes(call: Call) -> Result<Response, Problem> {
    let expressions: Vec<Expression> = call.json()?;
    if expressions.is_empty() || expressions.len() > attributes::MOST {
        return Err(unfit(format!("1 to {} expressions", attributes::MOST)));
    }
    let (mut given, mut orders, mut at_odds) = (Given(Vec::new()), Vec::new(), false);
    for Expression { attribute_name: name, operator, value } in expressions {
        let value = attributes::plain(&value).ok_or_else(|| unfit("value: text, number or truth value"))?;
        if attributes::named(&name).is_none() {
            return Ok(told(StatusCode::BAD_REQUEST, Code::AttributeUnknown as i32, "Unknown attribute name"));
        }
        match operator.as_str() {
            "=" => match given.some(&name) {
                // Two values that differ are not both true, whatever the register has.
                Some(before) => at_odds |= before != value,
                None => given.0.push((name, value)),
            },
            "<" | ">" | "<=" | ">=" if name == "dateOfBirth" => orders.push((operator, day(&value)?)),
            "<" | ">" | "<=" | ">=" => return Err(unfit(format!("operator: {name} has no order"))),
            _ => return Err(unfit("operator: one of = < > <= >=")),
        }
    }
    let born = given.some("dateOfBirth");
    if !orders.is_empty() && born.is_none() {
        return Err(forbidden(NO_HALVING));
    }
    // The date of birth is put to the test with the others: an order is true of the person if the date is right, and
    // the order is true of that date. So an order tells nothing that the question does not say.
    for (operator, bound) in orders {
        let born = day(born.unwrap_or_default())?;
        let holds = match operator.as_str() {
            "<" => born < bound,
            ">" => born > bound,
            "<=" => born <= bound,
            _ => born >= bound,
        };
        at_odds |= !holds;
    }
    let subject = tested(subject(&call.named), &given, &[])?;
    let (asked, _) = call.question(subject, None, None).await?;
    let told = call.ask(asked).await?;
    call.write(&told, &(told.text("outcome") == "confirmed" && !at_odds))
}

const NO_HALVING: &str = "an order of dateOfBirth is answered beside an expression that says which day it is: alone it would tell the day to whoever asks often enough";

fn day(text: &str) -> Result<time::Date, Problem> {
    let date: Option<Date> = text.parse().ok();
    date.and_then(Date::full).ok_or_else(|| unfit("dateOfBirth: a day, yyyy-MM-dd"))
}

/// A document about a person. The register has none: certificates of civil status are the civil registry's.
#[utoipa::path(get, path = "/osia/dataaccess/v1/persons/{uin}/document", tag = "osia", operation_id = "readDocument",
    responses((status = 200)))]
pub(super) async fn read_document(call: Call) -> Result<Response, Problem> {
    if call.one("doctype")?.is_none_or(str::is_empty) {
        return Err(unfit("doctype is needed"));
    }
    match call.one("format")? {
        None => Err(unfit("format is needed")),
        Some("pdf" | "jpeg" | "png" | "TBD") => Err(forbidden("the register has no documents of civil status")),
        Some(_) => Ok(told(StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, "format: pdf, jpeg or png")),
    }
}

/// Adds to a subject what is put to the test of it.
pub(super) fn tested(subject: Subject, given: &Given, named_by: &[&str]) -> Result<Subject, Problem> {
    for (name, value) in &given.0 {
        let testable = TESTABLE.contains(&name.as_str()) || named_by.contains(&name.as_str());
        if attributes::named(name).is_some() && !testable {
            return Err(forbidden(&format!("{name} cannot be put to the test")));
        }
        // Of nothing it cannot be said that it is so.
        if short::<200>(value, name)?.as_str().is_empty() {
            return Err(unfit(format!("{}: no value", attributes::named(name).map_or("an attribute", |one| one.name))));
        }
    }
    let text = |name: &str| given.some(name).unwrap_or_default();
    let full_name = given.full_name().map_err(unfit)?.unwrap_or_default();
    let by_number = subject.pseudonym.as_str().is_empty();
    if by_number && (full_name.is_empty() || text("dateOfBirth").is_empty()) {
        return Err(unfit("beside a number stand lastName and firstName (or fullName), and dateOfBirth"));
    }
    Ok(Subject {
        full_name: short(&full_name, "fullName")?,
        birth_date: short(text("dateOfBirth"), "dateOfBirth")?,
        sex: short(text("gender"), "gender")?,
        ethnic_group: short(text("ethnicGroup"), "ethnicGroup")?,
        nationality: short(text("nationality"), "nationality")?,
        ..subject
    })
}

/// The attributes that can be put to the test.
const TESTABLE: [&str; 7] =
    ["fullName", "lastName", "firstName", "dateOfBirth", "gender", "ethnicGroup", "nationality"];

fn short<const MOST: usize>(text: &str, name: &str) -> Result<Words<MOST>, Problem> {
    Words::try_from(text.to_owned()).map_err(|error| unfit(format!("{name}: {error}")))
}

/// There is no such person, or the agreement does not reach the person: which is not told.
pub(super) fn nobody() -> Problem {
    Problem::new(ProblemCode::PersonUnknown).detail("Unknown uin")
}
