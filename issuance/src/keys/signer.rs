//! The signer: keys that sign certificates, security objects and the trust bundle. Where the private half lives is a
//! seam ([`Side`]): in this process for development, behind PKCS#11 later. Usage is reserved before, and every
//! signature is verified before it leaves.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair};
use crypto::pki::{Certificate, SerialNumber};
use crypto::suite::{Curve, EcError, PrivateKey, PublicKey, SignatureAlgorithm, VerifyingKey};
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::crl::{CrlFileError, CurrentCrl};
use super::installation::Counters;
use super::key_store::{KeyStore, KeyStoreError, LockedKeyStore};
use super::{Settings, store};
use crate::deed::Deeds;
use crate::store::{StoreError, Tx};

/// What a signing key is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyName {
    /// The national country signing CA. Opened in ceremonies only, never by the running service.
    Csca,
    /// Signs security objects.
    DocumentSigner,
    /// Signs the trust bundle.
    TrustListSigner,
}

impl KeyName {
    /// Name of the certificate's file (with `.der`), and prefix of the key's.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Csca => "csca",
            Self::DocumentSigner => "ds",
            Self::TrustListSigner => "trust-list-signer",
        }
    }
}

/// One signing key.
pub struct SigningKey {
    name: KeyName,
    public: PublicKey,
    side: Side,
    /// Signatures that are already counted as used in the database but not made yet.
    reserved: Mutex<u64>,
    /// The usage limit was met: this process asks no more.
    exhausted: AtomicBool,
}

/// Where the private half lives. A PKCS#11 session becomes a third variant: handle and slot, the same two verbs.
enum Side {
    /// NIST curves in this process: several times faster than portable code.
    AwsLc { pair: Box<EcdsaKeyPair>, scalar: Zeroizing<Vec<u8>> },
    /// Every other curve in this process.
    Suite(PrivateKey),
}

/// Shows what it is for and its identifier.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?}, {})", self.name, self.id())
    }
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// [`SignerError`] if the library refuses what it just made.
    pub fn generate(name: KeyName, curve: Curve, rng: &mut impl CryptoRng) -> Result<Self, SignerError> {
        Self::from_private(name, PrivateKey::generate(curve, rng))
    }

    /// The key that this certificate certifies, from the store.
    ///
    /// # Errors
    /// [`SignerError`]
    pub fn open(store: &KeyStore, name: KeyName, certificate: &Certificate) -> Result<Self, SignerError> {
        let Ok(VerifyingKey::Ec(public)) = certificate.verifying_key() else {
            return Err(SignerError::Malformed(name));
        };
        let bytes = store.load(&file(name, &public))?;
        let (&id, scalar) = bytes.split_first().ok_or(SignerError::Malformed(name))?;
        let curve = Curve::from_parameter_id(id).ok_or(SignerError::Malformed(name))?;
        let key = Self::from_private(name, PrivateKey::from_bytes(curve, scalar)?)?;
        if key.public == public { Ok(key) } else { Err(SignerError::OtherKey(name)) }
    }

    /// Seals the key into the store: standardized domain parameter identifier (Doc 9303-11), then the scalar. Its file
    /// is named after the key, so that publishing the certificate is the one moment at which a new key takes over.
    ///
    /// # Errors
    /// [`SignerError`]
    pub fn keep(&self, store: &LockedKeyStore<'_>) -> Result<(), SignerError> {
        let mut bytes = Zeroizing::new(vec![self.public.curve().parameter_id()]);
        match &self.side {
            Side::AwsLc { scalar, .. } => bytes.extend_from_slice(scalar),
            Side::Suite(key) => bytes.extend_from_slice(&key.to_bytes()),
        }
        Ok(store.put(&file(self.name, &self.public), &bytes)?)
    }

    fn from_private(name: KeyName, key: PrivateKey) -> Result<Self, SignerError> {
        let public = key.public();
        let side = match key.curve() {
            curve @ (Curve::P256 | Curve::P384) => {
                let algorithm = match curve {
                    Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
                    _ => &ECDSA_P384_SHA384_ASN1_SIGNING,
                };
                let scalar = key.to_bytes();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &scalar, public.to_sec1())
                    .map_err(|_| SignerError::Malformed(name))?;
                Side::AwsLc { pair: Box::new(pair), scalar }
            }
            _ => Side::Suite(key),
        };
        Ok(Self { name, public, side, reserved: Mutex::new(0), exhausted: AtomicBool::new(false) })
    }

    /// What it is for.
    #[must_use]
    pub fn name(&self) -> KeyName {
        self.name
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::Ec(self.public.clone())
    }

    /// ECDSA with the hash function of the curve's strength.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Ecdsa(self.public.curve().usual_hash())
    }

    /// First 20 bytes of SHA-256 over the public point, in hex: how usage is counted.
    #[must_use]
    pub fn id(&self) -> String {
        key_id(&self.public)
    }

    /// Signs, and verifies what was signed. Does not count usage: the service signs through [`Signer::sign`];
    /// ceremonies and benchmarks come here.
    ///
    /// # Errors
    /// [`SignerError::Failed`], [`SignerError::Unverified`]
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let signature = match &self.side {
            Side::AwsLc { pair, .. } => {
                #[expect(clippy::disallowed_methods, reason = "the library signs with its own randomness only")]
                let random = SystemRandom::new();
                pair.sign(&random, message).map_err(|_| SignerError::Failed)?.as_ref().to_vec()
            }
            Side::Suite(key) => key.sign_der(self.public.curve().usual_hash(), message),
        };
        // A fault while signing can give the private key away, so a wrong signature must not leave.
        self.verifying_key()
            .verify(self.algorithm(), message, &signature)
            .map_err(|_| SignerError::Unverified(self.name))?;
        Ok(signature)
    }
}

