//! Blanks and finished cards on their way from one office to another: in a box that one office sends and the other one
//! receives chip by chip. What differs stays on the courier's account until two officers settle it.

use std::collections::{BTreeMap, BTreeSet};

use crypto::identity::CardSerial;

use super::cases::{self, Case, CaseKind, CaseOutcome, Difference};
use super::error::ProductionError;
use super::ledger::{self, Movement};
use super::model::{Chip, ChipState};
use super::steps::{MOST_IN_CUSTODY, Trays, may_move};
use super::store;
use super::store::boxes::{self as kept, BoxEnd, StockBox};
use crate::applications::model::{Application, Stage};
use crate::applications::progress::move_to;
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::actor::Service;
use crate::ground::ids::{BoxId, CaseId, EntryId};
use crate::ground::text::tidy;
use crate::ground::{Decision, OfficeCode, Officer, Role};
use crate::{access, applications, cards, offices};

/// Puts blanks of one office into a box for another one, which receives it within so many working days. From now on
/// they are on the courier's account.
///
/// # Errors
/// As `begun`; [`ProductionError::OfChip`] for what is no blank that may leave the store room or station.
pub async fn send(
    deed: &mut Deed<Officer>,
    serials: &[CardSerial],
    to: OfficeCode,
    days: u32,
) -> Result<StockBox, ProductionError> {
    let (sent, entry) = begun(deed, serials, to, None, days).await?;
    let mut left = Trays::default();
    for serial in &sent.serials {
        let of_chip = |why| ProductionError::OfChip { serial: *serial, source: Box::new(why) };
        let mut chip = may_move(deed, serial).await.map_err(of_chip)?;
        if chip.office != sent.from {
            return Err(of_chip(crate::ground::OtherOffice.into()));
        }
        left.leaves(&chip);
        (chip.custody, chip.boxed) = (None, Some(sent.id));
        ledger::post_under(deed, &mut chip, Movement::Sent, entry).await?;
    }
    left.refuse_open(deed.tx()).await?;
    Ok(sent)
}

/// Begins a box of blanks, or a parcel of cards that has a seal: from the office of the chip with the first serial to
/// another one that receives boxes, with the day by which it is received. Returns it, and its record.
///
/// # Errors
/// [`ProductionError::ListTooLong`], [`ProductionError::DeliveryEmpty`], [`ProductionError::ChipUnknown`],
/// [`ProductionError::OtherOffice`]; [`ProductionError::BoxUnfit`] for a box to the office that sends it,
/// [`ProductionError::OfficeUnknown`], [`ProductionError::SealUsed`]
async fn begun(
    deed: &mut Deed<Officer>,
    serials: &[CardSerial],
    to: OfficeCode,
    seal: Option<String>,
    days: u32,
) -> Result<(StockBox, EntryId), ProductionError> {
    // One order for all transactions that lock several chips.
    let serials: BTreeSet<CardSerial> = serials.iter().copied().collect();
    if serials.len() > MOST_IN_CUSTODY {
        return Err(ProductionError::ListTooLong { most: MOST_IN_CUSTODY });
    }
    let Some(first) = serials.first() else { return Err(ProductionError::DeliveryEmpty) };
    let from = store::chip_locked(deed.tx(), first).await?.ok_or(ProductionError::ChipUnknown)?.office;
    deed.actor().may_act_for(&from)?;
    if from == to {
        return Err(ProductionError::BoxUnfit);
    }
    receives_boxes(deed, &to).await?;
    let id = deed.id();
    // A second parcel under one number could be taken for the first, and opened under its seal.
    if let Some(seal) = &seal
        && !kept::use_seal(deed.tx(), &from, seal, id).await?
    {
        return Err(ProductionError::SealUsed);
    }
    let today = deed.today();
    let calendar = offices::steps::calendar(deed.tx(), today.year(), today.year() + 1).await?;
    let due_on = calendar.add_working_days(today, days);
    let (sent, serials) = (deed.decision(), serials.into_iter().collect());
    let (action, what) = match &seal {
        Some(_) => (Action::ParcelSent, "cards"),
        None => (Action::StockBoxSent, "blanks"),
    };
    let sent = StockBox { id, from, to, serials, seal, found_seal: None, sent, due_on, received: None, ended: None };
    kept::insert(deed.tx(), &sent).await?;
    let entry = Entry::new(action, Object::StockBox(id), Purpose::Stock).of(&sent.from);
    let said = format!("{} {what} for {}", sent.serials.len(), sent.to.as_str());
    let entry = deed.entered(entry.because(said)).await?;
    Ok((sent, entry))
}

