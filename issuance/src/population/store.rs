//! SQL of the register.

pub mod campaign;
pub mod duplicates;
pub mod first;
pub mod forms;
pub mod history;
pub mod import;
pub mod merge;
pub mod names;
pub mod quality;
pub mod search;
pub mod traits;

use std::collections::BTreeSet;

use crypto::identity::PersonalNumber;
use sha2::{Digest, Sha256};
use time::{Date, OffsetDateTime};

use super::duplicates::keys;
use super::duplicates::traits::Traits;
use super::model::{Finding, Person, Registered};
use crate::deed::{Deed, note_change};
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, OfficerId, PersonId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Migration, Record, Sealed, StoreError, Tx};
use crate::{args, migration, sql};

/// Tables of the register.
pub const MIGRATIONS: &[Migration] = &[
    migration!(6, "0006_population_persons"),
    migration!(32, "0032_population_likeness"),
    migration!(43, "0043_population_reading_claims"),
    migration!(47, "0047_population_reader_row_macs"),
    migration!(80, "0080_population_history"),
    migration!(83, "0083_population_search"),
    migration!(90, "0090_population_import"),
    migration!(91, "0091_population_import_doubles"),
    migration!(95, "0095_population_quality"),
    migration!(96, "0096_population_campaign"),
    migration!(98, "0098_population_person_keys"),
    migration!(99, "0099_population_duplicate_verdicts"),
    migration!(100, "0100_population_names"),
    migration!(104, "0104_population_birth_registrations"),
    migration!(105, "0105_population_merges"),
    migration!(125, "0125_population_places"),
    migration!(126, "0126_population_campaign_communes"),
    migration!(120, "0120_population_verdicts_of_two_offices"),
    migration!(115, "0115_population_first_load"),
    migration!(132, "0132_population_row_cost"),
    migration!(209, "0209_population_declaration_forms"),
    migration!(218, "0218_population_hands_of_forms"),
    migration!(230, "0230_population_joined_names"),
    migration!(234, "0234_population_partners"),
];

/// Offices that may read a person: each row carries a MAC.
pub const PERSON_READER: Sealed = Sealed {
    table: "person_reader",
    columns: &[
        ("person_id", Kind::Uuid),
        ("office", Kind::Text),
        ("since", Kind::Moment),
        ("application_id", Kind::Uuid),
        ("until", Kind::Moment),
    ],
    keys: 2,
    one: sql!(
        "select person_id, office, since, application_id, until, version, mac from person_reader
         where person_id = $1 and office = $2"
    ),
    all: sql!(
        "select person_id, office, since, application_id, until, version, mac from person_reader
         order by person_id, office"
    ),
    set: sql!("update person_reader set version = $1, mac = $2 where person_id = $3 and office = $4"),
};

/// Inserts a person, with what was found in the declaration, and number and day of the paper form.
pub(super) async fn insert(
    tx: &mut Tx,
    id: PersonId,
    office: &OfficeCode,
    declared: &Decision,
    (person, findings): (&Person, &[Finding]),
    (form, declared_on): (Option<&str>, Option<Date>),
) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into person (id, office, record, likeness, findings, declared_by, declared_at, declared_digest,
                                 keyed, form, declared_on)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ),
        args![
            id,
            office,
            Argument::json(person),
            person.likeness(),
            Argument::json(&findings),
            declared.by,
            declared.at,
            super::import::digest(&serde_json::Value::Object(super::history::fields_of(person))),
            keys::VERSION,
            form,
            declared_on
        ],
    )
    .await?;
    duplicates::index(tx, &[(id, keys::keys(&Traits::from(person)))]).await?;
    search::index(tx, id, person).await
}

