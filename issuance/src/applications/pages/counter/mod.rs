//! The pages of the counter: a person is found and compared with what the citizen brings, an application is opened,
//! features and portrait are taken, the fee is settled, the papers are printed, and the application is sent.
//!
//! Every act is the verb that the API has. What is taken bit by bit is kept as a draft (`applications::drafts`).

mod dossier;
mod find;
mod paper;
mod person;
pub(super) mod prints;

use axum::extract::FromRef;
pub(crate) use find::at_counter;

use super::super::Counter;
use super::Act;
use crate::deed::{Occasion, Purpose};
use crate::ground::Permission;
use crate::ground::ids::ApplicationId;
use crate::web::html::{COUNTER, PageRoutes, Texts};
use crate::web::{Desk, Right};

/// The pages of the counter.
pub(super) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    let applies = Right::Officer(Permission::Apply);
    // Each act about an application, the fee too, shows the page again where something is wrong: so it takes what the
    // page takes, and not what its verb takes, which an officer who hands over has.
    let captures = Right::Officer(Permission::Capture);
    PageRoutes::new()
        .get(applies, COUNTER, find::start)
        .post(applies, "/pages/counter/search", find::search)
        .get(applies, "/pages/counter/persons/{id}", person::show)
        .post(applies, "/pages/counter/persons/{id}", person::compare)
        .post(applies, "/pages/counter/persons/{id}/application", person::open)
        .get(captures, "/pages/counter/applications/{id}", dossier::open)
        .post(captures, "/pages/counter/applications/{id}/register-check", dossier::check_register)
        .post(captures, "/pages/counter/applications/{id}/features", dossier::describe)
        .upload(captures, "/pages/counter/applications/{id}/portrait", dossier::photograph)
        .get(captures, "/pages/counter/applications/{id}/prints", prints::card)
        .upload(captures, "/pages/counter/applications/{id}/prints", prints::files)
        .get(captures, "/pages/counter/applications/{id}/prints/{finger}", prints::one)
        .post(captures, "/pages/counter/applications/{id}/missing-prints", prints::missing)
        .post(captures, "/pages/counter/applications/{id}/capture", dossier::send)
        .post(captures, "/pages/counter/applications/{id}/resubmission", dossier::resubmit)
        .post(captures, "/pages/counter/applications/{id}/claim", dossier::claim)
        .post(captures, "/pages/counter/applications/{id}/claim/release", dossier::release)
        .post(captures, "/pages/counter/applications/{id}/payment", dossier::pay)
        .post(captures, "/pages/counter/applications/{id}/exemption", dossier::exempt)
        .get(captures, "/pages/counter/applications/{id}/cc02", paper::cc02)
        .get(applies, "/pages/counter/applications/{id}/slip", paper::slip)
}

/// Returns the address of an application at the counter.
fn address(id: ApplicationId) -> String {
    format!("{COUNTER}/applications/{id}")
}

/// For what the counter reads a person before there is an application.
const REGISTRATION: Occasion = Occasion { purpose: Purpose::Registration, case: None };

/// For what the counter reads a person for an application.
fn capture(id: ApplicationId) -> Occasion {
    Occasion { purpose: Purpose::Capture, case: Some(id) }
}

/// Returns an amount as it is written.
fn dong(amount: u32, t: &'static Texts) -> String {
    let language = if t.is_vietnamese() { ::pages::Language::Vi } else { ::pages::Language::En };
    ::pages::written::count(amount.into(), language)
}
