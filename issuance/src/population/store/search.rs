//! SQL of the search.

use std::collections::BTreeMap;

use crypto::identity::PersonalNumber;

use super::super::model::{Person, Registered};
use super::super::names::Indexed;
use crate::ground::Id;
use crate::ground::ids::PersonId;
use crate::store::{Argument, Db, Record, StoreError, Tx};
use crate::{args, sql};

/// What persons must have beside the name by which they are sought; an empty text and the whole range ask for nothing.
#[derive(Clone, Debug)]
pub(in crate::population) struct Filter {
    /// The office that registered them; empty for every one.
    pub office: String,
    /// First and last day of birth, as [`super::super::names::born`] writes it.
    pub born: (i64, i64),
    /// Folded name of the father.
    pub father: String,
    /// Folded name of the mother.
    pub mother: String,
    /// Province, district and commune of permanent residence: of each the codes that stand for it, with spaces between.
    pub residence: [String; 3],
    /// So many at most.
    pub most: i64,
}

/// Returns persons with this folded name, by day of birth.
pub(in crate::population) async fn named(
    tx: &mut Tx,
    fold: &str,
    filter: &Filter,
) -> Result<Vec<Registered>, StoreError> {
    let Filter { office, born: (from, to), father, mother, residence: [province, district, commune], most } = filter;
    let rows = if office.is_empty() {
        let sql = sql!(
            "select id, office, personal_number, record, findings from person
             where fold = $1 and born >= $2 and born <= $3
                   and ($4 = '' or father_fold = $4) and ($5 = '' or mother_fold = $5)
                   and ($6 = '' or $6 like '%' || residence_province || '%') and ($7 = '' or $7 like '%' || residence_district || '%')
                   and ($8 = '' or $8 like '%' || residence_commune || '%')
             order by fold, born limit $9"
        );
        tx.all(sql, args![fold, *from, *to, father, mother, province, district, commune, *most]).await?
    } else {
        let sql = sql!(
            "select id, office, personal_number, record, findings from person
             where office = $1 and fold = $2 and born >= $3 and born <= $4
                   and ($5 = '' or father_fold = $5) and ($6 = '' or mother_fold = $6)
                   and ($7 = '' or $7 like '%' || residence_province || '%') and ($8 = '' or $8 like '%' || residence_district || '%')
                   and ($9 = '' or $9 like '%' || residence_commune || '%')
             order by office, fold, born limit $10"
        );
        tx.all(sql, args![office, fold, *from, *to, father, mother, province, district, commune, *most]).await?
    };
    rows.iter().map(super::read).collect()
}

/// Returns persons whose folded name begins like this, by name.
pub(in crate::population) async fn beginning(
    tx: &mut Tx,
    fold: &str,
    filter: &Filter,
) -> Result<Vec<Registered>, StoreError> {
    let Filter { office, born: (from, to), father, mother, residence: [province, district, commune], most } = filter;
    let end = format!("{fold}\u{10ffff}");
    let rows = if office.is_empty() {
        let sql = sql!(
            "select id, office, personal_number, record, findings from person
             where fold >= $1 and fold < $2 and born >= $3 and born <= $4
                   and ($5 = '' or father_fold = $5) and ($6 = '' or mother_fold = $6)
                   and ($7 = '' or $7 like '%' || residence_province || '%') and ($8 = '' or $8 like '%' || residence_district || '%')
                   and ($9 = '' or $9 like '%' || residence_commune || '%')
             order by fold, born limit $10"
        );
        tx.all(sql, args![fold, end, *from, *to, father, mother, province, district, commune, *most]).await?
    } else {
        let sql = sql!(
            "select id, office, personal_number, record, findings from person
             where office = $1 and fold >= $2 and fold < $3 and born >= $4 and born <= $5
                   and ($6 = '' or father_fold = $6) and ($7 = '' or mother_fold = $7)
                   and ($8 = '' or $8 like '%' || residence_province || '%') and ($9 = '' or $9 like '%' || residence_district || '%')
                   and ($10 = '' or $10 like '%' || residence_commune || '%')
             order by office, fold, born limit $11"
        );
        tx.all(sql, args![office, fold, end, *from, *to, father, mother, province, district, commune, *most]).await?
    };
    rows.iter().map(super::read).collect()
}

