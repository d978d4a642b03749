//! PACE with the generic mapping over elliptic curves: Doc 9303-11 (8th ed.) §4.4.
//!
//! ```
//! use crypto::conversation::{Rehearsal, converse};
//! use crypto::pace::{self, Password, Suite};
//! use crypto::{identity::Can, suite::{Cipher, Curve}};
//!
//! let (can, mut rng): (Can, _) = ("000042".parse()?, rand::rng());
//! let suite = Suite { cipher: Cipher::Aes128, curve: Curve::P256 };
//! let random = pace::chip::Random::generate(&[suite], &mut rng);
//! let mut card = Rehearsal::new(pace::chip::Pace::new(&[suite], vec![Password::from(can)], random));
//! let random = pace::terminal::Random::generate(suite.curve, &mut rng);
//! let terminal = converse(&mut card, pace::terminal::Pace::new(suite, can, random)?)?;
//! assert_eq!(terminal.suite, suite);
//! assert_eq!(card.into_output().map(|chip| chip.password), Some(2)); // the CAN
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod chip;
pub mod terminal;

mod messages;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::conversation::Fault;
use crate::identity::Can;
use crate::kdf::MrzSecret;
use crate::lds::security_infos::{KeyAgreement, Mapping, PaceInfo, PaceProtocol, SecurityInfos};
use crate::suite::{Cipher, Curve};

/// Algorithms of one run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Suite {
    /// Cipher and MAC of the nonce, the tokens and the channel.
    pub cipher: Cipher,
    /// Standardized domain parameters (§9.5.1).
    pub curve: Curve,
}

impl Suite {
    /// Returns the protocol identifier: always ECDH with the generic mapping.
    pub fn protocol(self) -> PaceProtocol {
        PaceProtocol::ecdh_gm(self.cipher)
    }

    /// Returns the announcement of this suite in EF.CardAccess.
    pub fn info(self) -> PaceInfo {
        PaceInfo { protocol: self.protocol(), version: 2, parameter_id: Some(u32::from(self.curve.parameter_id())) }
    }
}

/// Reads an announcement of the card, if it is supported.
impl TryFrom<&PaceInfo> for Suite {
    type Error = Fault;

    fn try_from(info: &PaceInfo) -> Result<Self, Fault> {
        if info.version != 2 {
            return Err(Fault::Unsupported("PACE of another version than 2"));
        }
        if info.protocol.agreement != KeyAgreement::Ecdh || info.protocol.mapping != Mapping::Generic {
            return Err(Fault::Unsupported("PACE other than the generic mapping over elliptic curves"));
        }
        // Explicit domain parameters of the card are not trusted: weak ones would reveal the password (§9.2.2).
        let curve = info.parameter_id.and_then(|id| u8::try_from(id).ok()).and_then(Curve::from_parameter_id);
        let curve = curve.ok_or(Fault::Unsupported("PACE over these domain parameters"))?;
        Ok(Self { cipher: info.protocol.cipher, curve })
    }
}

/// A suite of the card, and whether its domain parameters must be named to the chip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Choice {
    /// Algorithms.
    pub suite: Suite,
    /// The card announces this protocol with several domain parameters, so MSE:Set AT must say
    /// which (§4.4.4.1, object 84).
    pub ambiguous: bool,
}

impl From<Suite> for Choice {
    fn from(suite: Suite) -> Self {
        Self { suite, ambiguous: false }
    }
}

/// Returns the first supported suite that EF.CardAccess announces, triple DES only if there is no other.
///
/// # Errors
/// [`Fault::Unsupported`] if there is none.
pub fn choose(infos: &SecurityInfos) -> Result<Choice, Fault> {
    let known: Vec<Suite> = infos.pace().filter_map(|info| Suite::try_from(info).ok()).collect();
    let best = known.iter().find(|suite| suite.cipher != Cipher::TripleDes).or(known.first());
    let suite = *best.ok_or(Fault::Unsupported("the card announces no supported PACE"))?;
    let ambiguous = infos.pace().filter(|info| info.protocol == suite.protocol()).count() > 1;
    Ok(Choice { suite, ambiguous })
}

/// Password of PACE.
#[derive(Clone)]
pub enum Password {
    /// Card access number.
    Can(Can),
    /// Digest of the MRZ information.
    Mrz(MrzSecret),
}

impl Password {
    /// Returns the reference in MSE:Set AT (§4.4.4.1, object 83).
    pub fn reference(&self) -> u8 {
        match self {
            Self::Can(_) => 2,
            Self::Mrz(_) => 1,
        }
    }

    /// Returns the encoding f(π) (§9.7.3, table 14).
    fn secret(&self) -> &[u8] {
        match self {
            Self::Can(can) => can.as_bytes(),
            Self::Mrz(secret) => secret.digest(),
        }
    }
}

impl From<Can> for Password {
    fn from(can: Can) -> Self {
        Self::Can(can)
    }
}

impl From<&crate::mrz::MrzKey> for Password {
    fn from(key: &crate::mrz::MrzKey) -> Self {
        Self::Mrz(key.into())
    }
}

/// Shows the kind only.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.reference() == 2 { "Password::Can(…)" } else { "Password::Mrz(…)" })
    }
}

/// Fixed values in place of random ones, for worked examples. Never for a real session.
pub mod hazmat {
    use super::{chip, terminal};
    use crate::suite::PrivateKey;

    /// Returns these two keys of the terminal. Reusing them reveals the session keys.
    pub fn terminal_random(mapping: PrivateKey, ephemeral: PrivateKey) -> terminal::Random {
        terminal::Random::new(mapping, ephemeral)
    }

    /// Returns this nonce and these two keys of the chip. Reusing them reveals the session keys.
    pub fn chip_random(nonce: [u8; 16], mapping: PrivateKey, ephemeral: PrivateKey) -> chip::Random {
        chip::Random::new(nonce, vec![(mapping, ephemeral)])
    }
}
