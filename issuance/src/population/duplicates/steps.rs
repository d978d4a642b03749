//! The verbs of duplicates: who may be one person, and what an officer says of two.

use std::collections::BTreeSet;
use std::str::FromStr;

use crypto::identity::PersonalNumber;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::PopulationError;
use super::super::model::{Finding, Person, Registered};
use super::super::store::duplicates::{self as store, Said};
use super::super::store::import::note;
use super::score::{Judgement, SHOWN_FROM};
use super::traits::Traits;
use crate::deed::{Action, Deed, Entry, Object, Occasion, Purpose, UnknownWord};
use crate::ground::actor::Registers;
use crate::ground::ids::PersonId;
use crate::ground::{OfficeCode, Officer, OtherOffice};
use crate::store::{StoreError, Tx};

/// A person who may be the same one.
#[derive(Clone, Debug)]
pub struct Alike {
    /// The person.
    pub registered: Registered,
    /// What the comparison came to.
    pub judgement: Judgement,
    /// True if the officer may read the person.
    pub readable: bool,
    /// What officers said of the two, oldest first.
    pub said: Vec<Said>,
    /// The office whose officer has still to say that the two are two, where the other one's did.
    pub awaits: Option<OfficeCode>,
}

/// What an officer says of two persons.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// They are one person.
    Same,
    /// They are two, and are not shown to each other again.
    Different,
}

impl Verdict {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
        }
    }
}

impl FromStr for Verdict {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Same, Self::Different].into_iter().find(|verdict| verdict.word() == text).ok_or(UnknownWord)
    }
}

/// What the register says about a person who enters it: the one judge of every way in. A declaration at a counter, a
/// message of birth, a row out of quarantine and the comparison of a file (`issuance import --doubles`) ask it.
#[derive(Debug)]
pub struct Compared {
    /// Persons who are probably the same one, best first.
    pub likely: Vec<(Registered, Judgement)>,
    /// True if a person of the same name, birth date and sex came before, and was not told apart.
    pub namesake: bool,
    /// True if a person came before whose declaration is the same, field by field.
    pub same: bool,
    /// True if a person who came before has the number of the old card.
    pub old_number: bool,
}

impl Compared {
    /// Returns what an officer should look at.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![];
        if self.namesake || !self.likely.is_empty() {
            findings.push(Finding::perhaps_declared_before());
        }
        if self.old_number {
            findings.push(Finding::old_number_shared());
        }
        findings
    }
}

/// Compares a person with the register. `id` is of a person who is in it already: then those who came later count only
/// if they are probably the same one, and those whom officers told apart count no more.
///
/// # Errors
/// [`StoreError`]
pub async fn compare(
    tx: &mut Tx,
    person: &Person,
    number: Option<&PersonalNumber>,
    id: Option<PersonId>,
) -> Result<Compared, StoreError> {
    let mut likely = store::candidates(tx, &Traits::from(person), id).await?;
    likely.retain(|(_, judgement)| judgement.score >= SHOWN_FROM);
    let (namesake, same) = store::alike(tx, person, number, id).await?;
    let old_number = match &person.old_id_number {
        Some(number) => store::has_old_number(tx, number, id).await?,
        None => false,
    };
    Ok(Compared { likely, namesake, same, old_number })
}

/// Notes with the persons who are probably one with another one that they are. Returns how many had not the finding.
pub(in crate::population) async fn note_likely(tx: &mut Tx, compared: &Compared) -> Result<u64, StoreError> {
    let mut likely: Vec<PersonId> = compared.likely.iter().map(|(registered, _)| registered.id).collect();
    // In one order, so that two transactions do not wait for each other.
    likely.sort_unstable();
    let mut noted = 0;
    for one in likely {
        noted += u64::from(note(tx, one, &Finding::perhaps_declared_before()).await?);
    }
    Ok(noted)
}

/// Compares a person whose declaration is about to enter the register, notes with those who are probably the same one
/// that they are, and records each of them: this one, and those who come at the same moment, wait for each other.
/// Returns them, and what an officer should look at.
///
/// # Errors
/// [`StoreError`]
pub(in crate::population) async fn of_declaration<A: Registers>(
    deed: &mut Deed<A>,
    person: &Person,
) -> Result<(Vec<Alike>, Vec<Finding>), StoreError> {
    let compared = compare(deed.tx(), person, None, None).await?;
    note_likely(deed.tx(), &compared).await?;
    let findings = compared.findings();
    let occasion = Occasion { purpose: Purpose::Declaration, case: None };
    Ok((told(deed, compared.likely, (vec![], None), occasion).await?, findings))
}

/// Compares a person whose declaration is not in the register yet, and changes nothing. Returns those who are probably
/// the same one, each recorded, and what an officer should look at.
///
/// # Errors
/// [`StoreError`]
pub(in crate::population) async fn foreseen(
    deed: &mut Deed<Officer>,
    person: &Person,
) -> Result<(Vec<Alike>, Vec<Finding>), StoreError> {
    let compared = compare(deed.tx(), person, None, None).await?;
    let findings = compared.findings();
    let occasion = Occasion { purpose: Purpose::Declaration, case: None };
    Ok((told(deed, compared.likely, (vec![], None), occasion).await?, findings))
}

