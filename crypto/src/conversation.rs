//! A protocol talks, it does not transmit: terminal roles say which command they want next and hear the answer.
//!
//! Every protocol goes through the one loop [`converse`]; who carries the bytes implements [`CardTransport`].

#[cfg(test)]
pub(crate) mod rehearsal;

use thiserror::Error;

use crate::apdu::{Command, Response, Status};

/// Carries one command to a card and its answer back. PC/SC, the chip in process and an open secure channel are cards.
pub trait CardTransport {
    /// Why an answer did not come.
    type Error: From<Fault>;

    /// Sends `command`, waits for the whole response.
    ///
    /// # Errors
    /// Whatever the transport says; a [`Fault`] of a secure channel between here and the chip.
    fn transmit(&mut self, command: &Command) -> Result<Response, Self::Error>;
}

/// A terminal-side dialogue, free of I/O. `self` by value: one that failed cannot go on.
pub trait Conversation: Sized {
    /// What a successful dialogue leaves.
    type Output;

    /// Says the first command.
    ///
    /// # Errors
    /// [`Fault`] if the dialogue cannot even begin.
    fn open(self) -> Result<Turn<Self>, Fault>;

    /// Hears the answer to the command said last.
    ///
    /// # Errors
    /// [`Fault`]: the dialogue is over.
    fn hear(self, answer: Response) -> Result<Turn<Self>, Fault>;
}

/// What a conversation wants next.
pub enum Turn<C: Conversation> {
    /// Send this, then let `C` hear the answer.
    Ask(C, Command),
    /// It is over, and this is what it was for.
    Done(C::Output),
}

/// Holds a whole dialogue.
///
/// # Errors
/// The transport's error, or the [`Fault`] with which the conversation ended.
pub fn converse<T: CardTransport, C: Conversation>(card: &mut T, talk: C) -> Result<C::Output, T::Error> {
    let mut turn = talk.open()?;
    loop {
        turn = match turn {
            Turn::Ask(talk, command) => talk.hear(card.transmit(&command)?)?,
            Turn::Done(output) => return Ok(output),
        };
    }
}

/// How a dialogue with a chip fails, by culprit.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Fault {
    /// The chip said something that no correct chip says: a defect, a bad contact or an attack.
    #[error("the chip misbehaved: {0}")]
    Misbehaved(&'static str),
    /// The chip refused a command.
    #[error("the chip refused command {ins:02X} with {status}")]
    Refused {
        /// Instruction byte of the refused command.
        ins: u8,
        /// Its status word.
        status: Status,
    },
    /// The chip announces nothing that we can do.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// The password (CAN, or what BAC and PACE derive from the MRZ) is not the one of this card.
    #[error("the password does not open this card")]
    WrongPassword {
        /// Tries left before the chip blocks or suspends the password, if it said so.
        tries_left: Option<u8>,
    },
}

impl Response {
    /// The data of a response that must be `9000`.
    ///
    /// # Errors
    /// [`Fault::Refused`] with the instruction byte of the command that was answered.
    pub fn accepted(self, ins: u8) -> Result<Vec<u8>, Fault> {
        if self.status == Status::SUCCESS { Ok(self.data) } else { Err(Fault::Refused { ins, status: self.status }) }
    }
}

/// A chip-side dialogue, the mirror of [`Conversation`]: it is spent by each command it answers.
pub trait Respondent: Sized {
    /// What a successful dialogue leaves.
    type Output;

    /// Answers one command.
    fn answer(self, command: &Command) -> Reply<Self>;
}

/// What a chip answers, and where that leaves its dialogue.
pub enum Reply<R: Respondent> {
    /// The dialogue succeeded; `Response` is its last word, still under the **old** protection.
    Done(R::Output, Response),
    /// The dialogue goes on.
    More(R, Response),
    /// The dialogue is over; the chip must begin anew.
    Refused(Status),
}
