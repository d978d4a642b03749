//! What goes on in the factory of an office at a moment: its batches of cards, its stations, what failed,
//! its stock. Told by what the service has written down; a reader that hangs, or a cable that is out, it
//! knows by the silence alone.

use std::collections::BTreeMap;

use crypto::identity::CardSerial;
use serde::Deserialize;
use time::{Date, Duration, OffsetDateTime};

use super::card_batches::{self, CardBatch, CardBatchState, Progress};
use super::ledger::Place;
use super::model::{ChipState, ChipStateName};
use super::store::{self, boxes, card_batches as kept, floor, lists};
use crate::access::stations::{self, Listed};
use crate::applications::store::items;
use crate::ground::OfficeCode;
use crate::ground::ids::{BoxId, CardBatchId, StationId};
use crate::store::{StoreError, Tx};

/// What changes while cards are made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Floor {
    /// The moment.
    pub at: OffsetDateTime,
    /// Batches that are not closed, the most urgent first; then those that were closed lately.
    pub batches: Vec<FloorBatch>,
    /// True if there are more batches than are told.
    pub more_batches: bool,
    /// Stations of the office, those that need a person first.
    pub stations: Vec<FloorStation>,
    /// True if there are more stations than are told.
    pub more_stations: bool,
}

/// A batch of cards.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FloorBatch {
    pub id: CardBatchId,
    pub state: CardBatchState,
    /// The state in a word, in which a released batch that is begun is running.
    pub word: &'static str,
    pub priority: u8,
    pub drafted_at: OffsetDateTime,
    /// Why it was paused last.
    pub reason: Option<String>,
    pub counts: BatchCounts,
    /// Cards per minute, over the last minutes.
    pub per_minute: f64,
    /// Seconds until all are cards, at that rate.
    pub seconds_left: Option<u64>,
    /// Its record was changed by another hand: nothing of it is to be believed.
    pub tampered: bool,
}

/// How far the applications of a batch are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct BatchCounts {
    pub items: u64,
    pub done: u64,
    pub leased: u64,
    pub waiting: u64,
    pub left: u64,
    pub spoiled: u64,
}

impl FloorBatch {
    /// A batch with how far it is. What was counted when it was closed stays.
    pub fn new(batch: &CardBatch, progress: &Progress, tampered: bool) -> Self {
        let counts = &progress.counts;
        let (done, left, spoiled) = match &batch.closed {
            Some(closed) => (closed.good, closed.left, closed.spoiled),
            None => (counts.done, counts.left, counts.spoiled()),
        };
        let (waiting, leased) = (counts.waiting, counts.leased);
        Self {
            id: batch.id,
            state: batch.state,
            word: progress.word(batch.state),
            priority: batch.priority,
            drafted_at: batch.drafted.at,
            reason: batch.reason.clone().filter(|_| batch.state == CardBatchState::Paused),
            counts: BatchCounts {
                items: batch.items.unwrap_or(done + left + waiting + leased),
                done,
                leased,
                waiting,
                left,
                spoiled,
            },
            per_minute: progress.per_minute(),
            seconds_left: progress.seconds_left(),
            tampered,
        }
    }
}

/// What a station does now.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Doing {
    /// It has a chip that is bound, and was not heard for as long as a lease lasts.
    Silent,
    /// Its certificate ended, or its record was changed by another hand.
    Shut,
    /// It has no blank.
    NoBlanks,
    /// It writes.
    Writing,
    /// It has blanks, and writes none.
    Ready,
    /// It was revoked.
    Revoked,
}

impl Doing {
    /// The word, as the texts have it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Shut => "shut",
            Self::NoBlanks => "no-blanks",
            Self::Writing => "writing",
            Self::Ready => "ready",
            Self::Revoked => "revoked",
        }
    }

    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 6] = [Self::Silent, Self::Shut, Self::NoBlanks, Self::Writing, Self::Ready, Self::Revoked];
}

