//! Enrolment of a station: it makes its own TLS key, and the service signs a certificate for it.
//!
//! A station folder holds
//!
//! | file | from | secret |
//! | --- | --- | --- |
//! | `station.toml` | `card-agent enrol`: name and address of the service; more by hand | |
//! | `key.pem` | `card-agent enrol`; never leaves the folder | yes, mode 0600 |
//! | `csr.pem` | `card-agent enrol`; for the administrator | |
//! | `tls-ca.pem` | the service's own TLS authority, over a trusted channel | |
//! | `certificate.pem` | the administrator's answer | |
//! | `csca.der` | optional: the national anchor; then cards are read back against the trust bundle too | |
//! | `journal.jsonl` | the station | |
//! | `in-use*.lock` | the station, see [`InUse`] | |
//! | `next-key.pem`, `next-csr.pem`, `next-certificate.pem` | a renewal that has not ended | the key, mode 0600 |

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crypto::pki::{Certificate, pem};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::InUse;
use crate::ambient;
use crate::client::{Connection, HttpService};
pub use crate::config::Station as Settings;
use crate::config::{self, Configuration as _};
use crate::failure::{Code, Failure};
use crate::papers::{self, Key, PaperError};

/// The folder of a station, with its key, its certificates and its journal.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

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
    /// [`Code::StationIncomplete`] if an existing key cannot be used, [`Code::OutputUnusable`].
    pub fn request(&self, settings: &Settings, authority: Option<&[Certificate]>) -> Result<PathBuf, Failure> {
        fs::create_dir_all(&self.0).map_err(|e| self.unwritten("", &e))?;
        let _alone = InUse::whole(&self.0)?;
        let text = self.with(settings);
        let is_there = self.file("key.pem").exists() || self.elsewhere()?.is_some();
        let key = if is_there { self.key()?.pair } else { self.make_key("key.pem")? };
        let request = request(&settings.name, &key)?;
        self.write("csr.pem", request.as_bytes())?;
        if let Some(authority) = authority {
            self.write("tls-ca.pem", &papers::to_pem(authority))?;
        }
        self.write("station.toml", text.as_bytes())?;
        Ok(self.file("csr.pem"))
    }

    /// Stores the certificate (and the service's TLS authority, if the first half did not): the
    /// second half of enrolment.
    ///
    /// # Errors
    /// [`Code::StationIncomplete`] if the first half was not done, [`Code::InputUnusable`] if no certificate is for the
    /// station's key, [`Code::ServiceUntrusted`] if TLS takes one of them for unusable.
    pub fn certify(&self, certificates: Vec<Certificate>, authority: Option<&[Certificate]>) -> Result<(), Failure> {
        let _alone = if self.0.is_dir() { Some(InUse::whole(&self.0)?) } else { None };
        let key = self.key()?;
        let certificates = papers::certificates_of(&key.pair, certificates)
            .map_err(|e| Failure::new(Code::InputUnusable, format!("the certificate {e}")))?;
        let trusted = authority.map_or_else(|| self.authority(), |all| Ok(all.to_vec()))?;
        self.client(&key, &certificates, &trusted)?;
        if let Some(authority) = authority {
            self.write("tls-ca.pem", &papers::to_pem(authority))?;
        }
        self.write("certificate.pem", &papers::to_pem(&certificates))
    }

    /// Renews the certificate, for a new key: the request is kept until it is answered, so that a renewal that was cut
    /// goes on as the same. Returns the new certificate.
    ///
    /// # Errors
    /// As [`service`](Self::service); [`Code::StationInUse`]; [`Code::StationIncomplete`] if the key lies elsewhere;
    /// the service's refusal; [`Code::ServiceAnswer`] if what it answers is no certificate for the new key;
    /// [`Code::OutputUnusable`].
    pub fn renew(&self) -> Result<Certificate, Failure> {
        // Work under way would go on with the certificate that ends; two renewals would write one file.
        let _alone = InUse::whole(&self.0)?;
        if let Some(elsewhere) = self.elsewhere()? {
            let why = format!(
                "the new key is made in this folder, and `key_file` names {}: move that key to key.pem here, and take the \
                 line out of station.toml",
                elsewhere.display()
            );
            return Err(Failure::new(Code::StationIncomplete, why));
        }
        let service = self.service()?;
        let name = self.settings()?.name;
        let key = match self.file(NEXT_KEY).exists() {
            true => papers::key(&Zeroizing::new(self.read(NEXT_KEY)?)).map_err(|e| self.unusable(NEXT_KEY, &e))?.pair,
            false => self.make_key(NEXT_KEY)?,
        };
        // A signature is another one each time: repeated is what was asked first.
        if !self.file(NEXT_REQUEST).exists() {
            let request = request(&name, &key)?;
            self.replace(NEXT_REQUEST, request.as_bytes())?;
        }
        let renewed = service.renewal(&pem::text(&self.read(NEXT_REQUEST)?))?;
        let unfit = |e: PaperError| Failure::new(Code::ServiceAnswer, format!("the new certificate {e}"));
        let certificates = papers::certificates(renewed.certificate_pem.as_bytes()).map_err(unfit)?;
        let certificates = papers::certificates_of(&key, certificates).map_err(unfit)?;
        // It came over the connection that the present authority vouches for.
        let mut authorities = self.authority()?;
        let others = papers::certificates(renewed.ca_pem.as_bytes())
            .map_err(|e| Failure::new(Code::ServiceAnswer, format!("the service's authority {e}")))?;
        let there = authorities.clone();
        let named: Vec<_> = others.iter().map(fingerprint).collect();
        authorities.extend(others.into_iter().filter(|one| !self.knows(one)));
        let authorities = without_ended(authorities, &named);
        if authorities != there {
            self.replace("tls-ca.pem", &papers::to_pem(&authorities))?;
        }
        // From here on the new pair is the station's, also if what follows is cut.
        self.replace(NEXT_CERTIFICATE, &papers::to_pem(&certificates))?;
        self.settle()?;
        self.own_certificate()
    }

    /// Takes the authorities out of `tls-ca.pem` that the service has no more, since their roll-over has ended. Returns
    /// how many. The caller has the folder, or a reader of it, for itself.
    ///
    /// # Errors
    /// [`Code::StationIncomplete`], [`Code::OutputUnusable`].
    pub fn drop_ended(&self, service: &HttpService) -> Result<usize, Failure> {
        let there = self.authority()?;
        let left = without_ended(there.clone(), &service.authorities());
        if left.len() < there.len() {
            self.replace("tls-ca.pem", &papers::to_pem(&left))?;
        }
        Ok(there.len() - left.len())
    }

    fn knows(&self, authority: &Certificate) -> bool {
        self.authority().is_ok_and(|known| known.iter().any(|one| one.der() == authority.der()))
    }

    /// Ends a renewal that was answered: puts the new key and then the new certificate in the place of the old ones.
    fn settle(&self) -> Result<(), Failure> {
        if !self.file(NEXT_CERTIFICATE).exists() {
            return Ok(());
        }
        for (from, to) in [(NEXT_KEY, "key.pem"), (NEXT_CERTIFICATE, "certificate.pem")] {
            match fs::rename(self.file(from), self.file(to)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(self.unwritten(to, &error)),
                _ => {}
            }
        }
        match fs::remove_file(self.file(NEXT_REQUEST)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(self.unwritten(NEXT_REQUEST, &error)),
            _ => Ok(()),
        }
    }

    /// Reads `station.toml`, and what the environment says over it.
    ///
    /// # Errors
    /// [`Code::StationIncomplete`].
    pub fn settings(&self) -> Result<Settings, Failure> {
        config::read(&self.file("station.toml"), ambient::environment())
            .map_err(|e| Failure::new(Code::StationIncomplete, e))
    }

    /// Returns the text of `station.toml` with this name and this service. What else the one that is there says is
    /// kept; without one it is the documented file.
    fn with(&self, settings: &Settings) -> String {
        let text = self.read("station.toml").map(|bytes| pem::text(&bytes).to_string()).unwrap_or_default();
        let Ok(before) = config::parse::<Settings>(&text, "") else { return named(Settings::DOCUMENTED, settings) };
        let wanted = Settings { name: settings.name.clone(), service: settings.service.clone(), ..before };
        let edited = named(&text, &wanted);
        match config::parse::<Settings>(&edited, "") {
            Ok(read) if read == wanted => edited,
            _ => config::dump(&wanted).expect("what was read is TOML"),
        }
    }

    /// Returns a client that the service knows as this station.
    ///
    /// # Errors
    /// [`Code::StationIncomplete`], also if certificate and key do not go together; [`Code::ServiceUntrusted`].
    pub fn service(&self) -> Result<HttpService, Failure> {
        self.settle()?;
        let certificates = self.certificates("certificate.pem")?;
        let key = self.key()?;
        let certificates =
            papers::certificates_of(&key.pair, certificates).map_err(|e| self.unusable("certificate.pem", &e))?;
        self.client(&key, &certificates, &self.authority()?)
    }

    /// Whether the service's TLS authority is in the folder.
    pub fn has_authority(&self) -> bool {
        self.file("tls-ca.pem").exists()
    }

    /// Returns the station's own certificate.
    ///
    /// # Errors
    /// [`Code::StationIncomplete`].
    pub fn own_certificate(&self) -> Result<Certificate, Failure> {
        self.settle()?;
        Ok(self.certificates("certificate.pem")?.swap_remove(0))
    }

    /// Reads `tls-ca.pem`. Without it the command is named that puts it there: enrolment from the beginning would not.
    fn authority(&self) -> Result<Vec<Certificate>, Failure> {
        if self.has_authority() {
            return self.certificates("tls-ca.pem");
        }
        let (missing, station) = (self.file("tls-ca.pem"), self.0.display());
        Err(Failure::new(
            Code::StationIncomplete,
            format!(
                "{} is not there: give the service's TLS authority, `tls-ca.pem` of its data folder, with `card-agent \
                 enrol --station {station} --certificate certificate.pem --service-ca tls-ca.pem`",
                missing.display()
            ),
        ))
    }

    fn client(&self, key: &Key, own: &[Certificate], authority: &[Certificate]) -> Result<HttpService, Failure> {
        let identity = Zeroizing::new([key.pem.as_bytes(), &papers::to_pem(own)].concat());
        let authority = papers::to_pem(authority);
        let connection = Connection { service: self.settings()?.service, authority, identity: Some(identity) };
        Ok(HttpService::new(&connection)?)
    }

    /// Reads the private key: that of `key.pem`, or of the file that `station.toml` names.
    fn key(&self) -> Result<Key, Failure> {
        let path = self.elsewhere()?.unwrap_or_else(|| self.file("key.pem"));
        let unusable = |e: &dyn std::fmt::Display| Failure::new(Code::StationIncomplete, e);
        let bytes = fs::read(&path).map_err(|e| unusable(&format!("{}: {e}", path.display())))?;
        papers::key(&Zeroizing::new(bytes)).map_err(|e| unusable(&format!("{} {e}", path.display())))
    }

    /// Returns the file of the key that `station.toml` names, if it is there and names one.
    fn elsewhere(&self) -> Result<Option<PathBuf>, Failure> {
        if self.file("station.toml").exists() { Ok(self.settings()?.key_file) } else { Ok(None) }
    }

    fn certificates(&self, name: &str) -> Result<Vec<Certificate>, Failure> {
        papers::certificates(&self.read(name)?).map_err(|e| self.unusable(name, &e))
    }

    fn unusable(&self, name: &str, error: &PaperError) -> Failure {
        Failure::new(Code::StationIncomplete, format!("{} {error}", self.file(name).display()))
    }

    /// Stores the national anchor as `csca.der`.
    ///
    /// # Errors
    /// [`Code::OutputUnusable`].
    pub fn keep_anchor(&self, anchor: &Certificate) -> Result<(), Failure> {
        self.write("csca.der", anchor.der())
    }

    /// Returns the national anchor, if the folder has one.
    ///
    /// # Errors
    /// [`Code::StationIncomplete`] if it is no certificate.
    pub fn anchor(&self) -> Result<Option<Certificate>, Failure> {
        let Ok(file) = fs::read(self.file("csca.der")) else { return Ok(None) };
        papers::certificate(&file).map(Some).map_err(|e| self.unusable("csca.der", &e))
    }

    fn make_key(&self, name: &str) -> Result<KeyPair, Failure> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("P-256 keys can be made");
        let pem = Zeroizing::new(key.serialize_pem());
        // Whole or not at all: an empty key would stand in the way of every later run.
        let draft = self.file(&format!("{name}.draft"));
        let written = || {
            match fs::remove_file(&draft) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(pem.as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, self.file(name))?;
            fs::File::open(&self.0)?.sync_all()
        };
        written().map_err(|e| self.unwritten(name, &e))?;
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

    /// Writes a file whole or not at all.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let draft = self.file(&format!("{name}.draft"));
        let written = || -> std::io::Result<()> {
            let mut file = fs::File::create(&draft)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&draft, self.file(name))?;
            fs::File::open(&self.0)?.sync_all()
        };
        written().map_err(|e| self.unwritten(name, &e))
    }

    fn unwritten(&self, name: &str, error: &std::io::Error) -> Failure {
        Failure::new(Code::OutputUnusable, format!("{}: {error}", self.file(name).display()))
    }
}

