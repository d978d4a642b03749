//! SQL of what partners reported and an officer of the register decides.

use time::OffsetDateTime;

use crate::ground::ids::{ChangeId, PartnerId, PersonId, RequestId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Reports carry a MAC: one that another hand wrote would give a number.
pub const EXCHANGE_REPORT: Sealed = Sealed {
    table: "exchange_report",
    columns: &[
        ("id", Kind::Uuid),
        ("partner_id", Kind::Uuid),
        ("service", Kind::Text),
        ("office", Kind::Text),
        ("reasons", Kind::Text),
        ("message", Kind::Bytes),
        ("change_id", Kind::Uuid),
        ("person_id", Kind::Uuid),
        ("state", Kind::Text),
        ("reason", Kind::Text),
        ("decided_by", Kind::Uuid),
        ("decided_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, partner_id, service, office, reasons, message, change_id, person_id, state, reason, decided_by,
                decided_at, version, mac
         from exchange_report where id = $1"
    ),
    all: sql!(
        "select id, partner_id, service, office, reasons, message, change_id, person_id, state, reason, decided_by,
                decided_at, version, mac
         from exchange_report order by id"
    ),
    set: sql!("update exchange_report set version = $1, mac = $2 where id = $3"),
};

/// What a partner reported, and what became of it.
#[derive(Clone, Debug)]
pub(in crate::exchange) struct Report {
    /// Identifier of the answer: the reference by which the partner asks.
    pub id: RequestId,
    /// The partner.
    pub partner: PartnerId,
    /// Word of the service.
    pub service: String,
    /// The office that decides.
    pub office: OfficeCode,
    /// Codes of what speaks against a number, with commas.
    pub reasons: String,
    /// The message of a birth that is held, sealed; none once it is decided.
    pub message: Option<Vec<u8>>,
    /// The change of the register that was proposed.
    pub change: Option<ChangeId>,
    /// Whom it is about; of a birth, once the child is registered.
    pub person: Option<PersonId>,
    /// `held`, `proposed`, `numbered` or `refused`.
    pub state: String,
    /// Code of the reason for a refusal.
    pub reason: Option<String>,
    /// The officer who decided it.
    pub decided: Option<Decision>,
}

/// Keeps a report.
pub(in crate::exchange) async fn insert(tx: &mut Tx, report: &Report) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into exchange_report (id, partner_id, service, office, reasons, message, change_id, person_id, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    );
    let arguments = args![
        report.id,
        report.partner,
        &*report.service,
        &report.office,
        &*report.reasons,
        report.message.clone(),
        report.change,
        report.person,
        &*report.state
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&EXCHANGE_REPORT, report.id).await
}

/// Returns a report.
pub(in crate::exchange) async fn report(tx: &mut Tx, id: RequestId) -> Result<Option<Report>, StoreError> {
    tx.sealed(&EXCHANGE_REPORT, id).await?.map(|row| read(&row)).transpose()
}

/// Returns a report, kept from other writers.
pub(in crate::exchange) async fn locked(tx: &mut Tx, id: RequestId) -> Result<Option<Report>, StoreError> {
    tx.sealed_locked(&EXCHANGE_REPORT, id).await?.map(|row| read(&row)).transpose()
}

/// Returns a page of the births that are held at an office, the oldest first, each with whether its MAC holds.
pub(in crate::exchange) async fn held(
    tx: &mut Tx,
    office: &OfficeCode,
    after: RequestId,
    most: i64,
) -> Result<Vec<(Report, bool)>, StoreError> {
    let sql = sql!(
        "select id, partner_id, service, office, reasons, message, change_id, person_id, state, reason, decided_by,
                decided_at, version, mac
         from exchange_report where office = $1 and state = 'held' and id > $2 order by id limit $3"
    );
    let rows = tx.all_judged(&EXCHANGE_REPORT, sql, args![office, after, most]).await?;
    rows.iter().map(|(row, holds)| Ok((read(row)?, *holds))).collect()
}

/// Writes down what became of a report that was held; its message is erased.
pub(in crate::exchange) async fn decide(tx: &mut Tx, report: &Report) -> Result<(), StoreError> {
    let sql = sql!(
        "update exchange_report set message = null, person_id = $1, state = $2, reason = $3, decided_by = $4,
                decided_at = $5
         where id = $6"
    );
    let (by, at) = report.decided.as_ref().map(|decided| (decided.by, decided.at)).unzip();
    let arguments = args![report.person, &*report.state, report.reason.as_deref(), by, at, report.id];
    tx.change(&EXCHANGE_REPORT, report.id, sql, arguments).await?;
    Ok(())
}

/// What an officer sees of the request that brought a report.
pub(in crate::exchange) struct Brought {
    /// The moment.
    pub at: OffsetDateTime,
    /// The partner's officer.
    pub officer: String,
    /// The officer's unit.
    pub unit: String,
    /// Number of the partner's case.
    pub case: String,
}

/// Returns the request that brought a report.
pub(in crate::exchange) async fn brought(tx: &mut Tx, id: RequestId) -> Result<Option<Brought>, StoreError> {
    let sql = sql!("select id, at, officer, unit, case_number from exchange_request where id = $1");
    let row = tx.one(sql, args![id]).await?;
    row.map(|row| {
        Ok(Brought {
            at: row.get("at")?,
            officer: row.get("officer")?,
            unit: row.get("unit")?,
            case: row.get("case_number")?,
        })
    })
    .transpose()
}

fn read(row: &Record) -> Result<Report, StoreError> {
    Ok(Report {
        id: Id::of(row, "id")?,
        partner: Id::of(row, "partner_id")?,
        service: row.get("service")?,
        office: row.parsed("office")?,
        reasons: row.get("reasons")?,
        message: row.get("message")?,
        change: Id::of_optional(row, "change_id")?,
        person: Id::of_optional(row, "person_id")?,
        state: row.get("state")?,
        reason: row.get("reason")?,
        decided: Decision::of(row, "decided_by", "decided_at")?,
    })
}
