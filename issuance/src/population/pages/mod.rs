//! The pages of the register: what waits for an officer, form DC01 with its second reading, changes (form DC02) and
//! merges with the page of the second officer, the quarantine, the four figures and the campaign.
//!
//! Every act is a verb of this office. What bars an act is what the verb itself says, tried in a deed that is not kept.

mod change;
mod charts;
mod fields;
mod figures;
mod form;
mod merge;
mod person;
mod proposal;
mod quarantine;
mod queue;
mod reading;
mod words;

use axum::Json;
use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::IntoResponse as _;

use super::{Register, units};
use crate::access;
use crate::deed::Deed;
use crate::ground::ids::{OfficerId, PartnerId};
use crate::ground::{Id, Officer, Permission};
use crate::store::StoreError;
use crate::web::html::{
    Asked, Dress, Filled, Frame, PageRoutes, Place, REGISTER, Shown, Texts, Trouble, Visitor, texts,
};
use crate::web::{Desk, Named, Problem, Right};

/// The pages of this office.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Desk: FromRef<S>,
    Register: FromRef<S>,
{
    let declares = Right::Officer(Permission::Declare);
    PageRoutes::new()
        .get(declares, REGISTER, queue::begin)
        .get(declares, "/pages/register/waiting/{kind}", queue::all)
        .get(declares, "/pages/register/places", places)
        .post(declares, "/pages/register/forms", form::begin)
        .get(declares, "/pages/register/forms/{id}", form::open)
        .post(declares, "/pages/register/forms/{id}", form::keep)
        .post(declares, "/pages/register/forms/{id}/check", form::check)
        .post(declares, "/pages/register/forms/{id}/sending", form::send)
        .post(declares, "/pages/register/forms/{id}/dismissal", form::dismiss)
        .get(declares, "/pages/register/forms/{id}/reading", reading::open)
        .post(declares, "/pages/register/forms/{id}/reading", reading::compare)
        .post(declares, "/pages/register/forms/{id}/entry", reading::enter)
        .post(declares, "/pages/register/forms/{id}/return", reading::give_back)
        .get(declares, "/pages/register/persons/{id}", person::open)
        .get(declares, "/pages/register/persons/{id}/change", change::ask)
        .post(declares, "/pages/register/persons/{id}/change", change::propose)
        .get(declares, "/pages/register/changes/{id}", change::open)
        .post(declares, "/pages/register/changes/{id}/application", change::apply)
        .post(declares, "/pages/register/changes/{id}/refusal", change::refuse)
        .get(declares, "/pages/register/persons/{id}/merge", merge::ask)
        .post(declares, "/pages/register/persons/{id}/merge", merge::propose)
        .post(declares, "/pages/register/persons/{id}/undoing", merge::undo)
        .get(declares, "/pages/register/merges/{id}", merge::open)
        .post(declares, "/pages/register/merges/{id}/application", merge::apply)
        .post(declares, "/pages/register/merges/{id}/refusal", merge::refuse)
        .get(declares, "/pages/register/quarantine/{id}", quarantine::open)
        .post(declares, "/pages/register/quarantine/{id}", quarantine::correct)
        .post(declares, "/pages/register/quarantine/{id}/replay", quarantine::replay)
        .post(declares, "/pages/register/quarantine/{id}/dismissal", quarantine::dismiss)
        .get(declares, "/pages/register/figures", figures::figures)
        .get(declares, "/pages/register/figures.csv", figures::figures_csv)
        .get(declares, "/pages/register/campaign", figures::campaign)
        .get(declares, "/pages/register/campaign.csv", figures::campaign_csv)
}

/// What the handlers of these pages have before them; `id` is of what the address names.
struct Act<K> {
    desk: Desk,
    register: Register,
    dress: Dress,
    visitor: Visitor,
    id: Id<K>,
}

impl<K: Send, S: Send + Sync> FromRequestParts<S> for Act<K>
where
    Desk: FromRef<S>,
    Register: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Named(id) = Named::from_request_parts(parts, state).await?;
        Ok(Self {
            desk: Desk::from_ref(state),
            register: Register::from_ref(state),
            dress: Dress::from_request_parts(parts, state).await?,
            visitor: Visitor::from_request_parts(parts, state).await?,
            id,
        })
    }
}