/// Returns the persons who may be one with a registered person, best first, each recorded: probable ones (from
/// [`SHOWN_FROM`] on), and those about whom an officer may want to think.
///
/// # Errors
/// [`PopulationError`]
pub async fn of_person(
    deed: &mut Deed<Officer>,
    id: PersonId,
    occasion: Occasion,
) -> Result<Vec<Alike>, PopulationError> {
    let registered = super::super::steps::read(deed, id, occasion).await?;
    let found = store::candidates(deed.tx(), &Traits::from(&registered.person), Some(id)).await?;
    let said = store::verdicts(deed.tx(), id).await?;
    let worth_a_look = found.into_iter().filter(|(_, judgement)| judgement.score >= WORTH_A_LOOK).collect();
    Ok(told(deed, worth_a_look, (said, Some(&registered.office)), occasion).await?)
}

/// Why a person may be in the register twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Doubt {
    /// Another person has the same name, birth date and sex.
    Alike,
    /// Another person is probably the same one.
    Probable,
}

/// Says whether a person may be in the register a second time, under a record in force that no officer told apart from
/// this one.
///
/// # Errors
/// [`StoreError`]
pub async fn doubt(tx: &mut Tx, id: PersonId, person: &Person) -> Result<Option<Doubt>, StoreError> {
    if super::super::store::has_double(tx, id, person).await? {
        return Ok(Some(Doubt::Alike));
    }
    let found = store::candidates(tx, &Traits::from(person), Some(id)).await?;
    let probable = found.first().is_some_and(|(_, judgement)| judgement.score >= SHOWN_FROM);
    Ok(probable.then_some(Doubt::Probable))
}

/// Returns those of some persons of whom another one is probably the same, and was not told apart. Only those are
/// compared with the register of whom a finding says so: everyone who enters it is compared then.
///
/// # Errors
/// [`StoreError`]
pub async fn doubtful_among(tx: &mut Tx, ids: Vec<PersonId>) -> Result<BTreeSet<PersonId>, StoreError> {
    let mut doubtful = BTreeSet::new();
    for (id, person) in store::noted(tx, &ids).await? {
        if doubt(tx, id, &person).await?.is_some() {
            doubtful.insert(id);
        }
    }
    Ok(doubtful)
}

/// Says of two persons that they are one, or two. Two officers who say that they are one are needed for more. Persons
/// of one office are told apart by one of its officers; those of two by an officer of each, or by one of the national
/// office, as with a merge: till then they are shown to each other, and stand in the way of a number.
///
/// # Errors
/// [`PopulationError::Unknown`], [`PopulationError::OtherOffice`]
pub async fn judge(
    deed: &mut Deed<Officer>,
    pair: (PersonId, PersonId),
    verdict: Verdict,
    because: &str,
) -> Result<(), PopulationError> {
    let mut offices = vec![];
    for id in [pair.0, pair.1] {
        let registered = super::super::store::person(deed, id).await?.ok_or(PopulationError::Unknown)?;
        offices.push(registered.office);
    }
    if pair.0 == pair.1 {
        return Err(PopulationError::Unknown);
    }
    // The office of one of the two has the papers of that one, and speaks for that one alone.
    let may = [&offices[0], &offices[1]].map(|office| deed.actor().may_act_for(office).is_ok());
    let speaks_for = match may {
        [true, true] => None,
        [true, false] => Some(pair.0),
        [false, true] => Some(pair.1),
        [false, false] => return Err(OtherOffice.into()),
    };
    let (id, by) = (deed.id(), deed.decision());
    store::add_verdict(deed.tx(), id, pair, (verdict, speaks_for), because, &by).await?;
    for (person, other, office) in [(pair.0, pair.1, &offices[0]), (pair.1, pair.0, &offices[1])] {
        let entry = Entry::new(Action::DuplicateJudged, Object::Person(person), Purpose::Update);
        let entry = entry.about(person).of(office).with(Object::Person(other)).because(verdict.word());
        deed.enter(entry).await?;
    }
    Ok(())
}

async fn told<A: Registers>(
    deed: &mut Deed<A>,
    found: Vec<(Registered, Judgement)>,
    (said, office): (Vec<Said>, Option<&OfficeCode>),
    occasion: Occasion,
) -> Result<Vec<Alike>, StoreError> {
    let mut all = vec![];
    for (registered, judgement) in found.into_iter().take(SHOWN) {
        let readable = super::super::steps::found(deed, &registered, occasion).await?;
        let person = registered.id;
        let said: Vec<Said> = said.iter().filter(|said| said.other == person).cloned().collect();
        let last = |of_other: bool| {
            let of_side = |said: &&Said| said.speaks_for.is_none_or(|one| (one == person) == of_other);
            said.iter().rev().find(of_side).is_some_and(|said| said.verdict == Verdict::Different)
        };
        let awaits = match (last(false), last(true)) {
            (true, false) => Some(registered.office.clone()),
            (false, true) => office.cloned(),
            _ => None,
        };
        all.push(Alike { registered, judgement, readable, said, awaits });
    }
    Ok(all)
}

/// So many are told at once.
const SHOWN: usize = 5;
/// From this score on, a pair is listed for an officer who asks.
pub const WORTH_A_LOOK: i32 = 14;
