//! The profile of a chip: sizes, protocols and quirks of real chips, and the misbehaviour of hostile ones.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::hostile::Malice;

/// Everything that differs from one kind of chip to the next and never changes in a chip's life.
///
/// Written into the state file; a field that a later version adds gets the value of [`Profile::default`] there.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each flag is one property of a chip, independent of the others")]
pub struct Profile {
    /// Longest command APDU, in bytes, header included. 261 allows every short one.
    pub max_command: usize,
    /// Longest response APDU, in bytes, status included. 258 allows every short one.
    pub max_response: usize,
    /// Whether extended length is understood and announced.
    pub extended_length: bool,
    /// Whether BAC opens the holder's files besides PACE.
    pub basic_access_control: bool,
    /// Whether PACE is offered. The EF.CardAccess that personalization writes says with which suites.
    pub pace: bool,
    /// Whether SELECT of the master file is understood; if not, `6D00`.
    pub selects_master_file: bool,
    /// Whether there is an EF.DIR.
    pub directory: bool,
    /// How wrong passwords slow the chip down.
    pub throttle: Throttle,
    /// How it misbehaves on purpose.
    pub malice: Malice,
}

/// How wrong passwords delay the next try.
///
/// They never block it: a card access number cannot be blocked (Doc 9303-11 (8th ed.) §4.4.1), because then any reader
/// near a card could make it useless.
///
/// After `free` wrong tries in a row the next PACE or BAC waits `first_ms`, then twice that, and so on up to
/// `longest_ms`. The count survives power cuts; a right password clears it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Throttle {
    /// Wrong tries without a delay.
    pub free: u32,
    /// First delay in milliseconds; 0 switches throttling off.
    pub first_ms: u64,
    /// Longest delay in milliseconds.
    pub longest_ms: u64,
}

impl Throttle {
    /// Throttling switched off.
    pub const OFF: Self = Self { free: 0, first_ms: 0, longest_ms: 0 };

    /// Returns how long the chip waits before the next try, after `failures` wrong ones in a row.
    pub fn delay(&self, failures: u32) -> Duration {
        if self.first_ms == 0 || failures <= self.free {
            return Duration::ZERO;
        }
        let doublings = (failures - self.free - 1).min(32);
        Duration::from_millis(self.first_ms.saturating_mul(1 << doublings).min(self.longest_ms))
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            max_command: 32_767,
            max_response: 32_767,
            extended_length: true,
            basic_access_control: true,
            pace: true,
            selects_master_file: true,
            directory: false,
            throttle: Throttle { free: 5, first_ms: 100, longest_ms: 3_200 },
            malice: Malice::NONE,
        }
    }
}

impl Profile {
    /// Returns a profile like Viet Nam's card of 2021, according to reports of travellers and developers: SELECT of the
    /// master file in any form is answered `6D00`; EF.CardAccess is selected directly after reset.
    pub fn viet_nam() -> Self {
        Self { selects_master_file: false, ..Self::default() }
    }

    /// Returns the profile of a chip with short APDUs only.
    pub fn short() -> Self {
        Self { max_command: 261, max_response: 258, extended_length: false, ..Self::default() }
    }

    /// Returns the profile of a chip with BAC alone, as documents before 2014.
    pub fn bac_only() -> Self {
        Self { pace: false, ..Self::default() }
    }

    /// Returns the profile of a chip with PACE alone, as documents after 2018 may be.
    pub fn pace_only() -> Self {
        Self { basic_access_control: false, ..Self::default() }
    }

    /// Returns the default profile with this misbehaviour.
    pub fn hostile(malice: Malice) -> Self {
        Self { malice, ..Self::default() }
    }

    /// Returns the names that [`FromStr`] understands.
    pub fn names() -> impl Iterator<Item = String> {
        let hostile = Malice::all().map(|malice| format!("{HOSTILE}{}", malice.name()));
        BEHAVED.iter().map(|(name, _)| (*name).to_owned()).chain(hostile)
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if let Some(malice) = name.strip_prefix(HOSTILE).and_then(Malice::named) {
            return Ok(Self::hostile(malice));
        }
        let behaved = BEHAVED.iter().find(|(known, _)| *known == name);
        behaved.map(|(_, make)| make()).ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

/// Makes a profile.
type Make = fn() -> Profile;

/// The profiles that behave, by name.
const BEHAVED: &[(&str, Make)] = &[
    ("citizen", Profile::default),
    ("viet-nam", Profile::viet_nam),
    ("short", Profile::short),
    ("bac-only", Profile::bac_only),
    ("pace-only", Profile::pace_only),
];

/// What the names of hostile profiles begin with.
const HOSTILE: &str = "hostile-";

/// There is no profile with this name.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("there is no chip profile {0:?}; there are {names}", names = Profile::names().collect::<Vec<_>>().join(", "))]
pub struct UnknownProfile(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_profile() {
        for name in Profile::names() {
            assert!(name.parse::<Profile>().is_ok(), "{name}");
        }
        assert!("visa".parse::<Profile>().is_err());
    }

    #[test]
    fn wrong_passwords_delay_the_next_try_but_never_block_it() {
        let throttle = Throttle { free: 2, first_ms: 100, longest_ms: 1_000 };
        let delays: Vec<_> = (0..9).map(|failures| throttle.delay(failures).as_millis()).collect();
        assert_eq!(delays, [0, 0, 0, 100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(throttle.delay(u32::MAX).as_millis(), 1_000);
        assert_eq!(Throttle::OFF.delay(1_000), Duration::ZERO);
    }
}
