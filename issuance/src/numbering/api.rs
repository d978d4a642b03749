//! Numbers over HTTP.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{EstablishError, Numbers, births_api, leases_api, steps};
use crate::ground::ids::PersonId;
use crate::ground::text::{MOST_OF_REASON, Words};
use crate::ground::{Officer, Permission};
use crate::population::Register;
use crate::web::{Answered, Desk, Named, Right, Routes, Write};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Numbers: FromRef<S>,
    Register: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::Number), routes!(establish))
        .merge(births_api::routes())
        .merge(leases_api::routes())
}

/// The number for life.
#[derive(Debug, Serialize, ToSchema)]
struct Established {
    /// Twelve digits.
    #[schema(value_type = String)]
    personal_number: crypto::identity::PersonalNumber,
}

/// What an officer knows better than the register, if anything.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Establishment {
    /// The officer knows what speaks against a number, and answers for it.
    acknowledged: bool,
    /// Why it is right all the same, at most 400 characters; for the audit trail.
    #[schema(value_type = String)]
    because: Words<MOST_OF_REASON>,
}

/// Establishes a person's number for life; a person who has one keeps it.
#[utoipa::path(post, path = "/api/v1/persons/{id}/number", tag = "numbering", request_body = Establishment,
    responses((status = 200, body = Established)))]
async fn establish(
    State(desk): State<Desk>,
    State(numbers): State<Numbers>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Write { stamp, body }: Write<Establishment>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let acknowledged = body.acknowledged.then_some(body.because.as_str());
        let personal_number = steps::establish(deed, &numbers, id, acknowledged).await?;
        Ok::<_, EstablishError>(Established { personal_number })
    })
    .await
}
