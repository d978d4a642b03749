//! A number for life: `PPP G YY NNNNNN` (Decree 137/2015, Art. 13), established once, never given to a second person.
//!
//! `NNNNNN` looks random without the key, and yet is never drawn twice: each cell (province, century and sex, year)
//! counts its births, and the count is sent through a keyed permutation of the million values. Nothing is retried,
//! nothing is looked up, and no two cells share anything, so that a cell may live on any shard. Positions are reserved
//! in blocks, in the database and in the data folder, before one of them is given (ADR 0013).

mod api;
mod births;
mod births_api;
pub mod leases;
mod leases_api;
pub mod model;
mod problem;
pub mod steps;
pub mod store;

use std::collections::HashMap;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

pub use api::routes;
use crypto::identity::PersonalNumber;
use model::Cell;
pub use model::Permutation;
pub use steps::{EstablishError, init};
pub use store::MIGRATIONS;
pub use store::leases::NUMBER_LEASE;

use crate::deed::{Consequences, Deed, Objection, RegisterEvent, Subscriber};
use crate::ground::ids::PersonId;
use crate::ground::{Decision, Officer};
use crate::keys::{AuthoritySettings, CeremonyError, Counters, KeyStore};
use crate::population::import::{Noted, NumberBook};
use crate::store::Tx;
use crate::web::Problem;

/// What this office has: the secret of all personal numbers, and the positions that it reserved.
#[derive(Clone, Debug)]
pub struct Numbers {
    permutation: Arc<Permutation>,
    /// The State whose citizens get numbers, as in a machine-readable zone.
    state: String,
    counters: Counters,
    /// Positions that are reserved and not given yet.
    reserved: Arc<Mutex<HashMap<Cell, Range<u64>>>>,
}

/// When sex or year of birth is determined anew, the number is established anew; that of a record which was merged into
/// another one is cancelled, and comes back when the merge is undone.
impl Subscriber for Numbers {
    fn follow<'a>(
        &'a self,
        deed: &'a mut Deed<Officer>,
        event: RegisterEvent,
    ) -> Pin<Box<dyn Future<Output = Result<(), Objection>> + Send + 'a>> {
        Box::pin(async move {
            let Consequences { renumbered, merged_into, restored, .. } = event.consequences;
            let done = match merged_into {
                Some(survivor) => steps::cancel_merged(deed, event.person, survivor).await,
                None if restored => steps::restore_merged(deed, event.person).await,
                None if renumbered => steps::establish_anew(deed, self, event.person).await,
                None => Ok(()),
            };
            done.map_err(|error| Problem::from(error).into())
        })
    }
}

/// Numbers that people have already come in with files of declarations.
impl NumberBook for Numbers {
    fn taken<'a>(&'a self, tx: &'a mut Tx, numbers: &'a [PersonalNumber]) -> Noted<'a, Vec<PersonalNumber>> {
        Box::pin(async move {
            let mut taken = store::taken(tx, numbers).await?;
            taken.extend(store::leases::leased(tx, &self.permutation, numbers).await?);
            Ok(taken)
        })
    }

    fn enter<'a>(
        &'a self,
        tx: &'a mut Tx,
        numbers: &'a [(PersonalNumber, PersonId)],
        entered: Decision,
    ) -> Noted<'a, ()> {
        Box::pin(async move { store::enter(tx, numbers, &entered).await })
    }
}

impl Numbers {
    /// Opens the secret; positions are reserved by these counters.
    ///
    /// # Errors
    /// [`CeremonyError`] if the secret or the name of the State cannot be read.
    pub fn open(store: &KeyStore, counters: Counters) -> Result<Self, CeremonyError> {
        let state = AuthoritySettings::read(store)?.country()?.in_mrz().to_owned();
        Ok(Self { permutation: Arc::new(steps::open(store)?), state, counters, reserved: Arc::default() })
    }

    /// The permutation that turns positions into numbers.
    #[must_use]
    pub fn permutation(&self) -> &Permutation {
        &self.permutation
    }

    /// Takes a position of a cell that is reserved already.
    fn take(&self, cell: Cell) -> Option<u64> {
        self.reserved.lock().expect("the lock is held for one step only").get_mut(&cell)?.next()
    }

    /// Keeps the rest of a block. What is left of another one, if two requests reserved at once, is forfeited.
    fn keep(&self, cell: Cell, rest: Range<u64>) {
        self.reserved.lock().expect("the lock is held for one step only").insert(cell, rest);
    }
}
