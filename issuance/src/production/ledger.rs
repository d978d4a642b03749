//! The stock as a double-entry ledger: every chip is on one account at every moment, and what moves it is a posting
//! from one account to another, written with the chip's row in the transaction of the verb. Pure but for `post`.
//!
//! ```text
//! supplier -> store-room | office -> courier -> office -> station: delivered -> initialised -> bound -> card
//!                                                     any of them -> spoiled -> destroyed;  -> lost -> spoiled
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::{Chip, ChipStateName};
use super::store::ledger as store;
use crate::deed::{Deed, Entry};
use crate::ground::OfficeCode;
use crate::ground::actor::Actor;
use crate::ground::ids::EntryId;
use crate::store::{Argument, StoreError};

/// A kind of account.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The manufacturers: from there every chip came, so that this account is as far below zero
    /// as all others are above.
    Supplier,
    /// The store room of the national office.
    StoreRoom,
    /// A box on its way between two offices.
    Courier,
    /// The store of an office.
    Office,
    /// A station.
    Station,
    /// Chips that became a card.
    Card,
    /// Chips that will never be a card.
    Spoiled,
    /// Chips that are no more.
    Destroyed,
    /// Chips that are not where they should be.
    Lost,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Supplier,
        Self::StoreRoom,
        Self::Courier,
        Self::Office,
        Self::Station,
        Self::Card,
        Self::Spoiled,
        Self::Destroyed,
        Self::Lost,
    ];

    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Supplier => "supplier",
            Self::StoreRoom => "store-room",
            Self::Courier => "courier",
            Self::Office => "office",
            Self::Station => "station",
            Self::Card => "card",
            Self::Spoiled => "spoiled",
            Self::Destroyed => "destroyed",
            Self::Lost => "lost",
        }
    }

    /// True where chips of several states may be.
    #[must_use]
    pub(super) const fn has_states(self) -> bool {
        self.state().is_none()
    }

    /// The one state that chips have there; none where the account says it.
    const fn state(self) -> Option<ChipStateName> {
        match self {
            Self::Card => Some(ChipStateName::Personalized),
            Self::Spoiled => Some(ChipStateName::Spoiled),
            Self::Destroyed => Some(ChipStateName::Destroyed),
            Self::Lost => Some(ChipStateName::Lost),
            Self::Supplier | Self::StoreRoom | Self::Courier | Self::Office | Self::Station => None,
        }
    }
}

/// An account: where chips are, and what they are there. As text `supplier`, `office/o-1/delivered`,
/// `station/o-1/UUID/bound`, `card/o-1`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LedgerAccount {
    /// What kind of account it is.
    pub place: Place,
    /// The office that answers for it; none for the supplier.
    pub office: Option<OfficeCode>,
    /// The station, or the box.
    pub holder: Option<Uuid>,
    /// What the chips are; none at the supplier.
    pub state: Option<ChipStateName>,
}

impl LedgerAccount {
    /// Where every chip comes from.
    #[must_use]
    pub const fn supplier() -> Self {
        Self { place: Place::Supplier, office: None, holder: None, state: None }
    }

    /// An account of an office.
    pub(super) fn at(place: Place, office: &OfficeCode, holder: Option<Uuid>, state: ChipStateName) -> Self {
        Self { place, office: Some(office.clone()), holder, state: Some(state) }
    }

    /// The account of blanks that an office received.
    pub(super) fn store_of(office: &OfficeCode) -> Self {
        let place = if *office == OfficeCode::national() { Place::StoreRoom } else { Place::Office };
        Self::at(place, office, None, ChipStateName::Delivered)
    }
}

impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.place.word())?;
        if let Some(office) = &self.office {
            write!(f, "/{}", office.as_str())?;
        }
        if let Some(holder) = self.holder {
            write!(f, "/{holder}")?;
        }
        match self.state.filter(|_| self.place.state().is_none()) {
            Some(state) => write!(f, "/{}", state.word()),
            None => Ok(()),
        }
    }
}