/// Returns the authorities that are among those that the service named. All of them, if it did not name the newest:
/// who has the key of an old authority must not talk a station out of the new one.
fn without_ended(authorities: Vec<Certificate>, named: &[String]) -> Vec<Certificate> {
    let newest = authorities.iter().max_by_key(|one| one.not_before());
    if !newest.is_some_and(|newest| named.contains(&fingerprint(newest))) {
        return authorities;
    }
    authorities.into_iter().filter(|one| named.contains(&fingerprint(one))).collect()
}

/// Returns the SHA-256 of a certificate, as [`AUTHORITIES`](crypto::perso::protocol::AUTHORITIES) has it.
fn fingerprint(certificate: &Certificate) -> String {
    hex::encode(Sha256::digest(certificate.der()))
}

/// Returns the lines with those of name and service in place.
fn named(text: &str, settings: &Settings) -> String {
    let lines = text.lines().map(|line| match line.split_once('=').map(|(key, _)| key.trim()) {
        Some(key @ "name") => format!("{key} = {}\n", toml::Value::from(settings.name.as_str())),
        Some(key @ "service") => format!("{key} = {}\n", toml::Value::from(settings.service.as_str())),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// Returns a certificate request with this name, PEM.
fn request(name: &str, key: &KeyPair) -> Result<String, Failure> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    let request = parameters.serialize_request(key).and_then(|request| request.pem());
    request.map_err(|e| Failure::new(Code::InputUnusable, format!("name `{name}`: {e}")))
}

/// Files of a renewal that has not ended.
const NEXT_KEY: &str = "next-key.pem";
const NEXT_REQUEST: &str = "next-csr.pem";
const NEXT_CERTIFICATE: &str = "next-certificate.pem";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn settings() -> Settings {
        Settings::new("Station 1".to_owned(), "https://localhost:8443".parse().expect("an address"))
    }

    /// Returns a certificate for this key.
    fn certified(name: &str, key: &KeyPair) -> Certificate {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
        let certificate = parameters.self_signed(key).expect("signed");
        Certificate::parse(certificate.der()).expect("a certificate")
    }

    fn authority(name: &str) -> Certificate {
        certified(name, &KeyPair::generate().expect("a key"))
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
    fn a_certificate_for_another_key_replaces_nothing_and_is_named() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path());
        let first = authority("first");
        folder.request(&settings(), Some(std::slice::from_ref(&first))).expect("made");
        fs::write(folder.file("certificate.pem"), b"in use").expect("written");
        let failure =
            folder.certify(vec![authority("counter-2")], Some(&[authority("second")])).expect_err("another key");
        assert_eq!(failure.code, Code::InputUnusable);
        assert!(failure.detail.contains("counter-2") && failure.detail.contains("sha256:"), "{failure}");
        assert_eq!(fs::read(folder.file("certificate.pem")).expect("there"), b"in use");
        assert_eq!(fs::read(folder.file("tls-ca.pem")).expect("there"), papers::to_pem(&[first]));
    }

    #[test]
    fn a_station_whose_key_was_replaced_says_so_before_it_calls_the_service() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path());
        folder.request(&settings(), Some(&[authority("ours")])).expect("made");
        let key = folder.key().expect("made").pair;
        folder.certify(vec![authority("above"), certified("counter-1", &key)], None).expect("fits");
        assert!(folder.service().is_ok());
        fs::write(folder.file("key.pem"), KeyPair::generate().expect("a key").serialize_pem()).expect("written");
        let Err(failure) = folder.service() else { panic!("another key") };
        assert!(failure.code == Code::StationIncomplete && failure.detail.contains("another key"), "{failure}");
    }

    #[test]
    fn a_renewal_that_was_cut_after_its_answer_is_ended_by_the_next_start() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path());
        folder.request(&settings(), Some(&[authority("ours")])).expect("made");
        let old = folder.key().expect("made").pair;
        folder.certify(vec![certified("old", &old)], None).expect("fits");
        for cut_after_the_key in [false, true] {
            let next = folder.make_key(NEXT_KEY).expect("made");
            folder.replace(NEXT_REQUEST, b"as it was sent").expect("written");
            folder.service().expect("nothing is answered yet: the old pair goes on");
            folder.replace(NEXT_CERTIFICATE, &papers::to_pem(&[certified("new", &next)])).expect("written");
            if cut_after_the_key {
                fs::rename(folder.file(NEXT_KEY), folder.file("key.pem")).expect("renamed");
            }
            folder.service().expect("the new pair");
            let own = folder.own_certificate().expect("there");
            assert_eq!(own.subject_public_key_info(), rcgen::PublicKeyData::subject_public_key_info(&next));
            assert_eq!(fs::metadata(folder.file("key.pem")).expect("there").permissions().mode() & 0o777, 0o600);
            for file in [NEXT_KEY, NEXT_REQUEST, NEXT_CERTIFICATE] {
                assert!(!folder.file(file).exists(), "{file}");
            }
        }
    }

    #[test]
    fn files_that_windows_saved_again_are_read() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path());
        folder.request(&settings(), Some(&[authority("ours")])).expect("made");
        let key = folder.key().expect("made").pair;
        folder.certify(vec![certified("counter-1", &key)], None).expect("fits");
        for name in ["key.pem", "certificate.pem", "tls-ca.pem", "station.toml"] {
            let text = String::from_utf8(fs::read(folder.file(name)).expect("there")).expect("text");
            fs::write(folder.file(name), format!("\u{feff}{}", text.replace('\n', "\r\n"))).expect("written");
        }
        folder.service().expect("the same station");
        folder.request(&settings(), None).expect("with the same key");
    }

    #[test]
    fn a_station_whose_address_was_edited_says_what_is_wrong_with_it() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path());
        fs::write(folder.file("station.toml"), "name = \"x\"\nservice = \"http://localhost:8443\"\n").expect("written");
        let failure = folder.settings().expect_err("not https");
        assert_eq!(failure.code, Code::StationIncomplete);
        assert!(failure.detail.contains("write https://localhost:8443"), "{failure}");
    }

    #[test]
    fn enrolment_begins_the_documented_file_and_keeps_what_was_set() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path());
        folder.request(&settings(), None).expect("made");
        let text = fs::read_to_string(folder.file("station.toml")).expect("written");
        assert!(
            text.contains("name = \"Station 1\"") && text.contains("\nlimit = 600") && text.contains("# reader"),
            "{text}"
        );
        let by_hand = text.replace("# reader = \"ACS ACR122U\"", "reader = \"Other\"").replace("= 600", "= 60");
        fs::write(folder.file("station.toml"), &by_hand).expect("written");
        let moved = Settings::new("Quầy \"2\"".to_owned(), "https://other:1".parse().expect("an address"));
        folder.request(&moved, None).expect("again");
        let read = folder.settings().expect("read");
        assert_eq!((read.name.as_str(), read.service.as_str()), ("Quầy \"2\"", "https://other:1"));
        assert_eq!((read.reader.as_deref(), read.limit.get()), (Some("Other"), 60));
        assert!(fs::read_to_string(folder.file("station.toml")).expect("there").contains("# Reader, by name"));
    }

    #[test]
    fn a_key_can_lie_elsewhere() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path().join("station"));
        folder.request(&settings(), Some(&[authority("ours")])).expect("made");
        let key = folder.key().expect("made").pair;
        folder.certify(vec![certified("counter-1", &key)], None).expect("fits");
        fs::rename(folder.file("key.pem"), parent.path().join("credential")).expect("moved");
        let Err(failure) = folder.service() else { panic!("without key") };
        assert_eq!(failure.code, Code::StationIncomplete);
        let mut text = fs::read_to_string(folder.file("station.toml")).expect("there");
        text.push_str("key_file = \"../credential\"\n");
        fs::write(folder.file("station.toml"), text).expect("written");
        folder.service().expect("the same station");
        folder.request(&settings(), None).expect("with the same key");
        assert!(!folder.file("key.pem").exists());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_right_name() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path());
        let text = "name = \"x\"\nservice = \"https://localhost:8443\"\nreadr = \"y\"\n";
        fs::write(folder.file("station.toml"), text).expect("written");
        let failure = folder.settings().expect_err("unknown");
        assert_eq!(failure.code, Code::StationIncomplete);
        assert!(failure.detail.contains("line 3: there is no key `readr`; did you mean `reader`?"), "{failure}");
    }

    #[test]
    fn a_station_without_the_services_authority_names_the_command_that_brings_it() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path());
        folder.request(&settings(), None).expect("made");
        let key = folder.key().expect("made").pair;
        let failure = folder.certify(vec![certified("counter-1", &key)], None).expect_err("no authority");
        assert_eq!(failure.code, Code::StationIncomplete);
        let way = format!(
            "card-agent enrol --station {} --certificate certificate.pem --service-ca tls-ca.pem",
            parent.path().display()
        );
        assert!(failure.detail.contains(&way), "{failure}");
        folder.certify(vec![certified("counter-1", &key)], Some(&[authority("ours")])).expect("that way");
        folder.service().expect("enrolled");
    }

    #[test]
    fn a_station_without_certificate_says_what_is_missing() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(parent.path());
        folder.request(&settings(), Some(&[])).expect("made");
        let Err(failure) = folder.service() else { panic!("not certified") };
        assert_eq!(failure.code, Code::StationIncomplete);
        assert!(failure.detail.contains("certificate.pem"), "{failure}");
    }
}