/// Returns persons by the name of a parent, by the mother's if the filter has one; by day of birth.
pub(in crate::population) async fn of_parents(tx: &mut Tx, filter: &Filter) -> Result<Vec<Registered>, StoreError> {
    let Filter { office, born: (from, to), father, mother, residence: [province, district, commune], most } = filter;
    let rows = if mother.is_empty() {
        let sql = sql!(
            "select id, office, personal_number, record, findings from person
             where father_fold = $1 and born >= $2 and born <= $3 and ($4 = '' or office = $4)
                   and ($5 = '' or $5 like '%' || residence_province || '%') and ($6 = '' or $6 like '%' || residence_district || '%')
                   and ($7 = '' or $7 like '%' || residence_commune || '%')
             order by father_fold, born limit $8"
        );
        tx.all(sql, args![father, *from, *to, office, province, district, commune, *most]).await?
    } else {
        let sql = sql!(
            "select id, office, personal_number, record, findings from person
             where mother_fold = $1 and born >= $2 and born <= $3 and ($4 = '' or office = $4)
                   and ($5 = '' or father_fold = $5) and ($6 = '' or $6 like '%' || residence_province || '%')
                   and ($7 = '' or $7 like '%' || residence_district || '%') and ($8 = '' or $8 like '%' || residence_commune || '%')
             order by mother_fold, born limit $9"
        );
        tx.all(sql, args![mother, *from, *to, office, father, province, district, commune, *most]).await?
    };
    rows.iter().map(super::read).collect()
}

/// Returns persons who live in a commune, by day of birth.
pub(in crate::population) async fn of_commune(tx: &mut Tx, filter: &Filter) -> Result<Vec<Registered>, StoreError> {
    let Filter { office, born: (from, to), residence: [province, district, communes], most, .. } = filter;
    let sql = sql!(
        "select id, office, personal_number, record, findings from person
         where residence_commune = $1 and born >= $2 and born <= $3 and ($4 = '' or office = $4)
               and ($5 = '' or $5 like '%' || residence_province || '%') and ($6 = '' or $6 like '%' || residence_district || '%')
         order by residence_commune, born limit $7"
    );
    let mut all = vec![];
    for commune in communes.split(' ') {
        let rows = tx.all(sql, args![commune, *from, *to, office, province, district, *most]).await?;
        all.extend(rows.iter().map(super::read).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(all)
}

/// Returns the person with this id. The caller records whom it tells of.
pub(in crate::population) async fn by_id(tx: &mut Tx, id: PersonId) -> Result<Vec<Registered>, StoreError> {
    let sql = sql!("select id, office, personal_number, record, findings from person where id = $1");
    tx.all(sql, args![id]).await?.iter().map(super::read).collect()
}

/// Returns persons of every office with this folded name who were born in this year and whose record is in force, to be
/// compared: the caller records whom it tells of.
///
/// # Errors
/// [`StoreError`]
pub async fn namesakes(tx: &mut Tx, folded: &str, year: u16) -> Result<Vec<Registered>, StoreError> {
    let of_year = i64::from(year) * 10_000;
    let sql = sql!(
        "select id, office, personal_number, record, findings from person
         where fold = $1 and born >= $2 and born <= $3
         and not exists (select person_id from merged_person m where m.person_id = person.id)
         order by fold, born limit 1000"
    );
    tx.all(sql, args![folded, of_year, of_year + 9_999]).await?.iter().map(super::read).collect()
}

/// Returns the person with this number for life. One who had it before it was cancelled has it no more. The caller
/// records whom it tells of.
///
/// # Errors
/// [`StoreError`]
pub async fn by_number(tx: &mut Tx, number: &PersonalNumber) -> Result<Vec<Registered>, StoreError> {
    let sql = sql!("select id, office, personal_number, record, findings from person where personal_number = $1");
    tx.all(sql, args![number.as_str()]).await?.iter().map(super::read).collect()
}

/// Whom a number names, or the record that stands in where no person has it.
pub enum Named {
    /// The person who has the number, and no other has.
    Person(Registered),
    /// None: what stood in, read as a row in the same statement, so that the answer no takes as long as the answer yes.
    StandIn(Person),
}

/// As [`by_number`]; `stand_in`, a record of no person as a row holds it, comes from the same statement where none is
/// found.
///
/// # Errors
/// [`StoreError`]
pub async fn by_number_or(tx: &mut Tx, number: &PersonalNumber, stand_in: &str) -> Result<Named, StoreError> {
    let sql = sql!(
        pg "with named as (
              select id, office, personal_number, record, findings, false as stands_in from person
              where personal_number = $1
              union all
              select '00000000-0000-0000-0000-000000000000'::uuid, 'national', null, $2::text::json, '[]'::jsonb, true
              where not exists (select id from person where personal_number = $1))
            select id, office, personal_number, record, findings, stands_in from named",
        lite "with named as (
                select id, office, personal_number, record, findings, 0 as stands_in from person
                where personal_number = $1
                union all
                select '00000000-0000-0000-0000-000000000000', 'national', null, $2, '[]', 1
                where not exists (select id from person where personal_number = $1))
              select id, office, personal_number, record, findings, stands_in from named",
    );
    named_by(&tx.all(sql, args![number.as_str(), stand_in]).await?)
}

