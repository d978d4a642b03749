//! OSIA `uin` 1.2.0: the civil registry reports a birth, and has the number for life at once.

use axum::http::StatusCode;
use axum::response::Response;

use super::super::super::incoming::births::{self, Newborn};
use super::attributes::Given;
use super::call::{Call, Told, unfit};
use super::{Code, told};
use crate::ground::text::SomeWords;
use crate::population::model::{DeclaredPlace, DeclaredRelative};
use crate::web::Problem;

/// A number for a child that is entered in a register of births. The same transaction has the same number.
#[utoipa::path(post, path = "/osia/uin/v1/uin", tag = "osia", operation_id = "generateUIN", responses((status = 200)))]
pub(super) async fn generate_uin(call: Call) -> Result<Response, Problem> {
    let transaction = call.one("transactionId")?.ok_or_else(|| unfit("transactionId is needed"))?.to_owned();
    let given: Given = call.json()?;
    if given.0.iter().any(|(name, _)| !ATTRIBUTES.contains(&name.as_str())) {
        // None of a birth is lost without a word.
        return Ok(told(StatusCode::BAD_REQUEST, Code::AttributeUnknown as i32, "Unknown attribute name"));
    }
    let newborn = newborn(&given)?;
    let (asked, _) = call.question(newborn.guessed(), None, Some(&transaction)).await?;
    let sha256 = hex::encode(asked.request_sha256);
    let answered = births::birth(call.desk.deeds(), &call.exchange, &call.partner, &asked, &newborn).await?;
    let answer = Told::of(&answered, sha256)?;
    if answer.text("outcome") != "numbered" {
        let reasons = answer.member("reasons").as_array().into_iter().flatten().filter_map(|reason| reason.as_str());
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let message = format!(
            "held: an officer of the register decides ({reasons}); POST /api/v1/exchange/report-status with the \
             reference {} says what became of it",
            answer.text("answer")
        );
        return Ok(told(StatusCode::FORBIDDEN, Code::Held as i32, &message));
    }
    call.write(&answer, &answer.member("record")["personal_number"])
}

fn newborn(given: &Given) -> Result<Newborn, Problem> {
    let text = |name: &str| given.some(name).unwrap_or_default().to_owned();
    let place = |of: &str| DeclaredPlace {
        province: text(&format!("{of}Province")),
        district: text(&format!("{of}District")),
        commune: text(&format!("{of}Commune")),
        detail: text(&format!("{of}Detail")),
    };
    let relative = |of: &str| {
        let relative = DeclaredRelative {
            full_name: text(&format!("{of}Name")),
            personal_number: text(&format!("{of}Uin")),
            nationality: text(&format!("{of}Nationality")),
            ..DeclaredRelative::default()
        };
        let none = [&relative.full_name, &relative.personal_number, &relative.nationality];
        if none.iter().all(|text| text.is_empty()) { None } else { Some(relative) }
    };
    Ok(Newborn {
        full_name: given.full_name().map_err(unfit)?.unwrap_or_default(),
        birth_date: text("dateOfBirth"),
        sex: text("gender"),
        birth_registration: place("birth"),
        place_of_origin: place("origin"),
        ethnic_group: text("ethnicGroup"),
        nationality: text("nationality"),
        father: relative("father"),
        mother: relative("mother"),
        representative: relative("representative"),
        registration: SomeWords::try_from(text("registration"))
            .map_err(|error| unfit(format!("registration: the entry in the register of births; {error}")))?,
    })
}

/// What is said of a newborn child.
const ATTRIBUTES: [&str; 25] = [
    "birthCommune",
    "birthDetail",
    "birthDistrict",
    "birthProvince",
    "dateOfBirth",
    "ethnicGroup",
    "fatherName",
    "fatherNationality",
    "fatherUin",
    "firstName",
    "fullName",
    "gender",
    "lastName",
    "motherName",
    "motherNationality",
    "motherUin",
    "nationality",
    "originCommune",
    "originDetail",
    "originDistrict",
    "originProvince",
    "registration",
    "representativeName",
    "representativeNationality",
    "representativeUin",
];
