//! The service's side: composes an order from a presentation, and keeps what is needed to verify the receipt.

use std::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::order::octets;
use super::{LifeCycle, Order, Package, Presentation, Purpose, tag};
use crate::apdu::{Command, EXTENDED_NE, Response};
use crate::command::generate_key_pair::{GenerateKeyPair, KeyUse};
use crate::command::get_data::GetData;
use crate::command::put_key::PutKey;
use crate::command::select::Select;
use crate::command::set_status::SetStatus;
use crate::command::store_data::StoreData;
use crate::identity::CardSerial;
use crate::scp03::terminal::{Prediction, Session};
use crate::scp03::{self, ISSUER_SECURITY_DOMAIN, KeySet, LAST_SEQUENCE_COUNTER, SecurityLevel};
use crate::suite::ec::Curve;

/// An order with the data that the service keeps of it: [`Script::order`] goes to the station, [`Script::to_record`]
/// into the store, [`Script::verify`] judges what comes back.
///
/// Composing twice for one presentation gives two scripts of which the chip plays one at most: they
/// need the same counter value.
pub struct Script {
    pub(super) record: Record,
}

/// The stored part of a [`Script`]. It holds no key: with the chip's static keys, which the service derives again, it
/// is enough to compute the session again. The commands are the sealed ones, as the station sees them.
#[derive(Clone, Deserialize, Serialize)]
pub struct Record {
    pub(super) purpose: Purpose,
    pub(super) serial: CardSerial,
    /// The key set that opens the session: at intake the one that is replaced.
    pub(super) key_version: u8,
    /// The counter that the chip will answer.
    pub(super) sequence_counter: u32,
    #[serde(with = "hex")]
    pub(super) host_challenge: [u8; 8],
    pub(super) expected: Expected,
    #[serde(with = "octets")]
    pub(super) commands: Vec<Vec<u8>>,
}

impl Record {
    /// Returns the purpose.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Returns the serial of the chip.
    pub fn serial(&self) -> CardSerial {
        self.serial
    }

    /// Returns the version of the keys that [`Script::verify`] needs: those that open the session, at intake
    /// the ones that it replaces.
    pub fn key_version(&self) -> u8 {
        self.key_version
    }

    /// Returns the version of the keys that the order puts on the chip; none if it puts none.
    pub fn new_key_version(&self) -> Option<u8> {
        match &self.expected {
            Expected::Intake { confirmation, .. } => confirmation.first().copied(),
            Expected::Personalized { .. } | Expected::Report | Expected::Locked | Expected::Terminated => None,
        }
    }

    /// Returns the sequence counter of its session. A chip that announces this value or more has played the order,
    /// or can no longer play it.
    pub fn sequence_counter(&self) -> u32 {
        self.sequence_counter
    }
}

/// Shows purpose, chip and number of commands.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { purpose, serial, sequence_counter, commands, .. } = self;
        write!(f, "Record({purpose} {serial}, counter {sequence_counter}, {} commands)", commands.len())
    }
}

/// What a genuine receipt must show.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Expected {
    /// Curves by their number among the standardized domain parameters.
    Intake {
        /// Expected answer to PUT KEY; empty if there is none.
        #[serde(with = "hex")]
        confirmation: Vec<u8>,
        active_auth: u8,
        chip_auth: u8,
    },
    Personalized {
        #[serde(with = "hex")]
        digest: [u8; 32],
    },
    Report,
    Locked,
    Terminated,
}

/// One command of a script, by name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScriptStep {
    /// SELECT of the issuer security domain.
    Select,
    /// INITIALIZE UPDATE.
    InitializeUpdate,
    /// EXTERNAL AUTHENTICATE.
    ExternalAuthenticate,
    /// PUT KEY.
    PutKey,
    /// GENERATE ASYMMETRIC KEY PAIR.
    GenerateKeyPair(KeyUse),
    /// STORE DATA, by number from 0.
    StoreData(usize),
    /// SET STATUS.
    SetStatus(LifeCycle),
    /// GET DATA of the report.
    Report,
}

