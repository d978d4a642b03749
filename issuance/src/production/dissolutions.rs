//! An office is dissolved with work in it: as two administrators of the national office say, its officers and stations
//! work at the office that takes its place, and its open applications, its stock, its boxes, batches and cases go
//! there. What is much moves in stretches: each is one transaction, and what is left is found anew, so that a crash
//! between two of them, or within one, loses nothing. Meanwhile the office is `closing` and takes no new work.

use std::collections::BTreeSet;

use crypto::identity::CardSerial;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use utoipa::ToSchema;

use super::cases::{self, CaseKind, Difference};
use super::error::ProductionError;
use super::ledger::{self, Movement};
use super::model::{Chip, ChipState};
use super::store;
use super::store::dissolutions as kept;
use crate::access::dissolutions::{self as ends, Dissolution, DissolutionState, OfficeEnded};
use crate::applications::model::{Application, Stage};
use crate::applications::store::items;
use crate::applications::{moving, progress, store as dossiers};
use crate::deed::{Action, Deed, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::actor::{Actor, Service};
use crate::ground::ids::{ApplicationId, BoxId, CaseId, DissolutionId, EntryId, StationId};
use crate::ground::text::{MOST_OF_REASON, tidy};
use crate::ground::{Decision, Id, OfficeCode, Officer, OtherOffice, Permission, Role};
use crate::store::{StoreError, Tx};
use crate::{access, cards, numbering, offices, population};

/// What waits at an office, and who works there.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = OfficeWork)]
pub struct Work {
    /// Applications that are under way, and refused ones about which a complaint may come.
    pub applications: u64,
    /// Cards among them that can be fetched.
    pub cards_to_fetch: u64,
    /// Chips of the store room, spoiled ones too.
    pub chips: u64,
    /// Chips that its stations hold and that are no card yet.
    pub chips_at_stations: u64,
    /// Boxes on their way from it or to it.
    pub boxes: u64,
    /// Differences of its stock that are not settled.
    pub cases: u64,
    /// Batches of cards, and of its stations, that are not closed.
    pub batches: u64,
    /// Officers in service.
    pub officers: u64,
    /// Stations that are not revoked.
    pub stations: u64,
    /// Leases of numbers that are open. They stay as they are, and the office that takes its place acts for them.
    pub leases: u64,
    /// Units directly below it: they are put under another one before.
    pub units_below: u64,
}

impl Work {
    /// Returns each kind of work with how much of it there is.
    fn parts(&self) -> [(&'static str, u64); 11] {
        [
            ("applications", self.applications),
            ("cards to fetch", self.cards_to_fetch),
            ("chips", self.chips),
            ("chips at stations", self.chips_at_stations),
            ("boxes", self.boxes),
            ("cases", self.cases),
            ("batches", self.batches),
            ("officers", self.officers),
            ("stations", self.stations),
            ("leases of numbers", self.leases),
            ("units below", self.units_below),
        ]
    }

    /// Returns what there is, in words; nothing where nothing is left.
    #[must_use]
    pub fn in_words(&self) -> String {
        let some = self.parts().into_iter().filter(|(_, n)| *n > 0);
        some.map(|(what, n)| format!("{n} {what}")).collect::<Vec<_>>().join(", ")
    }

    /// True if nothing is left that moves.
    const fn is_moved(&self) -> bool {
        let stock = self.chips + self.chips_at_stations + self.boxes + self.cases + self.batches;
        self.applications + stock + self.officers + self.stations == 0
    }
}

/// An end of an office, with what waits there now.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The end.
    pub dissolution: Dissolution,
    /// What waits there.
    pub work: Work,
}

impl Plan {
    /// Names what was proposed and what waits: it is what the second administrator read.
    #[must_use]
    pub fn digest(&self) -> String {
        let Dissolution { id, office, successor, reason, proposed, .. } = &self.dissolution;
        let mut parts = vec![id.to_string(), office.to_string(), reason.clone(), proposed.by.to_string()];
        parts.push(successor.as_ref().map(ToString::to_string).unwrap_or_default());
        parts.extend(self.work.parts().map(|(what, n)| format!("{n} {what}")));
        let mut hash = Sha256::new();
        for part in &parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    }
}

/// Returns what waits at an office, and who works there.
///
/// # Errors
/// [`StoreError`]
pub async fn work(tx: &mut Tx, office: &OfficeCode, now: time::OffsetDateTime) -> Result<Work, StoreError> {
    let (applications, cards_to_fetch) = dossiers::moving::count_not_ended(tx, office, now).await?;
    let kept::StockLeft { chips, chips_at_stations, boxes, cases, batches } = kept::count(tx, office).await?;
    Ok(Work {
        applications,
        cards_to_fetch,
        chips,
        chips_at_stations,
        boxes,
        cases,
        batches,
        officers: ends::officers(tx, office).await?.len() as u64,
        stations: ends::stations(tx, office).await?.len() as u64,
        leases: numbering::open_leases(tx, office, now).await?,
        units_below: offices::steps::units_below(tx, office).await?,
    })
}

/// Proposes that an office is dissolved and which one takes its place. Nothing moves before another administrator of
/// the national office confirms it. Proposed again, the later proposal counts.
///
/// # Errors
/// [`DissolutionError`]
pub async fn propose(
    deed: &mut Deed<Officer>,
    office: &OfficeCode,
    successor: Option<&OfficeCode>,
    reason: &str,
) -> Result<Plan, DissolutionError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let fits = |text: &String| text.chars().count() <= MOST_OF_REASON;
    let reason = tidy(reason).filter(fits).ok_or(DissolutionError::ReasonMissing)?;
    ends::lock(deed.tx()).await?;
    let work = fitting(deed, office, successor).await?;
    let dissolution = Dissolution {
        id: deed.id(),
        office: office.clone(),
        successor: successor.cloned(),
        reason,
        proposed: deed.decision(),
        state: DissolutionState::Proposed,
        confirmed: None,
        applications: 0,
        chips: 0,
        ended_at: None,
    };
    ends::insert(deed.tx(), &dissolution).await?;
    tell(deed, &dissolution, Action::OfficeDissolutionProposed, dissolution.reason.clone()).await?;
    Ok(Plan { dissolution, work })
}

