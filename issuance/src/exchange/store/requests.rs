//! SQL of what partners asked and were told.

use time::{Date, OffsetDateTime};

use crate::ground::Id;
use crate::ground::actor::Partner;
use crate::ground::ids::{AgreementId, PartnerId, PersonId, RequestId};
use crate::store::{Argument, Sql, StoreError, Tx};
use crate::{args, sql};

/// One request, answered or refused, as it is kept.
pub(in crate::exchange) struct Kept<'a> {
    /// Our identifier.
    pub id: RequestId,
    /// The moment.
    pub at: OffsetDateTime,
    /// The partner's identifier of the request.
    pub request: &'a str,
    /// SHA-256 of its body.
    pub request_sha256: [u8; 32],
    /// What allowed it; none for one that nothing allowed.
    pub agreement: Option<AgreementId>,
    /// Code of the purpose, as the partner said it.
    pub purpose: &'a str,
    /// The service.
    pub service: &'a str,
    /// The partner's officer.
    pub officer: &'a str,
    /// The officer's unit.
    pub unit: &'a str,
    /// Number of the partner's case.
    pub case: &'a str,
    /// The fields that were told or put to the test, in one text with commas.
    pub fields: String,
    /// What came of it: `confirmed`, `not-confirmed`, `found`, `not-found`, or the code of a refusal.
    pub outcome: &'a str,
    /// Keyed digest of whom it is about.
    pub subject: [u8; 32],
    /// True if what was said of the person was not so, or there is none.
    pub missed: bool,
    /// The answer, sealed; none for a refusal.
    pub answer: Option<Vec<u8>>,
    /// SHA-256 of the answer.
    pub answer_sha256: [u8; 32],
    /// Detached signature of the answer; empty for a refusal.
    pub signature: &'a str,
    /// The answer is erased then.
    pub kept_until: OffsetDateTime,
}

const INSERT: Sql = sql!(
    "insert into exchange_request (id, partner_id, system_id, request, request_sha256, at, agreement_id, purpose,
                                   service, officer, unit, case_number, fields, outcome, subject, missed, answer,
                                   answer_sha256, signature, kept_until, message_id, query_id)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
     on conflict do nothing"
);

/// Inserts a request. Returns false if the partner used its identifier before, or the member that of the message.
pub(in crate::exchange) async fn insert(tx: &mut Tx, by: &Partner, kept: Kept<'_>) -> Result<bool, StoreError> {
    Ok(tx.run(INSERT, row(by, kept)).await? == 1)
}

/// Inserts requests that were answered together. Returns the identifiers of those that came before, also in the same
/// list: then the transaction must end without a commit.
pub(in crate::exchange) async fn insert_all(
    tx: &mut Tx,
    by: &Partner,
    kept: Vec<Kept<'_>>,
) -> Result<Vec<RequestId>, StoreError> {
    let (count, ids) = (kept.len(), kept.iter().map(|kept| kept.id).collect::<Vec<_>>());
    let rows = kept.into_iter().map(|kept| row(by, kept)).collect();
    if tx.insert_few(INSERT, rows).await? == u64::try_from(count).unwrap_or(u64::MAX) {
        return Ok(Vec::new());
    }
    let sql = sql!(
        pg "select id from exchange_request where id = any($1::uuid[])",
        lite "select id from exchange_request where id in (select value from json_each($1))",
    );
    let all = Argument::Uuids(ids.iter().map(|id| id.uuid()).collect());
    let there = tx.all(sql, args![all]).await?;
    let there: Vec<RequestId> = there.iter().map(|row| Id::of(row, "id")).collect::<Result<_, _>>()?;
    Ok(ids.into_iter().filter(|id| !there.contains(id)).collect())
}

fn row(by: &Partner, kept: Kept<'_>) -> Vec<Argument> {
    let brought = by.carried.as_ref().map(|carried| &carried.brought);
    args![
        kept.id,
        by.id,
        by.system,
        kept.request,
        kept.request_sha256,
        kept.at,
        kept.agreement,
        kept.purpose,
        kept.service,
        kept.officer,
        kept.unit,
        kept.case,
        kept.fields,
        kept.outcome,
        kept.subject,
        kept.missed,
        kept.answer,
        kept.answer_sha256,
        kept.signature,
        kept.kept_until,
        brought.map(|brought| brought.message.clone()),
        brought.and_then(|brought| brought.query.clone())
    ]
}

