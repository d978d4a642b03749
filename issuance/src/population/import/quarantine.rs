//! The verbs of the quarantine: rows of files from which no person could be made are read, corrected, judged again,
//! entered or dropped by officers of the file's office.

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

use super::super::duplicates::steps::compare;
use super::super::history::Evidence;
use super::super::model::Finding;
use super::super::quality::{self, Deltas, place_declared};
use super::super::store::hold_likeness;
use super::super::store::import::{self as store, Quarantined};
use super::super::{PopulationError, Register, rules, steps};
use super::columns::Declared;
use super::judge::{Fit, judge};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::{Actor, Service};
use crate::ground::ids::{BatchId, OfficerId, PersonId, QuarantinedId};
use crate::ground::{Decision, OfficeCode, Officer, OtherOffice};
use crate::store::StoreError;

/// Reads a row.
///
/// # Errors
/// [`QuarantineError`]
pub async fn read(deed: &mut Deed<Officer>, id: QuarantinedId) -> Result<Quarantined, QuarantineError> {
    let row = of_office(deed, id).await?;
    told(deed, Action::QuarantineRead, &row, None).await?;
    Ok(row)
}

/// Returns a page of the rows of an office that wait, oldest first; without what was declared.
///
/// # Errors
/// [`StoreError`]
pub async fn list(
    deed: &mut Deed<Officer>,
    office: &OfficeCode,
    after: QuarantinedId,
    most: i64,
) -> Result<Vec<Quarantined>, StoreError> {
    let rows = store::waiting(deed.tx(), office, after, most).await?;
    let entry = Entry::new(Action::QuarantineListed, Object::Asked("quarantine".into()), Purpose::Declaration);
    deed.enter(entry.of(office)).await?;
    Ok(rows)
}

/// Puts other texts into columns of a row, and judges it again. Returns what stands against it now, and what an officer
/// should look at in the person who would be made of it. Where an officer saw the whole row, `seen` is its
/// [digest](Quarantined::digest).
///
/// # Errors
/// [`QuarantineError::MovedOn`] if the row holds something else than what was seen; [`QuarantineError`]
pub async fn correct(
    deed: &mut Deed<Officer>,
    register: &Register,
    id: QuarantinedId,
    columns: &BTreeMap<String, String>,
    seen: Option<&str>,
) -> Result<Judgement, QuarantineError> {
    let mut row = waiting_of_office(deed, id).await?;
    was_seen(&row, seen)?;
    if columns.is_empty() && row.corrected.is_none() && row.findings.iter().any(of_the_line) {
        told(deed, Action::QuarantineRead, &row, None).await?;
        return Ok(Judgement { against: row.findings, findings: vec![] });
    }
    let mut declared = declared_in(&row)?;
    for (column, text) in columns {
        if !declared.set(column, text) {
            return Err(QuarantineError::ColumnUnknown(column.chars().take(60).collect()));
        }
    }
    let judgement = match judged(deed, register, &declared).await? {
        Ok((fit, found)) => Judgement { against: vec![], findings: fit.findings.into_iter().chain(found).collect() },
        Err(against) => Judgement { against, findings: vec![] },
    };
    waits_no_more(deed, register, &row).await?;
    row.declaration = declared.to_json();
    let place = place_declared(&row.declaration, register.reference(), deed.today());
    waits(deed, &place, 1).await?;
    row.place = Some(place);
    row.findings.clone_from(&judgement.against);
    row.corrected = Some(deed.decision());
    store::settle_quarantined(deed.tx(), &row).await?;
    told(deed, Action::QuarantineCorrected, &row, None).await?;
    Ok(judgement)
}

/// Counts, for the campaign, that so many more forms of a place wait.
async fn waits<A: Actor>(deed: &mut Deed<A>, place: &str, forms: i64) -> Result<(), StoreError> {
    let mut deltas = Deltas::default();
    deltas.quarantine(place, deed.today(), forms);
    quality::count(deed.tx(), &deltas).await?;
    Ok(())
}

/// Counts a form out where it was counted in: another district since then is no other place for it.
async fn waits_no_more<A: Actor>(deed: &mut Deed<A>, register: &Register, row: &Quarantined) -> Result<(), StoreError> {
    let place = match &row.place {
        Some(place) => place.clone(),
        // A row of a version before was counted when its file was read.
        None => {
            let batch = store::batch_of(deed.tx(), row.batch).await?;
            let day = batch.map_or_else(|| deed.today(), |batch| batch.begun.at.date());
            place_declared(&row.declaration, register.reference(), day)
        }
    };
    waits(deed, &place, -1).await
}

