//! The same chip without a reader: for tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use crypto::apdu::{Command, Response};
use crypto::conversation::{CardTransport, Fault};

use crate::chip::Chip;

/// A chip on a reader made of nothing. A clone is another handle on the same chip: one to read with, one to pull it.
#[derive(Clone, Debug)]
pub struct InProcess {
    chip: Arc<Mutex<Chip>>,
}

impl InProcess {
    /// Puts the chip on it.
    pub fn new(chip: Chip) -> Self {
        Self { chip: Arc::new(Mutex::new(chip)) }
    }

    /// The chip itself: to reset, remove or insert it, to plan faults, to count commands.
    pub fn chip(&self) -> MutexGuard<'_, Chip> {
        self.chip.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Command APDUs that reached the chip since it was opened.
    pub fn commands(&self) -> u64 {
        self.chip().commands()
    }

    /// The chip again, if this is the last handle.
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

/// How a conversation with a chip in process fails.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum InProcessError {
    /// The dialogue failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The chip gave no answer: pulled, or its power failed.
    #[error("the chip is gone")]
    Gone,
}
