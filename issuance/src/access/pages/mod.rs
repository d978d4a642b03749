//! The pages of this office: the door, an officer's own password, and the administration of officers and stations.

mod officer;
mod officers;
mod proposals;
mod stations;

use askama::Template;
use axum::Json;
use axum::extract::{ConnectInfo, FromRef, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
pub(crate) use proposals::waiting_proposals;
pub(crate) use stations::ending_stations;
use zeroize::Zeroizing;

use super::Access;
use super::api::unhurried;
use super::steps::{self, Attempt, Door};
use crate::ground::Permission;
use crate::ground::text::Login;
use crate::web::html::{
    Asked, DOOR, Dress, FIRST_PASSWORD, Filled, Frame, HOME, OFFICERS, PASSWORD, PROPOSALS, PageRoutes, Place,
    STATIONS, Shown, Trouble, Visitor, cookie_token_hash, forgotten_session, local, page, page_about, session_cookie,
    texts, to,
};
use crate::web::{Desk, Peer, Problem, Right};

/// The pages of this office.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Access: FromRef<S>,
    Desk: FromRef<S>,
{
    let administers = Right::Officer(Permission::Administer);
    PageRoutes::new()
        .get(administers, OFFICERS, officers::list)
        .post(administers, OFFICERS, officers::appoint)
        .get(administers, "/pages/administration/officers/new", officers::form)
        .get(administers, "/pages/administration/officers/{id}", officer::open)
        .post(administers, "/pages/administration/officers/{id}", officer::act)
        .get(administers, PROPOSALS, proposals::list)
        .get(administers, "/pages/administration/proposals/{id}", proposals::open)
        .post(administers, "/pages/administration/proposals/{id}/confirmation", proposals::confirm)
        .post(administers, "/pages/administration/proposals/{id}/withdrawal", proposals::withdraw)
        .get(administers, STATIONS, stations::list)
        .post(administers, STATIONS, stations::enrol)
        .get(administers, "/pages/administration/stations/new", stations::form)
        .get(administers, "/pages/administration/stations/tls-ca.pem", stations::authority)
        .get(administers, "/pages/administration/stations/{id}", stations::open)
        .get(administers, "/pages/administration/stations/{id}/certificate.pem", stations::certificate)
        .post(administers, "/pages/administration/stations/{id}/revocation", stations::revoke)
        .get(Right::Anyone, FIRST_PASSWORD, first_password)
        .post(Right::Anyone, FIRST_PASSWORD, set_first_password)
        .get(Right::Anyone, DOOR, door)
        .post(Right::Anyone, DOOR, sign_in)
        .post(Right::SignedIn, "/pages/sign-out", sign_out)
        .get(Right::SignedIn, PASSWORD, password)
        .post(Right::SignedIn, PASSWORD, change_password)
}

/// The door.
#[derive(Template)]
#[template(path = "sign-in.html")]
struct DoorPage {
    frame: Frame,
    /// Where the officer goes from here.
    next: String,
    username: String,
    left: bool,
    /// A password was set with a one-time token a moment ago.
    set: bool,
    trouble: Option<Trouble>,
}

async fn door(dress: Dress, asked: Asked) -> Shown {
    let next = asked.some("next").and_then(local).unwrap_or_default().to_owned();
    let (frame, left) = (Frame::new(&dress, None, Place::Elsewhere), asked.some("left").is_some());
    page(&DoorPage { frame, next, username: String::new(), left, set: asked.some("set").is_some(), trouble: None })
}

/// Opens a session in the browser. Its token opens the pages and not the API.
async fn sign_in(
    State(access): State<Access>,
    State(desk): State<Desk>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    dress: Dress,
    headers: HeaderMap,
    filled: Filled,
) -> Shown {
    let next = local(filled.text("next")).unwrap_or(HOME);
    // A text that is no name is a name that no officer has.
    let username = filled.text("username").parse::<Login>();
    let attempt = Attempt {
        door: Door::Pages,
        username: username.as_ref().map_or("?", Login::as_str).to_owned(),
        password: Zeroizing::new(filled.text("password").to_owned()),
        origin: peer.origin,
        earlier_token: cookie_token_hash(&headers),
        certificate: peer.certificate,
    };
    match unhurried(&access, Box::pin(steps::sign_in(&access, desk.deeds(), attempt))).await {
        Ok(session) => Ok(with(to(next), header::SET_COOKIE, session_cookie(&session.token))),
        Err(error) => {
            let problem = Problem::from(error);
            if problem.status().is_server_error() && problem.waits().is_none() {
                return Err(problem);
            }
            let trouble = Some(Trouble::of(&problem, texts(dress.language)));
            let frame = Frame::new(&dress.at(DOOR), None, Place::Elsewhere);
            let (next, username) = (filled.text("next").to_owned(), filled.text("username").to_owned());
            page_about(&problem, &DoorPage { frame, next, username, left: false, set: false, trouble })
        }
    }
}

/// Ends the session, and has the browser forget it and what was typed.
async fn sign_out(State(desk): State<Desk>, visitor: Visitor, _: Filled) -> Shown {
    let Json(()) = desk.look(visitor.officer, async |deed| steps::sign_out(deed).await).await?;
    let response = with(to(&format!("{DOOR}?left=yes")), header::SET_COOKIE, forgotten_session());
    Ok(with(response, header::HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"storage\"")))
}

