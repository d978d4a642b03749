//! Who looked at a person: what the citizen is told. Each look has a record in the trail, of officers of the register
//! and of partners alike; a judge's order delays when one is told, and on its day it is told by itself.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use super::ExchangeError;
use super::model::Purpose;
use super::store::{agreements, delays, reports, requests};
use crate::access::partners;
use crate::deed::{Action, Deed, Entry, Object, Purpose as Why};
use crate::ground::actor::{Actor, Citizen};
use crate::ground::ids::{DelayId, EntryId, OfficerId, PartnerId, PersonId, RequestId};
use crate::ground::{Decision, Id, OfficeCode, Officer, Permission};
use crate::store::StoreError;
use crate::{audit, population};

/// One look, as the citizen is told of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Look {
    /// The record.
    pub id: EntryId,
    /// The moment of the look.
    pub at: OffsetDateTime,
    /// The authority; for the register itself, the code of the office.
    pub institution: String,
    /// The unit of the authority that asked.
    pub unit: Option<String>,
    /// Word of the purpose.
    pub purpose: String,
    /// The purpose in Vietnamese and English, with the law's article: of a partner.
    pub named: Option<Purpose>,
    /// The service that was asked, or what an officer of the register did.
    pub service: String,
    /// The fields that were told or put to the test: of a partner.
    pub fields: Vec<String>,
    /// `confirmed`, `found`, … or the code of a refusal: of a partner.
    pub outcome: Option<String>,
}

/// A page of looks.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// The newest first.
    pub looks: Vec<Look>,
    /// So many more stand on this page that are told later, by order of a judge.
    pub delayed: usize,
    /// The record before which the next page begins.
    pub before: Option<EntryId>,
}

/// Puts together who looked at a person, for the person: the newest first, `most` records before this one. The putting
/// together is itself a record about the person.
///
/// # Errors
/// [`ExchangeError::Person`] for an unknown person or another office's.
pub(super) async fn looks(
    deed: &mut Deed<Officer>,
    person: PersonId,
    before: Option<EntryId>,
    most: i64,
) -> Result<Looks, ExchangeError> {
    let unknown = || ExchangeError::Person(population::PopulationError::Unknown);
    let registered = population::store::person(deed, person).await?.ok_or_else(unknown)?;
    deed.actor().may_act_for(&registered.office)?;
    let looks = put_together(deed, person, before, most).await?;
    deed.record(Action::ExchangeLooksRead, Object::Person(person), Some(person), Why::LookUp).await?;
    Ok(looks)
}

/// As [`looks`], for a citizen who is logged in with the own card. What a judge ordered to be told later stays so.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn own_looks(
    deed: &mut Deed<Citizen>,
    person: PersonId,
    before: Option<EntryId>,
) -> Result<Looks, StoreError> {
    let looks = put_together(deed, person, before, OWN).await?;
    deed.record(Action::ExchangeLooksRead, Object::Person(person), Some(person), Why::Own).await?;
    Ok(looks)
}

/// A look of which the citizen was told.
pub(crate) struct OwnLook {
    /// The officer of the register who looked; none: another authority, or the citizen.
    pub officer: Option<OfficerId>,
}

/// Returns a look at the citizen's data of which the citizen is told; none where there is none, or where a judge
/// ordered that it is told later. The caller records what comes of it.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn own_look(
    deed: &mut Deed<Citizen>,
    person: PersonId,
    id: EntryId,
) -> Result<Option<OwnLook>, StoreError> {
    let Some(row) = audit::look_about(deed.tx(), person, id).await? else { return Ok(None) };
    let officer = row.actor.strip_prefix("officer/").and_then(|id| id.parse().ok());
    let delays = delays::of_person(deed.tx(), person).await?;
    let told = in_words(deed, person, vec![row], &delays).await?;
    Ok((!told.looks.is_empty()).then_some(OwnLook { officer }))
}

/// A look to which a citizen objects, for the officer who answers.
#[derive(Debug)]
pub(crate) struct ObjectedLook {
    /// The look, as the citizen was told of it.
    pub look: Look,
    /// Who asked at the partner: of a partner.
    pub asked: Option<AskedBy>,
}

/// What a partner said of who asked.
#[derive(Debug)]
pub(crate) struct AskedBy {
    /// The partner's officer.
    pub officer: String,
    /// Number of the partner's case.
    pub case: String,
}

/// Returns a look to which a citizen objects; none where the trail has no such look. A judge's order that came later
/// changes nothing of it: the citizen was told before. The caller records the reading.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn objected_look(
    deed: &mut Deed<Officer>,
    person: PersonId,
    id: EntryId,
) -> Result<Option<ObjectedLook>, StoreError> {
    let Some(row) = audit::look_about(deed.tx(), person, id).await? else { return Ok(None) };
    let request = request_of(&row.object);
    let Some(look) = in_words(deed, person, vec![row], &[]).await?.looks.pop() else { return Ok(None) };
    let brought = match request {
        Some(request) => reports::brought(deed.tx(), request).await?,
        None => None,
    };
    let asked = brought.map(|brought| AskedBy { officer: brought.officer, case: brought.case });
    Ok(Some(ObjectedLook { look, asked }))
}

