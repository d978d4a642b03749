//! What a question is answered: the person is found and compared, what the agreement names is told, and the answer is
//! signed and kept with a record about each person of whom it tells.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::ask::{Answered, Asked, sealed_as};
use super::model::{Agreement, Field, Grant, Service};
use super::store::feed::{self, Follow};
use super::store::requests::{self, Kept};
use super::subject::{By, DECOY, decoy, province_of};
use super::told::{Particulars, Told};
use super::{Exchange, ExchangeError};
use crate::cards;
use crate::cards::model::Card;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::{Actor, Partner};
use crate::ground::ids::{AgreementId, PersonId, RequestId};
use crate::population::model::{Person, Registered, Relative};
use crate::population::store as register;
use crate::population::store::search::Named;
use crate::store::StoreError;

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

/// Reads, judges, signs and keeps.
pub(super) async fn answer(
    deed: &mut Deed<Partner>,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    found: &Found,
    (agreement, grant, fields): (&Agreement, &Grant, &BTreeSet<Field>),
    subject: [u8; 32],
) -> Result<Answered, ExchangeError> {
    if asked.service == Service::Confirm {
        let said = confirmed(deed, asked, found, (agreement, grant), subject)?;
        return keep(deed, exchange, partner, asked, agreement, said, &found.persons()).await;
    }
    let (mut answer, holds) = judged(deed, asked, found, (agreement, grant));
    let id = answer.answer;
    let found = found.registered();
    let mut persons: Vec<PersonId> = found.map(|registered| registered.id).into_iter().collect();
    if let Some(registered) = found.filter(|_| holds) {
        persons.extend(tell(deed, exchange, &mut answer, registered, (grant, fields)).await?);
        let pseudonym = pseudonym(deed, partner, registered.id);
        requests::note_pseudonym(deed.tx(), partner.id, &pseudonym, registered.id).await?;
        answer.pseudonym = Some(pseudonym);
    }
    let followed = answer.pseudonym.clone().filter(|_| asked.service == Service::Follow);
    let outcome = answer.outcome;
    let body = serde_json::to_vec(&answer)?;
    let fields = in_one_text(fields);
    let said = Said { id, fields, outcome: outcome.word(), subject, missed: outcome.misses(), body };
    let answered = keep(deed, exchange, partner, asked, agreement, said, &persons).await?;
    if let (Some(pseudonym), Some(registered)) = (followed, found) {
        let (partner, purpose) = (partner.id, asked.purpose.clone());
        let begun = Follow { partner, purpose, person: registered.id, pseudonym, request: id, at: deed.at() };
        feed::follow(deed.tx(), &begun).await?;
    }
    Ok(answered)
}

/// Compares what is said of a person with the register, and begins the answer. Returns it, and whether all is so.
fn judged<'a>(
    deed: &Deed<Partner>,
    asked: &'a Asked,
    found: &Found,
    (agreement, grant): (&'a Agreement, &Grant),
) -> (Answer<'a>, bool) {
    let differs = asked.subject.differs(found.person());
    let found = found.registered();
    let reached = found.is_some() && grant.reaches(found.and_then(province_of).as_deref());
    let holds = reached && differs.is_empty();
    let tells = asked.service == Service::Confirm && grant.tells_which && !holds;
    let answer = Answer {
        request: &asked.request,
        request_sha256: hex::encode(asked.request_sha256),
        answer: deed.id(),
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
        // Where no person has the number, or the agreement does not reach the person, nothing belongs together.
        differs: tells.then(|| if reached { asked.subject.told(differs) } else { asked.subject.said() }),
        pseudonym: None,
        record: None,
        members: None,
        relatives: Vec::new(),
    };
    (answer, holds)
}

/// Answers a confirmation: nothing of the person is told.
pub(super) fn confirmed(
    deed: &Deed<Partner>,
    asked: &Asked,
    found: &Found,
    of: (&Agreement, &Grant),
    subject: [u8; 32],
) -> Result<Said, ExchangeError> {
    let (answer, _) = judged(deed, asked, found, of);
    Ok(Said {
        id: answer.answer,
        fields: in_one_text(&asked.subject.said()),
        outcome: answer.outcome.word(),
        subject,
        missed: answer.outcome.misses(),
        body: serde_json::to_vec(&answer)?,
    })
}

fn in_one_text(fields: &BTreeSet<Field>) -> String {
    fields.iter().map(|field| field.word()).collect::<Vec<_>>().join(",")
}