fn with(response: Response, name: header::HeaderName, value: HeaderValue) -> Response {
    ([(name, value)], response).into_response()
}

/// An officer's own password.
#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    token: String,
    trouble: Option<Trouble>,
}

async fn password(dress: Dress, visitor: Visitor) -> Shown {
    let frame = Frame::new(&dress, Some(&visitor), Place::Elsewhere);
    page(&PasswordPage { frame, token: visitor.token, trouble: None })
}

async fn change_password(
    State(access): State<Access>,
    State(desk): State<Desk>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    dress: Dress,
    visitor: Visitor,
    filled: Filled,
) -> Shown {
    let [old, new] = ["old", "new"].map(|name| Zeroizing::new(filled.text(name).to_owned()));
    let hashed = steps::new_password(&access, desk.deeds(), &visitor.officer, old, new, peer.origin);
    match unhurried(&access, Box::pin(hashed)).await {
        Ok(hash) => {
            let Json(()) = desk.look(visitor.officer, async |deed| steps::change_password(deed, &hash).await).await?;
            Ok(to(&format!("{HOME}?changed=yes")))
        }
        Err(error) => {
            let problem = Problem::from(error);
            if problem.status().is_server_error() && problem.waits().is_none() {
                return Err(problem);
            }
            let trouble = Some(Trouble::of(&problem, texts(dress.language)));
            let frame = Frame::new(&dress.at(PASSWORD), Some(&visitor), Place::Elsewhere);
            page_about(&problem, &PasswordPage { frame, token: visitor.token, trouble })
        }
    }
}

/// The password that an officer sets with a one-time token: the first one, or the one after a reset.
#[derive(Template)]
#[template(path = "first-password.html")]
struct FirstPassword {
    frame: Frame,
    /// The token, as it was typed.
    typed: String,
    trouble: Option<Trouble>,
}

async fn first_password(dress: Dress) -> Shown {
    let frame = Frame::new(&dress, None, Place::Elsewhere);
    page(&FirstPassword { frame, typed: String::new(), trouble: None })
}

async fn set_first_password(
    State(access): State<Access>,
    State(desk): State<Desk>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    dress: Dress,
    filled: Filled,
) -> Shown {
    // A token is printed in groups, and typed as it is printed.
    let token: String = filled.text("code").chars().filter(|c| !c.is_whitespace()).collect();
    let (token, new) = (token.to_lowercase(), Zeroizing::new(filled.text("new").to_owned()));
    let set = steps::set_first_password(&access, desk.deeds(), &token, new, peer.origin);
    match unhurried(&access, Box::pin(set)).await {
        Ok(()) => Ok(to(&format!("{DOOR}?set=yes"))),
        Err(error) => {
            let problem = Problem::from(error);
            if problem.status().is_server_error() && problem.waits().is_none() {
                return Err(problem);
            }
            let trouble = Some(Trouble::of(&problem, texts(dress.language)));
            let frame = Frame::new(&dress.at(FIRST_PASSWORD), None, Place::Elsewhere);
            page_about(&problem, &FirstPassword { frame, typed: filled.text("code").to_owned(), trouble })
        }
    }
}