/// A request that came before.
pub(in crate::exchange) struct Before {
    /// Our identifier.
    pub id: RequestId,
    /// SHA-256 of its body.
    pub request_sha256: [u8; 32],
    /// The service that was asked.
    pub service: String,
    /// What came of it.
    pub outcome: String,
    /// The answer, sealed; none where it was refused or is kept no more.
    pub answer: Option<Vec<u8>>,
    /// Its signature.
    pub signature: String,
}

/// Returns the request of a partner that had this identifier.
pub(in crate::exchange) async fn before(
    tx: &mut Tx,
    partner: PartnerId,
    request: &str,
) -> Result<Option<Before>, StoreError> {
    let sql = sql!(
        "select id, request_sha256, service, outcome, answer, signature from exchange_request
         where partner_id = $1 and request = $2"
    );
    let row = tx.one(sql, args![partner, request]).await?;
    row.map(|row| {
        Ok(Before {
            id: Id::of(&row, "id")?,
            request_sha256: row.array("request_sha256")?,
            service: row.get("service")?,
            outcome: row.get("outcome")?,
            answer: row.get("answer")?,
            signature: row.get("signature")?,
        })
    })
    .transpose()
}

/// Returns how often since a moment an officer of a partner missed, and how often the partner missed about one person,
/// in lists too; each counted up to `most`, or twice that.
pub(in crate::exchange) async fn misses(
    tx: &mut Tx,
    partner: PartnerId,
    officer: &str,
    subject: &[u8; 32],
    (since, most): (OffsetDateTime, i64),
) -> Result<(i64, i64), StoreError> {
    let begin: RequestId = Id::first_at(since);
    let sql = sql!(
        "select (select count(*) from (select id from exchange_request
                 where partner_id = $1 and officer = $2 and id > $4 and missed limit $5) of_officer) as of_officer,
                (select count(*) from (select id from exchange_request
                 where partner_id = $1 and subject = $3 and id > $4 and missed limit $5) of_subject)
                + (select count(*) from (select line from exchange_miss
                   where partner_id = $1 and subject = $3 and request_id > $4 limit $5) of_lists) as of_subject"
    );
    let row = tx.one(sql, args![partner, officer, subject, begin, most]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.get("of_officer")?, row.get("of_subject")?)))
}

/// As [`misses`], of several questions at once: of each its officer and whom it is about, answered in their order. One
/// plan serves lists of all lengths: the planner does not see how long they are.
pub(in crate::exchange) async fn misses_of(
    tx: &mut Tx,
    partner: PartnerId,
    questions: Vec<(String, [u8; 32])>,
    (since, most): (OffsetDateTime, i64),
) -> Result<Vec<(i64, i64)>, StoreError> {
    let begin: RequestId = Id::first_at(since);
    let (officers, subjects) =
        questions.into_iter().map(|(officer, subject)| (officer, hex::encode(subject))).unzip::<_, _, Vec<_>, Vec<_>>();
    let sql = sql!(
        pg "select (select count(*) from (select id from exchange_request
                    where partner_id = $1 and officer = asked.officer and id > $4 and missed limit $5) of_officer)
                   as of_officer,
                   (select count(*) from (select id from exchange_request
                    where partner_id = $1 and subject = decode(asked.subject, 'hex') and id > $4 and missed limit $5)
                    of_subject)
                   + (select count(*) from (select line from exchange_miss
                      where partner_id = $1 and subject = decode(asked.subject, 'hex') and request_id > $4 limit $5)
                      of_lists) as of_subject
            from unnest((select $2::text[]), (select $3::text[])) with ordinality as asked (officer, subject, place)
            order by place",
        lite "select (select count(*) from (select id from exchange_request
                      where partner_id = $1 and officer = o.value and id > $4 and missed limit $5) of_officer)
                     as of_officer,
                     (select count(*) from (select id from exchange_request
                      where partner_id = $1 and subject = unhex(s.value) and id > $4 and missed limit $5) of_subject)
                     + (select count(*) from (select line from exchange_miss
                        where partner_id = $1 and subject = unhex(s.value) and request_id > $4 limit $5) of_lists)
                     as of_subject
              from json_each($2) o join json_each($3) s on s.key = o.key order by o.key",
    );
    let arguments = args![partner, Argument::Texts(officers), Argument::Texts(subjects), begin, most];
    let rows = tx.all(sql, arguments).await?;
    rows.iter().map(|row| Ok((row.get("of_officer")?, row.get("of_subject")?))).collect()
}

