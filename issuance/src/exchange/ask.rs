//! A partner asks, and is told: one transaction from the agreement to the signed answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use crypto::perso::problem::ProblemCode;
use time::OffsetDateTime;

use super::model::{Field, Grant, Service};
use super::store::lists;
use super::store::requests::{self, Kept};
use super::subject::{By, Subject};
use super::turns::{Of, Turn};
use super::{Exchange, ExchangeError, answer, confirmations, limits};
use crate::deed::{Action, Deeds, Object};
use crate::ground::actor::Partner;
use crate::ground::ids::{PersonId, RequestId};
use crate::store::StoreError;
use crate::web::Problem;

/// The turns of a question: of its officer, and about its person.
pub(super) type Held = Box<(Turn, Turn)>;

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

impl Asked {
    /// Returns the number, where nothing else names the person and an agreement may allow that.
    fn number_alone(&self) -> Option<By<'static>> {
        let may_be = matches!(self.service, Service::CardStatus | Service::LookUp);
        may_be.then(|| self.subject.number_alone()).flatten()
    }

    /// By what it is known when it comes again.
    pub(super) fn again(&self) -> (&str, &[u8; 32], Service) {
        (&self.request, &self.request_sha256, self.service)
    }
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
    let asked = Arc::new(asked);
    let done = {
        let turns = turns(exchange, &partner, &asked).await;
        match confirmations::answer(deeds, exchange, &partner, &asked, turns).await {
            Ok(answered) => Ok(answered),
            Err(held) => {
                let _held = match held {
                    Some(held) => held,
                    None => self::turns(exchange, &partner, &asked).await,
                };
                attempt(deeds, exchange, &partner, &asked).await
            }
        }
    };
    match done {
        Ok(answered) => Ok(answered),
        Err(ExchangeError::Repeated) => Ok(again(deeds, &partner, asked.again()).await?),
        Err(
            refusal @ (ExchangeError::NotAgreed(_) | ExchangeError::Guessing(_) | ExchangeError::QuotaSpent { .. }),
        ) => {
            // What was answered already costs nothing more, and is no other guess.
            let bounded = !matches!(refusal, ExchangeError::NotAgreed(_));
            if bounded && let Ok(answered) = again(deeds, &partner, asked.again()).await {
                return Ok(answered);
            }
            let problem = Problem::from(refusal);
            note_refusal(deeds, &partner, &asked, &problem, None).await?;
            Err(problem)
        }
        Err(other) => Err(other.into()),
    }
}

/// Waits until it is the question's turn.
pub(super) async fn turns(exchange: &Exchange, partner: &Partner, asked: &Asked) -> Held {
    // One of an officer first, then one about a person: in this order always, so that two never wait for each other.
    let of_officer = exchange.turns.take(Of::Officer(partner.id, asked.officer.clone())).await;
    let about_person = exchange.turns.take(Of::Person(partner.id, asked.subject.target().to_owned())).await;
    Box::new((of_officer, about_person))
}

async fn attempt(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
) -> Result<Answered, ExchangeError> {
    let unfit = |why: &str| ExchangeError::RequestUnfit(why.to_owned());
    let (named, alone) = (asked.subject.by(), asked.number_alone());
    if let (Err(why), None) = (&named, &alone) {
        return Err(unfit(why));
    }
    limits::fit_officer(exchange, partner, &asked.officer)?;
    limits::fit_carried(partner, &asked.officer, &asked.case)?;
    let mut deed = deeds.open(partner.clone()).await?;
    limits::fit_clock(exchange, asked, deed.at())?;
    let (agreement, place, grant) = limits::granted(&mut deed, asked.service, &asked.purpose).await?;
    let by = match (named, alone) {
        (Err(_), Some(number)) if grant.number_alone => number,
        (named, _) => named.map_err(unfit)?,
    };
    let fields = agreed_fields(&grant, asked)?;
    let found = answer::find(&mut deed, partner, &by).await?;
    let subject = limits::subject_of(&deed, partner, asked, &found);
    limits::no_guessing(&mut deed, exchange, partner, (&asked.officer, &subject)).await?;
    let today = deed.today();
    let spent = limits::spend(&mut deed, exchange, (&agreement, place, &grant), today).await?;
    let answered =
        answer::answer(&mut deed, exchange, partner, asked, &found, (&agreement, &grant, &fields), subject).await;
    let done = match answered {
        Ok(answered) => deed.commit().await.map(|()| answered).map_err(ExchangeError::from),
        Err(why) => Err(why),
    };
    spent.settle(exchange, (agreement.id, place), today, done.is_ok());
    done
}