impl fmt::Display for ScriptStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Select => f.write_str("SELECT"),
            Self::InitializeUpdate => f.write_str("INITIALIZE UPDATE"),
            Self::ExternalAuthenticate => f.write_str("EXTERNAL AUTHENTICATE"),
            Self::PutKey => f.write_str("PUT KEY"),
            Self::GenerateKeyPair(KeyUse::ActiveAuthentication) => {
                f.write_str("GENERATE KEY PAIR (active authentication)")
            }
            Self::GenerateKeyPair(KeyUse::ChipAuthentication) => f.write_str("GENERATE KEY PAIR (chip authentication)"),
            Self::StoreData(block) => write!(f, "STORE DATA {block}"),
            Self::SetStatus(state) => write!(f, "SET STATUS {state}"),
            Self::Report => f.write_str("GET DATA report"),
        }
    }
}

impl Script {
    /// Composes the intake of a blank chip: new keys, two key pairs generated on the chip, report.
    ///
    /// `current` are the keys with the version that the presentation names: transport keys, or, after a cut,
    /// the new ones already. `new` are the issuer keys and their version; `None` if the chip has them already.
    /// **The caller decides from its own ledger which keys a chip may be opened with**: the new keys travel
    /// under the current Key-DEK, so an attacker who knows the transport keys and records this order learns the
    /// issuer keys of this one chip.
    ///
    /// # Errors
    /// [`ScriptError`].
    pub fn intake(
        current: &KeySet,
        presentation: &Presentation,
        new: Option<(&KeySet, u8)>,
        chip_auth: Curve,
        active_auth: Curve,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, ScriptError> {
        let mut talk = Composer::begin(current, presentation, Purpose::Intake, &[LifeCycle::Blank], rng)?;
        for curve in [chip_auth, active_auth] {
            talk.room_for_answer(20 + 2 * curve.field_len())?;
        }
        talk.room_for_answer(70 + 2 * (chip_auth.field_len() + active_auth.field_len()))?;
        let mut confirmation = Vec::new();
        if let Some((new, new_version)) = new {
            let put_key = PutKey::new(current, presentation.key_version, new, new_version);
            confirmation = put_key.confirmation();
            talk.ask(put_key);
        }
        talk.ask(GenerateKeyPair { key_use: KeyUse::ActiveAuthentication, curve: active_auth });
        talk.ask(GenerateKeyPair { key_use: KeyUse::ChipAuthentication, curve: chip_auth });
        talk.ask(SetStatus { life_cycle: LifeCycle::Initialised });
        talk.report();
        let (active_auth, chip_auth) = (active_auth.parameter_id(), chip_auth.parameter_id());
        Ok(talk.finish(Expected::Intake { confirmation, active_auth, chip_auth }))
    }

    /// Composes the writing of a package to an initialised chip, its closing, and its report. After a power cut the
    /// next order writes everything again; nothing can be written after SET STATUS.
    ///
    /// # Errors
    /// [`ScriptError`].
    pub fn personalize(
        keys: &KeySet,
        presentation: &Presentation,
        package: &Package,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, ScriptError> {
        let mut talk = Composer::begin(keys, presentation, Purpose::Personalize, &[LifeCycle::Initialised], rng)?;
        let stream = package.stream();
        let mut blocks = stream.chunks(talk.largest_plaintext).enumerate().peekable();
        while let Some((number, block)) = blocks.next() {
            let last = blocks.peek().is_none();
            let [.., number] = number.to_be_bytes(); // the number wraps, see `StoreData`
            talk.ask(StoreData { last, block: number, data: block.to_vec() });
        }
        talk.ask(SetStatus { life_cycle: LifeCycle::Personalized });
        talk.report();
        Ok(talk.finish(Expected::Personalized { digest: package.digest() }))
    }

    /// Composes the request for a chip's report, for example when the receipt of its intake or
    /// personalization was lost.
    ///
    /// # Errors
    /// [`ScriptError`].
    pub fn report(
        keys: &KeySet,
        presentation: &Presentation,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, ScriptError> {
        use LifeCycle::{Blank, Initialised, Locked, Personalized};
        let from = [Blank, Initialised, Personalized, Locked];
        let mut talk = Composer::begin(keys, presentation, Purpose::Report, &from, rng)?;
        talk.report();
        Ok(talk.finish(Expected::Report))
    }

    /// Composes the locking or termination of a chip ([`LifeCycle::Locked`], [`LifeCycle::Terminated`]). A locked chip
    /// reports; a terminated one answers no more, so that its last answer is the proof.
    ///
    /// # Errors
    /// [`ScriptError`]; [`ScriptError::LifeCycle`] for any other state to go to.
    pub fn set_status(
        keys: &KeySet,
        presentation: &Presentation,
        life_cycle: LifeCycle,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, ScriptError> {
        let (purpose, expected) = match life_cycle {
            LifeCycle::Locked => (Purpose::Lock, Expected::Locked),
            LifeCycle::Terminated => (Purpose::Terminate, Expected::Terminated),
            _ => return Err(ScriptError::LifeCycle { stands: presentation.life_cycle }),
        };
        let from: Vec<_> = LifeCycle::ALL.into_iter().filter(|state| state.may_become(life_cycle)).collect();
        let mut talk = Composer::begin(keys, presentation, purpose, &from, rng)?;
        talk.ask(SetStatus { life_cycle });
        if life_cycle == LifeCycle::Locked {
            talk.report();
        }
        Ok(talk.finish(expected))
    }

    /// Returns the order for the station, with this identifier.
    pub fn order(&self, id: impl Into<String>) -> Order {
        let Record { purpose, serial, commands, .. } = &self.record;
        Order { id: id.into(), purpose: *purpose, serial: *serial, commands: commands.clone() }
    }

    /// Returns the record to be stored.
    pub fn to_record(&self) -> Record {
        self.record.clone()
    }

    /// Restores a script from its record.
    pub fn from_record(record: Record) -> Self {
        Self { record }
    }

    /// Returns the commands by name, in their order.
    pub fn steps(&self) -> Vec<ScriptStep> {
        use LifeCycle::{Initialised, Locked, Personalized, Terminated};
        let mut steps = vec![ScriptStep::Select, ScriptStep::InitializeUpdate, ScriptStep::ExternalAuthenticate];
        match &self.record.expected {
            Expected::Intake { confirmation, .. } => {
                if !confirmation.is_empty() {
                    steps.push(ScriptStep::PutKey);
                }
                steps.push(ScriptStep::GenerateKeyPair(KeyUse::ActiveAuthentication));
                steps.push(ScriptStep::GenerateKeyPair(KeyUse::ChipAuthentication));
                steps.extend([ScriptStep::SetStatus(Initialised), ScriptStep::Report]);
            }
            Expected::Personalized { .. } => {
                let blocks = self.record.commands.len().saturating_sub(steps.len() + 2);
                steps.extend((0..blocks).map(ScriptStep::StoreData));
                steps.extend([ScriptStep::SetStatus(Personalized), ScriptStep::Report]);
            }
            Expected::Report => steps.push(ScriptStep::Report),
            Expected::Locked => steps.extend([ScriptStep::SetStatus(Locked), ScriptStep::Report]),
            Expected::Terminated => steps.push(ScriptStep::SetStatus(Terminated)),
        }
        steps
    }
}

/// Shows purpose, chip and number of commands.
impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.record, f)
    }
}

/// Error when composing a script.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ScriptError {
    /// The chip announces shorter commands or answers than the script needs.
    #[error("the chip handles APDUs of {has} bytes, and {needs} are needed")]
    Buffer {
        /// Value in the presentation.
        has: usize,
        /// Value that the script needs.
        needs: usize,
    },
    /// The chip's sequence counter is exhausted: it opens no further session.
    #[error("the sequence counter {counter} of the chip has come to its end")]
    CounterSpent {
        /// Value in the presentation.
        counter: u32,
    },
    /// The life cycle state does not allow this order.
    #[error("a chip that is {stands} cannot do that")]
    LifeCycle {
        /// Value in the presentation.
        stands: LifeCycle,
    },
}

