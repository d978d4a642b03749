//! Chip's end of a channel.

use super::Keys;
use super::session::{CRYPTOGRAM, ChannelState, EXPECTED, MAC, ODD_CRYPTOGRAM, STATUS};
use crate::apdu::{Command, EXTENDED_NE, Response, SHORT_NE, Status, cla};
use crate::tlv::{self, Reader};

/// The chip's end of a channel: one command opened, its response sealed, the next command.
#[derive(Debug)]
pub struct Chip(State);

#[derive(Debug)]
enum State {
    /// Waits for the next protected command.
    AwaitCommand(ChannelState),
    /// Waits for the chip's answer; holds whether the instruction was odd.
    AwaitResponse(ChannelState, bool),
    /// Closed by an error or a plain command.
    Dead,
}

impl Chip {
    /// Returns a channel that begins with counter zero, as after PACE and chip authentication.
    pub fn new(keys: Keys) -> Self {
        Self::with_counter(keys, 0)
    }

    /// Returns a channel that begins with this counter, as after basic access control (§9.8.6.3).
    pub fn with_counter(keys: Keys, counter: u64) -> Self {
        Self(State::AwaitCommand(ChannelState::new(keys, u128::from(counter))))
    }

    /// Returns whether it can still be used. If not, session keys are gone and what they opened
    /// must be closed (§9.8.3).
    pub fn is_open(&self) -> bool {
        !matches!(self.0, State::Dead)
    }

    /// Checks and decrypts a protected command.
    ///
    /// # Errors
    /// The status to answer **without** protection; the channel is dead then: `6982` for a plain command, `6987` if an
    /// object is missing, `6988` if the MAC or an object is wrong.
    pub fn open(&mut self, command: &Command) -> Result<Command, Status> {
        let State::AwaitCommand(mut session) = std::mem::replace(&mut self.0, State::Dead) else {
            return Err(Status::SECURITY_NOT_SATISFIED);
        };
        // Counted before the MAC is checked: a forged command must not be retried under the same counter.
        session.count();
        let opened = uncover(&session, command)?;
        self.0 = State::AwaitResponse(session, command.ins & 1 == 1);
        Ok(opened)
    }

    /// Protects the response to the command that was opened last.
    ///
    /// Without such a command the channel dies, and `6985` goes out.
    #[expect(clippy::needless_pass_by_value, reason = "a response leaves once, sealed")]
    pub fn seal(&mut self, response: Response) -> Response {
        let State::AwaitResponse(mut session, odd) = std::mem::replace(&mut self.0, State::Dead) else {
            return Status::CONDITIONS_NOT_SATISFIED.into();
        };
        session.count();
        let mut objects = session.encrypt(&response.data, odd);
        objects.extend(tlv::encode(STATUS, &response.status.0.to_be_bytes()));
        let mac = session.mac(&[], &objects);
        objects.extend(tlv::encode(MAC, &mac));
        self.0 = State::AwaitCommand(session);
        Response { data: objects, status: response.status }
    }
}

/// `[85 or 87] [97] 8E`, in this order (§9.8.4): 85 with odd instructions, 87 with even ones.
fn uncover(session: &ChannelState, command: &Command) -> Result<Command, Status> {
    if command.cla & cla::SECURE != cla::SECURE {
        return Err(Status::SECURITY_NOT_SATISFIED);
    }
    let malformed = |_| Status::SECURE_MESSAGING_OBJECT_INCORRECT;
    let mut objects = Reader::new(&command.data);
    let hidden = if command.ins & 1 == 1 { ODD_CRYPTOGRAM } else { CRYPTOGRAM };
    let cryptogram = objects.optional(hidden).map_err(malformed)?;
    let expected = objects.optional(EXPECTED).map_err(malformed)?;
    let authenticated = &command.data[..command.data.len() - objects.rest().len()];
    if objects.is_empty() {
        return Err(Status::SECURE_MESSAGING_OBJECT_MISSING);
    }
    let mac = objects.expect(MAC).map_err(malformed)?;
    objects.finish().map_err(malformed)?;
    let [p1, p2] = command.p;
    // The header of the object 8E is not covered by the MAC: only its one valid form is accepted.
    if mac.raw != tlv::encode(MAC, mac.value)
        || !session.verifies(&[command.cla, command.ins, p1, p2], authenticated, mac.value)
    {
        return Err(Status::SECURE_MESSAGING_OBJECT_INCORRECT);
    }
    let data = match cryptogram {
        None => Vec::new(),
        Some(object) => session.decrypt(hidden, object.value).ok_or(Status::SECURE_MESSAGING_OBJECT_INCORRECT)?,
    };
    let ne = match expected.map(|object| object.value) {
        None => None,
        Some([0]) => Some(SHORT_NE),
        Some([0, 0]) => Some(EXTENDED_NE),
        Some(&[ne]) => Some(usize::from(ne)),
        Some(&[high, low]) => Some(usize::from(u16::from_be_bytes([high, low]))),
        Some(_) => return Err(Status::SECURE_MESSAGING_OBJECT_INCORRECT),
    };
    // The outer Le is not authenticated. It must be the one that §9.8.4 shows for this form, or absent: the terminal
    // did not send another one. Readers that always use the extended form are tolerated.
    let long = command.data.len() > 255 || ne.is_some_and(|ne| ne > SHORT_NE);
    match command.ne {
        None | Some(EXTENDED_NE) => {}
        Some(SHORT_NE) if !long => {}
        Some(_) => return Err(Status::SECURE_MESSAGING_OBJECT_INCORRECT),
    }
    Ok(Command { cla: command.cla & !cla::SECURE, ins: command.ins, p: command.p, data, ne })
}
