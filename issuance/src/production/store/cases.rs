//! SQL of the cases of the stock.

use crypto::identity::CardSerial;
use serde::de::DeserializeOwned;
use time::{Date, OffsetDateTime};

use super::super::cases::{Case, CaseOutcome, CaseState};
use super::ends::serials;
use crate::ground::ids::{CaseId, OfficerId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Cases carry a MAC: one that another hand settled would hide a theft.
pub const STOCK_CASE: Sealed = Sealed {
    table: "stock_case",
    columns: &[
        ("id", Kind::Uuid),
        ("kind", Kind::Text),
        ("office", Kind::Text),
        ("subject", Kind::Text),
        ("missing", Kind::Json),
        ("extra", Kind::Json),
        ("opened_by", Kind::Uuid),
        ("opened_at", Kind::Moment),
        ("due_on", Kind::Day),
        ("state", Kind::Text),
        ("outcome", Kind::Text),
        ("reason", Kind::Text),
        ("proposed_by", Kind::Uuid),
        ("proposed_at", Kind::Moment),
        ("settled_by", Kind::Uuid),
        ("settled_at", Kind::Moment),
        ("from_office", Kind::Text),
        ("evidence", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, kind, office, subject, missing, extra, opened_by, opened_at, due_on, state, outcome, reason,
                proposed_by, proposed_at, settled_by, settled_at, from_office, evidence, version, mac
         from stock_case where id = $1"
    ),
    all: sql!(
        "select id, kind, office, subject, missing, extra, opened_by, opened_at, due_on, state, outcome, reason,
                proposed_by, proposed_at, settled_by, settled_at, from_office, evidence, version, mac
         from stock_case order by id"
    ),
    set: sql!("update stock_case set version = $1, mac = $2 where id = $3"),
};

pub(in crate::production) async fn insert(tx: &mut Tx, case: &Case) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into stock_case (id, kind, office, subject, missing, extra, opened_by, opened_at, due_on, state, from_office,
                                 evidence)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    );
    let [missing, extra] = [&case.missing, &case.extra].map(|serials| json(serials));
    let arguments = args![
        case.id,
        case.kind.word(),
        &case.office,
        &case.subject,
        missing,
        extra,
        case.opened.by,
        case.opened.at,
        case.due_on,
        case.state.word(),
        case.from.as_ref().map(OfficeCode::as_str),
        case.evidence.as_deref()
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&STOCK_CASE, case.id).await
}

fn json(serials: &[CardSerial]) -> Argument {
    let texts: Vec<String> = serials.iter().map(ToString::to_string).collect();
    Argument::json(&texts)
}

/// Writes down how a case stands, and which chips it is about.
pub(in crate::production) async fn decide(tx: &mut Tx, case: &Case) -> Result<(), StoreError> {
    let sql = sql!(
        "update stock_case set state = $1, outcome = $2, reason = $3, proposed_by = $4, proposed_at = $5,
                settled_by = $6, settled_at = $7, missing = $8, extra = $9
         where id = $10"
    );
    let by = |decision: &Option<Decision>| decision.as_ref().map(|decision| decision.by);
    let at = |decision: &Option<Decision>| decision.as_ref().map(|decision| decision.at);
    let arguments = args![
        case.state.word(),
        case.outcome.map(CaseOutcome::word),
        case.reason.as_deref(),
        by(&case.proposed),
        at(&case.proposed),
        by(&case.settled),
        at(&case.settled),
        json(&case.missing),
        json(&case.extra),
        case.id
    ];
    tx.change(&STOCK_CASE, case.id, sql, arguments).await?;
    Ok(())
}

/// Returns a case, kept from other writers.
pub(in crate::production) async fn locked(tx: &mut Tx, id: CaseId) -> Result<Option<Case>, StoreError> {
    tx.sealed_locked(&STOCK_CASE, id).await?.map(|row| read(&row)).transpose()
}

/// Returns the cases about a chip, a box, a station or a store room that are not settled, the oldest first.
pub(in crate::production) async fn unsettled_about(tx: &mut Tx, subject: &str) -> Result<Vec<Case>, StoreError> {
    let sql = sql!(
        "select id, kind, office, subject, missing, extra, opened_by, opened_at, due_on, state, outcome, reason,
                proposed_by, proposed_at, settled_by, settled_at, from_office, evidence, version, mac
         from stock_case where subject = $1 and state <> 'settled' order by id"
    );
    tx.all_sealed(&STOCK_CASE, sql, args![subject]).await?.iter().map(read).collect()
}

/// True if another case than this one that is not settled says that this chip was counted where it should not be.
pub(in crate::production) async fn counts_too_many(
    tx: &mut Tx,
    but: CaseId,
    serial: &CardSerial,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id from stock_case where state <> 'settled' and id <> $1 and cast(extra as text) like $2 order by id limit 1"
    );
    Ok(tx.one(sql, args![but, format!("%\"{serial}\"%")]).await?.is_some())
}

