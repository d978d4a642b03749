//! SQL of citizens' objections.

use time::OffsetDateTime;
use time::macros::datetime;

use crate::citizens::objections::{CitizenObjection, GivenAnswer, ObjectionVerdict};
use crate::ground::ids::{ObjectionId, PersonId};
use crate::ground::{Decision, Id, OfficeCode, Role};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Objections carry a MAC: one that another hand called answered would be answered by none.
pub const OBJECTION: Sealed = Sealed {
    table: "objection",
    columns: &[
        ("id", Kind::Uuid),
        ("person_id", Kind::Uuid),
        ("card_id", Kind::Uuid),
        ("look_id", Kind::Uuid),
        ("looker_id", Kind::Uuid),
        ("role", Kind::Text),
        ("office", Kind::Text),
        ("words", Kind::Bytes),
        ("made_at", Kind::Moment),
        ("due_at", Kind::Moment),
        ("answered_by", Kind::Uuid),
        ("answered_at", Kind::Moment),
        ("verdict", Kind::Text),
        ("answer", Kind::Bytes),
    ],
    keys: 1,
    one: sql!(
        "select id, person_id, card_id, look_id, looker_id, role, office, words, made_at, due_at, answered_by,
                answered_at, verdict, answer, version, mac
         from objection where id = $1"
    ),
    all: sql!(
        "select id, person_id, card_id, look_id, looker_id, role, office, words, made_at, due_at, answered_by,
                answered_at, verdict, answer, version, mac
         from objection order by id"
    ),
    set: sql!("update objection set version = $1, mac = $2 where id = $3"),
};

/// Inserts an objection.
pub(in crate::citizens) async fn insert(tx: &mut Tx, case: &CitizenObjection) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into objection (id, person_id, card_id, look_id, looker_id, role, office, words, made_at, due_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    );
    let arguments = args![
        case.id,
        case.person,
        case.card,
        case.look,
        case.looker,
        case.role.name(),
        &case.office,
        &*case.words,
        case.made_at,
        case.due
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&OBJECTION, case.id).await
}

/// Returns an objection.
pub(in crate::citizens) async fn one(tx: &mut Tx, id: ObjectionId) -> Result<Option<CitizenObjection>, StoreError> {
    tx.sealed(&OBJECTION, id).await?.map(|row| read(&row)).transpose()
}

/// Returns an objection, kept from other writers.
pub(in crate::citizens) async fn locked(tx: &mut Tx, id: ObjectionId) -> Result<Option<CitizenObjection>, StoreError> {
    tx.sealed_locked(&OBJECTION, id).await?.map(|row| read(&row)).transpose()
}

/// Returns how many objections of a person wait for their answer, as far as `most`.
pub(in crate::citizens) async fn open_of(tx: &mut Tx, person: PersonId, most: u32) -> Result<usize, StoreError> {
    let sql = sql!("select id from objection where person_id = $1 and answered_at is null limit $2");
    Ok(tx.all(sql, args![person, i64::from(most)]).await?.len())
}

/// Returns the objections of a person, the oldest first.
pub(in crate::citizens) async fn of_person(tx: &mut Tx, person: PersonId) -> Result<Vec<CitizenObjection>, StoreError> {
    let sql = sql!(
        "select id, person_id, card_id, look_id, looker_id, role, office, words, made_at, due_at, answered_by,
                answered_at, verdict, answer, version, mac
         from objection where person_id = $1 order by id"
    );
    tx.all_sealed(&OBJECTION, sql, args![person]).await?.iter().map(read).collect()
}

/// Returns the objections after this one that wait for an answer by one of these roles, of these offices or of all, and
/// were due at a moment where one is named; the oldest first, each with whether its MAC holds.
pub(in crate::citizens) async fn waiting(
    tx: &mut Tx,
    (roles, offices): (&[Role], Option<&[OfficeCode]>),
    (after, due): (Option<ObjectionId>, Option<OffsetDateTime>),
    most: i64,
) -> Result<Vec<(CitizenObjection, bool)>, StoreError> {
    let (after, due) = (after.unwrap_or(Id::nil()), due.unwrap_or(END_OF_TIME));
    let (roles, all, offices) = of_these(roles, offices);
    let sql = sql!(
        pg "select id, person_id, card_id, look_id, looker_id, role, office, words, made_at, due_at, answered_by,
                   answered_at, verdict, answer, version, mac
            from objection
            where answered_at is null and id > $1 and role = any($2::text[]) and ($3 = 1 or office = any($4::text[]))
              and due_at <= $5
            order by id limit $6",
        lite "select id, person_id, card_id, look_id, looker_id, role, office, words, made_at, due_at, answered_by,
                   answered_at, verdict, answer, version, mac
            from objection
            where answered_at is null and id > $1 and role in (select value from json_each($2))
              and ($3 = 1 or office in (select value from json_each($4))) and due_at <= $5
            order by id limit $6",
    );
    let rows = tx.all_judged(&OBJECTION, sql, args![after, roles, all, offices, due, most]).await?;
    rows.iter().map(|(row, holds)| Ok((read(row)?, *holds))).collect()
}

