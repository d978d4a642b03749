//! A new TLS authority takes the place of the old one, with overlap: clients of both are trusted, and clients are told
//! of both, until every client has a certificate of the new one.

use crypto::pki::Certificate;
use rand::{CryptoRng, RngExt as _};
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use time::OffsetDateTime;

use super::ceremony::{AuthoritySettings, CeremonyError};
use super::key_store::{KeyStore, KeyStoreError};
use super::tls_authority::{
    FILE, NAME, TlsAuthorityError, authorities, certified, certify_server, forget_others, make, publish, serves_under,
};

/// The roll-over that is under way.
#[derive(Clone, Debug)]
pub struct RollOver {
    old: CertificateDer<'static>,
    new: CertificateDer<'static>,
}

impl RollOver {
    /// Returns the roll-over that is under way in this folder, if one is.
    ///
    /// # Errors
    /// [`TlsAuthorityError`]
    pub fn under_way(store: &KeyStore) -> Result<Option<Self>, TlsAuthorityError> {
        let mut all = authorities(store)?;
        let new = all.pop();
        Ok(all.pop().zip(new).map(|(old, new)| Self { old, new }))
    }

    /// Begins it: makes a new authority beside the old one. From the next reload on stations and officers are certified
    /// by the new one; the server's certificate stays, for those who know the old one only. A run that was cut
    /// left everything as it was, or began it.
    ///
    /// # Errors
    /// [`RollOverError::Begun`] if one is under way.
    pub fn begin(store: &KeyStore, now: OffsetDateTime, rng: &mut impl CryptoRng) -> Result<Self, RollOverError> {
        let store = &store.locked()?;
        if let Some(begun) = Self::under_way(store)? {
            return Err(RollOverError::Begun(begun.comes()?.not_before().date()));
        }
        forget_others(store)?;
        let old = authorities(store)?.pop().ok_or(TlsAuthorityError::Malformed(FILE))?;
        // A name of its own: who looks at a certificate sees which of the two certified it.
        let new = make(store, &format!("{NAME} {:08x}", rng.random::<u32>()), now, rng)?;
        publish(store, &[old.clone(), new.clone()])?;
        Ok(Self { old, new })
    }

    /// Issues the server's certificate under the new authority. Returns false if that was done before.
    ///
    /// # Errors
    /// [`RollOverError::NotBegun`]
    pub fn serve(store: &KeyStore, now: OffsetDateTime, rng: &mut impl CryptoRng) -> Result<bool, RollOverError> {
        let store = &store.locked()?;
        let Self { new, .. } = Self::under_way(store)?.ok_or(RollOverError::NotBegun)?;
        if serves_under(store, &new)? {
            return Ok(false);
        }
        certify_server(store, &new, AuthoritySettings::read(store)?.hosts(), now, rng)?;
        Ok(true)
    }

    /// Ends it: the server's certificate is the new authority's, if it was not, and the old authority and its key are
    /// gone. Who has a certificate of the old one shakes hands no more from the next reload on. A run that was cut is
    /// repeated.
    ///
    /// # Errors
    /// [`RollOverError::NotBegun`]
    pub fn finish(store: &KeyStore, now: OffsetDateTime, rng: &mut impl CryptoRng) -> Result<(), RollOverError> {
        let store = &store.locked()?;
        let Some(Self { new, .. }) = Self::under_way(store)? else {
            // A run before may have been cut when the key alone was left.
            return if forget_others(store)? > 0 { Ok(()) } else { Err(RollOverError::NotBegun) };
        };
        if !serves_under(store, &new)? {
            certify_server(store, &new, AuthoritySettings::read(store)?.hosts(), now, rng)?;
        }
        publish(store, &[new])?;
        forget_others(store)?;
        Ok(())
    }

    /// True for a certificate that opens nothing when this has ended.
    #[must_use]
    pub fn ends(&self, certificate: &[u8]) -> bool {
        !certified(&self.new, certificate)
    }

    /// The authority that goes.
    ///
    /// # Errors
    /// [`TlsAuthorityError::Malformed`]
    pub fn goes(&self) -> Result<Certificate, TlsAuthorityError> {
        Certificate::parse(&self.old).map_err(|_| TlsAuthorityError::Malformed(FILE))
    }

    /// The authority that comes.
    ///
    /// # Errors
    /// [`TlsAuthorityError::Malformed`]
    pub fn comes(&self) -> Result<Certificate, TlsAuthorityError> {
        Certificate::parse(&self.new).map_err(|_| TlsAuthorityError::Malformed(FILE))
    }
}

/// Why the authority is not rolled over. Each says what to do.
#[derive(Debug, Error)]
pub enum RollOverError {
    /// One is under way.
    #[error(
        "a new TLS authority was made on {0} already, and its roll-over is under way: reload the service if you did not; \
         `issuance rotate tls-authority --finish` ends it"
    )]
    Begun(time::Date),
    /// Names and addresses of the service.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// None is under way.
    #[error("there is one TLS authority, and no roll-over is under way: `issuance rotate tls-authority` begins one")]
    NotBegun,
    /// The authorities.
    #[error(transparent)]
    Tls(#[from] TlsAuthorityError),
}
