//! A document: composed, linted, **stored**, then signed once, then verified as a border guard would.

use crypto::identity::{Can, CardSerial};
use crypto::lds::{AtrInfo, DataGroup, Dg1, Dg2, Dg13, File};
use crypto::mrz::MrzKey;
use crypto::perso::Package;
use crypto::pki::spki::{self, CurveForm};
use crypto::pki::{Crl, TrustStore};
use crypto::sod::{Draft, Prepared, Sod};
use crypto::suite::{PublicKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::Production;
use super::ahead::{MadeAhead, texts_of};
use super::error::ProductionError;
use super::model::ChipKeys;
use super::store::{self, Document};
use crate::applications::model::Application;
use crate::applications::portrait;
use crate::cards::compose::{ChipFacts, complete, picture};
use crate::deed::{Deed, Deeds};
use crate::ground::ids::DocumentId;
use crate::ground::{Station, failpoint};
use crate::keys::KeyName;
use crate::store::StoreError;

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

/// The files of one card, composed and linted, not stored yet.
pub(super) struct Composition {
    contents: Contents,
    prepared: Prepared,
    issued: time::Date,
    expires: Option<time::Date>,
}

/// Where the portrait of a card comes from.
#[derive(Clone, Copy)]
pub(super) enum Face<'a> {
    /// JPEG.
    Portrait(&'a [u8]),
    /// Encoded and hashed before.
    Ahead(&'a MadeAhead),
}

/// Composes the document of an application with this portrait on a chip and lints it. Writes nothing. Returns none
/// where what was made ahead is not what would be made now: then the portrait is needed.
///
/// # Errors
/// [`ProductionError::Compose`] and [`ProductionError::Store`] may be faults
/// of this one application.
pub(super) async fn draft(
    deed: &mut Deed<Station>,
    production: &Production,
    application: &Application,
    face: Face<'_>,
    serial: &CardSerial,
    keys: &ChipKeys,
    lengths: AtrInfo,
) -> Result<Option<Composition>, ProductionError> {
    let capture = application.stage.capture_of().ok_or(ProductionError::ApplicationGone)?;
    let (texts, number) = texts_of(deed, production, application).await?;
    let (dg2, known) = match face {
        Face::Portrait(jpeg) => (picture(portrait::on_chip(jpeg))?, Vec::new()),
        // Compared in the transaction that binds the chip: no change of the register comes between.
        Face::Ahead(made) => match made.hashes(application, &texts, &capture.portrait, &production.profile) {
            Some(hashes) => (made.dg2.clone(), hashes),
            None => return Ok(None),
        },
    };
    let (active_auth, chip_auth) = public_keys(keys, serial)?;
    let signer = production.signer.now();
    let signer = signer.certificate(KeyName::DocumentSigner);
    let signing_time = deed.at().replace_nanosecond(0).expect("0 is a nanosecond");
    let chip = ChipFacts { active_auth: &active_auth, chip_auth: &chip_auth, lengths };
    // The chip's keys name their curves as the signer's certificate does: a reader that reads one form reads the other.
    let form = spki::form(signer.subject_public_key_info()).ok().flatten().unwrap_or(CurveForm::Explicit);
    let composed = complete(texts, dg2, chip, &production.profile, form)?;
    let hashed: Vec<(DataGroup, &[u8])> = composed.groups.iter().map(|(group, raw)| (*group, &raw[..])).collect();
    let profile = production.profile.sod.clone();
    let prepared = Draft::with_hashes(&hashed, &known, profile, signer, signing_time).lint()?;
    let groups = composed.groups.into_iter().map(|(group, raw)| (File::DataGroup(group), raw));
    let files = groups.chain(composed.others).map(|(file, content)| StoredFile { file, content }).collect();
    let contents = Contents { can: production.profile.can(&number, &mut deed.rng()), files };
    Ok(Some(Composition { contents, prepared, issued: deed.today(), expires: composed.expires }))
}

/// Stores a document, linted and unsigned. Returns its id. The caller commits.
pub(super) async fn store_prepared(
    deed: &mut Deed<Station>,
    production: &Production,
    application: &Application,
    serial: &CardSerial,
    composition: Composition,
) -> Result<DocumentId, ProductionError> {
    let (id, at): (DocumentId, _) = (deed.id(), deed.at());
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&composition.contents).expect("files become JSON"));
    let document = Document {
        id,
        files: production.secrets.seal(&purpose(id, "files"), &plain),
        prepared: production.secrets.seal(&purpose(id, "prepared"), &composition.prepared.to_bytes()),
        issued: composition.issued,
        expires: composition.expires,
        signed: None,
    };
    store::insert_document(deed.tx(), &document, application.id, serial, at).await?;
    Ok(id)
}

