//! Ceremonies: the first keys of a service, a new document signer, a new revocation list. Only here
//! the CSCA's key is opened.

use std::path::PathBuf;
use std::{fmt, fs};

use crypto::identity::civil_time::VIET_NAM;
use crypto::pki::{
    Certificate, CertificateDraft, Country, Crl, CrlDraft, CrlError, CurveForm, Findings, Issuer, Name, NameError,
    RevokedCertificate, Role, SerialNumber, SignatureMismatch, Validity,
};
use crypto::suite::Curve;
use rand::CryptoRng;
use thiserror::Error;
use time::{Duration, OffsetDateTime, UtcOffset};
use zeroize::Zeroizing;

use super::card_keys::{CardKeys, CardKeysError};
use super::installation::Installation;
use super::issued::{NotIssued, require_issued};
use super::key_store::{KeyStore, KeyStoreError, LockedKeyStore};
use super::signer::{KeyName, SignerError, SigningKey, certificate};
use super::tls_authority::{TlsAuthority, TlsAuthorityError};

/// What is decided when the keys of a service are made.
#[derive(Debug)]
pub struct InitOptions {
    /// Names and addresses under which the service is reached.
    pub hosts: Vec<String>,
    /// The State, in names and in the MRZ.
    pub country: Country,
    /// Nationality of its citizens in words, as cards carry it.
    pub nationality: String,
    /// The State's civil time, ahead of UTC.
    pub utc_offset: UtcOffset,
    /// The authority, as certificates name it.
    pub organization: String,
    /// How certificates name their curve; the standard wants [`CurveForm::Explicit`].
    pub curve_form: CurveForm,
    /// Where the service is reached from outside, for the CRL distribution point.
    pub public_url: String,
    /// Curve of the CSCA's key.
    pub csca_curve: Curve,
    /// Curve of document signers' and trust-list signers' keys.
    pub signer_curve: Curve,
    /// Transport master keys to take in: identifier, key.
    pub transport_keys: Vec<(String, Zeroizing<Vec<u8>>)>,
}

impl Default for InitOptions {
    fn default() -> Self {
        Self {
            hosts: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
            country: Country::new("VN", "VNM").expect("two and three capital letters"),
            nationality: VIETNAMESE.to_owned(),
            utc_offset: VIET_NAM,
            organization: "Citizen Card development authority".to_owned(),
            curve_form: CurveForm::Explicit,
            public_url: "https://citizen-card.invalid".to_owned(),
            csca_curve: Curve::P384,
            signer_curve: Curve::P256,
            transport_keys: Vec::new(),
        }
    }
}