/// Makes declarations of people who are alike wait for each other, until the transaction ends; those of other people do
/// not wait. What looks for a double then sees every one that came before.
///
/// # Errors
/// [`StoreError`]
pub async fn hold_likeness(tx: &mut Tx, person: &Person) -> Result<(), StoreError> {
    duplicates::hold(tx, &Traits::from(person)).await?;
    // What a process of the version before holds, which may run beside this one. The update that changes nothing is
    // what locks a row that is there already.
    let sql = sql!("insert into likeness (id) values ($1) on conflict (id) do update set id = excluded.id");
    let id: [u8; 32] = Sha256::digest(person.likeness()).into();
    tx.run(sql, args![id]).await?;
    Ok(())
}

/// True if another person has this number of an old card.
pub(super) async fn shares_old_number(tx: &mut Tx, id: PersonId, number: &str) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id from person where old_id_number = $1 and id <> $2
         and not exists (select person_id from merged_person m where m.person_id = person.id) limit 1"
    );
    Ok(tx.one(sql, args![number, id]).await?.is_some())
}

/// Returns how many persons head a household.
pub(super) async fn heads(tx: &mut Tx, household: &str) -> Result<u64, StoreError> {
    let sql = sql!(
        "select count(*) as n from person where household = $1 and heads_household
         and not exists (select person_id from merged_person m where m.person_id = person.id)"
    );
    tx.one(sql, args![household]).await?.map_or(Ok(0), |row| row.number("n"))
}

/// Returns the persons of a person's household, at most 50: those in force whose permanent residence has the same
/// commune and number of the household book; the person alone, where either is not declared. The deed owes a record
/// that names each of them.
///
/// # Errors
/// [`StoreError`]
pub async fn household_of<A: Actor>(deed: &mut Deed<A>, of: &Registered) -> Result<Vec<Registered>, StoreError> {
    let Some(household) = of.person.household() else { return Ok(vec![of.clone()]) };
    let sql = sql!(
        "select id, office, personal_number, record, findings from person where household = $1
         and not exists (select person_id from merged_person m where m.person_id = person.id) order by id limit 50"
    );
    let members: Vec<Registered> =
        deed.tx().all(sql, args![household]).await?.iter().map(read).collect::<Result<_, _>>()?;
    for member in &members {
        deed.saw(member.id);
    }
    Ok(members)
}

/// True if another person of the same name, birth date and sex is in the register, declared before or after, and no
/// officer told the two apart.
///
/// # Errors
/// [`StoreError`]
pub async fn has_double(tx: &mut Tx, id: PersonId, person: &Person) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id from person where likeness = $1 and id <> $2
         and not exists (select person_id from merged_person m where m.person_id = person.id) order by id limit 100"
    );
    let others = tx.all(sql, args![person.likeness(), id]).await?;
    let apart =
        if others.is_empty() { std::collections::BTreeSet::new() } else { duplicates::told_apart(tx, id).await? };
    let others: Vec<PersonId> = others.iter().map(|row| Id::of(row, "id")).collect::<Result<_, _>>()?;
    Ok(others.iter().any(|other| !apart.contains(other)))
}

/// Returns a person by the register's id. The deed owes a record that names the person.
///
/// # Errors
/// [`StoreError`]
pub async fn person<A: Actor>(deed: &mut Deed<A>, id: PersonId) -> Result<Option<Registered>, StoreError> {
    deed.saw(id);
    let sql = sql!(
        "select p.id, p.office, p.personal_number, p.record, p.findings, h.office as home, m.survivor_id as survivor
         from person p left join v_audit_home h on h.person_id = p.id left join merged_person m on m.person_id = p.id
         where p.id = $1"
    );
    let Some(row) = deed.tx().one(sql, args![id]).await? else { return Ok(None) };
    of_row(deed, &row).await.map(Some)
}

