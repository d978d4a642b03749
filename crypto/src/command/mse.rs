//! MANAGE SECURITY ENVIRONMENT: ISO/IEC 7816-4:2013 §11.5.11, Doc 9303-11 (8th ed.) §4.4.4.1 and §6.2.4.
//!
//! The chip reads the data objects in any order and ignores those that it does not know (§4.4.4.1, note 2; §9.3.3).

use const_oid::ObjectIdentifier;

use crate::apdu::{Command, Status};
use crate::tlv::{self, Tlv};

/// MSE:Set AT for mutual authentication: begins PACE (§4.4.4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SetMutual {
    /// The protocol, one of the identifiers below `id-PACE`.
    pub protocol: ObjectIdentifier,
    /// Reference of the password: 1 MRZ, 2 CAN; 3 PIN and 4 PUK on other documents.
    pub password: u8,
    /// Identifier of the domain parameters, if the card announces several for this protocol.
    pub parameter_id: Option<u32>,
}

/// MSE:Set AT for internal authentication: begins chip authentication (§6.2.4.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SetInternal {
    /// The protocol, one of the identifiers below `id-CA`.
    pub protocol: ObjectIdentifier,
    /// Identifier of the chip's key, if there are several.
    pub key_id: Option<u32>,
}

/// MSE:Set KAT: chip authentication with triple DES in one command (§6.2.4.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SetKeyAgreement {
    /// The terminal's ephemeral public key, as a plain value (§9.4.5).
    pub public_key: Vec<u8>,
    /// Identifier of the chip's key, if there are several.
    pub key_id: Option<u32>,
}

/// Instruction byte.
pub const INS: u8 = 0x22;

/// P1-P2 of [`SetMutual`].
pub const MUTUAL: [u8; 2] = [0xc1, 0xa4];
/// P1-P2 of [`SetInternal`].
pub const INTERNAL: [u8; 2] = [0x41, 0xa4];
/// P1-P2 of [`SetKeyAgreement`].
pub const KEY_AGREEMENT: [u8; 2] = [0x41, 0xa6];

impl From<SetMutual> for Command {
    fn from(set: SetMutual) -> Self {
        let mut data = tlv::encode(PROTOCOL, set.protocol.as_bytes());
        data.extend(tlv::encode(PASSWORD, &[set.password]));
        data.extend(reference(set.parameter_id));
        Self::new(INS, MUTUAL[0], MUTUAL[1]).data(data)
    }
}

impl TryFrom<&Command> for SetMutual {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        let data = data_of(command, MUTUAL)?;
        let [password] = required(data, PASSWORD)?.value else { return Err(Status::WRONG_DATA) };
        Ok(Self { protocol: protocol(data)?, password: *password, parameter_id: referenced(data)? })
    }
}

impl From<SetInternal> for Command {
    fn from(set: SetInternal) -> Self {
        let mut data = tlv::encode(PROTOCOL, set.protocol.as_bytes());
        data.extend(reference(set.key_id));
        Self::new(INS, INTERNAL[0], INTERNAL[1]).data(data)
    }
}

impl TryFrom<&Command> for SetInternal {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        let data = data_of(command, INTERNAL)?;
        Ok(Self { protocol: protocol(data)?, key_id: referenced(data)? })
    }
}

impl From<SetKeyAgreement> for Command {
    fn from(set: SetKeyAgreement) -> Self {
        let mut data = tlv::encode(PUBLIC_KEY, &set.public_key);
        data.extend(reference(set.key_id));
        Self::new(INS, KEY_AGREEMENT[0], KEY_AGREEMENT[1]).data(data)
    }
}

impl TryFrom<&Command> for SetKeyAgreement {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        let data = data_of(command, KEY_AGREEMENT)?;
        Ok(Self { public_key: required(data, PUBLIC_KEY)?.value.to_vec(), key_id: referenced(data)? })
    }
}

/// Returns the data field, if this is that MSE command. A last byte Le is tolerated: some readers send one.
fn data_of(command: &Command, p: [u8; 2]) -> Result<&[u8], Status> {
    match command {
        Command { ins, .. } if *ins != INS => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        Command { p: found, .. } if *found != p => Err(Status::WRONG_P1P2),
        _ => Ok(&command.data),
    }
}

