//! The agent's side: opens the chip with the CAN, reads what the service needs to begin, then carries blindly.

use rand_core::CryptoRng;

use super::Files;
use super::protocol::Under;
use super::read_file::ReadFile;
use crate::apdu::{Command, Response, SHORT_NE, Status, cla};
use crate::command::read_binary::ReadBinary;
use crate::command::select::{self, Select};
use crate::command::{general_authenticate, mse};
use crate::conversation::{CardTransport, Fault};
use crate::identity::Can;
use crate::inspection::{LineError, SecureLine, most_plaintext};
use crate::lds::{AtrInfo, CardAccess, DataGroup, File};
use crate::pace;

/// The relay between a chip and the service. It holds the channel of PACE until the service has one of its own, and no
/// key of that.
pub struct Relay<'a, T: CardTransport> {
    line: SecureLine<'a, T>,
    /// True while the channel of PACE is open.
    own: bool,
}

impl<'a, T: CardTransport> Relay<'a, T> {
    /// A relay without a channel.
    pub(super) fn bare(card: &'a mut T) -> Self {
        Self { line: SecureLine::new(card), own: false }
    }

    /// Opens the chip with the CAN and reads what the service needs. The master file is selected, as after a reset.
    ///
    /// # Errors
    /// [`LineError::Chip`]; [`Fault::WrongPassword`] in it for a wrong CAN. [`LineError::Transport`] without a card.
    pub fn open(
        card: &'a mut T,
        can: Can,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<(Self, Files), LineError<T::Error>> {
        let mut relay = Self::bare(card);
        let mut longest_response = relay.longest_response()?;
        let card_access = relay.file(File::CardAccess, &mut longest_response)?;
        let unfit = |_| Fault::Misbehaved("EF.CardAccess cannot be read");
        let choice = pace::choose(&CardAccess::parse(&card_access).map_err(unfit)?.0)?;
        let random = pace::terminal::Random::generate(choice.suite.curve, rng);
        let talk = pace::terminal::Pace::new(choice, pace::Password::from(can), random)?;
        let opened = relay.line.hold(talk).map_err(LineError::Transport)??;
        relay.line.protect(opened.channel);
        relay.own = true;
        relay.exchange(&Select::lds1().into())?.accepted(select::INS)?;
        let sod = relay.file(File::Sod, &mut longest_response)?;
        let dg14 = relay.file(File::DataGroup(DataGroup::DG14), &mut longest_response)?;
        Ok((relay, Files { card_access, sod, dg14, longest_response }))
    }

    /// Carries one command of the service to the chip, and returns the answer.
    ///
    /// # Errors
    /// [`LineError::Chip`], also for a command that no log-in has: a service that asks for it is none of this kind.
    pub fn carry(&mut self, under: Under, command: &Command) -> Result<Response, LineError<T::Error>> {
        match under {
            Under::Agent if self.own && PROOF.contains(&command.ins) && command.cla & cla::SECURE == 0 => {
                self.exchange(command)
            }
            Under::Chip if command.cla == cla::SECURE => {
                // The chip left the channel of PACE when it took the key of the service.
                if std::mem::replace(&mut self.own, false) {
                    self.line.unprotect();
                }
                self.exchange(command)
            }
            Under::Agent | Under::Chip => {
                Err(Fault::Unsupported("the service asks for a command that no log-in has").into())
            }
        }
    }

    fn exchange(&mut self, command: &Command) -> Result<Response, LineError<T::Error>> {
        Ok(self.line.exchange(command).map_err(LineError::Transport)??)
    }

    /// Reads how long a response may be; a chip that does not say it gives short ones.
    fn longest_response(&mut self) -> Result<usize, LineError<T::Error>> {
        let read = ReadBinary::of(File::AtrInfo.short_id(), SHORT_NE);
        let answer = self.exchange(&read.into())?;
        let said = matches!(answer.status, Status::SUCCESS | Status::END_OF_FILE).then(|| AtrInfo::parse(&answer.data));
        Ok(match said {
            Some(Ok(Some(info))) => info.max_response.max(AtrInfo::SHORT.max_response),
            _ => AtrInfo::SHORT.max_response,
        })
    }

    /// Reads a file; a chip that announces longer responses than it gives is read in short ones from then on.
    fn file(&mut self, file: File, longest: &mut usize) -> Result<Vec<u8>, LineError<T::Error>> {
        let most = most_plaintext(self.line.cipher(), *longest);
        let read = self.line.hold(ReadFile::new(file, most)).map_err(LineError::Transport)?;
        match read {
            Err(Fault::Refused { status: Status::WRONG_LENGTH, .. }) if *longest > AtrInfo::SHORT.max_response => {
                *longest = AtrInfo::SHORT.max_response;
                let most = most_plaintext(self.line.cipher(), *longest);
                Ok(self.line.hold(ReadFile::new(file, most)).map_err(LineError::Transport)??)
            }
            read => Ok(read?),
        }
    }
}

/// The commands of chip authentication.
const PROOF: [u8; 2] = [mse::INS, general_authenticate::INS];
