//! The first load of a register that is empty: rows enter without indexes, which are made when all are there.

use std::collections::hash_map::Entry as Place;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use crypto::identity::PersonalNumber;
use thiserror::Error;

use super::super::store::first as store;
use super::super::store::import::{Bearer, Known, begin_of};
use super::judge::Fit;
use super::run::ImportError;
use crate::deed::{Action, Deeds, Entry, Object, Purpose};
use crate::ground::actor::Service;

/// A first load under way, with what it has met: while the indexes are gone, what was declared before is found here.
#[derive(Default)]
pub struct First {
    hasher: RandomState,
    /// Of each likeness the first who bears it: the begin of the digest, and the number for life, 0 for none.
    alike: HashMap<u64, (u64, u64)>,
    /// Those who bear one after another.
    more: HashMap<u64, Vec<(u64, u64)>>,
    old_numbers: HashSet<u64>,
}

/// Shows how many persons it knows.
impl std::fmt::Debug for First {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "First of {} likenesses", self.alike.len())
    }
}

impl First {
    /// Begins the first load of a register, or goes on with one.
    ///
    /// # Errors
    /// [`ImportError::First`] where there is none.
    pub async fn open(deeds: &Deeds) -> Result<Self, ImportError> {
        let mut deed = deeds.open(Service).await?;
        if let Some(why) = store::refused(deed.tx()).await? {
            return Err(FirstRefused::of(&why).into());
        }
        let (under_way, mut first) = (store::is_under_way(deed.tx()).await?, Self::default());
        if under_way {
            store::met(deed.tx(), |likeness, digest, number, old| {
                let number = number.and_then(|number| number.parse().ok());
                first.add(&likeness, digest, number, old.as_deref());
            })
            .await?;
        } else {
            store::begin(deed.tx()).await?;
        }
        let entry = Entry::new(Action::DeclarationsImported, Object::Asked("first load".into()), Purpose::Declaration);
        deed.enter(entry.because(if under_way { "taken up" } else { "begun" })).await?;
        deed.commit().await?;
        Ok(first)
    }

    /// Makes the indexes and the dictionary of names, and ends the load; `tell` is told how many indexes are left. Cut
    /// at any moment, it goes on where it was.
    ///
    /// # Errors
    /// [`ImportError`]
    pub async fn finish(self, deeds: &Deeds, mut tell: impl FnMut(u64)) -> Result<(), ImportError> {
        loop {
            let mut deed = deeds.open(Service).await?;
            let left = store::next(deed.tx()).await?;
            let names = if left == 0 { Some(store::end(deed.tx()).await?) } else { None };
            let entry =
                Entry::new(Action::DeclarationsImported, Object::Asked("first load".into()), Purpose::Declaration);
            let says = names.map_or_else(|| format!("{left} indexes left"), |names| format!("ended, {names} names"));
            deed.enter(entry.because(says)).await?;
            deed.commit().await?;
            tell(left);
            if names.is_some() {
                return Ok(());
            }
        }
    }

    /// What was met of the people in some rows.
    pub(super) fn known<'a>(&self, fits: impl Iterator<Item = &'a Fit>) -> Known {
        let mut known = Known::default();
        for fit in fits {
            let hash = self.hash(&fit.found.likeness);
            if let Some(first) = self.alike.get(&hash) {
                let all = [first].into_iter().chain(self.more.get(&hash).into_iter().flatten());
                known.alike.insert(fit.found.likeness.clone(), all.map(bearer).collect());
            }
            if let Some(old) =
                fit.person.old_id_number.as_ref().filter(|old| self.old_numbers.contains(&self.hash(old)))
            {
                known.old_numbers.insert(old.clone());
            }
        }
        known
    }

    /// Notes a person who entered.
    pub(super) fn met(&mut self, fit: &Fit) {
        let old = fit.person.old_id_number.as_deref();
        self.add(&fit.found.likeness, begin_of(&fit.digest), fit.number, old);
    }

    fn add(&mut self, likeness: &str, digest: u64, number: Option<PersonalNumber>, old: Option<&str>) {
        let number = number.and_then(|number| number.as_str().parse::<u64>().ok()).map_or(0, |number| number + 1);
        let hash = self.hash(likeness);
        match self.alike.entry(hash) {
            Place::Vacant(place) => {
                place.insert((digest, number));
            }
            Place::Occupied(_) => self.more.entry(hash).or_default().push((digest, number)),
        }
        let old = old.map(|old| self.hash(old));
        self.old_numbers.extend(old);
    }

    /// Sixty-four bits stand for a text: of a hundred million, that two are alike by chance is one in some thousand,
    /// and would be a finding that an officer looks at.
    fn hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }
}

fn bearer((digest, number): &(u64, u64)) -> Bearer {
    let number = number.checked_sub(1).and_then(|number| format!("{number:012}").parse().ok());
    (Some(*digest), number)
}

/// Why there is no first load.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum FirstRefused {
    /// SQLite.
    #[error(
        "a first load is one of PostgreSQL: SQLite has one writer and makes an index no faster when its rows are there; \
         leave --first out"
    )]
    Engine,
    /// A standby is connected.
    #[error(
        "a standby follows this server: load first, and set it up by pg_basebackup afterwards; or leave --first out"
    )]
    Standby,
    /// A replication slot.
    #[error(
        "the server has a replication slot, which would keep the log of the whole load: drop it and make it again \
         afterwards; or leave --first out"
    )]
    Slot,
    /// The register holds persons.
    #[error("the register is not empty: leave --first out")]
    People,
    /// One is under way.
    #[error("a first load is under way: go on with it by --first and the same files")]
    UnderWay,
}

impl FirstRefused {
    fn of(word: &str) -> Self {
        match word {
            "standby" => Self::Standby,
            "slot" => Self::Slot,
            "people" => Self::People,
            _ => Self::Engine,
        }
    }
}