/// As [`person`], with the case for which this office may read the person; `None` if there is no such right.
pub(super) async fn person_open_to<A: Actor>(
    deed: &mut Deed<A>,
    id: PersonId,
    office: &OfficeCode,
) -> Result<Option<(Registered, Option<Opened>)>, StoreError> {
    deed.saw(id);
    let sql = sql!(
        "select p.id, p.office, p.personal_number, p.record, p.findings, h.office as home, m.survivor_id as survivor,
                r.person_id as r_person_id, r.office as r_office, r.since as r_since,
                r.application_id as r_application_id, r.until as r_until, r.version as r_version, r.mac as r_mac
         from person p left join v_audit_home h on h.person_id = p.id left join merged_person m on m.person_id = p.id
              left join person_reader r on r.person_id = p.id and r.office = $2
         where p.id = $1"
    );
    let found = deed.tx().one_with((&PERSON_READER, "r_"), sql, args![id, office]).await?;
    let Some((row, right)) = found else { return Ok(None) };
    let registered = of_row(deed, &row).await?;
    let case = right?.map_or(Ok(None), |right| case_of(&right, deed.at()))?;
    Ok(Some((registered, case)))
}

/// Reads a row with `home`, the office whose auditors see what is done about the person, and `survivor`, the record
/// that is in force instead.
async fn of_row<A: Actor>(deed: &mut Deed<A>, row: &Record) -> Result<Registered, StoreError> {
    let mut registered = read(row)?;
    if row.get::<Option<String>>("home")?.as_deref() != Some(registered.office.as_str()) {
        deed.settle(registered.id, &registered.office).await?;
    }
    registered.merged_into = Id::of_optional(row, "survivor")?;
    Ok(registered)
}

/// As [`person`], kept from other writers until the deed ends.
///
/// # Errors
/// [`StoreError`]
pub async fn person_locked<A: Actor>(deed: &mut Deed<A>, id: PersonId) -> Result<Option<Registered>, StoreError> {
    deed.saw(id);
    let sql = sql!("select id, office, personal_number, record, findings from person where id = $1");
    let registered = deed.tx().one_locked(sql, args![id]).await?.map(|row| read(&row)).transpose()?;
    settled(deed, registered).await
}

/// Says to the trail whose auditors see what is done about the person, and looks whether the record is in force.
async fn settled<A: Actor>(
    deed: &mut Deed<A>,
    mut registered: Option<Registered>,
) -> Result<Option<Registered>, StoreError> {
    if let Some(registered) = &mut registered {
        deed.settle(registered.id, &registered.office).await?;
        registered.merged_into = merge::merged_into(deed.tx(), registered.id).await?;
    }
    Ok(registered)
}

/// Returns the officer who entered a person's declaration.
///
/// # Errors
/// [`StoreError`]
pub async fn declarer(tx: &mut Tx, id: PersonId) -> Result<Option<OfficerId>, StoreError> {
    let row = tx.one(sql!("select id, declared_by from person where id = $1"), args![id]).await?;
    row.map(|row| Id::of(&row, "declared_by")).transpose()
}

/// Notes which entry of an office's register of births is a child's. Returns false if it is another child's.
///
/// # Errors
/// [`StoreError`]
pub async fn enter_birth(tx: &mut Tx, kept_by: &str, registration: &str, child: PersonId) -> Result<bool, StoreError> {
    let sql = sql!(
        "insert into birth_registration (office, registration, person_id) values ($1, $2, $3)
         on conflict (office, registration) do nothing"
    );
    // Capitals tell no two entries apart.
    Ok(tx.run(sql, args![kept_by, registration.to_lowercase(), child]).await? == 1)
}

/// Writes a person's number for life, once.
///
/// # Errors
/// [`StoreError`]
pub async fn set_number(tx: &mut Tx, id: PersonId, number: &PersonalNumber) -> Result<(), StoreError> {
    let sql = sql!("update person set personal_number = $1 where id = $2 and personal_number is null");
    tx.run(sql, args![number.as_str(), id]).await?;
    Ok(())
}

/// Takes the number for life from a person whose record was merged into another one.
///
/// # Errors
/// [`StoreError`]
pub async fn take_number(tx: &mut Tx, id: PersonId) -> Result<(), StoreError> {
    tx.run(sql!("update person set personal_number = null where id = $1"), args![id]).await?;
    Ok(())
}

