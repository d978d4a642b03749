//! Leases of numbers: a birth desk or an offline station takes a block of positions of a cell, durably, and draws the
//! numbers of it in memory. Every number of a lease that no person has is listed; after the lease it is never given
//! (ADR 0030).

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crypto::identity::{PersonalNumber, ProvinceCode, Sex};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Date, Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::model::{CELL_SIZE, Cell, NumberingError, Permutation};
use super::steps::{self, ReserveError};
use super::{Numbers, Settings, store};
use crate::deed::{Action, Deed, Entry, Object, Purpose, UnknownWord};
use crate::ground::actor::Actor;
use crate::ground::ids::LeaseId;
use crate::ground::text::tidy;
use crate::ground::{OfficeCode, Officer, OtherOffice};
use crate::keys::KeyStoreError;
use crate::offices;
use crate::store::{StoreError, Tx};

/// What a lease is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeasePurpose {
    /// A desk that registers births and sends its messages at once or in the evening.
    BirthDesk,
    /// A station without a connection to the service for days.
    OfflineStation,
}

impl LeasePurpose {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BirthDesk => "birth-desk",
            Self::OfflineStation => "offline-station",
        }
    }
}

impl FromStr for LeasePurpose {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [Self::BirthDesk, Self::OfflineStation].into_iter().find(|known| known.word() == text).ok_or(UnknownWord)
    }
}

/// How far a lease is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseState {
    /// Its holder draws numbers.
    Open,
    /// It is over: its holder draws no more, and what was drawn before still comes in.
    Expired,
    /// Its holder gave it back: nothing comes in any more.
    Returned,
}

/// The end of a lease.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Returned {
    /// The caller who returned it.
    pub by: String,
    /// The moment at which it was returned.
    pub at: OffsetDateTime,
    /// Why, in an officer's words.
    pub because: String,
}

/// A block of numbers that a desk or a station holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lease {
    /// Identifier.
    pub id: LeaseId,
    /// The office whose desk or station it is.
    pub office: OfficeCode,
    /// The desk or station, in words.
    pub holder: String,
    /// What it is for.
    pub purpose: LeasePurpose,
    /// Province of birth registration.
    pub province: ProvinceCode,
    /// Year of birth.
    pub birth_year: u16,
    /// Positions of the cell of girls.
    pub female: Option<Range<u32>>,
    /// Positions of the cell of boys.
    pub male: Option<Range<u32>>,
    /// The caller who leased it.
    pub leased_by: String,
    /// The moment from which it is the holder's.
    pub leased_at: OffsetDateTime,
    /// Its holder draws until then.
    pub expires_at: OffsetDateTime,
    /// Its end before that.
    pub returned: Option<Returned>,
}

impl Lease {
    /// Returns how far it is.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> LeaseState {
        match self.returned {
            Some(_) => LeaseState::Returned,
            None if now >= self.expires_at => LeaseState::Expired,
            None => LeaseState::Open,
        }
    }

    /// Returns how many numbers it has.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.cells().map(|(_, positions)| positions.end - positions.start).sum()
    }

    /// Returns its positions, cell by cell.
    fn cells(&self) -> impl Iterator<Item = (Cell, Range<u32>)> + use<> {
        let (province, birth_year) = (self.province, self.birth_year);
        let ranges = [(Sex::Female, self.female.clone()), (Sex::Male, self.male.clone())];
        ranges.into_iter().filter_map(move |(sex, range)| Some((Cell { province, sex, birth_year }, range?)))
    }

    /// Draws its numbers, in memory.
    ///
    /// # Errors
    /// Each item: [`NumberingError`].
    pub fn numbers<'a>(
        &'a self,
        permutation: &'a Permutation,
    ) -> impl Iterator<Item = Result<PersonalNumber, NumberingError>> + 'a {
        self.cells()
            .flat_map(move |(cell, positions)| positions.map(move |position| permutation.number(cell, position)))
    }

    /// True if the number is one of its own.
    #[must_use]
    pub fn holds(&self, number: &PersonalNumber, permutation: &Permutation) -> bool {
        let (cell, position) = permutation.position(number);
        self.cells().any(|(own, positions)| own == cell && positions.contains(&position))
    }
}

/// What a desk or station asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The office whose desk or station it is.
    pub office: OfficeCode,
    /// The desk or station, in words.
    pub holder: String,
    /// What it is for.
    pub purpose: LeasePurpose,
    /// Province of birth registration.
    pub province: ProvinceCode,
    /// Year of birth.
    pub birth_year: u16,
    /// One sex; none: so many numbers of both.
    pub sex: Option<Sex>,
    /// So many numbers of a sex.
    pub numbers: u32,
    /// So many days.
    pub days: u16,
}

impl Wanted {
    /// The cells that it takes numbers of.
    fn cells(&self) -> Vec<Cell> {
        let (province, birth_year) = (self.province, self.birth_year);
        let sexes = [Sex::Female, Sex::Male].into_iter().filter(|sex| self.sex.is_none_or(|only| only == *sex));
        sexes.map(|sex| Cell { province, sex, birth_year }).collect()
    }
}