/// A text that names no account.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no account of the ledger is called so")]
pub struct NoAccount;

impl FromStr for LedgerAccount {
    type Err = NoAccount;

    fn from_str(text: &str) -> Result<Self, NoAccount> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(NoAccount);
        let word = part()?;
        let place = Place::ALL.into_iter().find(|place| place.word() == word).ok_or(NoAccount)?;
        let mut account = Self { place, ..Self::supplier() };
        if place != Place::Supplier {
            account.office = Some(part()?.parse().map_err(|_| NoAccount)?);
        }
        if matches!(place, Place::Courier | Place::Station) {
            account.holder = Some(part()?.parse().map_err(|_| NoAccount)?);
        }
        account.state = place.state();
        if matches!(place, Place::StoreRoom | Place::Courier | Place::Office | Place::Station) {
            let word = part()?;
            account.state = Some(ChipStateName::ALL.into_iter().find(|state| state.word() == word).ok_or(NoAccount)?);
        }
        if account.to_string() == text { Ok(account) } else { Err(NoAccount) }
    }
}

impl From<&LedgerAccount> for Argument {
    fn from(account: &LedgerAccount) -> Self {
        Self::from(account.to_string())
    }
}

/// What a posting does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Movement {
    /// Chips of before the ledger.
    Opening,
    /// A delivery came.
    Received,
    /// Another office had claimed the blank; the national office received it.
    TakenOver,
    /// A station got it out of the store.
    Opened,
    /// It changed hands otherwise.
    Moved,
    /// It was put into a box for another office.
    Sent,
    /// The office that the box was sent to received it.
    Arrived,
    /// It came back to the office that had sent it.
    Returned,
    /// It has our keys and its own.
    Initialised,
    /// It belongs to an application.
    Bound,
    /// It is a card.
    Personalized,
    /// It is the card that a restored database did not know.
    Reentered,
    /// It will never be a card.
    Spoiled,
    /// It was destroyed before witnesses.
    Destroyed,
    /// It was reported lost.
    Lost,
    /// It was lost, and was found.
    Found,
}

impl Movement {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Opening,
        Self::Received,
        Self::TakenOver,
        Self::Opened,
        Self::Moved,
        Self::Sent,
        Self::Arrived,
        Self::Returned,
        Self::Initialised,
        Self::Bound,
        Self::Personalized,
        Self::Reentered,
        Self::Spoiled,
        Self::Destroyed,
        Self::Lost,
        Self::Found,
    ];

    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Received => "received",
            Self::TakenOver => "taken-over",
            Self::Opened => "opened",
            Self::Moved => "moved",
            Self::Sent => "sent",
            Self::Arrived => "arrived",
            Self::Returned => "returned",
            Self::Initialised => "initialised",
            Self::Bound => "bound",
            Self::Personalized => "personalized",
            Self::Reentered => "reentered",
            Self::Spoiled => "spoiled",
            Self::Destroyed => "destroyed",
            Self::Lost => "lost",
            Self::Found => "found",
        }
    }
}

/// Writes what became of a chip: its record of the trail, its posting and its row, in the transaction of the deed. The
/// only way in which a chip's state or place changes.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn post<A: Actor>(
    deed: &mut Deed<A>,
    chip: &mut Chip,
    movement: Movement,
    entry: Entry,
) -> Result<(), StoreError> {
    let entry = deed.entered(entry).await?;
    post_under(deed, chip, movement, entry).await
}

/// As [`post`], under a record of the trail that tells of several chips.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn post_under<A: Actor>(
    deed: &mut Deed<A>,
    chip: &mut Chip,
    movement: Movement,
    entry: EntryId,
) -> Result<(), StoreError> {
    let (id, at) = (deed.id(), deed.at());
    Box::pin(store::book(deed.tx(), chip, &store::Posting { id, at, movement, entry })).await
}

