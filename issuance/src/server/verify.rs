//! Walks all rows that carry a MAC and lists those that were changed by another hand.

use super::compose::{StartError, look};
use super::{SEALED, Settings};
use crate::population::Register;
use crate::population::change::{Comparison, compare};
use crate::population::quality::{Recount, recount};
use crate::production::ledger::LedgerCheck;
use crate::store::{Db, StoreError};
use crate::{applications, cards, production};

/// What a walk over the rows found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verified {
    /// Each table and the number of its rows.
    pub tables: Vec<(&'static str, u64)>,
    /// Table and key of each row that is not as the service wrote it.
    pub faults: Vec<(&'static str, String)>,
    /// Where what is counted while it changes is not what there is.
    pub miscounted: Vec<Miscount>,
    /// Every person's record, built again from the events and compared.
    pub history: Comparison,
    /// The ledger of the stock: postings, accounts and chips agree.
    pub ledger: LedgerCheck,
    /// The four figures, counted anew.
    pub quality: Recount,
}

/// A tally that differs from what there is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Miscount {
    /// The table.
    pub of: &'static str,
    /// The state, status or stage.
    pub state: String,
    /// What the tally says.
    pub said: i64,
    /// What there is.
    pub counted: i64,
}

impl Verified {
    /// Walks the rows of a database.
    pub(super) async fn walk(db: &Db) -> Result<Self, StoreError> {
        let mut verified = Self::default();
        for table in SEALED {
            let (rows, faults) = db.begin_read().await?.walk(table).await?;
            verified.tables.push((table.table, rows));
            verified.faults.extend(faults.into_iter().map(|id| (table.table, id)));
        }
        let mut tx = db.begin_read().await?;
        for of in ["application", "card", "chip", "dossier", "card of a day", "fee_entry"] {
            let all = match of {
                "application" => applications::store::miscounted(&mut tx).await?,
                "card" => cards::store::miscounted(&mut tx).await?,
                "card of a day" => cards::store::days::miscounted(&mut tx).await?,
                "dossier" => applications::store::tally::miscounted(&mut tx).await?,
                "fee_entry" => applications::store::payments::miscounted(&mut tx).await?,
                _ => production::miscounted(&mut tx).await?,
            };
            let miscount = |(state, said, counted)| Miscount { of, state, said, counted };
            verified.miscounted.extend(all.into_iter().map(miscount));
        }
        Ok(verified)
    }
}

/// Verifies each row of the tables whose rows carry a MAC. The service may run meanwhile. It finds a
/// row that was changed, put in another row's place, or inserted, and counts again what tallies count; the tills of
/// the fees are tallies under a MAC. It does not find another row that was deleted, nor an older state of a row, or of
/// the whole database, that was put back. Then it builds each person's record again from the events of the history, and
/// compares; `tell` is told how many persons were looked at.
///
/// # Errors
/// [`StartError`]
pub async fn verify(settings: &Settings, tell: impl FnMut(u64)) -> Result<Verified, StartError> {
    let look = look(settings).await?;
    let db = &look.db;
    let mut verified = Verified::walk(db).await?;
    verified.ledger = production::check_ledger(&mut db.begin_read().await?).await?;
    verified.history = compare(db, tell).await?;
    verified.quality = recount(db, Register::open(&settings.population)?.reference()).await?;
    look.close().await;
    Ok(verified)
}
