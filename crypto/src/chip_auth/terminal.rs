//! Terminal role.

use rand_core::CryptoRng;

use super::{EPHEMERAL_KEY, session_keys};
use crate::apdu::{Command, Response};
use crate::command::general_authenticate::{self, GeneralAuthenticate};
use crate::command::mse::{self, SetInternal, SetKeyAgreement};
use crate::conversation::{Conversation, Fault, Turn};
use crate::lds::security_infos::ChipAuthenticationProtocol;
use crate::sm::{self, Keys};
use crate::suite::{Cipher, PrivateKey, PublicKey};
use crate::tlv::Tlv;

/// Chip authentication, terminal role, to be run **inside** the channel of PACE or basic access control.
///
/// Results in a new channel; the old one ends with the last answer.
#[derive(Debug)]
pub struct ChipAuthentication {
    cipher: Cipher,
    key_id: Option<u32>,
    public: PublicKey,
    keys: Keys,
    state: State,
}

#[expect(clippy::enum_variant_names, reason = "a state is called by what it waits for")]
#[derive(Debug)]
enum State {
    AwaitAgreement,
    AwaitKeyAgreementTemplate,
    AwaitSelection,
}

impl ChipAuthentication {
    /// Creates the role with the chip's public key from DG14, the cipher of its ChipAuthenticationInfo, and the key's
    /// identifier if there are several keys.
    pub fn new(cipher: Cipher, chip: PublicKey, key_id: Option<u32>, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let ephemeral = PrivateKey::generate(chip.curve(), rng);
        Self::with_ephemeral(cipher, chip, key_id, ephemeral).expect("both keys are of the chip's curve")
    }

    #[expect(clippy::needless_pass_by_value, reason = "an ephemeral key is spent by its one run")]
    pub(super) fn with_ephemeral(
        cipher: Cipher,
        chip: PublicKey,
        key_id: Option<u32>,
        ephemeral: PrivateKey,
    ) -> Result<Self, Fault> {
        let keys = session_keys(cipher, &ephemeral, &chip)
            .map_err(|_| Fault::Unsupported("the ephemeral key for chip authentication is of another curve"))?;
        Ok(Self { cipher, key_id, public: ephemeral.public(), keys, state: State::AwaitSelection })
    }

    fn done(self) -> Turn<Self> {
        Turn::Done(sm::Terminal::new(self.keys))
    }
}

impl Conversation for ChipAuthentication {
    type Output = sm::Terminal;

    fn open(self) -> Result<Turn<Self>, Fault> {
        // Triple DES has a command of its own, which chips with triple DES must support; the other
        // form is optional (§6.2.4).
        if self.cipher == Cipher::TripleDes {
            let set = SetKeyAgreement { public_key: self.public.to_sec1().to_vec(), key_id: self.key_id };
            return Ok(Turn::Ask(Self { state: State::AwaitKeyAgreementTemplate, ..self }, Command::from(set)));
        }
        let set = SetInternal { protocol: ChipAuthenticationProtocol::ecdh(self.cipher).oid(), key_id: self.key_id };
        Ok(Turn::Ask(self, Command::from(set)))
    }

    fn hear(self, answer: Response) -> Result<Turn<Self>, Fault> {
        match self.state {
            State::AwaitSelection => {
                answer.accepted(mse::INS)?;
                let step = GeneralAuthenticate::last(EPHEMERAL_KEY, self.public.to_sec1());
                Ok(Turn::Ask(Self { state: State::AwaitAgreement, ..self }, step.into()))
            }
            State::AwaitAgreement => {
                // Version 1 answers an empty template; data of other versions are ignored.
                match Tlv::expect(0x7c, &answer.accepted(general_authenticate::INS)?) {
                    Ok(_) => Ok(self.done()),
                    Err(_) => {
                        Err(Fault::Misbehaved("chip authentication was not answered by dynamic authentication data"))
                    }
                }
            }
            State::AwaitKeyAgreementTemplate => {
                answer.accepted(mse::INS)?;
                Ok(self.done())
            }
        }
    }
}
