//! Inspection reports: what was found with which card, signed by the kiosk.
//!
//! A report names the card by the fingerprint of its EF.SOD, as the list of revoked documents does, and holds nothing
//! of the person. Two files: `NAME.json` and `NAME.json.sig`, an ECDSA signature (P-256, SHA-256, DER) that `openssl
//! dgst` verifies with the public key beside them.

use std::fs;
use std::path::{Path, PathBuf};

use crypto::inspection::Verdict;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::screen::BundleFace;
use crate::failure::{Code, Failure};
use crate::{papers, private};

/// What is reported of one inspection. Nothing of it is personal.
#[derive(Debug)]
pub(super) struct Record {
    pub at: OffsetDateTime,
    pub reader: String,
    pub verdict: Verdict,
    /// Why the card is not trusted, as a code.
    pub code: Option<Code>,
    /// Fingerprint of the EF.SOD, if one was read.
    pub document: Option<[u8; 32]>,
    pub bundle: BundleFace,
}

/// The folder of the reports, and the key that signs them.
pub struct Reports {
    folder: PathBuf,
    key: KeyPair,
}

impl Reports {
    /// Name of the private key in the folder.
    pub const KEY: &str = "kiosk-key.pem";

    /// Name of the public key in the folder, by which reports are verified.
    pub const PUBLIC_KEY: &str = "kiosk-key.pub.pem";

    /// Opens the folder; makes it and its key at the first time.
    ///
    /// # Errors
    /// [`Code::OutputUnusable`], and [`Code::InputUnusable`] if the key that is there cannot be used.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        private::create_folder(folder)?;
        let path = folder.join(Self::KEY);
        let unusable =
            |why: &dyn std::fmt::Display| Failure::new(Code::InputUnusable, format!("{}: {why}", path.display()));
        let key = match fs::read(&path) {
            Ok(bytes) => papers::key(&bytes).map_err(|error| unusable(&error))?.pair,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = KeyPair::generate().map_err(|error| unusable(&error))?;
                private::write(&path, key.serialize_pem().as_bytes())?;
                key
            }
            Err(error) => return Err(unusable(&error)),
        };
        private::write(&folder.join(Self::PUBLIC_KEY), key.public_key_pem().as_bytes())?;
        Ok(Self { folder: folder.to_owned(), key })
    }

    /// Writes a report and its signature. Returns its name.
    ///
    /// # Errors
    /// [`Code::OutputUnusable`].
    pub(super) fn save(&self, id: Uuid, record: &Record) -> Result<String, Failure> {
        let date = |at: OffsetDateTime| at.to_offset(record.at.offset()).format(&Rfc3339).unwrap_or_default();
        let kiosk = hex::encode(Sha256::digest(self.key.subject_public_key_info()));
        let mut report = json!({
            "schema": "citizen-card/inspection-report/1",
            "id": id,
            "at": date(record.at),
            "kiosk": kiosk,
            "reader": record.reader,
            "document": record.document.map(hex::encode),
            "trust_bundle": { "issued_at": date(record.bundle.issued), "next_update": date(record.bundle.due) },
            "code": record.code.map(Code::word),
        });
        let verdict = serde_json::to_value(&record.verdict).expect("a verdict is JSON");
        for (name, value) in verdict.as_object().into_iter().flatten() {
            report[name] = value.clone();
        }
        let text = format!("{report:#}\n");
        let unusable =
            |e: rcgen::Error| Failure::new(Code::OutputUnusable, format!("the report cannot be signed: {e}"));
        let signature = self.key.sign(text.as_bytes()).map_err(unusable)?;
        let name = format!("report-{id}.json");
        // The signature first: a report without one would look finished.
        private::write(&self.folder.join(format!("{name}.sig")), &signature)?;
        private::write(&self.folder.join(&name), text.as_bytes())?;
        Ok(name)
    }
}
