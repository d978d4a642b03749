//! What is printed on the body of a card: two files in an outbox, the data and both faces as PDF, so that any printer's
//! software takes what it can; and the check that the body which came out of the printer carries the same
//! citizen as the chip in it.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::identity::CardSerial;
use crypto::mrz::Td1;
use serde::Serialize;
use serde_json::json;
use thiserror::Error;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::card_faces::CardFaces;
use super::cases::still_keeps_stock;
use super::error::ProductionError;
use super::model::{Chip, ChipState, ChipStateName};
use super::store::body_doubts::{self, BodyDoubt};
use super::store::print_jobs as kept;
use super::withdrawal::account_for;
use super::{Production, card_batches, documents, store};
use crate::applications::model::{Approval, Stage, TransitionError};
use crate::applications::store::items;
use crate::applications::{progress, store as applications};
use crate::cards::{self, qr};
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::ids::{ApplicationId, CardId, DocumentId, PrintJobId};
use crate::ground::{Id, Officer, Station, blocking, files};
use crate::population;
use crate::store::StoreError;

/// Makes the print job of a document that is being written on a chip, once, if there is an outbox.
pub(super) async fn make(
    deed: &mut Deed<Station>,
    production: &Production,
    document: DocumentId,
    chip: &Chip,
    application: &crate::applications::model::Application,
) -> Result<(), StoreError> {
    if production.settings.print_jobs.is_none() {
        return Ok(());
    }
    let (id, at) = (deed.id(), deed.at());
    if kept::insert(deed.tx(), id, document, application.id, &chip.serial, at).await? {
        let entry = Entry::new(Action::PrintJobMade, Object::Application(application.id), Purpose::Personalization);
        deed.enter(entry.about(application.person).with(Object::Chip(chip.serial))).await?;
    }
    Ok(())
}

