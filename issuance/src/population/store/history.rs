//! SQL of the history: events, which are only added, and changes that are proposed.

use std::collections::{BTreeMap, BTreeSet};

use crypto::identity::Date;

use super::super::history::{Event, EventKind, Evidence, FieldChange, OfFile, undo};
use super::super::import::digest;
use super::super::model::{Finding, Person};
use super::super::names::Indexed;
use super::import::{self, Origin};
use super::names;
use crate::deed::{Deed, note_change};
use crate::ground::actor::Actor;
use crate::ground::ids::{ChangeId, OfficerId, PartnerId, PersonId};
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
        ("other_id", Kind::Uuid),
        ("partner_id", Kind::Uuid),
    ],
    keys: 2,
    one: sql!(
        "select person_id, ordinal, kind, valid_from, proposed_by, recorded_by, recorded_at, evidence, declared, changes,
                other_id, partner_id, version, mac
         from register_event where person_id = $1 and ordinal = $2"
    ),
    all: sql!(
        "select person_id, ordinal, kind, valid_from, proposed_by, recorded_by, recorded_at, evidence, declared, changes,
                other_id, partner_id, version, mac
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
        ("partner_id", Kind::Uuid),
    ],
    keys: 1,
    one: sql!(
        "select id, person_id, office, kind, valid_from, evidence, changes, proposed_by, proposed_at, state, ended_by,
                ended_at, partner_id, version, mac
         from register_change where id = $1"
    ),
    all: sql!(
        "select id, person_id, office, kind, valid_from, evidence, changes, proposed_by, proposed_at, state, ended_by,
                ended_at, partner_id, version, mac
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
    /// The partner that reported it under an agreement; the officer is then the one who signed the agreement.
    pub partner: Option<PartnerId>,
    /// `open`, `applied` or `withdrawn`.
    pub state: String,
    /// The officer who ended it, and the moment.
    pub ended: Option<Decision>,
}

/// Adds an event to a person's history, and notes which fields it changed for those who follow the person.
pub(in crate::population) async fn add(tx: &mut Tx, person: PersonId, event: &Event) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into register_event
             (person_id, ordinal, kind, valid_from, proposed_by, recorded_by, recorded_at, evidence, declared, changes,
              other_id, partner_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
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
        Argument::json(&event.changes),
        event.other,
        event.partner
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&REGISTER_EVENT, (person, event.ordinal)).await?;
    let mut fields: BTreeSet<&str> = event.changes.iter().map(|change| change.field.as_str()).collect();
    if matches!(event.kind, EventKind::Merged | EventKind::Restored | EventKind::Divided) {
        fields.insert("record");
    }
    note_change(tx, person, &fields, event.valid_from.map(|date| date.to_string())).await
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

/// Returns the names of the fields that changed after so many events. Nothing of their content is
/// answered, so no record is due.
///
/// # Errors
/// [`StoreError`]
pub async fn fields_changed_after(tx: &mut Tx, person: PersonId, events: u32) -> Result<BTreeSet<String>, StoreError> {
    let later = events_of(tx, person).await?.into_iter().filter(|event| event.ordinal > events);
    Ok(later.flat_map(|event| event.changes.into_iter().map(|change| change.field)).collect())
}

/// Returns the officers who proposed or applied what happened to a person. Nothing of its content is answered, so no
/// record is due.
///
/// # Errors
/// [`StoreError`]
pub async fn changers(tx: &mut Tx, person: PersonId) -> Result<Vec<OfficerId>, StoreError> {
    let events = events_of(tx, person).await?;
    Ok(events.iter().flat_map(|event| [event.proposed_by, event.recorded.by]).collect())
}

