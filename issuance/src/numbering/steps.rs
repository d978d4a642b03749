//! The verb of the numbers.

use std::fmt;
use std::ops::Range;

use crypto::identity::PersonalNumber;
use rand::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use super::leases::{LeaseState, OfLease};
use super::model::{CELL_SIZE, Cell, NumberingError, Permutation};
use super::{Numbers, store};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Registers;
use crate::ground::ids::PersonId;
use crate::ground::text::tidy;
use crate::ground::{Officer, OtherOffice};
use crate::keys::{KeyStore, KeyStoreError, LockedKeyStore};
use crate::population;
use crate::population::duplicates::steps::{Doubt, doubt};
use crate::store::{StoreError, Tx};

/// Establishes a person's number for life. A person who has one keeps it: asked again, the answer is the same.
///
/// Numbers are for citizens. One for a dead person, or for one who may be in the register twice, takes an officer who
/// says why in `acknowledged`; the record names the officer, the doubt and those words.
///
/// # Errors
/// [`EstablishError`]
pub async fn establish(
    deed: &mut Deed<Officer>,
    numbers: &Numbers,
    id: PersonId,
    acknowledged: Option<&str>,
) -> Result<PersonalNumber, EstablishError> {
    establish_from(deed, numbers, id, acknowledged, None).await
}

/// As [`establish`]; with a number that the holder of a lease gave, that one, if it is of the lease and free. One of a
/// lease that is over takes an officer who says why.
///
/// # Errors
/// [`EstablishError`]
pub(super) async fn establish_from<A: Registers>(
    deed: &mut Deed<A>,
    numbers: &Numbers,
    id: PersonId,
    acknowledged: Option<&str>,
    leased: Option<OfLease>,
) -> Result<PersonalNumber, EstablishError> {
    let registered = population::store::person_locked(deed, id).await?.ok_or(EstablishError::PersonUnknown)?;
    deed.actor().may_act_for(&registered.office)?;
    if let Some(into) = registered.merged_into {
        return Err(EstablishError::Merged(into));
    }
    if let Some(number) = registered.personal_number {
        deed.record(Action::NumberRead, Object::Person(id), Some(id), Purpose::Numbering).await?;
        return Ok(number);
    }
    let person = registered.person;
    if person.nationality != numbers.state {
        return Err(EstablishError::NotACitizen);
    }
    let mut doubts = vec![];
    if person.died.is_some() {
        doubts.push(Against::Dead);
    }
    if person.missing_since.is_some() {
        doubts.push(Against::Missing);
    }
    match doubt(deed.tx(), id, &person).await? {
        Some(Doubt::Alike) => doubts.push(Against::Namesake),
        Some(Doubt::Probable) => doubts.push(Against::Probable),
        None => {}
    }
    if let Some(leased) = leased
        && is_over(deed, numbers, &person, leased).await?
    {
        doubts.push(Against::LeaseOver);
    }
    let doubts = Doubts(doubts);
    let words = match acknowledged.map(tidy) {
        _ if doubts.0.is_empty() => None,
        None => return Err(EstablishError::Doubtful(doubts)),
        Some(words) => Some(format!("{doubts}: {}", words.ok_or(EstablishError::ReasonMissing)?)),
    };
    let number = match leased {
        Some(OfLease { lease, number }) => {
            let by = deed.decision();
            if !store::give(deed.tx(), &number, id, &by).await? {
                return Err(EstablishError::Given);
            }
            store::leases::name_lease(deed.tx(), &number, id, lease).await?;
            number
        }
        None => give(deed, numbers, id, &person).await?,
    };
    population::store::set_number(deed.tx(), id, &number).await?;
    let entry = Entry::new(Action::NumberEstablished, Object::Person(id), Purpose::Numbering).about(id);
    deed.enter(Entry { reason: words, ..entry }).await?;
    Ok(number)
}

/// Refuses a number that is none of the lease that the message names, or that tells other facts of birth than the
/// child's. Returns true if the lease is over: the number may have been given before.
async fn is_over<A: Registers>(
    deed: &mut Deed<A>,
    numbers: &Numbers,
    person: &population::model::Person,
    leased: OfLease,
) -> Result<bool, EstablishError> {
    let OfLease { lease, number } = leased;
    // Locked: it is not returned while a number of it is given.
    let lease = store::leases::lease_locked(deed.tx(), lease).await?.ok_or(EstablishError::LeaseUnknown)?;
    deed.actor().may_act_for(&lease.office)?;
    let of_the_child = number.province() == person.birth_registration.province
        && number.sex() == person.sex
        && number.birth_year() == person.birth.year();
    if !of_the_child || !lease.holds(&number, &numbers.permutation) {
        return Err(EstablishError::NotLeased);
    }
    match lease.state(deed.at()) {
        LeaseState::Open => Ok(false),
        LeaseState::Expired => Ok(true),
        LeaseState::Returned => Err(EstablishError::LeaseReturned),
    }
}

