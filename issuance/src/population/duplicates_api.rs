//! Duplicates over HTTP. The reading of those of a person is a route of `applications`, since it names a case.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::duplicates::score::{DuplicateAgainst, DuplicateReason, SHOWN_FROM};
use super::duplicates::steps::{self, Alike, Verdict};
use super::store::duplicates::Said;
use crate::ground::ids::{OfficerId, PersonId};
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{OfficeCode, Officer, Permission};
use crate::web::{Answered, Desk, Named, Right, Routes, Write};

/// The routes of duplicates.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new().add(Right::Officer(Permission::Declare), routes!(judge))
}

/// Persons who may be one with a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonDuplicates {
    /// From this score on, two are probably one.
    shown_from: i32,
    /// Best first, at most five.
    items: Vec<DuplicateView>,
}

/// A person who may be the same one. Of another office's, only that there is one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DuplicateView {
    /// The register's own id, if the officer may read the person.
    person_id: Option<PersonId>,
    /// The office that registered the person.
    office: OfficeCode,
    /// Bits of evidence that the two are one.
    score: i32,
    /// True if they probably are.
    likely: bool,
    /// What speaks for one person.
    reasons: Vec<DuplicateReason>,
    /// What speaks for two.
    against: Vec<DuplicateAgainst>,
    /// What officers said of the two, oldest first.
    verdicts: Vec<VerdictView>,
    /// The office whose officer has still to say that the two are two, where an officer of the other one's did.
    awaits: Option<OfficeCode>,
}

/// What an officer said of two persons.
#[derive(Debug, Serialize, ToSchema)]
struct VerdictView {
    /// What was said.
    verdict: Verdict,
    /// The officer.
    officer_id: OfficerId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl From<Alike> for DuplicateView {
    fn from(alike: Alike) -> Self {
        let Alike { registered, judgement, readable, said, awaits } = alike;
        let view = |said: Said| VerdictView { verdict: said.verdict, officer_id: said.by.by, at: said.by.at };
        Self {
            person_id: readable.then_some(registered.id),
            office: registered.office,
            score: judgement.score,
            likely: judgement.score >= SHOWN_FROM,
            // What agrees and what does not tells of the person.
            reasons: if readable { judgement.reasons } else { vec![] },
            against: if readable { judgement.against } else { vec![] },
            verdicts: said.into_iter().map(view).collect(),
            awaits,
        }
    }
}

impl From<Vec<Alike>> for PersonDuplicates {
    fn from(all: Vec<Alike>) -> Self {
        Self { shown_from: SHOWN_FROM, items: all.into_iter().map(DuplicateView::from).collect() }
    }
}

/// What an officer says of a person and another one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DuplicateVerdict {
    /// The other one.
    other: PersonId,
    /// Whether the two are one person.
    verdict: Verdict,
    /// What was compared, at most 400 characters.
    #[schema(value_type = String, max_length = 400)]
    because: SomeWords<MOST_OF_REASON>,
}

/// An officer says of two persons that they are one, or two. Two who are two are not shown to each other again, and
/// stand no longer in the way of a number; of persons of two offices an officer of each says so, or one of the national
/// office. That two are one is said by two officers before anything follows from it.
#[utoipa::path(post, path = "/api/v1/persons/{id}/duplicate-verdicts", tag = "population",
    operation_id = "judge_duplicate", request_body = DuplicateVerdict,
    responses((status = 204, description = "Done.")))]
async fn judge(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Write { stamp, body }: Write<DuplicateVerdict>,
) -> Answered {
    let DuplicateVerdict { other, verdict, because } = body;
    desk.write(officer, stamp, async |deed| steps::judge(deed, (id, other), verdict, because.as_str()).await)
        .await
        .map(crate::web::Answer::without_body)
}
