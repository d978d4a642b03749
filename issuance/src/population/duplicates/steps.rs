//! The verbs of duplicates: who may be one person, and what an officer says of two.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::PopulationError;
use super::super::model::{Person, Registered};
use super::super::store::duplicates::{self as store, Said};
use super::score::{Judgement, SHOWN_FROM};
use super::traits::Traits;
use crate::deed::{Action, Deed, Entry, Object, Occasion, Purpose};
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

/// Returns the persons who are probably one with a person whose declaration is about to enter the register, and records
/// each of them: this one, and those who come at the same moment, wait for each other.
///
/// # Errors
/// [`StoreError`]
pub(in crate::population) async fn of_declaration(
    deed: &mut Deed<Officer>,
    person: &Person,
) -> Result<Vec<Alike>, StoreError> {
    let traits = Traits::from(person);
    store::hold(deed.tx(), &traits).await?;
    let found = store::candidates(deed.tx(), &traits, None).await?;
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

/// True if another person is probably the same one, and no officer told the two apart.
///
/// # Errors
/// [`StoreError`]
pub async fn is_doubtful(tx: &mut Tx, id: PersonId, person: &Person) -> Result<bool, StoreError> {
    let found = store::candidates(tx, &Traits::from(person), Some(id)).await?;
    Ok(found.first().is_some_and(|(_, judgement)| judgement.score >= SHOWN_FROM))
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
    let own = deed.actor().clone();
    let mut all = vec![];
    for (registered, judgement) in found.into_iter().take(SHOWN) {
        deed.saw(registered.id);
        deed.settle(registered.id, &registered.office).await?;
        let (object, person) = (Object::Person(registered.id), registered.id);
        deed.record_reading(Action::PersonFound, object, person, &registered.office, occasion).await?;
        let said = said.iter().filter(|said| said.other == person).cloned().collect();
        let readable = own.may_act_for(&registered.office).is_ok();
        all.push(Alike { registered, judgement, readable, said });
    }
    Ok(all)
}

/// So many are told at once.
const SHOWN: usize = 5;
/// From this score on, a pair is listed for an officer who asks.
pub const WORTH_A_LOOK: i32 = 14;
