//! SQL of the history: events, which are only added, and changes that are proposed.

use crypto::identity::Date;

use super::super::history::{Event, Evidence, FieldChange};
use super::super::model::{Finding, Person};
use crate::deed::Deed;
use crate::ground::actor::Actor;
use crate::ground::ids::{ChangeId, OfficerId, PersonId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Events of the register: each row carries a MAC.
pub const REGISTER_EVENT: Sealed = Sealed {
    table: "register_event",
    columns: &[
        ("person_id", Kind::Uuid),
        ("ordinal", Kind::Integer),
        ("kind", Kind::Text),
        ("valid_from", Kind::Text),
        ("proposed_by", Kind::Uuid),
        ("recorded_by", Kind::Uuid),
        ("recorded_at", Kind::Moment),
        ("evidence", Kind::Json),
        ("declared", Kind::Json),
        ("changes", Kind::Json),
    ],
    keys: 2,
    one: sql!(
        "select person_id, ordinal, kind, valid_from, proposed_by, recorded_by, recorded_at, evidence, declared, changes,
                version, mac
         from register_event where person_id = $1 and ordinal = $2"
    ),
    all: sql!(
        "select person_id, ordinal, kind, valid_from, proposed_by, recorded_by, recorded_at, evidence, declared, changes,
                version, mac
         from register_event order by person_id, ordinal"
    ),
    set: sql!("update register_event set version = $1, mac = $2 where person_id = $3 and ordinal = $4"),
};

/// Changes that are proposed: each row carries a MAC.
pub const REGISTER_CHANGE: Sealed = Sealed {
    table: "register_change",
    columns: &[
        ("id", Kind::Uuid),
        ("person_id", Kind::Uuid),
        ("office", Kind::Text),
        ("kind", Kind::Text),
        ("valid_from", Kind::Text),
        ("evidence", Kind::Json),
        ("changes", Kind::Json),
        ("proposed_by", Kind::Uuid),
        ("proposed_at", Kind::Moment),
        ("state", Kind::Text),
        ("ended_by", Kind::Uuid),
        ("ended_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, person_id, office, kind, valid_from, evidence, changes, proposed_by, proposed_at, state, ended_by,
                ended_at, version, mac
         from register_change where id = $1"
    ),
    all: sql!(
        "select id, person_id, office, kind, valid_from, evidence, changes, proposed_by, proposed_at, state, ended_by,
                ended_at, version, mac
         from register_change order by id"
    ),
    set: sql!("update register_change set version = $1, mac = $2 where id = $3"),
};

/// A change that waits for a second officer, or that one ended.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// Identifier.
    pub id: ChangeId,
    /// Whom it is about.
    pub person: PersonId,
    /// The office that registered the person.
    pub office: OfficeCode,
    /// What happened.
    pub kind: super::super::history::EventKind,
    /// Since when it is so.
    pub valid_from: Option<Date>,
    /// On what it rests.
    pub evidence: Evidence,
    /// What is to change.
    pub changes: Vec<FieldChange>,
    /// The officer who proposed it, and the moment.
    pub proposed: Decision,
    /// `open`, `applied` or `withdrawn`.
    pub state: String,
    /// The officer who ended it, and the moment.
    pub ended: Option<Decision>,
}

/// Adds an event to a person's history.
pub(in crate::population) async fn add(tx: &mut Tx, person: PersonId, event: &Event) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into register_event
             (person_id, ordinal, kind, valid_from, proposed_by, recorded_by, recorded_at, evidence, declared, changes)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    );
    let arguments = args![
        person,
        event.ordinal,
        event.kind.word(),
        event.valid_from.map(|date| date.to_string()),
        event.proposed_by,
        event.recorded.by,
        event.recorded.at,
        Argument::json(&event.evidence),
        event.declared.clone().map_or(Argument::Json(None), |declared| Argument::Json(Some(declared))),
        Argument::json(&event.changes)
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&REGISTER_EVENT, (person, event.ordinal)).await
}

/// Returns the history of a person, first event first; an event that was deleted is missed. The deed owes a record that
/// names the person.
///
/// # Errors
/// [`StoreError`]
pub async fn events<A: Actor>(deed: &mut Deed<A>, person: PersonId) -> Result<Vec<Event>, StoreError> {
    deed.saw(person);
    events_of(deed.tx(), person).await
}

/// As [`events`], for a check that answers nothing of what it reads.
pub(in crate::population) async fn events_of(tx: &mut Tx, person: PersonId) -> Result<Vec<Event>, StoreError> {
    let sql = sql!(
        "select person_id, ordinal, kind, valid_from, proposed_by, recorded_by, recorded_at, evidence, declared, changes,
                version, mac
         from register_event where person_id = $1 order by ordinal"
    );
    tx.all_sealed(&REGISTER_EVENT, sql, args![person]).await?.iter().map(event).collect()
}

