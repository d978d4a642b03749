//! A chip as a card transport without a reader, for tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crypto::apdu::{Command, Response};
use crypto::conversation::{CardTransport, Fault};
use thiserror::Error;

use crate::chip::Chip;

/// A chip that is spoken to by function calls. A clone is another handle on the same chip, for example
/// to pull it during a read.
#[derive(Clone, Debug)]
pub struct InProcess {
    chip: Arc<Mutex<Chip>>,
}

impl InProcess {
    /// Makes the first handle on `chip`.
    pub fn new(chip: Chip) -> Self {
        Self { chip: Arc::new(Mutex::new(chip)) }
    }

    /// Returns the chip itself, locked: to reset, remove or insert it, to plan faults, to count commands.
    pub fn chip(&self) -> MutexGuard<'_, Chip> {
        self.chip.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many command APDUs reached the chip since it was opened.
    pub fn commands(&self) -> u64 {
        self.chip().commands()
    }

    /// Returns the chip if this is the last handle on it.
    pub fn into_chip(self) -> Option<Chip> {
        Some(Arc::try_unwrap(self.chip).ok()?.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl CardTransport for InProcess {
    type Error = InProcessError;

    fn transmit(&mut self, command: &Command) -> Result<Response, Self::Error> {
        let answer = self.chip().transmit(&command.to_bytes());
        Response::parse(&answer).map_err(|_| InProcessError::Gone)
    }
}

/// Why a conversation with a chip in process failed.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum InProcessError {
    /// The chip answered something that the protocol does not allow, or refused.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The chip gave no answer: it was pulled, or its power failed.
    #[error("the chip is gone")]
    Gone,
}
