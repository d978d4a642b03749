//! A partner asks, and is told: one transaction from the agreement to the signed answer.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::model::{Agreement, Field, Grant, Service};
use super::store::agreements;
use super::store::requests::{self, Kept};
use super::subject::Subject;
use super::turns::Of;
use super::{Exchange, ExchangeError, answer, limits};
use crate::deed::{Action, Deeds, Object};
use crate::ground::actor::Partner;
use crate::ground::ids::{PersonId, RequestId};
use crate::store::StoreError;
use crate::web::Problem;

/// A question of a partner.
#[derive(Debug)]
pub struct Asked {
    /// The partner's identifier of the request.
    pub request: String,
    /// SHA-256 of its body.
    pub request_sha256: [u8; 32],
    /// Code of the purpose.
    pub purpose: String,
    /// Number of the partner's case.
    pub case: String,
    /// The partner's officer.
    pub officer: String,
    /// The officer's unit.
    pub unit: String,
    /// When it was asked, by the partner's clock.
    pub asked_at: Option<OffsetDateTime>,
    /// The service.
    pub service: Service,
    /// The fields that are wanted; none: all of the agreement.
    pub fields: Option<Vec<Field>>,
    /// Whom it is about.
    pub subject: Subject,
}

/// A signed answer.
#[derive(Debug)]
pub struct Answered {
    /// JSON.
    pub body: Vec<u8>,
    /// Detached JWS over it.
    pub signature: String,
}

/// Answers a question. A request that came before with the same content has the same answer again; a refusal is kept
/// too, with the person whom it was about.
///
/// # Errors
/// As a problem, from [`ExchangeError`].
pub async fn ask(deeds: &Deeds, exchange: &Exchange, partner: Partner, asked: Asked) -> Result<Answered, Problem> {
    let done = {
        // One of an officer first, then one about a person: in this order always, so that two
        // never wait for each other.
        let _of_officer = exchange.turns.take(Of::Officer(partner.id, asked.officer.clone())).await;
        let _about_person = exchange.turns.take(Of::Person(partner.id, asked.subject.target().to_owned())).await;
        attempt(deeds, exchange, &partner, &asked).await
    };
    match done {
        Ok(answered) => Ok(answered),
        Err(ExchangeError::Repeated) => Ok(again(deeds, &partner, &asked).await?),
        Err(
            refusal @ (ExchangeError::NotAgreed(_) | ExchangeError::Guessing(_) | ExchangeError::QuotaSpent { .. }),
        ) => {
            // What was answered already costs nothing more, and is no other guess.
            let bounded = !matches!(refusal, ExchangeError::NotAgreed(_));
            if bounded && let Ok(answered) = again(deeds, &partner, &asked).await {
                return Ok(answered);
            }
            let problem = Problem::from(refusal);
            note_refusal(deeds, &partner, &asked, &problem).await?;
            Err(problem)
        }
        Err(other) => Err(other.into()),
    }
}

async fn attempt(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
) -> Result<Answered, ExchangeError> {
    let by = asked.subject.by().map_err(|why| ExchangeError::RequestUnfit(why.to_owned()))?;
    limits::fit_officer(exchange, partner, asked)?;
    let mut deed = deeds.open(partner.clone()).await?;
    let (at, today, time) = (deed.at(), deed.today(), deed.time_of_day());
    limits::fit_clock(exchange, asked, at)?;
    let in_force = agreements::in_force(deed.tx(), partner.id, at).await?;
    let (agreement, place, grant) = allowing(&in_force, asked)?;
    let fields = agreed_fields(grant, asked)?;
    if grant.hours.as_ref().is_some_and(|hours| !hours.hold(today.weekday(), time)) {
        return Err(ExchangeError::NotAgreed("it is outside the hours of the agreement".to_owned()));
    }
    let found = answer::find(&mut deed, partner, &by).await?;
    let subject = limits::subject_of(&deed, partner, asked, &found);
    limits::no_guessing(&mut deed, exchange, partner, (&asked.officer, &subject)).await?;
    let spent = limits::spend(&mut deed, exchange, (agreement, place, grant), today).await?;
    let answered =
        answer::answer(&mut deed, exchange, partner, asked, &found, (agreement, grant, &fields), subject).await;
    let done = match answered {
        Ok(answered) => deed.commit().await.map(|()| answered).map_err(ExchangeError::from),
        Err(why) => Err(why),
    };
    let key = (agreement.id, place);
    match (&done, spent) {
        // What the transaction reserved counts now that it is true.
        (Ok(_), limits::Spent::Reserved(more)) => exchange.quota.put(key, today, more),
        (Err(_), limits::Spent::Taken) => exchange.quota.put(key, today, 1),
        _ => {}
    }
    done
}