/// Takes the proposal back that an office is dissolved: the administrator who made it, or another one who disagrees.
///
/// # Errors
/// [`DissolutionError::ProposalUnknown`]
pub async fn withdraw(deed: &mut Deed<Officer>, office: &OfficeCode) -> Result<Plan, DissolutionError> {
    let mut dissolution = proposed(deed, office).await?;
    dissolution.state = DissolutionState::Withdrawn;
    ends::change(deed.tx(), &dissolution).await?;
    tell(deed, &dissolution, Action::OfficeDissolutionWithdrawn, "withdrawn".to_owned()).await?;
    let at = deed.at();
    let work = work(deed.tx(), office, at).await?;
    Ok(Plan { dissolution, work })
}

/// Dissolves an office, as another administrator proposed in the last week and as it was read. From now on it takes no
/// new work, its officers work at the office that takes its place, and the first stretch moves, of at most so many
/// applications and chips; where it is the last one too, the office is dissolved at once, else the service goes on.
///
/// # Errors
/// [`DissolutionError::ProposalChanged`] where something else waits there than was read; [`DissolutionError`]
pub async fn confirm(
    deed: &mut Deed<Officer>,
    office: &OfficeCode,
    digest: &str,
    most: usize,
) -> Result<Plan, DissolutionError> {
    let mut dissolution = proposed(deed, office).await?;
    if deed.actor().is_one_with(dissolution.proposed.by) {
        return Err(DissolutionError::SecondAdministrator);
    }
    let first = access::post_of_officer(deed.tx(), dissolution.proposed.by).await?;
    let administers = first.is_some_and(|(at, roles)| {
        at == OfficeCode::national() && Permission::Administer.roles().iter().any(|role| roles.contains(role))
    });
    if !administers {
        return Err(DissolutionError::ProposalStale);
    }
    let work = fitting(deed, office, dissolution.successor.as_ref()).await?;
    let plan = Plan { dissolution: dissolution.clone(), work };
    if plan.digest() != digest {
        return Err(DissolutionError::ProposalChanged);
    }
    (dissolution.state, dissolution.confirmed) = (DissolutionState::Closing, Some(deed.decision()));
    ends::change(deed.tx(), &dissolution).await?;
    tell(deed, &dissolution, Action::OfficeClosing, work.in_words()).await?;
    let at = deed.at();
    if let Some(to) = dissolution.successor.clone() {
        for officer in ends::move_officers(deed.tx(), office, &to, at).await? {
            let entry = Entry::new(Action::OfficerChanged, Object::Officer(officer), Purpose::Administration);
            deed.enter(entry.of(&to).because(format!("office {to}: {office} is dissolved"))).await?;
        }
    }
    Box::pin(stretch(deed, &mut dissolution, &mut Cursor::default(), most)).await?;
    let work = self::work(deed.tx(), office, at).await?;
    Ok(Plan { dissolution, work })
}

