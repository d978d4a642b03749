//! SQL of the audit office: it reads the trail through the view that `deed` publishes.

use crate::ground::OfficeCode;
use crate::ground::ids::{EntryId, PersonId};
use crate::store::{Record, StoreError, Tx};
use crate::{args, sql};

/// What is asked of the trail. An absent part asks for any.
#[derive(Debug, Default)]
pub(super) struct Question {
    /// `kind/identifier`.
    pub object: Option<String>,
    /// `officer/…` or `station/…`.
    pub actor: Option<String>,
    /// The person whom it is about.
    pub person: Option<PersonId>,
    /// Only rows after this one.
    pub after: Option<EntryId>,
}

/// Rows of one page.
pub(super) const PAGE: usize = 500;

/// Returns at most [`PAGE`] rows, oldest first: what people and stations of this office
/// did, and what any did to its objects and to the persons whom it registered; for the national office, what all did.
pub(super) async fn trail(tx: &mut Tx, question: &Question, office: &OfficeCode) -> Result<Vec<Record>, StoreError> {
    tx.all(
        sql!(
            pg "select id, at, actor, action, object, person_id, purpose, related, reason from v_audit_entry
                where ($1::text is null or object = $1) and ($2::text is null or actor = $2)
                  and ($3::uuid is null or person_id = $3) and ($4::uuid is null or id > $4)
                  and ($5 = $6 or office = $5 or object_office = $5 or person_office = $5)
                order by id limit 500",
            lite "select id, at, actor, action, object, person_id, purpose, related, reason from v_audit_entry
                where ($1 is null or object = $1) and ($2 is null or actor = $2)
                  and ($3 is null or person_id = $3) and ($4 is null or id > $4)
                  and ($5 = $6 or office = $5 or object_office = $5 or person_office = $5)
                order by id limit 500",
        ),
        args![
            question.object.as_deref(),
            question.actor.as_deref(),
            question.person,
            question.after,
            office,
            &OfficeCode::national()
        ],
    )
    .await
}
