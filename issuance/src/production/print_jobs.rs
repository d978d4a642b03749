//! What is printed on the body of a card: a file in an outbox, so that any printer's software takes it; and the check
//! that the body which came out of the printer carries the same citizen as the chip in it.

use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::mrz::Td1;
use serde_json::json;
use thiserror::Error;

use super::error::ProductionError;
use super::model::ChipState;
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
use crate::store::StoreError;

/// Makes the print job of a document that is being written on a chip, once, if there is an outbox.
pub(super) async fn make(
    deed: &mut Deed<Station>,
    production: &Production,
    document: DocumentId,
    chip: &super::model::Chip,
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

/// Writes the files of jobs that were made, and removes those of jobs that ended. A job that the service died over is
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
    let (mut done, mut after, mut passed_over) = (0, Id::nil(), None);
    while done < most {
        let mut tx = deeds.db().begin_read().await?;
        let due = kept::due(&mut tx, after, i64::from(most)).await?;
        drop(tx);
        let Some(last) = due.last() else { break };
        after = last.id;
        for job in due {
            let name = folder.join(format!("{}.json", job.id));
            let read =
                if job.ends { Ok(None) } else { content(production, deeds, job.id.to_string(), job.document).await };
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
            blocking::run(move || settle(&name, content.as_deref().map(Vec::as_slice))).await?;
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

fn settle(name: &Path, content: Option<&[u8]>) -> io::Result<()> {
    match content {
        Some(content) => {
            // Of a name that another process at the same folder does not have.
            files::replace(name, &name.with_extension(format!("{}.new", std::process::id())), content, files::PRIVATE)
        }
        None => match files::remove(name) {
            // The printer's software took it, or it was never written.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        },
    }
}

/// Returns the content of a job's file; `None` if its document was dropped meanwhile.
async fn content(
    production: &Production,
    deeds: &Deeds,
    job: String,
    document: DocumentId,
) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, OutboxError> {
    let mut tx = deeds.db().begin_read().await?;
    let Some(document) = store::document_by_id(&mut tx, document).await? else { return Ok(None) };
    drop(tx);
    let faces = documents::faces(production, &document)?;
    let (fields, code) = (&faces.dg13, qr::text(&faces.dg13));
    let sheet = json!({
        "print_job": job,
        "front": {
            "number": fields.number, "name": fields.name, "birth": fields.birth, "sex": fields.sex,
            "nationality": fields.nationality, "origin": fields.origin, "residence": fields.residence,
            "expiry": fields.expiry, "qr": code, "portrait": STANDARD.encode(&faces.portrait),
        },
        "back": { "features": fields.features, "issued": fields.issued, "can": faces.can.to_string(), "mrz": faces.mrz },
    });
    Ok(Some(zeroize::Zeroizing::new(sheet.to_string().into_bytes())))
}

/// What was read from the body of a card.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// The three lines of the machine-readable zone.
    pub mrz: &'a str,
    /// The text of the square code.
    pub qr: &'a str,
}

/// What came of the check of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Checked {
    /// The card.
    pub card: CardId,
    /// True if the body carries what the chip holds. False: the card is spoiled.
    pub matches: bool,
}

/// Compares what an officer or a scanner read from the body of a finished card with what its chip holds. One that
/// differs is spoiled, body and chip: the document is revoked, the application waits for another chip and is printed
/// anew, and its batch is paused until an officer lets it go on.
///
/// # Errors
/// [`ProductionError::Stage`] for an application whose card is not just made, [`ProductionError::SecondOfficer`] for an
/// officer who had a hand in the application or in the release of a batch that it was in,
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
    Td1::parse(mrz.as_bytes()).map_err(|_| ProductionError::BodyUnreadable("the zone does not hold"))?;
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
    let differs = match (mrz == faces.mrz.concat(), body.qr.trim() == qr::text(&faces.dg13)) {
        (true, true) => None,
        (false, true) => Some("the machine-readable zone of the body differs from the chip"),
        (true, false) => Some("the square code of the body differs from the chip"),
        (false, false) => Some("machine-readable zone and square code of the body differ from the chip"),
    };
    let entry = |action| {
        let entry = Entry::new(action, Object::Card(card), Purpose::Personalization).about(application.person);
        entry.with(Object::Chip(serial)).of(&application.office)
    };
    let Some(differs) = differs else {
        // Where it was held back for the check, the citizen is told only now.
        let told = before.is_some_and(|before| before.body.lets_go(production.settings.body_check));
        cards::steps::body_checked(deed, card).await?;
        kept::end_of_chip(deed.tx(), &serial).await?;
        if !told {
            progress::ready(deed, id).await?;
        }
        deed.enter(entry(Action::BodyChecked)).await?;
        return Ok(Checked { card, matches: true });
    };
    let by = deed.caller().to_string();
    account_for(deed, chip, differs, "the check of the body", by).await?;
    deed.enter(entry(Action::BodyDiffers).because(differs)).await?;
    if let Some(item) = item {
        card_batches::stop(deed, item.batch, differs).await?;
    }
    Ok(Checked { card, matches: false })
}

/// Returns the card of an application whose card is made and not handed over.
fn finished(stage: &Stage) -> Result<CardId, ProductionError> {
    stage.finished().ok_or_else(|| TransitionError::NotFrom(stage.name()).into())
}

/// So many jobs are done at once, so that the other work of the service is not kept waiting.
const AT_ONCE: u16 = 100;
