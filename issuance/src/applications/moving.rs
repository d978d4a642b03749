//! An application of an office that is dissolved goes to the one that takes its place.

use super::model::{Application, Stage};
use super::store;
use super::store::moving;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::OfficeCode;
use crate::ground::actor::Actor;
use crate::ground::ids::EntryId;
use crate::notices::model::Matter;
use crate::notices::{self, Case};
use crate::store::StoreError;

/// Gives an application, which the caller holds, to another office: that one has it from now on. Due days and promises
/// stay; a claim ends. A citizen who is to come to the office is told. Returns the record.
///
/// # Errors
/// [`StoreError`]
pub async fn give<A: Actor>(
    deed: &mut Deed<A>,
    application: &Application,
    to: &OfficeCode,
) -> Result<EntryId, StoreError> {
    let (id, person, from, at) = (application.id, application.person, &application.office, deed.at());
    moving::give(deed.tx(), id, from, to).await?;
    store::claims::end_all(deed.tx(), id, at).await?;
    let comes =
        matches!(application.stage, Stage::Returned { .. } | Stage::Personalized { .. } | Stage::NotFetched { .. });
    if let Some(until) = application.progress.due.filter(|_| comes) {
        let case = Case { application: id, person, office: to };
        notices::write(deed, case, &Matter::OfficeMoved { until }).await?;
    }
    let entry = Entry::new(Action::ApplicationOfficeChanged, Object::Application(id), Purpose::Administration);
    deed.entered(entry.about(person).of(to).because(format!("{from} is dissolved"))).await
}
