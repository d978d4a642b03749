//! SecurityInfos, the list of protocols that the chip offers: Doc 9303-11 (8th ed.) §9.2.
//!
//! Read in any order: sets of real cards are not sorted. Entries that are unknown, of another version or malformed
//! inside are kept raw and skipped. Written in DER order.

use const_oid::ObjectIdentifier;

use crate::suite::Cipher;
use crate::tlv::{self, Reader, Tlv, TlvError};

/// The set, in the order it was read or given.
///
/// ```text
/// SecurityInfos ::= SET OF SecurityInfo
/// SecurityInfo  ::= SEQUENCE {
///     protocol     OBJECT IDENTIFIER,
///     requiredData ANY DEFINED BY protocol,
///     optionalData ANY DEFINED BY protocol OPTIONAL }
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SecurityInfos(pub Vec<SecurityInfo>);

impl SecurityInfos {
    /// Reads one SET.
    ///
    /// # Errors
    /// [`TlvError`] if it is not one SET of data objects.
    pub fn parse(der: &[u8]) -> Result<Self, TlvError> {
        let mut entries = Tlv::expect(0x31, der)?.children();
        let mut infos = Vec::new();
        while !entries.is_empty() {
            let entry = entries.read()?;
            infos.push(known(&entry).unwrap_or_else(|| SecurityInfo::Unknown(entry.raw.to_vec())));
        }
        Ok(Self(infos))
    }

    /// Returns the SET in DER: entries sorted by their encoding (ITU-T X.690 (2021) §11.6).
    pub fn encode(&self) -> Vec<u8> {
        let mut entries: Vec<Vec<u8>> = self.0.iter().map(SecurityInfo::encode).collect();
        entries.sort();
        tlv::encode(0x31, &entries.concat())
    }

    /// Returns the PACE entries, in the order of the card.
    pub fn pace(&self) -> impl Iterator<Item = &PaceInfo> {
        self.0.iter().filter_map(|info| if let SecurityInfo::Pace(pace) = info { Some(pace) } else { None })
    }

    /// Returns the chip authentication entries, in the order of the card.
    pub fn chip_authentication(&self) -> impl Iterator<Item = &ChipAuthenticationInfo> {
        self.0.iter().filter_map(|info| if let SecurityInfo::ChipAuthentication(ca) = info { Some(ca) } else { None })
    }

    /// Returns the chip's public keys for chip authentication, in the order of the card.
    pub fn chip_authentication_keys(&self) -> impl Iterator<Item = &ChipAuthenticationPublicKeyInfo> {
        self.0
            .iter()
            .filter_map(|info| if let SecurityInfo::ChipAuthenticationPublicKey(key) = info { Some(key) } else { None })
    }

    /// Returns the key that belongs to `info`: the one with the same key identifier, or the only one of its kind if
    /// either side names none (old documents name it on one side only).
    pub fn key_of(&self, info: &ChipAuthenticationInfo) -> Option<&ChipAuthenticationPublicKeyInfo> {
        let of_kind: Vec<_> =
            self.chip_authentication_keys().filter(|key| key.agreement == info.protocol.agreement).collect();
        match of_kind[..] {
            [only] if only.key_id.is_none() || info.key_id.is_none() => Some(only),
            _ => of_kind.into_iter().find(|key| key.key_id == info.key_id),
        }
    }

    /// Returns the signature algorithm of active authentication (TR-03111 identifiers), if
    /// announced; RSA keys need none.
    pub fn active_authentication(&self) -> Option<ObjectIdentifier> {
        self.0.iter().find_map(|info| match info {
            SecurityInfo::ActiveAuthentication { signature_algorithm } => Some(*signature_algorithm),
            _ => None,
        })
    }
}

/// One entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecurityInfo {
    /// ActiveAuthenticationInfo version 1 (§9.2.4): demanded for ECDSA.
    ActiveAuthentication {
        /// Signature algorithm, one of the identifiers of TR-03111.
        signature_algorithm: ObjectIdentifier,
    },
    /// ChipAuthenticationInfo (§9.2.5).
    ChipAuthentication(ChipAuthenticationInfo),
    /// ChipAuthenticationPublicKeyInfo (§9.2.6).
    ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo),
    /// PACEInfo (§9.2.1).
    Pace(PaceInfo),
    /// TerminalAuthenticationInfo (§9.2.8).
    TerminalAuthentication {
        /// 1, or 2 on documents by TR-03110.
        version: u32,
    },
    /// Any other entry, as read: a whole SEQUENCE.
    Unknown(Vec<u8>),
}

impl SecurityInfo {
    /// Returns the entry in DER.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::ActiveAuthentication { signature_algorithm } => {
                sequence(&[oid(&ID_AA), integer(1), oid(signature_algorithm)])
            }
            Self::ChipAuthentication(info) => {
                sequence(&[oid(&info.protocol.oid()), integer(info.version), optional_integer(info.key_id)])
            }
            Self::ChipAuthenticationPublicKey(info) => {
                let kind = ID_PK.push_arc(info.agreement.arc()).expect("a short identifier");
                sequence(&[oid(&kind), info.spki.clone(), optional_integer(info.key_id)])
            }
            Self::Pace(info) => {
                sequence(&[oid(&info.protocol.oid()), integer(info.version), optional_integer(info.parameter_id)])
            }
            Self::TerminalAuthentication { version } => sequence(&[oid(&ID_TA), integer(*version)]),
            Self::Unknown(raw) => raw.clone(),
        }
    }
}

