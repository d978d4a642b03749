//! SQL of what is counted of applications by office, stage and due day. Written by triggers of `application`; it
//! decides nothing, and carries no MAC (ADR 0021).

use std::collections::BTreeMap;

use time::{Date, Duration};

use crate::ground::OfficeCode;
use crate::store::{Record, StoreError, Tx};
use crate::{args, sql};

/// How many applications that wait at an office are how late, or how far from their due day.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ages {
    /// Late by more than [`LONG`] days.
    pub long_late: u64,
    /// Late.
    pub late: u64,
    /// Due today.
    pub today: u64,
    /// Due within [`SOON`] days.
    pub soon: u64,
    /// Due later.
    pub later: u64,
}

/// More than so many days are a long time to be late.
pub const LONG: i64 = 10;
/// So many days are soon.
pub const SOON: i64 = 5;

impl Ages {
    /// How many there are.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.overdue() + self.today + self.soon + self.later
    }

    /// How many are late.
    #[must_use]
    pub const fn overdue(&self) -> u64 {
        self.long_late + self.late
    }

    /// Adds those of another office.
    pub fn add(&mut self, other: Self) {
        self.long_late += other.long_late;
        self.late += other.late;
        self.today += other.today;
        self.soon += other.soon;
        self.later += other.later;
    }
}

/// Returns how many applications an office opened are at each stage; without an office, of all offices.
///
/// # Errors
/// [`StoreError`]
pub async fn by_stage(tx: &mut Tx, office: Option<&OfficeCode>) -> Result<Vec<(String, String, u64)>, StoreError> {
    let rows = match office {
        Some(office) => {
            let sql = sql!(
                "select office, state, cast(sum(n) as bigint) as n from dossier_tally where office = $1
                 group by office, state having sum(n) > 0 order by office, state"
            );
            tx.all(sql, args![office]).await?
        }
        None => {
            let sql = sql!(
                "select office, state, cast(sum(n) as bigint) as n from dossier_tally
                 group by office, state having sum(n) > 0 order by office, state"
            );
            tx.all(sql, args![]).await?
        }
    };
    rows.iter().map(|row| Ok((row.get("office")?, row.get("state")?, row.number("n")?))).collect()
}

/// Returns how late what an office has is; without an office, of all offices.
///
/// # Errors
/// [`StoreError`]
pub async fn by_age(tx: &mut Tx, office: Option<&OfficeCode>, today: Date) -> Result<Vec<(String, Ages)>, StoreError> {
    let (long, soon) = (today - Duration::days(LONG), today + Duration::days(SOON));
    let rows = match office {
        Some(office) => {
            let sql = sql!(
                "select owner_office as office,
                        cast(sum(case when due_on < $1 then n else 0 end) as bigint) as long_late,
                        cast(sum(case when due_on >= $1 and due_on < $2 then n else 0 end) as bigint) as late,
                        cast(sum(case when due_on = $2 then n else 0 end) as bigint) as today,
                        cast(sum(case when due_on > $2 and due_on <= $3 then n else 0 end) as bigint) as soon,
                        cast(sum(case when due_on > $3 then n else 0 end) as bigint) as later
                 from dossier_tally where owner_office = $4 and due_on is not null group by owner_office"
            );
            tx.all(sql, args![long, today, soon, office]).await?
        }
        None => {
            let sql = sql!(
                "select owner_office as office,
                        cast(sum(case when due_on < $1 then n else 0 end) as bigint) as long_late,
                        cast(sum(case when due_on >= $1 and due_on < $2 then n else 0 end) as bigint) as late,
                        cast(sum(case when due_on = $2 then n else 0 end) as bigint) as today,
                        cast(sum(case when due_on > $2 and due_on <= $3 then n else 0 end) as bigint) as soon,
                        cast(sum(case when due_on > $3 then n else 0 end) as bigint) as later
                 from dossier_tally where owner_office is not null and due_on is not null group by owner_office
                 order by owner_office"
            );
            tx.all(sql, args![long, today, soon]).await?
        }
    };
    // A count that another hand wrote may be below zero: it is shown as none, and `issuance verify` names it.
    let number = |row: &Record, column: &str| Ok::<_, StoreError>(u64::try_from(row.get::<i64>(column)?).unwrap_or(0));
    let read = |row: &Record| {
        let ages = Ages {
            long_late: number(row, "long_late")?,
            late: number(row, "late")?,
            today: number(row, "today")?,
            soon: number(row, "soon")?,
            later: number(row, "later")?,
        };
        Ok((row.get("office")?, ages))
    };
    rows.iter().map(read).collect()
}