/// As [`by_number_or`], for the number of an old card. Where the papers give one number to two
/// persons it names neither.
///
/// # Errors
/// [`StoreError`]
pub async fn by_old_number_or(tx: &mut Tx, number: &str, stand_in: &str) -> Result<Named, StoreError> {
    let sql = sql!(
        pg "with had as (
              select id, office, personal_number, record, findings from person
              where old_id_number = $1 order by id limit 2),
            named as (
              select id, office, personal_number, record, findings, false as stands_in from had
              union all
              select '00000000-0000-0000-0000-000000000000'::uuid, 'national', null, $2::text::json, '[]'::jsonb, true
              where (select count(*) from had) <> 1)
            select id, office, personal_number, record, findings, stands_in from named order by stands_in",
        lite "with had as (
                select id, office, personal_number, record, findings from person
                where old_id_number = $1 order by id limit 2),
              named as (
                select id, office, personal_number, record, findings, 0 as stands_in from had
                union all
                select '00000000-0000-0000-0000-000000000000', 'national', null, $2, '[]', 1
                where (select count(*) from had) <> 1)
              select id, office, personal_number, record, findings, stands_in from named order by stands_in",
    );
    named_by(&tx.all(sql, args![number, stand_in]).await?)
}

fn named_by(rows: &[Record]) -> Result<Named, StoreError> {
    let last = rows.last().ok_or_else(|| StoreError::inconsistent("person", "personal_number", "no row"))?;
    let registered = super::read(last)?;
    Ok(if last.get("stands_in")? { Named::StandIn(registered.person) } else { Named::Person(registered) })
}

/// Returns the persons with these numbers, each under its number. The caller records whom it tells of.
///
/// # Errors
/// [`StoreError`]
pub async fn by_numbers(tx: &mut Tx, numbers: Vec<String>) -> Result<BTreeMap<String, Registered>, StoreError> {
    let sql = sql!(
        pg "select id, office, personal_number, record, findings from person where personal_number = any($1::text[])",
        lite "select id, office, personal_number, record, findings from person
              where personal_number in (select value from json_each($1))",
    );
    let rows = tx.all(sql, args![Argument::Texts(numbers)]).await?;
    rows.iter().map(|row| Ok((row.get("personal_number")?, super::read(row)?))).collect()
}