impl<K> Act<K> {
    fn t(&self) -> &'static Texts {
        texts(self.dress.language)
    }

    fn officer(&self) -> Officer {
        self.visitor.officer.clone()
    }

    fn today(&self) -> time::Date {
        self.desk.deeds().source().clock().today()
    }

    fn moment(&self, at: time::OffsetDateTime) -> String {
        ::pages::written::moment(at, self.desk.deeds().source().clock().offset())
    }

    fn frame(&self, here: &str) -> Frame {
        Frame::new(&self.dress.at(here), Some(&self.visitor), Place::Register)
    }

    /// Does a look, and returns what it found.
    async fn look<T, E: Into<Problem>>(
        &self,
        verb: impl AsyncFnOnce(&mut Deed<Officer>) -> Result<T, E>,
    ) -> Result<T, Problem> {
        let Json(found) = self.desk.look(self.officer(), verb).await?;
        Ok(found)
    }

    /// Does an act once, however often the form comes.
    async fn once<T: serde::Serialize, E: Into<Problem>>(
        &self,
        filled: &Filled,
        verb: impl AsyncFnOnce(&mut Deed<Officer>) -> Result<T, E>,
    ) -> Result<crate::web::Answer, Problem> {
        self.desk.write(self.officer(), filled.stamp()?, verb).await
    }

    /// Returns what the verb itself says against an act: it is tried in a deed that is not kept.
    async fn barred<T, E: Into<Problem>>(
        &self,
        verb: impl AsyncFnOnce(&mut Deed<Officer>) -> Result<T, E>,
    ) -> Result<Option<Trouble>, Problem> {
        let mut deed = self.desk.deeds().open(self.officer()).await?;
        let tried = verb(&mut deed).await;
        drop(deed);
        match tried.map_err(Into::into) {
            Ok(_) => Ok(None),
            Err(problem) if problem.status().is_server_error() => Err(problem),
            Err(problem) => Ok(Some(Trouble::of(&problem, self.t()))),
        }
    }
}

/// Returns the name of an officer's account; of one whose row another hand changed, the identifier.
async fn name_of(deed: &mut Deed<Officer>, officer: OfficerId) -> Result<String, StoreError> {
    match access::name_of_officer(deed.tx(), officer).await {
        Ok(Some(name)) => Ok(name),
        Ok(None) | Err(StoreError::Tampered { .. }) => Ok(officer.to_string()),
        Err(error) => Err(error),
    }
}

/// Returns who proposed something: the partner that reported it, else the officer.
async fn proposer_of(
    deed: &mut Deed<Officer>,
    officer: OfficerId,
    partner: Option<PartnerId>,
) -> Result<String, StoreError> {
    let Some(partner) = partner else { return name_of(deed, officer).await };
    match access::partners::partner(deed.tx(), partner).await {
        Ok(Some(row)) => Ok(row.name),
        Ok(None) | Err(StoreError::Tampered { .. }) => Ok(partner.to_string()),
        Err(error) => Err(error),
    }
}

/// Returns the end of an identifier, by which people call what it names.
fn reference<K>(id: Id<K>) -> String {
    let id = id.to_string();
    id[id.len() - 6..].to_uppercase()
}

/// Units whose name begins as it was typed, one a line, for the field that asks while an officer types.
async fn places(State(desk): State<Desk>, State(register): State<Register>, asked: Asked) -> Shown {
    let today = desk.deeds().source().clock().today();
    let sought: String = asked.some("q").unwrap_or_default().chars().take(100).collect();
    let choices =
        if sought.trim().chars().count() < 2 { vec![] } else { units::choices(&sought, register.reference(), today) };
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], choices.join("\n")).into_response())
}

/// Returns what was done a moment ago, as the address says it in words of ours.
fn done(asked: &Asked, t: &'static Texts) -> Option<&'static str> {
    t.registry_done.get(asked.some("done")?).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use ::pages::Language;

    use super::super::forms::UNIT_UNCLEAR;
    use super::super::history::EventKind;
    use super::super::rules;
    use super::*;

    /// The tables of words have each word that these pages may show.
    #[test]
    fn every_word_of_the_register_has_a_text() {
        for language in Language::ALL {
            let t = texts(language);
            for code in rules::ALL.iter().map(|rule| rule.code).chain([UNIT_UNCLEAR]) {
                assert!(t.rule.contains_key(code), "{language}: {code}");
            }
            assert_eq!(t.rule.len(), rules::ALL.len() + 1, "{language}");
            for name in fields::all() {
                assert!(!fields::label(&name, t).contains('?'), "{language}: {name}");
            }
            for kind in EventKind::PROPOSED {
                assert!(t.event.contains_key(kind.word()) && t.change.contains_key(kind.word()), "{language}");
            }
            for word in words::CONSEQUENCES {
                assert!(t.consequence.contains_key(word), "{language}: {word}");
            }
        }
    }
}