/// Leases a block of numbers to a desk or station of the officer's office: in a province for which the office works,
/// and so many as `[numbering]` allows at once and together.
///
/// # Errors
/// [`LeaseError::Elsewhere`], [`LeaseError::TooMany`], and as [`lease`].
pub async fn lease_of_officer(
    deed: &mut Deed<Officer>,
    numbers: &Numbers,
    wanted: Wanted,
) -> Result<Lease, LeaseError> {
    fit(&wanted, deed.today())?;
    let office = deed.actor().office.clone();
    let provinces = offices::steps::provinces_of(deed.tx(), &office).await?;
    if provinces.is_some_and(|provinces| !provinces.contains(&wanted.province)) {
        return Err(LeaseError::Elsewhere(wanted.province));
    }
    let Settings { lease_numbers, office_numbers } = numbers.settings;
    if wanted.numbers > lease_numbers {
        return Err(LeaseError::TooMany(Limit::Lease(lease_numbers)));
    }
    for cell in wanted.cells() {
        // Locked: two who lease at once do not both see the room that there is for one.
        store::next_locked(deed.tx(), cell).await?;
        let now = deed.at();
        let held = store::leases::of_office(deed.tx(), &office, cell, (now - COUNTED, now)).await?;
        if held + u64::from(wanted.numbers) > u64::from(office_numbers) {
            return Err(LeaseError::TooMany(Limit::Office { most: office_numbers, held }));
        }
    }
    lease(deed, numbers, wanted).await
}

/// Refuses what can be no lease of anyone.
fn fit(wanted: &Wanted, today: Date) -> Result<(), LeaseUnfit> {
    if !(1..=MOST).contains(&wanted.numbers) {
        return Err(LeaseUnfit::Size);
    }
    if !(1..=MOST_DAYS).contains(&wanted.days) {
        return Err(LeaseUnfit::Days);
    }
    if wanted.birth_year < 1900 || i32::from(wanted.birth_year) > today.year() + 1 {
        return Err(LeaseUnfit::Year);
    }
    Ok(())
}

/// For so long a lease counts for its office, also when it is returned or over: its numbers are gone.
const COUNTED: Duration = Duration::days(30);

/// Which limit a lease is over.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Limit {
    /// Of one lease.
    #[error(
        "a registrar leases at most {0} numbers of a sex at once (`lease_numbers` in `[numbering]`): ask for fewer, or \
         have the owner of the key file lease more by `issuance leases take`"
    )]
    Lease(u32),
    /// Of an office.
    #[error(
        "the office has {held} numbers of this province, year and sex in leases that are open or were taken in the last \
         thirty days, and at most {most} are allowed (`office_numbers` in `[numbering]`): use those first"
    )]
    Office {
        /// So many are allowed.
        most: u32,
        /// So many there are.
        held: u64,
    },
}

/// Leases a block of numbers. When this returns and the deed is committed, no other caller gets one of them, whatever
/// happens to this process. Of a cell that has fewer left, the lease has those.
///
/// # Errors
/// [`LeaseError`]; [`NumberingError::Exhausted`] for a cell that is full.
pub async fn lease<A: Actor>(deed: &mut Deed<A>, numbers: &Numbers, wanted: Wanted) -> Result<Lease, LeaseError> {
    fit(&wanted, deed.today())?;
    let cells = wanted.cells();
    let Wanted { office, holder, purpose, province, birth_year, numbers: most, days, .. } = wanted;
    let holder = tidy(&holder).ok_or(LeaseUnfit::Holder)?;
    // Looked at before anything is reserved: what a refused deed reserved stays forfeited.
    for cell in &cells {
        if steps::left(deed.tx(), numbers, *cell).await? == 0 {
            return Err(NumberingError::Exhausted(*cell).into());
        }
    }
    let mut positions: Vec<(Sex, Range<u32>)> = vec![];
    for cell in cells {
        let block = steps::reserve(deed.tx(), numbers, cell, most.into()).await?;
        let block = u32::try_from(block.start).ok().zip(u32::try_from(block.end).ok());
        let (start, end) = block.filter(|(start, end)| start < end).ok_or(NumberingError::Exhausted(cell))?;
        positions.push((cell.sex, start..end));
    }
    let of = |sex: Sex| positions.iter().find(|(one, _)| *one == sex).map(|(_, range)| range.clone());
    let lease = Lease {
        id: deed.id(),
        office,
        holder,
        purpose,
        province,
        birth_year,
        female: of(Sex::Female),
        male: of(Sex::Male),
        leased_by: deed.caller().to_string(),
        leased_at: deed.at(),
        expires_at: deed.at() + Duration::days(days.into()),
        returned: None,
    };
    store::leases::insert(deed.tx(), &lease).await?;
    let entry = Entry::new(Action::NumbersLeased, Object::NumberLease(lease.id), Purpose::Numbering);
    deed.enter(entry.of(&lease.office).because(format!("{} numbers", lease.size()))).await?;
    Ok(lease)
}

