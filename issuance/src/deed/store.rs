//! SQL of the audit trail.

pub(super) mod changes;

use time::{Duration, OffsetDateTime};

use super::{Action, Entry};
use crate::ground::ids::{EntryId, OfficerId, PersonId};
use crate::ground::{Caller, Id, OfficeCode};
use crate::store::{Argument, Migration, Sql, StoreError, Tx};
use crate::{args, migration, sql};

/// The tables of the trail.
pub const MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_deed_audit_entry"),
    migration!(42, "0042_deed_audit_home"),
    migration!(107, "0107_deed_audit_home_view"),
    migration!(133, "0133_deed_order_of_bytes"),
    migration!(193, "0193_deed_acting_for"),
    migration!(237, "0237_deed_changes"),
];

const INSERT: Sql = sql!(
    "insert into audit_entry (id, at, actor, office, action, object, person_id, purpose, related, reason, object_office,
                              acting_for)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
);

/// What stands for the columns of a record, with the officer for whom the caller acts, if there is one.
fn row(
    id: EntryId,
    at: OffsetDateTime,
    (caller, acts_for): (&Caller, Option<OfficerId>),
    entry: &Entry,
) -> Vec<Argument> {
    args![
        id,
        at,
        caller.to_string(),
        caller.office().map(ToString::to_string),
        entry.action.word(),
        entry.object.to_string(),
        entry.person,
        entry.purpose.word(),
        entry.related.as_ref().map(ToString::to_string),
        entry.reason.as_deref(),
        entry.office.as_ref().map(ToString::to_string),
        acts_for
    ]
}

/// Inserts one record.
pub(super) async fn insert(
    tx: &mut Tx,
    id: EntryId,
    at: OffsetDateTime,
    by: (&Caller, Option<OfficerId>),
    entry: &Entry,
) -> Result<(), StoreError> {
    tx.run(INSERT, row(id, at, by, entry)).await?;
    Ok(())
}

/// So many records go with one statement.
const FEW: usize = 16;

/// Inserts many records at once, each with its identifier.
pub(super) async fn insert_all(
    tx: &mut Tx,
    at: OffsetDateTime,
    by: (&Caller, Option<OfficerId>),
    entries: &[(EntryId, Entry)],
) -> Result<(), StoreError> {
    let rows: Vec<_> = entries.iter().map(|(id, entry)| row(*id, at, by, entry)).collect();
    if rows.len() <= FEW {
        return tx.insert_few(INSERT, rows).await.map(drop);
    }
    tx.insert_all(INSERT, &rows).await
}

/// Notes the office that registered a person.
pub(super) async fn settle(tx: &mut Tx, person: PersonId, office: &OfficeCode) -> Result<(), StoreError> {
    // Where it is noted already nothing is locked: two verbs about one person would wait for each other.
    let known = tx.one(sql!("select office from audit_home where person_id = $1"), args![person]).await?;
    if known.is_some_and(|row| row.get::<String>("office").is_ok_and(|known| known == office.as_str())) {
        return Ok(());
    }
    let sql = sql!(
        "insert into audit_home (person_id, office) values ($1, $2)
         on conflict (person_id) do update set office = excluded.office"
    );
    tx.run(sql, args![person, office]).await?;
    Ok(())
}

/// Notes the office that registered these persons, who were unknown before.
pub(super) async fn settle_all(tx: &mut Tx, persons: &[PersonId], office: &OfficeCode) -> Result<(), StoreError> {
    let mut rows = tx.rows(sql!("insert into audit_home (person_id, office) values ($1, $2)"), 2);
    for person in persons {
        rows.row([(*person).into(), office.as_str().into()]);
    }
    tx.insert_rows(rows).await
}

/// Returns the moment of the first record.
pub(crate) async fn first_record(tx: &mut Tx) -> Result<Option<OffsetDateTime>, StoreError> {
    tx.one(sql!("select at from audit_entry order by id limit 1"), args![]).await?.map(|row| row.get("at")).transpose()
}

/// Returns the moment of the last record that was made until then.
pub(crate) async fn last_record_until(
    tx: &mut Tx,
    until: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let end: EntryId = Id::first_at(until + Duration::milliseconds(1));
    let sql = sql!("select at from audit_entry where id < $1 order by id desc limit 1");
    tx.one(sql, args![end]).await?.map(|row| row.get("at")).transpose()
}

/// Returns the officers who did one of these about an object.
pub(crate) async fn officers_who(
    tx: &mut Tx,
    person: PersonId,
    object: &str,
    actions: &[Action],
) -> Result<Vec<OfficerId>, StoreError> {
    let sql = sql!("select actor, action from audit_entry where person_id = $1 and object = $2 order by id");
    let mut officers = Vec::new();
    for row in tx.all(sql, args![person, object]).await? {
        let (actor, action): (String, String) = (row.get("actor")?, row.get("action")?);
        let officer = actor.strip_prefix("officer/").and_then(|id| id.parse::<OfficerId>().ok());
        officers.extend(officer.filter(|_| actions.iter().any(|wanted| wanted.word() == action)));
    }
    Ok(officers)
}

/// Returns the words of the last record that this was done to an object of a person; `None` if it never was, or has
/// none.
pub(crate) async fn last_words(
    tx: &mut Tx,
    person: PersonId,
    object: &str,
    action: Action,
) -> Result<Option<String>, StoreError> {
    let sql = sql!(
        "select reason from audit_entry where person_id = $1 and object = $2 and action = $3 order by id desc limit 1"
    );
    let row = tx.one(sql, args![person, object, action.word()]).await?;
    Ok(row.map(|row| row.get::<Option<String>>("reason")).transpose()?.flatten())
}

/// Returns when this was done to an object since a moment, the newest first and at most so many, each with the words of
/// the record.
pub(crate) async fn last_times(
    tx: &mut Tx,
    object: &str,
    action: Action,
    since: OffsetDateTime,
    most: i64,
) -> Result<Vec<(OffsetDateTime, String)>, StoreError> {
    let begin: EntryId = Id::first_at(since);
    let sql = sql!(
        "select at, reason from audit_entry where object = $1 and action = $2 and id >= $3 order by id desc limit $4"
    );
    let rows = tx.all(sql, args![object, action.word(), begin, most]).await?;
    rows.iter().map(|row| Ok((row.get("at")?, row.get::<Option<String>>("reason")?.unwrap_or_default()))).collect()
}

/// Returns the moment of the last record about this object that was made until then.
pub(crate) async fn last_record_about(
    tx: &mut Tx,
    object: &str,
    until: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let end: EntryId = Id::first_at(until + Duration::milliseconds(1));
    let sql = sql!("select at from audit_entry where object = $1 and id < $2 order by id desc limit 1");
    tx.one(sql, args![object, end]).await?.map(|row| row.get("at")).transpose()
}

/// Returns the persons of whom records about an object tell.
pub(crate) async fn persons_of(tx: &mut Tx, object: &str) -> Result<Vec<PersonId>, StoreError> {
    let sql = sql!(
        "select person_id as id from audit_entry where object = $1 and person_id is not null order by audit_entry.id"
    );
    let rows = tx.all(sql, args![object]).await?;
    let persons: std::collections::BTreeSet<PersonId> =
        rows.iter().map(|row| Id::of(row, "id")).collect::<Result<_, _>>()?;
    Ok(persons.into_iter().collect())
}
