//! Applications, listed: for a counter that has a slip or a person before it, and for an office that asks what waits.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::claims::Claim;
use super::model::{Hold, HoldReason, Kind, KindName, Slip, Stage, StageName};
use super::store::lists::{self as store, Wanted, Window};
use super::store::{claims, progress_of};
use super::{CounterError, steps};
use crate::deed::{Action, Deed, Object, Occasion};
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, OfficerId, PersonId};
use crate::ground::text::Words;
use crate::ground::{Id, OfficeCode, Officer, Permission, Role};
use crate::offices::calendar::{Calendar, Day};
use crate::population::duplicates::steps as duplicates;
use crate::store::{Record, StoreError, Tx};
use crate::web::{Desk, Listing, Looked, OccasionAsked, Page, PageAsked, Problem, Right, Routes};
use crate::{access, offices};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new().add(Right::Officer(Permission::ListApplications), routes!(list))
}

/// Which applications.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The office; another one than the officer's own is for the national office. With `slip` or `person_id` the
    /// national office need not name one.
    office: Option<OfficeCode>,
    /// At this stage only. An officer whose only role with applications is `registrar` asks for `held`, or for the own
    /// queue; one who keeps the stock asks for the own queue.
    stage: Option<StageName>,
    /// Those that this role has: its queue, at `office` or the officer's own. The national office has what waits for
    /// its approval. Stands with `overdue` and `office` alone.
    owner: Option<Role>,
    /// True: those that are late, at the office that has them. Stands with `owner` and `office` alone.
    overdue: Option<bool>,
    /// `me`: those that the officer has taken; stands with `office` alone. `free`: those that no officer has taken;
    /// stands with `owner`, and `office`.
    #[param(inline)]
    claimed: Option<ClaimAsked>,
    /// Registered so many days ago, or earlier.
    #[param(minimum = 0, maximum = 36_500)]
    older_than_days: Option<u16>,
    /// The one with this slip, as people read it from paper.
    #[param(value_type = Option<String>)]
    slip: Option<Words<40>>,
    /// Those of this person. The reading is a record about the person.
    #[param(value_type = Option<PersonId>)]
    person_id: Option<PersonId>,
    /// With `person_id`: what for, as where a person is read.
    #[param(value_type = Option<String>)]
    purpose: Option<Words<20>>,
    /// With `person_id`: the application for which it is read.
    #[param(value_type = Option<ApplicationId>)]
    case: Option<ApplicationId>,
}

/// Which applications, by the officer who has taken them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ClaimAsked {
    /// No officer has.
    Free,
    /// The officer who asks has.
    Me,
}

/// An application in a list: without name or identifier of the person.
#[derive(Debug, Serialize, ToSchema)]
struct ApplicationItem {
    /// Identifier.
    id: ApplicationId,
    /// What the citizen brings to fetch the card; shown at the counter that prints it, and not at hand-over, which asks
    /// for it.
    slip: Option<Slip>,
    /// Where it stands.
    #[schema(value_type = StageName)]
    stage: String,
    /// What is applied for.
    #[schema(inline)]
    kind: Option<KindName>,
    /// The office.
    #[schema(value_type = OfficeCode)]
    office: String,
    /// The moment at which it was opened.
    #[serde(with = "time::serde::rfc3339")]
    registered_at: OffsetDateTime,
    /// Whole days since then.
    age_days: i64,
    /// The role that has it; none at an end.
    owner: Option<Role>,
    /// The office that has it; none at an end.
    owner_office: Option<OfficeCode>,
    /// The officer who has taken it for some minutes.
    claimed_by: Option<OfficerId>,
    /// Until when.
    #[serde(with = "time::serde::rfc3339::option")]
    claimed_until: Option<OffsetDateTime>,
    /// The last day on which it leaves the stage in time.
    due_on: Option<Day>,
    /// Working days since then, if it is late.
    days_late: Option<u32>,
    /// The day that the citizen was promised.
    promised_on: Option<Day>,
    /// Held: why.
    held_because: Option<HoldReason>,
    /// Held: the role that mends it.
    held_for: Option<Role>,
    /// True for one that waits for its decision while another person of the register is probably the citizen too:
    /// `likely_doubles` of the application tells with whom.
    perhaps_declared_before: bool,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

/// Applications, oldest first: of the officer's office, at a stage, older than so many days, of
/// a person, or with a slip.
#[utoipa::path(get, path = "/api/v1/applications", tag = "applications", params(PageAsked, Asked),
    responses((status = 200, body = Page<ApplicationItem>)))]
