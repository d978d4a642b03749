//! One chip, driven by APDUs: parse, open the channel, act, seal.

use std::time::Duration;

use crypto::apdu::{Command, EXTENDED_NE, Response, SHORT_NE, Status, cla};
use crypto::identity::CardSerial;
use crypto::perso::LifeCycle;
use crypto::scp03::KeySet;

use crate::channel::Protection;
use crate::core::{Core, Power};
use crate::dialogue::Dialogue;
use crate::faults::{Fault, Plan};
use crate::hostile::{Malice, Scene};
use crate::profile::Profile;
use crate::state::{Persistent, StateError, Store};
use crate::{applet, atr};

/// Version of the transport keys under which a manufacturer delivers chips. PUT KEY sets versions 01 to 7F
/// only, so no later key has it.
pub const TRANSPORT_KEY_VERSION: u8 = 0xff;

/// A chip: bytes of command APDUs in, bytes of response APDUs out. The other methods are for the test
/// bench: power, removal, faults.
pub struct Chip {
    core: Core,
    commands: u64,
}

impl Chip {
    /// Makes a blank chip in an empty store.
    ///
    /// # Errors
    /// [`StateError::Occupied`] if the store holds a chip already, [`StateError::Io`] if it cannot be written.
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

    /// Makes the chip misbehave from now on, and in every later life.
    ///
    /// # Errors
    /// [`StateError`] if that cannot be stored.
    pub(crate) fn misbehaves(&mut self, malice: Malice) -> Result<(), StateError> {
        self.core.persistent.profile.malice = malice;
        self.core.keep()
    }

    /// Powers the chip that `store` holds, in its last committed state.
    ///
    /// Random numbers are a function of `seed`, the chip's serial and how often it was opened: two runs of the same
    /// scenario agree, a restart repeats no nonce.
    ///
    /// # Errors
    /// [`StateError`] if the state cannot be read, or the number of openings not written.
    pub fn open(store: Store, seed: u64) -> Result<Self, StateError> {
        Ok(Self { core: Core::open(store, seed)?, commands: 0 })
    }

    /// Answers one command APDU with one response APDU. Returns no bytes at all when the chip has
    /// no power, or loses it now.
    pub fn transmit(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.core.power() != Power::On {
            return Vec::new();
        }
        self.commands += 1;
        let faults = self.core.plan.next_command();
        for fault in &faults {
            match fault {
                Fault::Removed => {
                    self.remove();
                    return Vec::new();
                }
                Fault::Slow(time) => self.core.delay += *time,
                Fault::TearBefore => {
                    self.power_off();
                    return Vec::new();
                }
                Fault::Empty | Fault::TearAfter | Fault::WrongMac => {}
            }
        }
        let malice = self.core.persistent.profile.malice;
        if let Some(answer) = malice.before(&mut self.scene(), bytes) {
            return answer;
        }
        let mut response = self.respond(bytes);
        if self.core.power() != Power::On {
            return Vec::new(); // a commit was torn
        }
        if faults.contains(&Fault::TearAfter) {
            self.power_off();
            return Vec::new();
        }
        if faults.contains(&Fault::Empty) {
            return Vec::new();
        }
        if faults.contains(&Fault::WrongMac)
            && let Some(last) = response.data.last_mut()
        {
            *last ^= 1;
        }
        malice.wire(&mut self.scene(), response.to_bytes())
    }

    /// Warm or cold reset: clears the volatile state and gives power (unless the card was removed). Returns the ATR.
    pub fn reset(&mut self) -> Vec<u8> {
        self.core.reset();
        self.atr()
    }

    /// Takes the power away: clears the volatile state, answers nothing until the next reset.
    pub fn power_off(&mut self) {
        self.core.power_off();
    }

    /// Pulls the card from the reader; only [`Chip::insert`] brings it back.
    pub fn remove(&mut self) {
        self.core.remove();
    }

    /// Puts the card on the reader, with power.
    pub fn insert(&mut self) {
        self.core.insert();
    }

    /// Returns whether the chip has power.
    pub fn is_powered(&self) -> bool {
        self.core.power() == Power::On
    }

    /// Returns whether the card was pulled from its reader.
    pub fn is_removed(&self) -> bool {
        self.core.power() == Power::Removed
    }

    /// Returns the answer to reset.
    pub fn atr(&self) -> Vec<u8> {
        atr::answer_to_reset(&self.core.persistent.profile)
    }