/// Makes the keys of a service in a new store: CSCA, document signer, trust-list signer, first CRL, issuer master key,
/// TLS authority and server certificate.
///
/// # Errors
/// [`CeremonyError`]
pub fn init(
    store: &LockedKeyStore<'_>,
    options: &InitOptions,
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<(), CeremonyError> {
    Installation::init(store, rng)?;
    CardKeys::init(store, rng)?;
    for (id, key) in &options.transport_keys {
        CardKeys::import_transport(store, id, key, false)?;
    }
    TlsAuthority::init(store, &options.hosts, now, rng)?;
    let settings = AuthoritySettings::of(options);
    settings.publish(store)?;

    let key = SigningKey::generate(KeyName::Csca, options.csca_curve, rng)?;
    let csca = issue(store, &settings, &key, &key, None, now, rng)?;
    for name in [KeyName::DocumentSigner, KeyName::TrustListSigner] {
        let signer = SigningKey::generate(name, options.signer_curve, rng)?;
        issue(store, &settings, &signer, &key, Some(&csca), now, rng)?;
    }
    publish_crl(store, &key, csca, 1, vec![], now)?;
    Ok(())
}

/// Certifies a new key for a signer; the running service takes it at its next start. The old certificate stays valid
/// (cards carry it) and is kept as `<name>-<serial>.der`.
///
/// # Errors
/// [`CeremonyError`]; [`SignerError::Closed`] for the CSCA, whose succession is a matter of link certificates.
pub fn rotate(
    store: &KeyStore,
    name: KeyName,
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<Certificate, CeremonyError> {
    if name == KeyName::Csca {
        return Err(SignerError::Closed(name).into());
    }
    let store = &store.locked()?;
    let settings = AuthoritySettings::read(store)?;
    let csca = certificate(store, KeyName::Csca)?;
    let authority = SigningKey::open(store, KeyName::Csca, &csca)?;
    let old = certificate(store, name)?;
    store.publish(&format!("{}-{}.der", name.file(), old.serial()), old.der())?;
    let signer = SigningKey::generate(name, settings.signer_curve()?, rng)?;
    issue(store, &settings, &signer, &authority, Some(&csca), now, rng)
}

/// Issues the next CRL of the CSCA, with `revoke` (serial numbers of signers, see [`find_issued`](super::find_issued))
/// added.
///
/// # Errors
/// [`CeremonyError`]; [`CeremonyError::NotIssued`], and then no list, if one of them belongs to no certificate.
pub fn issue_crl(store: &KeyStore, revoke: &[SerialNumber], now: OffsetDateTime) -> Result<Crl, CeremonyError> {
    // Read, changed and written back under one lock: of two lists made at once, the later has what the earlier revoked.
    let store = &store.locked()?;
    let csca = certificate(store, KeyName::Csca)?;
    let authority = SigningKey::open(store, KeyName::Csca, &csca)?;
    let unfit = |why: &dyn fmt::Display| CeremonyError::LastList(store.data().join(CRL), why.to_string());
    let last = fs::read(store.data().join(CRL)).map_err(|error| unfit(&error))?;
    let last = Crl::parse(&last).map_err(|_| unfit(&"it is not a revocation list"))?;
    let number = last.number().and_then(|bytes| small(&bytes)).ok_or_else(|| unfit(&"it has no number"))?;
    let mut revoked = last.revoked().to_vec();
    for serial in revoke {
        require_issued(store, serial)?;
        if revoked.iter().all(|entry| entry.serial != *serial) {
            revoked.push(RevokedCertificate { serial: serial.clone(), at: whole_second(now) });
        }
    }
    publish_crl(store, &authority, csca, number + 1, revoked, now)
}

/// Issues the TLS certificate of the server anew, for these names and addresses; without any, for those
/// that it had. Returns them.
///
/// # Errors
/// [`CeremonyError`]
pub fn renew_server(
    store: &KeyStore,
    hosts: &[String],
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<Vec<String>, CeremonyError> {
    let store = &store.locked()?;
    let mut settings = AuthoritySettings::read(store)?;
    if !hosts.is_empty() {
        settings.hosts = hosts.to_vec();
    }
    TlsAuthority::renew_server(store, &settings.hosts, now, rng)?;
    settings.publish(store)?;
    Ok(settings.hosts)
}

fn issue(
    store: &LockedKeyStore<'_>,
    settings: &AuthoritySettings,
    key: &SigningKey,
    authority: &SigningKey,
    csca: Option<&Certificate>,
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<Certificate, CeremonyError> {
    let country: Country = settings.country.parse()?;
    let serial = SerialNumber::generate(rng);
    // A card is valid for twenty years at most (40 to 60), or for life; what signed it is inspected as long. Periods of
    // Doc 9303-12 (8th ed.) §4.1.3: short for signing, long for inspecting.
    let (title, role, signs_for, valid_for) = match key.name() {
        KeyName::Csca => ("Country Signing CA".to_owned(), Role::Csca, years(5), years(30)),
        KeyName::DocumentSigner => {
            let role = Role::DocumentSigner { document_types: vec!["ID".to_owned()] };
            (format!("Document Signer {}", &key.id()[..8]), role, Duration::days(92), years(25))
        }
        KeyName::TrustListSigner => ("Trust List Signer".to_owned(), Role::TrustListSigner, years(1), years(2)),
    };
    let not_before = whole_second(now);
    let mut validity = Validity { not_before, not_after: not_before + valid_for };
    if let Some(csca) = csca {
        validity.not_after = validity.not_after.min(csca.not_after());
    }
    let draft = CertificateDraft {
        role,
        subject: Name::new(&country, &settings.organization, None, &title)?,
        issuer: csca.map_or(Issuer::Itself, |csca| Issuer::Csca(Box::new(csca.clone()))),
        serial,
        validity,
        private_key_usage: Validity { not_before, not_after: not_before + signs_for },
        key: key.verifying_key(),
        form: if settings.named_curves { CurveForm::Named } else { CurveForm::Explicit },
        country,
        contact: None,
        crl_distribution_points: vec![format!("{}/api/crl", settings.public_url)],
    };
    let prepared = draft.lint()?;
    let signature = authority.sign(prepared.to_be_signed())?;
    let certificate = prepared.attach(&signature)?;
    key.keep(store)?;
    store.publish(&format!("{}.der", key.name().file()), certificate.der())?;
    Ok(certificate)
}

fn publish_crl(
    store: &LockedKeyStore<'_>,
    authority: &SigningKey,
    issuer: Certificate,
    number: u64,
    revoked: Vec<RevokedCertificate>,
    now: OffsetDateTime,
) -> Result<Crl, CeremonyError> {
    let this_update = whole_second(now);
    let next_update = this_update + Duration::days(90); // the longest that Doc 9303-12 (8th ed.) §4.1.5 allows
    let prepared = CrlDraft { issuer, number, this_update, next_update, revoked }.lint()?;
    let signature = authority.sign(prepared.to_be_signed())?;
    let crl = prepared.attach(&signature)?;
    store.publish(CRL, crl.der())?;
    Ok(crl)
}

/// What later commands must know of the first one, in `authority.toml`. Nothing secret.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct AuthoritySettings {
    country: String,
    /// Nationality in words. A folder from before it was kept has none.
    #[serde(default)]
    nationality: String,
    organization: String,
    public_url: String,
    named_curves: bool,
    /// Standardized domain parameters (Doc 9303-11).
    signer_curve: u8,
    /// The State's civil time, in seconds ahead of UTC.
    utc_offset_seconds: i32,
    /// Names and addresses under which the service is reached.
    hosts: Vec<String>,
}

impl AuthoritySettings {
    fn of(options: &InitOptions) -> Self {
        Self {
            country: format!("{}/{}", options.country.in_names(), options.country.in_mrz()),
            nationality: options.nationality.clone(),
            organization: options.organization.clone(),
            public_url: options.public_url.trim_end_matches('/').to_owned(),
            named_curves: options.curve_form == CurveForm::Named,
            signer_curve: options.signer_curve.parameter_id(),
            utc_offset_seconds: options.utc_offset.whole_seconds(),
            hosts: options.hosts.clone(),
        }
    }

    /// Reads `authority.toml`.
    ///
    /// # Errors
    /// [`CeremonyError::Settings`]
    pub fn read(store: &KeyStore) -> Result<Self, CeremonyError> {
        let text = String::from_utf8(store.public(SETTINGS)?).map_err(|_| CeremonyError::Settings)?;
        let mut settings: Self = toml::from_str(&text).map_err(|_| CeremonyError::Settings)?;
        if settings.nationality.is_empty() && settings.country()?.in_mrz() == "VNM" {
            VIETNAMESE.clone_into(&mut settings.nationality);
        }
        if settings.nationality.is_empty() { Err(CeremonyError::Settings) } else { Ok(settings) }
    }

    fn publish(&self, store: &LockedKeyStore<'_>) -> Result<(), CeremonyError> {
        let text = toml::to_string(self).expect("plain settings");
        Ok(store.publish(SETTINGS, text.as_bytes())?)
    }

    /// Names and addresses under which the service is reached.
    pub(super) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    fn signer_curve(&self) -> Result<Curve, CeremonyError> {
        Curve::from_parameter_id(self.signer_curve).ok_or(CeremonyError::Settings)
    }

    /// The State.
    ///
    /// # Errors
    /// [`CeremonyError::Settings`]
    pub fn country(&self) -> Result<Country, CeremonyError> {
        self.country.parse().map_err(|_| CeremonyError::Settings)
    }

    /// Nationality of the State's citizens in words.
    #[must_use]
    pub fn nationality(&self) -> &str {
        &self.nationality
    }

    /// The authority, as certificates name it.
    #[must_use]
    pub fn organization(&self) -> &str {
        &self.organization
    }

    /// The State's civil time, ahead of UTC.
    ///
    /// # Errors
    /// [`CeremonyError::Settings`]
    pub fn utc_offset(&self) -> Result<UtcOffset, CeremonyError> {
        UtcOffset::from_whole_seconds(self.utc_offset_seconds).map_err(|_| CeremonyError::Settings)
    }
}

fn years(n: i64) -> Duration {
    Duration::days(n * 36525 / 100)
}

fn whole_second(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).expect("0 is a nanosecond")
}

fn small(content: &[u8]) -> Option<u64> {
    content.iter().try_fold(0_u64, |n, byte| n.checked_mul(256)?.checked_add(u64::from(*byte)))
}

/// The CSCA's current revocation list.
pub(super) const CRL: &str = "csca.crl";
/// Nationality of the citizens of Viet Nam, in DG13.
pub(crate) const VIETNAMESE: &str = "Việt Nam";
const SETTINGS: &str = "authority.toml";

/// Why a ceremony ended.
#[derive(Debug, Error)]
pub enum CeremonyError {
    /// Master keys of cards.
    #[error(transparent)]
    CardKeys(#[from] CardKeysError),
    /// The new list breaks a rule.
    #[error("revocation list: {0}")]
    Crl(#[from] CrlError),
    /// The configuration names another authority than the folder was founded with.
    #[error(
        "authority.{key} is `{said}` in the configuration, and the folder was founded with `{founded}`: correct the \
         configuration, or name another folder"
    )]
    Founded {
        /// The key.
        key: &'static str,
        /// What the configuration says.
        said: String,
        /// What the folder was founded with.
        founded: String,
    },
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The list in force cannot be read.
    #[error(
        "the revocation list in force, {0}: {1}; the next one must go on from it, or what was revoked would count again. \
         Restore it from the backup. Nothing was issued"
    )]
    LastList(PathBuf, String),
    /// The draft breaks the profile.
    #[error("certificate profile: {0}")]
    Lint(#[from] Findings),
    /// A name does not fit into a certificate.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Not a certificate of this CSCA.
    #[error(transparent)]
    NotIssued(#[from] NotIssued),
    /// What later ceremonies must know is not there.
    #[error("authority.toml is malformed or names no nationality; restore it")]
    Settings,
    /// A certificate of the folder.
    #[error("{0} is no certificate; restore it")]
    Unreadable(&'static str),
    /// The signature is not over what was prepared.
    #[error(transparent)]
    Signature(#[from] SignatureMismatch),
    /// Signing failed.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// TLS certificates.
    #[error(transparent)]
    Tls(#[from] TlsAuthorityError),
}
