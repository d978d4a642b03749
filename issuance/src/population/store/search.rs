//! SQL of the search.

use crypto::identity::{PersonalNumber, folded_name};

use super::super::model::{Person, Registered};
use crate::ground::ids::PersonId;
use crate::ground::{Id, OfficeCode};
use crate::store::{Db, Record, StoreError, Tx};
use crate::{args, sql};

/// A range of folded names, in the order of bytes.
#[derive(Clone, Debug)]
pub(in crate::population) struct Names {
    from: String,
    to: String,
}

impl Names {
    /// The one name.
    pub fn one(folded: &str) -> Self {
        // No folded name has a byte below the space.
        Self { from: folded.to_owned(), to: format!("{folded} ") }
    }

    /// All that begin like it.
    pub fn beginning(folded: &str) -> Self {
        Self { from: folded.to_owned(), to: format!("{folded}\u{10ffff}") }
    }
}

/// Returns persons with such a name, of one office or of all, born in one year or in any; by name, then by year.
pub(in crate::population) async fn by_name(
    tx: &mut Tx,
    office: Option<&OfficeCode>,
    names: &Names,
    year: Option<u16>,
    most: i64,
) -> Result<Vec<Registered>, StoreError> {
    // A year of 0 is every year.
    let (from, to, year) = (names.from.as_str(), names.to.as_str(), i64::from(year.unwrap_or(0)));
    let rows = match office {
        Some(office) => {
            let sql = sql!(
                "select id, office, personal_number, record, findings from person
                 where office = $1 and fold >= $2 and fold < $3 and ($4 = 0 or birth_year = $4)
                 order by fold, birth_year, id limit $5"
            );
            tx.all(sql, args![office, from, to, year, most]).await?
        }
        None => {
            let sql = sql!(
                "select id, office, personal_number, record, findings from person
                 where fold >= $1 and fold < $2 and ($3 = 0 or birth_year = $3)
                 order by fold, birth_year, id limit $4"
            );
            tx.all(sql, args![from, to, year, most]).await?
        }
    };
    rows.iter().map(super::read).collect()
}

/// Returns persons of every office with this folded name who were born in this year, to be compared: the caller records
/// whom it tells of.
///
/// # Errors
/// [`StoreError`]
pub async fn namesakes(tx: &mut Tx, folded: &str, year: u16) -> Result<Vec<Registered>, StoreError> {
    by_name(tx, None, &Names::one(folded), Some(year), 1000).await
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

/// Returns the persons with this number of an old card; more than one is a fault of the papers.
pub(in crate::population) async fn by_old_number(
    tx: &mut Tx,
    number: &str,
    most: i64,
) -> Result<Vec<Registered>, StoreError> {
    let sql = sql!(
        "select id, office, personal_number, record, findings from person where old_id_number = $1
         order by id limit $2"
    );
    tx.all(sql, args![number, most]).await?.iter().map(super::read).collect()
}

/// Writes by what a person is found.
pub(in crate::population) async fn index(tx: &mut Tx, id: PersonId, person: &Person) -> Result<(), StoreError> {
    let sql = sql!("update person set fold = $1, birth_year = $2, old_id_number = $3, likeness = $4 where id = $5");
    let FoundBy { fold, birth_year, old_id_number, likeness } = FoundBy::of(person);
    tx.run(sql, args![fold, birth_year, old_id_number, likeness, id]).await?;
    Ok(())
}

/// By what a person is found: columns beside the record, which follow from it.
#[derive(Clone, Eq, PartialEq)]
pub(in crate::population) struct FoundBy {
    fold: String,
    birth_year: u16,
    old_id_number: Option<String>,
    likeness: String,
}

impl FoundBy {
    /// What follows from this record.
    pub(in crate::population) fn of(person: &Person) -> Self {
        Self {
            fold: folded_name(person.full_name.as_str()),
            birth_year: person.birth.year(),
            old_id_number: person.old_id_number.clone(),
            likeness: person.likeness(),
        }
    }

    /// Reads what a row has; `None` where nothing was written yet.
    pub(super) fn read(row: &Record) -> Result<Option<Self>, StoreError> {
        let Some(fold) = row.get("fold")? else { return Ok(None) };
        let birth_year = row.number("birth_year")?;
        Ok(Some(Self { fold, birth_year, old_id_number: row.get("old_id_number")?, likeness: row.get("likeness")? }))
    }

    /// The columns that differ.
    pub(in crate::population) fn differs_from(&self, other: &Self) -> Vec<&'static str> {
        let all = [
            ("fold", self.fold != other.fold),
            ("birth_year", self.birth_year != other.birth_year),
            ("old_id_number", self.old_id_number != other.old_id_number),
            ("likeness", self.likeness != other.likeness),
        ];
        all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// The version of the tables that has all of it.
pub(in crate::population) const SINCE: i64 = 83;

/// Writes by what persons are found whom a version before the search registered; in steps, so that it can be cut.
///
/// # Errors
/// [`StoreError`]
pub async fn index_persons_of_before(db: &Db) -> Result<(), StoreError> {
    loop {
        let mut tx = db.begin_upkeep().await?;
        let rows = tx.all(sql!("select id, record from person where fold is null limit 500"), args![]).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            match row.json::<Person>("record") {
                Ok(person) => index(&mut tx, Id::of(row, "id")?, &person).await?,
                // A record that cannot be read is found by its id and its number alone.
                Err(StoreError::Inconsistent { .. }) => {
                    let id: PersonId = Id::of(row, "id")?;
                    tx.run(sql!("update person set fold = '' where id = $1"), args![id]).await?;
                }
                Err(error) => return Err(error),
            }
        }
        tx.commit().await?;
    }
}
