//! The state of one chip and what may be done with it: memory, session, power. Applets act on it,
//! [`crate::Chip`] drives it.

use std::time::Duration;

use crypto::apdu::{Command, Response, Status};
use crypto::lds::File;
use crypto::perso::Collector;
use crypto::scp03::{self, SecurityLevel};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use sha2::{Digest as _, Sha256};

use crate::access::{self, Authority, Operation};
use crate::channel::Channel;
use crate::dialogue::Dialogue;
use crate::faults::Plan;
use crate::filesystem::Application;
use crate::state::{Persistent, StateError, Store};

/// Everything a chip consists of, persistent and volatile, without the handling of APDUs.
pub(crate) struct Core {
    pub persistent: Persistent,
    pub volatile: Volatile,
    pub rng: ChaCha20Rng,
    /// How much longer than usual the next answer must take.
    pub delay: Duration,
    pub plan: Plan,
    power: Power,
    store: Store,
}

/// The part of the state that a reset or a power cut clears.
#[derive(Default)]
pub(crate) struct Volatile {
    pub application: Application,
    pub current: Option<File>,
    pub channel: Channel,
    /// Replaces `channel` once the answer is sealed: the last answer of a protocol is still under the old protection.
    pub next_channel: Option<Channel>,
    pub dialogue: Dialogue,
    /// The stream of STORE DATA, one per issuer session.
    pub loading: Collector,
    /// The links of a command chain that have come so far, as one command.
    pub chain: Option<Command>,
    /// What the hooks of a hostile profile remember.
    pub notes: Vec<u8>,
}

/// Whether the chip has power, and if not, how it comes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Power {
    /// Without power until the next reset.
    Off,
    /// With power.
    On,
    /// Without power and not on a reader: a reset does not bring it back.
    Removed,
    /// Without power, and the committed state may differ from the one held here: the next reset reads it back.
    Stale,
}

impl Core {
    /// Powers the chip that `store` holds, in its last committed state. Counts this opening, so that
    /// the random numbers differ.
    ///
    /// # Errors
    /// [`StateError`].
    pub(crate) fn open(store: Store, seed: u64) -> Result<Self, StateError> {
        let mut persistent = store.load()?;
        persistent.openings += 1;
        store.commit(&persistent, false)?;
        let mut hash = Sha256::new();
        hash.update(b"citizen card chip rng");
        hash.update(seed.to_be_bytes());
        hash.update(persistent.serial.0);
        hash.update(persistent.openings.to_be_bytes());
        Ok(Self {
            persistent,
            volatile: Volatile::default(),
            rng: ChaCha20Rng::from_seed(hash.finalize().into()),
            delay: Duration::ZERO,
            plan: Plan::default(),
            power: Power::On,
            store,
        })
    }

    /// Returns whether the access table allows `operation` now.
    ///
    /// # Errors
    /// The status to answer if it does not.
    pub(crate) fn allow(&self, operation: Operation) -> Result<(), Status> {
        access::check(operation, self.persistent.life_cycle, self.authority())
    }

    /// Returns what the terminal has proved by the session that is open.
    pub(crate) fn authority(&self) -> Authority {
        match &self.volatile.channel {
            Channel::Bearer { .. } => Authority::Bearer,
            Channel::Issuer(session) if session.level() == Some(SecurityLevel::FULL) => Authority::Issuer,
            Channel::Issuer(_) | Channel::Plain => Authority::None,
        }
    }

    /// Writes the persistent state to the store, outside any command.
    ///
    /// # Errors
    /// [`StateError`].
    pub(crate) fn keep(&self) -> Result<(), StateError> {
        self.store.commit(&self.persistent, false)
    }

    /// Writes the persistent state to the store.
    ///
    /// # Errors
    /// [`Status::MEMORY_FAILURE`] if it cannot be written; the chip then has the state of the
    /// last commit and no session.
    pub(crate) fn commit(&mut self) -> Result<(), Status> {
        let torn = self.plan.next_commit_is_torn();
        let Err(error) = self.store.commit(&self.persistent, torn) else { return Ok(()) };
        self.volatile = Volatile::default();
        self.power = Power::Stale;
        if !matches!(error, StateError::Torn) {
            tracing::error!(card.serial = %self.persistent.serial, "chip {} cannot be saved: {error}", self.persistent.serial);
            self.power = self.reload();
        }
        Err(Status::MEMORY_FAILURE)
    }

    /// Ends the session that is open, with its dialogue, its STORE DATA stream and its chain. The
    /// selected application stays.
    pub(crate) fn end_session(&mut self) {
        if !matches!(self.volatile.channel, Channel::Plain) {
            self.volatile.channel = Channel::Plain;
            self.volatile.dialogue = Dialogue::None;
        }
        self.volatile.next_channel = None;
        self.volatile.loading = Collector::new();
        self.volatile.chain = None;
    }

    /// Starts a session of the issuer domain: see [`scp03::chip`] for the order in which this must happen.
    ///
    /// # Errors
    /// [`Status::MEMORY_FAILURE`] if the spent sequence counter cannot be written.
    pub(crate) fn open_issuer_session(&mut self, request: scp03::chip::Request) -> Result<Response, Status> {
        self.persistent.sequence_counter = request.sequence_counter();
        self.commit()?;
        let (opening, response) =
            request.answer(&self.persistent.keys, &self.persistent.serial, &scp03::ISSUER_SECURITY_DOMAIN);
        self.volatile.dialogue = Dialogue::Issuer(opening);
        Ok(response)
    }

    /// Returns whether the chip has power, or why not.
    pub(crate) fn power(&self) -> Power {
        self.power
    }

    /// Clears the volatile state and gives power, unless the card was removed.
    pub(crate) fn reset(&mut self) {
        self.volatile = Volatile::default();
        self.power = match self.power {
            Power::Removed => Power::Removed,
            Power::Stale => self.reload(),
            Power::Off | Power::On => Power::On,
        };
    }

    /// Takes the power away and clears the volatile state.
    pub(crate) fn power_off(&mut self) {
        self.volatile = Volatile::default();
        if self.power == Power::On {
            self.power = Power::Off;
        }
    }

    /// Takes the card off its reader, and with it the power.
    pub(crate) fn remove(&mut self) {
        self.power_off();
        self.power = Power::Removed;
    }

    /// Puts the card on a reader, with power and the committed state.
    pub(crate) fn insert(&mut self) {
        self.power = self.reload();
        self.volatile = Volatile::default();
    }

    fn reload(&mut self) -> Power {
        match self.store.load() {
            Ok(persistent) => {
                self.persistent = persistent;
                Power::On
            }
            Err(error) => {
                tracing::error!("chip {} cannot be read back: {error}", self.persistent.serial);
                Power::Stale
            }
        }
    }
}
