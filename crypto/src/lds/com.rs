//! EF.COM: Doc 9303-10 (8th ed.) §4.6.1.

use thiserror::Error;

use super::DataGroup;
use crate::tlv::{self, Tlv, TlvError};

/// Versions and the list of data groups. Unsigned: a verdict relies on the hash table of EF.SOD only.
///
/// ```text
/// 60 { 5F01 "aabb" LDS version, 5F36 "aabbcc" Unicode version, 5C tags of the data groups }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Com {
    /// LDS version, four digits: `0107` or `0108`.
    pub lds_version: String,
    /// Unicode version, six digits: `040000`.
    pub unicode_version: String,
    /// Data groups, in the order of the file (which need not ascend).
    pub groups: Vec<DataGroup>,
}

impl Com {
    /// Creates an EF.COM of version 1.7 with Unicode 4.0.0 over `groups`.
    pub fn new(groups: Vec<DataGroup>) -> Self {
        Self { lds_version: "0107".into(), unicode_version: "040000".into(), groups }
    }

    /// Returns the file.
    ///
    /// # Errors
    /// [`ComError::Version`] unless versions have four and six digits; [`ComError::Repeated`]
    /// naming a group listed twice.
    pub fn encode(&self) -> Result<Vec<u8>, ComError> {
        for (version, digits) in [(&self.lds_version, 4), (&self.unicode_version, 6)] {
            if version.len() != digits || !version.bytes().all(|b| b.is_ascii_digit()) {
                return Err(ComError::Version);
            }
        }
        for (at, group) in self.groups.iter().enumerate() {
            if self.groups[..at].contains(group) {
                return Err(ComError::Repeated(*group));
            }
        }
        let tags: Vec<u8> = self
            .groups
            .iter()
            .map(|group| u8::try_from(group.tag()).expect("all sixteen tags are of one byte"))
            .collect();
        Ok(tlv::encode_all(
            0x60,
            &[
                &tlv::encode(0x5f01, self.lds_version.as_bytes()),
                &tlv::encode(0x5f36, self.unicode_version.as_bytes()),
                &tlv::encode(0x5c, &tags),
            ],
        ))
    }

    /// Reads the file: objects in any order; tags that are no data group are skipped.
    ///
    /// # Errors
    /// [`ComError`].
    pub fn parse(file: &[u8]) -> Result<Self, ComError> {
        let com = Tlv::expect(0x60, file)?;
        let text = |tag| -> Result<String, ComError> {
            let value = com.child(tag)?.value;
            if value.iter().all(u8::is_ascii_digit) {
                Ok(value.iter().map(|b| char::from(*b)).collect())
            } else {
                Err(ComError::Version)
            }
        };
        let tags = com.child(0x5c)?.value;
        let mut groups = Vec::new();
        for tag in tags {
            groups.extend(DataGroup::from_tag(u32::from(*tag)).filter(|group| !groups.contains(group)));
        }
        Ok(Self { lds_version: text(0x5f01)?, unicode_version: text(0x5f36)?, groups })
    }
}

/// Error when reading EF.COM.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ComError {
    /// A data group is listed twice.
    #[error("{0} is listed twice in EF.COM")]
    Repeated(DataGroup),
    /// The data objects are not those of an EF.COM.
    #[error("EF.COM: {0}")]
    Tlv(#[from] TlvError),
    /// A version has not the right number of digits.
    #[error("EF.COM gives a version that is not four (LDS) or six (Unicode) digits")]
    Version,
}
