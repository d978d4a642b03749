//! The pages of offices, of the calendar and of deputies, for administrators.

mod calendar;
mod deputies;
mod units;

use axum::extract::FromRef;
pub(crate) use calendar::waiting_days;
pub(crate) use deputies::waiting_deputies;

use crate::access::Access;
use crate::ground::Permission;
use crate::web::html::{CALENDAR, DEPUTIES, PageRoutes, Trouble, UNITS};
use crate::web::{Desk, Right};

/// The pages of this office.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Access: FromRef<S>,
    Desk: FromRef<S>,
{
    let administers = Right::Officer(Permission::Administer);
    PageRoutes::new()
        .get(administers, UNITS, units::list)
        .post(administers, UNITS, units::make)
        .get(administers, "/pages/administration/offices/{code}", units::open)
        .post(administers, "/pages/administration/offices/{code}", units::change)
        .get(administers, CALENDAR, calendar::open)
        .post(administers, CALENDAR, calendar::propose)
        .post(administers, "/pages/administration/calendar/{day}/confirmation", calendar::confirm)
        .get(administers, DEPUTIES, deputies::list)
        .post(administers, DEPUTIES, deputies::appoint)
        .post(administers, "/pages/administration/deputies/{id}/confirmation", deputies::confirm)
        .post(administers, "/pages/administration/deputies/{id}/end", deputies::end)
}

/// Returns what is wrong with a field.
fn wrong<'a>(trouble: Option<&'a Trouble>, field: &str) -> Option<&'a str> {
    trouble.filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
}
