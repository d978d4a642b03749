//! SQL of the audit office: it reads the trail through the view that `deed` publishes.

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::deed::Action;
use crate::ground::ids::{EntryId, PersonId};
use crate::ground::{Id, OfficeCode};
use crate::store::{Argument, Record, StoreError, Tx};
use crate::{args, sql};

/// What is asked of the trail. An absent part asks for any.
#[derive(Debug)]
pub(super) struct Question {
    /// `kind/identifier`.
    pub object: Option<String>,
    /// `officer/…` or `station/…`.
    pub actor: Option<String>,
    /// The person whom it is about.
    pub person: Option<PersonId>,
    /// From this moment on.
    pub from: Option<OffsetDateTime>,
    /// Before this moment.
    pub to: Option<OffsetDateTime>,
    /// Only rows after this one.
    pub after: Option<EntryId>,
    /// At most so many.
    pub most: i64,
}

/// Returns a page of rows, oldest first: what people and stations of this office did, and what any did to its objects
/// and to the persons whom it registered; for the national office, what all did. Each way to ask has a statement of its
/// own that goes along one index.
pub(super) async fn trail(tx: &mut Tx, question: &Question, office: &OfficeCode) -> Result<Vec<Record>, StoreError> {
    let Question { object, actor, person, from, to, after, most } = question;
    // An id is made at the moment of its row or within a day after it, so that the index begins and ends the search.
    let from = from.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let begin = after.unwrap_or(Id::nil()).max(Id::first_at(from));
    let to = to.unwrap_or(END_OF_TIME);
    let end: EntryId = Id::first_at(to.saturating_add(Duration::days(1)));
    let (object, actor) = (object.as_deref(), actor.as_deref().unwrap_or_default());
    let (sql, arguments) = match (object, actor, person) {
        (Some(object), actor, person) => (
            sql!(
                pg "select id, at, actor, acting_for, action, object, person_id, purpose, related, reason from v_audit_entry
                    where object = $1 and ($2 = '' or actor = $2) and ($3::uuid is null or person_id = $3)
                      and id > $4 and id < $5 and at >= $6 and at < $7
                      and ($8 = 'national' or office = $8 or object_office = $8 or person_office = $8)
                    order by id limit $9",
                lite "select id, at, actor, acting_for, action, object, person_id, purpose, related, reason from v_audit_entry
                    where object = $1 and ($2 = '' or actor = $2) and ($3 is null or person_id = $3)
                      and id > $4 and id < $5 and at >= $6 and at < $7
                      and ($8 = 'national' or office = $8 or object_office = $8 or person_office = $8)
                    order by id limit $9",
            ),
            args![object, actor, *person, begin, end, from, to, office, *most],
        ),
        (None, actor, Some(person)) => (
            sql!(
                "select id, at, actor, acting_for, action, object, person_id, purpose, related, reason from v_audit_entry
                 where person_id = $1 and ($2 = '' or actor = $2) and id > $3 and id < $4 and at >= $5 and at < $6
                   and ($7 = 'national' or office = $7 or object_office = $7 or person_office = $7)
                 order by id limit $8"
            ),
            args![*person, actor, begin, end, from, to, office, *most],
        ),
        (None, "", None) => (
            sql!(
                "select id, at, actor, acting_for, action, object, person_id, purpose, related, reason from v_audit_entry
                 where id > $1 and id < $2 and at >= $3 and at < $4
                   and ($5 = 'national' or office = $5 or object_office = $5 or person_office = $5)
                 order by id limit $6"
            ),
            args![begin, end, from, to, office, *most],
        ),
        (None, actor, None) => (
            sql!(
                "select id, at, actor, acting_for, action, object, person_id, purpose, related, reason from v_audit_entry
                 where actor = $1 and id > $2 and id < $3 and at >= $4 and at < $5
                   and ($6 = 'national' or office = $6 or object_office = $6 or person_office = $6)
                 order by id limit $7"
            ),
            args![actor, begin, end, from, to, office, *most],
        ),
    };
    tx.all(sql, arguments).await
}

