//! A partner asks, and is told: one transaction from the agreement to the signed answer.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};
use time::{Date, Duration, OffsetDateTime};

use super::model::{Agreement, Field, Grant, Service};
use super::store::agreements;
use super::store::requests::{self, Kept};
use super::subject::{By, Subject, decoy, province_of};
use super::told::{Particulars, Told};
use super::{Exchange, ExchangeError};
use crate::cards;
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::actor::Partner;
use crate::ground::ids::{PersonId, RequestId};
use crate::population::model::{Person, Registered, Relative};
use crate::population::store as register;
use crate::store::StoreError;
use crate::web::Problem;

/// A question of a partner.
#[derive(Debug)]
pub(super) struct Asked {
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
pub(super) struct Answered {
    /// JSON.
    pub body: Vec<u8>,
    /// Detached JWS over it.
    pub signature: String,
}

/// What every answer says. It holds the digest of the question, so that the signature covers both.
#[derive(Serialize)]
struct Answer<'a> {
    request: &'a str,
    request_sha256: String,
    answer: RequestId,
    #[serde(with = "time::serde::rfc3339")]
    answered_at: OffsetDateTime,
    agreement: &'a str,
    purpose: &'a str,
    service: Service,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    differs: Option<BTreeSet<Field>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pseudonym: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<Told>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    relatives: Vec<Kin>,
}

/// A relative.
#[derive(Serialize)]
struct Kin {
    relation: Field,
    record: Told,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// The particulars belong together.
    Confirmed,
    /// The person is told of.
    Found,
    /// They do not, or no person has the number.
    NotConfirmed,
    /// There is no such person, the particulars are not the person's, or the agreement does not reach the person.
    NotFound,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Found => "found",
            Self::NotConfirmed => "not-confirmed",
            Self::NotFound => "not-found",
        }
    }

    const fn misses(self) -> bool {
        matches!(self, Self::NotConfirmed | Self::NotFound)
    }
}