/// Returns how many events a person has.
pub(in crate::population) async fn count(tx: &mut Tx, person: PersonId) -> Result<u32, StoreError> {
    let row = tx.one(sql!("select id, events from person where id = $1"), args![person]).await?;
    row.ok_or_else(|| StoreError::inconsistent("person", "id", person))?.number("events")
}

/// Puts the record that follows from the last event in the place of the one before.
pub(in crate::population) async fn set_record(
    tx: &mut Tx,
    id: PersonId,
    (before, person): (&Person, &Person),
    findings: &[Finding],
    events: u32,
) -> Result<(), StoreError> {
    let sql = sql!("update person set record = $1, likeness = $2, findings = $3, events = $4 where id = $5");
    tx.run(sql, args![Argument::json(person), person.likeness(), Argument::json(&findings), events, id]).await?;
    super::duplicates::reindex(tx, id, before, person).await?;
    super::search::index(tx, id, person).await
}

/// Keeps a change that an officer proposes.
pub(in crate::population) async fn propose(tx: &mut Tx, proposed: &Proposed) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into register_change
             (id, person_id, office, kind, valid_from, evidence, changes, proposed_by, proposed_at, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    );
    let arguments = args![
        proposed.id,
        proposed.person,
        &proposed.office,
        proposed.kind.word(),
        proposed.valid_from.map(|date| date.to_string()),
        Argument::json(&proposed.evidence),
        Argument::json(&proposed.changes),
        proposed.proposed.by,
        proposed.proposed.at,
        &proposed.state
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&REGISTER_CHANGE, proposed.id).await
}

/// Returns a proposed change, kept from other writers. The deed owes a record that names the person.
pub(in crate::population) async fn change_locked<A: Actor>(
    deed: &mut Deed<A>,
    id: ChangeId,
) -> Result<Option<Proposed>, StoreError> {
    let row = deed.tx().sealed_locked(&REGISTER_CHANGE, id).await?;
    let change = row.map(|row| proposed(&row)).transpose()?;
    if let Some(change) = &change {
        deed.saw(change.person);
    }
    Ok(change)
}

/// Ends a proposed change.
pub(in crate::population) async fn end(
    tx: &mut Tx,
    id: ChangeId,
    state: &str,
    by: &Decision,
) -> Result<(), StoreError> {
    let sql = sql!("update register_change set state = $1, ended_by = $2, ended_at = $3 where id = $4");
    tx.change(&REGISTER_CHANGE, id, sql, args![state, by.by, by.at, id]).await?;
    Ok(())
}

/// Returns a page of the open changes of an office, oldest first, each with whether its row is to be believed.
pub(in crate::population) async fn open_changes(
    tx: &mut Tx,
    office: &OfficeCode,
    after: ChangeId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, person_id, office, kind, valid_from, evidence, changes, proposed_by, proposed_at, state, ended_by,
                ended_at, version, mac
         from register_change where office = $1 and state = 'open' and id > $2 order by id limit $3"
    );
    tx.all_judged(&REGISTER_CHANGE, sql, args![office, after, most]).await
}

/// Returns the ids and records of a page of persons, by id: for the check that each record follows from its events.
pub(in crate::population) async fn records(
    tx: &mut Tx,
    after: PersonId,
    most: i64,
) -> Result<Vec<(PersonId, serde_json::Value, u32)>, StoreError> {
    let sql = sql!("select id, record, events from person where id > $1 order by id limit $2");
    let rows = tx.all(sql, args![after, most]).await?;
    rows.iter().map(|row| Ok((Id::of(row, "id")?, row.json("record")?, row.number("events")?))).collect()
}

fn event(row: &Record) -> Result<Event, StoreError> {
    let by: OfficerId = Id::of(row, "recorded_by")?;
    Ok(Event {
        ordinal: row.number("ordinal")?,
        kind: word(row)?,
        valid_from: row.parsed_optional("valid_from")?,
        proposed_by: Id::of(row, "proposed_by")?,
        recorded: Decision { by, at: row.get("recorded_at")? },
        evidence: row.json("evidence")?,
        declared: row.get("declared")?,
        changes: row.json("changes")?,
    })
}

fn proposed(row: &Record) -> Result<Proposed, StoreError> {
    let by: Option<OfficerId> = Id::of_optional(row, "ended_by")?;
    let at: Option<time::OffsetDateTime> = row.get("ended_at")?;
    Ok(Proposed {
        id: Id::of(row, "id")?,
        person: Id::of(row, "person_id")?,
        office: row.parsed("office")?,
        kind: word(row)?,
        valid_from: row.parsed_optional("valid_from")?,
        evidence: row.json("evidence")?,
        changes: row.json("changes")?,
        proposed: Decision { by: Id::of(row, "proposed_by")?, at: row.get("proposed_at")? },
        state: row.get("state")?,
        ended: by.zip(at).map(|(by, at)| Decision { by, at }),
    })
}

fn word(row: &Record) -> Result<super::super::history::EventKind, StoreError> {
    let word: String = row.get("kind")?;
    serde_json::from_value(serde_json::Value::String(word)).map_err(|_| row.inconsistent("kind"))
}