/// Returns the objections before this one that were answered by one of these roles, of these offices or of all; the
/// newest first, each with whether its MAC holds.
pub(in crate::citizens) async fn answered(
    tx: &mut Tx,
    (roles, offices): (&[Role], Option<&[OfficeCode]>),
    before: Option<ObjectionId>,
    most: i64,
) -> Result<Vec<(CitizenObjection, bool)>, StoreError> {
    let before = before.unwrap_or_else(|| Id::first_at(END_OF_TIME));
    let (roles, all, offices) = of_these(roles, offices);
    let sql = sql!(
        pg "select id, person_id, card_id, look_id, looker_id, role, office, words, made_at, due_at, answered_by,
                   answered_at, verdict, answer, version, mac
            from objection
            where answered_at is not null and id < $1 and role = any($2::text[])
              and ($3 = 1 or office = any($4::text[]))
            order by id desc limit $5",
        lite "select id, person_id, card_id, look_id, looker_id, role, office, words, made_at, due_at, answered_by,
                   answered_at, verdict, answer, version, mac
            from objection
            where answered_at is not null and id < $1 and role in (select value from json_each($2))
              and ($3 = 1 or office in (select value from json_each($4)))
            order by id desc limit $5",
    );
    let rows = tx.all_judged(&OBJECTION, sql, args![before, roles, all, offices, most]).await?;
    rows.iter().map(|(row, holds)| Ok((read(row)?, *holds))).collect()
}

/// Roles and offices as statements take them: with 1 for the offices of all.
fn of_these(roles: &[Role], offices: Option<&[OfficeCode]>) -> (Argument, i64, Argument) {
    let roles = Argument::Texts(roles.iter().map(|role| role.name().to_owned()).collect());
    let all = i64::from(offices.is_none());
    (roles, all, Argument::Texts(offices.unwrap_or_default().iter().map(ToString::to_string).collect()))
}

/// Later than every row.
const END_OF_TIME: OffsetDateTime = datetime!(9000-01-01 00:00 UTC);

/// Writes what an objection was answered.
pub(in crate::citizens) async fn answer(tx: &mut Tx, id: ObjectionId, given: &GivenAnswer) -> Result<(), StoreError> {
    let sql = sql!("update objection set answered_by = $1, answered_at = $2, verdict = $3, answer = $4 where id = $5");
    let GivenAnswer { by, verdict, words } = given;
    tx.change(&OBJECTION, id, sql, args![by.by, by.at, verdict.word(), &**words, id]).await?;
    Ok(())
}

/// True if an objection waits for its answer longer than it may.
pub(in crate::citizens) async fn is_overdue(tx: &mut Tx, now: OffsetDateTime) -> Result<bool, StoreError> {
    let sql = sql!("select id from objection where answered_at is null and due_at <= $1 limit 1");
    Ok(!tx.all(sql, args![now]).await?.is_empty())
}

fn read(row: &Record) -> Result<CitizenObjection, StoreError> {
    let verdict: Option<ObjectionVerdict> = row.parsed_optional("verdict")?;
    let (by, words) = (Decision::of(row, "answered_by", "answered_at")?, row.get::<Option<Vec<u8>>>("answer")?);
    let id: ObjectionId = Id::of(row, "id")?;
    let role: String = row.get("role")?;
    let role = Role::named(&role).ok_or_else(|| StoreError::inconsistent("objection", "role", id.to_string()))?;
    Ok(CitizenObjection {
        id,
        person: Id::of(row, "person_id")?,
        card: Id::of(row, "card_id")?,
        look: Id::of_optional(row, "look_id")?,
        looker: Id::of_optional(row, "looker_id")?,
        role,
        office: row.parsed("office")?,
        words: row.get("words")?,
        made_at: row.get("made_at")?,
        due: row.get("due_at")?,
        answer: by.zip(verdict).map(|(by, verdict)| GivenAnswer { by, verdict, words: words.unwrap_or_default() }),
    })
}
