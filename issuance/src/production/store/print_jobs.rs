//! SQL of the print jobs. `pending`: no file yet; `written`: the file lies in the outbox; `ending`: the file is to be
//! removed; `ended`: it is.

use crypto::identity::CardSerial;
use time::OffsetDateTime;

use crate::ground::Id;
use crate::ground::ids::{ApplicationId, DocumentId, PrintJobId};
use crate::production::model::ChipStateName;
use crate::store::{StoreError, Tx};
use crate::{args, sql};

/// A print job with something to do about its file.
#[derive(Clone, Copy, Debug)]
pub(in crate::production) struct DueJob {
    pub id: PrintJobId,
    pub document: DocumentId,
    /// The chip whose body it is.
    pub serial: CardSerial,
    /// True if the file is to be removed; false if it is to be written.
    pub ends: bool,
}

/// Makes the print job of a document. Returns false if there is one.
pub(in crate::production) async fn insert(
    tx: &mut Tx,
    id: PrintJobId,
    document: DocumentId,
    application: ApplicationId,
    serial: &CardSerial,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "insert into print_job (id, document_id, application_id, serial, state, made_at)
         values ($1, $2, $3, $4, 'pending', $5) on conflict (document_id) do nothing"
    );
    Ok(tx.run(sql, args![id, document, application, serial.to_string(), at]).await? == 1)
}

/// Returns print jobs with something to do, the oldest first, after this one.
pub(in crate::production) async fn due(tx: &mut Tx, after: PrintJobId, most: i64) -> Result<Vec<DueJob>, StoreError> {
    let sql = sql!(
        "select id, document_id, serial, state from print_job where state in ('pending', 'ending') and id > $1
         order by id limit $2"
    );
    let rows = tx.all(sql, args![after, most]).await?;
    let mut due = Vec::new();
    for row in &rows {
        let ends = row.get::<String>("state")? == "ending";
        let (id, document) = (Id::of(row, "id")?, Id::of(row, "document_id")?);
        due.push(DueJob { id, document, serial: row.parsed("serial")?, ends });
    }
    Ok(due)
}

/// Returns how many print jobs were made before this moment and still have something to do.
///
/// # Errors
/// [`StoreError`]
pub async fn waiting_since(tx: &mut Tx, before: OffsetDateTime) -> Result<u64, StoreError> {
    let sql = sql!("select count(*) as n from print_job where state in ('pending', 'ending') and made_at < $1");
    tx.one(sql, args![before]).await?.map_or(Ok(0), |row| row.number("n"))
}

/// Says that the file of a job was written, or removed; unless the job went on meanwhile.
pub(in crate::production) async fn done(tx: &mut Tx, job: &DueJob) -> Result<(), StoreError> {
    let (from, to) = if job.ends { ("ending", "ended") } else { ("pending", "written") };
    tx.run(sql!("update print_job set state = $1 where id = $2 and state = $3"), args![to, job.id, from]).await?;
    Ok(())
}

/// A print job whose file lies in the outbox, or is to be written.
pub(in crate::production) struct LyingJob {
    pub id: PrintJobId,
    pub serial: CardSerial,
    /// What its chip is; none where the ledger has no such chip.
    pub chip: Option<ChipStateName>,
    /// True while the document is there.
    pub has_document: bool,
}

/// Returns print jobs that did not end, the oldest first, after this one.
pub(in crate::production) async fn lying(
    tx: &mut Tx,
    after: PrintJobId,
    most: i64,
) -> Result<Vec<LyingJob>, StoreError> {
    let sql = sql!(
        "select j.id, j.serial, c.state,
                (select count(*) from document d where d.id = j.document_id and d.state in ('prepared', 'signed')) as documents
         from print_job j left join chip c on c.id = j.serial
         where j.state in ('pending', 'written') and j.id > $1 order by j.id limit $2"
    );
    let lying = |row: &crate::store::Record| {
        let word: Option<String> = row.get("state")?;
        let chip = word.and_then(|word| ChipStateName::ALL.into_iter().find(|state| state.word() == word));
        let has_document = row.get::<i64>("documents")? > 0;
        Ok(LyingJob { id: Id::of(row, "id")?, serial: row.parsed("serial")?, chip, has_document })
    };
    tx.all(sql, args![after, most]).await?.iter().map(lying).collect()
}

/// Ends a print job: its file is removed.
pub(in crate::production) async fn end(tx: &mut Tx, id: PrintJobId) -> Result<(), StoreError> {
    let sql = sql!("update print_job set state = 'ending' where id = $1 and state in ('pending', 'written')");
    tx.run(sql, args![id]).await?;
    Ok(())
}

/// Ends the print jobs of a chip: their files are removed.
pub(in crate::production) async fn end_of_chip(tx: &mut Tx, serial: &CardSerial) -> Result<(), StoreError> {
    let sql = sql!("update print_job set state = 'ending' where serial = $1 and state in ('pending', 'written')");
    tx.run(sql, args![serial.to_string()]).await?;
    Ok(())
}

/// Ends the print jobs of an application: their files are removed.
pub(in crate::production) async fn end_of_application(tx: &mut Tx, id: ApplicationId) -> Result<(), StoreError> {
    let sql =
        sql!("update print_job set state = 'ending' where application_id = $1 and state in ('pending', 'written')");
    tx.run(sql, args![id]).await?;
    Ok(())
}