/// As [`events`], for a check that answers nothing of what it reads.
pub(in crate::population) async fn events_of(tx: &mut Tx, person: PersonId) -> Result<Vec<Event>, StoreError> {
    let sql = sql!(
        "select person_id, ordinal, kind, valid_from, proposed_by, recorded_by, recorded_at, evidence, declared, changes,
                other_id, partner_id, version, mac
         from register_event where person_id = $1 order by ordinal"
    );
    let rows = tx.all_sealed(&REGISTER_EVENT, sql, args![person]).await?;
    let mut events: Vec<_> = rows.iter().map(event).collect::<Result<_, _>>()?;
    if events.first().is_none_or(|first| first.ordinal != 1)
        && let Some((origin, record)) = import::origin_of(tx, person).await?
    {
        let first = first_of_file(tx, person, &origin, &record, &events).await?;
        events.insert(0, first);
    }
    Ok(events)
}

/// Returns the first event of a person who came with a file: it stands in no row of its own, but in that of the file.
async fn first_of_file(
    tx: &mut Tx,
    person: PersonId,
    origin: &Origin,
    record: &serde_json::Value,
    later: &[Event],
) -> Result<Event, StoreError> {
    let tampered = || StoreError::Tampered { table: "person", id: person.to_string() };
    let batch = import::batch_of(tx, origin.batch).await?.ok_or_else(tampered)?;
    let declared = undo(record, later).map_err(|_| tampered())?;
    if !is_as_declared(tx, person, origin, &declared) {
        return Err(tampered());
    }
    Ok(Event {
        ordinal: 1,
        kind: EventKind::Declared,
        valid_from: None,
        proposed_by: batch.begun.by,
        recorded: origin.entered.clone(),
        evidence: Evidence::of_line(origin.form.as_deref(), &batch.file_name, origin.line),
        declared: Some(declared),
        changes: vec![],
        file: Some(OfFile { batch: batch.id, name: batch.file_name, digest: batch.digest, line: origin.line }),
        other: None,
        partner: None,
    })
}

/// True if this record is the one that a person declared in a file: the digest is its, and the MAC is over the digest.
pub(in crate::population) fn is_as_declared(
    tx: &Tx,
    person: PersonId,
    origin: &Origin,
    declared: &serde_json::Value,
) -> bool {
    let mac = tx.row_key().map(|key| import::declared_mac(key, person, origin.batch, origin.line, &origin.digest));
    digest(declared) == origin.digest && mac.is_some_and(|mac| mac[..] == origin.mac)
}

/// Returns the later events of the persons after `after` up to `last`, by person; of a person whose row was changed by
/// another hand the error.
pub(in crate::population) async fn events_between(
    tx: &mut Tx,
    after: PersonId,
    last: PersonId,
) -> Result<BTreeMap<PersonId, Result<Vec<Event>, StoreError>>, StoreError> {
    let sql = sql!(
        "select person_id, ordinal, kind, valid_from, proposed_by, recorded_by, recorded_at, evidence, declared, changes,
                other_id, partner_id, version, mac
         from register_event where person_id > $1 and person_id <= $2 order by person_id, ordinal"
    );
    let mut all: BTreeMap<_, Result<Vec<Event>, StoreError>> = BTreeMap::new();
    for (row, holds) in tx.all_judged(&REGISTER_EVENT, sql, args![after, last]).await? {
        let person: PersonId = Id::of(&row, "person_id")?;
        let of = all.entry(person).or_insert_with(|| Ok(vec![]));
        if !holds {
            let id = format!("{person} {}", row.get::<i64>("ordinal")?);
            *of = Err(StoreError::Tampered { table: "register_event", id });
        } else if let Ok(events) = of {
            match event(&row) {
                Ok(event) => events.push(event),
                Err(error) => *of = Err(error),
            }
        }
    }
    Ok(all)
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
             (id, person_id, office, kind, valid_from, evidence, changes, proposed_by, proposed_at, state, partner_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
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
        &proposed.state,
        proposed.partner
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

/// Returns how far a proposed change is.
pub(in crate::population) async fn state_of(tx: &mut Tx, id: ChangeId) -> Result<Option<String>, StoreError> {
    tx.sealed(&REGISTER_CHANGE, id).await?.map(|row| row.get("state")).transpose()
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
                ended_at, partner_id, version, mac
         from register_change where office = $1 and state = 'open' and id > $2 order by id limit $3"
    );
    tx.all_judged(&REGISTER_CHANGE, sql, args![office, after, most]).await
}

/// True if a change of a person waits to be applied or withdrawn. Nothing of it is answered, so no record is due.
///
/// # Errors
/// [`StoreError`]
pub async fn has_open_change(tx: &mut Tx, person: PersonId) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id, person_id, office, kind, valid_from, evidence, changes, proposed_by, proposed_at, state, ended_by,
                ended_at, partner_id, version, mac
         from register_change where person_id = $1 and state = 'open' order by id limit 1"
    );
    Ok(!tx.all_sealed(&REGISTER_CHANGE, sql, args![person]).await?.is_empty())
}