/// What is said of a row.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Judgement {
    /// What keeps it out of the register.
    pub against: Vec<Finding>,
    /// What an officer should look at, where nothing does.
    pub findings: Vec<Finding>,
}

/// Enters a row into the register, if nothing stands against it any more. Returns the person. Where an officer saw the
/// whole row, `seen` is its [digest](Quarantined::digest).
///
/// # Errors
/// [`QuarantineError::Declined`]; [`QuarantineError::MovedOn`] if the row holds something else than what was seen
pub async fn replay(
    deed: &mut Deed<Officer>,
    register: &Register,
    id: QuarantinedId,
    seen: Option<&str>,
) -> Result<(PersonId, Vec<Finding>), QuarantineError> {
    let mut row = waiting_of_office(deed, id).await?;
    was_seen(&row, seen)?;
    if row.corrected.is_none() && row.findings.iter().any(of_the_line) {
        return Err(QuarantineError::Declined(row.findings));
    }
    let declared = declared_in(&row)?;
    // What the register says is asked once more as the person enters.
    let (fit, _) = judged(deed, register, &declared).await?.map_err(QuarantineError::Declined)?;
    let batch = store::batch_of(deed.tx(), row.batch).await?;
    let name = batch.map(|batch| batch.file_name).unwrap_or_default();
    let evidence = Evidence::of_line(fit.form.as_deref(), &name, row.line);
    let declared = steps::Declared {
        office: Some(row.office.clone()),
        form: fit.form.clone(),
        declared_on: fit.declared_on,
        ..steps::Declared::new(fit.findings.clone(), evidence)
    };
    let entered = Box::pin(steps::enter_as(deed, register, &fit.person, declared)).await?;
    let steps::Entered { id: person, findings, .. } = entered;
    if let (Some(number), Some(book)) = (fit.number, register.numbers()) {
        let by = deed.decision();
        book.enter(deed.tx(), &[(number, person)], by).await?;
        super::super::store::set_number(deed.tx(), person, &number).await?;
    }
    row.findings = vec![];
    waits_no_more(deed, register, &row).await?;
    (row.state, row.corrected, row.person) = ("replayed".to_owned(), Some(deed.decision()), Some(person));
    store::settle_quarantined(deed.tx(), &row).await?;
    told(deed, Action::QuarantineReplayed, &row, None).await?;
    Ok((person, findings))
}

/// Drops a row for a reason: it was entered another way, or is no declaration.
///
/// # Errors
/// [`QuarantineError`]
pub async fn dismiss(
    deed: &mut Deed<Officer>,
    register: &Register,
    id: QuarantinedId,
    reason: &str,
) -> Result<(), QuarantineError> {
    let mut row = waiting_of_office(deed, id).await?;
    waits_no_more(deed, register, &row).await?;
    (row.state, row.corrected) = ("dropped".to_owned(), Some(deed.decision()));
    store::settle_quarantined(deed.tx(), &row).await?;
    told(deed, Action::QuarantineDropped, &row, Some(reason)).await?;
    Ok(())
}

/// Drops the rows of a file that wait, those alone that a rule keeps out where one is named, in the name of an officer
/// and for a reason: a page of them. Returns how many.
///
/// # Errors
/// [`QuarantineError::Unknown`] if there is no such file; [`QuarantineError::OtherOffice`]
pub async fn dismiss_all(
    deed: &mut Deed<Service>,
    register: &Register,
    batch: BatchId,
    rule: Option<&str>,
    (officer, office): (OfficerId, &OfficeCode),
    reason: &str,
) -> Result<u64, QuarantineError> {
    let file = store::batch_of(deed.tx(), batch).await?.ok_or(QuarantineError::Unknown)?;
    if file.office != *office {
        return Err(OtherOffice.into());
    }
    let (mut dropped, mut after) = (0, 0);
    while dropped < PAGE {
        let rows = store::waiting_of(deed.tx(), batch, after, 1000).await?;
        let Some(last) = rows.last() else { break };
        after = last.line;
        for row in rows.iter().filter(|row| rule.is_none_or(|rule| row.findings.iter().any(|f| f.rule == rule))) {
            // Locked: an officer may be at it.
            let Some(mut row) = store::quarantined_locked(deed.tx(), row.id).await? else { continue };
            if row.state != WAITING {
                continue;
            }
            waits_no_more(deed, register, &row).await?;
            let by = Decision { by: officer, at: deed.at() };
            (row.state, row.corrected) = ("dropped".to_owned(), Some(by));
            store::settle_quarantined(deed.tx(), &row).await?;
            let entry = Entry::new(Action::QuarantineDropped, Object::Quarantined(row.id), Purpose::Declaration);
            deed.enter(entry.of(&row.office).with(Object::Officer(officer)).because(reason)).await?;
            dropped += 1;
        }
    }
    Ok(dropped)
}

