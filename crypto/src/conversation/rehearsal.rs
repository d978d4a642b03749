//! A terminal and a chip talk in a test, optionally with an attacker between them.

use super::{CardTransport, Conversation, Fault, Reply, Respondent, converse};
use crate::apdu::{Command, Response, Status};

/// Lets both roles talk. `forge` may alter each message; messages are numbered 0, 1, 2, … in both directions. Returns what each
/// role was left with.
///
/// # Panics
/// If one role ends the dialogue successfully before the other.
pub(crate) fn talk<T: Conversation, C: Respondent>(
    terminal: T,
    chip: C,
    forge: impl FnMut(usize, Vec<u8>) -> Vec<u8>,
) -> (Result<T::Output, Fault>, Option<C::Output>) {
    let mut wire = Wire { chip: Some(chip), output: None, forge, number: 0 };
    let result = converse(&mut wire, terminal);
    assert!(result.is_err() || wire.output.is_some(), "the terminal is done, the chip is not");
    (result, wire.output)
}

/// The chip's role behind a wire that may be tampered with.
struct Wire<C: Respondent, F> {
    chip: Option<C>,
    output: Option<C::Output>,
    forge: F,
    number: usize,
}

impl<C: Respondent, F: FnMut(usize, Vec<u8>) -> Vec<u8>> CardTransport for Wire<C, F> {
    type Error = Fault;

    fn transmit(&mut self, command: &Command) -> Result<Response, Fault> {
        let Ok(command) = Command::parse(&(self.forge)(self.number, command.to_bytes())) else {
            return Err(Fault::Refused { ins: 0, status: Status::WRONG_LENGTH });
        };
        let chip = self.chip.take().expect("the terminal goes on after the chip is done");
        let response = match chip.answer(&command) {
            Reply::More(chip, response) => {
                self.chip = Some(chip);
                response
            }
            Reply::Done(output, response) => {
                self.output = Some(output);
                response
            }
            Reply::Refused(status) => status.into(),
        };
        let response = (self.forge)(self.number + 1, response.to_bytes());
        self.number += 2;
        Ok(Response::parse(&response).unwrap())
    }
}

/// Leaves each message as it is.
pub(crate) fn genuine(_: usize, message: Vec<u8>) -> Vec<u8> {
    message
}
