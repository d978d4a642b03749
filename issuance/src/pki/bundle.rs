//! The trust bundle of the day: national CSCA, its revocation list, revoked documents; signed when it is asked for and what
//! it says has changed, or the last one is an hour old.

use crypto::pki::trust_bundle::{Contents, Draft, TrustBundleError};
use crypto::pki::{Crl, SignatureMismatch};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::ceremony::CRL;
use super::signer::{KeyName, SignerError, signing_period};
use super::store;
use crate::app::App;
use crate::cards;
use crate::http::Problem;
use crate::store::StoreError;

/// The current bundle, signed.
///
/// # Errors
/// [`BundleError`]
pub(super) async fn current(app: &App) -> Result<Vec<u8>, BundleError> {
    // Everybody may ask for it; only one request at a time makes a new one.
    let _alone = app.bundling().await;
    let mut tx = app.begin_read().await?;
    let documents = cards::revoked_documents(&mut tx).await?;
    let csca = app.signer().csca().der().to_vec();
    let crl = crl(app)?;
    let hash = content_hash(&csca, &crl, &documents);
    let now = app.now();
    if let Some(signed) = store::latest_bundle(&mut tx, &hash, now - app.config().bundle_renewal).await? {
        return Ok(signed);
    }
    drop(tx);
    let at = now.replace_nanosecond(0).expect("0 is a nanosecond");
    let contents = Contents {
        issued_at: at,
        next_update: at + app.config().bundle_lifetime,
        cscas: vec![csca],
        crls: vec![crl],
        revoked_documents: documents,
    };
    let prepared = Draft::new(contents, app.signer().certificate(KeyName::TrustListSigner)).lint()?;
    let id = app.new_id();
    let mut tx = app.begin().await?;
    store::insert_bundle(&mut tx, &id, now, hash, &prepared.to_bytes()).await?;
    tx.commit().await?;
    let signature = app.sign(KeyName::TrustListSigner, prepared.to_be_signed()).await?;
    let signed = prepared.attach(&signature)?;
    let mut tx = app.begin().await?;
    store::attach_bundle(&mut tx, &id, &signed).await?;
    tx.commit().await?;
    Ok(signed)
}

/// The CSCA's list in force, from the file that the ceremony published.
pub(super) fn crl(app: &App) -> Result<Vec<u8>, BundleError> {
    std::fs::read(app.config().data.join(CRL)).map_err(BundleError::Crl)
}

/// What will run out within two weeks, or has, as sentences for the log that say what to do.
pub(crate) fn endings(app: &App) -> Vec<String> {
    let soon = app.now() + time::Duration::days(14);
    let mut endings = Vec::new();
    let list = crl(app).ok().and_then(|bytes| Crl::parse(&bytes).ok());
    match list.and_then(|list| list.next_update()) {
        Some(at) if at > soon => {}
        Some(at) => {
            endings.push(format!("the revocation list of the CSCA is due on {}: run `issuance crl`", at.date()))
        }
        None => endings.push("csca.crl cannot be read: restore it, or run `issuance crl`".to_owned()),
    }
    for name in [KeyName::DocumentSigner, KeyName::TrustListSigner] {
        let (_, until) = signing_period(app.signer().certificate(name));
        if until <= soon {
            let (name, day) = (name.file(), until.date());
            endings.push(format!("the key `{name}` may sign until {day}: run `issuance rotate {name}`, then restart"));
        }
    }
    endings
}

fn content_hash(csca: &[u8], crl: &[u8], documents: &[[u8; 32]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [csca, crl] {
        hash.update(Sha256::digest(part));
    }
    let mut documents = documents.to_vec();
    documents.sort_unstable();
    documents.iter().for_each(|document| hash.update(document));
    hash.finalize().into()
}

/// Why there is no bundle.
#[derive(Debug, Error)]
pub enum BundleError {
    /// The revocation list's file.
    #[error("csca.crl: {0}")]
    Crl(std::io::Error),
    /// It cannot be opened by a terminal, so it was not signed: the list or the signer has run out.
    #[error("the trust bundle would not be accepted: {0}; run `issuance crl`, or `issuance rotate trust-list-signer`")]
    Draft(#[from] TrustBundleError),
    /// Not over what was prepared.
    #[error(transparent)]
    Signature(#[from] SignatureMismatch),
    /// Signing failed.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BundleError> for Problem {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::Store(source) => source.into(),
            BundleError::Signer(source) => source.into(),
            BundleError::Crl(_) | BundleError::Draft(_) | BundleError::Signature(_) => Self::internal(&error),
        }
    }
}
