//! The citizen looks at what the register holds, at the counter, and says what is wrong (Circular 59/2021/TT-BCA,
//! Art. 11): until the register is changed (form DC02), or the citizen takes it back, no card is approved.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::api::{ApplicationView, right};
use super::model::{Application, StageName, TransitionError};
use super::stages::Step;
use super::steps::to_step;
use super::store::register_checks as store;
use super::{Counter, CounterError};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::ApplicationId;
use crate::ground::{Decision, Officer};
use crate::population;
use crate::web::{Answered, Desk, Named, Routes, Write};

/// A field of the register, as form DC01 has them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegisterField {
    /// Name at birth.
    FullName,
    /// Date of birth.
    BirthDate,
    /// Sex.
    Sex,
    /// Where the birth was registered.
    BirthRegistration,
    /// Place of origin.
    PlaceOfOrigin,
    /// Ethnic group.
    EthnicGroup,
    /// Religion.
    Religion,
    /// Nationality.
    Nationality,
    /// Marital status.
    MaritalStatus,
    /// Permanent residence.
    PermanentResidence,
    /// Temporary residence.
    TemporaryResidence,
    /// Where the person lives, if elsewhere.
    CurrentResidence,
    /// Blood group.
    BloodGroup,
    /// Father.
    Father,
    /// Mother.
    Mother,
    /// Spouse.
    Spouse,
    /// Legal representative.
    Representative,
    /// Head of the household.
    HeadOfHousehold,
    /// Relation to the head.
    RelationToHead,
    /// Number of the old identity card.
    OldIdNumber,
    /// Number of the household book.
    HouseholdBookNumber,
}

impl RegisterField {
    /// The name of the field in a record of the register.
    pub(super) fn name(self) -> String {
        let name = serde_json::to_value(self).unwrap_or_default();
        name.as_str().unwrap_or_default().to_owned()
    }
}

/// What the citizen said to what the register holds.
#[derive(Clone, Debug)]
pub struct RegisterCheck {
    /// What is wrong or absent; nothing if all is right.
    pub disagrees: Vec<RegisterField>,
    /// So many events the history of the person had.
    pub events: u32,
    /// The officer who asked, and the moment.
    pub said: Decision,
}

/// Why no card is approved as the register stands.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum RegisterDoubt {
    /// The citizen disagrees with it.
    #[error("the citizen says that the register is wrong: {0}")]
    Disagrees(String),
    /// A change waits to be applied.
    #[error("a change of the person waits in the register")]
    Open,
    /// The words of the citizen contradict each other.
    #[error("either `agrees` is true, or `disagrees` names one field or more")]
    Unfit,
}

/// Notes what the citizen says to what the register holds, before the card is approved. Said again, the last word
/// counts. The officer who notes it had a hand in the application.
///
/// # Errors
/// [`CounterError`]
pub async fn say(
    deed: &mut Deed<Officer>,
    id: ApplicationId,
    mut disagrees: Vec<RegisterField>,
) -> Result<Application, CounterError> {
    use StageName as S;
    let application = to_step(deed, id).await?;
    let stage = application.stage.which();
    if !matches!(stage, S::Registered | S::Captured | S::Returned | S::Checked | S::LocallyApproved) {
        return Err(TransitionError::NotFrom(stage.word()).into());
    }
    disagrees.sort_unstable();
    disagrees.dedup();
    let history = population::store::history::events(deed, application.person).await?;
    let events = history.last().map_or(0, |event| event.ordinal);
    let said = deed.decision();
    super::steps::involve_actor(deed, id).await?;
    let words = match disagrees.as_slice() {
        [] => "agrees".to_owned(),
        fields => format!("disagrees: {}", names(fields)),
    };
    store::put(deed.tx(), &application, &RegisterCheck { disagrees, events, said }).await?;
    let action = Action::ApplicationRegisterChecked;
    let entry = Entry::new(action, Object::Application(id), Purpose::Capture).about(application.person);
    deed.enter(entry.of(&application.office).because(words)).await?;
    Ok(application)
}

/// Notes fields in which the archive of papers says otherwise than the register, beside those that the citizen named
/// and that are not settled. The caller records it.
pub(super) async fn archive_disagrees(
    deed: &mut Deed<Officer>,
    application: &Application,
    fields: &[RegisterField],
) -> Result<(), CounterError> {
    let mut disagrees = unsettled(deed, application).await?.map_or_else(Vec::new, |(_, left)| left);
    disagrees.extend(fields);
    disagrees.sort_unstable();
    disagrees.dedup();
    let history = population::store::history::events(deed, application.person).await?;
    let events = history.last().map_or(0, |event| event.ordinal);
    let said = deed.decision();
    Ok(store::put(deed.tx(), application, &RegisterCheck { disagrees, events, said }).await?)
}

