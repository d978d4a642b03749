//! The service's side: the terminal that a chip proves itself to, through an agent that only carries.

use rand_core::CryptoRng;

use super::read_file::ReadFile;
use super::{Document, Files, Refusal};
use crate::apdu::{Command, Response, Status};
use crate::chip_auth::terminal::ChipAuthentication;
use crate::command::read_binary::{self, ReadBinary};
use crate::conversation::{Conversation, Fault, Turn, step};
use crate::inspection::most_plaintext;
use crate::lds::{DataGroup, Dg1, File};
use crate::pki::spki;
use crate::sm;
use crate::suite::{Cipher, VerifyingKey};

impl Document {
    /// Begins the dialogue with the chip, with a key of this one log-in.
    ///
    /// # Errors
    /// [`Refusal::Unproved`] for a document without a key for chip authentication that can be used: such a card logs in
    /// nowhere, since its files alone prove nothing.
    pub fn begin(self, rng: &mut (impl CryptoRng + ?Sized)) -> Result<LogIn, Refusal> {
        let infos = &self.dg14.0;
        let several = infos.chip_authentication_keys().count() > 1;
        // Triple DES is no channel for a citizen's log-in.
        let offers = infos.chip_authentication().filter(|info| info.protocol.cipher != Cipher::TripleDes);
        let keys = offers.filter_map(|info| Some((info.protocol.cipher, infos.key_of(info)?)));
        let usable = keys.filter_map(|(cipher, key)| match spki::parse(&key.spki) {
            Ok(VerifyingKey::Ec(point)) => Some((cipher, point, if several { key.key_id } else { None })),
            _ => None,
        });
        let Some((cipher, point, key_id)) = usable.into_iter().next() else {
            return Err(Fault::Unsupported("the card has no key for chip authentication").into());
        };
        let talk = ChipAuthentication::new(cipher, point, key_id, rng);
        Ok(LogIn { document: Box::new(self), state: State::Proving(talk) })
    }
}

/// The dialogue of a log-in as a [`Conversation`]: chip authentication, then EF.SOD and DG1 under the channel that
/// results. What it asks for while it [is proving](Self::is_proving) travels under the agent's channel;
/// after that it is sealed here.
#[derive(Debug)]
pub struct LogIn {
    document: Box<Document>,
    state: State,
}

#[derive(Debug)]
enum State {
    Proving(ChipAuthentication),
    Reading(sm::Terminal, ReadFile, Wanted),
}

/// Which file is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wanted {
    Dg1,
    Sod,
}

impl LogIn {
    /// Returns whether the command that is asked for belongs under the agent's own channel.
    pub fn is_proving(&self) -> bool {
        matches!(self.state, State::Proving(_))
    }

    /// Returns whether the chip proved itself: an answer of its opened under the channel of this log-in.
    pub fn has_proved(&self) -> bool {
        match &self.state {
            State::Proving(_) => false,
            State::Reading(_, file, wanted) => *wanted == Wanted::Dg1 || file.has_begun(),
        }
    }

    /// Returns the document, whose signature was verified.
    pub fn document(&self) -> &Document {
        &self.document
    }

    fn read(document: Box<Document>, channel: sm::Terminal, wanted: Wanted) -> Result<Turn<Self>, Fault> {
        let longest = document.files.longest_response.clamp(SHORTEST_RESPONSE, LONGEST_RESPONSE);
        let most = most_plaintext(Some(channel.cipher()), longest);
        let file = match wanted {
            Wanted::Dg1 => File::DataGroup(DataGroup::DG1),
            Wanted::Sod => File::Sod,
        };
        let turn = ReadFile::new(file, most).open()?;
        Self::go_on(document, channel, turn, wanted)
    }

