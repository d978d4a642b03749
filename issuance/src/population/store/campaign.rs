//! SQL of the campaign.

use time::Date;

use super::super::campaign::{Collected, Plan};
use crate::store::{StoreError, Tx};
use crate::{args, sql};

/// Keeps what is expected of a commune.
pub(in crate::population) async fn put_plan(tx: &mut Tx, plan: &Plan) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into campaign_plan (commune, expected, begins, due) values ($1, $2, $3, $4)
         on conflict (commune) do update set expected = excluded.expected, begins = excluded.begins, due = excluded.due"
    );
    tx.run(sql, args![&plan.commune, plan.expected, plan.begins, plan.due]).await?;
    Ok(())
}

/// Keeps how many forms a commune handed in on a day.
pub(in crate::population) async fn put_collected(tx: &mut Tx, one: &Collected) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into campaign_collected (commune, day, forms) values ($1, $2, $3)
         on conflict (commune, day) do update set forms = excluded.forms"
    );
    tx.run(sql, args![&one.commune, one.day, one.forms]).await?;
    Ok(())
}

/// Returns what is expected of the communes.
pub(in crate::population) async fn plans(tx: &mut Tx) -> Result<Vec<Plan>, StoreError> {
    let sql = sql!("select commune, expected, begins, due from campaign_plan order by commune");
    let rows = tx.all(sql, args![]).await?;
    let plan = |row: &crate::store::Record| {
        Ok(Plan {
            commune: row.get("commune")?,
            expected: row.get("expected")?,
            begins: row.get("begins")?,
            due: row.get("due")?,
        })
    };
    rows.iter().map(plan).collect()
}

/// Returns the first day on which any form was handed in.
pub(in crate::population) async fn first_collected(tx: &mut Tx) -> Result<Option<Date>, StoreError> {
    let sql = sql!("select day from campaign_collected where forms > 0 order by day limit 1");
    tx.one(sql, args![]).await?.map(|row| row.get("day")).transpose()
}

/// Returns the forms that each commune handed in.
pub(in crate::population) async fn collected(tx: &mut Tx) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = sql!(
        "select commune, cast(sum(forms) as bigint) as forms from campaign_collected group by commune order by commune"
    );
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.get("commune")?, row.get("forms")?))).collect()
}

/// Returns of each place how many persons entered, how many forms are in quarantine, and how many
/// persons entered after a day.
pub(in crate::population) async fn entered(tx: &mut Tx, after: Date) -> Result<Vec<(String, [i64; 3])>, StoreError> {
    let sql = sql!(
        "select commune, cast(sum(entered) as bigint) as entered, cast(sum(quarantined) as bigint) as quarantined,
                cast(sum(case when day > $1 then entered else 0 end) as bigint) as lately
         from entry_tally group by commune order by commune"
    );
    let rows = tx.all(sql, args![after]).await?;
    let counts = |row: &crate::store::Record| {
        Ok((row.get("commune")?, [row.get("entered")?, row.get("quarantined")?, row.get("lately")?]))
    };
    rows.iter().map(counts).collect()
}