/// Returns a lease and its unused numbers: those that no person has or had. The reading is a record.
///
/// # Errors
/// [`LeaseError`]
pub async fn read<A: Actor>(
    deed: &mut Deed<A>,
    numbers: &Numbers,
    id: LeaseId,
    may: impl FnOnce(&A, &OfficeCode) -> Result<(), OtherOffice>,
) -> Result<(Lease, Vec<PersonalNumber>), LeaseError> {
    let lease = store::leases::lease(deed.tx(), id).await?.ok_or(LeaseError::Unknown)?;
    may(deed.actor(), &lease.office)?;
    let unused = unused(deed.tx(), numbers, &lease).await?;
    let entry = Entry::new(Action::NumberLeaseRead, Object::NumberLease(id), Purpose::Numbering);
    deed.enter(entry.of(&lease.office)).await?;
    Ok((lease, unused))
}

/// Returns the numbers of a lease that no person has or had, and that are not withheld.
///
/// # Errors
/// [`LeaseError`]
pub async fn unused(tx: &mut Tx, numbers: &Numbers, lease: &Lease) -> Result<Vec<PersonalNumber>, LeaseError> {
    let mut all = lease.numbers(&numbers.permutation).collect::<Result<Vec<_>, _>>()?;
    let taken: HashSet<PersonalNumber> = super::store::taken(tx, &all).await?.into_iter().collect();
    all.retain(|number| !taken.contains(number));
    Ok(all)
}

/// Ends a lease: its holder draws no more, and no message names it any more. Its unused numbers stay listed, and are
/// never given.
///
/// # Errors
/// [`LeaseError::Returned`] for one that was returned before.
pub async fn give_back<A: Actor>(
    deed: &mut Deed<A>,
    id: LeaseId,
    because: &str,
    may: impl FnOnce(&A, &OfficeCode) -> Result<(), OtherOffice>,
) -> Result<(), LeaseError> {
    let lease = store::leases::lease_locked(deed.tx(), id).await?.ok_or(LeaseError::Unknown)?;
    may(deed.actor(), &lease.office)?;
    if lease.returned.is_some() {
        return Err(LeaseError::Returned);
    }
    let because = tidy(because).ok_or(LeaseError::ReasonMissing)?;
    let returned = Returned { by: deed.caller().to_string(), at: deed.at(), because: because.clone() };
    store::leases::give_back(deed.tx(), id, &returned).await?;
    let entry = Entry::new(Action::NumberLeaseReturned, Object::NumberLease(id), Purpose::Numbering);
    deed.enter(entry.of(&lease.office).because(because)).await?;
    Ok(())
}

/// Numbers of a sex that one lease has, at most.
pub const MOST: u32 = 10_000;
/// Days of a lease, at most.
pub const MOST_DAYS: u16 = 366;

const _: () = assert!(MOST <= CELL_SIZE);

/// A number of a lease, as a message of birth names it.
#[derive(Clone, Copy)]
pub struct OfLease {
    /// The lease.
    pub lease: LeaseId,
    /// The number that its holder gave the child.
    pub number: PersonalNumber,
}

/// Shows no digit.
impl fmt::Debug for OfLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OfLease({})", self.lease)
    }
}

/// What is wrong with a lease that is asked for.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum LeaseUnfit {
    /// Too many days, or none.
    #[error("a lease has 1 to {MOST_DAYS} days")]
    Days,
    /// No desk or station is named.
    #[error("the holder has no name")]
    Holder,
    /// No such province.
    #[error("the tables have no province with this code")]
    Province,
    /// Too many numbers, or none.
    #[error("a lease has 1 to {MOST} numbers of a sex")]
    Size,
    /// No year of birth that numbers exist for.
    #[error("a lease is for births from 1900 to the next year")]
    Year,
}

/// Why there is no lease, or why it does not end.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// The counters outside the database.
    #[error(transparent)]
    Counters(#[from] KeyStoreError),
    /// A province for which the office does not work.
    #[error(
        "the officer's office does not work for province {0}: an office leases numbers of its own province and of those \
         of the units below it, and one that is no unit leases none; GET /api/v1/units tells which, and the national \
         office makes a unit by POST /api/v1/units"
    )]
    Elsewhere(ProvinceCode),
    /// The number space.
    #[error(transparent)]
    Numbering(#[from] NumberingError),
    /// Another office's lease.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// Returned without a word.
    #[error("no reason is given")]
    ReasonMissing,
    /// Returned before.
    #[error("the lease was returned")]
    Returned,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// More than a registrar may lease.
    #[error(transparent)]
    TooMany(#[from] Limit),
    /// What is asked is no lease.
    #[error(transparent)]
    Unfit(#[from] LeaseUnfit),
    /// No such lease.
    #[error("no lease with this id")]
    Unknown,
}

impl From<ReserveError> for LeaseError {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::Counters(source) => Self::Counters(source),
            ReserveError::Store(source) => Self::Store(source),
        }
    }
}