/// A person as the register keeps one, for the comparison.
#[derive(Debug)]
pub(in crate::population) struct Kept {
    /// The person.
    pub person: PersonId,
    /// The record.
    pub record: serde_json::Value,
    /// How many events the record counts.
    pub events: u32,
    /// The file that the person came with.
    pub origin: Option<Origin>,
    /// The record into which this one is merged.
    pub merged_into: Option<PersonId>,
    /// By what the person is found; `None` where nothing was written yet.
    pub found_by: Option<Indexed>,
}

/// Returns a page of persons, by id: for the check that each record follows from its events.
pub(in crate::population) async fn records(tx: &mut Tx, after: PersonId, most: i64) -> Result<Vec<Kept>, StoreError> {
    let sql = sql!(
        "select p.id, p.record, p.events, p.declared_by, p.declared_at, p.batch_id, p.batch_line, p.declared_digest,
                p.declared_mac, p.form, m.survivor_id, p.fold, p.born, p.birth_year, p.old_id_number,
                p.father_fold, p.mother_fold, p.residence_province, p.residence_district, p.residence_commune,
                p.likeness, p.household, p.heads_household
         from person p left join merged_person m on m.person_id = p.id
         where p.id > $1 order by p.id limit $2"
    );
    let kept = |row: &Record| {
        Ok(Kept {
            person: Id::of(row, "id")?,
            record: row.get("record")?,
            events: row.number("events")?,
            origin: import::origin(row)?,
            merged_into: Id::of_optional(row, "survivor_id")?,
            found_by: names::found_by(row)?,
        })
    };
    tx.all(sql, args![after, most]).await?.iter().map(kept).collect()
}

/// Withdraws every open proposal to change a person.
pub(in crate::population) async fn withdraw_open(
    tx: &mut Tx,
    person: PersonId,
    by: &Decision,
) -> Result<(), StoreError> {
    let found = sql!(
        "select id, person_id, office, kind, valid_from, evidence, changes, proposed_by, proposed_at, state, ended_by,
                ended_at, partner_id, version, mac
         from register_change where person_id = $1 and state = 'open'"
    );
    let sql = sql!("update register_change set state = 'withdrawn', ended_by = $2, ended_at = $3 where id = $1");
    tx.change_found(&REGISTER_CHANGE, (found, args![person]), sql, args![by.by, by.at]).await
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
        file: None,
        other: Id::of_optional(row, "other_id")?,
        partner: Id::of_optional(row, "partner_id")?,
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
        partner: Id::of_optional(row, "partner_id")?,
        state: row.get("state")?,
        ended: by.zip(at).map(|(by, at)| Decision { by, at }),
    })
}

fn word(row: &Record) -> Result<super::super::history::EventKind, StoreError> {
    let word: String = row.get("kind")?;
    serde_json::from_value(serde_json::Value::String(word)).map_err(|_| row.inconsistent("kind"))
}