    /// Installs a plan of faults. It counts commands and commits from now on.
    pub fn fail(&mut self, plan: Plan) {
        self.core.plan = plan;
    }

    /// Returns how many command APDUs reached the chip since it was opened.
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// Returns how much longer than usual the answers given since the last call should have taken (throttling, planned
    /// slowness). [`crate::slot`] waits that long before it answers the reader; tests only compare.
    pub fn take_delay(&mut self) -> Duration {
        std::mem::take(&mut self.core.delay)
    }

    /// Returns the serial of the chip.
    pub fn serial(&self) -> CardSerial {
        self.core.persistent.serial
    }

    /// Returns the life cycle state.
    pub fn life_cycle(&self) -> LifeCycle {
        self.core.persistent.life_cycle
    }

    /// Returns the profile with which the chip was made.
    pub fn profile(&self) -> &Profile {
        &self.core.persistent.profile
    }

    /// Serves the bytes of one command. Returns the answer, sealed if there is a session.
    fn respond(&mut self, bytes: &[u8]) -> Response {
        let (command, extended) = match self.parse(bytes) {
            Ok(parsed) => parsed,
            Err(status) => {
                // A command that cannot be parsed counts as a plain one that belongs to no dialogue: it ends the
                // session and the dialogue (Doc 9303-11 (8th ed.) §9.8.6).
                self.core.end_session();
                self.core.volatile.dialogue = Dialogue::None;
                return status.into();
            }
        };
        let protection = Protection::of(command.cla);
        if self.core.volatile.channel.protection() != protection {
            self.core.end_session();
            // EXTERNAL AUTHENTICATE of SCP03 carries a MAC before the session exists; the dialogue checks it.
            let opens = protection == Protection::GlobalPlatform
                && self.core.volatile.dialogue.awaits_from_the_issuer(command.ins);
            if protection != Protection::None && !opens {
                self.core.volatile.dialogue = Dialogue::None;
                return Status::SECURITY_NOT_SATISFIED.into();
            }
        }
        let limit = self.longest_answer(&command, extended);
        let room = self.core.volatile.channel.room(limit);
        let mut channel = std::mem::take(&mut self.core.volatile.channel);
        let plain = match channel.open(&command) {
            Ok(plain) => plain,
            Err(status) => {
                self.core.end_session();
                return status.into();
            }
        };
        self.core.volatile.channel = channel;
        let answer = self.link(plain, room);
        let sealed = self.core.volatile.channel.seal(answer);
        if let Some(next) = self.core.volatile.next_channel.take() {
            self.core.volatile.channel = next;
        }
        if sealed.data.len() > limit {
            self.core.end_session(); // our counter went on, the terminal will not hear of it
            return Status::WRONG_LENGTH.into();
        }
        sealed
    }

    /// Returns the command, and whether it came in the extended form.
    ///
    /// # Errors
    /// The status to answer to bytes that are no command, or none for this chip.
    fn parse(&self, bytes: &[u8]) -> Result<(Command, bool), Status> {
        let profile = &self.core.persistent.profile;
        let extended = bytes.len() >= 7 && bytes[4] == 0;
        if bytes.len() > profile.max_command || extended && !profile.extended_length {
            return Err(Status::WRONG_LENGTH);
        }
        let command = Command::parse(bytes).map_err(|_| Status::WRONG_LENGTH)?;
        match command.cla & !cla::CHAINED {
            _ if command.cla == 0xff => Err(Status::CLASS_NOT_SUPPORTED), // never a class (ISO/IEC 7816-4:2013 §5.4.1)
            0x00 | 0x0c | 0x80 | 0x84 => Ok((command, extended)),
            0x04 | 0x08 | 0x88 | 0x8c => Err(Status::SECURE_MESSAGING_NOT_SUPPORTED),
            0x01..=0x0f | 0x40..=0x7f | 0x81..=0x8f | 0xc0..=0xfe => Err(Status::CHANNEL_NOT_SUPPORTED),
            _ => Err(Status::CLASS_NOT_SUPPORTED),
        }
    }

    /// Returns how many data bytes the answer to this command may have on the wire.
    fn longest_answer(&self, command: &Command, extended: bool) -> usize {
        let most = self.core.persistent.profile.max_response.saturating_sub(2);
        match command.ne {
            _ if !extended => most.min(SHORT_NE),
            Some(ne) => most.min(ne.max(SHORT_NE)),
            None => most.min(EXTENDED_NE),
        }
    }

