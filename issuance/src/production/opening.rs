//! Chips that an older service entered or moved without postings: the ledger takes them over when a service of this
//! version starts.

use super::ledger::{LedgerAccount, Movement};
use super::store::ledger as store;
use crate::deed::{Action, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::actor::Service;

/// Gives chips without any posting their opening posting: what a service of before the ledger entered or moved while
/// the tables had the ledger already. Run again, it does nothing.
///
/// A chip that another hand changed is no reason for a posting: its delivery is left as it is, and `issuance stock
/// check` and `issuance verify` say what does not agree.
///
/// # Errors
/// [`DeedError`]
pub async fn open_chips_of_before(deeds: &Deeds) -> Result<(), DeedError> {
    let mut tx = deeds.db().begin_read().await?;
    if !store::has_unposted(&mut tx).await? || store::unopened(&mut tx).await?.is_empty() {
        return Ok(());
    }
    drop(tx);
    let mut deed = deeds.open(Service).await?;
    let mut opened = 0;
    for opening in store::unopened(deed.tx()).await? {
        if !store::unposted_hold(deed.tx(), opening.delivery).await? {
            tracing::error!(delivery = %opening.delivery, "chips without postings were changed by another hand: issuance verify");
            continue;
        }
        let entry = Entry::new(Action::StockOpened, Object::Delivery(opening.delivery), Purpose::Stock);
        let entry = deed.entered(entry.because(format!("{}: {} chips", opening.account, opening.chips))).await?;
        let posting = store::Posting { id: deed.id(), at: deed.at(), movement: Movement::Opening, entry };
        // What left an account unposted goes back to where it came from, and is opened where it is now.
        let (account, supplier) = (opening.account, LedgerAccount::supplier());
        let way = if opening.chips > 0 { (&supplier, &account) } else { (&account, &supplier) };
        store::open(deed.tx(), &posting, way, opening.chips.abs(), opening.delivery).await?;
        opened += 1;
    }
    if opened > 0 { deed.commit().await } else { Ok(()) }
}
