//! The service's own TLS authority: the server's certificate, and the client certificates of stations and officers. It
//! has nothing to do with the CSCA: this one lets machines talk, that one makes documents.

use std::fmt;
use std::net::IpAddr;

use crypto::pki::{Certificate, pem};
use rand::CryptoRng;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    SanType, SerialNumber,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::key_store::{KeyStore, KeyStoreError, LockedKeyStore};

/// The authority that certifies stations and officers, with its key opened: the newest, while one is
/// [rolled over](super::RollOver).
pub struct TlsAuthority {
    issuer: Issuer<'static, KeyPair>,
    all_pem: String,
    fingerprints: String,
}

/// Shows no key.
impl fmt::Debug for TlsAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsAuthority")
    }
}

/// A certificate just issued.
#[derive(Clone, Debug)]
pub struct IssuedCertificate {
    /// DER.
    pub der: Vec<u8>,
    /// PEM.
    pub pem: String,
    /// Last moment of validity.
    pub not_after: OffsetDateTime,
}

impl IssuedCertificate {
    /// SHA-256 over the DER: how a station or an officer is recognised.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }
}

/// Returns the SHA-256 of the key in a certificate (DER): how a key is recognised that was certified before.
#[must_use]
pub fn key_of(certificate: &[u8]) -> Option<[u8; 32]> {
    let certificate = Certificate::parse(certificate).ok()?;
    Some(Sha256::digest(certificate.subject_public_key_info()).into())
}

impl TlsAuthority {
    /// Makes the authority and the server's certificate for `hosts` (names or addresses), and keeps both.
    ///
    /// # Errors
    /// [`TlsAuthorityError`]
    pub fn init(
        store: &LockedKeyStore<'_>,
        hosts: &[String],
        now: OffsetDateTime,
        rng: &mut impl CryptoRng,
    ) -> Result<(), TlsAuthorityError> {
        let authority = make(store, NAME, now, rng)?;
        publish(store, std::slice::from_ref(&authority))?;
        certify_server(store, &authority, hosts, now, rng)
    }

    /// Opens the authority.
    ///
    /// # Errors
    /// [`TlsAuthorityError`]
    pub fn open(store: &KeyStore) -> Result<Self, TlsAuthorityError> {
        let all = authorities(store)?;
        let newest = all.last().ok_or(TlsAuthorityError::Malformed(FILE))?;
        let fingerprints: Vec<_> = all.iter().map(|one| hex::encode(Sha256::digest(one))).collect();
        Ok(Self { issuer: issuer(store, newest)?, all_pem: text(&all), fingerprints: fingerprints.join(",") })
    }

    /// Issues the server's certificate anew (two years), with a new key, under the authority that it had.
    ///
    /// # Errors
    /// [`TlsAuthorityError`]
    pub fn renew_server(
        store: &LockedKeyStore<'_>,
        hosts: &[String],
        now: OffsetDateTime,
        rng: &mut impl CryptoRng,
    ) -> Result<(), TlsAuthorityError> {
        let all = authorities(store)?;
        let of_server = match all.last() {
            Some(newest) if serves_under(store, newest)? => Some(newest),
            _ => all.first(),
        };
        certify_server(store, of_server.ok_or(TlsAuthorityError::Malformed(FILE))?, hosts, now, rng)
    }

    /// Everything that a client trusts: the authority's own certificate, and before it the old one's while it is rolled
    /// over.
    #[must_use]
    pub fn all_pem(&self) -> &str {
        &self.all_pem
    }

    /// The SHA-256 of each certificate of [`all_pem`](Self::all_pem), as the header
    /// [`AUTHORITIES`](crypto::perso::protocol::AUTHORITIES) has them.
    #[must_use]
    pub fn fingerprints(&self) -> &str {
        &self.fingerprints
    }

    /// Certifies the key of a station for a year. From the request only the key is taken: the name is `id`, and what
    /// the certificate may be used for is ours to say.
    ///
    /// # Errors
    /// [`TlsAuthorityError::Request`] if the request is malformed or not signed by its own key.
    pub fn station(
        &self,
        id: &str,
        request_pem: &str,
        now: OffsetDateTime,
        rng: &mut impl CryptoRng,
    ) -> Result<IssuedCertificate, TlsAuthorityError> {
        self.client(named(id), request_pem, now, rng)
    }