/// A station.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FloorStation {
    pub id: StationId,
    pub name: String,
    pub doing: Doing,
    /// When it was last heard, by what it left in the ledger and by its orders.
    pub heard: Option<OffsetDateTime>,
    /// The chips that it writes, one on each reader at work.
    pub writing: Vec<Writing>,
    /// Blanks in its custody that are not bound.
    pub blanks: u64,
    /// Its certificate ends then.
    pub certificate_until: OffsetDateTime,
}

/// A chip that is being written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Writing {
    pub serial: CardSerial,
    /// So many orders were made for it, from its intake on.
    pub orders: u64,
    /// The last one.
    pub last: Option<OffsetDateTime>,
}

/// Reads what changes while cards are made. `lease` is how long an item is a station's.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn read(
    tx: &mut Tx,
    office: &OfficeCode,
    now: OffsetDateTime,
    lease: Duration,
) -> Result<Floor, StoreError> {
    let (batches, more_batches) = batches(tx, office, now).await?;
    let (stations, more_stations) = at_stations(tx, office, now, lease).await?;
    Ok(Floor { at: now, batches, more_batches, stations, more_stations })
}

async fn batches(tx: &mut Tx, office: &OfficeCode, now: OffsetDateTime) -> Result<(Vec<FloorBatch>, bool), StoreError> {
    let mut rows = floor::unclosed_of(tx, office, and_one(MOST_BATCHES)).await?;
    let more = rows.len() > MOST_BATCHES;
    rows.truncate(MOST_BATCHES);
    rows.extend(floor::closed_of(tx, office, CLOSED_BATCHES).await?);
    let mut batches = Vec::with_capacity(rows.len());
    for (row, holds) in rows {
        let batch = kept::read(&row)?;
        // A batch that is closed says itself what became of it.
        let progress = match batch.state {
            CardBatchState::Closed | CardBatchState::Drafted => {
                Progress { counts: items::Counts::default(), begun: false }
            }
            CardBatchState::Released | CardBatchState::Paused => card_batches::progress(tx, batch.id, now).await?,
        };
        batches.push(FloorBatch::new(&batch, &progress, !holds));
    }
    Ok((batches, more))
}

async fn at_stations(
    tx: &mut Tx,
    office: &OfficeCode,
    now: OffsetDateTime,
    lease: Duration,
) -> Result<(Vec<FloorStation>, bool), StoreError> {
    let mut listed = stations::of_office(tx, office, now, and_one(MOST_STATIONS)).await?;
    let more = listed.len() > MOST_STATIONS;
    listed.truncate(MOST_STATIONS);
    let mut bound: BTreeMap<StationId, Vec<Writing>> = BTreeMap::new();
    for row in lists::unfinished(tx, office, "", MOST_BOUND).await? {
        let Some(station) = crate::ground::Id::of_optional(&row, "custody")? else { continue };
        let writing = Writing { serial: row.parsed("id")?, orders: row.number("orders")?, last: row.get("last_at")? };
        bound.entry(station).or_default().push(writing);
    }
    let mut stations = Vec::with_capacity(listed.len());
    for one in listed {
        let writing = bound.remove(&one.id).unwrap_or_default();
        let mut blanks = 0;
        for row in lists::blanks_by_state(tx, one.id).await? {
            if row.get::<String>("state")? != ChipStateName::Bound.word() {
                blanks += row.number::<u64>("chips")?;
            }
        }
        let ordered = writing.iter().filter_map(|chip| chip.last).max();
        let heard = floor::heard(tx, office, one.id).await?.max(ordered);
        stations.push(station(one, writing, blanks, heard, (now, lease)));
    }
    stations.sort_by(|one, other| (one.doing, &one.name).cmp(&(other.doing, &other.name)));
    Ok((stations, more))
}

