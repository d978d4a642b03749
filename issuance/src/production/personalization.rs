//! An initialised chip becomes a card: bound to one application, written by a sealed order, believed on its own MACs
//! and on its own signature over a challenge of ours.
//!
//! ```text
//! bind (transaction) -> document stored -> sign (between transactions) -> order (transaction) -> station plays -> receipt (transaction)
//! ```
//! Each may be repeated: a chip stays bound to its application, a document is signed once, an order is
//! made anew for each counter.

use std::collections::{HashMap, hash_map};

use crypto::identity::{Can, CardSerial};
use crypto::lds::AtrInfo;
use crypto::perso::protocol::Next;
use crypto::perso::{LifeCycle, Order, Outcome, Presentation, Reason, Receipt, Script};
use crypto::pki::Crl;
use crypto::suite::VerifyingKey;
use rand::Rng as _;

use super::ahead::MadeAhead;
use super::card_batches::{self, GivenLease};
use super::documents::Face;
use super::error::ProductionError;
use super::ledger::{self, Movement};
use super::model::{Account, Chip, ChipError, ChipState};
use super::recalls::refuse_recalled;
use super::steps::{in_custody, under};
use super::store::{self, Document, StoredOrder};
use super::voucher::{self, Voucher};
use super::{Production, documents, print_jobs, withdrawal};
use crate::applications::fetched::FetchedPortrait;
use crate::applications::model::{Application, Hold, HoldReason, Slip, Stage};
use crate::applications::progress::move_to;
use crate::applications::store as applications;
use crate::applications::store::ahead;
use crate::applications::store::items::{self, ItemLease};
use crate::cards::model::{BodyCheck, Card, Status};
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::Station;
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, BatchItemId, CardBatchId, CardId, DocumentId, OrderId};
use crate::keys::KeyName;
use crate::store::StoreError;
use crate::{cards, numbering, population};

/// An order, and what the station needs to read the card back.
#[derive(Debug)]
pub struct Ordered {
    /// To be played blind.
    pub order: Order,
    /// Opens the chip.
    pub can: Can,
    /// To be signed by the chip.
    pub challenge: [u8; 8],
    /// The application that the chip is bound to.
    pub application: ApplicationId,
    /// Its slip.
    pub slip: Slip,
    /// The order's voucher, for the station to keep.
    pub voucher: Option<String>,
    /// The lease, if the application is an item of a batch of cards.
    pub lease: Option<GivenLease>,
}

/// Which application a chip that belongs to none yet is wanted for.
#[derive(Clone, Copy, Debug)]
pub enum Wish<'a> {
    /// The next item of this batch of cards.
    Batch(CardBatchId),
    /// The one that waits longest at the station's office and is in no batch.
    Next,
    /// The one with this slip.
    Slip(&'a Slip),
}

/// What came of a receipt of personalization.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PersonalizationOutcome {
    /// Not proved yet.
    Incomplete {
        /// What the station does next.
        next: Next,
    },
    /// It is a card.
    Personalized {
        /// The card's id.
        card: CardId,
    },
}

/// The chip's signature over the order's challenge.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// The eight bytes that came with the order.
    pub challenge: &'a [u8],
    /// Plain ECDSA (`r || s`).
    pub signature: &'a [u8],
}

