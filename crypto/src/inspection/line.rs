//! Connection to the chip during a reading: in the clear first, under secure messaging later.

use crate::apdu::{Command, Response};
use crate::conversation::{CardTransport, Conversation, Fault, converse};
use crate::sm;
use crate::suite::Cipher;

/// A card over a card: sends commands in the clear until [`Self::protect`], then under the channel. Its errors tell
/// apart the transport, after which nothing can be read, and the chip, whose faults are evidence.
pub struct SecureLine<'a, T: CardTransport> {
    card: &'a mut T,
    channel: Option<sm::Terminal>,
    commands: usize,
    ended: Option<Fault>,
}

impl<'a, T: CardTransport> SecureLine<'a, T> {
    /// Returns a line in the clear.
    pub fn new(card: &'a mut T) -> Self {
        Self { card, channel: None, commands: 0, ended: None }
    }

    /// Protects all further commands with this channel, which replaces an earlier one.
    pub fn protect(&mut self, channel: sm::Terminal) {
        self.channel = Some(channel);
        self.ended = None;
    }

    /// Sends all further commands as they are: the channel from here ended, and what is carried is protected by another
    /// end.
    pub fn unprotect(&mut self) {
        self.channel = None;
        self.ended = None;
    }

    /// Returns the fault that ended the channel, if it has ended: no command can reach the chip any more.
    pub fn ended(&self) -> Option<&Fault> {
        self.ended.as_ref()
    }

    /// Returns the cipher of the channel, if there is one.
    pub fn cipher(&self) -> Option<Cipher> {
        self.channel.as_ref().map(sm::Terminal::cipher)
    }

    /// Returns the number of commands sent.
    pub fn commands(&self) -> usize {
        self.commands
    }

    /// Sends one command, sealed if there is a channel, and returns its answer. The outer error is the transport's, the
    /// inner one the channel's; after that the channel is dead.
    ///
    /// # Errors
    /// The transport's error.
    pub fn exchange(&mut self, command: &Command) -> Result<Result<Response, Fault>, T::Error> {
        LineError::split(self.transmit(command))
    }

    /// Holds a whole dialogue over this line.
    ///
    /// # Errors
    /// The transport's error; the inner one is the dialogue's.
    pub fn hold<C: Conversation>(&mut self, talk: C) -> Result<Result<C::Output, Fault>, T::Error> {
        LineError::split(converse(self, talk))
    }
}

impl<T: CardTransport> CardTransport for SecureLine<'_, T> {
    type Error = LineError<T::Error>;

    fn transmit(&mut self, command: &Command) -> Result<Response, Self::Error> {
        let Some(channel) = &mut self.channel else {
            self.commands += 1;
            return self.card.transmit(command).map_err(LineError::Transport);
        };
        let sealed = channel.seal(command)?;
        self.commands += 1;
        let answer = self.card.transmit(&sealed).map_err(LineError::Transport)?;
        let opened = channel.open(&answer);
        if let Err(fault) = &opened {
            self.ended = Some(fault.clone());
        }
        Ok(opened?)
    }
}

/// Error of a command over a [`SecureLine`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LineError<E> {
    /// The chip, the channel to it or the dialogue with it: evidence, and reading goes on.
    Chip(Fault),
    /// The transport below: reading cannot go on.
    Transport(E),
}

impl<E> LineError<E> {
    fn split<T>(result: Result<T, Self>) -> Result<Result<T, Fault>, E> {
        match result {
            Ok(output) => Ok(Ok(output)),
            Err(Self::Chip(fault)) => Ok(Err(fault)),
            Err(Self::Transport(error)) => Err(error),
        }
    }
}

impl<E> From<Fault> for LineError<E> {
    fn from(fault: Fault) -> Self {
        Self::Chip(fault)
    }
}
