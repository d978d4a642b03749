//! PUT KEY for a whole AES key set: GlobalPlatform Card Specification v2.3 §11.8, Amendment D v1.2 §7.2.

use std::fmt;

use crate::apdu::{Command, SHORT_NE, Status, cla};
use crate::command::global_platform;
use crate::scp03::{KeyError, KeySet};

/// Replaces the three keys of a key set by those of another version.
///
/// ```text
/// data ::= new key version (1), then for ENC, MAC and DEK:
///          88, length of the key data (1), length of the key in bytes (1), key under Key-DEK (whole blocks), 03, check value (3)
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct PutKey {
    /// Version that is replaced.
    pub replaced_version: u8,
    /// Version of the new keys, `01` to `7F`.
    pub new_version: u8,
    /// The wrapped keys ENC, MAC and DEK.
    pub keys: [WrappedKey; 3],
}

/// A key under the Key-DEK of the key set that it replaces.
#[derive(Clone, Eq, PartialEq)]
pub struct WrappedKey {
    /// Bytes of the key: 16, 24 or 32.
    pub length: u8,
    /// The key, padded to whole blocks, AES-CBC with a zero ICV.
    pub wrapped: Vec<u8>,
    /// Check value of the key.
    pub check_value: [u8; 3],
}

impl PutKey {
    /// Instruction byte.
    pub const INS: u8 = 0xd8;

    /// Wraps `new` under the Key-DEK of `current`.
    pub fn new(current: &KeySet, replaced_version: u8, new: &KeySet, new_version: u8) -> Self {
        let length = u8::try_from(new.key_length()).expect("an AES key has at most 32 bytes");
        let check_values = new.check_values();
        let mut at = 0;
        let keys = current.wrapped(new).map(|wrapped| {
            let key = WrappedKey { length, wrapped, check_value: check_values[at] };
            at += 1;
            key
        });
        Self { replaced_version, new_version, keys }
    }

    /// Returns the new key set, once the chip has taken the wrapping off with the Key-DEK of `current`.
    ///
    /// # Errors
    /// [`Status::WRONG_DATA`] (`6A80`) for a wrong length or check value. The chip keeps its keys then.
    pub fn unwrap(&self, current: &KeySet) -> Result<KeySet, Status> {
        let [enc, mac, dek] = &self.keys;
        let key = |k: &'_ WrappedKey| (usize::from(k.length), k.check_value);
        let [(le, ke), (lm, km), (ld, kd)] = [key(enc), key(mac), key(dek)];
        current
            .unwrapped(&[(le, &enc.wrapped, ke), (lm, &mac.wrapped, km), (ld, &dek.wrapped, kd)])
            .map_err(|_: KeyError| Status::WRONG_DATA)
    }

    /// Returns the chip's answer: the new version and the three check values.
    pub fn confirmation(&self) -> Vec<u8> {
        let mut out = vec![self.new_version];
        self.keys.iter().for_each(|key| out.extend_from_slice(&key.check_value));
        out
    }
}

/// Encodes the command as the terminal sends it.
impl From<PutKey> for Command {
    fn from(it: PutKey) -> Self {
        let mut data = vec![it.new_version];
        for key in &it.keys {
            let wrapped = u8::try_from(key.wrapped.len()).expect("a wrapped AES key has at most 32 bytes");
            data.extend_from_slice(&[KEY_TYPE_AES, 1 + wrapped, key.length]);
            data.extend_from_slice(&key.wrapped);
            data.push(3);
            data.extend_from_slice(&key.check_value);
        }
        Command::new(PutKey::INS, it.replaced_version, ALL_FROM_FIRST)
            .class(cla::GLOBAL_PLATFORM)
            .data(data)
            .expecting(SHORT_NE)
    }
}

/// Decodes the command as the chip receives it.
impl TryFrom<&Command> for PutKey {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        global_platform(command, Self::INS)?;
        let [replaced_version, ALL_FROM_FIRST] = command.p else { return Err(Status::WRONG_P1P2) };
        let (new_version, mut rest) = command.data.split_first().ok_or(Status::WRONG_DATA)?;
        if !(0x01..=0x7f).contains(new_version) {
            return Err(Status::WRONG_DATA);
        }
        let mut keys = Vec::with_capacity(3);
        while !rest.is_empty() {
            let (key, after) = read_key(rest).ok_or(Status::WRONG_DATA)?;
            keys.push(key);
            rest = after;
        }
        let keys = keys.try_into().map_err(|_| Status::WRONG_DATA)?;
        Ok(Self { replaced_version, new_version: *new_version, keys })
    }
}

fn read_key(bytes: &[u8]) -> Option<(WrappedKey, &[u8])> {
    let [KEY_TYPE_AES, data_length, length, rest @ ..] = bytes else { return None };
    let (wrapped, rest) = rest.split_at_checked(usize::from(*data_length).checked_sub(1)?)?;
    let [3, a, b, c, rest @ ..] = rest else { return None };
    Some((WrappedKey { length: *length, wrapped: wrapped.to_vec(), check_value: [*a, *b, *c] }, rest))
}

/// Shows versions only.
impl fmt::Debug for PutKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PutKey({:02X} -> {:02X})", self.replaced_version, self.new_version)
    }
}

/// Key type AES (GPCS v2.3 Table 11-16).
const KEY_TYPE_AES: u8 = 0x88;
/// P2: several keys, the first of which has identifier 1.
const ALL_FROM_FIRST: u8 = 0x81;
