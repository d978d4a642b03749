//! The pages of this office: the [factory], its [batches](batch) of cards, and the pictures of a card's faces for pages
//! that show a card. Every act is the verb that the API has.

mod batch;
mod events;
mod factory;
mod pictures;
mod view;

use axum::extract::FromRef;
pub(crate) use factory::in_factory;

use super::Production;
use crate::access::Access;
use crate::ground::Permission;
use crate::web::html::{FACTORY, PageRoutes};
use crate::web::{Desk, Right};

/// The pages of this office.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Access: FromRef<S>,
    Desk: FromRef<S>,
    Production: FromRef<S>,
{
    let (reads, keeps) = (Right::Officer(Permission::ReadStock), Right::Officer(Permission::Stock));
    PageRoutes::new()
        .get(reads, FACTORY, factory::show)
        .get(reads, "/pages/factory/events", events::stream)
        .post(keeps, "/pages/factory/batches", factory::draft)
        .get(reads, "/pages/factory/batches/{id}", batch::show)
        .post(keeps, "/pages/factory/batches/{id}/release", batch::release)
        .post(keeps, "/pages/factory/batches/{id}/pause", batch::pause)
        .post(keeps, "/pages/factory/batches/{id}/resumption", batch::resume)
        .post(keeps, "/pages/factory/batches/{id}/cancellation", batch::cancel)
        .post(keeps, "/pages/factory/batches/{id}/closing", batch::close)
        .merge(pictures::pages())
}