/// So many rows are dropped in one transaction, and some more.
pub const PAGE: u64 = 1000;
/// The state of a row that waits.
const WAITING: &str = "waiting";

/// A row of a file that comes in the place of one in quarantine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replacing {
    /// The file of the row that waits.
    pub batch: BatchId,
    /// Its line.
    pub line: u64,
    /// The line of the row that comes in its place.
    pub by_line: u64,
    /// The person who was made of that one; `None` if it waits in its turn.
    pub person: Option<PersonId>,
}

/// Settles the rows in quarantine in whose place rows of a mended export come, where they still wait
/// and are of the same office.
pub(super) async fn replaced(
    deed: &mut Deed<Service>,
    register: &Register,
    file: &store::Batch,
    all: &[Replacing],
) -> Result<(), StoreError> {
    for one in all.iter().filter(|one| one.batch != file.id) {
        let Some(mut row) = store::quarantined_on(deed.tx(), one.batch, one.line).await? else { continue };
        if row.state != WAITING || row.office != file.office {
            continue;
        }
        waits_no_more(deed, register, &row).await?;
        let by = Decision { by: file.begun.by, at: deed.at() };
        (row.state, row.corrected, row.person) = ("replaced".to_owned(), Some(by), one.person);
        store::settle_quarantined(deed.tx(), &row).await?;
        let reason = format!("replaced by line {} of another file", one.by_line);
        let entry = Entry::new(Action::QuarantineReplayed, Object::Quarantined(row.id), Purpose::Declaration);
        let entry = entry.of(&row.office).with(Object::Batch(file.id)).because(reason);
        deed.enter(Entry { person: row.person, ..entry }).await?;
    }
    Ok(())
}

/// True for a fault of the line itself: what was read of it may stand in the wrong columns.
fn of_the_line(finding: &Finding) -> bool {
    let faults = [
        rules::BYTES_NOT_UTF8,
        rules::BYTE_NUL,
        rules::COLUMNS_DIFFER,
        rules::QUOTE_MISPLACED,
        rules::ROW_TOO_LONG,
        rules::FIELD_TOO_LONG,
        rules::JSON_MALFORMED,
        rules::JSON_KEY_TWICE,
    ];
    faults.iter().any(|rule| rule.id == finding.rule)
}

/// Judges a declaration by itself and against the register. Returns what can enter, and what an officer should look at
/// since the register says so.
async fn judged(
    deed: &mut Deed<Officer>,
    register: &Register,
    declared: &Declared,
) -> Result<Result<(Fit, Vec<Finding>), Vec<Finding>>, StoreError> {
    let fit = match judge(declared, register.reference(), deed.today()) {
        Ok(fit) => fit,
        Err(findings) => return Ok(Err(findings)),
    };
    // Those who come at the same moment wait for each other.
    hold_likeness(deed.tx(), &fit.person).await?;
    let taken = match (register.numbers(), &fit.number) {
        (Some(book), Some(number)) => !book.taken(deed.tx(), &[*number]).await?.is_empty(),
        _ => false,
    };
    let compared = compare(deed.tx(), &fit.person, fit.number.as_ref(), None).await?;
    let mut against = vec![];
    if taken {
        against.push(Finding::number_taken());
    }
    if compared.same {
        against.push(Finding::declared_already());
    }
    Ok(if against.is_empty() { Ok((fit, compared.findings())) } else { Err(against) })
}

fn declared_in(row: &Quarantined) -> Result<Declared, QuarantineError> {
    let Value::Object(all) = row.declaration.clone() else { return Ok(Declared::default()) };
    Declared::from_json(all).map_err(|_| StoreError::inconsistent("quarantined", "declaration", row.id).into())
}

async fn of_office(deed: &mut Deed<Officer>, id: QuarantinedId) -> Result<Quarantined, QuarantineError> {
    let row = store::quarantined_locked(deed.tx(), id).await?.ok_or(QuarantineError::Unknown)?;
    deed.actor().may_act_for(&row.office)?;
    Ok(row)
}

