//! The pictures of a card's faces, for the pages that show a card.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRef, State};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;

use crate::deed::{Deed, Occasion};
use crate::ground::ids::CardId;
use crate::ground::{Officer, Permission};
use crate::production::Production;
use crate::production::card_faces::{self, Which};
use crate::web::html::{PageRoutes, Shown, Visitor};
use crate::web::{Desk, Named, Right};

/// The pictures.
pub(super) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Desk: FromRef<S>,
    Production: FromRef<S>,
{
    let reads = Right::Officer(Permission::ReadCard);
    PageRoutes::new().get(reads, "/pages/cards/{id}/front.png", front).get(reads, "/pages/cards/{id}/back.png", back)
}

async fn front(desk: State<Desk>, production: State<Production>, visitor: Visitor, id: Named<CardId>) -> Shown {
    Box::pin(picture(desk.0, production.0, visitor, id.0, Which::Front)).await
}

async fn back(desk: State<Desk>, production: State<Production>, visitor: Visitor, id: Named<CardId>) -> Shown {
    Box::pin(picture(desk.0, production.0, visitor, id.0, Which::Back)).await
}

/// Answers with a face as PNG. That it was looked at is recorded before it is drawn.
async fn picture(desk: Desk, production: Production, visitor: Visitor, id: CardId, which: Which) -> Shown {
    let read = async |deed: &mut Deed<Officer>| card_faces::read(deed, &production, id, Occasion::default()).await;
    let Json(faces) = desk.look(visitor.officer, read).await?;
    let png = faces.picture(which).await?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("image/png"))], Bytes::from(png)).into_response())
}