/// Binds the chip to an application (the same one as before, or the one that is wished for), composes and stores the
/// document, and has it signed. Opens and commits its own deeds; whatever is repeated has no second effect. Returns the
/// fence of the lease, if the chip was bound now from a batch of cards.
///
/// An item of a batch that waits for a chip is taken before one whose chip went silent: the lease of that one ran out,
/// its chip is accounted for as spoiled, and the item goes to the chip that is here.
///
/// # Errors
/// [`ProductionError`]
pub async fn prepare(
    deeds: &Deeds,
    production: &Production,
    station: &Station,
    presentation: &Presentation,
    wish: Wish<'_>,
) -> Result<Option<u64>, ProductionError> {
    // Before an application is bound to a chip for it.
    Box::pin(production.signer.now().require_unrevoked(KeyName::DocumentSigner)).await?;
    let (_, list) = Box::pin(production.crl.read()).await?;
    let mut turn =
        Turn { presentation, wish, list, portraits: HashMap::new(), ahead: HashMap::new(), passed_over: Vec::new() };
    let mut looked_at = 0;
    let (id, fence) = loop {
        // Files are read between two deeds, so that no other writer waits for them.
        match Box::pin(attempt(deeds, production, station, &mut turn)).await? {
            Attempt::Prepared(id, fence) => break (id, fence),
            Attempt::Nothing => match wish {
                // Where several ask at once, the item of one chip may be free, and another caller's, by now: the next
                // one is looked at.
                Wish::Batch(batch) => {
                    match Box::pin(free_silent(deeds, production, station, batch, looked_at)).await? {
                        Some(place) => looked_at = place,
                        None => return Err(ProductionError::CardBatchExhausted),
                    }
                }
                Wish::Next => return Err(ProductionError::NothingToPersonalize),
                Wish::Slip(_) => return Err(ProductionError::SlipNotWaiting),
            },
            Attempt::Needs(name) => {
                let portrait = FetchedPortrait::of(&production.objects, name.clone()).await;
                turn.portraits.insert(name, portrait);
            }
            Attempt::NeedsAhead(id, name) => {
                let made = MadeAhead::fetch(&production.objects, &name).await;
                turn.ahead.insert(id, made);
            }
        }
    };
    documents::sign(production, deeds, id).await?;
    Ok(fence)
}

/// One presentation of a chip, with the files that were read for it.
struct Turn<'a> {
    presentation: &'a Presentation,
    /// The application wanted.
    wish: Wish<'a>,
    /// The revocation list in force.
    list: Crl,
    /// Portraits by the name of their object.
    portraits: HashMap<String, FetchedPortrait>,
    /// What was made ahead, by application; none where it is not to be used.
    ahead: HashMap<ApplicationId, Option<MadeAhead>>,
    /// Applications whose portrait is missing, and which are not held for it yet.
    passed_over: Vec<ApplicationId>,
}

/// How a deed of a presentation ended.
enum Attempt {
    /// The document is stored; with the fence, if the chip was bound now from a batch of cards.
    Prepared(DocumentId, Option<u64>),
    /// No application is left for the chip.
    Nothing,
    /// The portrait with this name is wanted first.
    Needs(String),
    /// What was made ahead for this application is wanted first: the object with this name.
    NeedsAhead(ApplicationId, String),
}

