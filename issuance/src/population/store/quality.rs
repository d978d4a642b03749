//! SQL of the four figures.

use time::Date;

use super::super::model::{Finding, Person};
use super::super::quality::{DEAD, Deltas, Figures, Mark, Within, months};
use super::super::reference::Reference;
use crate::ground::Id;
use crate::ground::ids::PersonId;
use crate::store::{Db, Record, Sql, StoreError, Tx};
use crate::{args, sql};

/// Adds rows to the tallies. Returns how many.
pub(in crate::population) async fn count(tx: &mut Tx, deltas: &Deltas) -> Result<usize, StoreError> {
    let sql = sql!(
        "insert into quality_tally (commune, month, persons, right_n, enough_n, clean_n, all_n)
         values ($1, $2, $3, $4, $5, $6, $7)"
    );
    let row = |(commune, month, [persons, right, enough, clean, all]): (&str, i64, [i64; 5])| {
        args![commune, month, persons, right, enough, clean, all]
    };
    let of_persons: Vec<_> = deltas.cells().map(row).collect();
    tx.insert_all(sql, &of_persons).await?;
    let sql = sql!("insert into entry_tally (commune, day, entered, quarantined) values ($1, $2, $3, $4)");
    let row =
        |(commune, day, [entered, quarantined]): (&str, Date, [i64; 2])| args![commune, day, entered, quarantined];
    let of_days: Vec<_> = deltas.entries().map(row).collect();
    tx.insert_all(sql, &of_days).await?;
    Ok(of_persons.len() + of_days.len())
}

/// Counts a person who enters the register on a day.
///
/// # Errors
/// [`StoreError`]
pub async fn enter(tx: &mut Tx, id: PersonId, mark: &Mark, day: Date) -> Result<(), StoreError> {
    put(tx, id, mark).await?;
    let mut deltas = Deltas::default();
    deltas.enter(mark, day);
    count(tx, &deltas).await?;
    Ok(())
}

/// Counts a person as what the mark says, and no more as what the person was counted as before.
///
/// # Errors
/// [`StoreError`]
pub async fn put(tx: &mut Tx, id: PersonId, mark: &Mark) -> Result<(), StoreError> {
    let mut deltas = Deltas::default();
    if let Some(before) = mark_of(tx, id).await? {
        if before == *mark {
            return Ok(());
        }
        deltas.take(&before);
    }
    deltas.add(mark);
    let sql = sql!("update person set quality_commune = $1, quality_month = $2, quality_words = $3 where id = $4");
    tx.run(sql, args![&mark.commune, mark.month, mark.words, id]).await?;
    count(tx, &deltas).await?;
    Ok(())
}

/// Returns what a person is counted as, kept from other writers: of two who count a person anew the second one takes
/// back what the first one counted. `None` if the person was not counted yet.
async fn mark_of(tx: &mut Tx, id: PersonId) -> Result<Option<Mark>, StoreError> {
    let sql = sql!("select id, quality_commune, quality_month, quality_words from person where id = $1");
    let row = tx.one_locked(sql, args![id]).await?;
    row.map(|row| mark(&row)).transpose().map(Option::flatten)
}

/// Reads what a person is counted as.
pub(super) fn mark(row: &Record) -> Result<Option<Mark>, StoreError> {
    let commune: Option<String> = row.get("quality_commune")?;
    let (month, words): (Option<i64>, Option<i64>) = (row.get("quality_month")?, row.get("quality_words")?);
    let all = commune.zip(month).zip(words);
    Ok(all.map(|((commune, month), words)| Mark { commune, month, words }))
}

/// Returns the sums of each place within another; living are those that were confirmed after the month.
pub(in crate::population) async fn sums(tx: &mut Tx, within: &Within, after: i64) -> Result<Vec<Figures>, StoreError> {
    let sql = sql!(
        "select commune, cast(sum(persons) as bigint) as persons, cast(sum(right_n) as bigint) as right_n,
                cast(sum(enough_n) as bigint) as enough_n, cast(sum(clean_n) as bigint) as clean_n,
                cast(sum(all_n) as bigint) as all_n,
                cast(sum(case when month > $1 then persons else 0 end) as bigint) as living
         from quality_tally where commune >= $2 and commune < $3
         group by commune having sum(persons) > 0 order by commune"
    );
    let (from, to) = within.range();
    let rows = tx.all(sql, args![after, from, to]).await?;
    let figures = |row: &Record| {
        Ok(Figures {
            place: row.get("commune")?,
            name: None,
            persons: row.get("persons")?,
            right: row.get("right_n")?,
            enough: row.get("enough_n")?,
            clean: row.get("clean_n")?,
            living: row.get("living")?,
            verified: row.get("all_n")?,
        })
    };
    rows.iter().map(figures).collect()
}

/// A person with what the person is counted as.
pub(in crate::population) struct Marked {
    /// Identifier.
    pub id: PersonId,
    /// As kept.
    pub mark: Mark,
    /// True for a record that was merged into another one.
    pub merged: bool,
    /// The record and its findings; `None` where they cannot be read.
    pub person: Option<(Person, Vec<Finding>)>,
}

/// Returns a page of persons who are counted, by id.
pub(in crate::population) async fn marked(tx: &mut Tx, after: PersonId) -> Result<Vec<Marked>, StoreError> {
    let sql = sql!(
        "select p.id, p.record, p.findings, p.quality_commune, p.quality_month, p.quality_words, m.survivor_id
         from person p left join merged_person m on m.person_id = p.id
         where p.id > $1 and p.quality_commune is not null order by p.id limit 500"
    );
    let rows = tx.all(sql, args![after]).await?;
    let one = |row: &Record| {
        let person = row.json::<Person>("record").ok().zip(row.json("findings").ok());
        let mark = mark(row)?.ok_or_else(|| row.inconsistent("quality_month"))?;
        let merged = Id::<crate::ground::ids::of::Person>::of_optional(row, "survivor_id")?.is_some();
        Ok(Marked { id: Id::of(row, "id")?, mark, merged, person })
    };
    rows.iter().map(one).collect()
}