fn station(
    listed: Listed,
    writing: Vec<Writing>,
    blanks: u64,
    heard: Option<OffsetDateTime>,
    (now, lease): (OffsetDateTime, Duration),
) -> FloorStation {
    let is_silent = |chip: &Writing| chip.last.is_none_or(|last| last + lease < now);
    let doing = match listed.state {
        "revoked" => Doing::Revoked,
        // Each of its chips: where one goes on, the station is there.
        _ if !writing.is_empty() && writing.iter().all(is_silent) => Doing::Silent,
        "in-use" if !writing.is_empty() => Doing::Writing,
        "in-use" if blanks == 0 => Doing::NoBlanks,
        "in-use" => Doing::Ready,
        _ => Doing::Shut,
    };
    let Listed { id, name, expires_at: certificate_until, .. } = listed;
    FloorStation { id, name, doing, heard, writing, blanks, certificate_until }
}

/// What changes more slowly: what was spoiled, and the stock.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shelf {
    /// The moment.
    pub at: OffsetDateTime,
    /// Failures of the last chips that were spoiled, by their reason, the latest first.
    pub failures: Vec<Failed>,
    /// Chips on the accounts of the office by kind of account and state.
    pub accounts: Vec<(Place, Option<ChipStateName>, i64)>,
    /// True where accounts and chips of the house do not agree, or its accounts do not add up to zero.
    pub differs: bool,
    /// Cases that wait for two officers, and those of them that are overdue.
    pub cases: (u64, u64),
    /// Boxes and parcels on their way to the office or from it, those due first before the others.
    pub boxes: Vec<OnItsWay>,
}

/// A reason for which chips were spoiled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Failed {
    /// A code of the catalogue of failures, or the words of who gave the account.
    pub reason: String,
    /// So many of the chips that were looked at.
    pub chips: u64,
    /// When it was last.
    pub last: OffsetDateTime,
    /// The chip of that time.
    pub serial: String,
    /// The station that gave it up; none where an officer or the service did.
    pub station: Option<StationId>,
}

/// A box or a parcel on its way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct OnItsWay {
    pub id: BoxId,
    pub from: OfficeCode,
    pub to: OfficeCode,
    pub chips: usize,
    pub due: Option<Date>,
    pub late: bool,
}

/// Reads what changes more slowly.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn shelf(
    tx: &mut Tx,
    office: &OfficeCode,
    now: OffsetDateTime,
    today: Date,
) -> Result<Shelf, StoreError> {
    let balances = store::ledger::balances(tx).await?;
    let mut accounts: BTreeMap<(Place, Option<ChipStateName>), i64> = BTreeMap::new();
    for (account, chips) in &balances.accounts {
        if account.office.as_ref() == Some(office) {
            *accounts.entry((account.place, account.state)).or_default() += chips;
        }
    }
    let mut on_their_way = Vec::new();
    for (row, holds) in floor::boxes_of(tx, office, MOST_BOXES).await? {
        if holds {
            let boxed = boxes::read(&row)?;
            let late = boxed.is_late(today, now);
            let (chips, due) = (boxed.serials.len(), boxed.due_on);
            on_their_way.push(OnItsWay { id: boxed.id, from: boxed.from, to: boxed.to, chips, due, late });
        }
    }
    Ok(Shelf {
        at: now,
        failures: failures(tx, office).await?,
        accounts: accounts.into_iter().map(|((place, state), chips)| (place, state, chips)).collect(),
        differs: !balances.complaints().is_empty(),
        cases: floor::cases_of(tx, office, today).await?,
        boxes: on_their_way,
    })
}

async fn failures(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<Failed>, StoreError> {
    let mut found: Vec<Failed> = Vec::new();
    for (row, holds) in floor::spoiled_last(tx, office, MOST_SPOILED).await? {
        if !holds {
            continue;
        }
        let (ChipState::Spoiled { account, .. } | ChipState::Destroyed { account, .. }) = row.json("state_data")?
        else {
            continue;
        };
        match found.iter_mut().find(|known| known.reason == account.reason) {
            Some(known) => known.chips += 1,
            None => found.push(Failed {
                station: account.by.strip_prefix("station/").and_then(|id| id.parse().ok()),
                reason: account.reason,
                chips: 1,
                last: account.at,
                serial: row.get("id")?,
            }),
        }
    }
    Ok(found)
}

/// Returns the limit of a list that is to tell whether there are more than so many.
pub(super) fn and_one(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1)
}