/// Goes on with each office that is closing, stretch by stretch, until nothing is left there. Returns how many were
/// dissolved.
///
/// # Errors
/// [`DissolutionError::Stays`] where a row that another hand changed is left behind: everything else moved
pub async fn go_on(deeds: &Deeds) -> Result<u64, DissolutionError> {
    let closing = ends::closing(&mut deeds.db().begin_read().await?).await?;
    let mut stays = Vec::new();
    for id in &closing {
        let mut cursor = Cursor::default();
        while Box::pin(one_stretch(deeds, *id, &mut cursor, PIECE)).await? {}
        stays.append(&mut cursor.faults);
    }
    if !stays.is_empty() {
        return Err(DissolutionError::Stays(stays.join(", ")));
    }
    if closing.is_empty() {
        return Ok(0);
    }
    let still = ends::closing(&mut deeds.db().begin_read().await?).await?;
    Ok(closing.iter().filter(|id| !still.contains(id)).count() as u64)
}

/// Moves the next stretch of an office that is closing, of at most so many applications and chips, in a transaction of
/// its own. Returns true if more is left that can be moved.
///
/// # Errors
/// [`DissolutionError`]
pub async fn one_stretch(
    deeds: &Deeds,
    id: DissolutionId,
    cursor: &mut Cursor,
    most: usize,
) -> Result<bool, DissolutionError> {
    let mut deed = deeds.open(Service).await?;
    let found = ends::locked(deed.tx(), id).await?;
    let Some(mut dissolution) = found.filter(|found| found.state == DissolutionState::Closing) else {
        return Ok(false);
    };
    let (moved, more) = stretch(&mut deed, &mut dissolution, cursor, most).await?;
    // Nothing was written where nothing moved: there is no record, and nothing to become true.
    if moved {
        deed.commit().await?;
    }
    Ok(more)
}

/// Where a walk over what an office has is, and what could not be moved.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    application: Option<ApplicationId>,
    chip: String,
    faults: Vec<String>,
}

impl Cursor {
    /// Notes a row that another hand changed, and passes over it: it keeps nothing else back.
    fn pass_over(&mut self, what: String, error: &StoreError) {
        tracing::error!(%error, "{what} of an office that is closing cannot be moved: issuance verify");
        if !self.faults.contains(&what) {
            self.faults.push(what);
        }
    }
}

/// Moves what comes next. Returns whether anything was written, and whether more is left.
async fn stretch<A: Actor>(
    deed: &mut Deed<A>,
    dissolution: &mut Dissolution,
    cursor: &mut Cursor,
    most: usize,
) -> Result<(bool, bool), DissolutionError> {
    let before = (dissolution.applications, dissolution.chips);
    let office = dissolution.office.clone();
    let Some(to) = dissolution.successor.clone() else {
        end(deed, dissolution).await?;
        return Ok((true, false));
    };
    let (mut left, mut wrote) = (most, false);
    let way = Way { from: &office, to: &to };
    for station in ends::stations(deed.tx(), &office).await? {
        if left == 0 {
            break;
        }
        match way.station(deed, station, cursor).await {
            Ok((applications, chips)) => {
                dissolution.applications += applications;
                dissolution.chips += chips;
                left = left.saturating_sub(usize::try_from(chips).unwrap_or(usize::MAX).max(1));
                wrote = true;
            }
            Err(error) => cursor.pass_over(Object::Station(station).to_string(), &changed_by_another_hand(error)?),
        }
    }
    for id in kept::boxes(deed.tx(), &office).await? {
        if left == 0 {
            break;
        }
        match way.stock_box(deed, id).await {
            Ok(chips) => {
                dissolution.chips += chips;
                left = left.saturating_sub(usize::try_from(chips).unwrap_or(usize::MAX).max(1));
                wrote = true;
            }
            Err(error) => cursor.pass_over(Object::StockBox(id).to_string(), &changed_by_another_hand(error)?),
        }
    }
    if left > 0 {
        wrote |= way.batches(deed, cursor).await?;
        for id in kept::cases(deed.tx(), &office).await? {
            match way.case(deed, id).await {
                Ok(()) => wrote = true,
                Err(error) => cursor.pass_over(Object::StockCase(id).to_string(), &changed_by_another_hand(error)?),
            }
        }
    }
    let at = deed.at();
    while left > 0 {
        let (after, piece) = (cursor.application.unwrap_or(Id::nil()), i64::try_from(left).unwrap_or(i64::MAX));
        let some = dossiers::moving::not_ended(deed.tx(), &office, at, after, piece).await?;
        if some.is_empty() {
            break;
        }
        for id in some {
            (cursor.application, left) = (Some(id), left - 1);
            match way.application(deed, id).await {
                Ok((moved, chip)) => {
                    dissolution.applications += u64::from(moved);
                    dissolution.chips += u64::from(chip);
                    wrote = true;
                }
                Err(error) => cursor.pass_over(Object::Application(id).to_string(), &changed_by_another_hand(error)?),
            }
        }
    }
    let more = if left == 0 { true } else { way.chips(deed, dissolution, cursor, left, &mut wrote).await? };
    if !more && work(deed.tx(), &office, at).await?.is_moved() {
        end(deed, dissolution).await?;
        wrote = true;
    } else if before != (dissolution.applications, dissolution.chips) {
        ends::change(deed.tx(), dissolution).await?;
    }
    Ok((wrote, more))
}

