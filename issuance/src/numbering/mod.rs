//! A number for life: `PPP G YY NNNNNN` (Decree 137/2015, Art. 13), established once, never given to a second person.
//!
//! `NNNNNN` looks random without the key, and yet is never drawn twice: each cell (province, century and sex, year)
//! counts its births, and the count is sent through a keyed permutation of the million values. Nothing is retried,
//! nothing is looked up, and no two cells share anything, so that a cell may live on any shard. Positions are reserved
//! in blocks, in the database and in the data folder, before one of them is given (ADR 0013).

mod api;
pub(crate) mod births;
mod births_api;
pub mod leases;
mod leases_api;
pub mod model;
mod problem;
pub mod steps;
pub mod store;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

pub use api::routes;
use crypto::identity::PersonalNumber;
use model::Cell;
pub use model::Permutation;
use serde::{Deserialize, Serialize};
pub use steps::{EstablishError, init};
pub use store::MIGRATIONS;
pub use store::leases::{NUMBER_LEASE, open_leases};

use crate::deed::{Consequences, Deed, Objection, RegisterEvent, Subscriber};
use crate::ground::ids::PersonId;
use crate::ground::{Decision, Officer};
use crate::keys::{AuthoritySettings, CeremonyError, Counters, KeyStore};
use crate::population::import::{Noted, NumberBook};
use crate::store::Tx;
use crate::web::Problem;

/// Settings of the numbers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A registrar leases at most so many numbers of a sex at once; never more than [`leases::MOST`].
    pub lease_numbers: u32,
    /// An office has at most so many numbers of a cell in leases that are open or were taken within thirty days.
    pub office_numbers: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { lease_numbers: 1000, office_numbers: 10_000 }
    }
}

/// What this office has: the secret of all personal numbers, and the positions that it reserved.
#[derive(Clone, Debug)]
pub struct Numbers {
    permutation: Arc<Permutation>,
    /// The State whose citizens get numbers, as in a machine-readable zone.
    state: String,
    counters: Counters,
    /// What registrars may lease.
    settings: Settings,
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
        Box::pin(async move {
            store::enter(tx, numbers, &entered).await?;
            let mut cells: BTreeMap<String, Vec<u64>> = BTreeMap::new();
            for (number, _) in numbers {
                let (cell, position) = self.permutation.position(number);
                cells.entry(store::cell_id(cell)).or_default().push(position.into());
            }
            let reached = store::reached(tx, cells.keys().cloned().collect()).await?;
            let ahead = |(id, positions): (String, Vec<u64>)| {
                let next = reached.get(&id).copied().unwrap_or(0);
                let ahead = positions.into_iter().filter(|position| *position >= next).count();
                (ahead > 0).then(|| (id, i64::try_from(ahead).unwrap_or(i64::MAX)))
            };
            store::count_entered(tx, &cells.into_iter().filter_map(ahead).collect()).await
        })
    }
}

impl Numbers {
    /// Opens the secret; positions are reserved by these counters.
    ///
    /// # Errors
    /// [`CeremonyError`] if the secret or the name of the State cannot be read.
    pub fn open(store: &KeyStore, counters: Counters) -> Result<Self, CeremonyError> {
        let state = AuthoritySettings::read(store)?.country()?.in_mrz().to_owned();
        let permutation = Arc::new(steps::open(store)?);
        Ok(Self { permutation, state, counters, settings: Settings::default(), reserved: Arc::default() })
    }

    /// The same numbers, of which registrars may lease so many.
    #[must_use]
    pub fn with_settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
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
