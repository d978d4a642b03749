//! Terminal role.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::messages::{is_token, object, session_keys, token, uncover_nonce};
use super::{Choice, Password, Suite};
use crate::apdu::{Command, Response};
use crate::command::general_authenticate::{self, GeneralAuthenticate, heard};
use crate::command::mse::{self, SetMutual};
use crate::conversation::{Conversation, Fault, Turn};
use crate::sm::{self, Keys};
use crate::suite::cipher::MAC_LEN;
use crate::suite::{Curve, Generator, PrivateKey, PublicKey};

/// The terminal's two key pairs of one run.
#[derive(Debug)]
pub struct Random {
    mapping: PrivateKey,
    ephemeral: PrivateKey,
}

impl Random {
    /// Generates fresh key pairs for a suite on this curve.
    pub fn generate(curve: Curve, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self::new(PrivateKey::generate(curve, rng), PrivateKey::generate(curve, rng))
    }

    pub(super) fn new(mapping: PrivateKey, ephemeral: PrivateKey) -> Self {
        Self { mapping, ephemeral }
    }
}

/// PACE, terminal role.
#[derive(Debug)]
pub struct Pace {
    choice: Choice,
    password: Password,
    random: Random,
    state: State,
}

/// Result of PACE at the terminal.
#[derive(Debug)]
pub struct Established {
    /// Channel for all that follows.
    pub channel: sm::Terminal,
    /// The algorithms that were used.
    pub suite: Suite,
}

#[expect(clippy::enum_variant_names, reason = "a state is called by what it waits for")]
#[derive(Debug)]
enum State {
    AwaitSelection,
    AwaitNonce,
    AwaitMappingKey { nonce: Nonce },
    AwaitEphemeralKey { own: PublicKey },
    AwaitToken { keys: Keys, expected: [u8; MAC_LEN] },
}

/// The decrypted nonce, as secret as the password.
struct Nonce(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonce(…)")
    }
}

impl Pace {
    /// Creates the role with the suite chosen from EF.CardAccess ([`super::choose`]), the password, and
    /// random keys on its curve.
    ///
    /// # Errors
    /// [`Fault::Unsupported`] if the random keys are of another curve.
    pub fn new(choice: impl Into<Choice>, password: impl Into<Password>, random: Random) -> Result<Self, Fault> {
        let (choice, password) = (choice.into(), password.into());
        if random.mapping.curve() != choice.suite.curve || random.ephemeral.curve() != choice.suite.curve {
            return Err(OTHER_CURVE);
        }
        Ok(Self { choice, password, random, state: State::AwaitSelection })
    }

    fn ask(self, state: State, step: GeneralAuthenticate) -> Turn<Self> {
        Turn::Ask(Self { state, ..self }, step.into())
    }

    /// Reads the chip's point: on the curve, and not ours sent back (§4.4.1 step 3 d).
    fn key_of_chip(&self, bytes: &[u8], own: &PublicKey) -> Result<PublicKey, Fault> {
        let key = PublicKey::from_sec1(self.choice.suite.curve, bytes)
            .map_err(|_| Fault::Misbehaved("the chip's PACE key is not a point of the curve"))?;
        if key == *own { Err(Fault::Misbehaved("the chip sent our own PACE key back")) } else { Ok(key) }
    }
}

impl Conversation for Pace {
    type Output = Established;

    fn open(self) -> Result<Turn<Self>, Fault> {
        let suite = self.choice.suite;
        let set = SetMutual {
            protocol: suite.protocol().oid(),
            password: self.password.reference(),
            parameter_id: self.choice.ambiguous.then(|| u32::from(suite.curve.parameter_id())),
        };
        Ok(Turn::Ask(self, Command::from(set)))
    }

    fn hear(self, answer: Response) -> Result<Turn<Self>, Fault> {
        let suite = self.choice.suite;
        match &self.state {
            State::AwaitSelection => {
                // 63Cx is a warning here: the password is usable, and so many tries are left (TR-03110-3 B.11.1).
                if answer.status.remaining_tries().is_none() {
                    answer.accepted(mse::INS)?;
                }
                Ok(self.ask(State::AwaitNonce, GeneralAuthenticate::first()))
            }
            State::AwaitNonce => {
                let hidden = heard(object::NONCE, &answer.accepted(general_authenticate::INS)?)?;
                let nonce = uncover_nonce(suite, self.password.secret(), &hidden)
                    .ok_or(Fault::Misbehaved("the encrypted nonce of PACE has a wrong length"))?;
                let step = GeneralAuthenticate::step(object::TERMINAL_MAPPING, self.random.mapping.public().to_sec1());
                Ok(self.ask(State::AwaitMappingKey { nonce: Nonce(nonce) }, step))
            }
            State::AwaitMappingKey { nonce } => {
                let bytes = heard(object::CHIP_MAPPING, &answer.accepted(general_authenticate::INS)?)?;
                let peer = self.key_of_chip(&bytes, &self.random.mapping.public())?;
                let generator = Generator::map(&nonce.0, &self.random.mapping, &peer)
                    .map_err(|_| Fault::Misbehaved("the chip's PACE key maps to infinity"))?;
                let own = generator.public(&self.random.ephemeral).map_err(|_| OTHER_CURVE)?;
                let step = GeneralAuthenticate::step(object::TERMINAL_EPHEMERAL, own.to_sec1());
                Ok(self.ask(State::AwaitEphemeralKey { own }, step))
            }
            State::AwaitEphemeralKey { own } => {
                let bytes = heard(object::CHIP_EPHEMERAL, &answer.accepted(general_authenticate::INS)?)?;
                let peer = self.key_of_chip(&bytes, own)?;
                let keys = session_keys(suite, &self.random.ephemeral, &peer).map_err(|_| OTHER_CURVE)?;
                let expected = token(suite, &keys, own);
                let step = GeneralAuthenticate::last(object::TERMINAL_TOKEN, &token(suite, &keys, &peer));
                Ok(self.ask(State::AwaitToken { keys, expected }, step))
            }
            State::AwaitToken { .. } => self.finish(answer),
        }
    }
}

impl Pace {
    fn finish(self, answer: Response) -> Result<Turn<Self>, Fault> {
        let State::AwaitToken { keys, expected } = self.state else {
            return Err(Fault::Misbehaved("PACE is not at its end"));
        };
        if answer.status.0 >> 8 == 0x63 {
            return Err(Fault::WrongPassword { tries_left: answer.status.remaining_tries() });
        }
        let received = heard(object::CHIP_TOKEN, &answer.accepted(general_authenticate::INS)?)?;
        // The chip accepted our token, so it knows the password: a wrong token of its own is no wrong password.
        if !is_token(expected, &received) {
            return Err(Fault::Misbehaved("the chip's PACE token is wrong"));
        }
        Ok(Turn::Done(Established { channel: sm::Terminal::new(keys), suite: self.choice.suite }))
    }
}

const OTHER_CURVE: Fault = Fault::Unsupported("the random keys for PACE are of another curve");