/// Kind of key agreement.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyAgreement {
    /// Integers modulo a prime: recognised, not implemented.
    Dh,
    /// Elliptic curves.
    Ecdh,
}

impl KeyAgreement {
    fn arc(self) -> u32 {
        match self {
            Self::Dh => 1,
            Self::Ecdh => 2,
        }
    }
}

/// How PACE turns the nonce into domain parameters.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Mapping {
    /// Chip authentication mapping.
    ChipAuthentication,
    /// Generic mapping.
    Generic,
    /// Integrated mapping.
    Integrated,
}

/// One of the identifiers below `id-PACE` (§9.2.3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PaceProtocol {
    /// Kind of key agreement.
    pub agreement: KeyAgreement,
    /// Mapping.
    pub mapping: Mapping,
    /// Cipher and MAC of the channel that results.
    pub cipher: Cipher,
}

impl PaceProtocol {
    /// Returns the generic mapping over elliptic curves: what the citizen card speaks.
    pub const fn ecdh_gm(cipher: Cipher) -> Self {
        Self { agreement: KeyAgreement::Ecdh, mapping: Mapping::Generic, cipher }
    }

    /// Returns the object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        let mapping = match (self.agreement, self.mapping) {
            (KeyAgreement::Dh, Mapping::Generic) => 1,
            (KeyAgreement::Ecdh, Mapping::Generic) => 2,
            (KeyAgreement::Dh, Mapping::Integrated) => 3,
            (KeyAgreement::Ecdh, Mapping::Integrated) => 4,
            // There is no chip authentication mapping over integers; 5 is unassigned.
            (KeyAgreement::Dh, Mapping::ChipAuthentication) => 5,
            (KeyAgreement::Ecdh, Mapping::ChipAuthentication) => 6,
        };
        below(&ID_PACE, [mapping, cipher_arc(self.cipher)])
    }

    /// Returns the protocol with this identifier.
    pub fn from_oid(oid: &ObjectIdentifier) -> Option<Self> {
        use KeyAgreement as K;
        use Mapping as M;
        let (mapping, cipher) = two_arcs(&ID_PACE, oid)?;
        let (agreement, mapping) = match mapping {
            1 => (K::Dh, M::Generic),
            2 => (K::Ecdh, M::Generic),
            3 => (K::Dh, M::Integrated),
            4 => (K::Ecdh, M::Integrated),
            6 => (K::Ecdh, M::ChipAuthentication),
            _ => return None,
        };
        Some(Self { agreement, mapping, cipher: cipher_of_arc(cipher)? })
    }
}

/// PACEInfo (§9.2.1).
///
/// ```text
/// PACEInfo ::= SEQUENCE { protocol OBJECT IDENTIFIER, version INTEGER, parameterId INTEGER OPTIONAL }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PaceInfo {
    /// Algorithms.
    pub protocol: PaceProtocol,
    /// 2; the protocol refuses other versions.
    pub version: u32,
    /// Standardized domain parameters (§9.5.1, table 12), or a local identifier.
    pub parameter_id: Option<u32>,
}

/// One of the identifiers below `id-CA` (§9.2.7).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ChipAuthenticationProtocol {
    /// Kind of key agreement.
    pub agreement: KeyAgreement,
    /// Cipher and MAC of the channel that results.
    pub cipher: Cipher,
}

impl ChipAuthenticationProtocol {
    /// Creates the protocol over elliptic curves, which the citizen card offers.
    pub const fn ecdh(cipher: Cipher) -> Self {
        Self { agreement: KeyAgreement::Ecdh, cipher }
    }

    /// Returns the object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        below(&ID_CA, [self.agreement.arc(), cipher_arc(self.cipher)])
    }

    /// Returns the protocol with this identifier.
    pub fn from_oid(oid: &ObjectIdentifier) -> Option<Self> {
        let (agreement, cipher) = two_arcs(&ID_CA, oid)?;
        Some(Self { agreement: agreement_of_arc(agreement)?, cipher: cipher_of_arc(cipher)? })
    }
}

/// ChipAuthenticationInfo (§9.2.5).
///
/// ```text
/// ChipAuthenticationInfo ::= SEQUENCE { protocol OBJECT IDENTIFIER, version INTEGER, keyId INTEGER OPTIONAL }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChipAuthenticationInfo {
    /// Algorithms.
    pub protocol: ChipAuthenticationProtocol,
    /// 1 by Doc 9303; 2 and 3 are of TR-03110.
    pub version: u32,
    /// Identifier of the key, if the chip has several.
    pub key_id: Option<u32>,
}

