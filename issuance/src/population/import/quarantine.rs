//! The verbs of the quarantine: rows of files from which no person could be made are read, corrected, judged again,
//! entered or dropped by officers of the file's office.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use thiserror::Error;

use super::super::history::{Confidence, Evidence, FactSource, Form};
use super::super::model::Finding;
use super::super::quality::{self, Deltas, place_declared};
use super::super::store::import::{self as store, Quarantined};
use super::super::{PopulationError, Register, rules, steps};
use super::columns::Declared;
use super::judge::{Fit, judge};
use super::run::{against, declines};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::{BatchId, PersonId, QuarantinedId};
use crate::ground::{OfficeCode, Officer, OtherOffice};
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
/// should look at in the person who would be made of it.
///
/// # Errors
/// [`QuarantineError`]
pub async fn correct(
    deed: &mut Deed<Officer>,
    register: &Register,
    id: QuarantinedId,
    columns: &BTreeMap<String, String>,
) -> Result<Judgement, QuarantineError> {
    let mut row = waiting_of_office(deed, id).await?;
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
        Ok((_, findings)) => Judgement { against: vec![], findings },
        Err(against) => Judgement { against, findings: vec![] },
    };
    let before = std::mem::replace(&mut row.declaration, declared.to_json());
    waits(deed, register, &before, -1).await?;
    waits(deed, register, &row.declaration, 1).await?;
    row.findings.clone_from(&judgement.against);
    row.corrected = Some(deed.decision());
    store::settle_quarantined(deed.tx(), &row).await?;
    told(deed, Action::QuarantineCorrected, &row, None).await?;
    Ok(judgement)
}

/// Counts, for the campaign, that so many more forms of the place in this one wait.
async fn waits(
    deed: &mut Deed<Officer>,
    register: &Register,
    declaration: &Value,
    forms: i64,
) -> Result<(), StoreError> {
    let (mut deltas, today) = (Deltas::default(), deed.today());
    deltas.quarantine(&place_declared(declaration, register.reference(), today), today, forms);
    quality::count(deed.tx(), &deltas).await?;
    Ok(())
}

/// What is said of a row.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Judgement {
    /// What keeps it out of the register.
    pub against: Vec<Finding>,
    /// What an officer should look at, where nothing does.
    pub findings: Vec<Finding>,
}

/// Enters a row into the register, if nothing stands against it any more. Returns the person.
///
/// # Errors
/// [`QuarantineError::Declined`]
pub async fn replay(
    deed: &mut Deed<Officer>,
    register: &Register,
    id: QuarantinedId,
) -> Result<(PersonId, Vec<Finding>), QuarantineError> {
    let mut row = waiting_of_office(deed, id).await?;
    if row.corrected.is_none() && row.findings.iter().any(of_the_line) {
        return Err(QuarantineError::Declined(row.findings));
    }
    let declared = declared_in(&row)?;
    let (fit, findings) = judged(deed, register, &declared).await?.map_err(QuarantineError::Declined)?;
    let batch = store::batch_of(deed.tx(), row.batch).await?;
    let name = batch.map(|batch| batch.file_name).unwrap_or_default();
    let document = [format!("{name}, line {}", row.line), format!("line {}", row.line)];
    let evidence = Evidence {
        form: Form::File,
        source: FactSource::Citizen,
        document: document.into_iter().find_map(|text| text.try_into().ok()).unwrap_or_default(),
        confidence: Confidence::Declared,
    };
    // Whether a person like this is there is looked at once more, under a lock.
    let perhaps = Finding::perhaps_declared_before();
    let findings = findings.into_iter().filter(|finding| *finding != perhaps).collect();
    let steps::Entered { id: person, findings, .. } =
        steps::enter(deed, register, &fit.person, findings, evidence).await?;
    if let (Some(number), Some(book)) = (fit.number, register.numbers()) {
        let by = deed.decision();
        book.enter(deed.tx(), &[(number, person)], by).await?;
        super::super::store::set_number(deed.tx(), person, &number).await?;
    }
    row.findings = vec![];
    waits(deed, register, &row.declaration, -1).await?;
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
    waits(deed, register, &row.declaration, -1).await?;
    (row.state, row.corrected) = ("dropped".to_owned(), Some(deed.decision()));
    store::settle_quarantined(deed.tx(), &row).await?;
    told(deed, Action::QuarantineDropped, &row, Some(reason)).await?;
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
    ];
    faults.iter().any(|rule| rule.id == finding.rule)
}

/// Judges a declaration by itself and against the register.
async fn judged(
    deed: &mut Deed<Officer>,
    register: &Register,
    declared: &Declared,
) -> Result<Result<(Fit, Vec<Finding>), Vec<Finding>>, StoreError> {
    let fit = match judge(declared, register.reference(), deed.today()) {
        Ok(fit) => fit,
        Err(findings) => return Ok(Err(findings)),
    };
    let likenesses = [fit.found.likeness.clone()].into();
    let old_numbers = fit.person.old_id_number.iter().cloned().collect();
    let known = store::known(deed.tx(), likenesses, old_numbers).await?;
    let taken: HashSet<_> = match (register.numbers(), &fit.number) {
        (Some(book), Some(number)) => book.taken(deed.tx(), &[*number]).await?.into_iter().collect(),
        _ => HashSet::new(),
    };
    let found = against(&fit, &known, &taken);
    if found.iter().any(declines) {
        return Ok(Err(found));
    }
    let findings = fit.findings.iter().chain(&found).cloned().collect();
    Ok(Ok((fit, findings)))
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
    if row.state == "waiting" { Ok(row) } else { Err(QuarantineError::Unknown) }
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
    let quoted = |field: String| {
        if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    };
    fields.map(quoted).collect::<Vec<_>>().join(",")
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
