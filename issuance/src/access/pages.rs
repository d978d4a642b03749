//! The pages of this office: the door, and an officer's own password.

use askama::Template;
use axum::Json;
use axum::extract::{ConnectInfo, FromRef, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use zeroize::Zeroizing;

use super::Access;
use super::api::unhurried;
use super::steps::{self, Attempt, Door};
use crate::ground::text::Login;
use crate::web::html::{
    Asked, DOOR, Dress, Filled, Frame, HOME, PASSWORD, PageRoutes, Place, Shown, Trouble, Visitor, cookie_token_hash,
    forgotten_session, local, page, page_about, session_cookie, texts, to,
};
use crate::web::{Desk, Peer, Problem, Right};

/// The pages of this office.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Access: FromRef<S>,
    Desk: FromRef<S>,
{
    PageRoutes::new()
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
    trouble: Option<Trouble>,
}

async fn door(dress: Dress, asked: Asked) -> Shown {
    let next = asked.some("next").and_then(local).unwrap_or_default().to_owned();
    let (frame, left) = (Frame::new(&dress, None, Place::Elsewhere), asked.some("left").is_some());
    page(&DoorPage { frame, next, username: String::new(), left, trouble: None })
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
            page_about(&problem, &DoorPage { frame, next, username, left: false, trouble })
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
