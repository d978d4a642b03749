//! The count at the end of a shift: what a station holds, chip by chip, against the ledger. It is bound to the moment
//! at which it began: where a chip moves meanwhile, it is begun again.

use std::collections::BTreeSet;

use crypto::identity::CardSerial;
use sha2::{Digest as _, Sha256};

use super::cases::{self, CaseKind, Difference};
use super::error::ProductionError;
use super::steps::MOST_BLANKS;
use super::store::counts::{self as kept, Finished, StockCount};
use crate::access;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::Officer;
use crate::ground::ids::{CaseId, CountId, PostingId, StationId};

/// Begins a count: what the ledger says that the station holds now is what is compared. Nothing is told of it, so that
/// the officer counts what is there.
///
/// # Errors
/// [`ProductionError::StationUnknown`], [`ProductionError::OtherOffice`]
pub async fn begin(deed: &mut Deed<Officer>, station: StationId) -> Result<StockCount, ProductionError> {
    let office = access::office_of_station(deed.tx(), station).await?.ok_or(ProductionError::StationUnknown)?;
    deed.actor().may_act_for(&office)?;
    let held = kept::held_by(deed.tx(), station).await?;
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
    deed.enter(entry.with(Object::Station(station)).of(&count.office)).await?;
    Ok(count)
}

/// Ends a count with the chips that are there. A difference opens a case, which is returned.
///
/// # Errors
/// [`ProductionError::CountOvertaken`] where the ledger of the station changed since the count began;
/// [`ProductionError::CountUnknown`], also for one that is ended
pub async fn finish(
    deed: &mut Deed<Officer>,
    id: CountId,
    counted: &[CardSerial],
) -> Result<(StockCount, Option<CaseId>), ProductionError> {
    if counted.len() > MOST_BLANKS {
        return Err(ProductionError::ListTooLong { most: MOST_BLANKS });
    }
    let mut count = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::CountUnknown)?;
    deed.actor().may_act_for(&count.office)?;
    if count.finished.is_some() {
        return Err(ProductionError::CountUnknown);
    }
    let held = kept::held_by(deed.tx(), count.station).await?;
    if fingerprint(&held) != count.fingerprint {
        return Err(ProductionError::CountOvertaken);
    }
    let held: BTreeSet<CardSerial> = held.into_iter().map(|(serial, _)| serial).collect();
    let counted: BTreeSet<CardSerial> = counted.iter().copied().collect();
    let missing: Vec<CardSerial> = held.difference(&counted).copied().collect();
    let extra: Vec<CardSerial> = counted.difference(&held).copied().collect();
    let n = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    let (counted, missing_n, extra_n) = (n(counted.len()), n(missing.len()), n(extra.len()));
    count.finished = Some(Finished { by: deed.decision(), counted, missing: missing_n, extra: extra_n });
    kept::finish(deed.tx(), &count).await?;
    let entry = Entry::new(Action::StockCounted, Object::StockCount(id), Purpose::Stock);
    let said = format!("{counted} chips, {missing_n} missing, {extra_n} too many");
    deed.enter(entry.with(Object::Station(count.station)).of(&count.office).because(said)).await?;
    let case = if missing.is_empty() && extra.is_empty() {
        None
    } else {
        let (office, subject) = (count.office.clone(), Object::Station(count.station));
        Some(cases::open(deed, Difference { kind: CaseKind::Count, office, subject, missing, extra }).await?)
    };
    Ok((count, case))
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