/// What is answered, and what is kept of it.
pub(super) struct Said {
    /// The register's identifier of the answer.
    pub id: RequestId,
    /// The fields that were told, put to the test or reported, in one text with commas.
    pub fields: String,
    /// What came of it.
    pub outcome: &'static str,
    /// Keyed digest of whom it is about.
    pub subject: [u8; 32],
    /// True if what was said of the person was not so, or there is none.
    pub missed: bool,
    /// JSON.
    pub body: Vec<u8>,
}

/// Signs an answer, and keeps it with a record about each of these persons.
///
/// # Errors
/// [`ExchangeError::Repeated`] if the partner used the identifier of the request before.
pub(super) async fn keep<A: Actor>(
    deed: &mut Deed<A>,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    agreement: &Agreement,
    said: Said,
    persons: &[PersonId],
) -> Result<Answered, ExchangeError> {
    let (id, outcome) = (said.id, said.outcome);
    let answered = sign(deed, exchange, partner, asked, agreement, said).await?;
    record(deed, Action::ExchangeAnswered, id, persons, outcome, agreement.id).await?;
    Ok(answered)
}

/// Signs an answer, and keeps it. The records about the persons of whom it tells are the caller's.
///
/// # Errors
/// As [`keep`].
pub(super) async fn sign<A: Actor>(
    deed: &mut Deed<A>,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    agreement: &Agreement,
    said: Said,
) -> Result<Answered, ExchangeError> {
    let (answered, said) = signed(exchange, said)?;
    let kept = kept(deed, partner, asked, agreement, &answered, said);
    if !requests::insert(deed.tx(), partner, kept).await? {
        return Err(ExchangeError::Repeated);
    }
    Ok(answered)
}

/// Signs an answer. Returns it, and the rest of what is kept.
pub(super) fn signed(exchange: &Exchange, said: Said) -> Result<(Answered, Said), ExchangeError> {
    let (body, signature) = exchange.signer.sign(said.body)?;
    Ok((Answered { body, signature }, Said { body: Vec::new(), ..said }))
}

/// Returns what is kept of an answer.
pub(super) fn kept<'a, A: Actor>(
    deed: &Deed<A>,
    partner: &Partner,
    asked: &'a Asked,
    agreement: &Agreement,
    answered: &'a Answered,
    said: Said,
) -> Kept<'a> {
    let Said { id, fields, outcome, subject, missed, .. } = said;
    Kept {
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
        fields,
        outcome,
        subject,
        missed,
        answer: Some(deed.secrets().seal(&sealed_as(partner, &asked.request), &answered.body)),
        answer_sha256: Sha256::digest(&answered.body).into(),
        signature: &answered.signature,
        kept_until: deed.at() + Duration::days(i64::from(agreement.kept_days)),
    }
}

/// Writes the record about each person whom a question touched; about none, where no person has the number.
pub(super) async fn record<A: Actor>(
    deed: &mut Deed<A>,
    action: Action,
    id: RequestId,
    persons: &[PersonId],
    said: &str,
    agreement: impl Into<Option<AgreementId>>,
) -> Result<(), StoreError> {
    let mut entries = entries(action, id, persons, said, agreement);
    match (entries.pop(), entries.is_empty()) {
        (Some(one), true) => deed.enter(one).await,
        (last, _) => deed.enter_all(entries.into_iter().chain(last).collect()).await,
    }
}

/// Returns these records: as many as persons, and one where there is none.
pub(super) fn entries(
    action: Action,
    id: RequestId,
    persons: &[PersonId],
    said: &str,
    agreement: impl Into<Option<AgreementId>>,
) -> Vec<Entry> {
    let related = agreement.into().map(Object::Agreement);
    let entry = Entry { related, ..Entry::new(action, Object::ExchangeRequest(id), Purpose::Exchange) }.because(said);
    match persons {
        [] => vec![entry],
        persons => persons.iter().map(|person| entry.clone().about(*person)).collect(),
    }
}

