//! The verbs of duplicates: who may be one person, and what an officer says of two.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::PopulationError;
use super::super::model::{Person, Registered};
use super::super::store::duplicates::{self as store, Said};
use super::score::{Judgement, SHOWN_FROM};
use super::traits::Traits;
use crate::deed::{Action, Deed, Entry, Object, Occasion, Purpose, UnknownWord};
use crate::ground::Officer;
use crate::ground::ids::PersonId;
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

/// Returns the persons who are probably one with a person whose declaration is about to enter the register, and records
/// each of them. The caller holds the likeness, so that those who come at the same moment wait for each other.
///
/// # Errors
/// [`StoreError`]
pub(in crate::population) async fn of_declaration(
    deed: &mut Deed<Officer>,
    person: &Person,
) -> Result<Vec<Alike>, StoreError> {
    let found = store::candidates(deed.tx(), &Traits::from(person), None).await?;
    let likely = found.into_iter().filter(|(_, judgement)| judgement.score >= SHOWN_FROM).collect();
    let occasion = Occasion { purpose: Purpose::Declaration, case: None };
    told(deed, likely, vec![], occasion).await
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
    Ok(told(deed, worth_a_look, said, occasion).await?)
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

/// Says of two persons that they are one, or two. Two officers who say that they are one are needed for more; one who
/// says that they are two is enough for them not to be shown again.
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
    // The office of one of the two has the papers of that one.
    if deed.actor().may_act_for(&offices[1]).is_err() {
        deed.actor().may_act_for(&offices[0])?;
    }
    let (id, by) = (deed.id(), deed.decision());
    store::add_verdict(deed.tx(), id, pair, verdict, because, &by).await?;
    for (person, other, office) in [(pair.0, pair.1, &offices[0]), (pair.1, pair.0, &offices[1])] {
        let entry = Entry::new(Action::DuplicateJudged, Object::Person(person), Purpose::Update);
        let entry = entry.about(person).of(office).with(Object::Person(other)).because(verdict.word());
        deed.enter(entry).await?;
    }
    Ok(())
}

async fn told(
    deed: &mut Deed<Officer>,
    found: Vec<(Registered, Judgement)>,
    said: Vec<Said>,
    occasion: Occasion,
) -> Result<Vec<Alike>, StoreError> {
    let mut all = vec![];
    for (registered, judgement) in found.into_iter().take(SHOWN) {
        let readable = super::super::steps::found(deed, &registered, occasion).await?;
        let said = said.iter().filter(|said| said.other == registered.id).cloned().collect();
        all.push(Alike { registered, judgement, readable, said });
    }
    Ok(all)
}

/// So many are told at once.
const SHOWN: usize = 5;
/// From this score on, a pair is listed for an officer who asks.
pub const WORTH_A_LOOK: i32 = 14;