/// Returns a page of the cases of an office, and of the boxes that it sent (the national office: of all), each with
/// whether its MAC holds.
pub(in crate::production) async fn listed(
    tx: &mut Tx,
    office: &OfficeCode,
    settled: bool,
    after: CaseId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, kind, office, subject, missing, extra, opened_by, opened_at, due_on, state, outcome, reason,
                proposed_by, proposed_at, settled_by, settled_at, from_office, evidence, version, mac
         from stock_case
         where (office = $1 or from_office = $1 or $1 = 'national') and (state <> 'settled' or $2) and id > $3 order by id limit $4"
    );
    tx.all_judged(&STOCK_CASE, sql, args![office, settled, after, most]).await
}

/// Returns how many cases wait for two officers, and how many of them were due before this day.
///
/// # Errors
/// [`StoreError`]
pub async fn open_cases(tx: &mut Tx, today: Date) -> Result<(u64, u64), StoreError> {
    let sql = sql!(
        "select count(*) as n, count(case when due_on < $1 then 1 end) as overdue
         from stock_case where state <> 'settled'"
    );
    tx.one(sql, args![today]).await?.map_or(Ok((0, 0)), |row| Ok((row.number("n")?, row.number("overdue")?)))
}

/// Returns the cases of a kind that are not settled, each with what it is about.
pub(in crate::production) async fn unsettled_of_kind(
    tx: &mut Tx,
    kind: &str,
) -> Result<Vec<(CaseId, String)>, StoreError> {
    let sql = sql!("select id, subject from stock_case where kind = $1 and state <> 'settled' order by id limit 100");
    tx.all(sql, args![kind]).await?.iter().map(|row| Ok((Id::of(row, "id")?, row.get("subject")?))).collect()
}

/// A case of a kind, as far as it tells whether a difference is known.
pub(in crate::production) struct Known {
    pub subject: String,
    /// None for a case of before differences had a digest.
    pub evidence: Option<String>,
    pub settled: bool,
}

/// Returns what the cases of a kind are about, settled or not.
pub(in crate::production) async fn known_of_kind(tx: &mut Tx, kind: &str) -> Result<Vec<Known>, StoreError> {
    let sql = sql!("select subject, evidence, state from stock_case where kind = $1");
    let known = |row: &Record| {
        let settled = row.get::<String>("state")? == CaseState::Settled.word();
        Ok(Known { subject: row.get("subject")?, evidence: row.get("evidence")?, settled })
    };
    tx.all(sql, args![kind]).await?.iter().map(known).collect()
}

/// True if a case of this kind about this waits, or was settled for this very difference.
pub(in crate::production) async fn is_known(
    tx: &mut Tx,
    kind: &str,
    subject: &str,
    evidence: &str,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id from stock_case
         where kind = $1 and subject = $2 and (state <> 'settled' or evidence is null or evidence = $3)
         order by id limit 1"
    );
    Ok(tx.one(sql, args![kind, subject, evidence]).await?.is_some())
}

/// Returns the offices with cases that wait for two officers, each with how many.
///
/// # Errors
/// [`StoreError`]
pub async fn cases_by_office(tx: &mut Tx) -> Result<Vec<(String, u64)>, StoreError> {
    let sql =
        sql!("select office, count(*) as n from stock_case where state <> 'settled' group by office order by office");
    tx.all(sql, args![]).await?.iter().map(|row| Ok((row.get("office")?, row.number("n")?))).collect()
}

pub(in crate::production) fn read(row: &Record) -> Result<Case, StoreError> {
    let decision = |by: &str, at: &str| -> Result<Option<Decision>, StoreError> {
        let (by, at): (Option<OfficerId>, Option<OffsetDateTime>) = (Id::of_optional(row, by)?, row.get(at)?);
        Ok(by.zip(at).map(|(by, at)| Decision { by, at }))
    };
    Ok(Case {
        id: Id::of(row, "id")?,
        kind: word(row, "kind")?,
        office: row.parsed("office")?,
        from: row.get::<Option<String>>("from_office")?.map(|_| row.parsed("from_office")).transpose()?,
        subject: row.get("subject")?,
        missing: serials(row, "missing")?,
        extra: serials(row, "extra")?,
        opened: Decision { by: Id::of(row, "opened_by")?, at: row.get("opened_at")? },
        due_on: row.get("due_on")?,
        state: word::<CaseState>(row, "state")?,
        outcome: row.get::<Option<String>>("outcome")?.map(|_| word(row, "outcome")).transpose()?,
        reason: row.get("reason")?,
        proposed: decision("proposed_by", "proposed_at")?,
        settled: decision("settled_by", "settled_at")?,
        evidence: row.get("evidence")?,
    })
}

/// Reads a column with a word of a closed list.
pub(super) fn word<T: DeserializeOwned>(row: &Record, column: &str) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    serde_json::from_value(text.clone().into()).map_err(|_| StoreError::inconsistent("stock_case", column, text))
}