/// Writes another number for life in the place of one that was cancelled, and notes it for those who follow the person.
///
/// # Errors
/// [`StoreError`]
pub async fn replace_number(tx: &mut Tx, id: PersonId, number: &PersonalNumber) -> Result<(), StoreError> {
    tx.run(sql!("update person set personal_number = $1 where id = $2"), args![number.as_str(), id]).await?;
    note_change(tx, id, &BTreeSet::from(["personal_number"]), None).await
}

/// Lets an office that has a case of a person read the person, until [`close_to`] says otherwise.
///
/// # Errors
/// [`StoreError`]
pub async fn open_to(
    tx: &mut Tx,
    id: PersonId,
    office: &OfficeCode,
    case: ApplicationId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into person_reader (person_id, office, since, application_id) values ($1, $2, $3, $4)
         on conflict (person_id, office) do nothing"
    );
    if tx.run(sql, args![id, office, at, case]).await? == 1 {
        return tx.seal(&PERSON_READER, (id, office)).await;
    }
    let sql = sql!(
        "update person_reader set since = $1, application_id = $2, until = null where person_id = $3 and office = $4"
    );
    tx.change(&PERSON_READER, (id, office), sql, args![at, case, id, office]).await?;
    Ok(())
}

/// Ends at a moment the right that a case gave: the case is closed.
///
/// # Errors
/// [`StoreError`]
pub async fn close_to(tx: &mut Tx, case: ApplicationId, until: OffsetDateTime) -> Result<(), StoreError> {
    let found = sql!(
        "select person_id, office, since, application_id, until, version, mac from person_reader
         where application_id = $1"
    );
    let sql = sql!("update person_reader set until = $3 where person_id = $1 and office = $2");
    tx.change_found(&PERSON_READER, (found, args![case]), sql, args![until]).await
}

/// The right of an office to read a person, and the case that gives it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened(pub Option<ApplicationId>);

/// Returns what a right to read a person gives at this moment; `None` if it is over.
fn case_of(right: &Record, now: OffsetDateTime) -> Result<Option<Opened>, StoreError> {
    let until: Option<OffsetDateTime> = right.get("until")?;
    if until.is_some_and(|until| until <= now) {
        return Ok(None);
    }
    Ok(Some(Opened(Id::of_optional(right, "application_id")?)))
}

/// Returns how many claims of an officer in a row were wrong, and when the last one was, kept from other writers.
pub(super) async fn claims_locked(
    tx: &mut Tx,
    officer: OfficerId,
    now: OffsetDateTime,
) -> Result<(u32, OffsetDateTime), StoreError> {
    let sql = sql!(
        "insert into reading_claim (officer_id, failures, last_at) values ($1, 0, $2)
         on conflict (officer_id) do nothing"
    );
    tx.run(sql, args![officer, now]).await?;
    let sql = sql!("select officer_id as id, failures, last_at from reading_claim where officer_id = $1");
    let row = tx.one_locked(sql, args![officer]).await?;
    row.map_or(Ok((0, now)), |row| Ok((row.number("failures")?, row.get("last_at")?)))
}

/// Notes so many claims in a row.
pub(super) async fn count_claim(
    tx: &mut Tx,
    officer: OfficerId,
    failures: u32,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!("update reading_claim set failures = $1, last_at = $2 where officer_id = $3");
    tx.run(sql, args![failures, now, officer]).await?;
    Ok(())
}

/// Takes back one claim that was counted.
pub(super) async fn uncount_claim(tx: &mut Tx, officer: OfficerId) -> Result<(), StoreError> {
    let sql = sql!("update reading_claim set failures = failures - 1 where officer_id = $1 and failures > 0");
    tx.run(sql, args![officer]).await?;
    Ok(())
}

pub(super) fn read(row: &Record) -> Result<Registered, StoreError> {
    Ok(Registered {
        id: Id::of(row, "id")?,
        office: row.parsed("office")?,
        personal_number: row.parsed_optional("personal_number")?,
        person: row.json("record")?,
        findings: row.json("findings")?,
        merged_into: None,
    })
}