/// An error that says that another hand changed a row; any other one goes up.
fn changed_by_another_hand(error: DissolutionError) -> Result<StoreError, DissolutionError> {
    match error {
        DissolutionError::Store(error @ (StoreError::Tampered { .. } | StoreError::Inconsistent { .. })) => Ok(error),
        DissolutionError::Production(source) => match *source {
            ProductionError::Store(error @ (StoreError::Tampered { .. } | StoreError::Inconsistent { .. })) => {
                Ok(error)
            }
            other => Err(other.into()),
        },
        error => Err(error),
    }
}

/// From the office that is dissolved to the one that takes its place.
#[derive(Clone, Copy)]
struct Way<'a> {
    from: &'a OfficeCode,
    to: &'a OfficeCode,
}

impl Way<'_> {
    /// A station stands at the other office from now on, with the chips that it holds and the applications that it is
    /// writing on them. Returns how many of both moved.
    async fn station<A: Actor>(
        &self,
        deed: &mut Deed<A>,
        id: StationId,
        cursor: &mut Cursor,
    ) -> Result<(u64, u64), DissolutionError> {
        ends::move_station(deed.tx(), id, self.to).await?;
        let held = kept::chips_at(deed.tx(), self.from, id).await?;
        let said = format!("station, {} chips", held.len());
        let entry = self.moved(deed, Object::Station(id), said).await?;
        let (mut applications, mut chips) = (0, 0);
        for serial in held {
            match self.held(deed, serial, entry).await {
                Ok((moved, chip)) => {
                    (applications, chips) = (applications + u64::from(moved), chips + u64::from(chip));
                }
                Err(error) => cursor.pass_over(Object::Chip(serial).to_string(), &changed_by_another_hand(error)?),
            }
        }
        Ok((applications, chips))
    }

    /// A chip that a station holds moves with it, and the application that is being written on it. Returns whether an
    /// application moved, and whether the chip did.
    async fn held<A: Actor>(
        &self,
        deed: &mut Deed<A>,
        serial: CardSerial,
        entry: EntryId,
    ) -> Result<(bool, bool), DissolutionError> {
        let Some(chip) = store::chip_locked(deed.tx(), &serial).await? else { return Ok((false, false)) };
        let ours = match chip.state {
            ChipState::Bound { application, .. } => {
                let done = self.application(deed, application).await?;
                if done.1 {
                    return Ok(done);
                }
                done.0
            }
            _ => false,
        };
        // Blank, or written for another office's application.
        self.chip(deed, chip, entry).await?;
        Ok((ours, true))
    }

    /// A box that is on its way is the other office's: of the sender, of the receiver. Returns how many chips moved.
    async fn stock_box<A: Actor>(&self, deed: &mut Deed<A>, id: BoxId) -> Result<u64, DissolutionError> {
        let Some(boxed) = store::boxes::locked(deed.tx(), id).await? else { return Ok(0) };
        kept::give_box(deed.tx(), id, self.from, self.to).await?;
        let said = if boxed.to == *self.from { "redirected" } else { "sent from there" };
        let entry = self.moved(deed, Object::StockBox(id), said.to_owned()).await?;
        let (mut serials, mut moved) = (boxed.serials, 0);
        serials.sort_unstable();
        for serial in &serials {
            let chip = store::chip_locked(deed.tx(), serial).await?;
            let Some(chip) = chip.filter(|chip| chip.boxed == Some(id) && chip.office == *self.from) else { continue };
            self.chip(deed, chip, entry).await?;
            moved += 1;
        }
        Ok(moved)
    }

    /// Batches that are not closed are the other office's. Returns true if there was one.
    async fn batches<A: Actor>(&self, deed: &mut Deed<A>, cursor: &mut Cursor) -> Result<bool, DissolutionError> {
        let mut any = false;
        for id in kept::batches(deed.tx(), self.from).await? {
            match kept::give_batch(deed.tx(), id, self.to).await {
                Ok(()) => {
                    self.moved(deed, Object::ProductionBatch(id), "batch".to_owned()).await?;
                    any = true;
                }
                Err(error) => {
                    let what = Object::ProductionBatch(id).to_string();
                    cursor.pass_over(what, &changed_by_another_hand(error.into())?);
                }
            }
        }
        for id in kept::card_batches(deed.tx(), self.from).await? {
            let given = match kept::give_card_batch(deed.tx(), id, self.to).await {
                Ok(()) => items::give(deed.tx(), id, self.to).await,
                refused => refused,
            };
            match given {
                Ok(()) => {
                    self.moved(deed, Object::CardBatch(id), "batch of cards".to_owned()).await?;
                    any = true;
                }
                Err(error) => {
                    cursor.pass_over(Object::CardBatch(id).to_string(), &changed_by_another_hand(error.into())?);
                }
            }
        }
        Ok(any)
    }

    /// A difference that is not settled is the other office's.
    async fn case<A: Actor>(&self, deed: &mut Deed<A>, id: CaseId) -> Result<(), DissolutionError> {
        let Some(mut case) = store::cases::locked(deed.tx(), id).await? else { return Ok(()) };
        if case.office == *self.from {
            case.office = self.to.clone();
        }
        if case.from.as_ref() == Some(self.from) {
            case.from = Some(self.to.clone());
        }
        // What a count of the store room missed is on the other office's account from now on.
        if case.subject == Object::Unit(self.from.to_string()).to_string() {
            case.subject = Object::Unit(self.to.to_string()).to_string();
        }
        kept::give_case(deed.tx(), &case).await?;
        self.moved(deed, Object::StockCase(id), "case".to_owned()).await?;
        Ok(())
    }

    /// An application is the other office's, with its card and the chip that lies at this one. Returns whether it
    /// moved, and whether a chip did.
    async fn application<A: Actor>(
        &self,
        deed: &mut Deed<A>,
        id: ApplicationId,
    ) -> Result<(bool, bool), DissolutionError> {
        let Some(found) = dossiers::application(deed, id).await? else { return Ok((false, false)) };
        match self.give(deed, &found).await {
            Err(error) => {
                // It stays, and was read all the same.
                let error = changed_by_another_hand(error)?;
                let entry = Entry::new(Action::ApplicationRead, Object::Application(id), Purpose::Administration);
                deed.enter(entry.about(found.person).of(&found.office)).await?;
                Err(error.into())
            }
            done => done,
        }
    }

    /// As [`application`](Self::application), for one that was read. Nothing is written before all of it is verified.
    async fn give<A: Actor>(&self, deed: &mut Deed<A>, found: &Application) -> Result<(bool, bool), DissolutionError> {
        let id = found.id;
        // Chip before application: the order in which every verb locks them.
        let serial = match (found.stage.chip(), found.stage.card()) {
            (Some(serial), _) => Some(serial),
            (None, Some(card)) => {
                cards::store::digests(deed.tx(), &[card]).await?.first().map(|(_, (serial, _))| *serial)
            }
            (None, None) => None,
        };
        let chip = match &serial {
            Some(serial) => store::chip_locked(deed.tx(), serial).await?,
            None => None,
        };
        let application = dossiers::application_locked(deed, id).await?;
        let same = |now: &Application| {
            now.office == *self.from && (now.stage.chip(), now.stage.card()) == (found.stage.chip(), found.stage.card())
        };
        let Some(application) = application.filter(same) else {
            // It moved on between the look and the lock: another stretch finds it.
            let entry = Entry::new(Action::ApplicationRead, Object::Application(id), Purpose::Administration);
            deed.enter(entry.about(found.person).of(&found.office)).await?;
            return Ok((false, false));
        };
        let card = application.stage.card();
        // First what may be refused: a right or a card that another hand changed.
        let at = deed.at();
        population::store::open_to(deed.tx(), application.person, self.to, id, at).await?;
        if let Some(card) = card {
            cards::steps::give(deed, card, self.to).await?;
        }
        let entry = moving::give(deed, &application, self.to).await?;
        let lies_here = |chip: &Chip| {
            let is_its = matches!(chip.state, ChipState::Bound { .. } | ChipState::Personalized { .. });
            is_its && chip.office == *self.from && chip.boxed.is_none()
        };
        let is_there = chip.as_ref().is_some_and(|chip| chip.office == *self.to && chip.boxed.is_none());
        let moves = chip.filter(lies_here);
        let chip_moved = moves.is_some();
        if let Some(chip) = moves {
            self.chip(deed, chip, entry).await?;
        }
        // Made at the office that has it now: there is nothing to ship any more.
        if let (Stage::Shipped { .. }, true, Some(card)) = (&application.stage, is_there, card) {
            let stage = application.stage.clone().arrive().map_err(ProductionError::from)?;
            progress::move_to(deed, id, &stage).await?;
            let entry = Entry::new(Action::CardArrived, Object::Card(card), Purpose::Stock).about(application.person);
            deed.enter(entry.of(self.to).because(format!("{} is dissolved", self.from))).await?;
        }
        Ok((true, chip_moved))
    }

    /// Chips of the store room are the other office's, and lost ones, which may be found.
    /// Returns true if more are left.
    async fn chips<A: Actor>(
        &self,
        deed: &mut Deed<A>,
        dissolution: &mut Dissolution,
        cursor: &mut Cursor,
        most: usize,
        wrote: &mut bool,
    ) -> Result<bool, DissolutionError> {
        let piece = i64::try_from(most).unwrap_or(i64::MAX);
        let some = kept::chips(deed.tx(), self.from, &cursor.chip, piece).await?;
        let more = some.len() == most;
        if some.is_empty() {
            return Ok(false);
        }
        let said = format!("{} chips", some.len());
        let entry = self.moved(deed, Object::Unit(self.from.to_string()), said).await?;
        *wrote = true;
        for serial in some {
            cursor.chip = serial.to_string();
            match store::chip_locked(deed.tx(), &serial).await {
                Ok(Some(chip)) if chip.office == *self.from && chip.boxed.is_none() => {
                    self.chip(deed, chip, entry).await?;
                    dissolution.chips += 1;
                }
                Ok(_) => {}
                Err(error) => {
                    cursor.pass_over(Object::Chip(serial).to_string(), &changed_by_another_hand(error.into())?);
                }
            }
        }
        Ok(more)
    }

    /// Posts a chip from an account of this office to the same account of the other one.
    async fn chip<A: Actor>(&self, deed: &mut Deed<A>, mut chip: Chip, entry: EntryId) -> Result<(), DissolutionError> {
        chip.office = self.to.clone();
        Ok(ledger::post_under(deed, &mut chip, Movement::Moved, entry).await?)
    }

    /// Records that something is the other office's from now on.
    async fn moved<A: Actor>(&self, deed: &mut Deed<A>, what: Object, said: String) -> Result<EntryId, StoreError> {
        let entry = Entry::new(Action::OfficeWorkMoved, what, Purpose::Administration);
        deed.entered(entry.with(Object::Unit(self.to.to_string())).of(self.to).because(said)).await
    }
}