/// Answers a question. A request that came before with the same content has the same answer again; a refusal is kept
/// too, with the person whom it was about.
///
/// # Errors
/// As a problem, from [`ExchangeError`].
pub(super) async fn ask(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: Partner,
    asked: Asked,
) -> Result<Answered, Problem> {
    match attempt(deeds, exchange, &partner, &asked).await {
        Ok(answered) => Ok(answered),
        Err(ExchangeError::Repeated) => Ok(again(deeds, &partner, &asked).await?),
        Err(
            refusal @ (ExchangeError::NotAgreed(_) | ExchangeError::Guessing(_) | ExchangeError::QuotaSpent { .. }),
        ) => {
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
    fit_officer(exchange, partner, asked)?;
    let mut deed = deeds.open(partner.clone()).await?;
    fit_clock(exchange, asked, deed.at())?;
    let at = deed.at();
    let in_force = agreements::in_force(deed.tx(), partner.id, at).await?;
    let (agreement, place, grant) = allowing(&in_force, asked)?;
    let fields = agreed_fields(grant, asked)?;
    let (now, today, time) = (deed.at(), deed.today(), deed.time_of_day());
    if grant.hours.as_ref().is_some_and(|hours| !hours.hold(today.weekday(), time)) {
        return Err(ExchangeError::NotAgreed("it is outside the hours of the agreement".to_owned()));
    }
    let subject = subject_of(&deed, partner, asked);
    no_guessing(&mut deed, exchange, partner, (&asked.officer, &subject)).await?;
    let spent = spend(&mut deed, exchange, (agreement, place, grant), today).await?;
    let answered = answer(&mut deed, exchange, partner, asked, by, (agreement, grant, &fields), subject).await;
    let done = match answered {
        Ok(answered) => deed.commit().await.map(|()| answered).map_err(ExchangeError::from),
        Err(why) => Err(why),
    };
    let key = (agreement.id, place);
    match (&done, spent) {
        // What the transaction reserved counts now that it is true.
        (Ok(_), Spent::Reserved(more)) => exchange.quota.put(key, today, more),
        (Err(_), Spent::Taken) => exchange.quota.put(key, today, 1),
        _ => {}
    }
    tracing::debug!(partner = %partner.id, took = ?(deeds.source().now() - now), "a partner's question");
    done
}

/// Reads, judges, signs and keeps.
async fn answer(
    deed: &mut Deed<Partner>,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    by: By<'_>,
    (agreement, grant, fields): (&Agreement, &Grant, &BTreeSet<Field>),
    subject: [u8; 32],
) -> Result<Answered, ExchangeError> {
    let found = find(deed, partner, &by).await?;
    // The same is read and compared where no person has the number.
    let nobody_has_it: Person;
    let (person, there) = match &found {
        Some(registered) => (&registered.person, true),
        None => {
            nobody_has_it = decoy();
            (&nobody_has_it, false)
        }
    };
    let differs = match by {
        By::Pseudonym(_) => BTreeSet::new(),
        _ => asked.subject.differs(person),
    };
    let reached = there && grant.reaches(found.as_ref().and_then(province_of).as_deref());
    let holds = reached && differs.is_empty();
    let id: RequestId = deed.id();
    let mut answer = Answer {
        request: &asked.request,
        request_sha256: hex::encode(asked.request_sha256),
        answer: id,
        answered_at: deed.at(),
        agreement: &agreement.number,
        purpose: &asked.purpose,
        service: asked.service,
        outcome: match (asked.service, holds) {
            (Service::Confirm, true) => Outcome::Confirmed,
            (Service::Confirm, false) => Outcome::NotConfirmed,
            (_, true) => Outcome::Found,
            (_, false) => Outcome::NotFound,
        },
        differs: None,
        pseudonym: None,
        record: None,
        members: None,
        relatives: Vec::new(),
    };
    if asked.service == Service::Confirm && grant.tells_which && !holds {
        // Where no person has the number, or the agreement does not reach the person, nothing belongs together.
        answer.differs = Some(if reached { differs } else { asked.subject.said() });
    }
    let mut persons: Vec<PersonId> = found.iter().map(|registered| registered.id).collect();
    if let Some(registered) = found.as_ref().filter(|_| holds && asked.service != Service::Confirm) {
        persons.extend(tell(deed, exchange, &mut answer, registered, fields).await?);
        let pseudonym = pseudonym(deed, partner, registered.id);
        requests::note_pseudonym(deed.tx(), partner.id, &pseudonym, registered.id).await?;
        answer.pseudonym = Some(pseudonym);
    }
    let outcome = answer.outcome;
    let body = serde_json::to_vec(&answer).map_err(|_| ExchangeError::RequestUnfit("no JSON".to_owned()))?;
    let signature = exchange.signer.sign(&body)?;
    let told: Vec<&str> = match asked.service {
        Service::Confirm => asked.subject.said().into_iter().map(Field::word).collect(),
        _ => fields.iter().map(|field| field.word()).collect(),
    };
    let kept = Kept {
        id,
        at: deed.at(),
        request: &asked.request,
        request_sha256: asked.request_sha256,
        agreement: Some(agreement.id),
        purpose: &asked.purpose,
        service: asked.service.word(),
        officer: &asked.officer,
        unit: &asked.unit,
        case: &asked.case,
        fields: told.join(","),
        outcome: outcome.word(),
        subject,
        missed: outcome.misses(),
        answer: Some(deed.secrets().seal(&sealed_as(partner, &asked.request), &body)),
        answer_sha256: Sha256::digest(&body).into(),
        signature: &signature,
        kept_until: deed.at() + Duration::days(i64::from(agreement.kept_days)),
    };
    if !requests::insert(deed.tx(), partner, kept).await? {
        return Err(ExchangeError::Repeated);
    }
    record(deed, Action::ExchangeAnswered, id, &persons, outcome.word(), agreement.id).await?;
    Ok(Answered { body, signature })
}

/// Writes the record about each person whom a question touched; about none, where no person has the number.
async fn record(
    deed: &mut Deed<Partner>,
    action: Action,
    id: RequestId,
    persons: &[PersonId],
    said: &str,
    agreement: impl Into<Option<crate::ground::ids::AgreementId>>,
) -> Result<(), StoreError> {
    let related = agreement.into().map(Object::Agreement);
    let entry = || {
        Entry { related: related.clone(), ..Entry::new(action, Object::ExchangeRequest(id), Purpose::Exchange) }
            .because(said)
    };
    if persons.is_empty() {
        return deed.enter(entry()).await;
    }
    for person in persons {
        deed.enter(entry().about(*person)).await?;
    }
    Ok(())
}

/// Puts what is told into the answer. Returns the other persons of whom it tells.
async fn tell(
    deed: &mut Deed<Partner>,
    exchange: &Exchange,
    answer: &mut Answer<'_>,
    registered: &Registered,
    fields: &BTreeSet<Field>,
) -> Result<Vec<PersonId>, ExchangeError> {
    let today = deed.today();
    let reference = exchange.register.reference();
    let of_cards = [Field::CardExpires, Field::CardIssued, Field::CardStatus];
    let cards = if of_cards.iter().any(|field| fields.contains(field)) {
        cards::store::cards_of(deed, registered.id).await?
    } else {
        Vec::new()
    };
    let mut others = Vec::new();
    match answer.service {
        Service::CardStatus | Service::LookUp => {
            let particulars = Particulars { registered, cards: &cards, reference, today };
            answer.record = Some(Told::of(&particulars, fields));
        }
        Service::Household => {
            let members = register::household_of(deed, registered).await?;
            let mut told = Vec::new();
            for member in &members {
                let cards = if cards.is_empty() { Vec::new() } else { cards::store::cards_of(deed, member.id).await? };
                told.push(Told::of(&Particulars { registered: member, cards: &cards, reference, today }, fields));
            }
            others.extend(members.iter().map(|member| member.id).filter(|id| *id != registered.id));
            answer.members = Some(told);
        }
        Service::Kinship => {
            let person = &registered.person;
            let kin = [
                (Field::Father, &person.father),
                (Field::Mother, &person.mother),
                (Field::Representative, &person.representative),
                (Field::Spouse, &person.spouse),
            ];
            let of_each: BTreeSet<Field> = fields.iter().copied().filter(|field| !is_kin(*field)).collect();
            for (relation, relative) in kin.into_iter().filter(|(relation, _)| fields.contains(relation)) {
                let Some(relative) = relative else { continue };
                let record = match registered_as(deed, relative).await? {
                    Some(other) => {
                        let told =
                            Told::of(&Particulars { registered: &other, cards: &[], reference, today }, &of_each);
                        others.push(other.id);
                        told
                    }
                    None => Told::of_relative(relative, &of_each),
                };
                answer.relatives.push(Kin { relation, record });
            }
        }
        Service::Changes | Service::Confirm => {}
    }
    others.sort();
    others.dedup();
    Ok(others.into_iter().filter(|id| *id != registered.id).collect())
}

/// True for a field that names a relative.
const fn is_kin(field: Field) -> bool {
    matches!(field, Field::Father | Field::Mother | Field::Representative | Field::Spouse)
}

/// Returns the register's record of a relative who is declared with a number.
async fn registered_as(deed: &mut Deed<Partner>, relative: &Relative) -> Result<Option<Registered>, StoreError> {
    let Some(number) = &relative.personal_number else { return Ok(None) };
    let found = register::search::by_number(deed.tx(), number).await?.pop();
    if let Some(found) = &found {
        deed.saw(found.id);
    }
    Ok(found)
}

/// Returns the person in force whom a question is about.
async fn find(deed: &mut Deed<Partner>, partner: &Partner, by: &By<'_>) -> Result<Option<Registered>, StoreError> {
    let found = match by {
        By::Number(number) => register::search::by_number(deed.tx(), number).await?.pop(),
        By::OldNumber(old) => {
            // Two persons with one number of an old card: it names neither.
            let mut found = register::search::by_old_number(deed.tx(), old, 2).await?;
            if found.len() == 1 { found.pop() } else { None }
        }
        By::Pseudonym(name) => match requests::by_pseudonym(deed.tx(), partner.id, name).await? {
            Some(id) => {
                let found = register::person(deed, id).await?;
                match found.as_ref().and_then(|found| found.merged_into) {
                    Some(survivor) => register::person(deed, survivor).await?,
                    None => found,
                }
            }
            None => None,
        },
        By::Nothing => None,
    };
    if let Some(found) = &found {
        deed.saw(found.id);
    }
    Ok(found)
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

/// Refuses an officer who is none.
fn fit_officer(exchange: &Exchange, partner: &Partner, asked: &Asked) -> Result<(), ExchangeError> {
    let officer = asked.officer.to_lowercase();
    let programme = [partner.code.as_str(), partner.name.as_str()].iter().any(|name| name.to_lowercase() == officer)
        || exchange.settings.no_officers.iter().any(|name| name.to_lowercase() == officer);
    if programme {
        return Err(ExchangeError::RequestUnfit(
            "officer: a programme asks for an officer, and names that one".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses a question whose time is not about now.
fn fit_clock(exchange: &Exchange, asked: &Asked, now: OffsetDateTime) -> Result<(), ExchangeError> {
    let apart = asked.asked_at.map(|at| (now - at).abs());
    if apart.is_some_and(|apart| apart > exchange.settings.clocks_differ) {
        return Err(ExchangeError::RequestUnfit(
            "asked_at: it is not about now; set the clock of the system that asks".to_owned(),
        ));
    }
    Ok(())
}

/// Returns by what guesses about one person are counted together, without saying whom.
fn subject_of(deed: &Deed<Partner>, partner: &Partner, asked: &Asked) -> [u8; 32] {
    deed.secrets().fingerprint(&format!("exchange-subject/{}", partner.id), asked.subject.target().as_bytes())
}

/// Returns the name by which a partner knows a person: the same always, another for each partner, and without the key
/// of the installation worth nothing.
fn pseudonym(deed: &Deed<Partner>, partner: &Partner, person: PersonId) -> String {
    let print = deed.secrets().fingerprint(&format!("exchange-pseudonym/{}", partner.id), person.uuid().as_bytes());
    hex::encode(&print[..16])
}

/// Refuses an officer of a partner, or a partner about one person, after too many questions that missed.
async fn no_guessing(
    deed: &mut Deed<Partner>,
    exchange: &Exchange,
    partner: &Partner,
    (officer, subject): (&str, &[u8; 32]),
) -> Result<(), ExchangeError> {
    let super::Settings { misses_of_officer, misses_about_person, .. } = exchange.settings;
    let (of_officer, about_person) = (i64::from(misses_of_officer), i64::from(misses_about_person));
    let bound = (deed.at() - Duration::hours(1), of_officer.max(about_person));
    let (by_officer, by_person) = requests::misses(deed.tx(), partner.id, officer, subject, bound).await?;
    if by_officer >= of_officer || by_person >= about_person {
        tracing::warn!(partner = %partner.id, "a partner is refused: too many questions about what is not so");
        return Err(ExchangeError::Guessing(if by_officer >= of_officer {
            "of one officer"
        } else {
            "about one person"
        }));
    }
    Ok(())
}

/// How one of the quota was spent.
enum Spent {
    /// Of what this process had reserved.
    Taken,
    /// The transaction reserved so many more beside it.
    Reserved(u32),
}

async fn spend(
    deed: &mut Deed<Partner>,
    exchange: &Exchange,
    (agreement, place, grant): (&Agreement, usize, &Grant),
    today: Date,
) -> Result<Spent, ExchangeError> {
    let key = (agreement.id, place);
    if exchange.quota.take(key, today) {
        return Ok(Spent::Taken);
    }
    let stretch = (grant.per_day / 200).clamp(1, 256);
    let bound = (i64::from(stretch), i64::from(grant.per_day));
    let place = i64::try_from(place).unwrap_or(i64::MAX);
    let taken = requests::spend(deed.tx(), agreement.id, place, today, bound).await?;
    match u32::try_from(taken).unwrap_or(0).checked_sub(1) {
        Some(more) => Ok(Spent::Reserved(more)),
        None => {
            let tomorrow = today.next_day().map_or(deed.at(), |day| deed.begin_of(day));
            let wait = (tomorrow - deed.at()).whole_seconds();
            Err(ExchangeError::QuotaSpent { wait: u64::try_from(wait).unwrap_or(1).max(1) })
        }
    }
}

/// Gives the answer again to a request that came before with the same content.
async fn again(deeds: &Deeds, partner: &Partner, asked: &Asked) -> Result<Answered, ExchangeError> {
    let mut deed = deeds.open(partner.clone()).await?;
    let before = requests::before(deed.tx(), partner.id, &asked.request).await?;
    let before = before.ok_or(ExchangeError::RequestReused)?;
    if before.request_sha256 != asked.request_sha256 {
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
    record(&mut deed, Action::AnswerReplayed, before.id, &persons, &before.outcome, None).await?;
    deed.commit().await?;
    Ok(Answered { body: body.to_vec(), signature: before.signature })
}

/// Keeps a refusal, with the person whom the question was about: the citizen sees it too.
async fn note_refusal(deeds: &Deeds, partner: &Partner, asked: &Asked, why: &Problem) -> Result<(), ExchangeError> {
    let mut deed = deeds.open(partner.clone()).await?;
    let by = asked.subject.by().map_err(|why| ExchangeError::RequestUnfit(why.to_owned()))?;
    let found = find(&mut deed, partner, &by).await?;
    let subject = subject_of(&deed, partner, asked);
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
    let persons: Vec<PersonId> = found.iter().map(|registered| registered.id).collect();
    record(&mut deed, Action::ExchangeRefused, id, &persons, why.code().word(), None).await?;
    Ok(deed.commit().await?)
}

/// For what an answer is sealed.
fn sealed_as(partner: &Partner, request: &str) -> String {
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
