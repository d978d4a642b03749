//! Verbs of units and calendar, and what other offices ask here.

use std::collections::BTreeSet;

use crypto::identity::ProvinceCode;
use time::{Date, Duration, OffsetDateTime};

use super::calendar::{Calendar, SetDay};
use super::holidays::Holidays;
use super::model::{OfficesError, Unit, UnitKind, UnitName, short};
use super::store::{self, DayProposal};
use crate::access;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::text::MOST_OF_REASON;
use crate::ground::{OfficeCode, Officer, Permission, Role};
use crate::store::{Db, StoreError, Tx};

/// What a new unit is to be.
#[derive(Clone, Debug)]
pub struct NewUnit {
    /// The code of its officers and stations.
    pub code: OfficeCode,
    /// What it is.
    pub kind: UnitKind,
    /// Province that it belongs to.
    pub province: Option<ProvinceCode>,
    /// What it is called.
    pub name: UnitName,
    /// The unit above.
    pub parent: OfficeCode,
}

/// Makes a unit. The national office decides it.
///
/// # Errors
/// [`OfficesError`]
pub async fn make_unit(deed: &mut Deed<Officer>, new: NewUnit) -> Result<Unit, OfficesError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let NewUnit { code, kind, province, name, parent } = new;
    let unit = Unit::new(code, kind, province, name, parent, deed.today())?;
    store::lock(deed.tx()).await?;
    if store::unit(deed.tx(), &unit.code).await?.is_some() {
        return Err(OfficesError::CodeTaken);
    }
    stays(deed.tx(), &unit.code).await?;
    check_above(deed.tx(), &unit).await?;
    let decision = deed.decision();
    store::insert_unit(deed.tx(), &unit).await?;
    store::insert_version(deed.tx(), &unit, &decision).await?;
    deed.record(Action::UnitChanged, unit_object(&unit.code), None, Purpose::Administration).await?;
    Ok(unit)
}

/// Gives a unit another name or another parent, from today on. Its former versions stay. The national office decides
/// it. Where an officer saw all of them, `seen` is how many there were.
///
/// # Errors
/// [`OfficesError::MovedOn`] if another change came between; [`OfficesError`]
pub async fn change_unit(
    deed: &mut Deed<Officer>,
    code: &OfficeCode,
    name: Option<UnitName>,
    parent: Option<OfficeCode>,
    reason: &str,
    seen: Option<usize>,
) -> Result<Unit, OfficesError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let reason = reason_of(reason)?;
    // One change at a time: two that are fine apart can make a cycle together.
    store::lock(deed.tx()).await?;
    let unit = store::unit(deed.tx(), code).await?.ok_or(OfficesError::UnitUnknown)?;
    stays(deed.tx(), code).await?;
    if let Some(seen) = seen
        && store::versions(deed.tx(), code).await?.len() != seen
    {
        return Err(OfficesError::MovedOn);
    }
    let next = unit.change(name, parent, deed.today())?;
    check_above(deed.tx(), &next).await?;
    let decision = deed.decision();
    store::insert_version(deed.tx(), &next, &decision).await?;
    let entry = Entry::new(Action::UnitChanged, unit_object(code), Purpose::Administration).because(reason);
    deed.enter(entry).await?;
    Ok(next)
}

/// Proposes that a day of the calendar is a holiday or a working day. It counts once another administrator of the
/// national office confirms it: a day off moves every deadline, and makes late work look as if it were in time.
/// Proposed again, the later word waits.
///
/// # Errors
/// [`OfficesError`]
pub async fn propose_day(
    deed: &mut Deed<Officer>,
    day: Date,
    working: bool,
    name: &str,
    reason: &str,
) -> Result<SetDay, OfficesError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let reason = reason_of(reason)?;
    let set = SetDay { working, name: short(name, 100).ok_or(OfficesError::DayName)? };
    store::lock(deed.tx()).await?;
    let decision = deed.decision();
    store::insert_day(deed.tx(), day, &set, &decision).await?;
    let object = Object::CalendarDay(day);
    deed.enter(Entry::new(Action::HolidayProposed, object, Purpose::Administration).because(reason)).await?;
    Ok(set)
}