async fn waiting_of_office(deed: &mut Deed<Officer>, id: QuarantinedId) -> Result<Quarantined, QuarantineError> {
    let row = of_office(deed, id).await?;
    if row.state == WAITING { Ok(row) } else { Err(QuarantineError::Unknown) }
}

fn was_seen(row: &Quarantined, seen: Option<&str>) -> Result<(), QuarantineError> {
    if seen.is_none_or(|seen| seen == row.digest()) { Ok(()) } else { Err(QuarantineError::MovedOn) }
}

async fn told<A: Actor>(
    deed: &mut Deed<A>,
    action: Action,
    row: &Quarantined,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    let entry = Entry::new(action, Object::Quarantined(row.id), Purpose::Declaration);
    let entry = entry.of(&row.office).with(Object::Batch(row.batch));
    deed.enter(Entry { person: row.person, reason: reason.map(str::to_owned), ..entry }).await
}

/// A file, as far as it was read, and how many of its rows wait.
pub type FileAndWaiting = (store::Batch, u64);

/// Returns the files, newest first, for the owner of the key file.
///
/// # Errors
/// [`StoreError`]
pub async fn files(tx: &mut crate::store::Tx) -> Result<Vec<FileAndWaiting>, StoreError> {
    let mut all = vec![];
    for batch in store::batches(tx, 1000).await? {
        let waiting = store::count_waiting(tx, batch.id).await?;
        all.push((batch, waiting));
    }
    Ok(all)
}

/// Returns the rows of a file that wait, for an export by the owner of the key file; the export is recorded.
///
/// # Errors
/// [`QuarantineError::Unknown`] if there is no such file.
pub async fn exported<A: Actor>(
    deed: &mut Deed<A>,
    batch: BatchId,
    after: u64,
) -> Result<Vec<Quarantined>, QuarantineError> {
    let file = store::batch_of(deed.tx(), batch).await?.ok_or(QuarantineError::Unknown)?;
    let entry = Entry::new(Action::QuarantineListed, Object::Batch(batch), Purpose::Declaration);
    deed.enter(entry.of(&file.office).because("exported")).await?;
    Ok(store::waiting_of(deed.tx(), batch, after, 1000).await?)
}

/// The head of an export: the columns of a file, and what the quarantine says.
#[must_use]
pub fn export_header() -> String {
    let names = super::columns::OF_QUARANTINE.iter().map(|name| (*name).to_owned()).chain(super::names());
    csv_row(names)
}

/// A row of an export, which can be mended and imported again.
#[must_use]
pub fn export_row(row: &Quarantined) -> String {
    let declared = declared_in(row).map(|declared| declared.by_column()).unwrap_or_default();
    let all = |part: fn(&Finding) -> String| row.findings.iter().map(part).collect::<Vec<_>>().join("; ");
    let of_quarantine = [
        row.batch.to_string(),
        row.line.to_string(),
        all(|finding| format!("{} {} {}", finding.rule, finding.code, finding.field)),
        all(|finding| finding.message.clone()),
        all(|finding| finding.shape.clone().unwrap_or_default()),
        all(|finding| {
            finding.repair.as_ref().map_or(String::new(), |repair| match &repair.put {
                Some(put) => format!("{}: {} = {}", repair.says, put.field, put.value),
                None => repair.says.clone(),
            })
        }),
        // The line as it came, of a row that could not be read.
        row.raw.clone().unwrap_or_default(),
    ];
    let columns = super::names()
        .into_iter()
        .map(|name| declared.get(&name).and_then(Value::as_str).unwrap_or_default().to_owned());
    csv_row(of_quarantine.into_iter().chain(columns))
}

fn csv_row(fields: impl Iterator<Item = String>) -> String {
    fields.map(|field| super::csv_field(&field).into_owned()).collect::<Vec<_>>().join(",")
}

/// Why nothing is done about a row in quarantine.
#[derive(Debug, Error)]
pub enum QuarantineError {
    /// No column of a file has this name.
    #[error("no column is called `{0}`")]
    ColumnUnknown(String),
    /// Something stands against it still.
    #[error("{}", .0.iter().map(|f| format!("{}: {} ({})", f.field, f.message, f.code)).collect::<Vec<_>>().join("; "))]
    Declined(Vec<Finding>),
    /// The row was corrected after the officer looked at it.
    #[error("the row holds something else now")]
    MovedOn,
    /// Another office's row.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// The register.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such row, or it waits no more.
    #[error("no row with this id waits in quarantine")]
    Unknown,
}
