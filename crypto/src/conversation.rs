//! Dialogues without I/O: a terminal role says which command it wants next, and hears the answer.
//!
//! Every dialogue goes through the one loop [`converse`]; a [`CardTransport`] carries the bytes.

#[cfg(test)]
pub(crate) mod rehearsal;

use thiserror::Error;

use crate::apdu::{Command, Response, Status};

/// Carries one command to a card and its answer back. Implemented by PC/SC, by the chip in process and
/// by an open secure channel.
pub trait CardTransport {
    /// Error if no answer came.
    type Error: From<Fault>;

    /// Sends `command` and returns the whole response.
    ///
    /// # Errors
    /// The transport's own, or a [`Fault`] of a secure channel between here and the chip.
    fn transmit(&mut self, command: &Command) -> Result<Response, Self::Error>;
}

/// A terminal-side dialogue, free of I/O. It takes `self` by value, so one that failed cannot go on.
pub trait Conversation: Sized {
    /// Result of a successful dialogue.
    type Output;

    /// Returns the first command.
    ///
    /// # Errors
    /// [`Fault`] if the dialogue cannot begin.
    fn open(self) -> Result<Turn<Self>, Fault>;

    /// Takes the answer to the last command, and returns what comes next.
    ///
    /// # Errors
    /// [`Fault`]: the dialogue is over.
    fn hear(self, answer: Response) -> Result<Turn<Self>, Fault>;
}

/// What a conversation wants next.
pub enum Turn<C: Conversation> {
    /// Send this, then let `C` hear the answer.
    Ask(C, Command),
    /// The dialogue succeeded.
    Done(C::Output),
}

/// Holds a whole dialogue with a card, and returns its result.
///
/// # Errors
/// The transport's error, or the [`Fault`] with which the conversation ended.
pub fn converse<T: CardTransport, C: Conversation>(card: &mut T, talk: C) -> Result<C::Output, T::Error> {
    let mut turn = talk.open()?;
    loop {
        turn = match turn {
            Turn::Ask(talk, command) => step(talk, card.transmit(&command)?)?,
            Turn::Done(output) => return Ok(output),
        };
    }
}

/// Goes one step on in a dialogue whose answers are carried by others and come one at a time, as in a log-in where the
/// service is the terminal.
///
/// # Errors
/// The [`Fault`] with which the conversation ended.
pub fn step<C: Conversation>(talk: C, answer: Response) -> Result<Turn<C>, Fault> {
    talk.hear(answer)
}

/// How a dialogue with a chip fails, by culprit. Exhaustive on purpose: the station maps each one to a failure code.
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
    /// The chip announces only what this crate does not implement.
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
    /// Returns the data of a response whose status must be `9000`.
    ///
    /// # Errors
    /// [`Fault::Refused`] with the instruction byte of the command that was answered.
    pub fn accepted(self, ins: u8) -> Result<Vec<u8>, Fault> {
        if self.status == Status::SUCCESS { Ok(self.data) } else { Err(Fault::Refused { ins, status: self.status }) }
    }
}

/// A chip-side dialogue, the mirror of [`Conversation`]. It takes `self` by value, so one that
/// was refused cannot go on.
pub trait Respondent: Sized {
    /// Result of a successful dialogue.
    type Output;

    /// Answers one command.
    fn answer(self, command: &Command) -> Reply<Self>;
}

/// Answer of a chip, and the state of its dialogue after it.
pub enum Reply<R: Respondent> {
    /// The dialogue succeeded; `Response` goes out under the **old** protection.
    Done(R::Output, Response),
    /// The dialogue goes on.
    More(R, Response),
    /// The dialogue is over; the chip must begin anew.
    Refused(Status),
}

/// A chip-side dialogue as a card in process: for examples and tests.
pub struct Rehearsal<R: Respondent> {
    role: Option<R>,
    output: Option<R::Output>,
}

impl<R: Respondent> Rehearsal<R> {
    /// Returns a card that answers with this role until the role is done or refuses.
    pub fn new(role: R) -> Self {
        Self { role: Some(role), output: None }
    }

    /// Returns the result of the chip's dialogue, if it succeeded.
    pub fn into_output(self) -> Option<R::Output> {
        self.output
    }
}

impl<R: Respondent> CardTransport for Rehearsal<R> {
    type Error = Fault;

    fn transmit(&mut self, command: &Command) -> Result<Response, Fault> {
        let role = self.role.take().ok_or(Fault::Misbehaved("the dialogue of the chip is over"))?;
        Ok(match role.answer(command) {
            Reply::More(role, response) => {
                self.role = Some(role);
                response
            }
            Reply::Done(output, response) => {
                self.output = Some(output);
                response
            }
            Reply::Refused(status) => status.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Finds the places that take a [`super::Turn`] apart to drive a dialogue: calls of `hear` with an answer.
    fn loops(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap();
            // Unit tests step through a dialogue to compare each command with a worked example.
            if name == "tests" || name == "tests.rs" {
                continue;
            }
            if path.is_dir() {
                loops(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let calls =
                    text.lines().filter(|line| line.contains(concat!(".hear", "(")) && !line.contains("hear()"));
                found.extend(calls.map(|line| format!("{}: {}", path.display(), line.trim())));
            }
        }
    }

    #[test]
    fn one_loop_drives_every_dialogue_of_the_workspace() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut found = Vec::new();
        for member in ["card-agent", "crypto", "hardware-sim", "issuance", "tests"] {
            loops(&workspace.join(member).join("src"), &mut found);
        }
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains("conversation.rs"), "{found:#?}");
    }

    /// The places that hold a dialogue in shipped code: inspection over its line, and the station that plays an order.
    #[test]
    fn shipped_code_uses_the_loop() {
        for (name, source) in [
            ("inspection/line.rs", include_str!("inspection/line.rs")),
            ("perso/order.rs", include_str!("perso/order.rs")),
        ] {
            assert!(source.contains(concat!("converse", "(")), "{name} has a loop of its own");
        }
    }
}