/// Confirms what another administrator proposed about a day in the last week, as it was read: from now on it counts.
///
/// # Errors
/// [`OfficesError::ProposalUnknown`] where none waits, or another one does than was read;
/// [`OfficesError::SecondOfficer`] for the one who proposed it; [`OfficesError::ProposalStale`] if that one is no
/// administrator of the national office any more
pub async fn confirm_day(deed: &mut Deed<Officer>, day: Date, read: &SetDay) -> Result<SetDay, OfficesError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    store::lock(deed.tx()).await?;
    let since = deed.at() - DAY_WAITS;
    let proposal = store::proposed_days(deed.tx(), (day, day), since).await?.pop();
    let proposal = proposal.filter(|proposal| proposal.set == *read).ok_or(OfficesError::ProposalUnknown)?;
    if deed.actor().is_one_with(proposal.proposed.by) {
        return Err(OfficesError::SecondOfficer);
    }
    let post = access::post_of_officer(deed.tx(), proposal.proposed.by).await?;
    let administers = |(office, roles): (OfficeCode, Vec<Role>)| {
        office == OfficeCode::national() && Permission::Administer.roles().iter().any(|role| roles.contains(role))
    };
    if !post.is_some_and(administers) {
        return Err(OfficesError::ProposalStale);
    }
    let decision = deed.decision();
    store::confirm_day(deed.tx(), &proposal, &decision).await?;
    let entry = Entry::new(Action::HolidayChanged, Object::CalendarDay(day), Purpose::Administration);
    deed.enter(entry.with(Object::Officer(proposal.proposed.by))).await?;
    Ok(proposal.set)
}

/// Returns what waits for a second administrator about days of a period.
///
/// # Errors
/// [`StoreError`]
pub async fn proposed_days(
    tx: &mut Tx,
    period: (Date, Date),
    now: OffsetDateTime,
) -> Result<Vec<DayProposal>, StoreError> {
    store::proposed_days(tx, period, now - DAY_WAITS).await
}

/// What is proposed about a day and not confirmed for so long is proposed anew.
const DAY_WAITS: Duration = Duration::days(7);

/// Returns the calendar of these years, both included, with what the table and officers say of them: some twenty days a
/// year.
///
/// # Errors
/// [`StoreError`]
pub async fn calendar(tx: &mut Tx, from: i32, to: i32) -> Result<Calendar, StoreError> {
    let set = store::set_days(tx, from, to).await?;
    Ok(Calendar::new(set).with_years(store::holidays(tx, from, to).await?))
}

/// Writes the holidays of the configuration into the database, where every process counts by them; the years that it
/// leaves out are forgotten. Does nothing where they stand there already.
///
/// # Errors
/// [`StoreError`]
pub async fn keep_holidays(db: &Db, holidays: &Holidays) -> Result<(), StoreError> {
    let all: Vec<_> = holidays.years().map(|(number, year)| (number, year.announced, year.days())).collect();
    if store::holidays(&mut db.begin_read().await?, i32::MIN, i32::MAX).await? == all {
        return Ok(());
    }
    let mut tx = db.begin_upkeep().await?;
    store::replace_holidays(&mut tx, &all).await?;
    tx.commit().await
}

/// Returns whether there is a unit with this code; none where no units are set up below the national office.
///
/// # Errors
/// [`StoreError`]
pub async fn knows_unit(tx: &mut Tx, code: &OfficeCode) -> Result<Option<bool>, StoreError> {
    let some = store::units(tx, None, 2).await?;
    if some.iter().all(|unit| unit.code == OfficeCode::national()) {
        return Ok(None);
    }
    Ok(Some(store::unit(tx, code).await?.is_some()))
}

