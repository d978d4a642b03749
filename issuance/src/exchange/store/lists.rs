//! SQL of lists that partners confirm.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::ground::Id;
use crate::ground::ids::{AgreementId, ListId, PartnerId, RequestId};
use crate::store::{Argument, Record, StoreError, Tx};
use crate::{args, sql};

/// A list that a partner opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::exchange) struct List {
    /// Identifier.
    pub id: ListId,
    /// The partner.
    pub partner: PartnerId,
    /// What allowed it when it was opened.
    pub agreement: AgreementId,
    /// The partner's identifier of the request that opened it.
    pub request: String,
    /// SHA-256 of that request's body.
    pub request_sha256: [u8; 32],
    /// Code of the purpose.
    pub purpose: String,
    /// Number of the partner's case.
    pub case: String,
    /// The partner's officer who asks.
    pub officer: String,
    /// The partner's officer who agreed.
    pub second_officer: String,
    /// Their unit.
    pub unit: String,
    /// So many lines it has, as the partner said.
    pub announced: i64,
    /// When it was opened.
    pub at: OffsetDateTime,
}

fn read(row: &Record) -> Result<List, StoreError> {
    Ok(List {
        id: Id::of(row, "id")?,
        partner: Id::of(row, "partner_id")?,
        agreement: Id::of(row, "agreement_id")?,
        request: row.get("request")?,
        request_sha256: row.array("request_sha256")?,
        purpose: row.get("purpose")?,
        case: row.get("case_number")?,
        officer: row.get("officer")?,
        second_officer: row.get("second_officer")?,
        unit: row.get("unit")?,
        announced: row.get("announced")?,
        at: row.get("at")?,
    })
}

/// Inserts a list. Returns false if the partner used the identifier of its request before.
pub(in crate::exchange) async fn insert(tx: &mut Tx, list: &List) -> Result<bool, StoreError> {
    let sql = sql!(
        "insert into exchange_list (id, partner_id, agreement_id, request, request_sha256, purpose, case_number, officer,
                                    second_officer, unit, announced, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         on conflict (partner_id, request) do nothing"
    );
    let List { id, partner, agreement, request, request_sha256, purpose, case, officer, second_officer, .. } = list;
    let arguments = args![
        *id,
        *partner,
        *agreement,
        request,
        request_sha256,
        purpose,
        case,
        officer,
        second_officer,
        &list.unit,
        list.announced,
        list.at
    ];
    Ok(tx.run(sql, arguments).await? == 1)
}

/// Returns a list of a partner.
pub(in crate::exchange) async fn list(tx: &mut Tx, partner: PartnerId, id: ListId) -> Result<Option<List>, StoreError> {
    let sql = sql!(
        "select id, partner_id, agreement_id, request, request_sha256, purpose, case_number, officer, second_officer,
                unit, announced, at
         from exchange_list where id = $1 and partner_id = $2"
    );
    tx.one(sql, args![id, partner]).await?.map(|row| read(&row)).transpose()
}

/// As [`list`], held until the transaction ends: of a list one stretch after the other is answered.
pub(in crate::exchange) async fn locked(
    tx: &mut Tx,
    partner: PartnerId,
    id: ListId,
) -> Result<Option<List>, StoreError> {
    let sql = sql!(
        "select id, partner_id, agreement_id, request, request_sha256, purpose, case_number, officer, second_officer,
                unit, announced, at
         from exchange_list where id = $1 and partner_id = $2"
    );
    tx.one_locked(sql, args![id, partner]).await?.map(|row| read(&row)).transpose()
}

/// Returns the list that a partner opened by this request.
pub(in crate::exchange) async fn opened_by(
    tx: &mut Tx,
    partner: PartnerId,
    request: &str,
) -> Result<Option<List>, StoreError> {
    let sql = sql!(
        "select id, partner_id, agreement_id, request, request_sha256, purpose, case_number, officer, second_officer,
                unit, announced, at
         from exchange_list where partner_id = $1 and request = $2"
    );
    tx.one(sql, args![partner, request]).await?.map(|row| read(&row)).transpose()
}