async fn list(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<Asked, ApplicationId>,
) -> Looked<Page<ApplicationItem>> {
    let (most, limit, now) = (listing.most(), listing.limit, desk.deeds().source().now());
    let Listing { filter, after, .. } = listing;
    let Asked { office, stage, owner, overdue, claimed, older_than_days, slip, person_id, purpose, case } = filter;
    // What a role has it is told of, whatever else the role may read.
    let is_own_queue = owner.is_some_and(|role| officer.roles.contains(&role));
    let may_mend = officer.may(Permission::ReadApplication) && stage == Some(StageName::Held);
    if steps::mends_only(&officer) && !is_own_queue && !may_mend {
        return Err(CounterError::NotOwn.into());
    }
    let (wants_own, own) = (office.is_none(), office.unwrap_or_else(|| officer.office.clone()));
    officer.may_act_for(&own)?;
    if person_id.is_none() && (purpose.is_some() || case.is_some()) || person_id.is_some() && slip.is_some() {
        return Err(Problem::new(ProblemCode::QueryMalformed).detail("`person_id` stands alone, with its purpose"));
    }
    let late = overdue.unwrap_or_default();
    if (owner.is_some() || late) && (stage.is_some() || person_id.is_some() || slip.is_some()) {
        let says = "`owner` and `overdue` stand with `office` alone";
        return Err(Problem::new(ProblemCode::QueryMalformed).detail(says));
    }
    let fits = match claimed {
        None => true,
        Some(ClaimAsked::Free) => owner.is_some() && !late,
        Some(ClaimAsked::Me) => owner.is_none() && !late && stage.is_none() && person_id.is_none() && slip.is_none(),
    };
    if !fits {
        let says = "`claimed=free` stands with `owner`, `claimed=me` with `office` alone";
        return Err(Problem::new(ProblemCode::QueryMalformed).detail(says));
    }
    // Of one person or one slip there are few: what the national office need not name is every office.
    let seen = if wants_own { &officer.office } else { &own };
    let slip = slip.map(|text| Slip::typed(text.as_str()));
    let any = stage.map_or("", StageName::word);
    let today = desk.deeds().source().clock().today();
    let wanted = match (&slip, person_id, stage) {
        (None, None, None) if late => Wanted::Late(&own, owner, today),
        (None, None, None) if claimed == Some(ClaimAsked::Me) => Wanted::Claimed(officer.id, seen, now),
        (Some(slip), ..) => Wanted::Slip(&slip.0, seen, any),
        (None, Some(person), _) => Wanted::Person(person, seen, any),
        (None, None, Some(stage)) => Wanted::Stage(&own, stage.word()),
        (None, None, None) => match owner {
            Some(role) if claimed.is_some() => Wanted::Free(&own, role, now),
            Some(role) => Wanted::Owner(&own, role),
            None => Wanted::Office(&own),
        },
    };
    let until = now - Duration::days(older_than_days.unwrap_or_default().into());
    let window = Window { until, after: after.unwrap_or(Id::nil()), most };
    let (rows, doubtful) = if let Some(person) = person_id {
        let occasion = OccasionAsked { purpose, case }.of(&officer)?;
        let read = async |deed: &mut Deed<Officer>| {
            let rows = store::applications(deed.tx(), wanted, window).await?;
            let object = Object::Person(person);
            deed.record_reading(Action::ApplicationsListed, object, person, &own, occasion).await?;
            let doubtful = doubtful(deed.tx(), &rows).await?;
            Ok::<_, CounterError>((rows, doubtful))
        };
        desk.look(officer.clone(), read).await?.0
    } else {
        let mut tx = desk.deeds().db().begin_read().await?;
        let rows = store::applications(&mut tx, wanted, window).await?;
        let doubtful = doubtful(&mut tx, &rows).await?;
        (rows, doubtful)
    };
    let mut tx = desk.deeds().db().begin_read().await?;
    let calendar = offices::steps::calendar(&mut tx, today.year() - 1, today.year()).await?;
    let claims = taken(&mut tx, &rows, now).await?;
    drop(tx);
    let item = |row| item(row, &officer, now, (today, &calendar), (&doubtful, &claims));
    Ok(Json(Page::judged(&rows, limit, item)?))
}

/// Returns the applications of a person that an officer's office sees, oldest first; of a registrar, those that are
/// held. The reading is a record about the person.
///
/// # Errors
/// The store's.
pub(super) async fn of_person(
    deed: &mut Deed<Officer>,
    person: PersonId,
    occasion: Occasion,
) -> Result<Vec<(Record, bool)>, CounterError> {
    let office = deed.actor().office.clone();
    let stage = if steps::mends_only(deed.actor()) { StageName::Held.word() } else { "" };
    let window = Window { until: deed.at(), after: Id::nil(), most: MOST_OF_PERSON };
    let rows = store::applications(deed.tx(), Wanted::Person(person, &office, stage), window).await?;
    deed.record_reading(Action::ApplicationsListed, Object::Person(person), person, &office, occasion).await?;
    Ok(rows)
}

/// One of a citizen's applications, as the citizen is told of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnApplication {
    /// Identifier.
    id: ApplicationId,
    /// What is applied for.
    kind: KindName,
    /// Where it stands.
    stage: StageName,
    /// The office.
    office: OfficeCode,
    /// The moment at which it was opened.
    #[serde(with = "time::serde::rfc3339")]
    registered_at: OffsetDateTime,
    /// The day that the citizen was promised.
    promised_on: Option<Day>,
}