/// Refuses an office that receives no box: one that is dissolved, is no unit or, where no units are set up, has no
/// stock keeper in service.
async fn receives_boxes(deed: &mut Deed<Officer>, office: &OfficeCode) -> Result<(), ProductionError> {
    if access::dissolutions::ended(deed.tx(), office).await?.is_some() {
        return Err(ProductionError::OfficeUnknown);
    }
    let known = match offices::steps::knows_unit(deed.tx(), office).await? {
        Some(is_unit) => is_unit,
        None => {
            let posts = access::posts_in_service(deed.tx()).await?;
            posts.iter().any(|(at, roles)| at == office && roles.contains(&Role::Stock))
        }
    };
    if known { Ok(()) } else { Err(ProductionError::OfficeUnknown) }
}

/// Calls a box back that was not received: what is in it is at the office that sent it again.
///
/// # Errors
/// [`ProductionError::BoxUnknown`], also for a box that is on its way no more; [`ProductionError::OtherOffice`]
pub async fn call_back(deed: &mut Deed<Officer>, id: BoxId) -> Result<StockBox, ProductionError> {
    let mut boxed = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::BoxUnknown)?;
    deed.actor().may_act_for(&boxed.from)?;
    if !boxed.is_on_its_way() {
        return Err(ProductionError::BoxUnknown);
    }
    boxed.ended = Some((BoxEnd::CalledBack, deed.decision()));
    kept::end(deed.tx(), &boxed).await?;
    let entry = Entry::new(Action::StockBoxCalledBack, Object::StockBox(id), Purpose::Stock).of(&boxed.from);
    let entry = deed.entered(entry).await?;
    for serial in &boxed.serials {
        let chip = store::chip_locked(deed.tx(), serial).await?;
        // What was written off or reported lost meanwhile is on no courier's account.
        let Some(mut chip) = chip.filter(|chip| chip.boxed == Some(id)) else { continue };
        chip.boxed = None;
        ledger::post_under(deed, &mut chip, Movement::Returned, entry).await?;
    }
    for case in store::cases::unsettled_about(deed.tx(), &Object::StockBox(id).to_string()).await? {
        cases::end(deed, case, CaseOutcome::Returned, "called back").await?;
    }
    Ok(boxed)
}

/// Opens a case for each box that was not received by its day. Returns how many. Each is a deed of its own.
///
/// # Errors
/// [`ProductionError`]
pub async fn miss(deeds: &Deeds) -> Result<u64, ProductionError> {
    let (now, today) = (deeds.source().now(), deeds.source().clock().today());
    let mut tx = deeds.db().begin_read().await?;
    let boxes = kept::late(&mut tx, today, now).await?;
    drop(tx);
    let mut opened = 0;
    for late in &boxes {
        let mut deed = deeds.open(Service).await?;
        // Looked at again: it may just have been received.
        let boxed = kept::locked(deed.tx(), late.id).await?.filter(|boxed| boxed.is_late(today, now));
        let Some(boxed) = boxed else { continue };
        let subject = Object::StockBox(boxed.id);
        if !store::cases::unsettled_about(deed.tx(), &subject.to_string()).await?.is_empty() {
            continue;
        }
        let mut missing = Vec::new();
        for serial in &boxed.serials {
            let chip = store::chip_locked(deed.tx(), serial).await?;
            missing.extend(chip.filter(|chip| chip.boxed == Some(boxed.id)).map(|chip| chip.serial));
        }
        let opener = Decision { by: boxed.sent.by, at: deed.at() };
        let (office, from) = (boxed.to.clone(), Some(boxed.from.clone()));
        let difference = Difference { kind: CaseKind::Box, office, from, subject, missing, extra: vec![] };
        cases::open_by(&mut deed, opener, difference).await?;
        deed.commit().await?;
        opened += 1;
    }
    Ok(opened)
}

