//! The pages of this office: who looked at a person, for the citizen at the counter; partners and what was agreed with
//! them, for those who join them; looks in emergencies, for those who judge them;
//! births that are held, for those who decide.

mod agreements;
mod emergencies;
mod held_births;
mod partners;
mod who_looked;

use axum::extract::FromRef;
pub(crate) use emergencies::waiting_emergencies;
pub(crate) use partners::waiting_agreements;
use time::OffsetDateTime;
pub(crate) use who_looked::{LookInWords, look_in_words};

use super::Exchange;
use crate::ground::Permission;
use crate::web::html::{AGREEMENTS, EMERGENCIES, HELD_BIRTHS, PARTNERS, PageRoutes};
use crate::web::{Desk, Right};

/// The pages of this office.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    let exchanges = Right::Officer(Permission::Exchange);
    let judges = Right::Officer(Permission::Withhold);
    let numbers = Right::Officer(Permission::Number);
    PageRoutes::new()
        .get(Right::Officer(Permission::ReadLooks), "/pages/persons/{id}/looks", who_looked::open)
        .get(exchanges, PARTNERS, partners::list)
        .get(exchanges, "/pages/partners/{id}", partners::open)
        .get(exchanges, AGREEMENTS, agreements::list)
        .get(exchanges, "/pages/agreements/{id}", agreements::open)
        .post(exchanges, "/pages/agreements/{id}/signature", agreements::sign)
        .post(exchanges, "/pages/agreements/{id}/end", agreements::end)
        .get(judges, EMERGENCIES, emergencies::list)
        .get(judges, "/pages/emergency-looks/{id}", emergencies::open)
        .post(judges, "/pages/emergency-looks/{id}/review", emergencies::review)
        .get(numbers, HELD_BIRTHS, held_births::list)
        .get(numbers, "/pages/held-births/{id}", held_births::open)
        .post(numbers, "/pages/held-births/{id}/registration", held_births::register)
        .post(numbers, "/pages/held-births/{id}/refusal", held_births::refuse)
}

/// Writes a moment as the State's clock shows it.
fn written(desk: &Desk, at: OffsetDateTime) -> String {
    ::pages::written::moment(at, desk.deeds().source().clock().offset())
}