/// What the accounts hold now, and where that is not what the chips are.
#[derive(Clone, Debug, Default)]
pub struct Balances {
    /// The sum of all accounts, which is zero.
    pub sum: i64,
    /// Each account that is not empty, in their order.
    pub accounts: Vec<(LedgerAccount, i64)>,
    /// State, chips by the accounts, chips by their rows: where the two differ.
    pub differ: Vec<(String, i64, i64)>,
    /// Rows of the tallies that were read for it: many of them are added up.
    pub tallied: u64,
}

impl Balances {
    /// Adds up what accounts hold, and compares it with what chips there are by state.
    pub(super) fn new(accounts: Vec<(LedgerAccount, i64)>, chips: BTreeMap<String, i64>) -> Self {
        let sum = accounts.iter().map(|(_, n)| n).sum();
        let mut booked: BTreeMap<String, (i64, i64)> = chips.into_iter().map(|(state, n)| (state, (0, n))).collect();
        for (account, n) in &accounts {
            if let Some(state) = account.state {
                booked.entry(state.word().to_owned()).or_default().0 += n;
            }
        }
        let differ = booked.into_iter().filter(|(_, (booked, there))| booked != there);
        let differ = differ.map(|(state, (booked, there))| (state, booked, there)).collect();
        Self { sum, accounts, differ, tallied: 0 }
    }

    /// Returns what is wrong with them, in sentences; nothing where all is well.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.sum != 0 {
            said.push(format!("the accounts add up to {}, not to 0", self.sum));
        }
        let below = self.accounts.iter().filter(|(account, n)| *n < 0 && account.place != Place::Supplier);
        said.extend(below.map(|(account, n)| format!("{account} holds {n}")));
        let differ = self.differ.iter();
        said.extend(differ.map(|(state, booked, there)| format!("{state}: {booked} on accounts, {there} chips")));
        said
    }

    /// Returns what each kind of account holds, in their order, those that hold nothing too.
    #[must_use]
    pub fn by_place(&self) -> Vec<(Place, i64)> {
        let of = |place| self.accounts.iter().filter(|(account, _)| account.place == place).map(|(_, n)| n).sum();
        Place::ALL.into_iter().map(|place| (place, of(place))).collect()
    }
}

/// What a walk over all postings and all chips found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LedgerCheck {
    /// How many postings there are.
    pub postings: u64,
    /// What is wrong, in sentences.
    pub complaints: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(text: &str) -> LedgerAccount {
        text.parse().unwrap()
    }

    #[test]
    fn an_account_has_one_spelling() {
        let station = "station/o-1/0197a3f0-1234-7abc-8def-0123456789ab/bound";
        for text in
            ["supplier", "store-room/national/delivered", "office/o-1/initialised", station, "card/o-1", "lost/o-1"]
        {
            assert_eq!(account(text).to_string(), text);
        }
        for other in
            ["", "supplier/o-1", "card", "card/o-1/personalized", "office/o-1", "office/o-1/", "desk/o-1/bound"]
        {
            assert_eq!(other.parse::<LedgerAccount>(), Err(NoAccount), "{other}");
        }
    }

    #[test]
    fn accounts_that_do_not_add_up_are_complained_of() {
        let chips =
            |delivered, spoiled| BTreeMap::from([("delivered".to_owned(), delivered), ("spoiled".to_owned(), spoiled)]);
        let accounts = |store, spoiled| {
            vec![(account("supplier"), -5), (account("office/o-1/delivered"), store), (account("spoiled/o-1"), spoiled)]
        };
        assert_eq!(Balances::new(accounts(3, 2), chips(3, 2)).complaints(), Vec::<String>::new());
        let said = Balances::new(accounts(3, 1), chips(3, 2)).complaints();
        assert_eq!(said, ["the accounts add up to -1, not to 0", "spoiled: 1 on accounts, 2 chips"]);
        let said = Balances::new(accounts(-1, 6), chips(0, 6)).complaints();
        assert_eq!(said, ["office/o-1/delivered holds -1", "delivered: -1 on accounts, 0 chips"]);
    }
}
