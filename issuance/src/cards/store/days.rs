//! SQL of how many cards were made at an office on a day. Written by triggers of `card`; it decides nothing, and
//! carries no MAC (ADR 0021).

use time::Date;

use crate::ground::OfficeCode;
use crate::store::{Record, StoreError, Tx};
use crate::{args, sql};

/// Returns how many cards were made on each day from this one on, by office and day; of one office, or of all.
///
/// # Errors
/// [`StoreError`]
pub async fn made(
    tx: &mut Tx,
    office: Option<&OfficeCode>,
    from: Date,
) -> Result<Vec<(String, Date, u64)>, StoreError> {
    let rows = match office {
        Some(office) => {
            let sql = sql!(
                "select office, day, cast(sum(n) as bigint) as n from card_day_tally where day >= $1 and office = $2
                 group by office, day having sum(n) > 0 order by office, day"
            );
            tx.all(sql, args![from, office]).await?
        }
        None => {
            let sql = sql!(
                "select office, day, cast(sum(n) as bigint) as n from card_day_tally where day >= $1
                 group by office, day having sum(n) > 0 order by office, day"
            );
            tx.all(sql, args![from]).await?
        }
    };
    rows.iter().map(|row| Ok((row.get("office")?, row.get("day")?, row.number("n")?))).collect()
}

/// Counts cards again by office and day, and returns where the tally says otherwise: office and day in one word,
/// what it says, what there is.
///
/// # Errors
/// [`StoreError`]
pub async fn miscounted(tx: &mut Tx) -> Result<Vec<(String, i64, i64)>, StoreError> {
    let sql = sql!(
        "select office, day, cast(sum(said) as bigint) as said, cast(sum(counted) as bigint) as counted
         from (select office, day, n as said, 0 as counted from card_day_tally
               union all
               select office, issued as day, 0 as said, count(*) as counted from card group by office, issued) both_ways
         group by office, day having sum(said) <> sum(counted) order by office, day"
    );
    let read = |row: &Record| {
        let name = format!("{} {}", row.get::<String>("office")?, row.get::<Date>("day")?);
        Ok((name, row.get("said")?, row.get("counted")?))
    };
    tx.all(sql, args![]).await?.iter().map(read).collect()
}

/// Adds up the cards of a day: one row for each card becomes one row for each office. Beside other writers nothing is
/// lost or counted twice, since only rows that it deletes are added up.
///
/// # Errors
/// [`StoreError`]
pub async fn add_up(tx: &mut Tx, day: Date) -> Result<(), StoreError> {
    let sql = sql!("delete from card_day_tally where day = $1 returning office as state, n");
    let rows = tx.all(sql, args![day]).await?;
    for (office, n) in crate::store::sums(&rows)? {
        let sql = sql!("insert into card_day_tally (office, day, n) values ($1, $2, $3)");
        tx.run(sql, args![office, day, n]).await?;
    }
    Ok(())
}
