//! The verb of the numbers.

use crypto::identity::PersonalNumber;
use rand::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use super::model::{CELL_SIZE, Cell, NumberingError, Permutation};
use super::{Numbers, store};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::PersonId;
use crate::ground::text::tidy;
use crate::ground::{Officer, OtherOffice};
use crate::keys::{KeyStore, KeyStoreError, LockedKeyStore};
use crate::population;
use crate::store::StoreError;

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
    let registered = population::store::person_locked(deed, id).await?.ok_or(EstablishError::PersonUnknown)?;
    deed.actor().may_act_for(&registered.office)?;
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
        doubts.push("recorded as dead");
    }
    if population::store::has_double(deed.tx(), id, &person).await? {
        doubts.push("another person of this name, birth date and sex is in the register");
    } else if population::duplicates::steps::is_doubtful(deed.tx(), id, &person).await? {
        doubts.push("another person who is probably the same one is in the register");
    }
    let doubts = doubts.join("; ");
    let words = match acknowledged.map(tidy) {
        _ if doubts.is_empty() => None,
        None => return Err(EstablishError::Doubtful(doubts)),
        Some(words) => Some(format!("{doubts}: {}", words.ok_or(EstablishError::ReasonMissing)?)),
    };
    let number = give(deed, numbers, id, &person).await?;
    population::store::set_number(deed.tx(), id, &number).await?;
    let entry = Entry::new(Action::NumberEstablished, Object::Person(id), Purpose::Numbering).about(id);
    deed.enter(Entry { reason: words, ..entry }).await?;
    Ok(number)
}

/// Gives a person the next number of the cell of birth.
async fn give(
    deed: &mut Deed<Officer>,
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

/// Takes the next position of a cell, counted from zero, out of the block that this process
/// reserved, or out of a new one.
async fn next_position(deed: &mut Deed<Officer>, numbers: &Numbers, cell: Cell) -> Result<u32, EstablishError> {
    let position = match numbers.take(cell) {
        Some(position) => position,
        None => {
            let next = store::next_locked(deed.tx(), cell).await?;
            let name = format!("number-cell/{}", store::cell_id(cell));
            // In the folder before in the database: what a rolled back transaction reserved stays reserved there.
            let mut block = numbers.counters.reserve(&name, next, BLOCK, CELL_SIZE.into()).await?;
            store::set_next(deed.tx(), cell, block.end).await?;
            let first = block.next().ok_or(NumberingError::Exhausted(cell))?;
            numbers.keep(cell, block);
            first
        }
    };
    Ok(u32::try_from(position).map_err(|_| NumberingError::Exhausted(cell))?)
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

/// Why no number is established.
#[derive(Debug, Error)]
pub enum EstablishError {
    /// The counters outside the database.
    #[error(transparent)]
    Counters(#[from] KeyStoreError),
    /// The register speaks against it, and no officer has acknowledged that.
    #[error("{0}")]
    Doubtful(String),
    /// A foreigner.
    #[error("numbers are for citizens")]
    NotACitizen,
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