/// How a parcel of cards is sent.
#[derive(Clone, Copy, Debug)]
pub struct Shipping<'a> {
    /// The number of its seal.
    pub seal: &'a str,
    /// Within so many working days it is received.
    pub days: u32,
    /// True where the body of each card is to be checked before it leaves.
    pub body_check: bool,
}

/// Puts finished cards of applications of another office into a sealed parcel for it. From now on they are on the
/// courier's account.
///
/// # Errors
/// As `begun`; [`ProductionError::OfChip`] with [`ProductionError::NotToShip`] for what is no card that waits to be
/// shipped to that office
pub async fn ship(
    deed: &mut Deed<Officer>,
    serials: &[CardSerial],
    to: OfficeCode,
    shipping: Shipping<'_>,
) -> Result<StockBox, ProductionError> {
    let seal = tidy(shipping.seal).ok_or(ProductionError::Seal)?;
    let (sent, _) = begun(deed, serials, to, Some(seal), shipping.days).await?;
    for serial in &sent.serials {
        let of_chip = |why| ProductionError::OfChip { serial: *serial, source: Box::new(why) };
        let mut chip =
            store::chip_locked(deed.tx(), serial).await?.ok_or_else(|| of_chip(ProductionError::ChipUnknown))?;
        if chip.boxed.is_some() {
            return Err(of_chip(ProductionError::InBox));
        }
        let application = awaits_shipping(deed, &chip).await?;
        let application = application.filter(|application| chip.office == sent.from && application.office == sent.to);
        let application = application.ok_or_else(|| of_chip(ProductionError::NotToShip))?;
        let card = application.stage.card().ok_or(ProductionError::ApplicationGone)?;
        let card_row = cards::store::card_locked(deed, card).await?;
        if card_row.as_ref().is_some_and(|card| card.recalled) {
            return Err(of_chip(ProductionError::Recalled));
        }
        if card_row.is_none_or(|card| !card.body.lets_go(shipping.body_check)) {
            return Err(of_chip(cards::CardError::BodyUnchecked.into()));
        }
        (chip.custody, chip.boxed) = (None, Some(sent.id));
        let entry = Entry::new(Action::CardSent, Object::Card(card), Purpose::Stock).about(application.person);
        let entry = entry.with(Object::StockBox(sent.id)).of(&sent.to);
        ledger::post(deed, &mut chip, Movement::Sent, entry).await?;
    }
    Ok(sent)
}

/// True if a chip lies where it could have been put into this box by mistake: a blank in the store of the office that
/// sent it, or a card that waits there to be shipped to the other office.
async fn lies_at_sender(deed: &mut Deed<Officer>, chip: &Chip, boxed: &StockBox) -> Result<bool, ProductionError> {
    if chip.office != boxed.from || chip.boxed.is_some() {
        return Ok(false);
    }
    match chip.state {
        ChipState::Delivered | ChipState::Initialised { .. } => Ok(boxed.seal.is_none() && chip.custody.is_none()),
        ChipState::Personalized { .. } if boxed.seal.is_some() => {
            Ok(awaits_shipping(deed, chip).await?.is_some_and(|application| application.office == boxed.to))
        }
        _ => Ok(false),
    }
}

/// Returns the application of a card that is to be shipped or on its way.
async fn awaits_shipping(deed: &mut Deed<Officer>, chip: &Chip) -> Result<Option<Application>, ProductionError> {
    let ChipState::Personalized { application, .. } = chip.state else { return Ok(None) };
    let Some(found) = applications::store::application_locked(deed, application).await? else { return Ok(None) };
    if let Stage::Shipped { .. } = found.stage {
        return Ok(Some(found));
    }
    let entry = Entry::new(Action::ApplicationRead, Object::Application(application), Purpose::Stock);
    deed.enter(entry.about(found.person).of(&found.office)).await?;
    Ok(None)
}

