//! Legal holds: put and ended by two officers of the national office.

use thiserror::Error;

use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::{ApplicationId, CardId, HoldId, PersonId};
use crate::ground::text::tidy;
use crate::ground::{Id, OfficeCode, Officer, OtherOffice};
use crate::holds::{Hold, HoldState, Named, store};
use crate::store::StoreError;
use crate::{applications, cards, population};

/// Proposes a hold, which stands from now on for a week, or until it is ended if a second officer confirms it. The
/// person is kept from other writers meanwhile: what is being erased is erased before, and nothing after.
///
/// # Errors
/// [`HoldError`]
pub async fn propose(
    deed: &mut Deed<Officer>,
    named: Named,
    object: uuid::Uuid,
    grounds: &str,
) -> Result<Hold, HoldError> {
    at_national_office(deed)?;
    let grounds = tidy(grounds).ok_or(HoldError::ReasonMissing)?;
    let (person, application): (PersonId, Option<ApplicationId>) = match named {
        Named::Person => (Id::from_uuid(object), None),
        Named::Application => {
            let id = Id::from_uuid(object);
            let found = applications::store::application(deed, id).await?.ok_or(HoldError::ApplicationUnknown)?;
            (found.person, Some(id))
        }
        Named::Card => {
            let id: CardId = Id::from_uuid(object);
            let found = cards::store::card_locked(deed, id).await?.ok_or(HoldError::CardUnknown)?;
            (found.person, Some(found.application))
        }
    };
    population::store::person_locked(deed, person).await?.ok_or(HoldError::PersonUnknown)?;
    let hold = Hold {
        id: deed.id(),
        named,
        object,
        person,
        application,
        grounds,
        proposed: deed.decision(),
        confirmed: None,
        release_grounds: None,
        release_proposed: None,
        released: None,
    };
    store::insert(deed.tx(), &hold).await?;
    recorded(deed, &hold, Action::LegalHoldProposed, Some(&hold.grounds)).await?;
    Ok(hold)
}

/// Confirms a hold that another officer proposed.
///
/// # Errors
/// [`HoldError`]
pub async fn confirm(deed: &mut Deed<Officer>, id: HoldId) -> Result<Hold, HoldError> {
    let mut hold = of(deed, id, HoldState::Proposed).await?;
    if deed.actor().is_one_with(hold.proposed.by) {
        return Err(HoldError::SecondOfficer);
    }
    hold.confirmed = Some(deed.decision());
    store::decide(deed.tx(), &hold).await?;
    recorded(deed, &hold, Action::LegalHoldConfirmed, None).await?;
    Ok(hold)
}

/// Proposes the end of a hold, which stands until a second officer agrees.
///
/// # Errors
/// [`HoldError`]
pub async fn propose_release(deed: &mut Deed<Officer>, id: HoldId, grounds: &str) -> Result<Hold, HoldError> {
    let mut hold = of(deed, id, HoldState::Confirmed).await?;
    let grounds = tidy(grounds).ok_or(HoldError::ReasonMissing)?;
    hold.release_proposed = Some(deed.decision());
    hold.release_grounds = Some(grounds);
    store::decide(deed.tx(), &hold).await?;
    recorded(deed, &hold, Action::LegalHoldReleaseProposed, hold.release_grounds.as_deref()).await?;
    Ok(hold)
}

/// Takes the proposal back that a hold ends: the officer who made it, or another one who disagrees. The hold stands as
/// before.
///
/// # Errors
/// [`HoldError`]
pub async fn withdraw_release(deed: &mut Deed<Officer>, id: HoldId) -> Result<Hold, HoldError> {
    let mut hold = of(deed, id, HoldState::ReleaseProposed).await?;
    hold.release_proposed = None;
    hold.release_grounds = None;
    store::decide(deed.tx(), &hold).await?;
    recorded(deed, &hold, Action::LegalHoldReleaseWithdrawn, None).await?;
    Ok(hold)
}

/// Ends a hold, as another officer proposed.
///
/// # Errors
/// [`HoldError`]
pub async fn release(deed: &mut Deed<Officer>, id: HoldId) -> Result<Hold, HoldError> {
    let mut hold = of(deed, id, HoldState::ReleaseProposed).await?;
    if hold.release_proposed.as_ref().is_some_and(|proposed| deed.actor().is_one_with(proposed.by)) {
        return Err(HoldError::SecondOfficer);
    }
    hold.released = Some(deed.decision());
    store::decide(deed.tx(), &hold).await?;
    recorded(deed, &hold, Action::LegalHoldReleased, None).await?;
    Ok(hold)
}

/// Refuses officers of another office than the national one: a hold binds all offices.
///
/// # Errors
/// [`OtherOffice`]
pub fn at_national_office(deed: &Deed<Officer>) -> Result<(), OtherOffice> {
    deed.actor().may_act_for(&OfficeCode::national())
}

async fn of(deed: &mut Deed<Officer>, id: HoldId, state: HoldState) -> Result<Hold, HoldError> {
    at_national_office(deed)?;
    let hold = store::locked(deed.tx(), id).await?.ok_or(HoldError::Unknown)?;
    let found = hold.state(deed.at());
    if found == state { Ok(hold) } else { Err(HoldError::State(found)) }
}

async fn recorded(
    deed: &mut Deed<Officer>,
    hold: &Hold,
    action: Action,
    because: Option<&str>,
) -> Result<(), StoreError> {
    let related = match (hold.named, hold.application) {
        (Named::Person, _) | (_, None) => Object::Person(hold.person),
        (Named::Application, Some(id)) => Object::Application(id),
        (Named::Card, Some(_)) => Object::Card(Id::from_uuid(hold.object)),
    };
    let entry = Entry::new(action, Object::LegalHold(hold.id), Purpose::Retention).about(hold.person).with(related);
    deed.enter(Entry { reason: because.map(str::to_owned), ..entry }).await
}

/// Why a legal hold is not put or ended.
#[derive(Debug, Error)]
pub enum HoldError {
    /// No such application.
    #[error("application unknown")]
    ApplicationUnknown,
    /// No such card.
    #[error("card unknown")]
    CardUnknown,
    /// Not an officer of the national office.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// No such person.
    #[error("person unknown")]
    PersonUnknown,
    /// No grounds are given.
    #[error("no grounds are given")]
    ReasonMissing,
    /// The officer who proposed does not decide.
    #[error("another officer than the one who proposed it decides")]
    SecondOfficer,
    /// The hold is elsewhere.
    #[error("the hold is {}", .0.word())]
    State(HoldState),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such hold.
    #[error("legal hold unknown")]
    Unknown,
}
