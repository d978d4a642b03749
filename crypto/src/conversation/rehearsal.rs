//! A terminal and a chip talk in a test, and somebody may stand between them.

use super::{Conversation, Fault, Reply, Respondent, Turn};
use crate::apdu::{Command, Response, Status};

/// Lets them talk; `forge` may alter each message, numbered 0, 1, 2, … in both directions. What each of them was left with.
///
/// # Panics
/// If one of them is content before the other.
pub(crate) fn talk<T: Conversation, C: Respondent>(
    terminal: T,
    mut chip: C,
    mut forge: impl FnMut(usize, Vec<u8>) -> Vec<u8>,
) -> (Result<T::Output, Fault>, Option<C::Output>) {
    let mut turn = terminal.open();
    let mut number = 0;
    loop {
        let (talk, command) = match turn {
            Ok(Turn::Ask(talk, command)) => (talk, command),
            Ok(Turn::Done(_)) => panic!("the terminal is content, the chip is not"),
            Err(fault) => return (Err(fault), None),
        };
        let Ok(command) = Command::parse(&forge(number, command.to_bytes())) else {
            return (Err(Fault::Refused { ins: 0, status: Status::WRONG_LENGTH }), None);
        };
        let (next, output, response) = match chip.answer(&command) {
            Reply::More(chip, response) => (Some(chip), None, response),
            Reply::Done(output, response) => (None, Some(output), response),
            Reply::Refused(status) => (None, None, status.into()),
        };
        let heard = talk.hear(Response::parse(&forge(number + 1, response.to_bytes())).unwrap());
        match next {
            Some(again) => chip = again,
            None => {
                return match heard {
                    Ok(Turn::Done(terminal)) => (Ok(terminal), output),
                    Ok(Turn::Ask(..)) => panic!("the terminal asks on after the chip is done"),
                    Err(fault) => (Err(fault), output),
                };
            }
        }
        turn = heard;
        number += 2;
    }
}

/// Nobody stands between them.
pub(crate) fn genuine(_: usize, message: Vec<u8>) -> Vec<u8> {
    message
}
