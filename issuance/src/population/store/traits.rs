//! SQL of what is counted in statistics.

use crypto::identity::{Date, Sex};
use serde::Deserialize;

use super::super::model::MaritalStatus;
use super::super::traits::{Life, Traits};
use crate::ground::Id;
use crate::ground::ids::{PersonId, of};
use crate::store::{Record, StoreError, Tx};
use crate::{args, sql};

/// What is read of a record.
#[derive(Deserialize)]
struct Read {
    #[serde(rename = "birth_date", alias = "birth")]
    birth: Date,
    sex: Sex,
    ethnic_group: String,
    nationality: String,
    marital_status: Option<MaritalStatus>,
    #[serde(default)]
    died: Option<Date>,
    #[serde(default)]
    missing_since: Option<Date>,
}

/// Returns what is counted of a page of persons, and the last of them; `None` after the last one.
pub(in crate::population) async fn page(
    tx: &mut Tx,
    after: PersonId,
) -> Result<Option<(Vec<Traits>, PersonId)>, StoreError> {
    let sql = sql!(
        "select p.id, p.record, p.quality_commune, m.survivor_id
         from person p left join merged_person m on m.person_id = p.id
         where p.id > $1 order by p.id limit 1000"
    );
    let rows = tx.all(sql, args![after]).await?;
    let Some(last) = rows.last() else { return Ok(None) };
    let last = Id::of(last, "id")?;
    let mut counted = Vec::with_capacity(rows.len());
    for row in &rows {
        if Id::<of::Person>::of_optional(row, "survivor_id")?.is_none() {
            counted.extend(traits(row)?);
        }
    }
    Ok(Some((counted, last)))
}

fn traits(row: &Record) -> Result<Option<Traits>, StoreError> {
    let Ok(read) = row.json::<Read>("record") else { return Ok(None) };
    let commune: Option<String> = row.get("quality_commune")?;
    let mut place = commune.as_deref().unwrap_or_default().split('/').map(str::to_owned);
    let (province, district) = (place.next().unwrap_or_default(), place.next().unwrap_or_default());
    let life = match (read.died, read.missing_since) {
        (Some(_), _) => Life::Dead,
        (None, Some(_)) => Life::Missing,
        (None, None) => Life::Living,
    };
    Ok(Some(Traits {
        province,
        district,
        birth: read.birth,
        sex: read.sex,
        ethnic_group: read.ethnic_group,
        nationality: read.nationality,
        marital_status: read.marital_status,
        life,
    }))
}
