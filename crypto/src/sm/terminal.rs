//! Terminal's end of a channel.

use super::Keys;
use super::session::{CRYPTOGRAM, ChannelState, EXPECTED, MAC, ODD_CRYPTOGRAM, STATUS};
use crate::apdu::{Command, EXTENDED_NE, Response, SHORT_NE, Status, cla};
use crate::conversation::Fault;
use crate::suite::Cipher;
use crate::tlv::{self, Reader};

/// The terminal's end of a channel: one command sealed, its response opened, the next command.
#[derive(Debug)]
pub struct Terminal {
    cipher: Cipher,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waits for the next command to seal.
    AwaitCommand(ChannelState),
    /// Waits for the response to the command with this instruction byte.
    AwaitResponse(ChannelState, u8),
    /// Closed by an error or by a message that was never answered.
    Dead,
}

impl Terminal {
    /// Returns a channel that begins with counter zero, as after PACE and chip authentication.
    pub fn new(keys: Keys) -> Self {
        Self::with_counter(keys, 0)
    }

    /// Returns a channel that begins with this counter, as after basic access control (§9.8.6.3).
    pub fn with_counter(keys: Keys, counter: u64) -> Self {
        Self { cipher: keys.cipher, state: State::AwaitCommand(ChannelState::new(keys, u128::from(counter))) }
    }

    /// Returns the cipher, by which [`super::response_capacity`] tells how much to ask for.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Returns whether it can still be used.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Dead)
    }

    /// Protects a plain command. Short commands stay short; a command that expects more than 256 bytes, or that becomes
    /// too long by its protection, takes the extended form.
    ///
    /// # Errors
    /// [`Fault::Misbehaved`] if the channel is dead, [`Fault::Unsupported`] for a class byte that cannot be protected.
    /// Sealing again before the response was opened closes the channel: the counters of both ends would differ.
    pub fn seal(&mut self, command: &Command) -> Result<Command, Fault> {
        let State::AwaitCommand(mut session) = std::mem::replace(&mut self.state, State::Dead) else {
            return Err(Fault::Misbehaved("the secure channel is closed"));
        };
        if command.cla & !cla::CHAINED != cla::PLAIN {
            return Err(Fault::Unsupported("this class byte has no ISO secure messaging"));
        }
        session.count();
        let class = command.cla | cla::SECURE;
        let mut objects = session.encrypt(&command.data, command.ins & 1 == 1);
        if let Some(ne) = command.ne {
            let [.., high, low] = ne.to_be_bytes(); // 256 becomes 00, and 65,536 becomes 0000
            let expected = [high, low];
            objects.extend(tlv::encode(EXPECTED, if ne <= SHORT_NE { &expected[1..] } else { &expected }));
        }
        let [p1, p2] = command.p;
        let mac = session.mac(&[class, command.ins, p1, p2], &objects);
        objects.extend(tlv::encode(MAC, &mac));
        let long = objects.len() > 255 || command.ne.is_some_and(|ne| ne > SHORT_NE);
        self.state = State::AwaitResponse(session, command.ins);
        Ok(Command {
            cla: class,
            ins: command.ins,
            p: command.p,
            data: objects,
            ne: Some(if long { EXTENDED_NE } else { SHORT_NE }),
        })
    }

    /// Checks and decrypts the response to the command that was sealed last.
    ///
    /// # Errors
    /// [`Fault::Refused`] if the chip answered without protection, which ends the session on its side too (§9.8.5);
    /// [`Fault::Misbehaved`] if the protection is wrong. The channel is dead in both cases.
    pub fn open(&mut self, response: &Response) -> Result<Response, Fault> {
        let State::AwaitResponse(mut session, ins) = std::mem::replace(&mut self.state, State::Dead) else {
            return Err(Fault::Misbehaved("the secure channel is closed"));
        };
        // Counted before the MAC is checked: a forged response must not be retried under the same counter.
        session.count();
        if response.data.is_empty() {
            return Err(Fault::Refused { ins, status: response.status });
        }
        let opened = uncover(&session, response)?;
        self.state = State::AwaitCommand(session);
        Ok(opened)
    }
}

/// Opens a response of the form `[85 or 87] 99 8E`, in this order (§9.8.4). The status must be inside: an
/// unprotected one proves nothing.
fn uncover(session: &ChannelState, response: &Response) -> Result<Response, Fault> {
    let malformed = |_| Fault::Misbehaved("the objects of a protected response are not in order");
    let mut objects = Reader::new(&response.data);
    let cryptogram = match objects.optional(CRYPTOGRAM).map_err(malformed)? {
        Some(object) => Some(object),
        None => objects.optional(ODD_CRYPTOGRAM).map_err(malformed)?,
    };
    let status = objects.expect(STATUS).map_err(malformed)?;
    let authenticated = &response.data[..response.data.len() - objects.rest().len()];
    let mac = objects.expect(MAC).map_err(malformed)?;
    objects.finish().map_err(malformed)?;
    // The header of the object 8E is not covered by the MAC: only its one valid form is accepted.
    if mac.raw != tlv::encode(MAC, mac.value) || !session.verifies(&[], authenticated, mac.value) {
        return Err(Fault::Misbehaved("the MAC of a protected response is wrong"));
    }
    let status = match status.value {
        &[sw1, sw2] => Status(u16::from_be_bytes([sw1, sw2])),
        _ => return Err(Fault::Misbehaved("the protected status has not two bytes")),
    };
    if status != response.status {
        return Err(Fault::Misbehaved("the status outside the protection is another than the one inside"));
    }
    let data = match cryptogram {
        None => Vec::new(),
        Some(object) => session
            .decrypt(object.tag.0, object.value)
            .ok_or(Fault::Misbehaved("a protected response does not decrypt"))?,
    };
    Ok(Response { data, status })
}
