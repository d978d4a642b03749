//! What the card alone opens: its own status, its lock, and how many looked.

use super::log_in::require_in_force;
use super::{CitizenError, Citizens};
use crate::audit;
use crate::cards::model::Card;
use crate::cards::{self, store};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Citizen;

/// Returns the citizen's own card, which must still be in force. The deed owes a record.
///
/// # Errors
/// [`CitizenError::NotInForce`]
pub(super) async fn own_card(deed: &mut Deed<Citizen>) -> Result<Card, CitizenError> {
    let id = deed.actor().card;
    let card = store::card(deed, id).await?.ok_or(CitizenError::NotInForce)?;
    require_in_force(deed, card).await
}

/// Tells the citizen what the own card is.
///
/// # Errors
/// [`CitizenError`]
pub(super) async fn card(deed: &mut Deed<Citizen>) -> Result<Card, CitizenError> {
    let card = own_card(deed).await?;
    let entry = Entry::new(Action::CardRead, Object::Card(card.id), Purpose::Own).about(card.person);
    deed.enter(entry.of(&card.office)).await?;
    Ok(card)
}

/// Locks the citizen's own card, as a report of loss does: kiosks refuse it from now on, and the session ends.
///
/// # Errors
/// [`CitizenError`]
pub(super) async fn lock(deed: &mut Deed<Citizen>, citizens: &Citizens) -> Result<Card, CitizenError> {
    let card = own_card(deed).await?;
    Ok(cards::steps::lock_by_holder(deed, card.id, citizens.cards.loss_term).await?)
}

/// How often the citizen's data were looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Count {
    /// So often.
    pub looks: usize,
    /// True if there were more, which are not counted.
    pub more: bool,
}

/// Counts the looks at the citizen's data, those that are told later too. The counting is a look itself, and not in the
/// count.
///
/// # Errors
/// [`CitizenError`]
pub(super) async fn count_looks(deed: &mut Deed<Citizen>) -> Result<Count, CitizenError> {
    let card = own_card(deed).await?;
    let found = audit::looks_about(deed.tx(), card.person, None, MOST_COUNTED + 1).await?.len();
    let most = usize::try_from(MOST_COUNTED).unwrap_or(usize::MAX);
    let entry = Entry::new(Action::ExchangeLooksRead, Object::Person(card.person), Purpose::Own).about(card.person);
    deed.enter(entry).await?;
    Ok(Count { looks: found.min(most), more: found > most })
}

/// So many looks are counted.
const MOST_COUNTED: i64 = 10_000;