/// So many looks are a page for the citizen.
const OWN: i64 = 100;

async fn put_together<A: Actor>(
    deed: &mut Deed<A>,
    person: PersonId,
    before: Option<EntryId>,
    most: i64,
) -> Result<Looks, StoreError> {
    let mut rows = audit::looks_about(deed.tx(), person, before, most + 1).await?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    let before = rows.last().filter(|_| more).map(|row| row.id);
    let delays = delays::of_person(deed.tx(), person).await?;
    Ok(Looks { before, ..in_words(deed, person, rows, &delays).await? })
}

/// Puts records of looks into the words of those who were looked at. What these delays hold back is counted.
async fn in_words<A: Actor>(
    deed: &mut Deed<A>,
    person: PersonId,
    rows: Vec<audit::Row>,
    delays: &[Delay],
) -> Result<Looks, StoreError> {
    let own = format!("citizen/{person}");
    let ids: Vec<RequestId> = rows.iter().filter_map(|row| request_of(&row.object)).collect();
    let told = requests::told(deed.tx(), &ids).await?;
    let mut named = Named::default();
    let mut looks = Looks::default();
    for row in rows {
        let asked = request_of(&row.object).and_then(|id| told.iter().find(|asked| asked.id == id));
        let Some(asked) = asked else {
            // What a partner's report touched stands in the record of its request.
            if row.actor.starts_with("partner/") {
                continue;
            }
            looks.looks.push(Look {
                id: row.id,
                at: row.at,
                institution: if row.actor == own { YOURSELF.to_owned() } else { row.office.unwrap_or(row.actor) },
                unit: None,
                purpose: row.purpose,
                named: None,
                service: row.action,
                fields: Vec::new(),
                outcome: None,
            });
            continue;
        };
        let now = deed.at();
        let delayed = delays.iter().any(|delay| delay.partner == asked.partner && delay.holds(now));
        if delayed {
            looks.delayed += 1;
            continue;
        }
        let (institution, purpose) = named.of(deed, asked.partner, &asked.purpose).await?;
        looks.looks.push(Look {
            id: row.id,
            at: row.at,
            institution,
            unit: Some(asked.unit.clone()),
            purpose: asked.purpose.clone(),
            named: purpose,
            service: asked.service.clone(),
            fields: asked.fields.split(',').filter(|field| !field.is_empty()).map(str::to_owned).collect(),
            outcome: Some(asked.outcome.clone()),
        });
    }
    Ok(looks)
}

/// What stands in place of an institution where the citizen looked with the own card.
pub(super) const YOURSELF: &str = "yourself";

/// Returns the request that a record of the trail is about.
fn request_of(object: &str) -> Option<RequestId> {
    object.strip_prefix("exchange-request/")?.parse().ok()
}

/// Names of partners and purposes, each read once.
#[derive(Default)]
struct Named {
    partners: BTreeMap<PartnerId, String>,
    purposes: BTreeMap<String, Option<Purpose>>,
}

impl Named {
    async fn of<A: Actor>(
        &mut self,
        deed: &mut Deed<A>,
        partner: PartnerId,
        purpose: &str,
    ) -> Result<(String, Option<Purpose>), StoreError> {
        let institution = match self.partners.get(&partner) {
            Some(known) => known.clone(),
            None => {
                let row = partners::partner(deed.tx(), partner).await?;
                let name = row.map_or_else(|| partner.to_string(), |row| row.name);
                self.partners.entry(partner).or_insert(name).clone()
            }
        };
        let named = match self.purposes.get(purpose) {
            Some(known) => known.clone(),
            None => {
                let row = agreements::purpose(deed.tx(), purpose).await?;
                self.purposes.entry(purpose.to_owned()).or_insert(row).clone()
            }
        };
        Ok((institution, named))
    }
}

/// A judge's order that what one partner asked about one person is told later.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Delay {
    /// Identifier.
    pub id: DelayId,
    /// The person who is told later.
    pub person: PersonId,
    /// Whose looks.
    pub partner: PartnerId,
    /// The court.
    pub court: String,
    /// Number of the order.
    pub order: String,
    /// From this moment on the looks are told.
    pub until: OffsetDateTime,
    /// Who proposed it.
    pub proposed: Decision,
    /// Who confirmed it.
    pub confirmed: Option<Decision>,
}

impl Delay {
    /// True while the partner's looks are not told.
    #[must_use]
    pub fn holds(&self, now: OffsetDateTime) -> bool {
        self.confirmed.is_some() && now < self.until
    }
}

/// A delay is for at most so long.
const LONGEST: Duration = Duration::days(366 * 2);

/// What a judge orders.
pub(super) struct Order {
    /// The person who is told later.
    pub person: PersonId,
    /// Whose looks.
    pub partner: PartnerId,
    /// The court.
    pub court: String,
    /// Number of the order.
    pub order: String,
    /// Until when.
    pub until: OffsetDateTime,
}

