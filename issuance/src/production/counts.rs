//! The count at the end of a shift: what a station or a store room holds, chip by chip, against the ledger. It is bound
//! to the moment at which it began: where a chip moves meanwhile, it is begun again.

use std::collections::BTreeSet;

use crypto::identity::CardSerial;
use sha2::{Digest as _, Sha256};

use super::cases::{self, CaseKind, CaseOutcome, Difference};
use super::error::ProductionError;
use super::steps::MOST_BLANKS;
use super::store;
use super::store::counts::{self as kept, Finished, StockCount};
use crate::access;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::Officer;
use crate::ground::ids::{CaseId, CountId, PostingId, StationId};

/// Begins a count of a station or, without one, of the store room of the officer's office: what the ledger says that is
/// there now is what is compared. Nothing is told of it, so that the officer counts what is there.
///
/// # Errors
/// [`ProductionError::StationUnknown`], [`ProductionError::OtherOffice`]
pub async fn begin(
    deed: &mut Deed<Officer>,
    station: impl Into<Option<StationId>>,
) -> Result<StockCount, ProductionError> {
    let station = station.into();
    let office = match station {
        Some(station) => access::office_of_station(deed.tx(), station).await?.ok_or(ProductionError::StationUnknown)?,
        None => deed.actor().office.clone(),
    };
    deed.actor().may_act_for(&office)?;
    let held = kept::held_at(deed.tx(), &office, station).await?;
    let count = StockCount {
        id: deed.id(),
        office,
        station,
        fingerprint: fingerprint(&held),
        begun: deed.decision(),
        finished: None,
    };
    kept::insert(deed.tx(), &count).await?;
    let entry = Entry::new(Action::StockCountBegun, Object::StockCount(count.id), Purpose::Stock);
    deed.enter(entry.with(place(&count)).of(&count.office)).await?;
    Ok(count)
}

/// What a count is of.
fn place(count: &StockCount) -> Object {
    count.station.map_or_else(|| Object::Unit(count.office.to_string()), Object::Station)
}

/// Returns a count that is under way and is of the officer's office, kept from other writers.
async fn under_way(
    deed: &mut Deed<Officer>,
    id: CountId,
    counted: &[CardSerial],
) -> Result<StockCount, ProductionError> {
    if counted.len() > MOST_BLANKS {
        return Err(ProductionError::ListTooLong { most: MOST_BLANKS });
    }
    let count = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::CountUnknown)?;
    deed.actor().may_act_for(&count.office)?;
    if count.finished.is_none() { Ok(count) } else { Err(ProductionError::CountUnknown) }
}

/// Notes chips of a count that are there, while others are not counted yet: of a place with more than one request
/// holds.
///
/// # Errors
/// [`ProductionError::CountUnknown`], also for one that is ended
pub async fn add(deed: &mut Deed<Officer>, id: CountId, counted: &[CardSerial]) -> Result<StockCount, ProductionError> {
    let count = under_way(deed, id, counted).await?;
    let part = deed.id();
    kept::insert_part(deed.tx(), part, id, counted).await?;
    let entry = Entry::new(Action::StockCounted, Object::StockCount(id), Purpose::Stock);
    deed.enter(entry.with(place(&count)).of(&count.office).because(format!("{} chips so far", counted.len()))).await?;
    Ok(count)
}

/// Ends a count with the chips that are there, those that were noted before among them. A difference opens a case, or
/// joins the one that is open, and is returned; without one, an open case of an earlier count was found.
///
/// # Errors
/// [`ProductionError::CountOvertaken`] where the ledger of the place changed since the count began;
/// [`ProductionError::CountUnknown`], also for one that is ended
pub async fn finish(
    deed: &mut Deed<Officer>,
    id: CountId,
    counted: &[CardSerial],
) -> Result<(StockCount, Option<CaseId>), ProductionError> {
    let mut count = under_way(deed, id, counted).await?;
    let held = kept::held_at(deed.tx(), &count.office, count.station).await?;
    if fingerprint(&held) != count.fingerprint {
        return Err(ProductionError::CountOvertaken);
    }
    let held: BTreeSet<CardSerial> = held.into_iter().map(|(serial, _)| serial).collect();
    let before = kept::counted_before(deed.tx(), id).await?;
    let counted: BTreeSet<CardSerial> = counted.iter().copied().chain(before).collect();
    let missing: Vec<CardSerial> = held.difference(&counted).copied().collect();
    let extra: Vec<CardSerial> = counted.difference(&held).copied().collect();
    let n = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    let (counted, missing_n, extra_n) = (n(counted.len()), n(missing.len()), n(extra.len()));
    count.finished = Some(Finished { by: deed.decision(), counted, missing: missing_n, extra: extra_n });
    kept::finish(deed.tx(), &count).await?;
    let entry = Entry::new(Action::StockCounted, Object::StockCount(id), Purpose::Stock);
    let said = format!("{counted} chips, {missing_n} missing, {extra_n} too many");
    deed.enter(entry.with(place(&count)).of(&count.office).because(said)).await?;
    let subject = place(&count);
    let earlier = store::cases::unsettled_about(deed.tx(), &subject.to_string()).await?;
    if missing.is_empty() && extra.is_empty() {
        for case in earlier {
            cases::all_there(deed, case, CaseOutcome::Found).await?;
        }
        return Ok((count, None));
    }
    let case = match earlier.into_iter().next() {
        Some(case) => cases::look_again(deed, case, missing, extra).await?,
        None => {
            let office = count.office.clone();
            let difference = Difference { kind: CaseKind::Count, office, from: None, subject, missing, extra };
            cases::open(deed, difference).await?
        }
    };
    Ok((count, Some(case)))
}

/// Names what a station holds: each chip with its last posting.
fn fingerprint(held: &[(CardSerial, Option<PostingId>)]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (serial, posting) in held {
        hash.update(serial.0);
        hash.update(posting.unwrap_or(PostingId::nil()).uuid().as_bytes());
    }
    hash.finalize().into()
}
