//! SQL of classifications and of questions to the archives of papers.

use time::{Date, OffsetDateTime};

use super::progress::LateRow;
use crate::applications::model::Application;
use crate::applications::paper_archive::{Answer, ArchiveOutcome, ArchiveRequest, Classification, Papers, Work};
use crate::ground::ids::{ApplicationId, ArchiveRequestId, OfficerId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Classifications carry a MAC: one that another hand wrote would spare a card the look-up.
pub const CLASSIFICATION: Sealed = Sealed {
    table: "classification",
    columns: &[
        ("application_id", Kind::Uuid),
        ("person_id", Kind::Uuid),
        ("office", Kind::Text),
        ("due_on", Kind::Day),
        ("papers", Kind::Text),
        ("province", Kind::Text),
        ("needed", Kind::Truth),
        ("classified_by", Kind::Uuid),
        ("classified_at", Kind::Moment),
        ("ended_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select application_id, person_id, office, due_on, papers, province, needed, classified_by, classified_at,
                ended_at, version, mac
         from classification where application_id = $1"
    ),
    all: sql!(
        "select application_id, person_id, office, due_on, papers, province, needed, classified_by, classified_at,
                ended_at, version, mac
         from classification order by application_id"
    ),
    set: sql!("update classification set version = $1, mac = $2 where application_id = $3"),
};

/// Questions to an archive carry a MAC: an answer that another hand wrote would let a card be made.
pub const ARCHIVE_REQUEST: Sealed = Sealed {
    table: "archive_request",
    columns: &[
        ("id", Kind::Uuid),
        ("application_id", Kind::Uuid),
        ("person_id", Kind::Uuid),
        ("ordinal", Kind::Integer),
        ("papers", Kind::Text),
        ("province", Kind::Text),
        ("from_office", Kind::Text),
        ("to_office", Kind::Text),
        ("words", Kind::Text),
        ("asked_by", Kind::Uuid),
        ("asked_at", Kind::Moment),
        ("due_on", Kind::Day),
        ("outcome", Kind::Text),
        ("answer", Kind::Json),
        ("answered_by", Kind::Uuid),
        ("answered_at", Kind::Moment),
        ("ended_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, application_id, person_id, ordinal, papers, province, from_office, to_office, words, asked_by,
                asked_at, due_on, outcome, answer, answered_by, answered_at, ended_at, version, mac
         from archive_request where id = $1"
    ),
    all: sql!(
        "select id, application_id, person_id, ordinal, papers, province, from_office, to_office, words, asked_by,
                asked_at, due_on, outcome, answer, answered_by, answered_at, ended_at, version, mac
         from archive_request order by id"
    ),
    set: sql!("update archive_request set version = $1, mac = $2 where id = $3"),
};

/// Sees to it that an application is classified until a day, unless it is already; one whose classification ended with
/// it goes on with it. The caller holds the application.
pub(in crate::applications) async fn await_classification(
    tx: &mut Tx,
    application: &Application,
    due: Date,
) -> Result<(), StoreError> {
    let id = application.id;
    let Some(row) = tx.sealed_locked(&CLASSIFICATION, id).await? else {
        return insert(tx, application, Some(due), None).await;
    };
    if row.get::<Option<OffsetDateTime>>("ended_at")?.is_none() {
        return Ok(());
    }
    let due = if row.get::<Option<String>>("papers")?.is_some() { row.get("due_on")? } else { Some(due) };
    let sql = sql!("update classification set ended_at = null, due_on = $1 where application_id = $2");
    tx.change(&CLASSIFICATION, id, sql, args![due, id]).await?;
    Ok(())
}

/// Writes down where the papers lie, in place of what was said before.
pub(in crate::applications) async fn classify(
    tx: &mut Tx,
    application: &Application,
    said: &Classification,
) -> Result<(), StoreError> {
    let id = application.id;
    if tx.sealed_locked(&CLASSIFICATION, id).await?.is_none() {
        return insert(tx, application, None, Some(said)).await;
    }
    let sql = sql!(
        "update classification set papers = $1, province = $2, needed = $3, classified_by = $4, classified_at = $5
         where application_id = $6"
    );
    let Classification { papers, province, needed, classified } = said;
    let province = province.map(|code| code.to_string());
    let arguments = args![papers.word(), province, *needed, classified.by, classified.at, id];
    tx.change(&CLASSIFICATION, id, sql, arguments).await?;
    Ok(())
}

async fn insert(
    tx: &mut Tx,
    application: &Application,
    due: Option<Date>,
    said: Option<&Classification>,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into classification (application_id, person_id, office, due_on, papers, province, needed, classified_by,
                                     classified_at, version, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    );
    let province = said.and_then(|said| said.province).map(|code| code.to_string());
    let values = args![
        application.id,
        application.person,
        &application.office,
        due,
        said.map(|said| said.papers.word()),
        province,
        said.map(|said| said.needed),
        said.map(|said| said.classified.by),
        said.map(|said| said.classified.at)
    ];
    tx.insert_sealed(&CLASSIFICATION, sql, values).await
}

/// Returns what was said of an application's papers; none while it waits to be said. The deed owes a record that names
/// the person.
pub(in crate::applications) async fn classification(
    tx: &mut Tx,
    id: ApplicationId,
) -> Result<Option<Classification>, StoreError> {
    let Some(row) = tx.sealed(&CLASSIFICATION, id).await? else { return Ok(None) };
    let Some(papers) = row.get::<Option<String>>("papers")? else { return Ok(None) };
    let papers = Papers::named(&papers).ok_or_else(|| row.inconsistent("papers"))?;
    let classified = Decision { by: Id::of(&row, "classified_by")?, at: row.get("classified_at")? };
    let needed = row.get::<Option<bool>>("needed")?.unwrap_or(false);
    Ok(Some(Classification { papers, province: row.parsed_optional("province")?, needed, classified }))
}

/// Ends what is still to be done about the papers of an application that ended. The caller holds the application.
pub(in crate::applications) async fn end(tx: &mut Tx, id: ApplicationId, at: OffsetDateTime) -> Result<(), StoreError> {
    // Without a classification nothing was asked.
    let Some(row) = tx.sealed_locked(&CLASSIFICATION, id).await? else { return Ok(()) };
    if row.get::<Option<OffsetDateTime>>("ended_at")?.is_none() {
        let sql = sql!("update classification set ended_at = $1 where application_id = $2");
        tx.change(&CLASSIFICATION, id, sql, args![at, id]).await?;
    }
    for request in of_application(tx, id).await?.iter().filter(|request| request.is_open()) {
        let sql = sql!("update archive_request set ended_at = $1 where id = $2");
        tx.change(&ARCHIVE_REQUEST, request.id, sql, args![at, request.id]).await?;
    }
    Ok(())
}

/// Keeps a question to an archive.
pub(in crate::applications) async fn ask(tx: &mut Tx, request: &ArchiveRequest) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into archive_request (id, application_id, person_id, ordinal, papers, province, from_office, to_office,
                                      words, asked_by, asked_at, due_on, version, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
    );
    let values = args![
        request.id,
        request.application,
        request.person,
        request.ordinal,
        request.papers.word(),
        request.province.map(|code| code.to_string()),
        &request.from,
        &request.to,
        &request.words,
        request.asked.by,
        request.asked.at,
        request.due_on
    ];
    tx.insert_sealed(&ARCHIVE_REQUEST, sql, values).await
}

/// Keeps what an archive answered.
pub(in crate::applications) async fn answer(
    tx: &mut Tx,
    id: ArchiveRequestId,
    outcome: ArchiveOutcome,
    answer: &Answer,
    answered: &Decision,
) -> Result<(), StoreError> {
    let sql =
        sql!("update archive_request set outcome = $1, answer = $2, answered_by = $3, answered_at = $4 where id = $5");
    let arguments = args![outcome.word(), Argument::json(answer), answered.by, answered.at, id];
    tx.change(&ARCHIVE_REQUEST, id, sql, arguments).await?;
    Ok(())
}

/// Empties what was asked of archives about an application, and what they answered: how it ended stays.
pub(in crate::applications) async fn forget_words(tx: &mut Tx, id: ApplicationId) -> Result<(), StoreError> {
    let found = sql!(
        "select id, application_id, person_id, ordinal, papers, province, from_office, to_office, words, asked_by,
                asked_at, due_on, outcome, answer, answered_by, answered_at, ended_at, version, mac
         from archive_request where application_id = $1 order by ordinal"
    );
    let sql = sql!("update archive_request set words = '', answer = null where id = $1");
    tx.change_found(&ARCHIVE_REQUEST, (found, args![id]), sql, args![]).await
}

/// Returns a question to an archive. The deed owes a record that names the person.
pub(in crate::applications) async fn request(
    tx: &mut Tx,
    id: ArchiveRequestId,
) -> Result<Option<ArchiveRequest>, StoreError> {
    tx.sealed(&ARCHIVE_REQUEST, id).await?.as_ref().map(read).transpose()
}

/// Returns the questions that were asked about an application, the first one first. The deed owes a record that names
/// the person.
pub(in crate::applications) async fn of_application(
    tx: &mut Tx,
    id: ApplicationId,
) -> Result<Vec<ArchiveRequest>, StoreError> {
    let sql = sql!(
        "select id, application_id, person_id, ordinal, papers, province, from_office, to_office, words, asked_by,
                asked_at, due_on, outcome, answer, answered_by, answered_at, ended_at, version, mac
         from archive_request where application_id = $1 order by ordinal"
    );
    tx.all_sealed(&ARCHIVE_REQUEST, sql, args![id]).await?.iter().map(read).collect()
}

/// Returns a page of the questions to the archive of an office (the national office: to all), each with whether its MAC
/// holds; those that are answered or ended only where they are asked for.
pub(in crate::applications) async fn listed(
    tx: &mut Tx,
    office: &OfficeCode,
    answered: bool,
    after: ArchiveRequestId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, application_id, person_id, ordinal, papers, province, from_office, to_office, words, asked_by,
                asked_at, due_on, outcome, answer, answered_by, answered_at, ended_at, version, mac
         from archive_request
         where (to_office = $1 or $1 = 'national') and ((answered_at is null and ended_at is null) or $2) and id > $3
         order by id limit $4"
    );
    tx.all_judged(&ARCHIVE_REQUEST, sql, args![office, answered, after, most]).await
}

/// Returns applications of an office (the national office: of all) that wait to be classified, each with its day, by
/// id, after this one.
pub(in crate::applications) async fn unclassified(
    tx: &mut Tx,
    office: &OfficeCode,
    after: ApplicationId,
    most: i64,
) -> Result<Vec<(ApplicationId, Option<Date>)>, StoreError> {
    let sql = sql!(
        "select application_id, due_on from classification
         where papers is null and ended_at is null and (office = $1 or $1 = 'national') and application_id > $2
         order by application_id limit $3"
    );
    let rows = tx.all(sql, args![office, after, most]).await?;
    rows.iter().map(|row| Ok((Id::of(row, "application_id")?, row.get("due_on")?))).collect()
}

/// Returns late classifications and look-ups of which the national office was not told, each with
/// whether its own office was.
pub(in crate::applications) async fn late_unsaid(tx: &mut Tx, today: Date) -> Result<Vec<(Work, bool)>, StoreError> {
    let sql = sql!(
        "select c.application_id as id,
             (select count(*) from application_reminder r
              where r.application_id = c.application_id and r.moves = 0 and r.kind = 'classification-late') as reminded
         from classification c
         where c.papers is null and c.ended_at is null and c.due_on < $1
             and not exists (select 1 from application_reminder r
                             where r.application_id = c.application_id and r.moves = 0
                                 and r.kind = 'classification-escalated')
         order by c.due_on, c.application_id limit 10000"
    );
    let mut late = Vec::new();
    for row in tx.all(sql, args![today]).await? {
        late.push((Work::Classification(Id::of(&row, "id")?), row.get::<i64>("reminded")? > 0));
    }
    let sql = sql!(
        "select q.id, q.application_id,
             (select count(*) from application_reminder r
              where r.application_id = q.application_id and r.moves = q.ordinal and r.kind = 'archive-late') as reminded
         from archive_request q
         where q.answered_at is null and q.ended_at is null and q.due_on < $1
             and not exists (select 1 from application_reminder r
                             where r.application_id = q.application_id and r.moves = q.ordinal
                                 and r.kind = 'archive-escalated')
         order by q.due_on, q.id limit 10000"
    );
    for row in tx.all(sql, args![today]).await? {
        let work = Work::LookUp(Id::of(&row, "application_id")?, Id::of(&row, "id")?);
        late.push((work, row.get::<i64>("reminded")? > 0));
    }
    Ok(late)
}

/// Returns the day of a classification that waits to be made; none for one that does not wait.
pub(in crate::applications) async fn waits(tx: &mut Tx, id: ApplicationId) -> Result<Option<Date>, StoreError> {
    let Some(row) = tx.sealed(&CLASSIFICATION, id).await? else { return Ok(None) };
    let ended: Option<OffsetDateTime> = row.get("ended_at")?;
    let open = row.get::<Option<String>>("papers")?.is_none() && ended.is_none();
    Ok(row.get::<Option<Date>>("due_on")?.filter(|_| open))
}

/// Returns late classifications and look-ups, as applications that are late are listed.
///
/// # Errors
/// [`StoreError`]
pub async fn late(tx: &mut Tx, today: Date) -> Result<Vec<LateRow>, StoreError> {
    let of_classifications = sql!(
        "select c.application_id as id, 'classification' as stage, c.office as owner_office, 'capture' as owner, c.due_on,
             (select r.said_at from application_reminder r
              where r.application_id = c.application_id and r.moves = 0 and r.kind = 'classification-late') as reminded_at,
             (select r.said_at from application_reminder r
              where r.application_id = c.application_id and r.moves = 0
                  and r.kind = 'classification-escalated') as escalated_at
         from classification c where c.papers is null and c.ended_at is null and c.due_on < $1
         order by c.office, c.due_on, c.application_id"
    );
    let of_requests = sql!(
        "select q.application_id as id, 'archive-look-up' as stage, q.to_office as owner_office, 'registrar' as owner,
             q.due_on,
             (select r.said_at from application_reminder r
              where r.application_id = q.application_id and r.moves = q.ordinal and r.kind = 'archive-late') as reminded_at,
             (select r.said_at from application_reminder r
              where r.application_id = q.application_id and r.moves = q.ordinal
                  and r.kind = 'archive-escalated') as escalated_at
         from archive_request q where q.answered_at is null and q.ended_at is null and q.due_on < $1
         order by q.to_office, q.due_on, q.id"
    );
    let mut rows = tx.all(of_classifications, args![today]).await?;
    rows.extend(tx.all(of_requests, args![today]).await?);
    let late = |row: &Record| {
        Ok(LateRow {
            id: Id::of(row, "id")?,
            stage: row.get("stage")?,
            owner_office: row.get("owner_office")?,
            owner: row.get("owner")?,
            due: row.get("due_on")?,
            reminded_at: row.get("reminded_at")?,
            escalated_at: row.get("escalated_at")?,
        })
    };
    rows.iter().map(late).collect()
}

/// Returns the offices and roles that have classifications and look-ups to make, each with how many.
///
/// # Errors
/// [`StoreError`]
pub async fn owners(tx: &mut Tx) -> Result<Vec<(String, String, u64)>, StoreError> {
    let of_classifications = sql!(
        "select office, 'capture' as owner, count(*) as n from classification
         where papers is null and ended_at is null group by office order by office"
    );
    let of_requests = sql!(
        "select to_office as office, 'registrar' as owner, count(*) as n from archive_request
         where answered_at is null and ended_at is null group by to_office order by to_office"
    );
    let mut rows = tx.all(of_classifications, args![]).await?;
    rows.extend(tx.all(of_requests, args![]).await?);
    rows.iter().map(|row| Ok((row.get("office")?, row.get("owner")?, row.number("n")?))).collect()
}

/// Reads a question from its row.
pub(in crate::applications) fn read(row: &Record) -> Result<ArchiveRequest, StoreError> {
    let papers: String = row.get("papers")?;
    let outcome = row.get::<Option<String>>("outcome")?;
    let outcome = outcome.map(|word| ArchiveOutcome::named(&word).ok_or_else(|| row.inconsistent("outcome")));
    let answer: Option<serde_json::Value> = row.get("answer")?;
    let answer = answer.map(serde_json::from_value).transpose().map_err(|_| row.inconsistent("answer"))?;
    let (by, at): (Option<OfficerId>, Option<OffsetDateTime>) =
        (Id::of_optional(row, "answered_by")?, row.get("answered_at")?);
    let answered = by.zip(at).map(|(by, at)| Decision { by, at });
    Ok(ArchiveRequest {
        id: Id::of(row, "id")?,
        application: Id::of(row, "application_id")?,
        person: Id::of(row, "person_id")?,
        ordinal: row.number("ordinal")?,
        papers: Papers::named(&papers).ok_or_else(|| row.inconsistent("papers"))?,
        province: row.parsed_optional("province")?,
        from: row.parsed("from_office")?,
        to: row.parsed("to_office")?,
        words: row.get("words")?,
        asked: Decision { by: Id::of(row, "asked_by")?, at: row.get("asked_at")? },
        due_on: row.get("due_on")?,
        answered: outcome.transpose()?.zip(answered),
        answer,
        ended_at: row.get("ended_at")?,
    })
}