/// Takes so much of a day's quota, or what is left of it. Returns how much was taken.
pub(in crate::exchange) async fn spend(
    tx: &mut Tx,
    agreement: AgreementId,
    place: i64,
    day: Date,
    (wanted, limit): (i64, i64),
) -> Result<i64, StoreError> {
    let sql = sql!(
        "insert into exchange_usage (agreement_id, place, day, used) values ($1, $2, $3, 0)
         on conflict (agreement_id, place, day) do nothing"
    );
    tx.run(sql, args![agreement, place, day]).await?;
    let sql =
        sql!("select agreement_id as id, used from exchange_usage where agreement_id = $1 and place = $2 and day = $3");
    let used = tx.one_locked(sql, args![agreement, place, day]).await?;
    let used: i64 = used.map_or(Ok(0), |row| row.get("used"))?;
    let taken = wanted.min(limit - used).max(0);
    if taken > 0 {
        let sql =
            sql!("update exchange_usage set used = used + $4 where agreement_id = $1 and place = $2 and day = $3");
        tx.run(sql, args![agreement, place, day, taken]).await?;
    }
    Ok(taken)
}

/// Notes by which name a partner knows a person.
pub(in crate::exchange) async fn note_pseudonym(
    tx: &mut Tx,
    partner: PartnerId,
    pseudonym: &str,
    person: PersonId,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into exchange_pseudonym (partner_id, pseudonym, person_id) values ($1, $2, $3)
         on conflict (partner_id, pseudonym) do nothing"
    );
    tx.run(sql, args![partner, pseudonym, person]).await?;
    Ok(())
}

/// Returns the person whom a partner knows by this name.
pub(in crate::exchange) async fn by_pseudonym(
    tx: &mut Tx,
    partner: PartnerId,
    pseudonym: &str,
) -> Result<Option<PersonId>, StoreError> {
    let sql = sql!("select person_id as id from exchange_pseudonym where partner_id = $1 and pseudonym = $2");
    tx.one(sql, args![partner, pseudonym]).await?.map(|row| Id::of(&row, "id")).transpose()
}

/// A request, as persons are told of it.
pub(in crate::exchange) struct Told {
    /// Our identifier.
    pub id: RequestId,
    /// The authority.
    pub partner: PartnerId,
    /// Code of the purpose.
    pub purpose: String,
    /// The service.
    pub service: String,
    /// The unit that asked.
    pub unit: String,
    /// The fields, with commas.
    pub fields: String,
    /// What came of it.
    pub outcome: String,
}

/// Returns what persons are told of these requests.
pub(in crate::exchange) async fn told(tx: &mut Tx, ids: &[RequestId]) -> Result<Vec<Told>, StoreError> {
    let ids = Argument::Uuids(ids.iter().map(|id| id.uuid()).collect());
    let sql = sql!(
        pg "select id, partner_id, purpose, service, unit, fields, outcome from exchange_request
            where id = any($1::uuid[]) order by id",
        lite "select id, partner_id, purpose, service, unit, fields, outcome from exchange_request
              where id in (select value from json_each($1)) order by id",
    );
    let rows = tx.all(sql, args![ids]).await?;
    rows.iter()
        .map(|row| {
            Ok(Told {
                id: Id::of(row, "id")?,
                partner: Id::of(row, "partner_id")?,
                purpose: row.get("purpose")?,
                service: row.get("service")?,
                unit: row.get("unit")?,
                fields: row.get("fields")?,
                outcome: row.get("outcome")?,
            })
        })
        .collect()
}

/// Erases answers that are kept no more, at most so many. Returns how many.
pub(in crate::exchange) async fn erase_answers(tx: &mut Tx, now: OffsetDateTime, most: i64) -> Result<u64, StoreError> {
    let sql = sql!(
        "update exchange_request set answer = null where id in (
             select id from exchange_request where kept_until <= $1 and answer is not null order by kept_until limit $2)"
    );
    tx.run(sql, args![now, most]).await
}
