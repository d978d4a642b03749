//! The newest trust bundle that this terminal has seen, for each anchor.
//!
//! A bundle stays well signed after it is replaced, so an attacker who carries an old one back would make a revoked
//! card good again. Only a memory of its own tells a terminal that it has seen a newer one.
//!
//! One small JSON file: the fingerprint of each anchor with the date of issue, in seconds of Unix time. It is replaced
//! as a whole, under a lock, so that a power cut leaves the old or the new one. Deleting it makes the terminal forget.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crypto::identity::civil_time::apart;
use crypto::pki::Certificate;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::failure::{Code, Failure};

/// The file that remembers the newest bundles.
#[derive(Clone, Debug)]
pub struct NewestBundles(PathBuf);

/// Content of the file.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Record {
    newest: BTreeMap<String, i64>,
}

impl NewestBundles {
    /// Name of the file in a folder.
    pub const FILE: &str = "newest-bundles.json";

    /// Uses this file, which need not exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Accepts a bundle of this date under this anchor, if none that is newer was ever accepted, and remembers it.
    ///
    /// # Errors
    /// [`Code::TrustBundleOlder`]; [`Code::BundleRecordUnusable`] if the file cannot be read or written, or is damaged.
    pub fn accept(&self, anchor: &Certificate, issued_at: OffsetDateTime) -> Result<(), Failure> {
        let unusable =
            |e: &dyn std::fmt::Display| Failure::new(Code::BundleRecordUnusable, format!("{}: {e}", self.0.display()));
        let folder = match self.0.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder).map_err(|e| unusable(&e))?;
        let _lock = self.lock().map_err(|e| unusable(&e))?;
        let mut record = match fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice::<Record>(&bytes).map_err(|e| unusable(&e))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Record::default(),
            Err(error) => return Err(unusable(&error)),
        };
        let (key, given) = (hex::encode(anchor.fingerprint()), issued_at.unix_timestamp());
        match record.newest.get(&key) {
            Some(newest) if *newest > given => {
                let newest = OffsetDateTime::from_unix_timestamp(*newest).map_err(|e| unusable(&e))?;
                let [given, newest] = apart(issued_at, newest.to_offset(issued_at.offset()));
                let detail =
                    format!("the bundle was issued at {given}, and one issued at {newest} was used here before");
                Err(Failure::new(Code::TrustBundleOlder, detail))
            }
            Some(newest) if *newest == given => Ok(()),
            _ => {
                record.newest.insert(key, given);
                self.replace(folder, &serde_json::to_vec(&record).expect("a map is JSON")).map_err(|e| unusable(&e))
            }
        }
    }

    /// Returns the lock, held until it is dropped. It is a file of its own, because the other one is replaced.
    fn lock(&self) -> io::Result<File> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.beside("lock"))?;
        file.lock()?;
        Ok(file)
    }

    fn replace(&self, folder: &Path, bytes: &[u8]) -> io::Result<()> {
        let new = self.beside("new");
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &self.0)?;
        File::open(folder)?.sync_all()
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.0.clone().into_os_string();
        name.push(".");
        name.push(ending);
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const DAY: OffsetDateTime = datetime!(2026-11-22 12:00:00 +7);

    fn anchor() -> Certificate {
        Certificate::parse(include_bytes!("../../../crypto/fuzz/seeds/certificate/csca")).unwrap()
    }

    #[test]
    fn an_older_bundle_is_refused_after_a_newer_one_and_the_same_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let newest = NewestBundles::at(folder.path().join("deep/er").join(NewestBundles::FILE));
        let (anchor, hour) = (anchor(), Duration::HOUR);
        newest.accept(&anchor, DAY).unwrap();
        newest.accept(&anchor, DAY).unwrap();
        newest.accept(&anchor, DAY + hour).unwrap();
        let refused = newest.accept(&anchor, DAY).unwrap_err();
        assert_eq!(refused.code, Code::TrustBundleOlder);
        assert!(
            refused.detail.contains("2026-11-22 12:00 +07:00") && refused.detail.contains(" 13:00 "),
            "{}",
            refused.detail
        );
        // Refusing changes nothing, and another process sees the same.
        let again = NewestBundles::at(folder.path().join("deep/er").join(NewestBundles::FILE));
        assert_eq!(again.accept(&anchor, DAY + hour - Duration::SECOND).unwrap_err().code, Code::TrustBundleOlder);
        again.accept(&anchor, DAY + hour).unwrap();
    }

    #[test]
    fn each_anchor_has_a_memory_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let newest = NewestBundles::at(folder.path().join(NewestBundles::FILE));
        let other =
            Certificate::parse(include_bytes!("../../../crypto/fuzz/seeds/certificate/document-signer")).unwrap();
        newest.accept(&anchor(), DAY).unwrap();
        newest.accept(&other, DAY - Duration::DAY).unwrap();
        assert_eq!(newest.accept(&anchor(), DAY - Duration::DAY).unwrap_err().code, Code::TrustBundleOlder);
    }

    #[test]
    fn a_damaged_or_unwritable_record_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NewestBundles::FILE);
        for damage in ["", "{", "{\"newest\":{\"a\":\"b\"}}", "[]", "{\"newest\":{},\"more\":1}"] {
            fs::write(&path, damage).unwrap();
            let failure = NewestBundles::at(&path).accept(&anchor(), DAY).unwrap_err();
            assert_eq!(failure.code, Code::BundleRecordUnusable, "{damage}");
            assert!(failure.detail.contains(NewestBundles::FILE), "{}", failure.detail);
            assert_eq!(fs::read_to_string(&path).unwrap(), damage, "kept as evidence");
        }
        let failure = NewestBundles::at("/proc/no/newest.json").accept(&anchor(), DAY).unwrap_err();
        assert_eq!(failure.code, Code::BundleRecordUnusable);
    }

    #[test]
    fn many_at_once_never_lose_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NewestBundles::FILE);
        std::thread::scope(|scope| {
            for minute in 0..16 {
                let (path, anchor) = (path.clone(), anchor());
                scope.spawn(move || drop(NewestBundles::at(path).accept(&anchor, DAY + Duration::minutes(minute))));
            }
        });
        let newest = NewestBundles::at(path);
        assert_eq!(newest.accept(&anchor(), DAY + Duration::minutes(14)).unwrap_err().code, Code::TrustBundleOlder);
        newest.accept(&anchor(), DAY + Duration::minutes(15)).unwrap();
    }
}
