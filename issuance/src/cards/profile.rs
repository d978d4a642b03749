//! What cards of this series can do: a setting of the service, with the defaults of the 2021
//! card where those are known.

use crypto::identity::{Can, PersonalNumber};
use crypto::lds::SecurityInfos;
use crypto::lds::security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationProtocol, ChipAuthenticationPublicKeyInfo, KeyAgreement, PaceInfo,
    PaceProtocol, SecurityInfo,
};
use crypto::pki::spki::{self, CurveForm};
use crypto::suite::{Cipher, Curve, Hash, PublicKey};
use crypto::{active_auth, sod};
use rand::{CryptoRng, RngExt};
use serde::{Deserialize, Serialize};

/// Protocols and parameters of a series of cards.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CardProfile {
    /// Cipher of PACE with the generic mapping over elliptic curves.
    #[serde(with = "cipher")]
    pub pace_cipher: Cipher,
    /// Domain parameters of PACE.
    #[serde(with = "curve")]
    pub pace_curve: Curve,
    /// Cipher of the channel after chip authentication.
    #[serde(with = "cipher")]
    pub chip_auth_cipher: Cipher,
    /// Curve of the chip's key for chip authentication.
    #[serde(with = "curve")]
    pub chip_auth_curve: Curve,
    /// Curve of the chip's key for active authentication.
    #[serde(with = "curve")]
    pub active_auth_curve: Curve,
    /// Hash of the signature of active authentication.
    #[serde(with = "hash")]
    pub active_auth_hash: Hash,
    /// The issuing State.
    #[serde(skip)]
    pub state: State,
    /// Which number opens the chip.
    pub can: CanPolicy,
    /// How the hash table is made.
    #[serde(skip)]
    pub sod: sod::Profile,
}

/// The issuing State as its cards name it. It is that of the CSCA: a terminal compares the two.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct State {
    /// Code in the MRZ, as issuing State and as the nationality of the holder: `VNM`.
    pub code: String,
    /// Nationality of its citizens in words, in DG13: `Việt Nam`.
    pub nationality: String,
}

/// Viet Nam.
impl Default for State {
    fn default() -> Self {
        Self { code: "VNM".to_owned(), nationality: "Việt Nam".to_owned() }
    }
}

/// Which card access number a card gets.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CanPolicy {
    /// A number of its own, drawn at random; has to be printed on the card.
    Drawn,
    /// The last six digits of the personal number, as on the 2021 card, which prints no other.
    LastSixOfNumber,
}

/// PACE-ECDH-GM-AES-CBC-CMAC-128 on brainpoolP256r1, chip authentication likewise, active authentication by plain ECDSA
/// on P-256 with SHA-256, the access number out of the personal number.
impl Default for CardProfile {
    fn default() -> Self {
        Self {
            pace_cipher: Cipher::Aes128,
            pace_curve: Curve::BrainpoolP256r1,
            chip_auth_cipher: Cipher::Aes128,
            chip_auth_curve: Curve::BrainpoolP256r1,
            active_auth_curve: Curve::P256,
            active_auth_hash: Hash::Sha256,
            state: State::default(),
            can: CanPolicy::LastSixOfNumber,
            sod: sod::Profile::default(),
        }
    }
}

impl CardProfile {
    /// EF.CardAccess: how to open the chip.
    pub fn access_infos(&self) -> SecurityInfos {
        SecurityInfos(vec![self.pace()])
    }

    /// DG14: how to open the chip, signed, and the key with which it proves that it is no copy.
    pub fn security_infos(&self, chip_auth: &PublicKey, form: CurveForm) -> SecurityInfos {
        SecurityInfos(vec![
            self.pace(),
            SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
                protocol: ChipAuthenticationProtocol::ecdh(self.chip_auth_cipher),
                version: 1,
                key_id: None,
            }),
            SecurityInfo::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
                agreement: KeyAgreement::Ecdh,
                spki: spki::encode(&chip_auth.clone().into(), form),
                key_id: None,
            }),
            SecurityInfo::ActiveAuthentication {
                signature_algorithm: active_auth::signature_algorithm(self.active_auth_hash),
            },
        ])
    }

    /// The card access number of a new document.
    pub fn can(&self, number: &PersonalNumber, rng: &mut impl CryptoRng) -> Can {
        match self.can {
            CanPolicy::LastSixOfNumber => number.can(),
            CanPolicy::Drawn => {
                format!("{:06}", rng.random_range(0..1_000_000)).parse().expect("six digits are an access number")
            }
        }
    }

    fn pace(&self) -> SecurityInfo {
        SecurityInfo::Pace(PaceInfo {
            protocol: PaceProtocol::ecdh_gm(self.pace_cipher),
            version: 2,
            parameter_id: Some(self.pace_curve.parameter_id().into()),
        })
    }
}

/// Algorithms by name in `issuance.toml`: those that a new card may have, and no others.
macro_rules! by_name {
    ($name:ident, $type:ty, $what:literal, [$($text:literal = $value:expr),+ $(,)?]) => {
        mod $name {
            use serde::{Deserialize, Deserializer, Serializer, de, ser};

            use super::*;

            const NAMES: &[(&str, $type)] = &[$(($text, $value)),+];

            pub(super) fn serialize<S: Serializer>(value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                let named = NAMES.iter().find(|(_, named)| named == value);
                let (name, _) = named.ok_or_else(|| ser::Error::custom(concat!("not for new cards: a ", $what)))?;
                serializer.serialize_str(name)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let text = String::deserialize(deserializer)?;
                let found = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text));
                found.map(|(_, value)| *value).ok_or_else(|| {
                    let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
                    de::Error::custom(format_args!("`{text}` is no {} of new cards; write one of {}", $what, names.join(", ")))
                })
            }
        }
    };
}

by_name!(
    cipher,
    Cipher,
    "cipher",
    ["AES-128" = Cipher::Aes128, "AES-192" = Cipher::Aes192, "AES-256" = Cipher::Aes256]
);
by_name!(
    curve,
    Curve,
    "curve",
    [
        "P-256" = Curve::P256,
        "P-384" = Curve::P384,
        "P-521" = Curve::P521,
        "brainpoolP256r1" = Curve::BrainpoolP256r1,
        "brainpoolP384r1" = Curve::BrainpoolP384r1,
    ]
);
by_name!(hash, Hash, "hash", ["SHA-256" = Hash::Sha256, "SHA-384" = Hash::Sha384, "SHA-512" = Hash::Sha512]);

#[cfg(test)]
mod tests {
    use super::*;

    /// The PACE entry is byte for byte the one that readers of the 2021 card carry (its other two entries announce
    /// terminal authentication, which this card does not have yet, and chip authentication, which we announce in DG14).
    #[test]
    fn card_access_is_that_of_the_2021_card() {
        let file = crypto::lds::CardAccess(CardProfile::default().access_infos()).encode();
        assert_eq!(hex::encode(file), "31143012060a04007f0007020204020202010202010d");
    }

    #[test]
    fn the_access_number_follows_the_policy() {
        let number: PersonalNumber = "003300000017".parse().expect("a number");
        let mut rng = <rand::rngs::ChaCha20Rng as rand::SeedableRng>::seed_from_u64(1);
        let last_six = CardProfile::default();
        assert_eq!(last_six.can(&number, &mut rng).as_str(), "000017");
        let drawn = CardProfile { can: CanPolicy::Drawn, ..CardProfile::default() };
        assert_ne!(drawn.can(&number, &mut rng).as_str(), drawn.can(&number, &mut rng).as_str());
    }
}