/// Why files of the outbox were not written or removed.
#[derive(Debug, Error)]
pub enum OutboxError {
    /// The folder.
    #[error("the outbox of print jobs: {0}")]
    Folder(#[from] io::Error),
    /// The document.
    #[error(transparent)]
    Production(#[from] ProductionError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Jobs whose document cannot be read were passed over.
    #[error("{count} print jobs were passed over, the first one {first}: {why}")]
    Unreadable {
        /// How many.
        count: u64,
        /// The oldest of them.
        first: PrintJobId,
        /// Why that one.
        why: Box<OutboxError>,
    },
}

/// Writes the files of jobs that were made, and removes those of jobs that ended; a job ends with its card's hand-over,
/// its chip or its document, whatever ended those. A job that the service died over is
/// done again, under the same name: none is lost, and a repeat is recognised by it. A job whose document cannot be read
/// stops no other, however many there are.
///
/// # Errors
/// [`OutboxError`]; [`OutboxError::Unreadable`] when the others are done.
pub async fn write_out(production: &Production, deeds: &Deeds) -> Result<(), OutboxError> {
    write_some(production, deeds, AT_ONCE).await
}

/// As [`write_out`], for so many jobs that can be done.
///
/// # Errors
/// As [`write_out`].
pub async fn write_some(production: &Production, deeds: &Deeds, most: u16) -> Result<(), OutboxError> {
    let Some(folder) = production.settings.print_jobs.clone() else { return Ok(()) };
    let (outbox, now) = (folder.clone(), deeds.source().now());
    blocking::run(move || files::sweep(&outbox, now, is_half_written)).await?;
    end_what_is_over(production, deeds).await?;
    let (mut done, mut after, mut passed_over) = (0, Id::nil(), None);
    while done < most {
        let mut tx = deeds.db().begin_read().await?;
        let due = kept::due(&mut tx, after, i64::from(most)).await?;
        drop(tx);
        let Some(last) = due.last() else { break };
        after = last.id;
        for job in due {
            let name = folder.join(format!("{}.json", job.id));
            let read = if job.ends { Ok(None) } else { content(production, deeds, &job).await };
            let content = match read {
                Ok(content) => content,
                Err(
                    why @ (OutboxError::Production(_)
                    | OutboxError::Store(StoreError::Tampered { .. } | StoreError::Inconsistent { .. })),
                ) => {
                    let (count, _, _) = passed_over.get_or_insert((0_u64, job.id, why));
                    *count += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            blocking::run(move || settle(&name, content.as_ref())).await?;
            let mut tx = deeds.db().begin_upkeep().await?;
            kept::done(&mut tx, &job).await?;
            tx.commit().await?;
            done += 1;
        }
    }
    match passed_over {
        // Logged and shown by health once, where it is noted.
        Some((count, first, why)) => Err(OutboxError::Unreadable { count, first, why: Box::new(why) }),
        None => Ok(()),
    }
}

/// How far the jobs that lie were looked through. In memory, a restart begins anew; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Round(Arc<Mutex<Option<PrintJobId>>>);

impl Round {
    fn place(&self) -> PrintJobId {
        self.0.lock().expect("the lock is held for a copy only").unwrap_or(Id::nil())
    }

    /// Goes on behind this job; without one, from the beginning.
    fn goes_on(&self, behind: Option<PrintJobId>) {
        *self.0.lock().expect("the lock is held for a copy only") = behind;
    }
}

/// Ends the jobs of a stretch that are of no use any more: the document is gone, the chip is neither being written nor
/// a card that waits for its holder. It is judged by what is there, so that no way of a card is forgotten: what ends a
/// chip by itself ends its jobs at once, and this looks at the others, a stretch at a time.
async fn end_what_is_over(production: &Production, deeds: &Deeds) -> Result<(), StoreError> {
    let mut tx = deeds.db().begin_read().await?;
    let jobs = kept::lying(&mut tx, production.round.place(), STRETCH).await?;
    let is_last = i64::try_from(jobs.len()).unwrap_or(i64::MAX) < STRETCH;
    production.round.goes_on(jobs.last().filter(|_| !is_last).map(|job| job.id));
    let made = jobs.iter().filter(|job| job.chip == Some(ChipStateName::Personalized)).map(|job| job.serial);
    let made: Vec<CardSerial> = made.collect();
    let waits: BTreeSet<CardSerial> = match made.is_empty() {
        true => BTreeSet::new(),
        false => cards::store::waiting_chips(&mut tx, &made).await?.into_iter().collect(),
    };
    drop(tx);
    let is_over = |job: &&kept::LyingJob| match job.chip {
        _ if !job.has_document => true,
        Some(ChipStateName::Bound) => false,
        Some(ChipStateName::Personalized) => !waits.contains(&job.serial),
        _ => true,
    };
    let over: Vec<PrintJobId> = jobs.iter().filter(is_over).map(|job| job.id).collect();
    if over.is_empty() {
        return Ok(());
    }
    let mut tx = deeds.db().begin_upkeep().await?;
    for job in over {
        kept::end(&mut tx, job).await?;
    }
    tx.commit().await
}

/// The files of a job.
struct Content {
    /// Both faces, as they are printed.
    faces: Zeroizing<Vec<u8>>,
    /// What stands on them, for printers that draw it themselves.
    data: Zeroizing<Vec<u8>>,
}

/// True for the name of a file that [`settle`] writes before it gives it its own name.
fn is_half_written(name: &str) -> bool {
    let job = name.strip_suffix(".new").and_then(|rest| rest.split_once('.'));
    job.is_some_and(|(job, process)| job.parse::<PrintJobId>().is_ok() && process.parse::<u32>().is_ok())
}

/// Writes the files of a job, or removes them. The data come last and go first: where they are, the faces are too.
fn settle(data: &Path, content: Option<&Content>) -> io::Result<()> {
    let faces = data.with_extension("pdf");
    // Of a name that another process at the same folder does not have.
    let new = data.with_extension(format!("{}.new", std::process::id()));
    if let Some(content) = content {
        files::replace(&faces, &new, &content.faces, files::PRIVATE)?;
        return files::replace(data, &new, &content.data, files::PRIVATE);
    }
    for name in [data, &faces] {
        match files::remove(name) {
            // The printer's software took it, or it was never written.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    Ok(())
}

/// Returns the content of a job's files, with the serial of the chip whose body it is; `None` if its
/// document was dropped meanwhile.
async fn content(production: &Production, deeds: &Deeds, job: &kept::DueJob) -> Result<Option<Content>, OutboxError> {
    let mut tx = deeds.db().begin_read().await?;
    let Some(document) = store::document_by_id(&mut tx, job.document).await? else { return Ok(None) };
    drop(tx);
    let faces = documents::faces(production, &document)?;
    let (fields, code) = (&faces.dg13, qr::text(&faces.dg13));
    let sheet = json!({
        "print_job": job.id.to_string(),
        "chip": job.serial.to_string(),
        "front": {
            "number": fields.number, "name": fields.name, "birth": fields.birth, "sex": fields.sex,
            "nationality": fields.nationality, "origin": fields.origin, "residence": fields.residence,
            "expiry": fields.expiry, "qr": code, "portrait": STANDARD.encode(&faces.portrait),
        },
        "back": { "features": fields.features, "issued": fields.issued, "can": faces.can.to_string(), "mrz": faces.mrz },
    });
    let drawn = CardFaces::new(&production.settings, &faces);
    let drawn = blocking::run(move || drawn.print()).await.map_err(ProductionError::from)?;
    let (faces, data) = (Zeroizing::new(drawn), Zeroizing::new(sheet.to_string().into_bytes()));
    Ok(Some(Content { faces, data }))
}

/// What was read from the body of a card.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// The three lines of the machine-readable zone.
    pub mrz: &'a str,
    /// The text of the square code.
    pub qr: &'a str,
    /// The serial that the chip in this body told a reader, where there is one.
    pub chip: Option<CardSerial>,
}

/// What came of the check of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Checked {
    /// The card.
    pub card: CardId,
    /// What was found.
    pub verdict: BodyVerdict,
    /// The chip of the other card that lies there.
    pub other: Option<CardSerial>,
}

impl Checked {
    /// True if the body carries what the chip holds.
    #[must_use]
    pub fn matches(&self) -> bool {
        self.verdict == BodyVerdict::Matches
    }
}

/// What the check of a body found.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BodyVerdict {
    /// The body carries what the chip holds.
    Matches,
    /// It does not, as one officer read it: the card goes nowhere until another officer has read it too.
    Doubted,
    /// It does not, as two officers read it: body and chip are spoiled.
    Spoiled,
    /// Another card of the house lies there, or the chip of another one: nothing changed.
    AnotherCard,
}

/// Compares what an officer or a scanner read from the body of a finished card with what its chip holds.
///
/// One officer's word spoils nothing. A body that differs is doubted: the card goes nowhere and its batch is paused,
/// until another officer has read it. If that reading differs too, body and chip are spoiled: the document is revoked,
/// the application waits for another chip and is printed anew. What is the body of another card of the house, or the
/// serial of another chip, says that another card lies there, and changes nothing.
///
/// # Errors
/// [`ProductionError::Stage`] for an application whose card is not just made, [`ProductionError::SecondOfficer`] for an
/// officer who had a hand in the application or in the release of a batch that it was in, and for the one whose reading
/// is doubted,
/// [`ProductionError::BodyUnreadable`] for what no body says, [`ProductionError::InBox`] for a card in a parcel,
/// [`ProductionError::OtherOffice`]
pub async fn check_body(
    deed: &mut Deed<Officer>,
    production: &Production,
    id: ApplicationId,
    body: Body<'_>,
) -> Result<Checked, ProductionError> {
    let found = applications::application(deed, id).await?.ok_or(ProductionError::ApplicationGone)?;
    let card = finished(&found.stage)?;
    let of_card = cards::store::cards_of(deed, found.person).await?;
    let before = of_card.into_iter().find(|known| known.id == card);
    let serial = before.as_ref().map(|card| card.serial).ok_or(ProductionError::ApplicationGone)?;
    // Chip before application: the order in which every verb locks them.
    let chip = store::chip_locked(deed.tx(), &serial).await?.ok_or(ProductionError::ChipUnknown)?;
    deed.actor().may_act_for(&chip.office)?;
    let application = applications::application_locked(deed, id).await?.ok_or(ProductionError::ApplicationGone)?;
    if finished(&application.stage)? != card || !matches!(chip.state, ChipState::Personalized { .. }) {
        return Err(ProductionError::ApplicationGone);
    }
    if chip.boxed.is_some() {
        // It is with the courier: no officer has it to read.
        return Err(ProductionError::InBox);
    }
    let mrz: String = body.mrz.split_whitespace().collect();
    // A slip of the scanner is no other body.
    let zone = Td1::parse(mrz.as_bytes()).map_err(|_| ProductionError::BodyUnreadable("the zone does not hold"))?;
    if body.qr.trim().is_empty() {
        return Err(ProductionError::BodyUnreadable("the square code is empty"));
    }
    let me = deed.actor().clone();
    let agreed = application.stage.approval_of().map(Approval::officers).unwrap_or_default();
    let item = items::of_application(deed.tx(), id).await?;
    let mut released_by = Vec::new();
    for batch in items::batches_of_application(deed.tx(), id).await? {
        released_by.extend(card_batches::officers(deed.tx(), batch).await?);
    }
    let touched = applications::involved(deed.tx(), id).await?;
    if agreed.iter().chain(&touched).chain(&released_by).any(|officer| me.is_one_with(*officer)) {
        return Err(ProductionError::SecondOfficer);
    }
    let document = store::document(deed.tx(), id, &serial).await?.ok_or(ProductionError::ApplicationGone)?;
    let faces = documents::faces(production, &document)?;
    let entry = |action| {
        let entry = Entry::new(action, Object::Card(card), Purpose::Personalization).about(application.person);
        entry.with(Object::Chip(serial)).of(&application.office)
    };
    if let Some(other) = body.chip.filter(|other| *other != serial) {
        deed.enter(entry(Action::BodyOfAnotherCard).with(Object::Chip(other))).await?;
        return Ok(Checked { card, verdict: BodyVerdict::AnotherCard, other: Some(other) });
    }
    let differs = match (mrz == faces.mrz.concat(), body.qr.trim() == qr::text(&faces.dg13)) {
        (true, true) => None,
        (false, true) => Some("the machine-readable zone of the body differs from the chip"),
        (true, false) => Some("the square code of the body differs from the chip"),
        (false, false) => Some("machine-readable zone and square code of the body differ from the chip"),
    };
    if differs.is_some()
        && let Some(other) = body_of_another(deed, production, &serial, &zone, (&mrz, body.qr.trim())).await?
    {
        deed.enter(entry(Action::BodyOfAnotherCard).with(Object::Chip(other))).await?;
        return Ok(Checked { card, verdict: BodyVerdict::AnotherCard, other: Some(other) });
    }
    let doubt = doubt_of(deed, card, &chip).await?;
    // Whatever it is: another officer than the one who read the first time decides.
    if doubt.as_ref().is_some_and(|doubt| me.is_one_with(doubt.read.by)) {
        return Err(ProductionError::SecondOfficer);
    }
    let verdict = match (differs, doubt) {
        (None, _) => {
            cards::steps::body_checked(deed, card).await?;
            body_doubts::end(deed.tx(), &serial).await?;
            kept::end_of_chip(deed.tx(), &serial).await?;
            // Where it was held back for the check, the citizen is told only now.
            if !before.is_some_and(|before| before.body.lets_go(production.settings.body_check)) {
                progress::ready(deed, id).await?;
            }
            deed.enter(entry(Action::BodyChecked)).await?;
            BodyVerdict::Matches
        }
        (Some(differs), None) => {
            let doubt = BodyDoubt { card, differs: differs.to_owned(), read: deed.decision() };
            body_doubts::put(deed.tx(), &serial, &doubt).await?;
            cards::steps::body_doubted(deed, card).await?;
            deed.enter(entry(Action::BodyDoubted).because(differs)).await?;
            BodyVerdict::Doubted
        }
        (Some(differs), Some(doubt)) => {
            let by = Object::Officer(doubt.read.by).to_string();
            let evidence = format!("the check of the body, also by {}", Object::Officer(me.id));
            body_doubts::end(deed.tx(), &serial).await?;
            account_for(deed, chip, differs, &evidence, by).await?;
            deed.enter(entry(Action::BodyDiffers).because(differs)).await?;
            BodyVerdict::Spoiled
        }
    };
    if let (Some(differs), Some(item)) = (differs, item) {
        card_batches::stop(deed, item.batch, differs).await?;
    }
    Ok(Checked { card, verdict, other: None })
}

/// Returns what an officer read from the body of this card that its chip does not hold. The reading of one who keeps
/// the stock no more does not count.
async fn doubt_of(deed: &mut Deed<Officer>, card: CardId, chip: &Chip) -> Result<Option<BodyDoubt>, ProductionError> {
    let doubt = body_doubts::of(deed.tx(), &chip.serial).await?.filter(|doubt| doubt.card == card);
    let Some(doubt) = doubt else { return Ok(None) };
    match still_keeps_stock(deed, &doubt.read, &chip.office).await {
        Ok(()) => Ok(Some(doubt)),
        Err(ProductionError::ProposalStale) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the chip of the card, other than this one, whose body says exactly this: then that card lies there. Its
/// holder is named in the trail, also where no card says it.
async fn body_of_another(
    deed: &mut Deed<Officer>,
    production: &Production,
    serial: &CardSerial,
    zone: &Td1,
    (mrz, qr): (&str, &str),
) -> Result<Option<CardSerial>, ProductionError> {
    let Some(number) = zone.personal_number() else { return Ok(None) };
    for registered in population::store::search::by_number(deed.tx(), &number).await? {
        let person = registered.id;
        for card in cards::store::cards_of(deed, person).await? {
            if card.serial == *serial {
                continue;
            }
            let document = store::document(deed.tx(), card.application, &card.serial).await?;
            let Some(document) = document.filter(|document| document.signed.is_some()) else { continue };
            // One whose files were erased, or cannot be read, is compared with nothing.
            let Ok(faces) = documents::faces(production, &document) else { continue };
            if mrz == faces.mrz.concat() && qr == qr::text(&faces.dg13) {
                let entry = Entry::new(Action::BodyOfAnotherCard, Object::Card(card.id), Purpose::Personalization);
                deed.enter(entry.about(person).with(Object::Chip(card.serial)).of(&card.office)).await?;
                return Ok(Some(card.serial));
            }
        }
        let entry = Entry::new(Action::CardsListed, Object::Person(person), Purpose::Personalization);
        deed.enter(entry.about(person)).await?;
    }
    Ok(None)
}

/// Returns the card of an application whose card is made and not handed over.
fn finished(stage: &Stage) -> Result<CardId, ProductionError> {
    stage.finished().ok_or_else(|| TransitionError::NotFrom(stage.name()).into())
}

/// So many jobs are done at once, so that the other work of the service is not kept waiting.
const AT_ONCE: u16 = 100;
/// So many jobs that lie are looked at in one go.
const STRETCH: i64 = 1_000;
