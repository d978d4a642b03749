//! Ceremonies: the founding of a service, a new document signer, a new revocation list. Only here the CSCA's key is opened.

use crypto::pki::{
    Certificate, CertificateDraft, Country, Crl, CrlDraft, CrlError, CurveForm, Findings, Issuer, Name, NameError,
    RevokedCertificate, Role, SerialNumber, SignatureMismatch, Validity,
};
use crypto::suite::Curve;
use rand::CryptoRng;
use thiserror::Error;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::card_keys::{CardKeys, CardKeysError};
use super::key_store::{KeyStore, KeyStoreError, write_private};
use super::signer::{KeyName, SignerError, SigningKey, certificate};
use super::tls_authority::{TlsAuthority, TlsAuthorityError};
use crate::access::{AccessError, FirstOfficer};
use crate::config::Config;

/// What is decided when a service is founded.
#[derive(Debug)]
pub struct Founding {
    /// Name of the first administrator.
    pub admin: String,
    /// Names and addresses under which the service is reached.
    pub hosts: Vec<String>,
    /// The State, in names and in the MRZ.
    pub country: Country,
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

impl Default for Founding {
    fn default() -> Self {
        Self {
            admin: "admin".to_owned(),
            hosts: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
            country: Country::new("VN", "VNM").expect("two and three capital letters"),
            organization: "Citizen Card development authority".to_owned(),
            curve_form: CurveForm::Explicit,
            public_url: "https://citizen-card.invalid".to_owned(),
            csca_curve: Curve::P384,
            signer_curve: Curve::P256,
            transport_keys: Vec::new(),
        }
    }
}

/// What a founding leaves behind besides the files.
pub struct Founded {
    /// The first administrator's password; also in `DATA/admin-password`, which only its owner can read.
    pub admin_password: Zeroizing<String>,
}

/// Shows no password.
impl std::fmt::Debug for Founded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Founded")
    }
}

