//! One chip: open the channel, parse, act, seal.

use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use rand_core::Rng as _;
use sha2::{Digest as _, Sha256};

use crypto::apdu::{Command, EXTENDED_NE, Response, SHORT_NE, Status, cla};
use crypto::identity::CardSerial;
use crypto::lds::File;
use crypto::perso::{Collector, LifeCycle};
use crypto::scp03::{self, KeySet, SecurityLevel};

use crate::access::{self, Authority, Operation};
use crate::applet;
use crate::atr;
use crate::channel::{Channel, Protection};
use crate::faults::{Fault, Plan};
use crate::filesystem::Application;
use crate::profile::{Malice, Profile};
use crate::state::{Persistent, StateError, Store};

/// Version of the keys under which a manufacturer delivers chips. PUT KEY gives versions 01 to 7F only, so it never comes back.
pub const TRANSPORT_KEY_VERSION: u8 = 0xff;

/// A chip. Bytes in, bytes out; everything else is for whoever holds it in his hands.
pub struct Chip {
    pub(crate) persistent: Persistent,
    pub(crate) volatile: Volatile,
    pub(crate) rng: ChaCha20Rng,
    /// How long the next answer must wait.
    pub(crate) owed: Duration,
    store: Store,
    plan: Plan,
    commands: u64,
    power: Power,
}

/// What a reset forgets.
#[derive(Default)]
pub(crate) struct Volatile {
    pub application: Application,
    pub current: Option<File>,
    pub channel: Channel,
    /// Takes the place of `channel` once the answer is sealed: a protocol's last word is still under the old protection.
    pub next_channel: Option<Channel>,
    pub dialogue: applet::Dialogue,
    /// The stream of STORE DATA, one per issuer session.
    pub loading: Collector,
    chain: Option<Command>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Power {
    Off,
    On,
    /// Off, and not on a reader: a reset does not bring it back.
    Removed,
    /// Off, and the memory may differ from what is held here.
    Stale,
}

impl Chip {
    /// Makes a blank chip in an empty store.
    ///
    /// # Errors
    /// [`StateError::Occupied`] if there is a chip already: its history cannot be undone. [`StateError::Io`].
    pub fn blank(
        profile: Profile,
        serial: CardSerial,
        transport: KeySet,
        seed: u64,
        store: Store,
    ) -> Result<Self, StateError> {
        if !store.is_empty() {
            return Err(StateError::Occupied);
        }
        store.commit(&Persistent::blank(profile, serial, transport, TRANSPORT_KEY_VERSION), false)?;
        Self::open(store, seed)
    }