/// Gives a person the next number of the cell of birth.
async fn give<A: Registers>(
    deed: &mut Deed<A>,
    numbers: &Numbers,
    id: PersonId,
    person: &population::model::Person,
) -> Result<PersonalNumber, EstablishError> {
    let by = deed.decision();
    let cell = Cell { province: person.birth_registration.province, sex: person.sex, birth_year: person.birth.year() };
    loop {
        // Ends: each turn takes another position, and a full cell is an error.
        let position = next_position(deed, numbers, cell).await?;
        let number = numbers.permutation.number(cell, position)?;
        if store::give(deed.tx(), &number, id, &by).await? {
            return Ok(number);
        }
        if store::holder(deed.tx(), &number).await?.is_some() {
            store::uncount_entered(deed.tx(), cell).await?;
        }
    }
}

/// Establishes a number anew for a person whose sex or year of birth is another one, as the register tells now: the old
/// number is cancelled, names the new one, and is never given again (Decree 137/2015/NĐ-CP, Art. 15 as amended by
/// Decree 37/2021/NĐ-CP). A person without a number gets none by this.
///
/// # Errors
/// [`EstablishError`]
pub async fn establish_anew(deed: &mut Deed<Officer>, numbers: &Numbers, id: PersonId) -> Result<(), EstablishError> {
    let registered = population::store::person_locked(deed, id).await?.ok_or(EstablishError::PersonUnknown)?;
    let Some(old) = registered.personal_number else { return Ok(()) };
    let number = give(deed, numbers, id, &registered.person).await?;
    let by = deed.decision();
    store::cancel(deed.tx(), &old, &number, &by).await?;
    population::store::replace_number(deed.tx(), id, &number).await?;
    for action in [Action::NumberCancelled, Action::NumberEstablished] {
        deed.enter(Entry::new(action, Object::Person(id), Purpose::Update).about(id)).await?;
    }
    Ok(())
}

/// Cancels the number of a record that was merged into another one of the same person: it names the number of the
/// record that is in force, and is never given again.
///
/// # Errors
/// [`EstablishError`]; [`EstablishError::NumberAtMerged`] if the survivor has no number
pub(super) async fn cancel_merged(
    deed: &mut Deed<Officer>,
    merged: PersonId,
    survivor: PersonId,
) -> Result<(), EstablishError> {
    let merged = population::store::person_locked(deed, merged).await?.ok_or(EstablishError::PersonUnknown)?;
    let survivor = population::store::person_locked(deed, survivor).await?.ok_or(EstablishError::PersonUnknown)?;
    let by = deed.decision();
    if let Some(old) = merged.personal_number {
        let kept = survivor.personal_number.ok_or(EstablishError::NumberAtMerged)?;
        store::cancel(deed.tx(), &old, &kept, &by).await?;
        store::name_merge(deed.tx(), &old, Some(survivor.id)).await?;
        population::store::take_number(deed.tx(), merged.id).await?;
        let entry = Entry::new(Action::NumberCancelled, Object::Person(merged.id), Purpose::Update).about(merged.id);
        deed.enter(entry.with(Object::Person(survivor.id))).await?;
    } else {
        deed.record(Action::NumberRead, Object::Person(merged.id), Some(merged.id), Purpose::Update).await?;
    }
    deed.record(Action::NumberRead, Object::Person(survivor.id), Some(survivor.id), Purpose::Update).await?;
    Ok(())
}

/// Gives a record whose merge was undone the number again that was cancelled by it: it was that person's all the time,
/// and no other person's.
///
/// # Errors
/// [`EstablishError`]
pub(super) async fn restore_merged(deed: &mut Deed<Officer>, person: PersonId) -> Result<(), EstablishError> {
    let Some(number) = store::cancelled_by_merge(deed.tx(), person).await? else { return Ok(()) };
    store::reinstate(deed.tx(), &number).await?;
    population::store::set_number(deed.tx(), person, &number).await?;
    let entry = Entry::new(Action::NumberEstablished, Object::Person(person), Purpose::Update).about(person);
    deed.enter(entry.because("merge undone")).await?;
    Ok(())
}

/// Takes the next position of a cell, counted from zero, out of the block that this process
/// reserved, or out of a new one.
async fn next_position<A: Registers>(deed: &mut Deed<A>, numbers: &Numbers, cell: Cell) -> Result<u32, EstablishError> {
    let position = match numbers.take(cell) {
        Some(position) => position,
        None => {
            let mut block = reserve(deed.tx(), numbers, cell, BLOCK).await?;
            let first = block.next().ok_or(NumberingError::Exhausted(cell))?;
            numbers.keep(cell, block);
            first
        }
    };
    Ok(u32::try_from(position).map_err(|_| NumberingError::Exhausted(cell))?)
}

