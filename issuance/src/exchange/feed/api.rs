//! Following, over HTTP, for systems of partners.

use axum::extract::{FromRef, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{Kind, tell};
use crate::exchange::Exchange;
use crate::exchange::api::signed;
use crate::exchange::model::Service;
use crate::exchange::oauth::Asking;
use crate::ground::text::{SomeWords, Words};
use crate::web::{Body, Desk, Parameters, Problem, Right, Routes};

/// The routes of this file.
pub(in crate::exchange) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new()
        .add(Right::Partner, routes!(changes))
        .add(Right::Partner, routes!(follows))
        .add(Right::Partner, routes!(unfollow))
}

/// What of a feed is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FeedAsked {
    /// Code of the purpose, as in the agreement.
    #[param(value_type = String, max_length = 40)]
    purpose: SomeWords<40>,
    /// `next` of the answer before; without it, from the beginning.
    #[param(value_type = Option<String>, max_length = 64)]
    after: Option<Words<64>>,
    /// So many at most [default: 100].
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u16>,
}

impl FeedAsked {
    fn bounds(&self) -> Result<(Option<&str>, u16), Problem> {
        let limit = self.limit.unwrap_or(100);
        if !(1..=500).contains(&limit) {
            return Err(Problem::new(crypto::perso::problem::ProblemCode::QueryMalformed).detail("limit: 1 to 500"));
        }
        Ok((self.after.as_ref().map(Words::as_str).filter(|text| !text.is_empty()), limit))
    }
}

/// What changed of the persons whom a partner follows. The header `x-jws-signature` holds the detached JWS over the
/// bytes.
#[derive(Serialize, ToSchema)]
struct Changes {
    /// Code of the purpose.
    purpose: String,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    answered_at: OffsetDateTime,
    /// In the order in which they became true; a change may come again.
    items: Vec<ToldChange>,
    /// `after` of the next question; null while nothing was ever told.
    next: Option<String>,
    /// True if there is more behind `next`.
    more: bool,
}

/// A change, without data: what it is now, a look-up says.
#[derive(Serialize, ToSchema)]
struct ToldChange {
    /// `after` of a question for what follows this change.
    cursor: String,
    /// The partner's own name for the person.
    pseudonym: String,
    /// What changed, as far as the agreement names its fields.
    kinds: Vec<Kind>,
    /// Since when it is so; null if that was not said.
    effective: Option<String>,
    /// When it was put into the feed.
    #[serde(with = "time::serde::rfc3339")]
    placed_at: OffsetDateTime,
}

/// The persons whom a partner follows. The header `x-jws-signature` holds the detached JWS over the bytes.
#[derive(Serialize, ToSchema)]
struct FollowsView {
    /// Code of the purpose.
    purpose: String,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    answered_at: OffsetDateTime,
    /// Where the feed ends now: `after` for the changes that come later. Null while nothing was ever told.
    cursor: Option<String>,
    /// By pseudonym.
    items: Vec<FollowView>,
    /// `after` of the next page; null on the last one.
    next: Option<String>,
}

/// A person who is followed.
#[derive(Serialize, ToSchema)]
struct FollowView {
    /// The partner's own name for the person.
    pseudonym: String,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
}

/// Whom a partner follows no more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"purpose": "tax-number", "pseudonym": "5f0c3ab1d2e4f60718293a4b5c6d7e8f"}))]
struct Unfollow {
    /// Code of the purpose.
    #[schema(value_type = String)]
    purpose: SomeWords<40>,
    /// The partner's own name for the person.
    #[schema(value_type = String)]
    pseudonym: SomeWords<64>,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
struct Unfollowed {
    /// False if the person was not followed.
    ended: bool,
}

/// What changed of the persons whom the partner follows for a purpose, after a cursor. A cursor that is gone (410)
/// means: read the list of follows, look each person up again, and go on at its `cursor`.
#[utoipa::path(get, path = "/api/v1/exchange/changes", tag = "exchange", params(FeedAsked),
    responses((status = 200, body = Changes)))]
async fn changes(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    Parameters(asked): Parameters<FeedAsked>,
) -> Result<Response, Problem> {
    let partner = asking.of(Service::Follow)?;
    let bounds = asked.bounds()?;
    Ok(signed(tell::changes(desk.deeds(), &exchange, partner, asked.purpose.as_str(), bounds).await?))
}

/// The persons whom the partner follows for a purpose, with the place where its feed ends now.
#[utoipa::path(get, path = "/api/v1/exchange/follows", tag = "exchange", params(FeedAsked),
    responses((status = 200, body = FollowsView)))]
async fn follows(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    Parameters(asked): Parameters<FeedAsked>,
) -> Result<Response, Problem> {
    let partner = asking.of(Service::Follow)?;
    let bounds = asked.bounds()?;
    Ok(signed(tell::follows(desk.deeds(), &exchange, partner, asked.purpose.as_str(), bounds).await?))
}

/// Ends that the partner follows a person: also after its agreement ended, and as often as it likes.
#[utoipa::path(post, path = "/api/v1/exchange/unfollow", tag = "exchange", request_body = Unfollow,
    responses((status = 200, body = Unfollowed)))]
async fn unfollow(
    State(desk): State<Desk>,
    asking: Asking,
    Body(asked): Body<Unfollow>,
) -> Result<axum::Json<Unfollowed>, Problem> {
    let partner = asking.of(Service::Follow)?;
    let ended = tell::unfollow(desk.deeds(), partner, asked.purpose.as_str(), asked.pseudonym.as_str()).await?;
    Ok(axum::Json(Unfollowed { ended }))
}