/// Returns the object with this tag; all objects must be well formed, also those after it.
fn optional(data: &[u8], tag: u32) -> Result<Option<Tlv<'_>>, Status> {
    let mut reader = tlv::Reader::new(data);
    while !reader.is_empty() {
        reader.read().map_err(|_| Status::WRONG_DATA)?;
    }
    tlv::find(data, tag).map_err(|_| Status::WRONG_DATA)
}

fn required(data: &[u8], tag: u32) -> Result<Tlv<'_>, Status> {
    optional(data, tag)?.ok_or(Status::WRONG_DATA)
}

fn protocol(data: &[u8]) -> Result<ObjectIdentifier, Status> {
    ObjectIdentifier::from_bytes(required(data, PROTOCOL)?.value).map_err(|_| Status::WRONG_DATA)
}

/// Reads the identifier of a key or of domain parameters: an unsigned integer of at most four bytes.
fn referenced(data: &[u8]) -> Result<Option<u32>, Status> {
    match optional(data, PRIVATE_KEY)? {
        None => Ok(None),
        Some(object) if (1..=4).contains(&object.value.len()) => {
            Ok(Some(object.value.iter().fold(0, |n, b| n << 8 | u32::from(*b))))
        }
        Some(_) => Err(Status::REFERENCED_DATA_NOT_FOUND),
    }
}

/// Writes the identifier in the fewest bytes, at least one.
fn reference(id: Option<u32>) -> Vec<u8> {
    let Some(id) = id else { return Vec::new() };
    let bytes = id.to_be_bytes();
    let skip = bytes.iter().take(3).take_while(|b| **b == 0).count();
    tlv::encode(PRIVATE_KEY, &bytes[skip..])
}

/// Cryptographic mechanism reference.
const PROTOCOL: u32 = 0x80;
/// Reference of a public or secret key: the password.
const PASSWORD: u32 = 0x83;
/// Reference of a private key, or for computing a session key.
const PRIVATE_KEY: u32 = 0x84;
/// Ephemeral public key.
const PUBLIC_KEY: u32 = 0x91;

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.4.2.2");
    const CHIP_AUTHENTICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.3.2.2");

    #[test]
    fn worked_example_of_appendix_g1() {
        let command = Command::from(SetMutual { protocol: PACE, password: 1, parameter_id: None });
        assert_eq!(hex::encode(command.to_bytes()), "0022c1a40f800a04007f00070202040202830101");
    }

    #[test]
    fn what_the_terminal_encodes_the_chip_decodes() {
        for id in [None, Some(0), Some(13), Some(0x1234), Some(u32::MAX)] {
            let mutual = SetMutual { protocol: PACE, password: 2, parameter_id: id };
            assert_eq!(SetMutual::try_from(&Command::from(mutual)), Ok(mutual));
            let internal = SetInternal { protocol: CHIP_AUTHENTICATION, key_id: id };
            assert_eq!(SetInternal::try_from(&Command::from(internal)), Ok(internal));
            let agreement = SetKeyAgreement { public_key: vec![4; 65], key_id: id };
            assert_eq!(SetKeyAgreement::try_from(&Command::from(agreement.clone())), Ok(agreement));
        }
    }

    #[test]
    fn objects_come_in_any_order_and_unknown_ones_are_ignored() {
        let mut data = hex_literal::hex!("84010D 830102 9901FF").to_vec();
        data.extend(tlv::encode(PROTOCOL, PACE.as_bytes()));
        let command = Command::new(INS, 0xc1, 0xa4).data(data);
        let expected = SetMutual { protocol: PACE, password: 2, parameter_id: Some(13) };
        assert_eq!(SetMutual::try_from(&command), Ok(expected));
    }

    #[test]
    fn a_missing_or_broken_object_is_refused() {
        for data in
            [&hex_literal::hex!("830101")[..], &hex_literal::hex!("800104"), &hex_literal::hex!("8001048301018402")]
        {
            let command = Command::new(INS, 0xc1, 0xa4).data(data);
            assert_eq!(SetMutual::try_from(&command), Err(Status::WRONG_DATA));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_data_field_is_understood_or_refused(data: Vec<u8>) {
            let command = |p: [u8; 2]| Command::new(INS, p[0], p[1]).data(data.clone());
            let _ = SetMutual::try_from(&command(MUTUAL));
            let _ = SetInternal::try_from(&command(INTERNAL));
            let _ = SetKeyAgreement::try_from(&command(KEY_AGREEMENT));
        }
    }
}