/// ChipAuthenticationPublicKeyInfo (§9.2.6).
///
/// ```text
/// ChipAuthenticationPublicKeyInfo ::= SEQUENCE {
///     protocol OBJECT IDENTIFIER(id-PK-DH | id-PK-ECDH),
///     chipAuthenticationPublicKey SubjectPublicKeyInfo,
///     keyId INTEGER OPTIONAL }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChipAuthenticationPublicKeyInfo {
    /// Kind of key agreement.
    pub agreement: KeyAgreement,
    /// SubjectPublicKeyInfo in DER, with explicit domain parameters when we write it.
    pub spki: Vec<u8>,
    /// Identifier of the key, if the chip has several.
    pub key_id: Option<u32>,
}

fn known(entry: &Tlv<'_>) -> Option<SecurityInfo> {
    if entry.tag.0 != 0x30 {
        return None;
    }
    let mut parts = entry.children();
    let protocol = read_oid(&mut parts)?;
    let info = if let Some(protocol) = PaceProtocol::from_oid(&protocol) {
        SecurityInfo::Pace(PaceInfo {
            protocol,
            version: read_integer(&mut parts)?,
            parameter_id: read_optional_integer(&mut parts)?,
        })
    } else if let Some(protocol) = ChipAuthenticationProtocol::from_oid(&protocol) {
        SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
            protocol,
            version: read_integer(&mut parts)?,
            key_id: read_optional_integer(&mut parts)?,
        })
    } else if protocol.parent() == Some(ID_PK) {
        SecurityInfo::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
            agreement: agreement_of_arc(protocol.arcs().last()?)?,
            spki: parts.expect(0x30).ok()?.raw.to_vec(),
            key_id: read_optional_integer(&mut parts)?,
        })
    } else if protocol == ID_AA {
        if read_integer(&mut parts)? != 1 {
            return None;
        }
        SecurityInfo::ActiveAuthentication { signature_algorithm: read_oid(&mut parts)? }
    } else if protocol == ID_TA {
        // Where TR-03110 up to version 2.05 lets a file of CVCA references follow, the entry stays raw,
        // so that nothing is lost.
        SecurityInfo::TerminalAuthentication { version: read_integer(&mut parts)? }
    } else {
        return None;
    };
    parts.finish().ok()?;
    Some(info)
}

fn read_oid(parts: &mut Reader<'_>) -> Option<ObjectIdentifier> {
    ObjectIdentifier::from_bytes(parts.expect(0x06).ok()?.value).ok()
}

fn read_integer(parts: &mut Reader<'_>) -> Option<u32> {
    value_of_integer(parts.expect(0x02).ok()?.value)
}

/// Reads an OPTIONAL INTEGER. Returns `None` if it is malformed, `Some(None)` if it is absent.
#[expect(
    clippy::option_option,
    reason = "malformed and absent are two things, and the caller uses `?` on the outer one"
)]
fn read_optional_integer(parts: &mut Reader<'_>) -> Option<Option<u32>> {
    match parts.optional(0x02).ok()? {
        Some(integer) => value_of_integer(integer.value).map(Some),
        None => Some(None),
    }
}

/// Reads an INTEGER that is not negative and has at most 32 bits.
fn value_of_integer(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 5 || bytes[0] & 0x80 != 0 {
        return None;
    }
    u32::try_from(bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b))).ok()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv::encode(0x30, &parts.concat())
}

fn oid(oid: &ObjectIdentifier) -> Vec<u8> {
    tlv::encode(0x06, oid.as_bytes())
}

fn integer(number: u32) -> Vec<u8> {
    tlv::encode_integer(&number.to_be_bytes())
}

fn optional_integer(number: Option<u32>) -> Vec<u8> {
    number.map(integer).unwrap_or_default()
}

fn below(root: &ObjectIdentifier, arcs: [u32; 2]) -> ObjectIdentifier {
    arcs.into_iter().fold(*root, |oid, arc| oid.push_arc(arc).expect("a short identifier"))
}

/// Returns the two arcs of `oid` below `root`.
fn two_arcs(root: &ObjectIdentifier, oid: &ObjectIdentifier) -> Option<(u32, u32)> {
    let parent = oid.parent()?;
    (parent.parent()? == *root).then_some((parent.arcs().last()?, oid.arcs().last()?))
}

fn agreement_of_arc(arc: u32) -> Option<KeyAgreement> {
    match arc {
        1 => Some(KeyAgreement::Dh),
        2 => Some(KeyAgreement::Ecdh),
        _ => None,
    }
}

/// Returns the last arc of PACE and chip authentication identifiers.
fn cipher_arc(cipher: Cipher) -> u32 {
    match cipher {
        Cipher::TripleDes => 1,
        Cipher::Aes128 => 2,
        Cipher::Aes192 => 3,
        Cipher::Aes256 => 4,
    }
}

fn cipher_of_arc(arc: u32) -> Option<Cipher> {
    match arc {
        1 => Some(Cipher::TripleDes),
        2 => Some(Cipher::Aes128),
        3 => Some(Cipher::Aes192),
        4 => Some(Cipher::Aes256),
        _ => None,
    }
}

const ID_AA: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.5");
const ID_CA: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.3");
const ID_PACE: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.4");
const ID_PK: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.1");
const ID_TA: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.2");