/// An office has nothing left. Its successor is asked to count the store room, where chips came into it.
async fn end<A: Actor>(deed: &mut Deed<A>, dissolution: &mut Dissolution) -> Result<(), DissolutionError> {
    if let Some(to) = dissolution.successor.clone().filter(|_| dissolution.chips > 0) {
        let subject = Object::Unit(to.to_string());
        if store::cases::unsettled_about(deed.tx(), &subject.to_string()).await?.is_empty() {
            // The service itself asks: then no officer opened it.
            let opener = Decision { by: Id::nil(), at: deed.at() };
            let (kind, missing, extra) = (CaseKind::Count, Vec::new(), Vec::new());
            let asked = Difference { kind, office: to, from: None, subject, missing, extra };
            cases::open_by(deed, opener, asked).await?;
        }
    }
    (dissolution.state, dissolution.ended_at) = (DissolutionState::Dissolved, Some(deed.at()));
    ends::change(deed.tx(), dissolution).await?;
    let said = format!("{} applications and {} chips moved", dissolution.applications, dissolution.chips);
    Ok(tell(deed, dissolution, Action::OfficeDissolved, said).await?)
}

/// Returns the proposal about an office that waits for a second administrator.
async fn proposed(deed: &mut Deed<Officer>, office: &OfficeCode) -> Result<Dissolution, DissolutionError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    ends::lock(deed.tx()).await?;
    let now = deed.at();
    let last = ends::last(deed.tx(), office).await?.filter(|last| last.is_proposed(now));
    last.ok_or(DissolutionError::ProposalUnknown)
}

