//! A document: composed, linted, **stored**, then signed once, then verified as a border guard would.

use crypto::identity::{Can, CardSerial};
use crypto::lds::{AtrInfo, DataGroup, Dg1, File};
use crypto::mrz::MrzKey;
use crypto::perso::Package;
use crypto::pki::spki::{self, CurveForm};
use crypto::pki::{Crl, TrustStore};
use crypto::sod::{Draft, Prepared, Sod};
use crypto::suite::{PublicKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::compose::{ChipFacts, Holder, compose};
use super::error::ProductionError;
use super::model::ChipKeys;
use super::store::{self, Document};
use crate::app::App;
use crate::applications::model::{Application, Stage};
use crate::applications::objects;
use crate::pki::KeyName;
use crate::population;
use crate::population::reference::Reference;
use crate::store::{StoreError, Tx};

/// What rests sealed of a document.
#[derive(Deserialize, Serialize)]
pub(super) struct Contents {
    can: Can,
    files: Vec<StoredFile>,
}

#[derive(Deserialize, Serialize)]
struct StoredFile {
    file: File,
    #[serde(with = "hex::serde")]
    content: Vec<u8>,
}

/// Composes the document of an application on a chip and stores it, linted and unsigned. The caller commits.
pub(super) async fn prepare(
    tx: &mut Tx,
    app: &App,
    application: &Application,
    serial: &CardSerial,
    keys: &ChipKeys,
    lengths: AtrInfo,
) -> Result<String, ProductionError> {
    let Stage::InProduction { capture, .. } = &application.stage else {
        return Err(ProductionError::ApplicationGone);
    };
    let registered = population::store::person(tx, &application.person).await?;
    let registered = registered.ok_or_else(|| inconsistent("application", "person_id", &application.id))?;
    let number = registered.personal_number.ok_or_else(|| inconsistent("person", "personal_number", &registered.id))?;
    let portrait = objects::fetch(app, &capture.portrait).await?;
    let (active_auth, chip_auth) = public_keys(keys, serial)?;
    let profile = &app.config().card;
    let signer = app.signer().certificate(KeyName::DocumentSigner);
    let signing_time = app.now().replace_nanosecond(0).expect("0 is a nanosecond");
    let holder = Holder {
        person: &registered.person,
        number,
        portrait: &portrait,
        features: &capture.features,
        issued: app.now().date(),
    };
    let chip = ChipFacts { active_auth: &active_auth, chip_auth: &chip_auth, lengths };
    // The chip's keys name their curves as the signer's certificate does: whoever reads one form reads the other.
    let form = spki::form(signer.subject_public_key_info()).ok().flatten().unwrap_or(CurveForm::Explicit);
    let reference = Reference::new(&app.config().extra_provinces);
    let composed = compose(holder, chip, profile, &reference, form)?;
    let hashed: Vec<(DataGroup, &[u8])> = composed.groups.iter().map(|(group, raw)| (*group, &raw[..])).collect();
    let prepared = Draft::new(&hashed, profile.sod.clone(), signer, signing_time).lint()?;
    let groups = composed.groups.into_iter().map(|(group, raw)| (File::DataGroup(group), raw));
    let files = groups.chain(composed.others).map(|(file, content)| StoredFile { file, content }).collect();
    let contents = Contents { can: profile.can(&number, &mut app.rng()), files };
    let id = app.new_id();
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&contents).expect("files become JSON"));
    let document = Document {
        files: app.secrets().seal(&purpose(&id, "files"), &plain),
        prepared: app.secrets().seal(&purpose(&id, "prepared"), &prepared.to_bytes()),
        issued: holder.issued,
        expires: composed.expires,
        signed: None,
        id,
    };
    store::insert_document(tx, &document, &application.id, serial, app.now()).await?;
    Ok(document.id)
}

/// Whether a document that is not signed yet waits for a signer who is no longer there.
pub(super) fn is_stale(app: &App, document: &Document) -> Result<bool, ProductionError> {
    if document.signed.is_some() {
        return Ok(false);
    }
    let prepared = prepared(app, document)?;
    Ok(prepared.signer().der() != app.signer().certificate(KeyName::DocumentSigner).der())
}

