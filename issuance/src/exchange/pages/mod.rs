//! The pages of this office: who looked at a person, for the citizen at the counter.

mod who_looked;

use axum::extract::FromRef;
pub(crate) use who_looked::{LookInWords, look_in_words};

use crate::ground::Permission;
use crate::web::html::PageRoutes;
use crate::web::{Desk, Right};

/// The pages of this office.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Desk: FromRef<S>,
{
    PageRoutes::new().get(Right::Officer(Permission::ReadLooks), "/pages/persons/{id}/looks", who_looked::open)
}