    /// Collects the links of a command chain (ISO/IEC 7816-4:2013 §5.3.3) and serves the
    /// command when the last has come.
    fn link(&mut self, mut command: Command, room: usize) -> Response {
        // The class bytes of GENERAL AUTHENTICATE chain the steps of a protocol, but each step is a whole
        // command with its answer.
        if command.ins == crypto::command::general_authenticate::INS {
            self.core.volatile.chain = None;
            return self.act(&command, room);
        }
        let chained = command.is_chained();
        command.cla &= !cla::CHAINED;
        match self.core.volatile.chain.take() {
            Some(before) if before.ins == command.ins && before.p == command.p && before.cla == command.cla => {
                command.data = [before.data, command.data].concat();
            }
            // A chain that another command interrupts is dropped; the other command is served.
            _ => {}
        }
        if command.data.len() > self.core.persistent.profile.max_command.max(LONGEST_CHAIN) {
            return Status::WRONG_LENGTH.into();
        }
        if chained {
            if !self.core.volatile.dialogue.awaits(command.ins) {
                self.core.volatile.dialogue = Dialogue::None;
            }
            self.core.volatile.chain = Some(command);
            return Response::success([]);
        }
        self.act(&command, room)
    }

    /// Serves a plain command that is complete.
    fn act(&mut self, command: &Command, room: usize) -> Response {
        let mut response = applet::act(&mut self.core, command, room).unwrap_or_else(Response::status);
        self.core.persistent.profile.malice.plain(&mut self.scene(), command, &mut response);
        response
    }

    /// Returns what a hook of the chip's profile may see and change.
    fn scene(&mut self) -> Scene<'_> {
        let core = &mut self.core;
        Scene {
            command: self.commands,
            protected: core.volatile.channel.protection() != Protection::None,
            file: core.volatile.current,
            rng: &mut core.rng,
            delay: &mut core.delay,
            notes: &mut core.volatile.notes,
        }
    }
}

/// Shows serial, life cycle, sequence counter and power.
impl std::fmt::Debug for Chip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chip({:?}, {:?})", self.core.persistent, self.core.power())
    }
}

/// Bytes that the data of a chain may have even where a single command may be no longer than this.
const LONGEST_CHAIN: usize = 4_096;

#[cfg(test)]
mod tests {
    use crypto::apdu::Response;
    use crypto::scp03::MasterKey;

    use super::*;
    use crate::hostile::Hostile;

    /// Ignores every second command, notes each served one in a plain answer's place, and announces on the wire.
    static EVERY_HOOK: Hostile = Hostile {
        name: "every-hook",
        summary: "For this test.",
        before: Some(|scene, bytes| {
            *scene.delay += Duration::from_millis(7);
            (scene.command % 2 == 0).then(|| bytes.to_vec())
        }),
        plain: Some(|scene, command, response| {
            scene.notes.push(command.ins);
            *response = Response::success(scene.notes.clone());
        }),
        wire: Some(|scene, bytes| [&[u8::from(scene.protected)], &bytes[..]].concat()),
    };

    #[test]
    fn hooks_are_called_before_a_command_on_its_plain_answer_and_on_the_wire() {
        let serial = crate::manufacture::serial(1, 0);
        let keys = MasterKey::from_bytes(&[1; 16]).expect("a key").diversify(&serial, TRANSPORT_KEY_VERSION);
        let mut chip = Chip::blank(Profile::default(), serial, keys, 1, Store::memory()).expect("an empty store");
        chip.core.persistent.profile.malice = Malice::of(&EVERY_HOOK);
        let mut say = |command: &[u8]| hex::encode(chip.transmit(command));
        assert_eq!(say(&[0, 0xa4, 0, 0x0c]), "00a49000");
        assert_eq!(say(&[0, 0xa4, 0, 0x0c]), "00a4000c", "answered in the chip's place");
        assert_eq!(say(&[0, 0xb0, 0, 0, 0]), "00a4b09000", "notes last");
        assert_eq!(say(&[1]), "01");
        assert_eq!(say(&[1]), "006700", "what is no command has no plain answer");
        assert_eq!(chip.take_delay(), Duration::from_millis(35));
        chip.reset();
        assert_eq!(hex::encode(chip.transmit(&[0])), "00");
        assert_eq!(hex::encode(chip.transmit(&[0, 0xa4, 0, 0x0c])), "00a49000", "a reset clears the notes");
    }
}
