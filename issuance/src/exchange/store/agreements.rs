//! SQL of purposes and agreements.

use time::OffsetDateTime;

use crate::exchange::ExchangeError;
use crate::exchange::model::{Agreement, ENDS_SOON, Purpose, Standing};
use crate::ground::ids::{AgreementId, PartnerId};
use crate::ground::{Decision, Id};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Agreements carry a MAC.
pub const AGREEMENT: Sealed = Sealed {
    table: "agreement",
    columns: &[
        ("id", Kind::Uuid),
        ("partner_id", Kind::Uuid),
        ("number", Kind::Text),
        ("basis", Kind::Text),
        ("valid_from", Kind::Moment),
        ("valid_to", Kind::Moment),
        ("kept_days", Kind::Integer),
        ("grants", Kind::Json),
        ("drafted_by", Kind::Uuid),
        ("drafted_at", Kind::Moment),
        ("signed_by", Kind::Uuid),
        ("signed_at", Kind::Moment),
        ("protected_by", Kind::Uuid),
        ("protected_at", Kind::Moment),
        ("ended_by", Kind::Uuid),
        ("ended_at", Kind::Moment),
        ("end_reason", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, partner_id, number, basis, valid_from, valid_to, kept_days, grants, drafted_by, drafted_at,
                signed_by, signed_at, protected_by, protected_at, ended_by, ended_at, end_reason, version, mac
         from agreement where id = $1"
    ),
    all: sql!(
        "select id, partner_id, number, basis, valid_from, valid_to, kept_days, grants, drafted_by, drafted_at,
                signed_by, signed_at, protected_by, protected_at, ended_by, ended_at, end_reason, version, mac
         from agreement order by id"
    ),
    set: sql!("update agreement set version = $1, mac = $2 where id = $3"),
};

/// Purposes carry a MAC.
pub const EXCHANGE_PURPOSE: Sealed = Sealed {
    table: "exchange_purpose",
    columns: &[
        ("id", Kind::Text),
        ("name_vi", Kind::Text),
        ("name_en", Kind::Text),
        ("law", Kind::Text),
        ("dpv", Kind::Text),
        ("drafted_by", Kind::Uuid),
        ("drafted_at", Kind::Moment),
        ("confirmed_by", Kind::Uuid),
        ("confirmed_at", Kind::Moment),
        ("ended_by", Kind::Uuid),
        ("ended_at", Kind::Moment),
        ("end_reason", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, name_vi, name_en, law, dpv, drafted_by, drafted_at, confirmed_by, confirmed_at, ended_by, ended_at,
                end_reason, version, mac
         from exchange_purpose where id = $1"
    ),
    all: sql!(
        "select id, name_vi, name_en, law, dpv, drafted_by, drafted_at, confirmed_by, confirmed_at, ended_by, ended_at,
                end_reason, version, mac
         from exchange_purpose order by id"
    ),
    set: sql!("update exchange_purpose set version = $1, mac = $2 where id = $3"),
};

/// Inserts a purpose that is proposed.
pub(in crate::exchange) async fn insert_purpose(tx: &mut Tx, purpose: &Purpose) -> Result<(), ExchangeError> {
    let sql = sql!(
        "insert into exchange_purpose (id, name_vi, name_en, law, dpv, drafted_by, drafted_at)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (id) do nothing"
    );
    let Purpose { code, name_vi, name_en, law, dpv, drafted, .. } = purpose;
    let arguments = args![&**code, &**name_vi, &**name_en, &**law, dpv.as_deref(), drafted.by, drafted.at];
    if tx.run(sql, arguments).await? != 1 {
        return Err(ExchangeError::NameTaken);
    }
    Ok(tx.seal(&EXCHANGE_PURPOSE, &**code).await?)
}

/// Returns a purpose, kept from other writers.
pub(in crate::exchange) async fn purpose_locked(tx: &mut Tx, code: &str) -> Result<Option<Purpose>, StoreError> {
    tx.sealed_locked(&EXCHANGE_PURPOSE, code).await?.map(|row| read_purpose(&row)).transpose()
}

/// Returns a purpose.
pub(in crate::exchange) async fn purpose(tx: &mut Tx, code: &str) -> Result<Option<Purpose>, StoreError> {
    tx.sealed(&EXCHANGE_PURPOSE, code).await?.map(|row| read_purpose(&row)).transpose()
}

/// Returns all purposes, each with whether its MAC holds: some dozens.
pub(in crate::exchange) async fn purposes(tx: &mut Tx) -> Result<Vec<(Purpose, bool)>, StoreError> {
    let rows = tx.judged_rows(&EXCHANGE_PURPOSE).await?;
    rows.iter().map(|(row, holds)| Ok((read_purpose(row)?, *holds))).collect()
}

/// Confirms a purpose.
pub(in crate::exchange) async fn confirm_purpose(tx: &mut Tx, code: &str, by: &Decision) -> Result<(), StoreError> {
    let sql = sql!("update exchange_purpose set confirmed_by = $1, confirmed_at = $2 where id = $3");
    tx.change(&EXCHANGE_PURPOSE, code, sql, args![by.by, by.at, code]).await?;
    Ok(())
}

/// Ends a purpose.
pub(in crate::exchange) async fn end_purpose(
    tx: &mut Tx,
    code: &str,
    by: &Decision,
    reason: &str,
) -> Result<(), StoreError> {
    let sql = sql!("update exchange_purpose set ended_by = $1, ended_at = $2, end_reason = $3 where id = $4");
    tx.change(&EXCHANGE_PURPOSE, code, sql, args![by.by, by.at, reason, code]).await?;
    Ok(())
}

/// Inserts an agreement that is drafted.
pub(in crate::exchange) async fn insert(tx: &mut Tx, agreement: &Agreement) -> Result<(), ExchangeError> {
    let sql = sql!(
        "insert into agreement (id, partner_id, number, basis, valid_from, valid_to, kept_days, grants, drafted_by,
                                drafted_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (number) do nothing"
    );
    let arguments = args![
        agreement.id,
        agreement.partner,
        &*agreement.number,
        &*agreement.basis,
        agreement.valid_from,
        agreement.valid_to,
        i64::from(agreement.kept_days),
        Argument::json(&agreement.grants),
        agreement.drafted.by,
        agreement.drafted.at
    ];
    if tx.run(sql, arguments).await? != 1 {
        return Err(ExchangeError::NameTaken);
    }
    Ok(tx.seal(&AGREEMENT, agreement.id).await?)
}

/// Returns an agreement, kept from other writers.
pub(in crate::exchange) async fn locked(tx: &mut Tx, id: AgreementId) -> Result<Option<Agreement>, StoreError> {
    tx.sealed_locked(&AGREEMENT, id).await?.map(|row| read(&row)).transpose()
}

/// Returns an agreement.
pub(in crate::exchange) async fn agreement(tx: &mut Tx, id: AgreementId) -> Result<Option<Agreement>, StoreError> {
    tx.sealed(&AGREEMENT, id).await?.map(|row| read(&row)).transpose()
}

/// Returns the agreements after this one, of one partner or of all, that stand so at a moment, each with whether its
/// MAC holds: as [`Agreement::standing`] says it.
pub(in crate::exchange) async fn list(
    tx: &mut Tx,
    (partner, standing): (Option<PartnerId>, &[Standing]),
    now: OffsetDateTime,
    (after, most): (AgreementId, i64),
) -> Result<Vec<(Agreement, bool)>, StoreError> {
    let (all, partner) = (i64::from(partner.is_none()), partner.unwrap_or(Id::nil()));
    let standing = Argument::Texts(standing.iter().map(|standing| standing.word().to_owned()).collect());
    let sql = sql!(
        pg "select id, partner_id, number, basis, valid_from, valid_to, kept_days, grants, drafted_by, drafted_at,
                   signed_by, signed_at, protected_by, protected_at, ended_by, ended_at, end_reason, version, mac
            from agreement
            where id > $1 and ($2 = 1 or partner_id = $3)
              and case when ended_at is not null or valid_to <= $4 then 'over'
                       when signed_at is null and protected_at is null then 'drafted'
                       when signed_at is null or protected_at is null then 'half-signed'
                       when valid_from > $4 then 'signed'
                       when valid_to <= $5 then 'ending'
                       else 'in-force' end = any($6::text[])
            order by id limit $7",
        lite "select id, partner_id, number, basis, valid_from, valid_to, kept_days, grants, drafted_by, drafted_at,
                   signed_by, signed_at, protected_by, protected_at, ended_by, ended_at, end_reason, version, mac
            from agreement
            where id > $1 and ($2 = 1 or partner_id = $3)
              and case when ended_at is not null or valid_to <= $4 then 'over'
                       when signed_at is null and protected_at is null then 'drafted'
                       when signed_at is null or protected_at is null then 'half-signed'
                       when valid_from > $4 then 'signed'
                       when valid_to <= $5 then 'ending'
                       else 'in-force' end in (select value from json_each($6))
            order by id limit $7",
    );
    let arguments = args![after, all, partner, now, now + ENDS_SOON, standing, most];
    let rows = tx.all_judged(&AGREEMENT, sql, arguments).await?;
    rows.iter().map(|(row, holds)| Ok((read(row)?, *holds))).collect()
}

/// Returns the agreements of a partner that are signed by both, were not ended, and are in force at this moment.
pub(in crate::exchange) async fn in_force(
    tx: &mut Tx,
    partner: PartnerId,
    now: OffsetDateTime,
) -> Result<Vec<Agreement>, StoreError> {
    let sql = sql!(
        "select id, partner_id, number, basis, valid_from, valid_to, kept_days, grants, drafted_by, drafted_at,
                signed_by, signed_at, protected_by, protected_at, ended_by, ended_at, end_reason, version, mac
         from agreement
         where partner_id = $1 and valid_from <= $2 and valid_to > $2 and ended_at is null
           and signed_at is not null and protected_at is not null
         order by id"
    );
    tx.all_sealed(&AGREEMENT, sql, args![partner, now]).await?.iter().map(read).collect()
}

/// Returns the agreements that were not ended and whose time is not over, signed or not: some hundreds.
pub(in crate::exchange) async fn not_over(tx: &mut Tx, now: OffsetDateTime) -> Result<Vec<Agreement>, StoreError> {
    let sql = sql!(
        "select id, partner_id, number, basis, valid_from, valid_to, kept_days, grants, drafted_by, drafted_at,
                signed_by, signed_at, protected_by, protected_at, ended_by, ended_at, end_reason, version, mac
         from agreement where valid_to > $1 and ended_at is null order by id"
    );
    tx.all_sealed(&AGREEMENT, sql, args![now]).await?.iter().map(read).collect()
}

/// Writes down who signed or ended an agreement.
pub(in crate::exchange) async fn decide(tx: &mut Tx, agreement: &Agreement) -> Result<(), StoreError> {
    let sql = sql!(
        "update agreement set signed_by = $1, signed_at = $2, protected_by = $3, protected_at = $4, ended_by = $5,
                ended_at = $6, end_reason = $7
         where id = $8"
    );
    let by = |decision: &Option<Decision>| decision.as_ref().map(|decision| decision.by);
    let at = |decision: &Option<Decision>| decision.as_ref().map(|decision| decision.at);
    let arguments = args![
        by(&agreement.signed),
        at(&agreement.signed),
        by(&agreement.protected),
        at(&agreement.protected),
        by(&agreement.ended),
        at(&agreement.ended),
        agreement.end_reason.as_deref(),
        agreement.id
    ];
    tx.change(&AGREEMENT, agreement.id, sql, arguments).await?;
    Ok(())
}

fn read(row: &Record) -> Result<Agreement, StoreError> {
    Ok(Agreement {
        id: Id::of(row, "id")?,
        partner: Id::of(row, "partner_id")?,
        number: row.get("number")?,
        basis: row.get("basis")?,
        valid_from: row.get("valid_from")?,
        valid_to: row.get("valid_to")?,
        kept_days: row.number("kept_days")?,
        grants: row.json("grants")?,
        drafted: Decision { by: Id::of(row, "drafted_by")?, at: row.get("drafted_at")? },
        signed: Decision::of(row, "signed_by", "signed_at")?,
        protected: Decision::of(row, "protected_by", "protected_at")?,
        ended: Decision::of(row, "ended_by", "ended_at")?,
        end_reason: row.get("end_reason")?,
    })
}

fn read_purpose(row: &Record) -> Result<Purpose, StoreError> {
    Ok(Purpose {
        code: row.get("id")?,
        name_vi: row.get("name_vi")?,
        name_en: row.get("name_en")?,
        law: row.get("law")?,
        dpv: row.get("dpv")?,
        drafted: Decision { by: Id::of(row, "drafted_by")?, at: row.get("drafted_at")? },
        confirmed: Decision::of(row, "confirmed_by", "confirmed_at")?,
        ended: Decision::of(row, "ended_by", "ended_at")?,
        end_reason: row.get("end_reason")?,
    })
}