/// Reserves the next positions of a cell, `most` at once: none of them is given to another caller, in this process or
/// in another one. Empty where the cell is full.
pub(super) async fn reserve(tx: &mut Tx, numbers: &Numbers, cell: Cell, most: u64) -> Result<Range<u64>, ReserveError> {
    let next = store::next_locked(tx, cell).await?;
    // In the folder before in the database: what a rolled back transaction reserved stays reserved there.
    let block = numbers.counters.reserve(&counter(cell), next, most, CELL_SIZE.into()).await?;
    store::set_next(tx, cell, block.end).await?;
    Ok(block)
}

/// Returns how many positions of a cell are left.
pub(super) async fn left(tx: &mut Tx, numbers: &Numbers, cell: Cell) -> Result<u64, ReserveError> {
    let next = store::next_locked(tx, cell).await?.max(numbers.counters.reached(&counter(cell)).await?);
    Ok(u64::from(CELL_SIZE).saturating_sub(next))
}

/// The name of a cell's counter in the data folder.
fn counter(cell: Cell) -> String {
    format!("number-cell/{}", store::cell_id(cell))
}

/// Why no positions are reserved.
#[derive(Debug, Error)]
pub(super) enum ReserveError {
    /// The counters outside the database.
    #[error(transparent)]
    Counters(#[from] KeyStoreError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReserveError> for EstablishError {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::Counters(source) => Self::Counters(source),
            ReserveError::Store(source) => Self::Store(source),
        }
    }
}

/// Positions of a cell reserved at once: so many at most are forfeited by a restart.
const BLOCK: u64 = 32;

/// Makes the secret of all numbers, once, for a new service. Another secret later would meet numbers that are given: it
/// belongs to the register as long as the register lives.
///
/// # Errors
/// [`KeyStoreError`]
pub fn init(store: &LockedKeyStore<'_>, rng: &mut impl CryptoRng) -> Result<(), KeyStoreError> {
    let mut key = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *key);
    store.put(SECRET, &*key)
}

/// Opens the secret of all numbers.
///
/// # Errors
/// [`KeyStoreError`]
pub(super) fn open(store: &KeyStore) -> Result<Permutation, KeyStoreError> {
    let bytes = store.load(SECRET)?;
    let key = Zeroizing::new(bytes[..].try_into().map_err(|_| KeyStoreError::Malformed(SECRET.into()))?);
    Ok(Permutation::new(&key))
}

const SECRET: &str = "personal-numbers";

/// What speaks against a number, until an officer says why it is right all the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Against {
    /// The person is dead.
    Dead,
    /// The number is of a lease that is over.
    LeaseOver,
    /// A court declared the person missing.
    Missing,
    /// A namesake of the day and the sex.
    Namesake,
    /// A person who is probably the same one.
    Probable,
}

impl Against {
    /// The code, for a machine.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Dead => "recorded-dead",
            Self::LeaseOver => "lease-over",
            Self::Missing => "recorded-missing",
            Self::Namesake => "namesake",
            Self::Probable => "probably-recorded",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Dead => "recorded as dead",
            Self::LeaseOver => "the lease of the number is over",
            Self::Missing => "declared missing by a court",
            Self::Namesake => "another person of this name, birth date and sex is in the register",
            Self::Probable => "another person who is probably the same one is in the register",
        }
    }
}

/// All that speaks against a number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Doubts(pub Vec<Against>);

impl fmt::Display for Doubts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(|one| one.words()).collect();
        f.write_str(&words.join("; "))
    }
}

/// Why no number is established.
#[derive(Debug, Error)]
pub enum EstablishError {
    /// The counters outside the database.
    #[error(transparent)]
    Counters(#[from] KeyStoreError),
    /// The register speaks against it, and no officer has acknowledged that.
    #[error("{0}")]
    Doubtful(Doubts),
    /// A person has or had the number of the lease, or it is withheld.
    #[error("the number is given")]
    Given,
    /// The holder gave the lease back.
    #[error("the lease was returned")]
    LeaseReturned,
    /// No such lease.
    #[error("no lease with this id")]
    LeaseUnknown,
    /// The record is merged into this one.
    #[error("the record was merged into person {0}")]
    Merged(PersonId),
    /// A foreigner.
    #[error("numbers are for citizens")]
    NotACitizen,
    /// A number that the lease does not have, or of other facts of birth.
    #[error("the number is none of the lease, or tells other facts of birth than the child's")]
    NotLeased,
    /// The record that is merged has the number for life, and the one that survives has none.
    #[error("the record that would be merged has the number for life: let that one survive")]
    NumberAtMerged,
    /// The number space.
    #[error(transparent)]
    Numbering(#[from] NumberingError),
    /// Another office's person.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// No such person.
    #[error("person unknown")]
    PersonUnknown,
    /// Acknowledged without a word.
    #[error("no reason is given")]
    ReasonMissing,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