/// The signing keys of the running service, each with its certificate; clones share them.
#[derive(Clone, Debug)]
pub struct Signer(Arc<Keys>);

#[derive(Debug)]
struct Keys {
    document_signer: Arc<(SigningKey, Certificate)>,
    trust_list_signer: Arc<(SigningKey, Certificate)>,
    csca: Certificate,
    settings: Settings,
    counters: Counters,
    crl: CurrentCrl,
}

impl Signer {
    /// Opens what the running service needs: never the CSCA's key.
    ///
    /// # Errors
    /// [`SignerError`]
    pub fn open(store: &KeyStore, settings: Settings, counters: Counters) -> Result<Self, SignerError> {
        let with_certificate = |name: KeyName| -> Result<Arc<(SigningKey, Certificate)>, SignerError> {
            let certificate = certificate(store, name)?;
            let key = SigningKey::open(store, name, &certificate)?;
            Ok(Arc::new((key, certificate)))
        };
        Self::of(store, settings, counters, with_certificate)
    }

    /// Opens what the folder holds now. A key that is the same goes on with the signatures that it reserved.
    fn reopened(&self, store: &KeyStore) -> Result<Self, SignerError> {
        let keys = &self.0;
        Self::of(store, keys.settings.clone(), keys.counters.clone(), |name| {
            let certificate = certificate(store, name)?;
            let present = if name == KeyName::DocumentSigner { &keys.document_signer } else { &keys.trust_list_signer };
            if present.1.der() == certificate.der() {
                return Ok(Arc::clone(present));
            }
            let key = SigningKey::open(store, name, &certificate)?;
            Ok(Arc::new((key, certificate)))
        })
    }

    fn of(
        store: &KeyStore,
        settings: Settings,
        counters: Counters,
        opened: impl Fn(KeyName) -> Result<Arc<(SigningKey, Certificate)>, SignerError>,
    ) -> Result<Self, SignerError> {
        Ok(Self(Arc::new(Keys {
            document_signer: opened(KeyName::DocumentSigner)?,
            trust_list_signer: opened(KeyName::TrustListSigner)?,
            csca: certificate(store, KeyName::Csca)?,
            settings,
            counters,
            crl: CurrentCrl::new(store.data()),
        })))
    }

    /// The national CSCA certificate.
    #[must_use]
    pub fn csca(&self) -> &Certificate {
        &self.0.csca
    }

    /// The certificate that goes with signatures of this key.
    #[must_use]
    pub fn certificate(&self, name: KeyName) -> &Certificate {
        match name {
            KeyName::Csca => &self.0.csca,
            KeyName::DocumentSigner => &self.0.document_signer.1,
            KeyName::TrustListSigner => &self.0.trust_list_signer.1,
        }
    }

    /// The key itself; `None` for the CSCA, which only ceremonies open.
    #[must_use]
    pub fn key(&self, name: KeyName) -> Option<&SigningKey> {
        match name {
            KeyName::Csca => None,
            KeyName::DocumentSigner => Some(&self.0.document_signer.0),
            KeyName::TrustListSigner => Some(&self.0.trust_list_signer.0),
        }
    }
}

