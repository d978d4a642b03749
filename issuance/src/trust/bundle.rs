//! The trust bundle in force: built, kept in memory, and what will expire.

use crypto::pki::trust_bundle::{Contents, Draft, TrustBundleError};
use crypto::pki::{Certificate, SignatureMismatch};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Bundle, Trust, store};
use crate::cards;
use crate::deed::Deeds;
use crate::ground::blocking;
use crate::ground::clock::CLOCKS_DIFFER;
use crate::ground::ids::BundleId;
use crate::keys::{CrlFileError, KeyName, SignerError};
use crate::store::StoreError;

/// Takes the newest signed bundle into memory, if it is another one than is there: one small query while it is not.
///
/// # Errors
/// [`StoreError`]
pub async fn refresh(trust: &Trust, deeds: &Deeds) -> Result<(), StoreError> {
    let mut tx = deeds.db().begin_read().await?;
    let newest = store::newest_id(&mut tx).await?;
    if newest == trust.current().map(|bundle| bundle.id) {
        return Ok(());
    }
    let bundle = match newest {
        Some(id) => store::bundle(&mut tx, id).await?,
        None => None,
    };
    *trust.current.write().expect("the lock is held for a copy only") = bundle;
    Ok(())
}

/// True if a bundle must be built: there is none, it grows old, a document was revoked, or the
/// CSCA's list is another one.
///
/// # Errors
/// [`BundleError`]
pub async fn is_due(trust: &Trust, deeds: &Deeds) -> Result<bool, BundleError> {
    let Some(current) = trust.current() else { return Ok(true) };
    let now = deeds.source().now();
    // One that was made under a clock that was ahead is no bundle of now: kiosks refuse it.
    if current.issued_at <= now - trust.settings.bundle_renewal || current.issued_at > now + CLOCKS_DIFFER {
        return Ok(true);
    }
    let (crl, _) = trust.crl.read().await?;
    if frame_hash(trust.signer.now().csca(), &crl) != current.frame_hash {
        return Ok(true);
    }
    let mut tx = deeds.db().begin_read().await?;
    Ok(cards::store::has_revocation_marks(&mut tx).await? || store::unsigned_is_newest(&mut tx).await?)
}

/// Builds, stores, signs and publishes a bundle of what holds now.
///
/// # Errors
/// [`BundleError`]
pub async fn build(trust: &Trust, deeds: &Deeds) -> Result<(), BundleError> {
    // Before anything is stored: a signer that cannot sign leaves no bundle behind that was prepared for it.
    let signing = trust.signer.now();
    signing.require_able(deeds, KeyName::TrustListSigner).await?;
    let (crl, _) = trust.crl.read().await?;
    let csca = signing.csca();
    let frame_hash = frame_hash(csca, &crl);
    let now = deeds.source().now();
    let at = now.replace_nanosecond(0).expect("0 is a nanosecond");
    let id: BundleId = deeds.source().id();
    let mut tx = deeds.db().begin_upkeep().await?;
    // Taken before the list is read: a change that commits between the two statements leaves its
    // mark for the next bundle.
    cards::store::take_revocation_marks(&mut tx).await?;
    let contents = Contents {
        issued_at: at,
        next_update: at + trust.settings.bundle_lifetime,
        cscas: vec![csca.der().to_vec()],
        crls: vec![crl.to_vec()],
        revoked_documents: cards::store::revoked_documents(&mut tx).await?,
    };
    let signer = signing.clone();
    // Without a turn: the transaction is open. One process at a time has the lease on this job.
    let prepared =
        blocking::apart(move || Draft::new(contents, signer.certificate(KeyName::TrustListSigner)).lint()).await?;
    if store::purge_ahead(&mut tx, now).await? > 0 {
        tracing::warn!(
            "trust bundles that were made under a clock that was ahead are dropped; a kiosk whose clock was ahead too refuses the new one until then: delete its --state"
        );
    }
    let issued_at = store::next_moment(&mut tx, now).await?;
    store::purge_unsigned(&mut tx).await?;
    store::insert_prepared(&mut tx, id, issued_at, frame_hash, &prepared.to_bytes()).await?;
    tx.commit().await?;
    let signature = signing.sign(deeds, KeyName::TrustListSigner, prepared.to_be_signed()).await?;
    let signed = prepared.attach(&signature)?;
    let mut tx = deeds.db().begin_upkeep().await?;
    store::attach(&mut tx, id, &signed).await?;
    store::purge_older(&mut tx, issued_at).await?;
    tx.commit().await?;
    let bundle = Bundle { id, issued_at, frame_hash, signed: signed.into() };
    *trust.current.write().expect("the lock is held for a copy only") = Some(bundle);
    Ok(())
}

fn frame_hash(csca: &Certificate, crl: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [csca.der(), crl] {
        hash.update(Sha256::digest(part));
    }
    hash.finalize().into()
}

/// Why there is no bundle.
#[derive(Debug, Error)]
pub enum BundleError {
    /// The revocation list's file.
    #[error(transparent)]
    Crl(#[from] CrlFileError),
    /// It could not be opened by a terminal, so it was not signed: the list or the signer has run out.
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