/// Returns what the citizen said to what the register holds, and what of it the register still holds otherwise.
pub(super) async fn unsettled<A: Actor>(
    deed: &mut Deed<A>,
    application: &Application,
) -> Result<Option<(RegisterCheck, Vec<RegisterField>)>, CounterError> {
    let Some(check) = store::of_application(deed.tx(), application.id).await? else { return Ok(None) };
    let mut left = check.disagrees.clone();
    if !left.is_empty() {
        let (person, after) = (application.person, check.events);
        let changed = population::store::history::fields_changed_after(deed.tx(), person, after).await?;
        left.retain(|field| !changed.contains(&field.name()));
    }
    Ok(Some((check, left)))
}

/// Refuses an approval while a change of the person waits in the register, or while the register holds what the citizen
/// said is wrong.
///
/// # Errors
/// [`CounterError::Register`]
pub(super) async fn must_be_settled(deed: &mut Deed<Officer>, application: &Application) -> Result<(), CounterError> {
    if population::store::history::has_open_change(deed.tx(), application.person).await? {
        return Err(RegisterDoubt::Open.into());
    }
    match unsettled(deed, application).await? {
        Some((_, left)) if !left.is_empty() => Err(RegisterDoubt::Disagrees(names(&left)).into()),
        _ => Ok(()),
    }
}

/// Returns the names of fields, for a record.
pub(super) fn names(fields: &[RegisterField]) -> String {
    fields.iter().map(|field| field.name()).collect::<Vec<_>>().join(", ")
}

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    Routes::new().add(right(Step::Capture), routes!(check_register))
}

/// What the citizen says to what the register holds.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"disagrees": ["religion"]}))]
pub(super) struct RegisterCheckSaid {
    /// True if all is right.
    agrees: bool,
    /// What is wrong or absent.
    disagrees: Vec<RegisterField>,
}

impl RegisterCheckSaid {
    /// Returns the fields that disagree.
    ///
    /// # Errors
    /// [`RegisterDoubt::Unfit`]
    pub(super) fn fields(self) -> Result<Vec<RegisterField>, RegisterDoubt> {
        if self.agrees == self.disagrees.is_empty() { Ok(self.disagrees) } else { Err(RegisterDoubt::Unfit) }
    }
}

/// What the citizen said to what the register holds, as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RegisterCheckView {
    /// True if all was right.
    agrees: bool,
    /// What was wrong or absent.
    disagrees: Vec<RegisterField>,
    /// What of it the register was not changed in since: no card is approved while there is one.
    unsettled: Vec<RegisterField>,
}

impl From<(RegisterCheck, Vec<RegisterField>)> for RegisterCheckView {
    fn from((check, unsettled): (RegisterCheck, Vec<RegisterField>)) -> Self {
        Self { agrees: check.disagrees.is_empty(), disagrees: check.disagrees, unsettled }
    }
}

/// The citizen says what is wrong in the register, or that all is right. The last word counts.
#[utoipa::path(post, path = "/api/v1/applications/{id}/register-check", tag = "applications",
    request_body = RegisterCheckSaid, responses((status = 200, body = ApplicationView)))]
async fn check_register(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<RegisterCheckSaid>,
) -> Answered {
    desk.write(officer.clone(), stamp, async |deed| {
        let application = say(deed, id, body.fields()?).await?;
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::model::Declaration;

    #[test]
    fn a_field_is_named_as_in_a_declaration() {
        let declaration = serde_json::to_value(Declaration::default()).unwrap();
        let names: Vec<&String> = declaration.as_object().unwrap().keys().collect();
        let mut known = 0;
        for name in names {
            let field: Result<RegisterField, _> = serde_json::from_value(name.as_str().into());
            if let Ok(field) = field {
                assert_eq!(field.name(), *name);
                known += 1;
            } else {
                assert!(
                    ["died", "missing_since"].contains(&name.as_str()),
                    "{name}: no citizen at the counter says so"
                );
            }
        }
        assert_eq!(known, 21);
    }

    #[test]
    fn a_word_is_either_that_all_is_right_or_what_is_not() {
        let said = |agrees, disagrees: &[RegisterField]| {
            RegisterCheckSaid { agrees, disagrees: disagrees.to_vec() }.fields().ok()
        };
        let religion = [RegisterField::Religion];
        assert_eq!(said(true, &[]), Some(vec![]));
        assert_eq!(said(false, &religion), Some(religion.to_vec()));
        assert_eq!((said(true, &religion), said(false, &[])), (None, None));
    }
}