/// Puts what is told into the answer. Returns the other persons of whom it tells.
async fn tell(
    deed: &mut Deed<Partner>,
    exchange: &Exchange,
    answer: &mut Answer<'_>,
    registered: &Registered,
    (grant, fields): (&Grant, &BTreeSet<Field>),
) -> Result<Vec<PersonId>, ExchangeError> {
    let today = deed.today();
    let reference = exchange.register.reference();
    let of_cards =
        [Field::CardExpires, Field::CardIssued, Field::CardStatus].iter().any(|field| fields.contains(field));
    let mut others = Vec::new();
    match answer.service {
        Service::CardStatus | Service::LookUp => {
            let cards = cards_where(of_cards, deed, registered.id).await?;
            answer.record = Some(Told::of(&Particulars { registered, cards: &cards, reference, today }, fields));
        }
        Service::Household => {
            let members = register::household_of(deed, registered).await?;
            let mut told = Vec::new();
            for member in &members {
                let cards = cards_where(of_cards, deed, member.id).await?;
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
                // One whom the agreement does not reach is told of as the person declared; the
                // look is a look all the same.
                let registered = registered_as(deed, relative).await?;
                others.extend(registered.iter().map(|other| other.id));
                let record = match registered.filter(|other| grant.reaches(province_of(other).as_deref())) {
                    Some(other) => {
                        let particulars = Particulars { registered: &other, cards: &[], reference, today };
                        Told::of(&particulars, &of_each)
                    }
                    None => Told::of_relative(relative, &of_each),
                };
                answer.relatives.push(Kin { relation, record });
            }
        }
        // Nothing of the person is told of a confirmation, and of one who is followed only the name; lists, reports and
        // counts are answered elsewhere.
        Service::Confirm
        | Service::ConfirmList
        | Service::Follow
        | Service::Birth
        | Service::Death
        | Service::Change
        | Service::Statistics => {}
    }
    others.sort();
    others.dedup();
    Ok(others.into_iter().filter(|id| *id != registered.id).collect())
}

/// Returns the cards of a person, where the answer has a field of them.
async fn cards_where(wanted: bool, deed: &mut Deed<Partner>, person: PersonId) -> Result<Vec<Card>, StoreError> {
    if wanted { cards::store::cards_of(deed, person).await } else { Ok(Vec::new()) }
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

/// Whom a question is about, as far as the register knows.
pub(super) enum Found {
    /// The person in force.
    Person(Box<Registered>),
    /// None; the same is read and compared as of one, so that this takes as long.
    Nobody(Box<Person>),
}

impl Found {
    /// None, of what names none.
    pub fn nobody() -> Self {
        Self::Nobody(Box::new(decoy()))
    }

    /// The person in force, if there is one.
    pub fn registered(&self) -> Option<&Registered> {
        match self {
            Self::Person(registered) => Some(registered),
            Self::Nobody(_) => None,
        }
    }

    /// The person in force in a list, or an empty one.
    pub fn persons(&self) -> Vec<PersonId> {
        self.registered().map(|registered| registered.id).into_iter().collect()
    }

    /// What is compared.
    pub fn person(&self) -> &Person {
        match self {
            Self::Person(registered) => &registered.person,
            Self::Nobody(decoy) => decoy,
        }
    }
}

impl From<Named> for Found {
    fn from(named: Named) -> Self {
        match named {
            Named::Person(registered) => Self::Person(Box::new(registered)),
            Named::StandIn(person) => Self::Nobody(Box::new(person)),
        }
    }
}

/// Finds the person in force whom a question is about.
pub(super) async fn find(deed: &mut Deed<Partner>, partner: &Partner, by: &By<'_>) -> Result<Found, StoreError> {
    let named = Found::from;
    let found = match by {
        By::Number(number) => named(register::search::by_number_or(deed.tx(), number, DECOY).await?),
        By::OldNumber(old) => named(register::search::by_old_number_or(deed.tx(), old, DECOY).await?),
        By::Pseudonym(name) => match requests::by_pseudonym(deed.tx(), partner.id, name).await? {
            Some(mut id) => {
                // The record that is in force is read, and no other: each that is read needs a record of the trail.
                while let Some(survivor) = register::merge::merged_into(deed.tx(), id).await? {
                    id = survivor;
                }
                let registered = register::person(deed, id).await?;
                registered.map_or_else(Found::nobody, |registered| Found::Person(Box::new(registered)))
            }
            None => Found::nobody(),
        },
        By::Nothing => Found::nobody(),
    };
    if let Some(registered) = found.registered() {
        deed.saw(registered.id);
    }
    Ok(found)
}

/// Returns the name by which a partner knows a person: the same always, another for each partner, and without the key
/// of the installation worth nothing.
pub(super) fn pseudonym(deed: &Deed<Partner>, partner: &Partner, person: PersonId) -> String {
    let print = deed.secrets().fingerprint(&format!("exchange-pseudonym/{}", partner.id), person.uuid().as_bytes());
    hex::encode(&print[..16])
}
