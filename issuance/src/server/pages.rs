//! The pages of all offices, and those that belong to none: the beginning, the files that pages load, the reader's
//! choice of language and colours, and the page on which every component stands in every state.

use ::pages::Asset;
use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use crypto::perso::problem::ProblemCode;

use super::{Offices, administration};
use crate::ground::{OfficeCode, Permission};
use crate::web::html::{
    ADMINISTRATION, APPROVALS, Asked, COUNTER, DASHBOARD, Dress, EMERGENCIES, FACTORY, Filled, Frame, HAND_OVER, HOME,
    OBJECTIONS, PARTNERS, PERSONS, PageRoutes, Place, READINGS, REGISTER, Shown, Visitor, local, page, texts, to,
};
use crate::web::{Desk, Named, Problem, Right};
use crate::{access, applications, bookings, citizens, dashboards, exchange, offices, population, production};

/// All pages of this service.
pub(super) fn pages() -> PageRoutes<Offices> {
    PageRoutes::new()
        .get(Right::SignedIn, HOME, home)
        .get(Right::Anyone, "/pages/assets/{name}", asset)
        .get(Right::Anyone, "/pages/design", design)
        .post(Right::Anyone, "/pages/look", look)
        .merge(administration::pages())
        .merge(access::pages())
        .merge(offices::pages())
        .merge(bookings::pages())
        .merge(applications::pages())
        .merge(population::pages())
        .merge(production::pages())
        .merge(dashboards::pages())
        .merge(exchange::pages())
        .merge(citizens::pages())
}

/// The beginning: what each role of the officer does.
#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
    /// A page for each work: address, name, how much waits.
    works: Vec<(&'static str, &'static str, String)>,
    /// The password was changed a moment ago.
    changed: bool,
}

async fn home(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let (t, officer) = (texts(dress.language), &visitor.officer);
    let mut works = vec![];
    if officer.may(Permission::Apply) {
        works.push((COUNTER, &*t.counter.title, applications::at_counter(&desk, officer, t).await?));
    }
    if officer.may(Permission::Decide) {
        works.push((APPROVALS, &*t.home.approvals, applications::waiting(&desk, officer, t).await?));
    }
    if officer.may(Permission::ReadStock) {
        works.push((FACTORY, &*t.factory.tab, production::in_factory(&desk, officer, t).await?));
    }
    if officer.may(Permission::HandOver) {
        works.push((HAND_OVER, &*t.handing.tab, applications::waiting_cards(&desk, officer, t).await?));
    }
    if officer.may(Permission::ReadPerson) {
        works.push((PERSONS, &*t.persons.tab, t.persons.home.clone()));
    }
    if officer.may(Permission::Declare) {
        works.push((REGISTER, &*t.registry.title, t.registry.home.clone()));
    }
    if officer.may(Permission::AnswerObjections) {
        works.push((OBJECTIONS, &*t.objections.title, citizens::waiting_objections(&desk, officer, t).await?));
    }
    if officer.may(Permission::ReadAudit) {
        works.push((READINGS, &*t.readings.tab, t.readings.home.clone()));
    }
    if officer.may(Permission::ListApplications) {
        works.push((DASHBOARD, &*t.dashboard.tab, dashboards::summary(&desk, officer, dress.language).await?));
    }
    let national = officer.office == OfficeCode::national();
    if national && officer.may(Permission::Withhold) {
        works.push((EMERGENCIES, &*t.emergencies.title, exchange::waiting_emergencies(&desk, t).await?));
    }
    if national && officer.may(Permission::Exchange) {
        works.push((PARTNERS, &*t.partners.title, exchange::waiting_agreements(&desk, t).await?));
    }
    if officer.may(Permission::Administer) {
        works.push((ADMINISTRATION, &*t.administration.tab, administration::waiting(&desk, officer, t).await?));
    }
    let frame = Frame::new(&dress, Some(&visitor), Place::Home);
    page(&Home { frame, works, changed: asked.some("changed").is_some() })
}

/// Answers with a file that pages load, which never changes at its address.
async fn asset(Named(name): Named<String>) -> Shown {
    let Asset { bytes, media_type } = ::pages::asset(&name).ok_or_else(|| Problem::new(ProblemCode::NoSuchPath))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(Asset::CACHE_CONTROL)),
    ];
    Ok((headers, Bytes::from_static(bytes)).into_response())
}

/// Keeps the reader's choice, and leads back.
async fn look(dress: Dress, filled: Filled) -> Shown {
    let chosen = dress.chosen(filled.some("language"), filled.some("theme"), filled.some("keys"));
    let back = to(local(filled.text("back")).unwrap_or(HOME));
    Ok(([(header::SET_COOKIE, chosen)], back).into_response())
}

/// Every component in every state. It shows no person, and needs no session.
#[derive(Template)]
#[template(path = "design.html")]
struct Design {
    frame: Frame,
}

async fn design(dress: Dress) -> Shown {
    page(&Design { frame: Frame::new(&dress, None, Place::Elsewhere) })
}