/// Returns the fields of the answer: those wanted, each of which the agreement names.
pub(super) fn agreed_fields(grant: &Grant, asked: &Asked) -> Result<BTreeSet<Field>, ExchangeError> {
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
        (Some(_), Service::Follow) => {
            return Err(ExchangeError::RequestUnfit("fields: who follows is told of all of the agreement".to_owned()));
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
pub(super) async fn again(
    deeds: &Deeds,
    partner: &Partner,
    (request, request_sha256, service): (&str, &[u8; 32], Service),
) -> Result<Answered, ExchangeError> {
    let mut deed = deeds.open(partner.clone()).await?;
    let before = requests::before(deed.tx(), partner.id, request).await?;
    let before = before.ok_or(ExchangeError::RequestReused)?;
    if before.request_sha256 != *request_sha256 || before.service != service.word() {
        return Err(ExchangeError::RequestReused);
    }
    let Some(sealed) = before.answer else {
        return Err(ExchangeError::RequestUnfit(format!(
            "request: it came before, and its answer is kept no more or was a refusal ({}); a new question has a new \
             identifier",
            before.outcome
        )));
    };
    let body = deed.secrets().open(&sealed_as(partner, request), &sealed);
    let body = body.map_err(|_| StoreError::inconsistent("exchange_request", "answer", before.id.to_string()))?;
    // The persons of whom the answer tells are those of its records.
    let object = Object::ExchangeRequest(before.id).to_string();
    let persons = crate::deed::persons_of(deed.tx(), &object).await?;
    answer::record(&mut deed, Action::AnswerReplayed, before.id, &persons, &before.outcome, None).await?;
    deed.commit().await?;
    Ok(Answered { body: body.to_vec(), signature: before.signature })
}

/// Keeps a refusal, with the person whom the question was about, or of whom the refusal tells: the citizen sees it too.
pub(super) async fn note_refusal(
    deeds: &Deeds,
    partner: &Partner,
    asked: &Asked,
    why: &Problem,
    told: Option<PersonId>,
) -> Result<(), ExchangeError> {
    let mut deed = deeds.open(partner.clone()).await?;
    let found = match asked.subject.by().ok().or_else(|| asked.number_alone()) {
        Some(by) => answer::find(&mut deed, partner, &by).await?,
        // The report of a birth names no person of the register.
        None => answer::Found::nobody(),
    };
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
        // A report that named a parent as one is not is a guess about that person.
        missed: matches!(why.code(), ProblemCode::ParentUnknown),
        answer: None,
        answer_sha256: [0; 32],
        signature: "",
        kept_until: deed.at(),
    };
    // A refused request may come again under its identifier, once what stood against it is gone.
    let request = format!("{}#{id}", asked.request);
    requests::insert(deed.tx(), partner, Kept { request: &request, ..kept }).await?;
    let persons = found.registered().map(|registered| registered.id).into_iter().chain(told).collect::<Vec<PersonId>>();
    answer::record(&mut deed, Action::ExchangeRefused, id, &persons, why.code().word(), None).await?;
    Ok(deed.commit().await?)
}

/// For what an answer is sealed.
pub(super) fn sealed_as(partner: &Partner, request: &str) -> String {
    format!("exchange-answer/{}/{request}", partner.id)
}

/// Erases what lists missed that counts no more. Returns how many.
///
/// # Errors
/// [`StoreError`]
pub async fn erase_misses(deeds: &Deeds) -> Result<u64, StoreError> {
    let mut tx = deeds.db().begin_upkeep().await?;
    let erased = lists::erase_misses(&mut tx, deeds.source().now() - limits::COUNTED).await?;
    tx.commit().await?;
    Ok(erased)
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
