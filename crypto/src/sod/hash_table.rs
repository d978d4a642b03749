//! The LDS security object: Doc 9303-10 (8th ed.) §4.6.2.1 (version 1), appendix D (version 0).
//!
//! ```text
//! LDSSecurityObject ::= SEQUENCE {
//!     version INTEGER { v0(0), v1(1) }, hashAlgorithm AlgorithmIdentifier,
//!     dataGroupHashValues SEQUENCE SIZE (2..16) OF SEQUENCE { dataGroupNumber INTEGER (1..16), dataGroupHashValue OCTET STRING },
//!     ldsVersionInfo SEQUENCE { ldsVersion PrintableString, unicodeVersion PrintableString } OPTIONAL }   -- with v1 only
//! ```

use crate::lds::DataGroup;
use crate::pki::der::{self, DerError, PRINTABLE_STRING, Within, value};
use crate::pki::{AlgorithmError, read_hash, write_hash};
use crate::suite::Hash;
use crate::tlv::{self, Tlv};

/// Version of the LDS to which the hash table belongs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LdsVersion {
    /// LDS 1.7: the table names no LDS version (version 0).
    V17,
    /// LDS 1.8 or later: the table names its LDS and Unicode versions (version 1), as EF.COM does.
    V18 {
        /// LDS version: `0108`.
        lds: String,
        /// Unicode version: `040000`.
        unicode: String,
    },
}

impl LdsVersion {
    /// Returns LDS 1.8 with Unicode 4.0.0, as written into new documents.
    pub fn current() -> Self {
        Self::V18 { lds: "0108".to_owned(), unicode: "040000".to_owned() }
    }
}

/// The hash table, as signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LdsSecurityObject {
    pub(crate) hash: Hash,
    /// In the order of the table; no group twice.
    pub(crate) groups: Vec<(DataGroup, Vec<u8>)>,
    pub(crate) version: LdsVersion,
}

impl LdsSecurityObject {
    /// Hashes the raw files, in ascending order of their groups.
    #[cfg(test)]
    pub(crate) fn of_files(files: &[(DataGroup, &[u8])], hash: Hash, version: LdsVersion) -> Self {
        Self::of_hashed(files, &[], hash, version)
    }

    /// Hashes the raw files but those whose hashes are known, in ascending order of their groups.
    pub(crate) fn of_hashed(
        files: &[(DataGroup, &[u8])],
        known: &[(DataGroup, Vec<u8>)],
        hash: Hash,
        version: LdsVersion,
    ) -> Self {
        let digest = |group: DataGroup, raw: &[u8]| match known.iter().find(|(of, _)| *of == group) {
            Some((_, digest)) => digest.clone(),
            None => hash.digest(raw),
        };
        let mut groups: Vec<_> = files.iter().map(|(group, raw)| (*group, digest(*group, raw))).collect();
        groups.sort_by_key(|(group, _)| group.number());
        Self { hash, groups, version }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let entry = |(group, digest): &(DataGroup, Vec<u8>)| {
            der::sequence(&[&der::integer(&[group.number()]), &der::octets(digest)])
        };
        let entries: Vec<Vec<u8>> = self.groups.iter().map(entry).collect();
        let (version, info) = match &self.version {
            LdsVersion::V17 => (0, Vec::new()),
            LdsVersion::V18 { lds, unicode } => {
                let [lds, unicode] = [lds, unicode].map(|text| tlv::encode(PRINTABLE_STRING, text.as_bytes()));
                (1, der::sequence(&[&lds, &unicode]))
            }
        };
        let table = tlv::encode(der::SEQUENCE, &entries.concat());
        der::sequence(&[&der::integer(&[version]), &write_hash(self.hash), &table, &info])
    }

    /// Reads the table. Accepts any order, and a single group; refuses what would be ambiguous.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, AlgorithmError> {
        let within = "LDSSecurityObject";
        let mut fields = Tlv::expect(der::SEQUENCE, bytes).within(within)?.children();
        let version = value("version", der::small(&fields.expect(der::INTEGER).within(within)?))?;
        let hash = read_hash(&mut fields, "hashAlgorithm")?;
        let mut groups: Vec<(DataGroup, Vec<u8>)> = Vec::new();
        let mut entries = fields.expect(der::SEQUENCE).within("dataGroupHashValues")?.children();
        while !entries.is_empty() {
            let mut entry = entries.expect(der::SEQUENCE).within("DataGroupHash")?.children();
            let number = der::small(&entry.expect(der::INTEGER).within("DataGroupHash")?);
            let group = number.and_then(|n| u8::try_from(n).ok()).and_then(|n| DataGroup::new(n).ok());
            let group = value("dataGroupNumber", group)?;
            let digest = entry.expect(der::OCTET_STRING).within("DataGroupHash")?.value;
            entry.finish().within("DataGroupHash")?;
            if digest.len() != hash.output_len() {
                return Err(DerError::Value { what: "dataGroupHashValue" }.into());
            }
            if groups.iter().any(|(listed, _)| *listed == group) {
                return Err(DerError::Value { what: "a data group that is listed twice" }.into());
            }
            groups.push((group, digest.to_vec()));
        }
        let info = fields.optional(der::SEQUENCE).within("ldsVersionInfo")?;
        fields.finish().within(within)?;
        value("dataGroupHashValues", (!groups.is_empty()).then_some(()))?;
        let version = match (version, info) {
            (0, None) => LdsVersion::V17,
            (1, Some(info)) => {
                let mut texts = info.children();
                let mut text = || -> Result<String, DerError> {
                    let text = texts.expect(PRINTABLE_STRING).within("ldsVersionInfo")?.value;
                    value("ldsVersionInfo", String::from_utf8(text.to_vec()).ok())
                };
                LdsVersion::V18 { lds: text()?, unicode: text()? }
            }
            _ => return Err(DerError::Value { what: "version" }.into()),
        };
        Ok(Self { hash, groups, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(version: LdsVersion) -> LdsSecurityObject {
        let files: [(DataGroup, &[u8]); 2] = [(DataGroup::DG2, &[2; 30]), (DataGroup::DG1, &[1; 20])];
        LdsSecurityObject::of_files(&files, Hash::Sha256, version)
    }

    #[test]
    fn both_versions_are_read_as_they_were_written_and_groups_ascend() {
        for version in [LdsVersion::V17, LdsVersion::current()] {
            let table = table(version);
            assert_eq!(LdsSecurityObject::parse(&table.encode()), Ok(table.clone()));
            assert_eq!(table.groups[0], (DataGroup::DG1, Hash::Sha256.digest(&[1; 20])));
        }
    }

    #[test]
    fn version_information_goes_with_version_1_only() {
        let mut encoded = table(LdsVersion::current()).encode();
        assert_eq!(encoded[2..5], [2, 1, 1]);
        encoded[4] = 0;
        assert!(LdsSecurityObject::parse(&encoded).is_err());
    }

    #[test]
    fn a_group_listed_twice_is_refused() {
        let mut twice = table(LdsVersion::V17);
        twice.groups.push(twice.groups[0].clone());
        assert!(LdsSecurityObject::parse(&twice.encode()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, at: usize, flip: u8) {
            let _ = LdsSecurityObject::parse(&bytes);
            let mut encoded = table(LdsVersion::current()).encode();
            let at = at % encoded.len();
            encoded[at] ^= flip;
            let _ = LdsSecurityObject::parse(&encoded);
        }
    }
}
