//! Computations shared by both ends of a session; [`super::terminal`] and [`super::chip`] each expose half of them.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::aes_key::AesKey;
use super::{BLOCK, KeySet, MAC_LENGTH, SecurityLevel};
use crate::apdu::{Command, Response, Status, cla};

/// Derivation constants, Amendment D v1.2 Table 4-1.
mod constant {
    pub const CARD_CRYPTOGRAM: u8 = 0x00;
    pub const HOST_CRYPTOGRAM: u8 = 0x01;
    pub const CARD_CHALLENGE: u8 = 0x02;
    pub const S_ENC: u8 = 0x04;
    pub const S_MAC: u8 = 0x06;
    pub const S_RMAC: u8 = 0x07;
}

fn label(constant: u8) -> [u8; 12] {
    let mut label = [0; 12];
    label[11] = constant;
    label
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    bytes.try_into().expect("eight bytes were derived")
}

/// Returns the pseudo-random card challenge (Amendment D v1.2 §6.2.2.1).
pub(super) fn card_challenge(keys: &KeySet, sequence_counter: u32, aid: &[u8]) -> [u8; 8] {
    let counter = sequence_counter.to_be_bytes();
    eight(&keys.enc.derive(&label(constant::CARD_CHALLENGE), &[&counter[1..], aid], 8))
}

/// Session keys before anything was MACed with them.
pub(super) struct SessionKeys {
    enc: AesKey,
    mac: AesKey,
    rmac: AesKey,
    /// Card cryptogram: the chip's proof that it has the static keys.
    pub(super) card_cryptogram: [u8; 8],
    /// Host cryptogram: the host's proof.
    pub(super) host_cryptogram: [u8; 8],
}

impl SessionKeys {
    /// Derives the keys and cryptograms (Amendment D v1.2 §6.2.1, §6.2.2.2, §6.2.2.3).
    pub(super) fn derive(keys: &KeySet, host_challenge: [u8; 8], card_challenge: [u8; 8]) -> Self {
        let context: [&[u8]; 2] = [&host_challenge, &card_challenge];
        let key = |from: &AesKey, constant: u8| {
            let bytes = from.derive(&label(constant), &context, from.length());
            AesKey::new(&bytes).expect("as long as the static key")
        };
        let mac = key(&keys.mac, constant::S_MAC);
        let cryptogram = |constant: u8| eight(&mac.derive(&label(constant), &context, 8));
        Self {
            enc: key(&keys.enc, constant::S_ENC),
            rmac: key(&keys.mac, constant::S_RMAC),
            card_cryptogram: cryptogram(constant::CARD_CRYPTOGRAM),
            host_cryptogram: cryptogram(constant::HOST_CRYPTOGRAM),
            mac,
        }
    }

    /// Returns the session that begins with EXTERNAL AUTHENTICATE, which is the first link of its MAC chain.
    pub(super) fn open(self, level: SecurityLevel) -> SessionState {
        SessionState { keys: self, level, chaining_value: [0; BLOCK], counter: 0 }
    }
}

/// Session keys, MAC chaining value and encryption counter.
pub(super) struct SessionState {
    keys: SessionKeys,
    level: SecurityLevel,
    chaining_value: [u8; BLOCK],
    /// Commands since EXTERNAL AUTHENTICATE.
    counter: u64,
}

/// Which side of the dialogue an encrypted field is on.
#[derive(Clone, Copy)]
enum Direction {
    ToCard,
    FromCard,
}

impl SessionState {
    pub(super) fn level(&self) -> SecurityLevel {
        self.level
    }

    /// Appends the C-MAC. Used alone for EXTERNAL AUTHENTICATE only.
    pub(super) fn mac_command(&mut self, command: Command) -> Command {
        let mut sealed = command;
        sealed.cla |= cla::GLOBAL_PLATFORM_SECURE;
        sealed.data.extend_from_slice(&[0; MAC_LENGTH]); // reserved first, so that the length fields are right
        self.chaining_value = self.c_mac(&sealed);
        let at = sealed.data.len() - MAC_LENGTH;
        sealed.data[at..].copy_from_slice(&self.chaining_value[..MAC_LENGTH]);
        sealed
    }

    /// Checks and removes the C-MAC.
    pub(super) fn check_command(&mut self, sealed: &Command) -> Result<Command, Status> {
        if sealed.cla & cla::GLOBAL_PLATFORM_SECURE == 0 {
            return Err(Status::SECURITY_NOT_SATISFIED);
        }
        let (data, mac) =
            sealed.data.split_last_chunk::<MAC_LENGTH>().ok_or(Status::SECURE_MESSAGING_OBJECT_MISSING)?;
        let expected = self.c_mac(sealed);
        if !bool::from(expected[..MAC_LENGTH].ct_eq(mac)) {
            return Err(Status::SECURE_MESSAGING_OBJECT_INCORRECT);
        }
        self.chaining_value = expected;
        Ok(Command { cla: sealed.cla & !cla::GLOBAL_PLATFORM_SECURE, data: data.to_vec(), ..*sealed })
    }