/// True if there is a unit of this code.
///
/// # Errors
/// [`StoreError`]
pub async fn is_unit(tx: &mut Tx, code: &OfficeCode) -> Result<bool, StoreError> {
    Ok(store::unit(tx, code).await?.is_some())
}

/// Returns the province to which a unit belongs; none for an office that is no unit, and for the national office.
///
/// # Errors
/// [`StoreError`]
pub async fn province_of(tx: &mut Tx, office: &OfficeCode) -> Result<Option<ProvinceCode>, StoreError> {
    Ok(store::unit(tx, office).await?.and_then(|unit| unit.province))
}

/// Returns the units that are an office of this province as a whole, by code.
///
/// # Errors
/// [`StoreError`]
pub async fn offices_of_province(tx: &mut Tx, province: ProvinceCode) -> Result<Vec<OfficeCode>, StoreError> {
    let units = store::units(tx, None, u16::MAX).await?.into_iter();
    let of_province = units.filter(|unit| unit.kind == UnitKind::Province && unit.province == Some(province));
    Ok(of_province.map(|unit| unit.code).collect())
}

/// Returns the units of the authority as they are now, by code.
///
/// # Errors
/// [`StoreError`]
pub async fn all_units(tx: &mut Tx) -> Result<Vec<Unit>, StoreError> {
    store::units(tx, None, u16::MAX).await
}

/// Returns how many units stand directly below a unit and are not dissolved.
///
/// # Errors
/// [`StoreError`]
pub async fn units_below(tx: &mut Tx, code: &OfficeCode) -> Result<u64, StoreError> {
    let units = store::units(tx, None, u16::MAX).await?;
    let ended = access::dissolutions::all_ended(tx).await?;
    let below = units.iter().filter(|unit| unit.parent.as_ref() == Some(code));
    Ok(below.filter(|unit| !ended.contains(unit.code.as_str())).count() as u64)
}

/// Returns the provinces for which an office works: its own and those of the units below it; none for an office that is
/// no unit. `None` is every province: of the national office.
///
/// # Errors
/// [`StoreError`]
pub async fn provinces_of(tx: &mut Tx, office: &OfficeCode) -> Result<Option<BTreeSet<ProvinceCode>>, StoreError> {
    if *office == OfficeCode::national() {
        return Ok(None);
    }
    let units = store::units(tx, None, u16::MAX).await?;
    let (mut provinces, mut within) = (BTreeSet::new(), BTreeSet::new());
    let mut level = vec![office.clone()];
    // Ends: each unit is looked at once.
    while let Some(code) = level.pop() {
        if !within.insert(code.clone()) {
            continue;
        }
        provinces.extend(units.iter().filter(|unit| unit.code == code).filter_map(|unit| unit.province));
        level.extend(units.iter().filter(|unit| unit.parent.as_ref() == Some(&code)).map(|unit| unit.code.clone()));
    }
    Ok(Some(provinces))
}

/// Walks from a unit's parent to the top, and refuses when the unit itself is met. Ends: units stand in a tree, and
/// changes come one at a time.
async fn check_above(tx: &mut Tx, unit: &Unit) -> Result<(), OfficesError> {
    let mut above = unit.parent.clone();
    if let Some(parent) = &above {
        stays(tx, parent).await?;
    }
    while let Some(code) = above {
        if code == unit.code {
            return Err(OfficesError::Cycle);
        }
        above = store::unit(tx, &code).await?.ok_or(OfficesError::ParentUnknown)?.parent;
    }
    Ok(())
}

/// Refuses a unit that takes no new work.
async fn stays(tx: &mut Tx, code: &OfficeCode) -> Result<(), OfficesError> {
    match access::dissolutions::ended(tx, code).await? {
        Some(ended) => Err(ended.into()),
        None => Ok(()),
    }
}

fn reason_of(text: &str) -> Result<String, OfficesError> {
    short(text, MOST_OF_REASON).ok_or(OfficesError::ReasonMissing)
}

fn unit_object(code: &OfficeCode) -> Object {
    Object::Unit(code.to_string())
}