/// Founds a service in `config.data`: key-encryption key, CSCA, document signer, trust-list signer, first CRL, issuer master
/// key, secret of the personal numbers, TLS authority and server certificate, first administrator. Needs no database.
///
/// # Errors
/// [`CeremonyError`]; a folder that already holds keys is left alone.
pub fn found(
    config: &Config,
    founding: &Founding,
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<Founded, CeremonyError> {
    std::fs::create_dir_all(&config.data).map_err(|e| KeyStoreError::File(config.data.clone(), e))?;
    let store = KeyStore::found(&config.data, config.key_file.as_deref(), rng)?;
    CardKeys::found(&store, rng)?;
    crate::numbering::found(&store, rng)?;
    for (id, key) in &founding.transport_keys {
        CardKeys::import_transport(&store, id, key)?;
    }
    TlsAuthority::found(&store, &founding.hosts, now, rng)?;
    let settings = toml::to_string(&Settings::of(founding)).expect("plain settings");
    store.publish(SETTINGS, settings.as_bytes())?;

    let key = SigningKey::generate(KeyName::Csca, founding.csca_curve, rng)?;
    let csca = issue(&store, &founding.settings(), &key, &key, None, now, rng)?;
    for name in [KeyName::DocumentSigner, KeyName::TrustListSigner] {
        let signer = SigningKey::generate(name, founding.signer_curve, rng)?;
        issue(&store, &founding.settings(), &signer, &key, Some(&csca), now, rng)?;
    }
    publish_crl(&store, &key, csca, 1, vec![], now)?;

    let (officer, admin_password) = FirstOfficer::invent(&founding.admin, config, rng)?;
    officer.keep(&store)?;
    write_private(&config.data.join("admin-password"), admin_password.as_bytes())?;
    Ok(Founded { admin_password })
}

/// Certifies a new key for a signer; the running service takes it at its next start. The old certificate stays valid (cards
/// carry it) and is kept as `<name>-<serial>.der`.
///
/// # Errors
/// [`CeremonyError`]; [`SignerError::Closed`] for the CSCA, whose succession is a matter of link certificates.
pub fn rotate(
    config: &Config,
    name: KeyName,
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<Certificate, CeremonyError> {
    if name == KeyName::Csca {
        return Err(SignerError::Closed(name).into());
    }
    let store = KeyStore::open(&config.data, config.key_file.as_deref())?;
    let settings = Settings::read(&store)?;
    let csca = certificate(&store, KeyName::Csca)?;
    let authority = SigningKey::open(&store, KeyName::Csca, &csca)?;
    let old = certificate(&store, name)?;
    store.publish(&format!("{}-{}.der", name.file(), old.serial()), old.der())?;
    let signer = SigningKey::generate(name, settings.signer_curve()?, rng)?;
    issue(&store, &settings, &signer, &authority, Some(&csca), now, rng)
}

/// Issues the next CRL of the CSCA, with `revoke` (serial numbers of document signers) added.
///
/// # Errors
/// [`CeremonyError`]
pub fn issue_crl(config: &Config, revoke: &[SerialNumber], now: OffsetDateTime) -> Result<Crl, CeremonyError> {
    let store = KeyStore::open(&config.data, config.key_file.as_deref())?;
    let csca = certificate(&store, KeyName::Csca)?;
    let authority = SigningKey::open(&store, KeyName::Csca, &csca)?;
    let last = Crl::parse(&store.public(CRL)?).map_err(|_| CeremonyError::LastList)?;
    let number = last.number().and_then(|bytes| small(&bytes)).ok_or(CeremonyError::LastList)?;
    let mut revoked = last.revoked().to_vec();
    for serial in revoke {
        if revoked.iter().all(|entry| entry.serial != *serial) {
            revoked.push(RevokedCertificate { serial: serial.clone(), at: whole_second(now) });
        }
    }
    publish_crl(&store, &authority, csca, number + 1, revoked, now)
}

/// Issues the TLS certificate of the server anew.
///
/// # Errors
/// [`CeremonyError`]
pub fn renew_server(
    config: &Config,
    hosts: &[String],
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<(), CeremonyError> {
    let store = KeyStore::open(&config.data, config.key_file.as_deref())?;
    Ok(TlsAuthority::open(&store)?.renew_server(&store, hosts, now, rng)?)
}

fn issue(
    store: &KeyStore,
    settings: &Settings,
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
    store: &KeyStore,
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

/// What later ceremonies must know of the founding. Nothing secret.
#[derive(serde::Deserialize, serde::Serialize)]
struct Settings {
    country: String,
    organization: String,
    public_url: String,
    named_curves: bool,
    /// Standardized domain parameters (Doc 9303-11).
    signer_curve: u8,
}

impl Settings {
    fn of(founding: &Founding) -> Self {
        Self {
            country: format!("{}/{}", founding.country.in_names(), founding.country.in_mrz()),
            organization: founding.organization.clone(),
            public_url: founding.public_url.trim_end_matches('/').to_owned(),
            named_curves: founding.curve_form == CurveForm::Named,
            signer_curve: founding.signer_curve.parameter_id(),
        }
    }

    fn read(store: &KeyStore) -> Result<Self, CeremonyError> {
        let text = String::from_utf8(store.public(SETTINGS)?).map_err(|_| CeremonyError::Settings)?;
        toml::from_str(&text).map_err(|_| CeremonyError::Settings)
    }

    fn signer_curve(&self) -> Result<Curve, CeremonyError> {
        Curve::from_parameter_id(self.signer_curve).ok_or(CeremonyError::Settings)
    }
}

impl Founding {
    fn settings(&self) -> Settings {
        Settings::of(self)
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
const SETTINGS: &str = "authority.toml";

/// Why a ceremony ended.
#[derive(Debug, Error)]
pub enum CeremonyError {
    /// The first officer.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Master keys of cards.
    #[error(transparent)]
    CardKeys(#[from] CardKeysError),
    /// The new list breaks a rule.
    #[error("revocation list: {0}")]
    Crl(#[from] CrlError),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The list in force cannot be read.
    #[error("csca.crl is not a revocation list with a number; restore it")]
    LastList,
    /// The draft breaks the profile.
    #[error("certificate profile: {0}")]
    Lint(#[from] Findings),
    /// A name does not fit into a certificate.
    #[error(transparent)]
    Name(#[from] NameError),
    /// What later ceremonies must know is not there.
    #[error("authority.toml is malformed; restore it")]
    Settings,
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
