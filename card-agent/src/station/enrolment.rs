//! Enrolment of a station: it makes its own TLS key, and the service signs a certificate for it.
//!
//! A station folder holds
//!
//! | file | from | secret |
//! | --- | --- | --- |
//! | `station.toml` | `card-agent enrol`: name and address of the service | |
//! | `key.pem` | `card-agent enrol`; never leaves the folder | yes, mode 0600 |
//! | `csr.pem` | `card-agent enrol`; for the administrator | |
//! | `tls-ca.pem` | the service's own TLS authority, over a trusted channel | |
//! | `certificate.pem` | the administrator's answer | |
//! | `csca.der` | optional: the national anchor; then cards are read back against the trust bundle too | |
//! | `journal.jsonl` | the station | |

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::client::{Connection, HttpService};
use crate::failure::{Code, Failure};

/// The folder of a station, with its key, its certificates and its journal.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// The contents of `station.toml`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Settings {
    /// Name of the station, as it will be registered.
    pub name: String,
    /// `https://host:port` of the issuance service.
    pub service: String,
}

impl Folder {
    /// Names a folder. Nothing is read or made yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the folder, a P-256 key, and the certificate request `csr.pem` with the station's name as common name: the
    /// first half of enrolment. An existing key is never overwritten. Returns the path of the request.
    ///
    /// # Errors
    /// [`Code::OutputUnusable`].
    pub fn request(&self, settings: &Settings, authority: Option<&[u8]>) -> Result<PathBuf, Failure> {
        fs::create_dir_all(&self.0).map_err(|e| self.unwritten("", &e))?;
        let key = match fs::read_to_string(self.file("key.pem")) {
            Ok(pem) => KeyPair::from_pem(&Zeroizing::new(pem))
                .map_err(|e| Failure::new(Code::StationIncomplete, format!("key.pem is not a private key: {e}")))?,
            Err(_) => self.make_key()?,
        };
        let mut parameters = CertificateParams::default();
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, settings.name.as_str());
        parameters.distinguished_name = name;
        let request = parameters
            .serialize_request(&key)
            .and_then(|request| request.pem())
            .map_err(|e| Failure::new(Code::InputUnusable, format!("name `{}`: {e}", settings.name)))?;
        self.write("csr.pem", request.as_bytes())?;
        if let Some(pem) = authority {
            self.write("tls-ca.pem", pem)?;
        }
        let text = toml::to_string(settings).expect("two texts are TOML");
        self.write("station.toml", text.as_bytes())?;
        Ok(self.file("csr.pem"))
    }

    /// Stores the certificate (and the service's TLS authority, if the first half did not): the
    /// second half of enrolment.
    ///
    /// # Errors
    /// [`Code::StationIncomplete`] if the first half was not done, [`Code::ServiceUntrusted`] if certificate, key and
    /// authority do not go together.
    pub fn certify(&self, certificate: &[u8], authority: Option<&[u8]>) -> Result<(), Failure> {
        let trusted = authority.map_or_else(|| self.read("tls-ca.pem"), |pem| Ok(pem.to_vec()))?;
        self.client(certificate, trusted)?;
        if let Some(pem) = authority {
            self.write("tls-ca.pem", pem)?;
        }
        self.write("certificate.pem", certificate)
    }

    /// Reads `station.toml`.
    ///
    /// # Errors
    /// [`Code::StationIncomplete`].
    pub fn settings(&self) -> Result<Settings, Failure> {
        let text = String::from_utf8_lossy(&self.read("station.toml")?).into_owned();
        toml::from_str(&text).map_err(|e| Failure::new(Code::StationIncomplete, format!("station.toml: {e}")))
    }

    /// Returns a client that the service knows as this station.
    ///
    /// # Errors
    /// [`Code::StationIncomplete`], [`Code::ServiceUntrusted`].
    pub fn service(&self) -> Result<HttpService, Failure> {
        self.client(&self.read("certificate.pem")?, self.read("tls-ca.pem")?)
    }

    fn client(&self, certificate: &[u8], authority: Vec<u8>) -> Result<HttpService, Failure> {
        let mut identity = Zeroizing::new(self.read("key.pem")?);
        identity.push(b'\n');
        identity.extend_from_slice(certificate);
        let connection = Connection { service: self.settings()?.service, authority, identity: Some(identity) };
        Ok(HttpService::new(&connection)?)
    }

    /// Stores the national anchor as `csca.der`.
    ///
    /// # Errors
    /// [`Code::OutputUnusable`].
    pub fn keep_anchor(&self, anchor: &[u8]) -> Result<(), Failure> {
        self.write("csca.der", anchor)
    }

    /// Returns the national anchor, DER, if the folder has one.
    pub fn anchor(&self) -> Option<Vec<u8>> {
        fs::read(self.file("csca.der")).ok()
    }

    fn make_key(&self) -> Result<KeyPair, Failure> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("P-256 keys can be made");
        let pem = Zeroizing::new(key.serialize_pem());
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.file("key.pem"))
            .and_then(|mut file| file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()))
            .map_err(|e| self.unwritten("key.pem", &e))?;
        Ok(key)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let path = self.file(name);
        fs::read(&path).map_err(|e| Failure::new(Code::StationIncomplete, format!("{}: {e}", path.display())))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        fs::write(self.file(name), bytes).map_err(|e| self.unwritten(name, &e))
    }

    fn unwritten(&self, name: &str, error: &std::io::Error) -> Failure {
        Failure::new(Code::OutputUnusable, format!("{}: {error}", self.file(name).display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn settings() -> Settings {
        Settings { name: "Station 1".to_owned(), service: "https://localhost:8443".to_owned() }
    }

    #[test]
    fn enrolment_makes_a_private_key_that_stays_and_a_request() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path().join("station"));
        let request = fs::read_to_string(folder.request(&settings(), None).expect("made")).expect("csr.pem");
        assert!(request.contains("BEGIN CERTIFICATE REQUEST"));
        let key = fs::read(folder.file("key.pem")).expect("key.pem");
        assert_eq!(fs::metadata(folder.file("key.pem")).expect("there").permissions().mode() & 0o777, 0o600);
        folder.request(&settings(), None).expect("again");
        assert_eq!(fs::read(folder.file("key.pem")).expect("key.pem"), key);
        assert_eq!(folder.settings().expect("read back"), settings());
    }

    #[test]
    fn a_certificate_that_does_not_fit_replaces_nothing() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path());
        folder.request(&settings(), Some(b"authority")).expect("made");
        fs::write(folder.file("certificate.pem"), b"in use").expect("written");
        assert!(folder.certify(b"no certificate", Some(b"another")).is_err());
        assert_eq!(fs::read(folder.file("certificate.pem")).expect("there"), b"in use");
        assert_eq!(fs::read(folder.file("tls-ca.pem")).expect("there"), b"authority");
    }

    #[test]
    fn a_station_without_certificate_says_what_is_missing() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path());
        folder.request(&settings(), Some(b"")).expect("made");
        let Err(failure) = folder.service() else { panic!("not certified") };
        assert_eq!(failure.code, Code::StationIncomplete);
        assert!(failure.detail.contains("certificate.pem"), "{failure}");
    }
}