/// The signer of a running service: another one after a reload that found new keys.
#[derive(Clone, Debug)]
pub struct Signers(Arc<RwLock<Succession>>);

#[derive(Debug)]
struct Succession {
    now: Signer,
    /// The one before the last reload: it signs what was prepared for it.
    before: Option<Signer>,
}

impl Signers {
    /// Begins with this one.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        Self(Arc::new(RwLock::new(Succession { now: signer, before: None })))
    }

    /// Returns the signer of this moment. What is prepared for its certificate is signed by it, so a piece of work asks
    /// once.
    #[must_use]
    pub fn now(&self) -> Signer {
        self.0.read().expect("the lock is held for a copy only").now.clone()
    }

    /// Returns the signer, of now or before the last reload, whose document signer has this certificate; the one of now
    /// if neither has.
    #[must_use]
    pub fn of(&self, document_signer: &Certificate) -> Signer {
        let succession = self.0.read().expect("the lock is held for a copy only");
        let fits = |signer: &&Signer| signer.certificate(KeyName::DocumentSigner).der() == document_signer.der();
        succession.before.as_ref().filter(fits).unwrap_or(&succession.now).clone()
    }

    /// Takes what the folder holds now. Returns the signers that are others than before.
    ///
    /// # Errors
    /// [`SignerError`]; the signer of before stays then.
    pub fn reload(&self, store: &KeyStore) -> Result<Vec<KeyName>, SignerError> {
        let before = self.now();
        let now = before.reopened(store)?;
        let others = [KeyName::DocumentSigner, KeyName::TrustListSigner]
            .into_iter()
            .filter(|name| before.certificate(*name).der() != now.certificate(*name).der())
            .collect::<Vec<_>>();
        if !others.is_empty() {
            let mut succession = self.0.write().expect("the lock is held for a copy only");
            *succession = Succession { now, before: Some(before) };
        }
        Ok(others)
    }
}

/// The certificate of a key, from its public file.
pub(super) fn certificate(store: &KeyStore, name: KeyName) -> Result<Certificate, SignerError> {
    Certificate::parse(&store.public(&format!("{}.der", name.file()))?).map_err(|_| SignerError::Malformed(name))
}

impl Signer {
    /// Signs with a key of the service. Usage is reserved in a transaction of its own first (in blocks: a crash
    /// forfeits what was reserved, and never exceeds the limit), so call it **between** transactions: what will be
    /// signed was stored by the one before.
    ///
    /// # Errors
    /// As [`require_able`](Self::require_able); the rest as [`SigningKey::sign`].
    pub async fn sign(&self, deeds: &Deeds, name: KeyName, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let key = self.require_able(deeds, name).await?;
        if !take_reserved(key) {
            // Others took what was reserved. One of the block is for this signature.
            self.reserve(deeds, key, 1).await?;
        }
        key.sign(message)
    }

    /// Refuses a key that would not sign now, before anything is prepared for it. A signature is reserved.
    ///
    /// # Errors
    /// [`SignerError::Revoked`], [`SignerError::Expired`]; [`SignerError::Exhausted`] when the usage limit is reached.
    pub async fn require_able(&self, deeds: &Deeds, name: KeyName) -> Result<&SigningKey, SignerError> {
        let key = self.key(name).ok_or(SignerError::Closed(name))?;
        self.require_in_period(name, deeds.source().now())?;
        self.require_unrevoked(name).await?;
        if *key.reserved.lock().expect("the lock is held for an addition only") == 0 {
            self.reserve(deeds, key, 0).await?;
        }
        Ok(key)
    }

    async fn reserve(&self, deeds: &Deeds, key: &SigningKey, taken: u64) -> Result<(), SignerError> {
        if key.exhausted.load(Ordering::Relaxed) {
            return Err(SignerError::Exhausted(key.name));
        }
        let mut tx = deeds.db().begin_upkeep().await?;
        let granted = reserve(&mut tx, key, &self.0).await?;
        tx.commit().await?;
        *key.reserved.lock().expect("the lock is held for an addition only") += granted - taken;
        Ok(())
    }

    fn require_in_period(&self, name: KeyName, now: OffsetDateTime) -> Result<(), SignerError> {
        if now > self.certificate(name).signing_period().not_after { Err(SignerError::Expired(name)) } else { Ok(()) }
    }
}