/// Refuses what cannot be: an end of an office that is none or has ended, and an office that cannot take its place.
/// Returns what waits.
async fn fitting(
    deed: &mut Deed<Officer>,
    office: &OfficeCode,
    successor: Option<&OfficeCode>,
) -> Result<Work, DissolutionError> {
    use DissolutionUnfit as U;
    let (national, at) = (OfficeCode::national(), deed.at());
    if *office == national {
        return Err(U::National.into());
    }
    if let Some(ended) = ends::ended(deed.tx(), office).await? {
        return Err(ended.into());
    }
    let work = work(deed.tx(), office, at).await?;
    if work == Work::default() && !offices::steps::is_unit(deed.tx(), office).await? {
        return Err(DissolutionError::UnitUnknown);
    }
    if ends::closing_into(deed.tx(), office).await? {
        return Err(U::TakesOver.into());
    }
    if work.units_below > 0 {
        return Err(U::UnitsBelow(work.units_below).into());
    }
    let Some(to) = successor else {
        return if work == Work::default() { Ok(work) } else { Err(U::WorkLeft(work.in_words()).into()) };
    };
    if to == office {
        return Err(U::Itself.into());
    }
    if ends::ended(deed.tx(), to).await?.is_some() {
        return Err(U::SuccessorEnded.into());
    }
    let there = ends::officers(deed.tx(), to).await?;
    if there.is_empty() && !offices::steps::is_unit(deed.tx(), to).await? {
        return Err(U::NoOffice.into());
    }
    // An officer of the national office acts for every office: that is not given in passing.
    if *to == national && work.officers > 0 {
        return Err(U::OfficersToNational(work.officers).into());
    }
    let come = ends::officers(deed.tx(), office).await?;
    let roles: BTreeSet<&str> =
        there.iter().chain(&come).flat_map(|(_, roles)| roles).map(|role| role.name()).collect();
    let mut needed = dossiers::moving::roles_with_work(deed.tx(), office).await?;
    if work.chips + work.chips_at_stations + work.boxes + work.cases > 0 {
        needed.push(Role::Stock.name().to_owned());
    }
    match needed.into_iter().find(|role| !roles.contains(role.as_str())) {
        Some(role) => Err(U::NoOfficer(role).into()),
        None => Ok(work),
    }
}

