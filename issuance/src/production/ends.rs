//! How a chip ends that is no card: spoiled chips are destroyed together before two witnesses; one that is not where it
//! should be is reported lost, and what is found again, as two officers say, is spoiled.

use crypto::identity::CardSerial;
use time::{Duration, OffsetDateTime};

use super::cases::{self, Case, CaseKind, CaseOutcome, Difference};
use super::error::ProductionError;
use super::ledger::{self, Movement};
use super::model::{Account, Chip, ChipError, ChipState};
use super::store;
use super::store::ends::Destruction;
use super::withdrawal::free_application;
use crate::access;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::Officer;
use crate::ground::ids::{DestructionId, OfficerId};
use crate::ground::text::tidy;
use crate::store::Tx;

/// Spoiled chips, how they are to be destroyed, and the two officers who will see it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The chips, of one office.
    pub serials: &'a [CardSerial],
    /// How: cut, shredded, burnt.
    pub method: &'a str,
    /// Two other officers in service of that office.
    pub witnesses: [OfficerId; 2],
}

/// An officer wants spoiled chips destroyed, and names two witnesses: neither the officer nor each other. Nothing is
/// destroyed in the ledger before both confirmed by themselves.
///
/// # Errors
/// [`ProductionError::Witness`], [`ProductionError::OfChip`], [`ProductionError::ListTooLong`]
pub async fn propose_destruction(deed: &mut Deed<Officer>, wanted: Wanted<'_>) -> Result<Destruction, ProductionError> {
    let method = tidy(wanted.method).ok_or(ProductionError::EvidenceMissing)?;
    let mut serials = wanted.serials.to_vec();
    // One order for all transactions that lock several chips.
    serials.sort_unstable();
    serials.dedup();
    if serials.len() > MOST_DESTROYED {
        return Err(ProductionError::ListTooLong { most: MOST_DESTROYED });
    }
    let Some(first) = serials.first() else { return Err(ProductionError::DeliveryEmpty) };
    let office = store::chip_locked(deed.tx(), first).await?.ok_or(ProductionError::ChipUnknown)?.office;
    for serial in &serials {
        to_destroy(deed, serial, &office)
            .await
            .map_err(|why| ProductionError::OfChip { serial: *serial, source: Box::new(why) })?;
    }
    let [one, two] = wanted.witnesses;
    if one == two {
        return Err(ProductionError::Witness);
    }
    for witness in wanted.witnesses {
        let works_at = access::office_of_officer_in_service(deed.tx(), witness).await?;
        if deed.actor().is_one_with(witness) || works_at.as_ref() != Some(&office) {
            return Err(ProductionError::Witness);
        }
    }
    let proposed = deed.decision();
    let destruction =
        Destruction { id: deed.id(), office, method, serials, witnesses: [(one, None), (two, None)], proposed };
    store::ends::insert(deed.tx(), &destruction).await?;
    let entry = Entry::new(Action::ChipsDestructionProposed, Object::Destruction(destruction.id), Purpose::Stock);
    let entry = entry.of(&destruction.office).because(format!("{} chips", destruction.serials.len()));
    deed.enter(entry).await?;
    Ok(destruction)
}

/// Returns a destruction to a witness whom it names, for a week: what is to be confirmed.
///
/// # Errors
/// [`ProductionError::ProposalUnknown`] where none waits for this officer.
pub async fn read_destruction(
    tx: &mut Tx,
    officer: &Officer,
    id: DestructionId,
    now: OffsetDateTime,
) -> Result<Destruction, ProductionError> {
    let found = store::ends::found(tx, id).await?.ok_or(ProductionError::ProposalUnknown)?;
    let named = found.witnesses.iter().any(|(witness, _)| *witness == officer.id) && found.office == officer.office;
    if named && now < found.proposed.at + DESTRUCTION_WAITS { Ok(found) } else { Err(ProductionError::ProposalUnknown) }
}

/// A witness of a destruction confirms it. With the second one the chips are destroyed in the ledger.
///
/// # Errors
/// [`ProductionError::ProposalUnknown`] where none waits for this officer, or none was proposed in the last week;
/// [`ProductionError::ProposalStale`], [`ProductionError::OfChip`] for a chip that is no longer spoiled
pub async fn confirm_destruction(deed: &mut Deed<Officer>, id: DestructionId) -> Result<Destruction, ProductionError> {
    // The same answer for one that is not there: officers of other offices learn nothing.
    let found = store::ends::locked(deed.tx(), id).await?;
    let mut destruction = found.ok_or(ProductionError::ProposalUnknown)?;
    let (at, witness) = (deed.at(), deed.actor().id);
    let waits = destruction.witnesses.iter_mut().find(|(of, confirmed)| *of == witness && confirmed.is_none());
    let Some((_, confirmed)) = waits.filter(|_| at < destruction.proposed.at + DESTRUCTION_WAITS) else {
        return Err(ProductionError::ProposalUnknown);
    };
    if deed.actor().office != destruction.office {
        return Err(ProductionError::Witness);
    }
    cases::still_keeps_stock(deed, &destruction.proposed, &destruction.office).await?;
    *confirmed = Some(at);
    store::ends::confirm(deed.tx(), &destruction).await?;
    let action = if destruction.is_done() { Action::ChipsDestroyed } else { Action::ChipsDestructionWitnessed };
    let entry = Entry::new(action, Object::Destruction(id), Purpose::Stock).of(&destruction.office);
    let entry = deed.entered(entry.because(format!("{} chips", destruction.serials.len()))).await?;
    if destruction.is_done() {
        for serial in &destruction.serials {
            destroy(deed, serial, &destruction, entry)
                .await
                .map_err(|why| ProductionError::OfChip { serial: *serial, source: Box::new(why) })?;
        }
    }
    Ok(destruction)
}