/// The card of a chip that was counted is at the office of its application, and can be handed over there.
async fn arrives(
    deed: &mut Deed<Officer>,
    chip: &mut Chip,
    parcel: &StockBox,
    blanks: EntryId,
) -> Result<(), ProductionError> {
    (chip.office, chip.custody, chip.boxed) = (parcel.to.clone(), None, None);
    let Some(mut application) = awaits_shipping(deed, chip).await? else {
        return Ok(ledger::post_under(deed, chip, Movement::Arrived, blanks).await?);
    };
    let card = application.stage.card().ok_or(ProductionError::ApplicationGone)?;
    application.stage = application.stage.arrive()?;
    move_to(deed, application.id, &application.stage).await?;
    let entry = Entry::new(Action::CardArrived, Object::Card(card), Purpose::Stock).about(application.person);
    let entry = entry.with(Object::StockBox(parcel.id)).of(&parcel.to);
    Ok(ledger::post(deed, chip, Movement::Arrived, entry).await?)
}

/// The office that a box was sent to counts what is in it, and says which seal a parcel of cards had. What was sent and
/// came is now that office's; one chip too few or too many opens a case of both offices, which is returned. One too few
/// stays on the courier's account. One too many stays where it is: what the sender has is not the receiver's to say.
///
/// A parcel under another seal than it was sent with may have been opened on the way: nothing of it is believed to have
/// arrived. All of it stays on the courier's account, and a case is opened, until an officer of
/// each office says what came.
///
/// # Errors
/// [`ProductionError::BoxUnknown`], also for a box that is on its way no more; [`ProductionError::OtherOffice`],
/// [`ProductionError::SecondOfficer`] for the officer who sent it; [`ProductionError::Seal`] for a parcel without the
/// seal that was found, and for a box of blanks with one
pub async fn receive(
    deed: &mut Deed<Officer>,
    id: BoxId,
    counted: &[CardSerial],
    found_seal: Option<&str>,
) -> Result<(StockBox, Option<CaseId>), ProductionError> {
    let counted: BTreeSet<CardSerial> = counted.iter().copied().collect();
    if counted.len() > MOST_IN_CUSTODY {
        return Err(ProductionError::ListTooLong { most: MOST_IN_CUSTODY });
    }
    let mut received = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::BoxUnknown)?;
    deed.actor().may_act_for(&received.to)?;
    if !received.is_on_its_way() {
        return Err(ProductionError::BoxUnknown);
    }
    // Cards are counted where they are handed over, not by the office that made them.
    let officer = deed.actor();
    if received.seal.is_some() && officer.office != received.to && !officer.successor_of.contains(&received.to) {
        return Err(crate::ground::OtherOffice.into());
    }
    // The national office acts for both, and an officer can be moved: the one who sent it does not count it.
    if deed.actor().is_one_with(received.sent.by) {
        return Err(ProductionError::SecondOfficer);
    }
    received.found_seal = found_seal.and_then(tidy);
    if received.seal.is_some() != received.found_seal.is_some() {
        return Err(ProductionError::Seal);
    }
    let unbroken = received.found_seal == received.seal;
    received.received = Some((deed.decision(), counted.len() as u64));
    kept::receive(deed.tx(), &received).await?;
    let entry = Entry::new(Action::StockBoxReceived, Object::StockBox(id), Purpose::Stock).of(&received.to);
    let what = if received.seal.is_some() { "cards" } else { "blanks" };
    let seal = if unbroken { "" } else { " under another seal" };
    let said = format!("{} of {} {what}{seal}", counted.len(), received.serials.len());
    let entry = deed.entered(entry.because(said)).await?;
    let (mut missing, mut extra) = (Vec::new(), Vec::new());
    // One order for all transactions that lock several chips.
    let all: BTreeSet<CardSerial> = counted.iter().chain(&received.serials).copied().collect();
    for serial in all {
        let chip = store::chip_locked(deed.tx(), &serial).await?;
        let in_box = chip.as_ref().is_some_and(|chip| chip.boxed == Some(id));
        match (counted.contains(&serial), chip) {
            (true, Some(mut chip)) if in_box && unbroken => arrives(deed, &mut chip, &received, entry).await?,
            (_, Some(_)) if in_box => missing.push(serial),
            (true, _) => extra.push(serial),
            // It was written off or reported lost on the way.
            (false, _) => {}
        }
    }
    let subject = Object::StockBox(id);
    // It was late, and has a case already.
    let earlier = store::cases::unsettled_about(deed.tx(), &subject.to_string()).await?.into_iter().next();
    let case = match (missing.is_empty() && extra.is_empty(), earlier) {
        (true, None) => None,
        (true, Some(case)) => {
            cases::all_there(deed, case, CaseOutcome::Arrived).await?;
            None
        }
        (false, Some(case)) => Some(cases::look_again(deed, case, missing, extra).await?),
        (false, None) => {
            let (office, from) = (received.to.clone(), Some(received.from.clone()));
            let difference = Difference { kind: CaseKind::Box, office, from, subject, missing, extra };
            Some(cases::open(deed, difference).await?)
        }
    };
    Ok((received, case))
}