async fn tell<A: Actor>(
    deed: &mut Deed<A>,
    dissolution: &Dissolution,
    action: Action,
    said: String,
) -> Result<(), StoreError> {
    let object = |office: &OfficeCode| Object::Unit(office.to_string());
    let entry = Entry::new(action, object(&dissolution.office), Purpose::Administration).of(&dissolution.office);
    let related = dissolution.successor.as_ref().map(object);
    deed.enter(Entry { related, reason: Some(said).filter(|said| !said.is_empty()), ..entry }).await
}

/// Why an office cannot be dissolved so.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum DissolutionUnfit {
    /// It is to take its own place.
    #[error("an office does not take its own place")]
    Itself,
    /// The national office stays.
    #[error("the national office is not dissolved")]
    National,
    /// The successor is no unit and has no officers.
    #[error("the office that is to take its place is no unit, and has no officer in service")]
    NoOffice,
    /// Work waits for a role that no officer would have.
    #[error("work waits for {0}, and neither office has an officer in service who is one")]
    NoOfficer(String),
    /// Officers would come to act for every office.
    #[error("its {0} officers in service do not come to the national office with it: move them, or end their service")]
    OfficersToNational(u64),
    /// The successor is dissolved, or about to be.
    #[error("the office that is to take its place is dissolved, or about to be")]
    SuccessorEnded,
    /// Another office is closing in its favour.
    #[error("it takes the place of an office that is closing: wait until that one is dissolved")]
    TakesOver,
    /// Units stand below it.
    #[error("{0} units stand below it: put them under another one first")]
    UnitsBelow(u64),
    /// Without a successor, nothing may be left.
    #[error("no office is named that takes its place, and there are {0}")]
    WorkLeft(String),
}