/// Prepares the document, or says which portrait is wanted for it.
async fn attempt(
    deeds: &Deeds,
    production: &Production,
    station: &Station,
    turn: &mut Turn<'_>,
) -> Result<Attempt, ProductionError> {
    let presentation = turn.presentation;
    let mut deed = deeds.open(station.clone()).await?;
    let chip = in_custody(&mut deed, &presentation.serial).await?;
    expects(presentation, &chip)?;
    // One that did everything and lost its receipt is a card: it reports, and is listed.
    if presentation.life_cycle != LifeCycle::Personalized {
        refuse_recalled(&mut deed, &chip).await?;
    }
    let lengths = AtrInfo { max_command: presentation.max_command, max_response: presentation.max_response };
    if let ChipState::Initialised { .. } = chip.state {
        let (attempt, held) = bind_next(&mut deed, production, chip, lengths, turn).await?;
        // What is held stays held, also if no application is left.
        if matches!(attempt, Attempt::Prepared(..)) || held > 0 {
            deed.commit().await?;
        }
        return Ok(attempt);
    }
    let application = application_of(&mut deed, &chip).await?;
    if let Wish::Slip(slip) = turn.wish
        && *slip != application.slip
    {
        return Err(ChipError::Bound.into());
    }
    let mut document = store::document(deed.tx(), application.id, &chip.serial).await?;
    if let Some(stale) = document.take_if(|document| documents::is_stale(production, document).unwrap_or(false)) {
        store::discard_unsigned(deed.tx(), stale.id).await?;
    }
    // A chip that is no card yet gets a document of the new signer; what the revoked one signed is never to be one.
    if presentation.life_cycle == LifeCycle::Initialised
        && let Some(signed) = &document
        && let Some(fingerprint) = documents::refused(production, signed, &turn.list)?
    {
        cards::steps::revoke_unissued(&mut deed, &fingerprint).await?;
        store::discard_refused(deed.tx(), signed.id).await?;
        // A body of the old document would be a second one for this chip.
        store::print_jobs::end_of_chip(deed.tx(), &chip.serial).await?;
        document = None;
    }
    if let Some(document) = document {
        // Nothing was written: the lock must go before the signature is counted.
        return Ok(Attempt::Prepared(document.id, None));
    }
    let keys = chip.state.keys().ok_or(ChipError::Spoiled)?;
    let capture = application.stage.capture_of().ok_or(ProductionError::ApplicationGone)?;
    let Some(portrait) = turn.portraits.get(&capture.portrait) else {
        return Ok(Attempt::Needs(capture.portrait.clone()));
    };
    let jpeg = portrait.jpeg()?;
    let face = Face::Portrait(jpeg);
    let draft = documents::draft(&mut deed, production, &application, face, &chip.serial, keys, lengths).await?;
    let draft = draft.ok_or(ProductionError::ApplicationGone)?;
    let id = documents::store_prepared(&mut deed, production, &application, &chip.serial, draft).await?;
    deed.enter(bound_to(&application, &chip).because("prepared anew")).await?;
    deed.commit().await?;
    Ok(Attempt::Prepared(id, None))
}