    /// Counts the command, encrypts its data if there are any, appends the C-MAC (Amendment D v1.2 §6.2.4, §6.2.6).
    pub(super) fn seal_command(&mut self, command: &Command) -> Command {
        self.counter += 1;
        let mut command = command.clone();
        if self.level.encrypts_commands() && !command.data.is_empty() {
            let sealed = self.keys.enc.seal(&self.icv(Direction::ToCard), &command.data);
            std::mem::replace(&mut command.data, sealed).zeroize();
        }
        self.mac_command(command)
    }

    /// Opens a command: the inverse of [`SessionState::seal_command`].
    pub(super) fn open_command(&mut self, sealed: &Command) -> Result<Command, Status> {
        self.counter += 1;
        let mut command = self.check_command(sealed)?;
        if self.level.encrypts_commands() && !command.data.is_empty() {
            command.data = self
                .keys
                .enc
                .open(&self.icv(Direction::ToCard), &command.data)
                .ok_or(Status::SECURE_MESSAGING_OBJECT_INCORRECT)?;
        }
        Ok(command)
    }

    /// Advances over a command that was sealed before, without its plaintext: checks its C-MAC and
    /// updates the chaining value.
    pub(super) fn retrace(&mut self, sealed: &Command) -> Result<(), Status> {
        self.counter += 1;
        self.check_command(sealed).map(|_| ())
    }

    /// Encrypts the answer's data and appends the R-MAC; an error status goes alone (Amendment D v1.2 §6.2.5, §6.2.7).
    pub(super) fn seal_response(&self, response: Response) -> Response {
        if is_error(response.status) {
            return Response::status(response.status);
        }
        if !self.level.macs_responses() {
            return response;
        }
        let Response { mut data, status } = response;
        if self.level.encrypts_responses() && !data.is_empty() {
            let sealed = self.keys.enc.seal(&self.icv(Direction::FromCard), &data);
            std::mem::replace(&mut data, sealed).zeroize();
        }
        let mac = self.r_mac(&data, status);
        data.extend_from_slice(&mac);
        Response { data, status }
    }

    /// Opens a response: the inverse of [`SessionState::seal_response`]. The error says what is wrong with the answer.
    pub(super) fn open_response(&self, response: Response) -> Result<Response, &'static str> {
        let Response { data, status } = response;
        if is_error(status) {
            return if data.is_empty() {
                Ok(Response::status(status))
            } else {
                Err("SCP03: data beside an error status")
            };
        }
        if !self.level.macs_responses() {
            return Ok(Response { data, status });
        }
        let (data, mac) = data.split_last_chunk::<MAC_LENGTH>().ok_or("SCP03: an answer without R-MAC")?;
        if !bool::from(self.r_mac(data, status).ct_eq(mac)) {
            return Err("SCP03: a wrong R-MAC");
        }
        if !self.level.encrypts_responses() || data.is_empty() {
            return Ok(Response { data: data.to_vec(), status });
        }
        match self.keys.enc.open(&self.icv(Direction::FromCard), data) {
            Some(data) => Ok(Response { data, status }),
            None => Err("SCP03: an answer whose padding is wrong"),
        }
    }

    /// Returns the C-MAC over a command whose data field already ends with room for it.
    fn c_mac(&self, sealed: &Command) -> [u8; BLOCK] {
        let [p1, p2] = sealed.p;
        let header = [sealed.cla, sealed.ins, p1, p2];
        let length = u32::try_from(sealed.data.len()).expect("at most 65,535 bytes").to_be_bytes();
        let lc = if sealed.fits_short() { &length[3..] } else { &length[1..] };
        let data = &sealed.data[..sealed.data.len() - MAC_LENGTH];
        self.keys.mac.cmac(&[&self.chaining_value, &header, lc, data])
    }

    fn r_mac(&self, data: &[u8], status: Status) -> [u8; MAC_LENGTH] {
        let full = self.keys.rmac.cmac(&[&self.chaining_value, data, &status.0.to_be_bytes()]);
        full[..MAC_LENGTH].try_into().expect("half of a block")
    }

    fn icv(&self, direction: Direction) -> [u8; BLOCK] {
        let mut block = u128::from(self.counter).to_be_bytes();
        if let Direction::FromCard = direction {
            block[0] = 0x80;
        }
        *Zeroizing::new(self.keys.enc.encrypt_block(block))
    }
}

/// Shows the counter only.
impl fmt::Debug for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?}, {} commands)", self.level, self.counter)
    }
}

/// Returns whether a status is an error (Amendment D v1.2 §6.2.5): all but `9000` and the warnings `62xx` and `63xx`.
fn is_error(status: Status) -> bool {
    status != Status::SUCCESS && !matches!(status.0 >> 8, 0x62 | 0x63)
}
