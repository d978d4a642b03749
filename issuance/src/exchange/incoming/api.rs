//! What partners report, over HTTP.

use axum::extract::{FromRef, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::super::Exchange;
use super::super::api::signed;
use super::super::ask::Asked;
use super::super::model::Service;
use super::super::oauth::Asking;
use super::super::subject::Subject;
use super::births::{self, Newborn};
use super::civil::{self, CivilChange, CivilDeath};
use super::held_api;
use crate::ground::ids::RequestId;
use crate::ground::moment;
use crate::ground::text::{Login, SomeWords};
use crate::web::{Desk, Digested, Problem, Right, Routes};

/// The routes of reports.
pub(in crate::exchange) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new()
        .add(Right::Partner, routes!(birth))
        .add(Right::Partner, routes!(death))
        .add(Right::Partner, routes!(change))
        .add(Right::Partner, routes!(report_status))
        .merge(held_api::routes())
}

/// A report: purpose, case, officer and unit are always named, and what is reported.
macro_rules! report {
    ($(#[$of_all:meta])* struct $name:ident($service:expr) { $($(#[$of:meta])* $member:ident: $kind:ty,)* }) => {
        $(#[$of_all])*
        struct $name {
            /// The partner's identifier of the request, unique for the partner: sent again under it with the same
            /// content, the same answer comes, and nothing is done twice.
            #[schema(value_type = String)]
            request: SomeWords<100>,
            /// Code of the purpose, as in the agreement.
            #[schema(value_type = String)]
            purpose: SomeWords<40>,
            /// Number of the case at the partner.
            #[schema(value_type = String)]
            case: SomeWords<100>,
            /// The partner's officer who registered it: the name of an account of a person.
            #[schema(value_type = String)]
            officer: Login,
            /// The officer's unit, whose register it stands in: the citizen is told of it.
            #[schema(value_type = String)]
            unit: SomeWords<200>,
            /// When it was reported, by the partner's clock (RFC 3339).
            #[serde(default, deserialize_with = "moment::option::deserialize")]
            #[schema(nullable = false)]
            asked_at: Option<OffsetDateTime>,
            $($(#[$of])* $member: $kind,)*
        }

        impl $name {
            fn asked(&self, sha256: [u8; 32], subject: Subject) -> Asked {
                Asked {
                    request: self.request.as_str().to_owned(),
                    request_sha256: sha256,
                    purpose: self.purpose.as_str().to_owned(),
                    case: self.case.as_str().to_owned(),
                    officer: self.officer.as_str().to_owned(),
                    unit: self.unit.as_str().to_owned(),
                    asked_at: self.asked_at,
                    service: $service,
                    fields: None,
                    subject,
                }
            }
        }
    };
}

report! {
    /// A report of a birth.
    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct BirthReport(Service::Birth) {
        /// The child.
        birth: Newborn,
    }
}

report! {
    /// A report of a death.
    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct DeathReport(Service::Death) {
        /// Who died: number, full name and date of birth.
        subject: Subject,
        /// The entry of the register of deaths.
        death: CivilDeath,
    }
}

report! {
    /// A report of what civil status changed.
    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct ChangeReport(Service::Change) {
        /// Whom it is about: number, full name and date of birth.
        subject: Subject,
        /// The entry of the register of civil status.
        change: CivilChange,
    }
}

report! {
    /// A question what became of a report; its service is found by the reference.
    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct StatusQuestion(Service::Birth) {
        /// The `answer` of the answer to the report.
        #[schema(value_type = String)]
        reference: RequestId,
    }
}

/// A signed answer to a report: the header `x-jws-signature` holds the detached JWS over its bytes.
#[derive(Serialize, ToSchema)]
struct ReportView {
    /// The partner's identifier of the request.
    request: String,
    /// SHA-256 of the report's body, hexadecimal.
    request_sha256: String,
    /// The register's identifier of the answer: the reference by which what became of the report is asked for.
    answer: RequestId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    answered_at: OffsetDateTime,
    /// Number of the agreement.
    agreement: String,
    /// Code of the purpose.
    purpose: String,
    /// The service.
    service: Service,
    /// Of a birth `numbered` or `held`; of another report `received` or `not-found`; of what became of one `held`,
    /// `proposed`, `applied`, `numbered` or `refused`.
    outcome: String,
    /// Of a birth that is held: what an officer decides (`birth-recorded`, `namesake`, `probably-recorded`); of a
    /// refusal why (`message-wrong`, `recorded-already`, `turned-down`).
    #[schema(nullable = false)]
    reasons: Option<Vec<String>>,
    /// Codes of what a registrar should look at in the record that was made.
    #[schema(nullable = false)]
    findings: Option<Vec<String>>,
    /// The fields of the agreement: of a birth the number for life.
    #[schema(nullable = false, value_type = Option<Object>)]
    record: Option<serde_json::Value>,
}

/// A child is born and entered in a register of births: the register gives the number for life at once. What an officer
/// of this register would have to answer for is `held`, and no number is given until one decides.
#[utoipa::path(post, path = "/api/v1/exchange/birth", tag = "exchange", operation_id = "report_birth",
    request_body = BirthReport,
    responses((status = 200, body = ReportView)))]
async fn birth(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    Digested { sha256, body }: Digested<BirthReport>,
) -> Result<Response, Problem> {
    let partner = asking.of(Service::Birth)?;
    let asked = body.asked(sha256, body.birth.guessed());
    Ok(signed(births::birth(desk.deeds(), &exchange, &partner, &asked, &body.birth).await?))
}

/// A person died: it is proposed to the register, with the entry of the register of deaths as evidence, and an officer
/// applies it.
#[utoipa::path(post, path = "/api/v1/exchange/death", tag = "exchange", operation_id = "report_death",
    request_body = DeathReport,
    responses((status = 200, body = ReportView)))]
async fn death(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    Digested { sha256, body }: Digested<DeathReport>,
) -> Result<Response, Problem> {
    let partner = asking.of(Service::Death)?;
    let asked = body.asked(sha256, body.subject.clone());
    Ok(signed(civil::report(desk.deeds(), &exchange, &partner, &asked, &body.death.into()).await?))
}

/// Civil status changed something about a person: it is proposed to the register, with the entry as evidence, and an
/// officer applies it.
#[utoipa::path(post, path = "/api/v1/exchange/change", tag = "exchange", operation_id = "report_change",
    request_body = ChangeReport,
    responses((status = 200, body = ReportView)))]
async fn change(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    Digested { sha256, body }: Digested<ChangeReport>,
) -> Result<Response, Problem> {
    let partner = asking.of(Service::Change)?;
    let asked = body.asked(sha256, body.subject.clone());
    Ok(signed(civil::report(desk.deeds(), &exchange, &partner, &asked, &body.change.into()).await?))
}

/// What became of a report of the partner that asks.
#[utoipa::path(post, path = "/api/v1/exchange/report-status", tag = "exchange", request_body = StatusQuestion,
    responses((status = 200, body = ReportView)))]
async fn report_status(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    Digested { sha256, body }: Digested<StatusQuestion>,
) -> Result<Response, Problem> {
    asking.covers(&[Service::Birth, Service::Death, Service::Change])?;
    let service = civil::service_of(desk.deeds(), asking.partner(), body.reference).await?;
    // A token for deaths does not tell the number of a child.
    let partner = asking.of(service)?;
    let asked = Asked { service, ..body.asked(sha256, Subject::default()) };
    Ok(signed(civil::status(desk.deeds(), &exchange, &partner, &asked, body.reference).await?))
}