/// Counts applications again by office, stage and due day, and returns where the tally says otherwise: office, office
/// that has it, stage and day in one word; what it says; what there is.
///
/// # Errors
/// [`StoreError`]
pub async fn miscounted(tx: &mut Tx) -> Result<Vec<(String, i64, i64)>, StoreError> {
    let sql = sql!(
        "select office, owner_office, state, due_on, cast(sum(said) as bigint) as said,
                cast(sum(counted) as bigint) as counted
         from (select office, owner_office, state, due_on, n as said, 0 as counted from dossier_tally
               union all
               select office, owner_office, stage as state, due_on, 0 as said, count(*) as counted from application
               group by office, owner_office, stage, due_on) both_ways
         group by office, owner_office, state, due_on having sum(said) <> sum(counted)
         order by office, owner_office, state, due_on"
    );
    let read = |row: &Record| {
        let key = Key::of(row)?;
        let day = key.due_on.map_or_else(|| "-".to_owned(), |day| day.to_string());
        let name = format!("{} {} {} {day}", key.office, key.owner_office.as_deref().unwrap_or("-"), key.state);
        Ok((name, row.get("said")?, row.get("counted")?))
    };
    tx.all(sql, args![]).await?.iter().map(read).collect()
}

/// What is counted together.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    office: String,
    owner_office: Option<String>,
    state: String,
    due_on: Option<Date>,
}

impl Key {
    fn of(row: &Record) -> Result<Self, StoreError> {
        Ok(Self {
            office: row.get("office")?,
            owner_office: row.get("owner_office")?,
            state: row.get("state")?,
            due_on: row.get("due_on")?,
        })
    }
}

/// Adds up what is counted of the next offices after this one: one row for each change becomes one row for each office,
/// stage and due day. Beside other writers nothing is lost or counted twice, since only rows that it deletes are added
/// up. Returns the last of those offices; `None` after the last one of all.
///
/// # Errors
/// [`StoreError`]
pub async fn add_up(tx: &mut Tx, after: &str) -> Result<Option<String>, StoreError> {
    let sql = sql!(
        "select office, count(*) as n from dossier_tally where office > $1 group by office order by office limit $2"
    );
    let offices = tx.all(sql, args![after, OFFICES]).await?;
    let Some(last) = offices.last() else { return Ok(None) };
    let last: String = last.get("office")?;
    let sql = sql!(
        "delete from dossier_tally where office > $1 and office <= $2 returning office, owner_office, state, due_on, n"
    );
    let mut sums: BTreeMap<Key, i64> = BTreeMap::new();
    for row in tx.all(sql, args![after, &last]).await? {
        *sums.entry(Key::of(&row)?).or_default() += row.get::<i64>("n")?;
    }
    for (Key { office, owner_office, state, due_on }, n) in sums {
        if n != 0 {
            let sql =
                sql!("insert into dossier_tally (office, owner_office, state, due_on, n) values ($1, $2, $3, $4, $5)");
            tx.run(sql, args![office, owner_office, state, due_on, n]).await?;
        }
    }
    Ok(Some(last))
}

/// So many offices are added up in a transaction, so that no other waits for long.
const OFFICES: i64 = 8;
