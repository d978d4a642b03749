//! The line to the chip: in the clear first, under secure messaging later.

use crate::{
    apdu::{Command, Response},
    conversation::{CardTransport, Conversation, Fault, Turn},
    sm,
    suite::Cipher,
};

/// A secure channel as a card over a card. Unlike [`crate::conversation::converse`] it tells apart the two ways to fail: the transport
/// ([`Card::Error`], there is no going on) and the chip ([`Fault`], which is evidence).
pub struct SecureLine<'a, T: CardTransport> {
    card: &'a mut T,
    channel: Option<sm::Terminal>,
    commands: usize,
}

impl<'a, T: CardTransport> SecureLine<'a, T> {
    /// In the clear.
    pub fn new(card: &'a mut T) -> Self {
        Self { card, channel: None, commands: 0 }
    }

    /// From now on under this channel, which replaces an earlier one.
    pub fn protect(&mut self, channel: sm::Terminal) {
        self.channel = Some(channel);
    }

    /// Cipher of the channel, if there is one.
    pub fn cipher(&self) -> Option<Cipher> {
        self.channel.as_ref().map(sm::Terminal::cipher)
    }

    /// Commands that travelled.
    pub fn commands(&self) -> usize {
        self.commands
    }

    /// One command and its answer. The outer error is the transport's, the inner one the channel's; after that the channel is dead.
    ///
    /// # Errors
    /// The transport's.
    pub fn exchange(&mut self, command: &Command) -> Result<Result<Response, Fault>, T::Error> {
        let Some(channel) = &mut self.channel else {
            self.commands += 1;
            return self.card.transmit(command).map(Ok);
        };
        let sealed = match channel.seal(command) {
            Ok(sealed) => sealed,
            Err(fault) => return Ok(Err(fault)),
        };
        self.commands += 1;
        let answer = self.card.transmit(&sealed)?;
        Ok(channel.open(&answer))
    }

    /// Holds a whole dialogue over this line.
    ///
    /// # Errors
    /// The transport's; the inner one is the dialogue's.
    pub fn hold<C: Conversation>(&mut self, talk: C) -> Result<Result<C::Output, Fault>, T::Error> {
        let mut turn = talk.open();
        loop {
            turn = match turn {
                Ok(Turn::Ask(talk, command)) => match self.exchange(&command)? {
                    Ok(answer) => talk.hear(answer),
                    Err(fault) => return Ok(Err(fault)),
                },
                Ok(Turn::Done(output)) => return Ok(Ok(output)),
                Err(fault) => return Ok(Err(fault)),
            };
        }
    }
}
