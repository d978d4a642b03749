//! SQL of the leases.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crypto::identity::{PersonalNumber, Sex};
use time::OffsetDateTime;

use super::super::leases::{Lease, Returned};
use super::super::model::{Cell, NumberCell, Permutation};
use crate::ground::ids::{LeaseId, PersonId};
use crate::ground::{Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Leases carry a MAC: another hand could add positions that were never leased, or open a returned one again.
pub const NUMBER_LEASE: Sealed = Sealed {
    table: "number_lease",
    columns: &[
        ("id", Kind::Uuid),
        ("office", Kind::Text),
        ("holder", Kind::Text),
        ("purpose", Kind::Text),
        ("province", Kind::Text),
        ("birth_year", Kind::Integer),
        ("first_f", Kind::Integer),
        ("size_f", Kind::Integer),
        ("first_m", Kind::Integer),
        ("size_m", Kind::Integer),
        ("leased_by", Kind::Text),
        ("leased_at", Kind::Moment),
        ("expires_at", Kind::Moment),
        ("returned_by", Kind::Text),
        ("returned_at", Kind::Moment),
        ("return_reason", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, office, holder, purpose, province, birth_year, first_f, size_f, first_m, size_m, leased_by, leased_at,
                expires_at, returned_by, returned_at, return_reason, version, mac
         from number_lease where id = $1"
    ),
    all: sql!(
        "select id, office, holder, purpose, province, birth_year, first_f, size_f, first_m, size_m, leased_by, leased_at,
                expires_at, returned_by, returned_at, return_reason, version, mac
         from number_lease order by id"
    ),
    set: sql!("update number_lease set version = $1, mac = $2 where id = $3"),
};

/// Inserts a lease.
pub(in crate::numbering) async fn insert(tx: &mut Tx, lease: &Lease) -> Result<(), StoreError> {
    let first = |of: &Option<Range<u32>>| of.as_ref().map(|range| i64::from(range.start));
    let size = |of: &Option<Range<u32>>| of.as_ref().map(|range| i64::from(range.end - range.start));
    let sql = sql!(
        "insert into number_lease (id, office, holder, purpose, province, birth_year, first_f, size_f, first_m, size_m,
                                   leased_by, leased_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let arguments = args![
        lease.id,
        &lease.office,
        &lease.holder,
        lease.purpose.word(),
        lease.province.to_string(),
        lease.birth_year,
        first(&lease.female),
        size(&lease.female),
        first(&lease.male),
        size(&lease.male),
        &lease.leased_by,
        lease.leased_at,
        lease.expires_at
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&NUMBER_LEASE, lease.id).await
}

/// Returns a lease.
///
/// # Errors
/// [`StoreError`]
pub async fn lease(tx: &mut Tx, id: LeaseId) -> Result<Option<Lease>, StoreError> {
    tx.sealed(&NUMBER_LEASE, id).await?.map(|row| read(&row)).transpose()
}

/// Returns a lease, kept from other writers.
///
/// # Errors
/// [`StoreError`]
pub async fn lease_locked(tx: &mut Tx, id: LeaseId) -> Result<Option<Lease>, StoreError> {
    tx.sealed_locked(&NUMBER_LEASE, id).await?.map(|row| read(&row)).transpose()
}

/// Ends a lease: its holder draws no more.
pub(in crate::numbering) async fn give_back(tx: &mut Tx, id: LeaseId, returned: &Returned) -> Result<(), StoreError> {
    let sql = sql!("update number_lease set returned_by = $1, returned_at = $2, return_reason = $3 where id = $4");
    tx.change(&NUMBER_LEASE, id, sql, args![&returned.by, returned.at, &returned.because, id]).await?;
    Ok(())
}

/// Returns a page of leases, oldest first, of one office or of all, each with whether its MAC holds; [`read`] reads
/// one.
///
/// # Errors
/// [`StoreError`]
pub async fn leases(
    tx: &mut Tx,
    office: Option<&OfficeCode>,
    after: LeaseId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    match office {
        Some(office) => {
            let sql = sql!(
                "select id, office, holder, purpose, province, birth_year, first_f, size_f, first_m, size_m, leased_by,
                        leased_at, expires_at, returned_by, returned_at, return_reason, version, mac
                 from number_lease where office = $1 and id > $2 order by id limit $3"
            );
            tx.all_judged(&NUMBER_LEASE, sql, args![office, after, most]).await
        }
        None => {
            let sql = sql!(
                "select id, office, holder, purpose, province, birth_year, first_f, size_f, first_m, size_m, leased_by,
                        leased_at, expires_at, returned_by, returned_at, return_reason, version, mac
                 from number_lease where id > $1 order by id limit $2"
            );
            tx.all_judged(&NUMBER_LEASE, sql, args![after, most]).await
        }
    }
}

/// Returns how many numbers of a cell an office has in leases that are open now, or were taken after a moment.
pub(in crate::numbering) async fn of_office(
    tx: &mut Tx,
    office: &OfficeCode,
    cell: Cell,
    (since, now): (OffsetDateTime, OffsetDateTime),
) -> Result<u64, StoreError> {
    let sql = sql!(
        "select id, office, holder, purpose, province, birth_year, first_f, size_f, first_m, size_m, leased_by, leased_at,
                expires_at, returned_by, returned_at, return_reason, version, mac
         from number_lease
         where office = $1 and province = $2 and birth_year = $3
               and (leased_at > $4 or (returned_at is null and expires_at > $5))"
    );
    let arguments = args![office, cell.province.to_string(), cell.birth_year, since, now];
    let mut numbers = 0;
    for row in tx.all_sealed(&NUMBER_LEASE, sql, arguments).await? {
        let lease = read(&row)?;
        let range = if cell.sex == Sex::Female { lease.female } else { lease.male };
        numbers += range.map_or(0, |range| u64::from(range.end - range.start));
    }
    Ok(numbers)
}

/// Returns which of these numbers were leased, whatever became of the lease: they come in with a birth alone that names
/// the lease.
pub(in crate::numbering) async fn leased(
    tx: &mut Tx,
    permutation: &Permutation,
    numbers: &[PersonalNumber],
) -> Result<Vec<PersonalNumber>, StoreError> {
    let places: Vec<_> = numbers.iter().map(|number| (*number, permutation.position(number))).collect();
    let of_cell = |cell: &Cell| format!("{} {}", cell.province, cell.birth_year);
    let cells: BTreeSet<String> = places.iter().map(|(_, (cell, _))| of_cell(cell)).collect();
    let sql = sql!(
        pg "select id, office, holder, purpose, province, birth_year, first_f, size_f, first_m, size_m, leased_by,
                   leased_at, expires_at, returned_by, returned_at, return_reason, version, mac
            from number_lease where (province, birth_year) in (
                select split_part(cell, ' ', 1), split_part(cell, ' ', 2)::bigint from unnest($1::text[]) cell)",
        lite "select id, office, holder, purpose, province, birth_year, first_f, size_f, first_m, size_m, leased_by,
                     leased_at, expires_at, returned_by, returned_at, return_reason, version, mac
              from number_lease where (province, birth_year) in (
                  select substr(value, 1, 3), cast(substr(value, 5) as integer) from json_each($1))"
    );
    let cells = vec![Argument::Texts(cells.into_iter().collect())];
    let rows = tx.all_sealed(&NUMBER_LEASE, sql, cells).await?;
    let leases: Vec<Lease> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let is_leased = |(cell, position): &(Cell, u32)| {
        leases.iter().any(|lease| {
            let range = if cell.sex == Sex::Female { &lease.female } else { &lease.male };
            (lease.province, lease.birth_year) == (cell.province, cell.birth_year)
                && range.as_ref().is_some_and(|range| range.contains(position))
        })
    };
    Ok(places.into_iter().filter(|(_, place)| is_leased(place)).map(|(number, _)| number).collect())
}

/// Returns how many numbers of each of these leases persons have or had; a lease of which none is used is left out.
///
/// # Errors
/// [`StoreError`]
pub async fn used(tx: &mut Tx, leases: &[LeaseId]) -> Result<BTreeMap<LeaseId, u64>, StoreError> {
    let sql = sql!(
        pg "select lease_id, count(*) as n from personal_number where lease_id = any($1) group by lease_id",
        lite "select lease_id, count(*) as n from personal_number
              where lease_id in (select value from json_each($1)) group by lease_id"
    );
    let leases = leases.iter().map(|lease| lease.uuid()).collect();
    let rows = tx.all(sql, vec![Argument::Uuids(leases)]).await?;
    rows.iter().map(|row| Ok((Id::of(row, "lease_id")?, row.number("n")?))).collect()
}

/// Notes of which lease a person's number is.
pub(in crate::numbering) async fn name_lease(
    tx: &mut Tx,
    number: &PersonalNumber,
    person: PersonId,
    lease: LeaseId,
) -> Result<(), StoreError> {
    let sql = sql!("update personal_number set lease_id = $1 where personal_number = $2 and person_id = $3");
    tx.run(sql, args![lease, number.as_str(), person]).await?;
    Ok(())
}

/// Returns a page of the cells of which numbers are given or reserved, or came with a file, by name.
///
/// # Errors
/// [`StoreError`]
pub async fn cells(tx: &mut Tx, after: &str, most: i64) -> Result<Vec<(String, NumberCell)>, StoreError> {
    let sql = sql!(
        "select id, cast(sum(n) as bigint) as next
         from (select id, next as n from number_cell union all select id, entered from number_cell_entered) as told
         where id > $1 group by id order by id limit $2"
    );
    tx.all(sql, args![after, most]).await?.iter().map(super::number_cell).collect()
}

/// Reads a row.
///
/// # Errors
/// [`StoreError::Inconsistent`]
pub fn read(row: &Record) -> Result<Lease, StoreError> {
    let range = |first_column: &str, size_column: &str| -> Result<Option<Range<u32>>, StoreError> {
        let (first, size): (Option<i64>, Option<i64>) = (row.get(first_column)?, row.get(size_column)?);
        let Some((start, size)) = first.zip(size) else { return Ok(None) };
        let end = start.checked_add(size).and_then(|end| u32::try_from(end).ok());
        let range = u32::try_from(start).ok().zip(end).map(|(start, end)| start..end);
        range.map(Some).ok_or_else(|| row.inconsistent(first_column))
    };
    let (by, at): (Option<String>, Option<OffsetDateTime>) = (row.get("returned_by")?, row.get("returned_at")?);
    let because: Option<String> = row.get("return_reason")?;
    Ok(Lease {
        id: Id::of(row, "id")?,
        office: row.parsed("office")?,
        holder: row.get("holder")?,
        purpose: row.parsed("purpose")?,
        province: row.parsed("province")?,
        birth_year: row.number("birth_year")?,
        female: range("first_f", "size_f")?,
        male: range("first_m", "size_m")?,
        leased_by: row.get("leased_by")?,
        leased_at: row.get("leased_at")?,
        expires_at: row.get("expires_at")?,
        returned: by.zip(at).map(|(by, at)| Returned { by, at, because: because.unwrap_or_default() }),
    })
}

/// Returns how many leases of an office are open at this moment.
///
/// # Errors
/// [`StoreError`]
pub async fn open_leases(tx: &mut Tx, office: &OfficeCode, now: OffsetDateTime) -> Result<u64, StoreError> {
    let sql =
        sql!("select count(*) as n from number_lease where office = $1 and returned_at is null and expires_at > $2");
    tx.one(sql, args![office, now]).await?.map_or(Ok(0), |row| row.number("n"))
}