impl Signer {
    /// Refuses a signer whose certificate is on the revocation list in force: what it signs is
    /// refused at every inspection.
    ///
    /// # Errors
    /// [`SignerError::Revoked`]; [`SignerError::Crl`] if there is no list.
    pub async fn require_unrevoked(&self, name: KeyName) -> Result<(), SignerError> {
        let (_, list) = Box::pin(self.0.crl.read()).await?;
        let serial = self.certificate(name).serial();
        if list.revoked().iter().any(|entry| entry.serial == *serial) {
            return Err(SignerError::Revoked(name, serial.clone()));
        }
        Ok(())
    }

    /// Returns what keeps the signers from signing at this moment, as sentences that say what to do;
    /// for the log and for health.
    pub async fn complaints(&self, now: OffsetDateTime) -> Vec<String> {
        let mut complaints = Vec::new();
        for name in [KeyName::DocumentSigner, KeyName::TrustListSigner] {
            let exhausted = self.key(name).is_some_and(|key| key.exhausted.load(Ordering::Relaxed));
            let able = match self.require_unrevoked(name).await {
                Ok(()) if exhausted => Err(SignerError::Exhausted(name)),
                Ok(()) => self.require_in_period(name, now),
                revoked => revoked,
            };
            // Without a list both say the same.
            let complaint = able.err().map(|error| match error {
                // Strangers ask for health: not where the folder lies.
                SignerError::Crl(_) => "csca.crl cannot be read: restore it, or run `issuance crl`".to_owned(),
                other => other.to_string(),
            });
            complaints.extend(complaint.filter(|complaint| !complaints.contains(complaint)));
        }
        complaints
    }
}

pub(super) fn key_id(public: &PublicKey) -> String {
    hex::encode(&Sha256::digest(public.to_sec1())[..20])
}

fn file(name: KeyName, public: &PublicKey) -> String {
    format!("{}-{}", name.file(), key_id(public))
}

fn take_reserved(key: &SigningKey) -> bool {
    let mut reserved = key.reserved.lock().expect("the lock is held for an addition only");
    let any = *reserved > 0;
    *reserved -= u64::from(any);
    any
}

/// Reserves up to [`BLOCK`] signatures; at least one.
async fn reserve(tx: &mut Tx, key: &SigningKey, keys: &Keys) -> Result<u64, SignerError> {
    let id = key.id();
    let used = store::used(tx, &id, key.name.file()).await?;
    let limit = keys.settings.signing_key_limit;
    let granted = keys.counters.reserve(&format!("signing-key/{id}"), used, BLOCK, limit).await?;
    if granted.is_empty() {
        key.exhausted.store(true, Ordering::Relaxed);
        return Err(SignerError::Exhausted(key.name));
    }
    store::set_used(tx, &id, granted.end).await?;
    Ok(granted.end - granted.start)
}

/// Signatures reserved at once: one commit in so many signatures, and so many lost at most by a crash.
const BLOCK: u64 = 32;

/// Why nothing was signed.
#[derive(Debug, Error)]
pub enum SignerError {
    /// The running service does not hold this key.
    #[error("the key {0:?} is opened in ceremonies only")]
    Closed(KeyName),
    /// Usage limit reached.
    #[error(
        "the usage limit of the signer `{name}` is reached, and it signs nothing more: run `issuance rotate {name}`, \
         then reload the service",
        name = .0.file()
    )]
    Exhausted(KeyName),
    /// The private key usage period is over.
    #[error(
        "the signing period of the signer `{name}` is over, and it signs nothing more: run `issuance rotate {name}`, \
         then reload the service",
        name = .0.file()
    )]
    Expired(KeyName),
    /// The library failed.
    #[error("signing failed")]
    Failed,
    /// Not a key or certificate.
    #[error("key or certificate of {0:?} is malformed")]
    Malformed(KeyName),
    /// Certificate of another key.
    #[error("the certificate of {0:?} belongs to another key")]
    OtherKey(KeyName),
    /// On the revocation list.
    #[error(
        "the certificate {serial} of the signer `{name}` is revoked, and it signs nothing more: run `issuance rotate \
         {name}`, then reload the service",
        serial = .1, name = .0.file()
    )]
    Revoked(KeyName, SerialNumber),
    /// The signature that was just made does not verify.
    #[error("a signature of {0:?} did not verify and was withheld")]
    Unverified(KeyName),
    /// No revocation list to look into.
    #[error(transparent)]
    Crl(#[from] CrlFileError),
    /// Not a key on its curve.
    #[error(transparent)]
    Curve(#[from] EcError),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}
