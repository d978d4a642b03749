//! The report of a chip under R-MAC: data object `DF21`.

use crate::command::generate_key_pair::{KeyUse, encode_public_key, parse_public_key};
use crate::conversation::Fault;
use crate::perso::{LifeCycle, tag};
use crate::suite::ec::PublicKey;
use crate::tlv::{self, Tlv};

/// State of a chip as it reports it. Trusted only if [`crate::perso::Script::verify`] returned it.
///
/// ```text
/// DF21 { 9F70 life cycle (1), DF22 digest (32), B6 { 7F49 { 06, 86 } }?, A6 { 7F49 { 06, 86 } }? }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// Its life cycle.
    pub life_cycle: LifeCycle,
    /// [`crate::perso::digest()`] over its files; over none if it has none.
    pub digest: [u8; 32],
    /// Public key for active authentication, once the pair was generated.
    pub active_auth: Option<PublicKey>,
    /// Public key for chip authentication, once the pair was generated.
    pub chip_auth: Option<PublicKey>,
}

impl Report {
    /// Returns the data object, as the chip answers GET DATA `DF21`.
    pub fn encode(&self) -> Vec<u8> {
        let key = |of: KeyUse, key: &Option<PublicKey>| {
            key.as_ref().map(|key| tlv::encode(of.template(), &encode_public_key(key))).unwrap_or_default()
        };
        let parts = [
            tlv::encode(LIFE_CYCLE, &[self.life_cycle.byte()]),
            tlv::encode(DIGEST, &self.digest),
            key(KeyUse::ActiveAuthentication, &self.active_auth),
            key(KeyUse::ChipAuthentication, &self.chip_auth),
        ];
        tlv::encode(u32::from(tag::REPORT), &parts.concat())
    }

    /// Reads the data object.
    ///
    /// # Errors
    /// [`Fault::Misbehaved`], [`Fault::Unsupported`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let malformed = |_| Fault::Misbehaved("a malformed report");
        let report = Tlv::expect(u32::from(tag::REPORT), bytes).map_err(malformed)?;
        let key = |of: KeyUse| match tlv::find(report.value, of.template()).map_err(malformed)? {
            Some(template) => parse_public_key(template.value).map(Some),
            None => Ok(None),
        };
        let life_cycle = match report.child(LIFE_CYCLE).map_err(malformed)?.value {
            [byte] => LifeCycle::from_byte(*byte),
            _ => None,
        };
        let digest = report.child(DIGEST).map_err(malformed)?.value.try_into();
        Ok(Self {
            life_cycle: life_cycle.ok_or(Fault::Misbehaved("a report of a life cycle that does not exist"))?,
            digest: digest.map_err(|_| Fault::Misbehaved("a report with a digest that has not 32 bytes"))?,
            active_auth: key(KeyUse::ActiveAuthentication)?,
            chip_auth: key(KeyUse::ChipAuthentication)?,
        })
    }
}

/// Life cycle state, with the tag that GPCS v2.3 Table 11-36 gives it.
const LIFE_CYCLE: u32 = 0x9f70;
/// Digest over the files.
const DIGEST: u32 = 0xdf22;
