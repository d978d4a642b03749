//! GENERATE ASYMMETRIC KEY PAIR on the chip: ISO/IEC 7816-8:2019 §5.1 (the private key never leaves).

use const_oid::ObjectIdentifier;

use crate::apdu::{Command, SHORT_NE, Status, cla};
use crate::command::global_platform;
use crate::conversation::Fault;
use crate::suite::ec::{Curve, PublicKey};
use crate::tlv;

/// What a key pair is for; the tag of the control reference template that names it (ISO/IEC 7816-4:2013 §10.3.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyUse {
    /// Active authentication: digital signature template `B6`.
    ActiveAuthentication,
    /// Chip authentication: key agreement template `A6`.
    ChipAuthentication,
}

impl KeyUse {
    /// Returns the tag of the control reference template.
    pub fn template(self) -> u32 {
        match self {
            Self::ActiveAuthentication => 0xb6,
            Self::ChipAuthentication => 0xa6,
        }
    }
}

/// Generates a key pair; it replaces an earlier one for this use.
///
/// ```text
/// data   ::= B6 | A6 { 06 curve }
/// answer ::= 7F49 { 06 curve, 86 uncompressed point }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GenerateKeyPair {
    /// Use of the key pair.
    pub key_use: KeyUse,
    /// Curve of the key pair.
    pub curve: Curve,
}

impl GenerateKeyPair {
    /// Instruction byte.
    pub const INS: u8 = 0x46;
}

/// Encodes the command as the terminal sends it.
impl From<GenerateKeyPair> for Command {
    fn from(it: GenerateKeyPair) -> Self {
        let oid = tlv::encode(0x06, it.curve.oid().as_bytes());
        Command::new(GenerateKeyPair::INS, GENERATE_AND_RETURN, 0)
            .class(cla::GLOBAL_PLATFORM)
            .data(tlv::encode(it.key_use.template(), &oid))
            .expecting(SHORT_NE)
    }
}

/// Decodes the command as the chip receives it.
impl TryFrom<&Command> for GenerateKeyPair {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        global_platform(command, Self::INS)?;
        if command.p != [GENERATE_AND_RETURN, 0] {
            return Err(Status::WRONG_P1P2);
        }
        let read = || {
            let mut reader = tlv::Reader::new(&command.data);
            let template = reader.read()?;
            reader.finish()?;
            tlv::Tlv::expect(0x06, template.value).map(|oid| (template.tag.0, oid.value))
        };
        let (template, oid) = read().map_err(|_| Status::WRONG_DATA)?;
        let key_use = [KeyUse::ActiveAuthentication, KeyUse::ChipAuthentication]
            .into_iter()
            .find(|u| u.template() == template)
            .ok_or(Status::WRONG_DATA)?;
        let curve = ObjectIdentifier::from_bytes(oid).ok().and_then(Curve::from_oid).ok_or(Status::WRONG_DATA)?;
        Ok(Self { key_use, curve })
    }
}

/// Returns a public key as the chip reports it: `7F49 { 06 curve, 86 uncompressed point }`.
pub fn encode_public_key(key: &PublicKey) -> Vec<u8> {
    let oid = tlv::encode(0x06, key.curve().oid().as_bytes());
    tlv::encode_all(0x7f49, &[&oid, &tlv::encode(0x86, key.to_sec1())])
}

/// Reads what [`encode_public_key`] wrote; the point is checked to be on its curve.
///
/// # Errors
/// [`Fault::Misbehaved`], [`Fault::Unsupported`] for a curve that is not ours.
pub fn parse_public_key(bytes: &[u8]) -> Result<PublicKey, Fault> {
    let malformed = |_| Fault::Misbehaved("a public key that is not 7F49 { 06, 86 }");
    let template = tlv::Tlv::expect(0x7f49, bytes).map_err(malformed)?;
    let oid = template.child(0x06).map_err(malformed)?;
    let point = template.child(0x86).map_err(malformed)?;
    let curve = ObjectIdentifier::from_bytes(oid.value).ok().and_then(Curve::from_oid);
    let curve = curve.ok_or(Fault::Unsupported("a public key on a curve that is not ours"))?;
    PublicKey::from_sec1(curve, point.value)
        .map_err(|_| Fault::Misbehaved("a public key that is no point of its curve"))
}

/// P1: generate a key pair and return the public key in a data object.
const GENERATE_AND_RETURN: u8 = 0x80;