/// Returns records that a person's data were looked at, the newest first, before this one: those that auditors of this
/// office see ([`trail`]).
pub(super) async fn looks_at(
    tx: &mut Tx,
    person: PersonId,
    before: Option<EntryId>,
    most: i64,
    office: &OfficeCode,
) -> Result<Vec<Record>, StoreError> {
    let end = before.unwrap_or_else(|| Id::first_at(END_OF_TIME));
    let actions = Argument::Texts(LOOKS.iter().map(|action| action.word().to_owned()).collect());
    let sql = sql!(
        pg "select id, at, actor, acting_for, action, object, person_id, purpose, related, reason from v_audit_entry
            where person_id = $1 and id < $2 and action = any($3::text[])
              and ($4 = 'national' or office = $4 or object_office = $4 or person_office = $4)
            order by id desc limit $5",
        lite "select id, at, actor, acting_for, action, object, person_id, purpose, related, reason from v_audit_entry
            where person_id = $1 and id < $2 and action in (select value from json_each($3))
              and ($4 = 'national' or office = $4 or object_office = $4 or person_office = $4)
            order by id desc limit $5",
    );
    tx.all(sql, args![person, end, actions, office, most]).await
}

/// Returns records that a person's data were looked at, by any caller, the newest first, before this one.
pub(super) async fn looks_about(
    tx: &mut Tx,
    person: PersonId,
    before: Option<EntryId>,
    most: i64,
) -> Result<Vec<Record>, StoreError> {
    let end = before.unwrap_or_else(|| Id::first_at(END_OF_TIME));
    let actions = Argument::Texts(LOOKS.iter().map(|action| action.word().to_owned()).collect());
    let sql = sql!(
        pg "select id, at, actor, acting_for, action, object, person_id, purpose, related, reason, office
            from v_audit_entry where person_id = $1 and id < $2 and action = any($3::text[]) order by id desc limit $4",
        lite "select id, at, actor, acting_for, action, object, person_id, purpose, related, reason, office
            from v_audit_entry
            where person_id = $1 and id < $2 and action in (select value from json_each($3))
            order by id desc limit $4",
    );
    tx.all(sql, args![person, end, actions, most]).await
}

/// Returns the record of one look at a person's data.
pub(super) async fn look_about(tx: &mut Tx, person: PersonId, id: EntryId) -> Result<Option<Record>, StoreError> {
    let actions = Argument::Texts(LOOKS.iter().map(|action| action.word().to_owned()).collect());
    let sql = sql!(
        pg "select id, at, actor, acting_for, action, object, person_id, purpose, related, reason, office
            from v_audit_entry where person_id = $1 and id = $2 and action = any($3::text[])",
        lite "select id, at, actor, acting_for, action, object, person_id, purpose, related, reason, office
            from v_audit_entry
            where person_id = $1 and id = $2 and action in (select value from json_each($3))",
    );
    tx.one(sql, args![person, id, actions]).await
}

/// What is a look at a person's data, and changes nothing.
pub(crate) const LOOKS: [Action; 29] = [
    Action::AnswerReplayed,
    Action::ApplicationRead,
    Action::ApplicationsListed,
    Action::ArchiveRequestRead,
    Action::AuditRead,
    Action::BookingRead,
    Action::BookingsListed,
    Action::CardRead,
    Action::CardsListed,
    Action::ChangesTold,
    Action::CitizenLogInRefused,
    Action::CitizenLoggedIn,
    Action::ClaimRefused,
    Action::ContactRead,
    Action::EmergencyLookOpened,
    Action::EmergencyLookRead,
    Action::EmergencyLooksListed,
    Action::ExchangeAnswered,
    Action::ExchangeLooksRead,
    Action::ExchangeRefused,
    Action::FingerprintRead,
    Action::FollowsListed,
    Action::NoticesListed,
    Action::NumberRead,
    Action::ObjectionRead,
    Action::PersonFound,
    Action::PersonHistoryRead,
    Action::PersonRead,
    Action::PortraitRead,
];

/// Later than every row.
const END_OF_TIME: OffsetDateTime = datetime!(9000-01-01 00:00 UTC);
