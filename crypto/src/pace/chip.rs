//! Chip role.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::messages::{hide_nonce, is_token, object, session_keys, token};
use super::{Password, Suite};
use crate::apdu::{Command, Response, Status};
use crate::command::general_authenticate::{GeneralAuthenticate, answer};
use crate::command::mse::SetMutual;
use crate::command::{interindustry, unchained};
use crate::conversation::{Reply, Respondent};
use crate::lds::security_infos::PaceProtocol;
use crate::sm::{self, Keys};
use crate::suite::cipher::MAC_LEN;
use crate::suite::{EcError, Generator, PrivateKey, PublicKey};

/// The chip's nonce, and two key pairs for each curve that it offers; the terminal chooses the curve.
pub struct Random {
    nonce: Zeroizing<[u8; 16]>,
    /// Mapping key and ephemeral key.
    keys: Vec<(PrivateKey, PrivateKey)>,
}

impl Random {
    /// Generates fresh values.
    pub fn generate(offered: &[Suite], rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut random = Self::new([0; 16], Vec::new());
        rng.fill_bytes(random.nonce.as_mut());
        for suite in offered {
            if random.keys.iter().all(|(mapping, _)| mapping.curve() != suite.curve) {
                let pair = (PrivateKey::generate(suite.curve, rng), PrivateKey::generate(suite.curve, rng));
                random.keys.push(pair);
            }
        }
        random
    }

    pub(super) fn new(nonce: [u8; 16], keys: Vec<(PrivateKey, PrivateKey)>) -> Self {
        Self { nonce: Zeroizing::new(nonce), keys }
    }

    fn take(self, suite: Suite) -> Option<(Zeroizing<[u8; 16]>, PrivateKey, PrivateKey)> {
        let (mapping, ephemeral) = self.keys.into_iter().find(|(mapping, _)| mapping.curve() == suite.curve)?;
        Some((self.nonce, mapping, ephemeral))
    }
}

/// PACE, chip role.
pub struct Pace(State);

/// Result of PACE at the chip.
#[derive(Debug)]
pub struct Established {
    /// Channel for all that follows; the last answer of PACE still goes out in the clear.
    pub channel: sm::Chip,
    /// Reference of the password that was used: 1 MRZ, 2 CAN.
    pub password: u8,
    /// The algorithms that were used.
    pub suite: Suite,
}

#[expect(clippy::enum_variant_names, reason = "a state is called by what it waits for")]
enum State {
    AwaitSelection { offered: Vec<Suite>, passwords: Vec<Password>, random: Random },
    AwaitNonceRequest { run: Run, nonce: Zeroizing<[u8; 16]>, mapping: PrivateKey, ephemeral: PrivateKey },
    AwaitMappingKey { run: Run, nonce: Zeroizing<[u8; 16]>, mapping: PrivateKey, ephemeral: PrivateKey },
    AwaitEphemeralKey { run: Run, generator: Generator, ephemeral: PrivateKey },
    AwaitToken { run: Run, keys: Keys, expected: [u8; MAC_LEN], own: [u8; MAC_LEN] },
}

/// The selected suite and password.
struct Run {
    suite: Suite,
    password: Password,
}

impl Pace {
    /// Creates the role with the suites of EF.CardAccess and the passwords of this card.
    pub fn new(offered: &[Suite], passwords: Vec<Password>, random: Random) -> Self {
        Self(State::AwaitSelection { offered: offered.to_vec(), passwords, random })
    }
}

impl Respondent for Pace {
    type Output = Established;

    fn answer(self, command: &Command) -> Reply<Self> {
        match self.0.step(command) {
            Ok(Progress::Next(state, response)) => Reply::More(Self(state), response),
            Ok(Progress::Last(established, response)) => Reply::Done(established, response),
            Err(status) => Reply::Refused(status),
        }
    }
}

enum Progress {
    Next(State, Response),
    Last(Established, Response),
}