async fn destroy(
    deed: &mut Deed<Officer>,
    serial: &CardSerial,
    destruction: &Destruction,
    entry: crate::ground::ids::EntryId,
) -> Result<(), ProductionError> {
    let mut chip = to_destroy(deed, serial, &destruction.office).await?;
    chip.state = chip.state.destroy(destruction.id)?;
    ledger::post_under(deed, &mut chip, Movement::Destroyed, entry).await?;
    Ok(())
}

/// Returns a spoiled chip of this office, for which the officer acts, kept from other writers.
async fn to_destroy(
    deed: &mut Deed<Officer>,
    serial: &CardSerial,
    office: &crate::ground::OfficeCode,
) -> Result<Chip, ProductionError> {
    let chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
    deed.actor().may_act_for(&chip.office)?;
    if chip.office != *office {
        return Err(crate::ground::OtherOffice.into());
    }
    match &chip.state {
        ChipState::Spoiled { .. } => Ok(chip),
        state => {
            Err(state.clone().destroy(DestructionId::nil()).err().unwrap_or(super::model::ChipError::NotSpoiled).into())
        }
    }
}

/// An officer reports that a chip is not where it should be: at once it can become no card, and a case is opened that
/// two officers settle. Its application waits for another chip.
///
/// # Errors
/// [`ProductionError`]
pub async fn report_lost(deed: &mut Deed<Officer>, serial: &CardSerial, reason: &str) -> Result<Chip, ProductionError> {
    let chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
    deed.actor().may_act_for(&chip.office)?;
    let reason = tidy(reason).ok_or(ProductionError::EvidenceMissing)?;
    let by = deed.caller().to_string();
    let chip = lose(deed, chip, reason, "report".to_owned(), by).await?;
    cases::open(deed, loss_of(&chip)).await?;
    Ok(chip)
}

/// The difference that a lost chip is.
fn loss_of(chip: &Chip) -> Difference {
    let (office, subject) = (chip.office.clone(), Object::Chip(chip.serial));
    Difference { kind: CaseKind::Lost, office, from: None, subject, missing: vec![chip.serial], extra: vec![] }
}

/// Enters a chip as lost.
pub(super) async fn lose(
    deed: &mut Deed<Officer>,
    mut chip: Chip,
    reason: String,
    evidence: String,
    by: String,
) -> Result<Chip, ProductionError> {
    // Before anything follows from it: a chip that cannot be lost frees no application.
    let account = Account { reason, evidence, by, at: deed.at() };
    let lost = chip.state.clone().lose(account)?;
    free_application(deed, &chip).await?;
    (chip.state, chip.boxed) = (lost, None);
    let entry = Entry::new(Action::ChipLost, Object::Chip(chip.serial), Purpose::Stock);
    let entry = entry.of(&chip.office).because("accounted for");
    ledger::post(deed, &mut chip, Movement::Lost, entry).await?;
    Ok(chip)
}

/// An officer says that a lost chip is there again, and so proposes how its case ends; of one whose case is settled, a
/// new one. Until another officer confirms it the chip is lost. Returns it, and the case.
///
/// # Errors
/// [`ProductionError`]
pub async fn find(
    deed: &mut Deed<Officer>,
    serial: &CardSerial,
    reason: &str,
) -> Result<(Chip, Case), ProductionError> {
    let chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
    deed.actor().may_act_for(&chip.office)?;
    let reason = tidy(reason).ok_or(ProductionError::EvidenceMissing)?;
    if !matches!(chip.state, ChipState::Lost { .. }) {
        return Err(ChipError::NotLost.into());
    }
    let subject = Object::Chip(*serial).to_string();
    let open = store::cases::unsettled_about(deed.tx(), &subject).await?;
    let id = match open.iter().find(|case| case.kind == CaseKind::Lost) {
        Some(case) => case.id,
        None => cases::open(deed, loss_of(&chip)).await?,
    };
    let case = cases::propose(deed, id, CaseOutcome::Found, &reason).await?;
    Ok((chip, case))
}

/// The lost chip of a case is there again, as two officers say: it is spoiled, since where it was meanwhile is not
/// known, and waits for its destruction.
pub(super) async fn end_loss(deed: &mut Deed<Officer>, case: &Case) -> Result<(), ProductionError> {
    let by = case.proposed.as_ref().map(|proposed| Object::Officer(proposed.by).to_string()).unwrap_or_default();
    for serial in &case.missing {
        let mut chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
        let (reason, evidence) = (case.reason.clone().unwrap_or_default(), Object::StockCase(case.id).to_string());
        chip.state = chip.state.find(Account { reason, evidence, by: by.clone(), at: deed.at() })?;
        let entry = Entry::new(Action::ChipFound, Object::Chip(*serial), Purpose::Stock).of(&chip.office);
        ledger::post(deed, &mut chip, Movement::Found, entry).await?;
        cases::found(deed, &chip).await?;
    }
    Ok(())
}

impl Destruction {
    /// True if both witnesses confirmed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.witnesses.iter().all(|(_, confirmed)| confirmed.is_some())
    }

    /// How it stands: `waiting`, `done`, or `lapsed` after a week.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> &'static str {
        match self.is_done() {
            true => "done",
            false if now < self.proposed.at + DESTRUCTION_WAITS => "waiting",
            false => "lapsed",
        }
    }
}

/// A destruction that is not confirmed for so long is proposed anew: what the witnesses saw is not forgotten by then.
const DESTRUCTION_WAITS: Duration = Duration::days(7);
/// Most chips that are destroyed together: each is locked and posted singly.
pub const MOST_DESTROYED: usize = 1_000;
