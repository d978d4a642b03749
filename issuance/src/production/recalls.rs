//! Recalls: chips of a lot, with a firmware or of a delivery become no card any more, once two officers of the national
//! office say so. Those that are cards are listed.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::cases::{PROPOSAL_WAITS, still_keeps_stock};
use super::error::ProductionError;
use super::model::{Chip, ChipState, ChipStateName};
use super::store::recalls::{self as kept, Recall};
use super::withdrawal::account_for;
use crate::cards;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::{DeliveryId, RecallId};
use crate::ground::text::tidy;
use crate::ground::{OfficeCode, Officer};

/// By what chips are recalled.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecallKind {
    /// The manufacturer's batch.
    Lot,
    /// The software on the chip, as the manufacturer named it with the delivery.
    Firmware,
    /// A delivery, by its identifier.
    Delivery,
}

impl RecallKind {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lot => "lot",
            Self::Firmware => "firmware",
            Self::Delivery => "delivery",
        }
    }
}

/// What is to be recalled.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// By what.
    pub kind: RecallKind,
    /// The lot, the firmware or the identifier of the delivery.
    pub value: &'a str,
    /// Only of this manufacturer.
    pub manufacturer: Option<&'a str>,
    /// What is wrong with the chips, in the officer's words.
    pub reason: &'a str,
}

/// Proposes a recall. Nothing is recalled before a second officer of the national office confirms it.
///
/// # Errors
/// [`ProductionError::OtherOffice`], [`ProductionError::RecallUnfit`] for what no delivery has
pub async fn propose(deed: &mut Deed<Officer>, wanted: Wanted<'_>) -> Result<Recall, ProductionError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let reason = tidy(wanted.reason).ok_or(ProductionError::EvidenceMissing)?;
    let mut value = tidy(wanted.value).ok_or(ProductionError::RecallUnfit)?;
    if wanted.kind == RecallKind::Delivery {
        // In its one spelling: it is compared with that.
        value = value.parse::<DeliveryId>().map_err(|_| ProductionError::RecallUnfit)?.to_string();
    }
    let manufacturer = wanted.manufacturer.and_then(tidy);
    let recall = Recall {
        id: deed.id(),
        kind: wanted.kind,
        value,
        manufacturer,
        reason,
        proposed: deed.decision(),
        confirmed: None,
    };
    if !kept::concerns_any(deed.tx(), &recall).await? {
        return Err(ProductionError::RecallUnfit);
    }
    kept::insert(deed.tx(), &recall).await?;
    let entry = Entry::new(Action::RecallProposed, Object::Recall(recall.id), Purpose::Stock);
    deed.enter(entry.because(recall.kind.word())).await?;
    Ok(recall)
}

/// Puts a recall that another officer proposed in the last week into force: from now on no order is given for its
/// chips. Those that are being written are written off, and their applications wait for another chip; those that are
/// cards and were not handed over are not handed over.
///
/// # Errors
/// [`ProductionError::ProposalUnknown`], [`ProductionError::SecondOfficer`], [`ProductionError::ProposalStale`]
pub async fn confirm(deed: &mut Deed<Officer>, id: RecallId) -> Result<Recall, ProductionError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let mut recall = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::ProposalUnknown)?;
    if recall.confirmed.is_some() || deed.at() >= recall.proposed.at + PROPOSAL_WAITS {
        return Err(ProductionError::ProposalUnknown);
    }
    if deed.actor().is_one_with(recall.proposed.by) {
        return Err(ProductionError::SecondOfficer);
    }
    still_keeps_stock(deed, &recall.proposed, &OfficeCode::national()).await?;
    recall.confirmed = Some(deed.decision());
    kept::confirm(deed.tx(), &recall).await?;
    let entry = Entry::new(Action::RecallConfirmed, Object::Recall(id), Purpose::Stock);
    deed.enter(entry.because(recall.kind.word())).await?;
    give_up_bound(deed, &recall).await?;
    keep_cards(deed, &recall).await?;
    Ok(recall)
}

/// Writes off the chips of a recall that are being written: their applications wait for another chip.
async fn give_up_bound(deed: &mut Deed<Officer>, recall: &Recall) -> Result<(), ProductionError> {
    let (evidence, by) = (Object::Recall(recall.id).to_string(), deed.caller().to_string());
    for serial in kept::in_state(deed.tx(), recall, ChipStateName::Bound, "", i64::MAX).await? {
        let chip = super::store::chip_locked(deed.tx(), &serial).await?.ok_or(ProductionError::ChipUnknown)?;
        // It was finished, or given up, a moment ago.
        if let ChipState::Bound { .. } = chip.state {
            account_for(deed, chip, &recall.reason, &evidence, by.clone()).await?;
        }
    }
    Ok(())
}

/// Marks the cards of a recall that were not handed over: they are kept, and their chips written off before a witness.
async fn keep_cards(deed: &mut Deed<Officer>, recall: &Recall) -> Result<(), ProductionError> {
    let mut after = String::new();
    loop {
        let some = kept::in_state(deed.tx(), recall, ChipStateName::Personalized, &after, PIECE).await?;
        let Some(last) = some.last() else { return Ok(()) };
        after = last.to_string();
        for card in cards::store::waiting_of(deed.tx(), &some).await? {
            cards::steps::recall(deed, card, Object::Recall(recall.id)).await?;
        }
    }
}

/// So many chips that are cards are looked at in one go.
const PIECE: i64 = 500;

/// Refuses a chip that a recall in force concerns.
pub(super) async fn refuse_recalled<A: Actor>(deed: &mut Deed<A>, chip: &Chip) -> Result<(), ProductionError> {
    match kept::in_force_for(deed.tx(), chip.delivery).await? {
        Some(_) => Err(ProductionError::Recalled),
        None => Ok(()),
    }
}

impl Recall {
    /// How it stands: `proposed`, `in-force`, or `lapsed` after a week without a second officer.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> &'static str {
        match self.confirmed {
            Some(_) => "in-force",
            None if now < self.proposed.at + PROPOSAL_WAITS => "proposed",
            None => "lapsed",
        }
    }
}