/// Returns the places and months of which the tally and the persons' marks differ: in one statement, so that what is
/// written meanwhile is seen on both sides or on neither.
pub(in crate::population) async fn differences(tx: &mut Tx) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = sql!(
        "select commune, month from (
             select quality_commune as commune, quality_month as month, 1 as persons, quality_words % 2 as right_n,
                    quality_words / 2 % 2 as enough_n, quality_words / 4 % 2 as clean_n,
                    case when quality_words = 7 then 1 else 0 end as all_n
             from person where quality_words < $1
             union all
             select commune, month, -persons, -right_n, -enough_n, -clean_n, -all_n from quality_tally
         ) as told
         group by commune, month
         having sum(persons) <> 0 or sum(right_n) <> 0 or sum(enough_n) <> 0 or sum(clean_n) <> 0 or sum(all_n) <> 0
         order by commune, month limit 1000"
    );
    let rows = tx.all(sql, args![DEAD]).await?;
    rows.iter().map(|row| Ok((row.get("commune")?, row.get("month")?))).collect()
}

/// Counts persons who are not counted yet: those of a version before this one; in steps.
pub(in crate::population) async fn count_persons_of_before(db: &Db, reference: &Reference) -> Result<(), StoreError> {
    loop {
        let mut tx = db.begin_upkeep().await?;
        // Locked, and what another process counted meanwhile is passed over: two that start at once count no person
        // twice.
        let sql = sql!(
            pg "select id, record, findings, declared_at from person where quality_commune is null order by id limit 500
                for no key update",
            lite "select id, record, findings, declared_at from person where quality_commune is null order by id limit 500",
        );
        let rows = tx.all(sql, args![]).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            let declared: time::OffsetDateTime = row.get("declared_at")?;
            let day: Date = declared.date();
            let mark = match (row.json::<Person>("record"), row.json::<Vec<Finding>>("findings")) {
                (Ok(person), Ok(findings)) => Mark::of(&person, &findings, reference, day),
                // A record that cannot be read counts nowhere.
                _ => Mark { commune: String::new(), month: months(day), words: DEAD },
            };
            enter(&mut tx, Id::of(row, "id")?, &mark, day).await?;
        }
        tx.commit().await?;
    }
}

/// A table to which changes add rows, until they are added up.
pub(in crate::population) struct Tally {
    /// Returns the last row, how many rows there are, and how many places with a month or a day.
    size: Sql,
    /// Takes the first rows away, up to one.
    take: Sql,
    /// Adds a row that was taken away.
    merge: fn(&mut Deltas, &Record) -> Result<(), StoreError>,
}

/// The tallies: persons by place and month, entries by place and day.
pub(in crate::population) const TALLIES: [Tally; 2] = [
    Tally {
        size: sql!(
            "select id, (select count(*) from quality_tally) as n,
                    (select count(*) from (select commune from quality_tally group by commune, month) as cells) as cells
             from quality_tally order by id desc limit 1"
        ),
        take: sql!(
            "delete from quality_tally where id in (select id from quality_tally where id <= $1 order by id limit $2)
             returning commune, month, persons, right_n, enough_n, clean_n, all_n"
        ),
        merge: |deltas, row| {
            let (persons, right, enough) = (row.get("persons")?, row.get("right_n")?, row.get("enough_n")?);
            let (clean, all) = (row.get("clean_n")?, row.get("all_n")?);
            deltas.merge(&row.get::<String>("commune")?, row.get("month")?, [persons, right, enough, clean, all]);
            Ok(())
        },
    },
    Tally {
        size: sql!(
            "select id, (select count(*) from entry_tally) as n,
                    (select count(*) from (select commune from entry_tally group by commune, day) as cells) as cells
             from entry_tally order by id desc limit 1"
        ),
        take: sql!(
            "delete from entry_tally where id in (select id from entry_tally where id <= $1 order by id limit $2)
             returning commune, day, entered, quarantined"
        ),
        merge: |deltas, row| {
            let counts = [row.get("entered")?, row.get("quarantined")?];
            deltas.merge_entry(&row.get::<String>("commune")?, row.get("day")?, counts);
            Ok(())
        },
    },
];

/// Returns the last row of a tally if it has far more rows than places and months, or days.
pub(in crate::population) async fn grown(tx: &mut Tx, tally: &Tally) -> Result<Option<i64>, StoreError> {
    let Some(row) = tx.one(tally.size, args![]).await? else { return Ok(None) };
    let (rows, cells): (i64, i64) = (row.get("n")?, row.get("cells")?);
    if rows > 2 * cells + 1000 { row.get("id").map(Some) } else { Ok(None) }
}

/// Adds up the rows up to this one, a piece in each transaction, so that no other writer waits for long.
pub(in crate::population) async fn add_up(db: &Db, tally: &Tally, last: i64) -> Result<(), StoreError> {
    loop {
        let mut tx = db.begin_upkeep().await?;
        let rows = tx.all(tally.take, args![last, PIECE]).await?;
        let mut deltas = Deltas::default();
        for row in &rows {
            (tally.merge)(&mut deltas, row)?;
        }
        count(&mut tx, &deltas).await?;
        tx.commit().await?;
        if i64::try_from(rows.len()).is_ok_and(|rows| rows < PIECE) {
            return Ok(());
        }
    }
}

/// So many rows are added up in a transaction.
const PIECE: i64 = 10_000;