    /// As [`station`](Self::station) for an officer: the name says also that it is an officer's.
    ///
    /// # Errors
    /// As [`station`](Self::station).
    pub fn officer(
        &self,
        id: &str,
        request_pem: &str,
        now: OffsetDateTime,
        rng: &mut impl CryptoRng,
    ) -> Result<IssuedCertificate, TlsAuthorityError> {
        let mut params = named(id);
        params.distinguished_name.push(DnType::OrganizationalUnitName, OFFICERS);
        self.client(params, request_pem, now, rng)
    }

    /// As [`station`](Self::station) for the system of a partner.
    ///
    /// # Errors
    /// As [`station`](Self::station).
    pub fn partner(
        &self,
        id: &str,
        request_pem: &str,
        now: OffsetDateTime,
        rng: &mut impl CryptoRng,
    ) -> Result<IssuedCertificate, TlsAuthorityError> {
        let mut params = named(id);
        params.distinguished_name.push(DnType::OrganizationalUnitName, PARTNERS);
        self.client(params, request_pem, now, rng)
    }

    fn client(
        &self,
        params: CertificateParams,
        request_pem: &str,
        now: OffsetDateTime,
        rng: &mut impl CryptoRng,
    ) -> Result<IssuedCertificate, TlsAuthorityError> {
        let mut request = CertificateSigningRequestParams::from_pem(request_pem)
            .map_err(|e| TlsAuthorityError::Request(e.to_string()))?;
        if ![&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384].contains(&request.public_key.algorithm()) {
            return Err(TlsAuthorityError::Request("the key is not on P-256 or P-384".to_owned()));
        }
        request.params = params;
        request.params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        request.params.use_authority_key_identifier_extension = true;
        let not_after = valid(&mut request.params, now, Duration::days(365), rng);
        let certificate = request.signed_by(&self.issuer)?;
        Ok(IssuedCertificate { der: certificate.der().to_vec(), pem: certificate.pem(), not_after })
    }
}

/// Returns the certificates of the authorities: one, or while it is rolled over the old one and the new one.
pub(super) fn authorities(store: &KeyStore) -> Result<Vec<CertificateDer<'static>>, TlsAuthorityError> {
    let malformed = || TlsAuthorityError::Malformed(FILE);
    let all = CertificateDer::pem_slice_iter(&store.public(FILE)?).collect::<Result<Vec<_>, _>>();
    all.ok().filter(|all| (1..=2).contains(&all.len())).ok_or_else(malformed)
}

/// Writes the certificates of the authorities: the one moment at which another one counts, or one no more.
pub(super) fn publish(store: &LockedKeyStore<'_>, all: &[CertificateDer<'_>]) -> Result<(), KeyStoreError> {
    store.publish(FILE, text(all).as_bytes())
}

