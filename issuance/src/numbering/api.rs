//! Numbers over HTTP.

use axum::extract::{FromRef, State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{EstablishError, Numbers, steps};
use crate::ground::ids::PersonId;
use crate::ground::{Officer, Permission};
use crate::web::{Answered, Desk, Named, Nothing, Right, Routes, Write};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Numbers: FromRef<S>,
{
    Routes::new().add(Right::Officer(Permission::Number), routes!(establish))
}

/// The number for life.
#[derive(Debug, Serialize, ToSchema)]
struct Established {
    /// Twelve digits.
    #[schema(value_type = String)]
    personal_number: crypto::identity::PersonalNumber,
}

/// Establishes a person's number for life; a person who has one keeps it.
#[utoipa::path(post, path = "/api/persons/{id}/number", tag = "numbering", request_body = Nothing,
    responses((status = 200, body = Established)))]
async fn establish(
    State(desk): State<Desk>,
    State(numbers): State<Numbers>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let personal_number = steps::establish(deed, &numbers, id).await?;
        Ok::<_, EstablishError>(Established { personal_number })
    })
    .await
}