/// Returns the applications of a person, oldest first, for the person. The caller records it.
///
/// # Errors
/// [`StoreError`], also for one that another hand changed.
pub(crate) async fn of_citizen<A: Actor>(
    deed: &mut Deed<A>,
    person: PersonId,
) -> Result<Vec<OwnApplication>, StoreError> {
    deed.saw(person);
    let window = Window { until: deed.at(), after: Id::nil(), most: MOST_OF_PERSON };
    let everywhere = OfficeCode::national();
    let rows = store::applications(deed.tx(), Wanted::Person(person, &everywhere, ""), window).await?;
    let own = |(row, holds): &(Record, bool)| {
        if !holds {
            return Err(row.inconsistent("mac"));
        }
        let kind: Kind = row.json("kind")?;
        Ok(OwnApplication {
            id: Id::of(row, "id")?,
            kind: kind.which(),
            stage: row.parsed("stage")?,
            office: row.parsed("office")?,
            registered_at: row.get("registered_at")?,
            promised_on: progress_of(row)?.promised.map(Day),
        })
    };
    rows.iter().map(own).collect()
}

/// A person has fewer applications.
const MOST_OF_PERSON: i64 = 200;

/// Returns the citizens of applications that wait for their decision of whom another person is probably the same.
pub(super) async fn doubtful(tx: &mut Tx, rows: &[(Record, bool)]) -> Result<BTreeSet<PersonId>, StoreError> {
    let mut persons = vec![];
    for (row, holds) in rows {
        if *holds && steps::waits_for_decision(row.parsed("stage")?) {
            persons.push(Id::of(row, "person_id")?);
        }
    }
    if persons.is_empty() { Ok(BTreeSet::new()) } else { duplicates::doubtful_among(tx, persons).await }
}

/// Returns the claims that stand of applications in a list.
pub(super) async fn taken(
    tx: &mut Tx,
    rows: &[(Record, bool)],
    now: OffsetDateTime,
) -> Result<BTreeMap<ApplicationId, Claim>, StoreError> {
    let ids: Vec<ApplicationId> = rows.iter().map(|(row, _)| Id::of(row, "id")).collect::<Result<_, _>>()?;
    let mut claims = claims::of_applications(tx, &ids).await?;
    claims.retain(|_, claim| claim.until > now);
    let mut there = BTreeMap::new();
    for officer in claims.values().map(|claim| claim.officer) {
        if let Entry::Vacant(entry) = there.entry(officer) {
            entry.insert(access::officer_at(tx, officer, now).await?);
        }
    }
    for (row, holds) in rows {
        let id = Id::of(row, "id")?;
        let Some(claim) = claims.get(&id) else { continue };
        let stands = *holds && {
            let (office, stage) = (row.parsed("office")?, row.parsed("stage")?);
            let moves: Option<i64> = row.get("moves")?;
            let moves = moves.unwrap_or(0).try_into().unwrap_or(u32::MAX);
            claim.stands(there[&claim.officer].as_ref(), &office, stage, moves)
        };
        if !stands {
            claims.remove(&id);
        }
    }
    Ok(claims)
}

fn item(
    (row, holds): &(Record, bool),
    officer: &Officer,
    now: OffsetDateTime,
    (today, calendar): (Date, &Calendar),
    (doubtful, claims): (&BTreeSet<PersonId>, &BTreeMap<ApplicationId, Claim>),
) -> Result<(ApplicationId, ApplicationItem), StoreError> {
    let (id, registered_at) = (Id::of(row, "id")?, row.get("registered_at")?);
    // What was changed by another hand may have no meaning, and is shown all the same.
    let kind: Option<Kind> = if *holds { Some(row.json("kind")?) } else { row.json("kind").ok() };
    let stage: String = row.get("stage")?;
    let hold: Option<Hold> = match row.json("stage_data") {
        Ok(Stage::Held { hold, .. }) => Some(hold),
        Err(error) if *holds => return Err(error),
        Ok(_) | Err(_) => None,
    };
    let progress = match progress_of(row) {
        Err(error) if *holds => return Err(error),
        read => read.unwrap_or_default(),
    };
    let (owner_office, owner) = progress.owner.clone().unzip();
    let claim = claims.get(&id);
    let item = ApplicationItem {
        id,
        slip: if officer.may(Permission::Apply) { Some(Slip(row.get("slip")?)) } else { None },
        stage,
        kind: kind.map(Kind::which),
        office: row.get("office")?,
        registered_at,
        age_days: (now - registered_at).whole_days(),
        owner,
        owner_office,
        claimed_by: claim.map(|claim| claim.officer),
        claimed_until: claim.map(|claim| claim.until),
        due_on: progress.due.map(Day),
        days_late: Some(progress.days_late(today, calendar)).filter(|days| *days > 0),
        promised_on: progress.promised.map(Day),
        held_because: hold.map(|hold| hold.reason),
        held_for: hold.map(|hold| hold.owner),
        perhaps_declared_before: *holds && doubtful.contains(&Id::of(row, "person_id")?),
        tampered: !holds,
    };
    Ok((id, item))
}