/// Why an office is not dissolved.
#[derive(Debug, Error)]
pub enum DissolutionError {
    /// The record.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The office is dissolved, or about to be.
    #[error(transparent)]
    Ended(#[from] OfficeEnded),
    /// The national office decides it.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// The stock, an application or a card.
    #[error(transparent)]
    Production(Box<ProductionError>),
    /// Something else is proposed, or waits there, than was read.
    #[error("it is proposed otherwise, or something else waits there, than was read: read it again")]
    ProposalChanged,
    /// The administrator who proposed it has left that post.
    #[error("the administrator who proposed it has left that post: propose it anew")]
    ProposalStale,
    /// Nothing of the last week waits.
    #[error("nothing was proposed about this office in the last week that waits")]
    ProposalUnknown,
    /// No reason.
    #[error("the reason has 1 to 400 characters")]
    ReasonMissing,
    /// The same administrator twice.
    #[error("another administrator than the one who proposed it")]
    SecondAdministrator,
    /// Rows that another hand changed are left behind.
    #[error("cannot be moved, since another hand changed them: {0}")]
    Stays(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be dissolved so.
    #[error(transparent)]
    Unfit(#[from] DissolutionUnfit),
    /// No such office.
    #[error("no unit has this code, and nothing waits and no officer works under it")]
    UnitUnknown,
}

impl From<ProductionError> for DissolutionError {
    fn from(error: ProductionError) -> Self {
        match error {
            ProductionError::Store(error) => Self::Store(error),
            other => Self::Production(Box::new(other)),
        }
    }
}

/// So many applications and chips move in one transaction: other writers wait less than a second for it.
pub const PIECE: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(reason: &str, work: Work) -> Plan {
        let dissolution = Dissolution {
            id: Id::nil(),
            office: "o-1".parse().unwrap(),
            successor: "o-2".parse().ok(),
            reason: reason.to_owned(),
            proposed: Decision { by: Id::nil(), at: time::OffsetDateTime::UNIX_EPOCH },
            state: DissolutionState::Proposed,
            confirmed: None,
            applications: 0,
            chips: 0,
            ended_at: None,
        };
        Plan { dissolution, work }
    }

    #[test]
    fn what_was_read_is_what_was_proposed_and_each_number_of_what_waits() {
        let some = Work { applications: 3, chips: 12, ..Work::default() };
        assert_eq!(plan("x", some).digest(), plan("x", some).digest());
        let others = [
            plan("y", some),
            plan("x", Work { applications: 12, chips: 3, ..Work::default() }),
            plan("x", Work { leases: 1, ..some }),
        ];
        for other in others {
            assert_ne!(plan("x", some).digest(), other.digest());
        }
        assert_eq!(some.in_words(), "3 applications, 12 chips");
        assert_eq!(Work::default().in_words(), "");
    }

    #[test]
    fn leases_stay_and_everything_else_must_move() {
        assert!(Work { leases: 5, units_below: 1, ..Work::default() }.is_moved());
        for left in [
            Work { applications: 1, ..Work::default() },
            Work { chips: 1, ..Work::default() },
            Work { chips_at_stations: 1, ..Work::default() },
            Work { boxes: 1, ..Work::default() },
            Work { cases: 1, ..Work::default() },
            Work { batches: 1, ..Work::default() },
            Work { officers: 1, ..Work::default() },
            Work { stations: 1, ..Work::default() },
        ] {
            assert!(!left.is_moved(), "{left:?}");
        }
    }
}