    fn go_on(
        document: Box<Document>,
        mut channel: sm::Terminal,
        turn: Turn<ReadFile>,
        wanted: Wanted,
    ) -> Result<Turn<Self>, Fault> {
        let bytes = match turn {
            Turn::Ask(file, command) => {
                let sealed = channel.seal(&command)?;
                return Ok(Turn::Ask(Self { document, state: State::Reading(channel, file, wanted) }, sealed));
            }
            Turn::Done(bytes) => bytes,
        };
        match wanted {
            Wanted::Sod if bytes == document.files.sod => Self::read(document, channel, Wanted::Dg1),
            Wanted::Sod => Err(Fault::Misbehaved("the chip's EF.SOD is another one than was sent")),
            Wanted::Dg1 => {
                let signed = document.sod.check(DataGroup::DG1, &bytes);
                signed.map_err(|_| Fault::Misbehaved("the chip's DG1 is not what was signed"))?;
                let dg1 = Dg1::parse(&bytes).map_err(|_| Fault::Misbehaved("the chip's DG1 cannot be read"))?;
                let presence = Presence { channel };
                Ok(Turn::Done(LoggedIn { fingerprint: *document.fingerprint(), dg1, presence }))
            }
        }
    }
}

impl Conversation for LogIn {
    type Output = LoggedIn;

    fn open(self) -> Result<Turn<Self>, Fault> {
        let Self { document, state } = self;
        match state {
            State::Proving(talk) => match talk.open()? {
                Turn::Ask(talk, command) => Ok(Turn::Ask(Self { document, state: State::Proving(talk) }, command)),
                Turn::Done(channel) => Self::read(document, channel, Wanted::Sod),
            },
            State::Reading(..) => Err(Fault::Misbehaved("the log-in began before")),
        }
    }

    fn hear(self, answer: Response) -> Result<Turn<Self>, Fault> {
        let Self { document, state } = self;
        match state {
            State::Proving(talk) => match step(talk, answer)? {
                Turn::Ask(talk, command) => Ok(Turn::Ask(Self { document, state: State::Proving(talk) }, command)),
                // Not proved yet: the first answer that opens under the channel proves it.
                Turn::Done(channel) => Self::read(document, channel, Wanted::Sod),
            },
            State::Reading(mut channel, file, wanted) => {
                let answer = channel.open(&answer)?;
                let turn = step(file, answer)?;
                Self::go_on(document, channel, turn, wanted)
            }
        }
    }
}

/// A chip that proved itself, and what it said.
#[derive(Debug)]
pub struct LoggedIn {
    /// Fingerprint of the document.
    pub fingerprint: [u8; 32],
    /// DG1, as the chip gave it and the State signed it.
    pub dg1: Dg1,
    /// The channel, by which the card shows that it is still there.
    pub presence: Presence,
}

/// The open channel to a card that logged in. Whatever is asked over it, only this chip can answer.
#[derive(Debug)]
pub struct Presence {
    channel: sm::Terminal,
}

impl Presence {
    /// Returns the next command: one byte of the file that was read last. An unanswered one ends the channel.
    ///
    /// # Errors
    /// [`Fault::Misbehaved`] if the channel is closed.
    pub fn ask(&mut self) -> Result<Command, Fault> {
        self.channel.seal(&ReadBinary::current(0, 1).into())
    }

    /// Takes the answer to the last command. An error ends the channel for good.
    ///
    /// # Errors
    /// [`Fault`]: the card is gone, or it is another one.
    pub fn proved_by(&mut self, answer: &Response) -> Result<(), Fault> {
        let answer = self.channel.open(answer)?;
        match answer.status {
            Status::SUCCESS => Ok(()),
            status => Err(Fault::Refused { ins: read_binary::INS, status }),
        }
    }
}

impl Files {
    /// The longest EF.SOD, DG14 or EF.CardAccess that is looked at, in bytes.
    pub const LONGEST_FILE: usize = super::read_file::LONGEST;
}

/// What every reader can carry, status word included.
const SHORTEST_RESPONSE: usize = 258;
/// What one step carries at most, whatever the agent announces: an EF.SOD is not longer.
const LONGEST_RESPONSE: usize = 4 * 1024;