impl State {
    fn step(self, command: &Command) -> Result<Progress, Status> {
        interindustry(command)?;
        match self {
            Self::AwaitSelection { offered, passwords, random } => select(command, &offered, passwords, random),
            Self::AwaitNonceRequest { run, nonce, mapping, ephemeral } => {
                if chained(command)?.object.is_some() {
                    return Err(Status::WRONG_DATA);
                }
                let hidden = hide_nonce(run.suite, run.password.secret(), nonce.as_slice());
                Ok(Progress::Next(
                    Self::AwaitMappingKey { run, nonce, mapping, ephemeral },
                    answer(object::NONCE, &hidden),
                ))
            }
            Self::AwaitMappingKey { run, nonce, mapping, ephemeral } => {
                let own = mapping.public();
                let peer = key_of_terminal(run.suite, chained(command)?.value(object::TERMINAL_MAPPING)?, &own)?;
                let generator = Generator::map(nonce.as_slice(), &mapping, &peer).map_err(invalid)?;
                let response = answer(object::CHIP_MAPPING, own.to_sec1());
                Ok(Progress::Next(Self::AwaitEphemeralKey { run, generator, ephemeral }, response))
            }
            Self::AwaitEphemeralKey { run, generator, ephemeral } => {
                let own = generator.public(&ephemeral).map_err(invalid)?;
                let peer = key_of_terminal(run.suite, chained(command)?.value(object::TERMINAL_EPHEMERAL)?, &own)?;
                let keys = session_keys(run.suite, &ephemeral, &peer).map_err(invalid)?;
                let expected = token(run.suite, &keys, &own);
                let token = token(run.suite, &keys, &peer);
                let response = answer(object::CHIP_EPHEMERAL, own.to_sec1());
                Ok(Progress::Next(Self::AwaitToken { run, keys, expected, own: token }, response))
            }
            Self::AwaitToken { run, keys, expected, own } => {
                // Every failure from here on has the same answer, so that a wrong password cannot be told from garbage.
                let failed = Status::AUTHENTICATION_FAILED;
                let step = GeneralAuthenticate::try_from(command).map_err(|_| failed)?;
                let received = step.value(object::TERMINAL_TOKEN).map_err(|_| failed)?;
                if step.chained || !is_token(expected, received) {
                    return Err(failed);
                }
                let (suite, password) = (run.suite, run.password.reference());
                let channel = sm::Chip::new(keys);
                Ok(Progress::Last(Established { channel, password, suite }, answer(object::CHIP_TOKEN, &own)))
            }
        }
    }
}

fn select(command: &Command, offered: &[Suite], passwords: Vec<Password>, random: Random) -> Result<Progress, Status> {
    unchained(command)?;
    let set = SetMutual::try_from(command)?;
    let cipher = PaceProtocol::from_oid(&set.protocol)
        .filter(|protocol| *protocol == PaceProtocol::ecdh_gm(protocol.cipher))
        .ok_or(Status::WRONG_DATA)?
        .cipher;
    let of_protocol: Vec<Suite> = offered.iter().filter(|suite| suite.cipher == cipher).copied().collect();
    let suite = match (of_protocol.as_slice(), set.parameter_id) {
        ([], _) => return Err(Status::WRONG_DATA),
        ([only], None) => *only,
        // Several sets of domain parameters: the terminal must say which (§4.4.4.1).
        (_, None) => return Err(Status::REFERENCED_DATA_NOT_FOUND),
        (several, Some(id)) => *several
            .iter()
            .find(|suite| u32::from(suite.curve.parameter_id()) == id)
            .ok_or(Status::REFERENCED_DATA_NOT_FOUND)?,
    };
    let password = passwords
        .into_iter()
        .find(|password| password.reference() == set.password)
        .ok_or(Status::REFERENCED_DATA_NOT_FOUND)?;
    let (nonce, mapping, ephemeral) = random.take(suite).ok_or(Status::REFERENCED_DATA_NOT_FOUND)?;
    let run = Run { suite, password };
    Ok(Progress::Next(State::AwaitNonceRequest { run, nonce, mapping, ephemeral }, Response::success([])))
}

/// Returns a step that is not the last: it must be chained to the next (§4.4.4.3).
fn chained(command: &Command) -> Result<GeneralAuthenticate, Status> {
    let step = GeneralAuthenticate::try_from(command)?;
    if step.chained { Ok(step) } else { Err(Status::CONDITIONS_NOT_SATISFIED) }
}

/// Reads the terminal's point: on the curve, and not ours sent back (§4.4.1 step 3 d).
fn key_of_terminal(suite: Suite, bytes: &[u8], own: &PublicKey) -> Result<PublicKey, Status> {
    let key = PublicKey::from_sec1(suite.curve, bytes).map_err(invalid)?;
    if key == *own { Err(Status::WRONG_DATA) } else { Ok(key) }
}

fn invalid(_: EcError) -> Status {
    Status::WRONG_DATA
}