/// What the catalogue says of a failure of a station.
#[derive(Debug, Deserialize)]
pub(super) struct Remedy {
    /// In English.
    en: Said,
    /// In Vietnamese.
    vi: Said,
}

/// Cause and remedy in one language.
#[derive(Debug, Deserialize)]
struct Said {
    cause: String,
    remedy: String,
}

/// Returns cause and remedy of a failure in a language, by its code in `docs/failure-codes.md`; `None`
/// for words that are no code.
pub(super) fn remedy(reason: &str, vietnamese: bool) -> Option<(&'static str, &'static str)> {
    if let Some(known) = OF_STATIONS.get(reason) {
        let said = if vietnamese { &known.vi } else { &known.en };
        return Some((&said.cause, &said.remedy));
    }
    let known = crate::web::catalogued(reason.parse().ok()?);
    let said = if vietnamese { &known.vi } else { &known.en };
    Some((&said.cause, &said.remedy))
}

/// The failures that a station knows by itself.
static OF_STATIONS: std::sync::LazyLock<BTreeMap<String, Remedy>> = std::sync::LazyLock::new(|| {
    toml::from_str(include_str!("../../../docs/problems/agent.toml"))
        .expect("docs/problems/agent.toml is complete: a test holds that")
});

/// So many batches are told, and so many of those that were closed.
const MOST_BATCHES: usize = 12;
const CLOSED_BATCHES: i64 = 3;
/// So many stations are told.
const MOST_STATIONS: usize = 48;
/// So many chips that are bound are looked at.
const MOST_BOUND: i64 = 500;
/// So many boxes are told.
const MOST_BOXES: i64 = 20;
/// So many chips that were spoiled last are looked at.
const MOST_SPOILED: i64 = 100;

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::ground::Id;

    const NOW: OffsetDateTime = datetime!(2026-11-26 09:53 UTC);

    fn listed(state: &'static str) -> Listed {
        Listed { id: Id::nil(), name: "4".into(), office: "o-1".into(), state, expires_at: NOW }
    }

    fn chip(last: Option<OffsetDateTime>) -> Writing {
        Writing { serial: CardSerial([4; 10]), orders: 2, last }
    }

    #[test]
    fn a_station_is_silent_once_each_of_its_chips_waits_longer_than_a_lease() {
        let at = (NOW, Duration::minutes(10));
        let doing = |state, chips: &[Writing], blanks| station(listed(state), chips.to_vec(), blanks, None, at).doing;
        let (long_ago, now) = (chip(Some(NOW - Duration::minutes(11))), chip(Some(NOW - Duration::minutes(10))));
        assert_eq!(doing("in-use", std::slice::from_ref(&long_ago), 3), Doing::Silent);
        assert_eq!(doing("expired", std::slice::from_ref(&long_ago), 3), Doing::Silent);
        assert_eq!(doing("in-use", &[long_ago.clone(), now.clone()], 3), Doing::Writing);
        assert_eq!(doing("in-use", &[], 3), Doing::Ready);
        assert_eq!(doing("in-use", &[], 0), Doing::NoBlanks);
        assert_eq!(doing("expired", &[now], 3), Doing::Shut);
        assert_eq!(doing(stations::TAMPERED, &[], 3), Doing::Shut);
        assert_eq!(doing("revoked", &[long_ago], 3), Doing::Revoked);
    }

    #[test]
    fn a_failure_has_the_words_of_the_catalogue_in_both_languages() {
        for code in ["chip-refused", "read-back-refused", "batch-item-elsewhere"] {
            let [vi, en] = [true, false].map(|vietnamese| remedy(code, vietnamese).unwrap());
            assert!(vi != en && !vi.1.is_empty() && !en.0.is_empty(), "{code}");
        }
        assert_eq!(remedy("bent in the drawer", true), None);
        for (code, entry) in &*OF_STATIONS {
            let words = [&entry.en.cause, &entry.en.remedy, &entry.vi.cause, &entry.vi.remedy];
            assert!(words.iter().all(|text| !text.trim().is_empty()), "{code}");
        }
    }
}