/// True if a document that is not signed yet waits for a signer who is no longer there.
pub(super) fn is_stale(production: &Production, document: &Document) -> Result<bool, ProductionError> {
    if document.signed.is_some() {
        return Ok(false);
    }
    let prepared = prepared(production, document)?;
    Ok(prepared.signer().der() != production.signer.now().certificate(KeyName::DocumentSigner).der())
}

/// Returns the fingerprint of a document that was signed by a signer that was revoked since: a card with it would be
/// refused at every inspection. Judged by this revocation list.
pub(super) fn refused(
    production: &Production,
    document: &Document,
    list: &Crl,
) -> Result<Option<[u8; 32]>, ProductionError> {
    let Some((sealed, fingerprint)) = &document.signed else { return Ok(None) };
    let sod = Sod::parse(&production.secrets.open(&purpose(document.id, "sod"), sealed)?)?;
    let signer = sod.signer_certificate().map_err(|_| StoreError::inconsistent("document", "sod", document.id))?;
    let revoked = list.revoked().iter().any(|entry| entry.serial == *signer.serial());
    Ok(revoked.then_some(*fingerprint))
}

/// Signs a stored document unless it is signed, and verifies it before it leaves. Between transactions: what is signed
/// here was committed before.
pub(super) async fn sign(production: &Production, deeds: &Deeds, id: DocumentId) -> Result<(), ProductionError> {
    let mut tx = deeds.db().begin_read().await?;
    let document = store::document_by_id(&mut tx, id).await?.ok_or(ProductionError::ApplicationGone)?;
    drop(tx);
    if document.signed.is_some() {
        return Ok(());
    }
    let prepared = prepared(production, &document)?;
    let signer = production.signer.of(prepared.signer());
    let signature = signer.sign(deeds, KeyName::DocumentSigner, prepared.to_be_signed()).await?;
    let sod = prepared.attach(&signature)?;
    verify_as_border_guard(production, deeds, &sod, &contents(production, &document)?).await?;
    let sealed = production.secrets.seal(&purpose(id, "sod"), sod.raw());
    failpoint::pass(failpoint::DOCUMENT_SIGNED);
    let mut tx = deeds.db().begin_upkeep().await?;
    // If another request signed at the same time and was first, its EF.SOD is the document's, and this one is dropped.
    store::attach(&mut tx, id, &sealed, &sod.fingerprint()).await?;
    Ok(tx.commit().await?)
}

/// Returns the signed document as the chip will hold it, its access number, and the fingerprint of EF.SOD.
pub(super) fn package(
    production: &Production,
    document: &Document,
) -> Result<(Package, Can, [u8; 32]), ProductionError> {
    let (sod, sod_sha256) = document.signed.as_ref().ok_or(ProductionError::ApplicationGone)?;
    let sod = production.secrets.open(&purpose(document.id, "sod"), sod)?;
    let contents = contents(production, document)?;
    let mrz = mrz_key(&contents, document.id)?;
    let mut files: Vec<(File, Vec<u8>)> = contents.files.into_iter().map(|f| (f.file, f.content)).collect();
    files.push((File::Sod, sod.to_vec()));
    Ok((Package::new(files, contents.can, &mrz)?, contents.can, *sod_sha256))
}