/// A stretch of a list that was answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::exchange) struct Stretch {
    /// Its number, from 1 on.
    pub number: i64,
    /// So many lines.
    pub lines: i64,
    /// Of which so many were confirmed.
    pub confirmed: i64,
}

/// Notes that a stretch was answered.
pub(in crate::exchange) async fn note(
    tx: &mut Tx,
    list: ListId,
    stretch: Stretch,
    request: RequestId,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into exchange_stretch (list_id, number, request_id, lines, confirmed) values ($1, $2, $3, $4, $5)"
    );
    tx.run(sql, args![list, stretch.number, request, stretch.lines, stretch.confirmed]).await?;
    Ok(())
}

/// Returns the stretches of a list that were answered, in their order.
pub(in crate::exchange) async fn stretches(tx: &mut Tx, list: ListId) -> Result<Vec<Stretch>, StoreError> {
    let sql = sql!("select number, lines, confirmed from exchange_stretch where list_id = $1 order by number");
    let rows = tx.all(sql, args![list]).await?;
    rows.iter()
        .map(|row| {
            Ok(Stretch { number: row.get("number")?, lines: row.get("lines")?, confirmed: row.get("confirmed")? })
        })
        .collect()
}

/// Returns how many lines of a list were answered.
pub(in crate::exchange) async fn answered(tx: &mut Tx, list: ListId) -> Result<i64, StoreError> {
    Ok(stretches(tx, list).await?.iter().map(|stretch| stretch.lines).sum())
}

/// A line of a stretch that was not so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::exchange) struct Miss {
    /// Keyed digest of whom it is about.
    pub subject: [u8; 32],
    /// Its place in the stretch.
    pub line: i64,
}

/// Returns of each of these subjects how often the partner missed since a moment, in questions and in lists.
pub(in crate::exchange) async fn misses(
    tx: &mut Tx,
    partner: PartnerId,
    subjects: Vec<[u8; 32]>,
    since: OffsetDateTime,
) -> Result<BTreeMap<[u8; 32], u32>, StoreError> {
    let begin: RequestId = Id::first_at(since);
    let sql = sql!(
        pg "select r.subject from unnest($3::text[]) as asked (hex) join exchange_request r
                 on r.partner_id = $1 and r.subject = decode(asked.hex, 'hex') and r.id > $2 and r.missed
            union all
            select m.subject from unnest($3::text[]) as asked (hex) join exchange_miss m
                 on m.partner_id = $1 and m.subject = decode(asked.hex, 'hex') and m.request_id > $2",
        lite "select r.subject from json_each($3) as asked join exchange_request r
                   on r.partner_id = $1 and r.subject = unhex(asked.value) and r.id > $2 and r.missed
              union all
              select m.subject from json_each($3) as asked join exchange_miss m
                   on m.partner_id = $1 and m.subject = unhex(asked.value) and m.request_id > $2",
    );
    let subjects = Argument::Texts(subjects.iter().map(hex::encode).collect());
    let mut misses = BTreeMap::new();
    for row in tx.all(sql, args![partner, begin, subjects]).await? {
        *misses.entry(row.array("subject")?).or_default() += 1;
    }
    Ok(misses)
}

/// Notes the lines of a stretch that were not so.
pub(in crate::exchange) async fn note_misses(
    tx: &mut Tx,
    partner: PartnerId,
    request: RequestId,
    misses: &[Miss],
) -> Result<(), StoreError> {
    let sql = sql!("insert into exchange_miss (partner_id, subject, request_id, line) values ($1, $2, $3, $4)");
    let row = |miss: &Miss| args![partner, miss.subject, request, miss.line];
    tx.insert_all(sql, &misses.iter().map(row).collect::<Vec<_>>()).await
}

/// Erases misses of requests before this moment. Returns how many.
pub(in crate::exchange) async fn erase_misses(tx: &mut Tx, before: OffsetDateTime) -> Result<u64, StoreError> {
    let begin: RequestId = Id::first_at(before);
    tx.run(sql!("delete from exchange_miss where request_id < $1"), args![begin]).await
}