/// Signs a stored document unless it is signed, and verifies it before anybody sees it. Between transactions: what is signed here was
/// committed before.
pub(super) async fn sign(app: &App, id: &str) -> Result<(), ProductionError> {
    let mut tx = app.begin_read().await?;
    let document = store::document_by_id(&mut tx, id).await?.ok_or(ProductionError::ApplicationGone)?;
    drop(tx);
    if document.signed.is_some() {
        return Ok(());
    }
    let prepared = prepared(app, &document)?;
    let signature = app.sign(KeyName::DocumentSigner, prepared.to_be_signed()).await?;
    let sod = prepared.attach(&signature)?;
    verify_as_border_guard(app, &sod, &contents(app, &document)?)?;
    let sealed = app.secrets().seal(&purpose(id, "sod"), sod.raw());
    let mut tx = app.begin().await?;
    // Whoever signed at the same time was first: their EF.SOD is the document's, and this one is forgotten.
    store::attach(&mut tx, id, &sealed, &sod.fingerprint()).await?;
    Ok(tx.commit().await?)
}

/// The signed document as the chip will hold it, its access number, and the fingerprint of EF.SOD.
pub(super) fn package(app: &App, document: &Document) -> Result<(Package, Can, [u8; 32]), ProductionError> {
    let (sod, sod_sha256) = document.signed.as_ref().ok_or(ProductionError::ApplicationGone)?;
    let sod = app.secrets().open(&purpose(&document.id, "sod"), sod)?;
    let contents = contents(app, document)?;
    let mrz = mrz_key(&contents, &document.id)?;
    let mut files: Vec<(File, Vec<u8>)> = contents.files.into_iter().map(|f| (f.file, f.content)).collect();
    files.push((File::Sod, sod.to_vec()));
    Ok((Package::new(files, contents.can, &mrz)?, contents.can, *sod_sha256))
}

/// The chip's public keys out of the ledger.
pub(super) fn public_keys(keys: &ChipKeys, serial: &CardSerial) -> Result<(PublicKey, PublicKey), StoreError> {
    let key = |bytes: &[u8]| match spki::parse(bytes) {
        Ok(VerifyingKey::Ec(key)) => Ok(key),
        _ => Err(inconsistent("chip", "known", &serial.to_string())),
    };
    Ok((key(&keys.active_auth)?, key(&keys.chip_auth)?))
}

fn verify_as_border_guard(app: &App, sod: &Sod, contents: &Contents) -> Result<(), ProductionError> {
    let mut trust = TrustStore::new(vec![app.signer().csca().clone()]);
    let list = app.config().data.join(CRL);
    let list = std::fs::read(list).map_err(|_| ProductionError::ListMalformed)?;
    trust.add_list(Crl::parse(&list).map_err(|_| ProductionError::ListMalformed)?)?;
    let verified = sod.verify(&trust, app.now())?;
    for stored in &contents.files {
        if let File::DataGroup(group) = stored.file {
            verified.check(group, &stored.content)?;
        }
    }
    Ok(())
}

fn prepared(app: &App, document: &Document) -> Result<Prepared, ProductionError> {
    let bytes = app.secrets().open(&purpose(&document.id, "prepared"), &document.prepared)?;
    Prepared::from_bytes(&bytes).map_err(|_| inconsistent("document", "prepared", &document.id).into())
}

fn contents(app: &App, document: &Document) -> Result<Contents, ProductionError> {
    let bytes = app.secrets().open(&purpose(&document.id, "files"), &document.files)?;
    serde_json::from_slice(&bytes).map_err(|_| inconsistent("document", "files", &document.id).into())
}

/// From DG1, so that what opens the chip is what is printed on it.
fn mrz_key(contents: &Contents, id: &str) -> Result<MrzKey, StoreError> {
    let dg1 = contents.files.iter().find(|stored| stored.file == File::DataGroup(DataGroup::DG1));
    match dg1.map(|stored| Dg1::parse(&stored.content)) {
        Some(Ok(Dg1::Td1(mrz))) => Ok(mrz.key()),
        _ => Err(inconsistent("document", "files", id)),
    }
}

fn purpose(id: &str, part: &str) -> String {
    format!("document/{id}/{part}")
}

fn inconsistent(table: &str, column: &str, id: &str) -> StoreError {
    StoreError::Inconsistent { table: table.into(), column: column.into(), id: id.into() }
}

/// Published by the ceremonies.
const CRL: &str = "csca.crl";