fn text(all: &[CertificateDer<'_>]) -> String {
    all.iter().map(|one| pem::write("CERTIFICATE", one).to_string()).collect()
}

/// Makes an authority, and keeps its key: it counts when its certificate is [published](publish).
pub(super) fn make(
    store: &LockedKeyStore<'_>,
    name: &str,
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<CertificateDer<'static>, TlsAuthorityError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now, Duration::days(3652), rng);
    let certificate = params.self_signed(&key)?.der().clone();
    store.put(&authority_key_name(&certificate), key.serialized_der())?;
    Ok(certificate)
}

/// Opens the authority with this certificate.
fn issuer(store: &KeyStore, certificate: &CertificateDer<'_>) -> Result<Issuer<'static, KeyPair>, TlsAuthorityError> {
    let der = PrivatePkcs8KeyDer::from(store.load(&key_in_use(store, certificate)?)?.to_vec());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P384_SHA384)?;
    Ok(Issuer::from_ca_cert_der(&certificate.clone().into_owned(), key)?)
}

/// Returns the name of an authority's key: that of its certificate, or, in a folder of a version that had one authority
/// only, the one that was used then.
fn key_in_use(store: &KeyStore, certificate: &[u8]) -> Result<String, KeyStoreError> {
    let name = authority_key_name(certificate);
    Ok(if store.names(&name)?.is_empty() { AUTHORITY.to_owned() } else { name })
}

fn authority_key_name(certificate: &[u8]) -> String {
    format!("{AUTHORITY}-{}", hex::encode(&Sha256::digest(certificate)[..20]))
}

/// Removes the keys of authorities that count no more, or never did. Returns how many.
pub(super) fn forget_others(store: &LockedKeyStore<'_>) -> Result<usize, TlsAuthorityError> {
    let all = authorities(store)?;
    let used = all.iter().map(|one| key_in_use(store, one)).collect::<Result<Vec<_>, _>>()?;
    let there = store.names(AUTHORITY)?.into_iter().map(|rest| format!("{AUTHORITY}{rest}"));
    let others: Vec<_> = there.filter(|name| !used.contains(name)).collect();
    others.iter().try_for_each(|name| store.forget(name))?;
    Ok(others.len())
}

/// True if the authority certified this certificate.
pub(super) fn certified(authority: &[u8], certificate: &[u8]) -> bool {
    let (Ok(authority), Ok(one)) = (Certificate::parse(authority), Certificate::parse(certificate)) else {
        return false;
    };
    authority.subject_key_identifier().is_some() && authority.subject_key_identifier() == one.authority_key_identifier()
}

/// True if the authority certified the server.
pub(super) fn serves_under(store: &KeyStore, authority: &[u8]) -> Result<bool, TlsAuthorityError> {
    let server = CertificateDer::from_pem_slice(&store.public(SERVER_FILE)?);
    Ok(certified(authority, &server.map_err(|_| TlsAuthorityError::Malformed(SERVER_FILE))?))
}

/// Issues the server's certificate (two years) under this authority, with a new key.
pub(super) fn certify_server(
    store: &LockedKeyStore<'_>,
    authority: &CertificateDer<'_>,
    hosts: &[String],
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<(), TlsAuthorityError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = named("Citizen Card issuance");
    params.subject_alt_names = hosts
        .iter()
        .map(|host| match host.parse::<IpAddr>() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => Ok(SanType::DnsName(host.as_str().try_into()?)),
        })
        .collect::<Result<_, rcgen::Error>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    valid(&mut params, now, Duration::days(730), rng);
    let certificate = params.signed_by(&key, &issuer(store, authority)?)?;
    // The key's file is named after the certificate, so that publishing the certificate is the one moment at which
    // both take over: a cut before leaves the old pair, which still fits.
    store.put(&server_key_name(certificate.der()), key.serialized_der())?;
    Ok(store.publish(SERVER_FILE, certificate.pem().as_bytes())?)
}

fn named(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

/// Validity in whole seconds, begun an hour ago so that clocks may differ, and a random serial number.
fn valid(
    params: &mut CertificateParams,
    now: OffsetDateTime,
    lasts: Duration,
    rng: &mut impl CryptoRng,
) -> OffsetDateTime {
    let now = now.replace_nanosecond(0).expect("0 is a nanosecond");
    params.not_before = now - Duration::hours(1);
    params.not_after = now + lasts;
    let mut serial = [0; 16];
    rng.fill_bytes(&mut serial);
    serial[0] = serial[0] & 0x7f | 0x40; // positive, and all sixteen bytes needed
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_after
}

/// Organizational unit in the certificates of officers; those of stations have none.
pub const OFFICERS: &str = "officers";
/// Organizational unit in the certificates of systems of partners.
const PARTNERS: &str = "partners";
/// The certificates of the authorities, for clients.
pub(super) const FILE: &str = "tls-ca.pem";
/// The server's certificate.
const SERVER_FILE: &str = "server.pem";
/// Common name of the first authority.
pub(super) const NAME: &str = "Citizen Card service TLS authority";
const AUTHORITY: &str = "tls-ca";
const SERVER: &str = "tls-server";

/// Loads the private key of the server's certificate (PKCS #8).
///
/// # Errors
/// [`KeyStoreError`]
pub(crate) fn server_key(store: &KeyStore, certificate: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
    store.load(&server_key_name(certificate))
}

fn server_key_name(certificate: &[u8]) -> String {
    format!("{SERVER}-{}", hex::encode(&Sha256::digest(certificate)[..20]))
}

/// Why the authority cannot work.
#[derive(Debug, Error)]
pub enum TlsAuthorityError {
    /// The library.
    #[error("TLS certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// Not what the file should hold.
    #[error("{0} does not hold what it should")]
    Malformed(&'static str),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The certification request of a station or an officer cannot be used.
    #[error("certification request: {0}")]
    Request(String),
}
