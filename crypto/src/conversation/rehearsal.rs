//! A terminal and a chip talk in a test, optionally with an attacker between them.

use super::{CardTransport, Conversation, Fault, Rehearsal, Respondent, converse};
use crate::apdu::{Command, Response, Status};

/// Lets both roles talk. `forge` may alter each message; messages are numbered 0, 1, 2, … in both directions. Returns
/// what each role was left with.
///
/// # Panics
/// If the terminal ends the dialogue successfully before the chip.
pub(crate) fn talk<T: Conversation, C: Respondent>(
    terminal: T,
    chip: C,
    forge: impl FnMut(usize, Vec<u8>) -> Vec<u8>,
) -> (Result<T::Output, Fault>, Option<C::Output>) {
    let mut wire = Wire { chip: Rehearsal::new(chip), forge, number: 0 };
    let result = converse(&mut wire, terminal);
    let output = wire.chip.into_output();
    assert!(result.is_err() || output.is_some(), "the terminal is done, the chip is not");
    (result, output)
}

/// A chip behind a wire that may be tampered with.
struct Wire<C: Respondent, F> {
    chip: Rehearsal<C>,
    forge: F,
    number: usize,
}

impl<C: Respondent, F: FnMut(usize, Vec<u8>) -> Vec<u8>> CardTransport for Wire<C, F> {
    type Error = Fault;

    fn transmit(&mut self, command: &Command) -> Result<Response, Fault> {
        let Ok(command) = Command::parse(&(self.forge)(self.number, command.to_bytes())) else {
            return Err(Fault::Refused { ins: 0, status: Status::WRONG_LENGTH });
        };
        let response = self.chip.transmit(&command)?;
        let response = (self.forge)(self.number + 1, response.to_bytes());
        self.number += 2;
        Ok(Response::parse(&response).unwrap())
    }
}

/// Leaves each message as it is.
pub(crate) fn genuine(_: usize, message: Vec<u8>) -> Vec<u8> {
    message
}