/// Returns the box that a case is about.
pub(super) async fn of_case(deed: &mut Deed<Officer>, case: &Case) -> Result<Option<StockBox>, ProductionError> {
    let id: Option<BoxId> = case.subject.strip_prefix("stock-box/").and_then(|id| id.parse().ok());
    match id {
        Some(id) => Ok(kept::locked(deed.tx(), id).await?),
        None => Ok(None),
    }
}

/// Returns the boxes in which what came too many is by the ledger, kept from other writers with the box of the case, in
/// one order.
async fn beside(deed: &mut Deed<Officer>, case: &Case) -> Result<BTreeMap<BoxId, StockBox>, ProductionError> {
    let mut ids: BTreeSet<BoxId> =
        case.subject.strip_prefix("stock-box/").and_then(|id| id.parse().ok()).into_iter().collect();
    for serial in &case.extra {
        ids.extend(kept::of_chip(deed.tx(), serial).await?);
    }
    let mut boxes = BTreeMap::new();
    for id in ids {
        boxes.extend(kept::locked(deed.tx(), id).await?.map(|boxed| (id, boxed)));
    }
    Ok(boxes)
}

/// Takes what is left on the courier's account of a box to the office where an officer of each of the two says that it
/// is; and what came too many, where the sender agrees that it did. A box that was not received ends with it.
///
/// What came too many and is missed in another box of the two offices came with this one: its case is about that chip
/// no more. Where it is on its way between other offices, it is theirs to say.
///
/// # Errors
/// [`ProductionError::OfChip`] with [`ProductionError::InBox`] for such a chip; [`ProductionError`]
pub(super) async fn settle(deed: &mut Deed<Officer>, case: &Case, outcome: CaseOutcome) -> Result<(), ProductionError> {
    let beside = beside(deed, case).await?;
    let mut boxed = of_case(deed, case).await?.ok_or(ProductionError::BoxUnknown)?;
    let id = boxed.id;
    if boxed.is_on_its_way() {
        boxed.ended = Some((BoxEnd::Settled, deed.decision()));
        kept::end(deed.tx(), &boxed).await?;
    }
    let entry = Entry::new(Action::StockBoxSettled, Object::StockBox(id), Purpose::Stock).of(&boxed.to);
    let entry = deed.entered(entry.because(outcome.word())).await?;
    let serials: BTreeSet<CardSerial> = case.missing.iter().chain(&case.extra).copied().collect();
    for serial in serials {
        let chip = store::chip_locked(deed.tx(), &serial).await?;
        let Some(mut chip) = chip else { continue };
        let in_box = chip.boxed == Some(id);
        let other = chip.boxed.filter(|other| *other != id && case.extra.contains(&serial));
        match (outcome, other) {
            (CaseOutcome::Arrived, Some(other)) => {
                let parties = |boxed: &StockBox| (boxed.from.clone(), boxed.to.clone(), boxed.seal.is_some());
                if beside.get(&other).map(parties) != Some(parties(&boxed)) {
                    return Err(ProductionError::OfChip { serial, source: Box::new(ProductionError::InBox) });
                }
                arrives(deed, &mut chip, &boxed, entry).await?;
                cases::came_elsewhere(deed, &Object::StockBox(other).to_string(), &serial).await?;
            }
            (CaseOutcome::Returned, _) if in_box => {
                chip.boxed = None;
                ledger::post_under(deed, &mut chip, Movement::Returned, entry).await?;
            }
            // What was written off or reported lost meanwhile is on no courier's account; what was too many moves only
            // from where it could have come.
            (CaseOutcome::Arrived, None)
                if in_box || (case.extra.contains(&serial) && lies_at_sender(deed, &chip, &boxed).await?) =>
            {
                arrives(deed, &mut chip, &boxed, entry).await?;
            }
            _ => {}
        }
    }
    Ok(())
}