/// What stands on the two faces of a card, as its chip holds it.
pub(super) struct Faces {
    /// The three lines of the machine-readable zone.
    pub mrz: [String; 3],
    /// The texts.
    pub dg13: Dg13,
    /// The portrait, as JPEG.
    pub portrait: Vec<u8>,
    /// The access number.
    pub can: Can,
}

/// Returns what stands on the faces of a card with this document.
pub(super) fn faces(production: &Production, document: &Document) -> Result<Faces, ProductionError> {
    let contents = contents(production, document)?;
    let of = |group| {
        let stored = contents.files.iter().find(|stored| stored.file == File::DataGroup(group));
        stored.map(|stored| stored.content.as_slice())
    };
    let broken = || StoreError::inconsistent("document", "files", document.id);
    let zone = of(DataGroup::DG1).and_then(|file| Dg1::characters(file).ok()).ok_or_else(broken)?;
    let mut lines = zone.chunks(30).map(|line| String::from_utf8_lossy(line).into_owned());
    let mrz = std::array::from_fn(|_| lines.next().unwrap_or_default());
    let dg13 = of(DataGroup::DG13).and_then(|file| Dg13::parse(file).ok()).ok_or_else(broken)?;
    let portrait = of(DataGroup::DG2).and_then(|file| Dg2::parse(file).ok()).ok_or_else(broken)?.image;
    Ok(Faces { mrz, dg13, portrait, can: contents.can })
}

/// Returns the chip's public keys out of the ledger: active authentication, chip authentication.
pub(super) fn public_keys(keys: &ChipKeys, serial: &CardSerial) -> Result<(PublicKey, PublicKey), StoreError> {
    let key = |bytes: &[u8]| match spki::parse(bytes) {
        Ok(VerifyingKey::Ec(key)) => Ok(key),
        _ => Err(StoreError::inconsistent("chip", "state_data", serial)),
    };
    Ok((key(&keys.active_auth)?, key(&keys.chip_auth)?))
}

async fn verify_as_border_guard(
    production: &Production,
    deeds: &Deeds,
    sod: &Sod,
    contents: &Contents,
) -> Result<(), ProductionError> {
    let mut trust = TrustStore::new(vec![production.signer.now().csca().clone()]);
    let (_, list) = production.crl.read().await?;
    trust.add_list(list)?;
    let verified = sod.verify(&trust, deeds.source().now())?;
    for stored in &contents.files {
        if let File::DataGroup(group) = stored.file {
            verified.check(group, &stored.content)?;
        }
    }
    Ok(())
}

fn prepared(production: &Production, document: &Document) -> Result<Prepared, ProductionError> {
    let bytes = production.secrets.open(&purpose(document.id, "prepared"), &document.prepared)?;
    Ok(Prepared::from_bytes(&bytes).map_err(|_| StoreError::inconsistent("document", "prepared", document.id))?)
}

fn contents(production: &Production, document: &Document) -> Result<Contents, ProductionError> {
    let bytes = production.secrets.open(&purpose(document.id, "files"), &document.files)?;
    Ok(serde_json::from_slice(&bytes).map_err(|_| StoreError::inconsistent("document", "files", document.id))?)
}

/// From DG1, so that what opens the chip is what is printed on it.
fn mrz_key(contents: &Contents, id: DocumentId) -> Result<MrzKey, StoreError> {
    let dg1 = contents.files.iter().find(|stored| stored.file == File::DataGroup(DataGroup::DG1));
    match dg1.map(|stored| Dg1::parse(&stored.content)) {
        Some(Ok(Dg1::Td1(mrz))) => Ok(mrz.key()),
        _ => Err(StoreError::inconsistent("document", "files", id)),
    }
}

fn purpose(id: DocumentId, part: &str) -> String {
    format!("document/{id}/{part}")
}