/// Binds an initialised chip to the application of its office that waits longest and can become a card; what cannot is
/// held with its reason, and the queue goes on. Returns how it ended, and how many were held.
async fn bind_next(
    deed: &mut Deed<Station>,
    production: &Production,
    mut chip: Chip,
    lengths: AtrInfo,
    turn: &mut Turn<'_>,
) -> Result<(Attempt, usize), ProductionError> {
    let (office, keys) = (deed.actor().office.clone(), chip.state.keys().cloned().ok_or(ChipError::Spoiled)?);
    let at = deed.at();
    // Again, for a chip that was initialised before keys were entered: it must not share them with a later one.
    if !store::enter_keys(deed.tx(), &chip.serial, &keys, at).await? {
        return Err(ProductionError::ChipKeyKnown);
    }
    if let Wish::Batch(batch) = turn.wish {
        card_batches::at_work(deed.tx(), batch, &office).await?;
    }
    let mut held = 0;
    loop {
        let (next, item) = match turn.wish {
            Wish::Batch(batch) => {
                items::claim(deed.tx(), batch, &turn.passed_over).await?.map(|(item, id)| (id, item)).unzip()
            }
            Wish::Next => (applications::claim_approved(deed.tx(), &office, &turn.passed_over).await?, None),
            Wish::Slip(slip) => (applications::claim_by_slip(deed.tx(), &office, slip, &turn.passed_over).await?, None),
        };
        let Some(id) = next else { return Ok((Attempt::Nothing, held)) };
        // Put into a batch between the look and the lock: it is bound from there.
        if item.is_none() && items::of_application(deed.tx(), id).await?.is_some() {
            turn.passed_over.push(id);
            continue;
        }
        // Asked before the application is read: nothing of its person has been seen that a record would owe.
        if let Some(wanted) = files_for(deed, turn, id).await? {
            return Ok((wanted, held));
        }
        let application = match applications::application_locked(deed, id).await {
            Ok(application) => application.ok_or(ProductionError::ApplicationGone)?,
            // Its row has no meaning or is not to be believed, so no stage can be made of it:
            // only the queue forgets it.
            Err(error @ (StoreError::Inconsistent { .. } | StoreError::Tampered { .. })) => {
                tracing::error!(application.id = %id, %error, "held: its record cannot be believed");
                let person = applications::set_aside(deed.tx(), id).await?;
                let entry = Entry::new(Action::ApplicationHeld, Object::Application(id), Purpose::Personalization);
                let reason = HoldReason::RecordInconsistent.word().to_owned();
                deed.enter(Entry { person, reason: Some(reason), ..entry }).await?;
                held += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let capture = application.stage.capture_of().ok_or(ProductionError::ApplicationGone)?;
        let face = match turn.ahead.get(&id).and_then(Option::as_ref) {
            Some(made) => Ok(Face::Ahead(made)),
            None => {
                let portrait = turn.portraits.get(&capture.portrait).ok_or(ProductionError::ApplicationGone)?;
                portrait.jpeg().map(Face::Portrait)
            }
        };
        let drafted = match face {
            Ok(face) => {
                production.misses.found(id);
                documents::draft(deed, production, &application, face, &chip.serial, &keys, lengths).await
            }
            Err(error) if error.is_lost() && !production.misses.missed(id) => {
                tracing::warn!(application.id = %id, "passed over: its portrait is missing; it is held if it still is at the next presentations");
                turn.passed_over.push(id);
                deed.enter(passed_over(&application)).await?;
                held += 1;
                continue;
            }
            Err(error) => Err(error.into()),
        };
        match drafted {
            // What was made ahead is not what would be made now.
            Ok(None) => {
                let portrait = capture.portrait.clone();
                turn.ahead.insert(id, None);
                let entry = Entry::new(Action::ApplicationRead, Object::Application(id), Purpose::Personalization);
                deed.enter(entry.about(application.person)).await?;
                return Ok((Attempt::Needs(portrait), held));
            }
            Ok(Some(draft)) => {
                let mut application = application;
                application.stage = application.stage.bind(chip.serial)?;
                move_to(deed, application.id, &application.stage).await?;
                chip.state = chip.state.bind(application.id)?;
                let entry = bound_to(&application, &chip);
                ledger::post(deed, &mut chip, Movement::Bound, entry).await?;
                let id = documents::store_prepared(deed, production, &application, &chip.serial, draft).await?;
                let fence = match item {
                    Some(item) => Some(first_lease(deed, production, item, chip.serial).await?),
                    None => None,
                };
                return Ok((Attempt::Prepared(id, fence), held));
            }
            Err(error) => {
                let reason = hold_reason(&error).ok_or(error)?;
                hold(deed, application, reason).await?;
                held += 1;
            }
        }
    }
}

/// Returns which file is wanted before an application is composed: what was made ahead for it today, or its portrait.
async fn files_for(
    deed: &mut Deed<Station>,
    turn: &mut Turn<'_>,
    id: ApplicationId,
) -> Result<Option<Attempt>, StoreError> {
    if let hash_map::Entry::Vacant(unasked) = turn.ahead.entry(id) {
        let today = deed.today();
        if let Some(name) = ahead::of_today(deed.tx(), id, today).await? {
            return Ok(Some(Attempt::NeedsAhead(id, name)));
        }
        unasked.insert(None);
    }
    if turn.ahead[&id].is_some() {
        return Ok(None);
    }
    let name = applications::portrait_name(deed.tx(), id).await?;
    Ok(name.filter(|name| !turn.portraits.contains_key(name)).map(Attempt::Needs))
}

/// Leases an item to the station on a chip that was just bound to it. Returns its fence.
async fn first_lease(
    deed: &mut Deed<Station>,
    production: &Production,
    id: BatchItemId,
    serial: CardSerial,
) -> Result<u64, ProductionError> {
    let found = items::locked(deed.tx(), id).await?;
    let mut item = found.ok_or_else(|| StoreError::inconsistent("batch_item", "id", id))?;
    (item.fence, item.chips) = (item.fence + 1, item.chips + 1);
    item.lease = Some(ItemLease { station: deed.actor().id, serial, until: deed.at() + production.lease() });
    items::lease(deed.tx(), &item).await?;
    Ok(item.fence)
}

/// Renews the lease of a chip's item, if its application is one: under the fence that the process has, or under the
/// next one for a process that has none.
async fn renewed_lease(
    deed: &mut Deed<Station>,
    production: &Production,
    chip: &Chip,
    application: ApplicationId,
    fence: Option<u64>,
) -> Result<Option<GivenLease>, ProductionError> {
    let Some(found) = items::of_application(deed.tx(), application).await? else { return Ok(None) };
    let Some(mut item) = items::locked(deed.tx(), found.id).await? else { return Ok(None) };
    if fence.is_some_and(|fence| fence != item.fence) {
        return Err(ProductionError::LeaseLost);
    }
    let (at, station) = (deed.at(), deed.actor().id);
    let mine = |lease: &&ItemLease| lease.station == station && lease.serial == chip.serial;
    // One that was just given is not written again.
    let length = production.lease();
    let fresh = item.lease.as_ref().filter(mine).filter(|lease| !lease.is_over(at, length)).map(|lease| lease.until);
    let fresh = fresh.filter(|until| *until > at + length / 2);
    let until = match (fence, fresh) {
        (Some(_), Some(until)) => until,
        _ => {
            item.fence += u64::from(fence.is_none());
            let until = at + production.lease();
            item.lease = Some(ItemLease { station, serial: chip.serial, until });
            items::lease(deed.tx(), &item).await?;
            until
        }
    };
    Ok(Some(GivenLease { batch: item.batch, item: item.id, fence: item.fence, until }))
}

/// Frees the first item of a batch behind this place whose lease is over: the chip that went silent is accounted for as
/// spoiled, unless it moved on by itself meanwhile. Returns the item's place; none where there is no such item.
async fn free_silent(
    deeds: &Deeds,
    production: &Production,
    station: &Station,
    batch: CardBatchId,
    behind: u64,
) -> Result<Option<u64>, ProductionError> {
    let mut deed = deeds.open(station.clone()).await?;
    let (at, length) = (deed.at(), production.lease());
    let Some(silent) = items::silent(deed.tx(), batch, (at, length), behind).await? else { return Ok(None) };
    let Some(lease) = silent.lease else { return Ok(Some(silent.place)) };
    // Chip before application and item: the order in which every verb locks them. What the chip did meanwhile counts.
    let chip = store::chip_locked(deed.tx(), &lease.serial).await?.ok_or(ProductionError::ChipUnknown)?;
    let still = items::locked(deed.tx(), silent.id).await?.and_then(|item| item.lease);
    let bound = matches!(chip.state, ChipState::Bound { application, .. } if application == silent.application);
    if !bound || !still.is_some_and(|still| still.serial == chip.serial && still.is_over(at, length)) {
        return Ok(Some(silent.place));
    }
    let evidence = format!("fence {} of {}", silent.fence, Object::Station(lease.station));
    let by = deed.caller().to_string();
    withdrawal::account_for(&mut deed, chip, LEASE_RAN_OUT, &evidence, by).await?;
    deed.commit().await?;
    Ok(Some(silent.place))
}

/// Why a chip is spoiled whose item went to another one.
const LEASE_RAN_OUT: &str = "its lease ran out, and its application went to another chip";

/// The reason to hold an application, if the error is a fault of this one application; `None` for a fault
/// that every one would meet.
fn hold_reason(error: &ProductionError) -> Option<HoldReason> {
    match error {
        ProductionError::Compose(_) => Some(HoldReason::NotComposable),
        ProductionError::Object(object) if object.is_lost() => Some(HoldReason::PortraitLost),
        ProductionError::Store(StoreError::Inconsistent { table, .. }) if table != "chip" => {
            Some(HoldReason::RecordInconsistent)
        }
        _ => None,
    }
}

/// `Approved → Held`: takes an application out of the queue, with the reason and the role that mends it.
pub(super) async fn hold<A: Actor>(
    deed: &mut Deed<A>,
    mut application: Application,
    reason: HoldReason,
) -> Result<(), ProductionError> {
    tracing::warn!(application.id = %application.id, reason = reason.word(), "held: it cannot become a card as it stands");
    application.stage = application.stage.hold(Hold { reason, owner: reason.owner(), at: deed.at() })?;
    move_to(deed, application.id, &application.stage).await?;
    let object = Object::Application(application.id);
    let entry = Entry::new(Action::ApplicationHeld, object, Purpose::Personalization).about(application.person);
    deed.enter(entry.because(reason.word())).await?;
    Ok(())
}

/// The record that an application was passed over for its portrait.
fn passed_over(application: &Application) -> Entry {
    let object = Object::Application(application.id);
    let entry = Entry::new(Action::ApplicationPassedOver, object, Purpose::Personalization);
    entry.about(application.person).because(HoldReason::PortraitLost.word())
}

/// The record that an application and a chip belong together.
fn bound_to(application: &Application, chip: &Chip) -> Entry {
    let object = Object::Application(application.id);
    let entry = Entry::new(Action::ApplicationBound, object, Purpose::Personalization);
    entry.about(application.person).with(Object::Chip(chip.serial))
}

/// The sealed order for a chip that is bound and whose document is signed ([`prepare`]): all files, or, if the chip
/// says that it is personalized and its receipt was lost, its report. `fence` is that of the lease that the process of
/// the station has, if its application is an item of a batch of cards.
///
/// # Errors
/// [`ProductionError`]
pub async fn order(
    deed: &mut Deed<Station>,
    production: &Production,
    presentation: &Presentation,
    fence: Option<u64>,
) -> Result<Ordered, ProductionError> {
    let chip = in_custody(deed, &presentation.serial).await?;
    expects(presentation, &chip)?;
    let (application, document) = in_production(deed, &chip).await?;
    let lease = renewed_lease(deed, production, &chip, application.id, fence).await?;
    print_jobs::make(deed, production, document.id, &chip, &application).await?;
    let chip_keys = chip.state.keys().ok_or(ChipError::Spoiled)?.clone();
    let key_version = chip_keys.key_version;
    let keys = production.card_keys.issuer(&chip.serial, key_version)?;
    let presentation = under(presentation, key_version);
    let (package, can, sod_sha256) = documents::package(production, &document)?;
    let script = match presentation.life_cycle {
        LifeCycle::Personalized => Script::report(&keys, &presentation, &mut deed.rng())?,
        _ => Script::personalize(&keys, &presentation, &package, &mut deed.rng())?,
    };
    let (id, at): (OrderId, _) = (deed.id(), deed.at());
    let mut challenge = [0; 8];
    deed.rng().fill_bytes(&mut challenge);
    let stored = StoredOrder {
        serial: chip.serial,
        station: deed.actor().id,
        document: Some(document.id),
        script: script.to_record(),
        challenge,
        challenge_used: false,
    };
    store::insert_order(deed.tx(), id, &stored, at).await?;
    let registered = population::store::person(deed, application.person).await?;
    let number = registered.and_then(|registered| registered.personal_number);
    let number = number.ok_or_else(|| StoreError::inconsistent("person", "personal_number", application.person))?;
    let facts = voucher::Facts {
        station: deed.actor().id,
        keys: chip_keys,
        application: application.id,
        person: application.person,
        number,
        numbered_by: numbering::store::giver(deed.tx(), &number).await?,
        office: application.office.clone(),
        document: document.id,
        sod_sha256,
        digest: package.digest(),
        issued: document.issued,
        expires: document.expires,
        challenge,
    };
    let voucher = Voucher::sealed(&production.secrets, id, &stored.script, facts);
    let object = Object::Chip(chip.serial);
    let entry = Entry::new(Action::PersonalizationOrdered, object, Purpose::Personalization);
    deed.enter(entry.about(application.person).with(Object::Order(id))).await?;
    Ok(Ordered {
        order: script.order(id.to_string()),
        can,
        challenge,
        application: application.id,
        slip: application.slip,
        voucher: Some(voucher),
        lease,
    })
}

/// Judges a receipt: every answer under the chip's MAC, the files that it reports, and its signature
/// over the order's challenge.
///
/// # Errors
/// [`ProductionError`]
pub async fn receipt(
    deed: &mut Deed<Station>,
    production: &Production,
    receipt: &Receipt,
    proof: Option<Proof<'_>>,
) -> Result<PersonalizationOutcome, ProductionError> {
    let id: OrderId = receipt.order.parse().map_err(|_| ProductionError::OrderUnknown)?;
    let order = store::order(deed.tx(), id).await?.ok_or(ProductionError::OrderUnknown)?;
    let Some(document) = order.document.filter(|_| order.station == deed.actor().id) else {
        return Err(ProductionError::OrderUnknown);
    };
    let mut chip = in_custody(deed, &order.serial).await?;
    if order.challenge_used {
        return Err(ProductionError::ChallengeUsed);
    }
    let (mut application, current) = in_production(deed, &chip).await?;
    if current.id != document {
        return Err(ProductionError::OrderUnknown);
    }
    let person = application.person;
    let incomplete = |why: &dyn std::fmt::Display| {
        let object = Object::Chip(order.serial);
        let entry = Entry::new(Action::PersonalizationIncomplete, object, Purpose::Personalization);
        entry.about(person).with(Object::Order(id)).because(why.to_string())
    };
    let keys = production.card_keys.issuer(&order.serial, order.script.key_version())?;
    let challenge = order.challenge;
    let outcome = match Script::from_record(order.script).verify(&keys, receipt) {
        Ok(outcome) => outcome,
        Err(error) if matches!(error.reason, Reason::Incomplete | Reason::Refused(_)) => {
            deed.enter(incomplete(&error)).await?;
            return Ok(PersonalizationOutcome::Incomplete { next: Next::Present });
        }
        Err(error) => return Err(error.into()),
    };
    let (package, _, sod_sha256) = documents::package(production, &current)?;
    if !reports(&outcome, &chip, &package.digest())? {
        deed.enter(incomplete(&"the chip does not report that it is personalized")).await?;
        return Ok(PersonalizationOutcome::Incomplete { next: Next::Present });
    }
    let Some(proof) = proof else {
        deed.enter(incomplete(&"without active authentication")).await?;
        return Ok(PersonalizationOutcome::Incomplete { next: Next::ActiveAuthentication });
    };
    active_authentication(production, &chip, challenge, proof)?;
    let at = deed.at();
    if !store::use_challenge(deed.tx(), id, at).await? {
        return Err(ProductionError::ChallengeUsed);
    }
    let card = Card {
        id: deed.id(),
        person,
        application: application.id,
        serial: chip.serial,
        sod_sha256,
        office: application.office.clone(),
        issued: current.issued,
        expires: current.expires,
        status: Status::Personalized,
        must_change: false,
        body: if production.settings.body_check { BodyCheck::Awaited } else { BodyCheck::NotDue },
        recalled: false,
    };
    cards::steps::issue(deed.tx(), &card).await?;
    chip.state = chip.state.personalize(card.id)?;
    // Made at another office, it is shipped to the one where it is handed over.
    let is_here = chip.office == application.office;
    let stage = application.stage;
    application.stage = if is_here { stage.personalize(card.id)? } else { stage.dispatch(card.id)? };
    move_to(deed, application.id, &application.stage).await?;
    let entry = Entry::new(Action::CardPersonalized, Object::Card(card.id), Purpose::Personalization).about(person);
    let entry = entry.with(Object::Chip(chip.serial));
    ledger::post(deed, &mut chip, Movement::Personalized, entry).await?;
    Ok(PersonalizationOutcome::Personalized { card: card.id })
}

/// What the ledger knows of a chip must fit what the chip announces, or no order can help.
fn expects(presentation: &Presentation, chip: &Chip) -> Result<(), ProductionError> {
    let announced = presentation.life_cycle;
    let fits = match &chip.state {
        ChipState::Initialised { .. } => announced == LifeCycle::Initialised,
        // Personalized: it did everything, and its receipt was lost.
        ChipState::Bound { .. } => matches!(announced, LifeCycle::Initialised | LifeCycle::Personalized),
        // The ledger's own word comes first for these.
        ChipState::Delivered
        | ChipState::Personalized { .. }
        | ChipState::Spoiled { .. }
        | ChipState::Destroyed { .. }
        | ChipState::Lost { .. } => true,
    };
    if fits { Ok(()) } else { Err(ProductionError::LifeCycle(presentation.life_cycle)) }
}

/// The application and the signed document of a bound chip.
async fn in_production(deed: &mut Deed<Station>, chip: &Chip) -> Result<(Application, Document), ProductionError> {
    let application = application_of(deed, chip).await?;
    let document = store::document(deed.tx(), application.id, &chip.serial).await?;
    let document = document.filter(|document| document.signed.is_some()).ok_or(ProductionError::ApplicationGone)?;
    Ok((application, document))
}

/// The application that a bound chip is being written for.
async fn application_of(deed: &mut Deed<Station>, chip: &Chip) -> Result<Application, ProductionError> {
    let id = match &chip.state {
        ChipState::Bound { application, .. } => *application,
        ChipState::Delivered => return Err(ChipError::NotInitialised.into()),
        ChipState::Initialised { .. } => return Err(ProductionError::ApplicationGone),
        ChipState::Personalized { .. } => return Err(ChipError::Personalized.into()),
        ChipState::Spoiled { application, .. }
        | ChipState::Destroyed { application, .. }
        | ChipState::Lost { application, .. } => {
            if account_of(&chip.state).is_some_and(|account| account.reason == LEASE_RAN_OUT) {
                return Err(ProductionError::ItemElsewhere);
            }
            let cancelled = match application {
                Some(id) => applications::application_locked(deed, *id).await?,
                None => None,
            };
            return Err(match cancelled.map(|application| application.stage) {
                Some(Stage::Cancelled { .. }) => ProductionError::ApplicationCancelled,
                _ => chip.state.refusal().into(),
            });
        }
    };
    let application = applications::application_locked(deed, id).await?.ok_or(ProductionError::ApplicationGone)?;
    match application.stage.chip() {
        Some(serial) if serial == chip.serial => Ok(application),
        _ => Err(ProductionError::ApplicationGone),
    }
}

/// Returns the account that was given of a chip that is no card.
fn account_of(state: &ChipState) -> Option<&Account> {
    match state {
        ChipState::Spoiled { account, .. } | ChipState::Destroyed { account, .. } | ChipState::Lost { account, .. } => {
            Some(account)
        }
        _ => None,
    }
}

/// True if the chip says, under its MAC, that it is the finished card; false if it is simply not finished.
fn reports(outcome: &Outcome, chip: &Chip, digest: &[u8; 32]) -> Result<bool, ProductionError> {
    let Some(report) = outcome.report.as_ref().filter(|report| report.life_cycle == LifeCycle::Personalized) else {
        return Ok(false);
    };
    if report.digest != *digest {
        return Err(ProductionError::ChipDiffers("other files than its document has"));
    }
    let (active_auth, chip_auth) = keys_of(chip, &chip.serial)?;
    if (report.active_auth.as_ref(), report.chip_auth.as_ref()) != (Some(&active_auth), Some(&chip_auth)) {
        return Err(ProductionError::ChipDiffers("other keys than at its intake"));
    }
    Ok(true)
}

/// Doc 9303-11 §6.1 with the challenge of this order: the chip on the reader has the private key of DG15, now.
fn active_authentication(
    production: &Production,
    chip: &Chip,
    challenge: [u8; 8],
    proof: Proof<'_>,
) -> Result<(), ProductionError> {
    if proof.challenge != challenge {
        return Err(ProductionError::ChallengeUnknown);
    }
    let (active_auth, _) = keys_of(chip, &chip.serial)?;
    VerifyingKey::Ec(active_auth)
        .verify_plain(production.profile.active_auth_hash, &challenge, proof.signature)
        .map_err(|_| ProductionError::ActiveAuthentication)
}

fn keys_of(
    chip: &Chip,
    serial: &CardSerial,
) -> Result<(crypto::suite::PublicKey, crypto::suite::PublicKey), ProductionError> {
    Ok(documents::public_keys(chip.state.keys().ok_or(ChipError::Spoiled)?, serial)?)
}
