//! What partners report: births, deaths and what civil status changed.
//!
//! A report passes the same checks as a question (agreement, purpose, officer, hours, quota), and is answered and kept
//! as one. What an officer would have to answer for is answered by no machine: it is held until an officer decides.

mod api;
pub(super) mod births;
mod civil;
pub(super) mod held;
pub(super) mod held_api;

pub(super) use api::routes;
use serde::Serialize;
use time::{Date, OffsetDateTime};

use super::answer::{self, Found, Said};
use super::ask::{self, Answered, Asked, Held};
use super::limits::{self, Spent};
use super::model::{Agreement, Field, Grant, Service};
use super::store::requests;
use super::told::Told;
use super::{Exchange, ExchangeError};
use crate::deed::{Deed, Deeds};
use crate::ground::OfficeCode;
use crate::ground::actor::{Actor, Partner};
use crate::ground::ids::{OfficerId, PersonId, RequestId};
use crate::store::StoreError;
use crate::web::Problem;

/// What allows a report, and what it took of the quota.
struct Admitted {
    agreement: Agreement,
    place: usize,
    today: Date,
    spent: Spent,
    subject: [u8; 32],
    /// Whom it is about, as far as the register knows.
    found: Found,
    /// The next question of the officer or about the person comes when this one is judged.
    _turns: Held,
}

impl Admitted {
    /// The grant under which it is reported.
    fn grant(&self) -> &Grant {
        &self.agreement.grants[self.place]
    }

    /// The officer who answers for it: the one who signed the agreement for the register.
    fn answers(&self) -> OfficerId {
        let signed = self.agreement.signed.as_ref().unwrap_or(&self.agreement.drafted);
        signed.by
    }

    /// Settles what it took of the quota, now that it is known what came of it.
    fn settle<T, E>(&self, exchange: &Exchange, done: &Result<T, E>) {
        self.spent.settle(exchange, (self.agreement.id, self.place), self.today, done.is_ok());
    }
}

/// Begins a report: looks at all that bounds one, in the transaction in which it is kept.
///
/// # Errors
/// [`ExchangeError::Repeated`] for a request that came before; as for a question.
async fn admit(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
) -> Result<(Deed<Partner>, Admitted), ExchangeError> {
    limits::fit_officer(exchange, partner, &asked.officer)?;
    limits::fit_carried(partner, &asked.officer, &asked.case)?;
    let turns = ask::turns(exchange, partner, asked).await;
    let mut deed = deeds.open(partner.clone()).await?;
    limits::fit_clock(exchange, asked, deed.at())?;
    let (agreement, place, grant) = limits::granted(&mut deed, asked.service, &asked.purpose).await?;
    // Before anything is done: what was reported once is not reported a second time.
    if requests::before(deed.tx(), partner.id, &asked.request).await?.is_some() {
        return Err(ExchangeError::Repeated);
    }
    let found = match asked.subject.by() {
        Ok(by) => answer::find(&mut deed, partner, &by).await?,
        // The report of a birth names no person of the register.
        Err(_) => Found::nobody(),
    };
    let subject = limits::subject_of(&deed, partner, asked, &found);
    limits::no_guessing(&mut deed, exchange, partner, (&asked.officer, &subject)).await?;
    let today = deed.today();
    let spent = limits::spend(&mut deed, exchange, (&agreement, place, &grant), today).await?;
    let admitted = Admitted { agreement, place, today, spent, subject, found, _turns: turns };
    Ok((deed, admitted))
}

/// What every answer to a report says. It holds the digest of the report, so that the signature covers both.
#[derive(Serialize)]
struct Reply<'a> {
    request: &'a str,
    request_sha256: String,
    answer: RequestId,
    #[serde(with = "time::serde::rfc3339")]
    answered_at: OffsetDateTime,
    agreement: &'a str,
    purpose: &'a str,
    service: Service,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Told>,
}

impl<'a> Reply<'a> {
    fn new<A: Actor>(deed: &Deed<A>, asked: &'a Asked, admitted: &'a Admitted, outcome: &'static str) -> Self {
        Self {
            request: &asked.request,
            request_sha256: hex::encode(asked.request_sha256),
            answer: deed.id(),
            answered_at: deed.at(),
            agreement: &admitted.agreement.number,
            purpose: &asked.purpose,
            service: asked.service,
            outcome,
            reasons: vec![],
            findings: None,
            record: None,
        }
    }

    /// Signs the answer, and keeps it with a record about each of these persons. Returns it with its identifier.
    async fn keep<A: Actor>(
        self,
        deed: &mut Deed<A>,
        exchange: &Exchange,
        (partner, asked, admitted): (&Partner, &Asked, &Admitted),
        fields: &[Field],
        missed: bool,
        persons: &[PersonId],
    ) -> Result<Answered, ExchangeError> {
        let fields: Vec<_> = fields.iter().map(|field| field.word()).collect();
        let said = Said {
            id: self.answer,
            fields: fields.join(","),
            outcome: self.outcome,
            subject: admitted.subject,
            missed,
            body: serde_json::to_vec(&self)?,
        };
        answer::keep(deed, exchange, partner, asked, &admitted.agreement, said, persons).await
    }
}

/// What came of an attempt that is not answered yet.
enum Stopped {
    /// The exchange refuses, or fails.
    Exchange(ExchangeError),
    /// The register refuses: with the person of whom the refusal tells.
    Refused(Problem, Option<PersonId>),
}

impl<E: Into<ExchangeError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Exchange(error.into())
    }
}

/// Returns the answer of an attempt; keeps the refusal of one that was refused.
///
/// # Errors
/// The refusal as a problem.
async fn answered(
    deeds: &Deeds,
    partner: &Partner,
    asked: &Asked,
    done: Result<Answered, Stopped>,
) -> Result<Answered, Problem> {
    use ExchangeError as E;
    let (problem, told) = match done {
        Ok(answered) => return Ok(answered),
        Err(Stopped::Exchange(E::Repeated)) => return Ok(ask::again(deeds, partner, asked.again()).await?),
        Err(Stopped::Exchange(refusal @ (E::NotAgreed(_) | E::Guessing(_) | E::QuotaSpent { .. }))) => {
            (Problem::from(refusal), None)
        }
        Err(Stopped::Exchange(other)) => return Err(other.into()),
        Err(Stopped::Refused(problem, _)) if problem.status().is_server_error() => return Err(problem),
        Err(Stopped::Refused(problem, told)) => (problem, told),
    };
    ask::note_refusal(deeds, partner, asked, &problem, told).await?;
    Err(problem)
}

/// Returns the office that takes a report about this province: the first that is an office of the province as a whole,
/// else the national office.
async fn office_of(deed: &mut Deed<Partner>, province: &str) -> Result<OfficeCode, StoreError> {
    let Ok(province) = province.parse() else { return Ok(OfficeCode::national()) };
    let offices = crate::offices::steps::offices_of_province(deed.tx(), province).await?;
    Ok(offices.into_iter().next().unwrap_or_else(OfficeCode::national))
}