/// As [`by_number_or`], of several numbers at once: what is found of each, in their order. One row comes of each, of a
/// person or of the one who stands in, so that the one costs what the other does.
///
/// The list stands in a select of its own, where the planner does not count it: one plan serves
/// all lengths, and is kept.
///
/// # Errors
/// [`StoreError`]
pub async fn by_numbers_or(tx: &mut Tx, numbers: Vec<String>, stand_in: &str) -> Result<Vec<Named>, StoreError> {
    let count = numbers.len();
    let sql = sql!(
        pg "select coalesce(p.id, '00000000-0000-0000-0000-000000000000'::uuid) as id,
                   coalesce(p.office, 'national') as office, p.personal_number,
                   coalesce(p.record, $2::text::json) as record, coalesce(p.findings, '[]'::jsonb) as findings,
                   p.id is null as stands_in
            from unnest((select $1::text[])) with ordinality as asked (number, place)
            left join lateral (select id, office, personal_number, record, findings from person
                               where personal_number = asked.number) p on true
            order by asked.place",
        lite "select coalesce(p.id, '00000000-0000-0000-0000-000000000000') as id,
                     coalesce(p.office, 'national') as office, p.personal_number,
                     coalesce(p.record, $2) as record, coalesce(p.findings, '[]') as findings, p.id is null as stands_in
              from json_each($1) asked left join person p on p.personal_number = asked.value order by asked.key",
    );
    let rows = tx.all(sql, args![Argument::Texts(numbers), stand_in]).await?;
    if rows.len() != count {
        return Err(StoreError::inconsistent("person", "personal_number", "two persons"));
    }
    rows.iter().map(|row| named_by(std::slice::from_ref(row))).collect()
}

/// Returns the persons with these numbers of old cards, under each number all who have it. The caller records whom it
/// tells of.
///
/// # Errors
/// [`StoreError`]
pub async fn by_old_numbers(
    tx: &mut Tx,
    numbers: Vec<String>,
) -> Result<BTreeMap<String, Vec<Registered>>, StoreError> {
    let sql = sql!(
        pg "select id, office, personal_number, record, findings, old_id_number from person
            where old_id_number = any($1::text[])",
        lite "select id, office, personal_number, record, findings, old_id_number from person
              where old_id_number in (select value from json_each($1))",
    );
    let mut found = BTreeMap::<String, Vec<Registered>>::new();
    for row in tx.all(sql, args![Argument::Texts(numbers)]).await? {
        found.entry(row.get("old_id_number")?).or_default().push(super::read(&row)?);
    }
    Ok(found)
}

/// Returns the persons with this number of an old card; more than one is a fault of the papers. The caller records
/// whom it tells of.
///
/// # Errors
/// [`StoreError`]
pub async fn by_old_number(tx: &mut Tx, number: &str, most: i64) -> Result<Vec<Registered>, StoreError> {
    let sql = sql!(
        "select id, office, personal_number, record, findings from person where old_id_number = $1
         order by id limit $2"
    );
    tx.all(sql, args![number, most]).await?.iter().map(super::read).collect()
}

/// Writes by what a person is found.
pub(in crate::population) async fn index(tx: &mut Tx, id: PersonId, person: &Person) -> Result<(), StoreError> {
    super::names::index(tx, id, &Indexed::of(person)).await
}

/// Writes by what persons are found whom a version before the search registered; in steps, so that it can be cut.
///
/// # Errors
/// [`StoreError`]
pub async fn index_persons_of_before(db: &Db) -> Result<(), StoreError> {
    loop {
        let mut tx = db.begin_upkeep().await?;
        let rows = tx.all(sql!("select id, record from person where born is null limit 500"), args![]).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            match row.json::<Person>("record") {
                Ok(person) => index(&mut tx, Id::of(row, "id")?, &person).await?,
                // A record that cannot be read is found by its id and its number alone.
                Err(StoreError::Inconsistent { .. }) => {
                    let id: PersonId = Id::of(row, "id")?;
                    tx.run(sql!("update person set fold = '', born = 0 where id = $1"), args![id]).await?;
                }
                Err(error) => return Err(error),
            }
        }
        tx.commit().await?;
    }
}