/// A script that is being composed.
struct Composer {
    session: Session,
    record: Record,
    largest_plaintext: usize,
    /// Ne for answers that may be long.
    ne: usize,
    max_response: usize,
}

impl Composer {
    fn begin(
        keys: &KeySet,
        presentation: &Presentation,
        purpose: Purpose,
        from: &[LifeCycle],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, ScriptError> {
        let Presentation { serial, life_cycle, key_version, sequence_counter, max_command, max_response } =
            *presentation;
        if !from.contains(&life_cycle) {
            return Err(ScriptError::LifeCycle { stands: life_cycle });
        }
        if sequence_counter >= LAST_SEQUENCE_COUNTER {
            return Err(ScriptError::CounterSpent { counter: sequence_counter });
        }
        for (has, needs) in [(max_command, SHORT_COMMAND), (max_response, SHORT_RESPONSE)] {
            if has < needs {
                return Err(ScriptError::Buffer { has, needs });
            }
        }
        let mut host_challenge = [0; 8];
        rng.fill_bytes(&mut host_challenge);
        let sequence_counter = sequence_counter + 1;
        let record = Record {
            purpose,
            serial,
            key_version,
            sequence_counter,
            host_challenge,
            expected: Expected::Report,
            commands: Vec::new(),
        };
        let opening = record.predict(keys);
        Ok(Self {
            session: opening.session,
            record: Record { commands: opening.commands.map(|command| command.to_bytes()).to_vec(), ..record },
            largest_plaintext: scp03::largest_plaintext(max_command),
            ne: (max_response - 2).min(EXTENDED_NE),
            max_response,
        })
    }

    /// Returns an error if an answer would be longer than the chip supports.
    fn room_for_answer(&self, plain: usize) -> Result<(), ScriptError> {
        if plain <= scp03::largest_answer(self.max_response) {
            return Ok(());
        }
        Err(ScriptError::Buffer { has: self.max_response, needs: plain + 16 + 8 + 2 })
    }

    fn ask(&mut self, command: impl Into<Command>) {
        self.record.commands.push(self.session.wrap(&command.into()).to_bytes());
    }

    fn report(&mut self) {
        let command = Command::from(GetData::global_platform(tag::REPORT)).expecting(self.ne);
        self.ask(command);
    }

    fn finish(self, expected: Expected) -> Script {
        Script { record: Record { expected, ..self.record } }
    }
}

/// First commands of a script, and the chip's answers to them.
pub(super) struct ScriptOpening {
    pub(super) commands: [Command; 3],
    pub(super) answers: [Response; 3],
    pub(super) session: Session,
}

impl Record {
    pub(super) fn predict(&self, keys: &KeySet) -> ScriptOpening {
        let Prediction { initialize_update, answer, external_authenticate, session } = Prediction::new(
            keys,
            self.key_version,
            &self.serial,
            self.sequence_counter,
            self.host_challenge,
            &ISSUER_SECURITY_DOMAIN,
            SecurityLevel::FULL,
        );
        let select = Select::Application(ISSUER_SECURITY_DOMAIN.to_vec()).into();
        ScriptOpening {
            commands: [select, initialize_update, external_authenticate],
            answers: [Response::success([]), answer, Response::success([])],
            session,
        }
    }
}

/// Longest short command, which every chip supports.
const SHORT_COMMAND: usize = 261;
/// Longest short response.
const SHORT_RESPONSE: usize = 258;
