//! What follows for an application under way when the register changes: it ends with the death of its citizen or the
//! loss of the nationality, and is decided anew where what would stand on the card is another thing. A chip that
//! carries the old words is written off.

use std::pin::Pin;

use rand::Rng as _;

use super::error::ProductionError;
use super::withdrawal::account_for;
use super::{Production, store};
use crate::applications::model::Stage;
use crate::deed::{Action, Consequences, Deed, Entry, Object, Objection, Purpose, RegisterEvent, Subscriber};
use crate::ground::Officer;
use crate::ground::ids::ApplicationId;
use crate::web::Problem;
use crate::{applications, cards};

impl Subscriber for Production {
    fn follow<'a>(
        &'a self,
        deed: &'a mut Deed<Officer>,
        event: RegisterEvent,
    ) -> Pin<Box<dyn Future<Output = Result<(), Objection>> + Send + 'a>> {
        Box::pin(async move { follow(deed, event).await.map_err(|error| Problem::from(error).into()) })
    }
}

async fn follow(deed: &mut Deed<Officer>, event: RegisterEvent) -> Result<(), ProductionError> {
    let Some((id, _)) = applications::store::lists::open_of(deed.tx(), event.person).await? else { return Ok(()) };
    let Consequences { renumbered, on_card, .. } = event.consequences;
    let (ends, on_card) = (event.consequences.ends_entitlement(), renumbered || on_card);
    if ends || on_card {
        withdraw_chip(deed, id).await?;
    }
    let found = applications::store::application_locked(deed, id).await?;
    let mut application = found.ok_or(ProductionError::ApplicationGone)?;
    let mut salt = [0; 16];
    deed.rng().fill_bytes(&mut salt);
    let action = match (&application.stage, ends) {
        (_, true) => {
            application.stage = application.stage.cancel(deed.decision(), CHANGED.to_owned())?;
            Action::ApplicationCancelled
        }
        // Also where nothing that stands on the card changed: who decides sees the person as the register has one now.
        (Stage::Captured { .. } | Stage::Checked { .. } | Stage::LocallyApproved { .. }, false) => {
            application.stage = application.stage.reopen(salt)?;
            Action::ApplicationReopened
        }
        (Stage::Approved { .. } | Stage::Held { .. }, false) if on_card => {
            application.stage = application.stage.reopen(salt)?;
            Action::ApplicationReopened
        }
        (_, false) => {
            let entry = Entry::new(Action::ApplicationRead, Object::Application(id), Purpose::Update);
            deed.enter(entry.about(application.person).of(&application.office)).await?;
            return Ok(());
        }
    };
    applications::steps::moved(deed, application, action, Purpose::Update).await?;
    Ok(())
}

/// Why an application ends, and a chip is written off.
const CHANGED: &str = "register-changed";

/// Writes off the chip of an application that is being written, or is written and not handed over.
async fn withdraw_chip(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<(), ProductionError> {
    let found = applications::store::application(deed, id).await?;
    let application = found.ok_or(ProductionError::ApplicationGone)?;
    let serial = match &application.stage {
        Stage::InProduction { chip, .. } => Some(*chip),
        Stage::Shipped { card, .. } | Stage::Personalized { card, .. } | Stage::NotFetched { card, .. } => {
            let cards = cards::store::cards_of(deed, application.person).await?;
            cards.iter().find(|known| known.id == *card).map(|card| card.serial)
        }
        _ => None,
    };
    let Some(serial) = serial else { return Ok(()) };
    let chip = store::chip_locked(deed.tx(), &serial).await?.ok_or(ProductionError::ChipUnknown)?;
    let by = deed.caller().to_string();
    account_for(deed, chip, CHANGED, "a change of the register", by).await?;
    Ok(())
}