/// Returns what allows a question.
fn allowing<'a>(in_force: &'a [Agreement], asked: &Asked) -> Result<(&'a Agreement, usize, &'a Grant), ExchangeError> {
    let found = in_force.iter().find_map(|agreement| {
        agreement.grant(asked.service, &asked.purpose).map(|(place, grant)| (agreement, place, grant))
    });
    found.ok_or_else(|| {
        // The purpose is the partner's own text: it is not said again.
        ExchangeError::NotAgreed(format!("none of {} in force has {} for this purpose", in_force.len(), asked.service))
    })
}

/// Returns the fields of the answer: those wanted, each of which the agreement names.
fn agreed_fields(grant: &Grant, asked: &Asked) -> Result<BTreeSet<Field>, ExchangeError> {
    let wanted: BTreeSet<Field> = match (&asked.fields, asked.service) {
        (_, Service::Confirm) => {
            // The number is what a question goes by; to name one is not to be told one.
            asked
                .subject
                .said()
                .into_iter()
                .filter(|field| !matches!(field, Field::PersonalNumber | Field::OldIdNumber))
                .collect()
        }
        (Some(fields), _) => fields.iter().copied().collect(),
        (None, _) => grant.fields.clone(),
    };
    match wanted.iter().find(|field| !grant.fields.contains(field)) {
        Some(field) => Err(ExchangeError::NotAgreed(format!("the field {field} is not in the agreement"))),
        None => Ok(wanted),
    }
}

/// Gives the answer again to a request that came before with the same content.
async fn again(deeds: &Deeds, partner: &Partner, asked: &Asked) -> Result<Answered, ExchangeError> {
    let mut deed = deeds.open(partner.clone()).await?;
    let before = requests::before(deed.tx(), partner.id, &asked.request).await?;
    let before = before.ok_or(ExchangeError::RequestReused)?;
    if before.request_sha256 != asked.request_sha256 || before.service != asked.service.word() {
        return Err(ExchangeError::RequestReused);
    }
    let Some(sealed) = before.answer else {
        return Err(ExchangeError::RequestUnfit(format!(
            "request: it came before, and its answer is kept no more or was a refusal ({}); a new question has a new \
             identifier",
            before.outcome
        )));
    };
    let body = deed.secrets().open(&sealed_as(partner, &asked.request), &sealed);
    let body = body.map_err(|_| StoreError::inconsistent("exchange_request", "answer", before.id.to_string()))?;
    // The persons of whom the answer tells are those of its records.
    let object = Object::ExchangeRequest(before.id).to_string();
    let persons = crate::deed::persons_of(deed.tx(), &object).await?;
    answer::record(&mut deed, Action::AnswerReplayed, before.id, &persons, &before.outcome, None).await?;
    deed.commit().await?;
    Ok(Answered { body: body.to_vec(), signature: before.signature })
}

/// Keeps a refusal, with the person whom the question was about: the citizen sees it too.
async fn note_refusal(deeds: &Deeds, partner: &Partner, asked: &Asked, why: &Problem) -> Result<(), ExchangeError> {
    let mut deed = deeds.open(partner.clone()).await?;
    let by = asked.subject.by().map_err(|why| ExchangeError::RequestUnfit(why.to_owned()))?;
    let found = answer::find(&mut deed, partner, &by).await?;
    let subject = limits::subject_of(&deed, partner, asked, &found);
    let id: RequestId = deed.id();
    let kept = Kept {
        id,
        at: deed.at(),
        request: &asked.request,
        request_sha256: asked.request_sha256,
        agreement: None,
        purpose: &asked.purpose,
        service: asked.service.word(),
        officer: &asked.officer,
        unit: &asked.unit,
        case: &asked.case,
        fields: String::new(),
        outcome: why.code().word(),
        subject,
        missed: false,
        answer: None,
        answer_sha256: [0; 32],
        signature: "",
        kept_until: deed.at(),
    };
    // A refused request may come again under its identifier, once what stood against it is gone.
    let request = format!("{}#{id}", asked.request);
    requests::insert(deed.tx(), partner, Kept { request: &request, ..kept }).await?;
    let persons: Vec<PersonId> = found.registered().map(|registered| registered.id).into_iter().collect();
    answer::record(&mut deed, Action::ExchangeRefused, id, &persons, why.code().word(), None).await?;
    Ok(deed.commit().await?)
}

/// For what an answer is sealed.
pub(super) fn sealed_as(partner: &Partner, request: &str) -> String {
    format!("exchange-answer/{}/{request}", partner.id)
}

/// Erases the answers that are kept no more. Their digests and signatures stay. Returns how many.
///
/// # Errors
/// [`StoreError`]
pub async fn erase_answers(deeds: &Deeds) -> Result<u64, StoreError> {
    let now = deeds.source().now();
    let mut erased = 0;
    loop {
        let mut tx = deeds.db().begin_upkeep().await?;
        let some = requests::erase_answers(&mut tx, now, 1_000).await?;
        tx.commit().await?;
        erased += some;
        if some < 1_000 {
            return Ok(erased);
        }
    }
}