    /// Powers the chip that `store` holds, in its last committed state.
    ///
    /// Random numbers are a function of `seed`, the chip's serial and how often it was opened: two runs of the same scenario agree, a
    /// restart repeats no nonce.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(store: Store, seed: u64) -> Result<Self, StateError> {
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
            owed: Duration::ZERO,
            store,
            plan: Plan::default(),
            commands: 0,
            power: Power::On,
        })
    }

    /// Answers one command APDU with one response APDU. No bytes at all when the chip has no power, or loses it now.
    pub fn transmit(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.power != Power::On {
            return Vec::new();
        }
        self.commands += 1;
        let faults = self.plan.next_command();
        for fault in &faults {
            match fault {
                Fault::Removed => {
                    self.remove();
                    return Vec::new();
                }
                Fault::Slow(time) => self.owed += *time,
                Fault::TearBefore => {
                    self.power_off();
                    return Vec::new();
                }
                Fault::TearAfter | Fault::WrongMac => {}
            }
        }
        let mut response = self.respond(bytes);
        if self.power != Power::On {
            return Vec::new(); // a commit was torn
        }
        if faults.contains(&Fault::TearAfter) {
            self.power_off();
            return Vec::new();
        }
        if faults.contains(&Fault::WrongMac)
            && let Some(last) = response.data.last_mut()
        {
            *last ^= 1;
        }
        self.twisted(response)
    }

    /// Warm or cold reset: everything volatile is gone, the chip has power (unless it was removed). Gives the ATR.
    pub fn reset(&mut self) -> Vec<u8> {
        self.volatile = Volatile::default();
        self.power = match self.power {
            Power::Removed => Power::Removed,
            Power::Stale => self.reload(),
            Power::Off | Power::On => Power::On,
        };
        self.atr()
    }

    /// Takes the power away: everything volatile is gone, nothing is answered until the next reset.
    pub fn power_off(&mut self) {
        self.volatile = Volatile::default();
        if self.power == Power::On {
            self.power = Power::Off;
        }
    }

    /// Pulls the card from the reader; only [`Chip::insert`] brings it back.
    pub fn remove(&mut self) {
        self.power_off();
        self.power = Power::Removed;
    }

    /// Puts it on the reader, with power.
    pub fn insert(&mut self) {
        self.power = self.reload();
        self.volatile = Volatile::default();
    }

    /// Whether it has power.
    pub fn is_powered(&self) -> bool {
        self.power == Power::On
    }

    /// Whether it was pulled from its reader.
    pub fn is_removed(&self) -> bool {
        self.power == Power::Removed
    }

    /// Answer to reset.
    pub fn atr(&self) -> Vec<u8> {
        atr::answer_to_reset(&self.persistent.profile)
    }

    /// From now on fail like this. Commands and commits are counted from here.
    pub fn fail(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// Command APDUs that reached it since it was opened.
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// How long the answers given since the last call should have taken in addition (throttling, planned slowness). Whoever
    /// stands between the chip and a real reader waits that long; tests just look.
    pub fn take_delay(&mut self) -> Duration {
        std::mem::take(&mut self.owed)
    }

    /// Its name.
    pub fn serial(&self) -> CardSerial {
        self.persistent.serial
    }

    /// Where it stands.
    pub fn life_cycle(&self) -> LifeCycle {
        self.persistent.life_cycle
    }

    /// How it was made.
    pub fn profile(&self) -> &Profile {
        &self.persistent.profile
    }

    fn respond(&mut self, bytes: &[u8]) -> Response {
        let (command, extended) = match self.parse(bytes) {
            Ok(parsed) => parsed,
            Err(status) => {
                // An unreadable command is a plain one, and nobody's next step: neither a session nor a dialogue outlives it
                // (Doc 9303-11 §9.8.6).
                self.end_session();
                self.volatile.dialogue = applet::Dialogue::None;
                return status.into();
            }
        };
        let protection = Protection::of(command.cla);
        if self.volatile.channel.protection() != protection {
            self.end_session();
            // EXTERNAL AUTHENTICATE carries its MAC before there is a session; its dialogue checks it.
            let opens = protection == Protection::GlobalPlatform && self.volatile.dialogue.awaits_the_issuer();
            if protection != Protection::None && !opens {
                return Status::SECURITY_NOT_SATISFIED.into();
            }
        }
        let limit = self.longest_answer(&command, extended);
        let room = self.volatile.channel.room(limit);
        let mut channel = std::mem::take(&mut self.volatile.channel);
        let plain = match channel.open(&command) {
            Ok(plain) => plain,
            Err(status) => {
                self.end_session();
                return status.into();
            }
        };
        self.volatile.channel = channel;
        let answer = self.link(plain, room);
        let sealed = self.volatile.channel.seal(answer);
        if let Some(next) = self.volatile.next_channel.take() {
            self.volatile.channel = next;
        }
        if sealed.data.len() > limit {
            self.end_session(); // the terminal cannot count on with us
            return Status::WRONG_LENGTH.into();
        }
        sealed
    }

    /// The command, and whether it came in the extended form.
    fn parse(&self, bytes: &[u8]) -> Result<(Command, bool), Status> {
        let profile = &self.persistent.profile;
        let extended = bytes.len() >= 7 && bytes[4] == 0;
        if bytes.len() > profile.max_command || extended && !profile.extended_length {
            return Err(Status::WRONG_LENGTH);
        }
        let command = Command::parse(bytes).map_err(|_| Status::WRONG_LENGTH)?;
        match command.cla & !cla::CHAINED {
            _ if command.cla == 0xff => Err(Status::CLASS_NOT_SUPPORTED), // never a class (ISO/IEC 7816-4:2013 §5.4.1)
            0x00 | 0x0c | 0x80 | 0x84 => Ok((command, extended)),
            0x01..=0x0f | 0x40..=0x7f | 0xc0..=0xfe => Err(Status::CHANNEL_NOT_SUPPORTED),
            _ => Err(Status::CLASS_NOT_SUPPORTED),
        }
    }

    /// The most data bytes that an answer to this command may have on the wire.
    fn longest_answer(&self, command: &Command, extended: bool) -> usize {
        let most = self.persistent.profile.max_response.saturating_sub(2);
        match command.ne {
            _ if !extended => most.min(SHORT_NE),
            Some(ne) => most.min(ne.max(SHORT_NE)),
            None => most.min(EXTENDED_NE),
        }
    }

    /// Collects the links of a command chain (ISO/IEC 7816-4:2013 §5.3.3); acts when the last has come.
    fn link(&mut self, mut command: Command, room: usize) -> Response {
        // The steps of GENERAL AUTHENTICATE are chained by their class, but each is whole and gets its own answer.
        if command.ins == crypto::command::general_authenticate::INS {
            self.volatile.chain = None;
            return self.act(&command, room);
        }
        let chained = command.is_chained();
        command.cla &= !cla::CHAINED;
        match self.volatile.chain.take() {
            Some(before) if before.ins == command.ins && before.p == command.p && before.cla == command.cla => {
                command.data = [before.data, command.data].concat();
            }
            // A chain that is broken off is forgotten, and the command that broke it is served.
            _ => {}
        }
        if command.data.len() > self.persistent.profile.max_command.max(LONGEST_CHAIN) {
            return Status::WRONG_LENGTH.into();
        }
        if chained {
            self.volatile.chain = Some(command);
            return Response::success([]);
        }
        self.act(&command, room)
    }

    fn act(&mut self, command: &Command, room: usize) -> Response {
        applet::act(self, command, room).unwrap_or_else(Response::status)
    }

    /// Asks the table.
    pub(crate) fn allow(&self, operation: Operation) -> Result<(), Status> {
        access::check(operation, self.persistent.life_cycle, self.authority())
    }

    /// Who is at the other end.
    pub(crate) fn authority(&self) -> Authority {
        match &self.volatile.channel {
            Channel::Plain => Authority::Anyone,
            Channel::Bearer { .. } => Authority::Bearer,
            Channel::Issuer(session) if session.level() == Some(SecurityLevel::FULL) => Authority::Issuer,
            Channel::Issuer(_) => Authority::Anyone,
        }
    }

    /// Makes the persistent state as it stands the committed one.
    ///
    /// # Errors
    /// [`Status::MEMORY_FAILURE`], and the state is again what it was at the last commit.
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

    /// Ends whatever session or dialogue there is. The selected application stays.
    pub(crate) fn end_session(&mut self) {
        if !matches!(self.volatile.channel, Channel::Plain) {
            self.volatile.channel = Channel::Plain;
            self.volatile.dialogue = applet::Dialogue::None;
        }
        self.volatile.next_channel = None;
        self.volatile.loading = Collector::new();
        self.volatile.chain = None;
    }

    /// Starts the issuer domain's session: see [`scp03::chip`] for the order in which this must happen.
    pub(crate) fn open_issuer_session(&mut self, request: scp03::chip::Request) -> Result<Response, Status> {
        self.persistent.sequence_counter = request.sequence_counter();
        self.commit()?;
        let (opening, response) =
            request.answer(&self.persistent.keys, &self.persistent.serial, &scp03::ISSUER_SECURITY_DOMAIN);
        self.volatile.dialogue = applet::Dialogue::Issuer(opening);
        Ok(response)
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

    /// The answer on the wire, spoiled as the profile demands.
    fn twisted(&mut self, mut response: Response) -> Vec<u8> {
        match self.persistent.profile.malice {
            Malice::Garbage => {
                let mut bytes = vec![0; self.rng.next_u32() as usize % 300];
                self.rng.fill_bytes(&mut bytes);
                bytes
            }
            Malice::Truncated => {
                let bytes = response.to_bytes();
                bytes[..bytes.len() / 2].to_vec()
            }
            Malice::WrongMacs if self.volatile.channel.protection() != Protection::None => {
                if let Some(last) = response.data.last_mut() {
                    *last ^= 0x80;
                }
                response.to_bytes()
            }
            Malice::EmptyReads | Malice::None | Malice::OneByteReads | Malice::WrongMacs => response.to_bytes(),
        }
    }
}

/// Shows what is on the outside.
impl std::fmt::Debug for Chip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chip({:?}, {:?})", self.persistent, self.power)
    }
}

/// A chain may grow to this many bytes even where single commands may not.
const LONGEST_CHAIN: usize = 4_096;