/// Proposes that looks are told later, as a judge's order says.
///
/// # Errors
/// [`ExchangeError::DelayUnfit`] for a moment that is past or more than two years ahead; [`ExchangeError::Person`],
/// [`ExchangeError::Access`] for an unknown person or partner.
pub(super) async fn propose_delay(deed: &mut Deed<Officer>, order: Order) -> Result<Delay, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    if order.until <= deed.at() || order.until > deed.at() + LONGEST {
        return Err(ExchangeError::DelayUnfit);
    }
    let Order { person, partner, court, order, until } = order;
    let unknown = || ExchangeError::Person(population::PopulationError::Unknown);
    population::store::person(deed, person).await?.ok_or_else(unknown)?;
    partners::partner(deed.tx(), partner).await?.ok_or(crate::access::AccessError::PartnerUnknown)?;
    let delay =
        Delay { id: deed.id(), person, partner, court, order, until, proposed: deed.decision(), confirmed: None };
    delays::insert(deed.tx(), &delay).await?;
    let entry = Entry::new(Action::ExchangeDelayProposed, Object::ExchangeDelay(delay.id), Why::Administration);
    deed.enter(entry.about(person)).await?;
    Ok(delay)
}

/// Confirms what another officer proposed.
///
/// # Errors
/// [`ExchangeError::DelayUnknown`], [`ExchangeError::State`] if it is confirmed already or its day has come,
/// [`ExchangeError::Access`] for the officer who proposed it
pub(super) async fn confirm_delay(deed: &mut Deed<Officer>, id: DelayId) -> Result<Delay, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let delay = delays::locked(deed.tx(), id).await?.ok_or(ExchangeError::DelayUnknown)?;
    if delay.confirmed.is_some() || delay.until <= deed.at() {
        return Err(ExchangeError::State);
    }
    partners::second(deed, &delay.proposed, Permission::Withhold).await?;
    let decision = deed.decision();
    delays::confirm(deed.tx(), id, &decision).await?;
    let entry = Entry::new(Action::ExchangeDelayConfirmed, Object::ExchangeDelay(id), Why::Administration);
    deed.enter(entry.about(delay.person)).await?;
    Ok(Delay { confirmed: Some(decision), ..delay })
}

/// A person who is none, so that each look at one is a wrong one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Canary {
    /// The record.
    pub person: PersonId,
    /// Who noted it.
    pub noted: Decision,
    /// Who confirmed it.
    pub confirmed: Option<Decision>,
}

/// Notes that a record of the register is of no person. From its confirmation on each look at it is told.
///
/// # Errors
/// [`ExchangeError::Person`] for an unknown record, [`ExchangeError::State`] for one that is noted already
pub(super) async fn note_canary(deed: &mut Deed<Officer>, person: PersonId) -> Result<Canary, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let unknown = || ExchangeError::Person(population::PopulationError::Unknown);
    population::store::person(deed, person).await?.ok_or_else(unknown)?;
    let canary = Canary { person, noted: deed.decision(), confirmed: None };
    if !delays::insert_canary(deed.tx(), &canary).await? {
        return Err(ExchangeError::State);
    }
    deed.record(Action::CanaryNoted, Object::Person(person), Some(person), Why::Audit).await?;
    Ok(canary)
}

/// Confirms what another officer noted.
///
/// # Errors
/// [`ExchangeError::DelayUnknown`], [`ExchangeError::State`], [`ExchangeError::Access`]
pub(super) async fn confirm_canary(deed: &mut Deed<Officer>, person: PersonId) -> Result<Canary, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let canary = delays::canary_locked(deed.tx(), person).await?.ok_or(ExchangeError::DelayUnknown)?;
    if canary.confirmed.is_some() {
        return Err(ExchangeError::State);
    }
    partners::second(deed, &canary.noted, Permission::Withhold).await?;
    let decision = deed.decision();
    delays::confirm_canary(deed.tx(), person, &decision).await?;
    deed.record(Action::CanaryNoted, Object::Person(person), Some(person), Why::Audit).await?;
    Ok(Canary { confirmed: Some(decision), ..canary })
}

/// A look at a record that is of no person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alert {
    /// The record of the trail.
    pub entry: EntryId,
    /// The caller, as the trail names it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
}

/// Returns the looks at records that are of no person after this record of the trail. What the two officers did who
/// noted it is none.
///
/// # Errors
/// [`StoreError`]
pub async fn alerts(tx: &mut crate::store::Tx, after: EntryId) -> Result<Vec<Alert>, StoreError> {
    let mut alerts = Vec::new();
    for canary in delays::canaries(tx).await? {
        let rows = audit::looks_about(tx, canary, None, ALERTS).await?;
        let new = rows.into_iter().filter(|row| row.id > after);
        alerts.extend(new.map(|row| Alert { entry: row.id, actor: row.actor, action: row.action, object: row.object }));
    }
    alerts.sort_by_key(|alert| alert.entry);
    Ok(alerts)
}

/// So many looks at one record are told at once.
const ALERTS: i64 = 100;

/// Returns a record of the trail of this moment, before which all others lie.
#[must_use]
pub fn trail_of(at: OffsetDateTime) -> EntryId {
    Id::first_at(at)
}
